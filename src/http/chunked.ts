/**
 * Where does a chunked body end? (RFC 9112 §7.1.) Walks the raw bytes piece by piece and says, so
 * that they can be passed on untouched; a sink gets the data bytes for whoever wants them decoded.
 *
 *   SIZE ─▶ (EXTENSION) ─▶ SIZE_LF ─▶ DATA ─▶ DATA_CR ─▶ DATA_LF ─▶ SIZE …
 *                              └ size 0 ─▶ LINE_START ─▶ (TRAILER ─▶ TRAILER_LF ─▶ LINE_START) ─▶ END_LF
 *
 * Strict: CRLF only, no blanks around the size, no control in extensions. Bounded: 13 hex digits;
 * extensions and trailers each by a total over the body, or a body of one-byte chunks with long
 * extensions would cost without end and count as nothing.
 */
import { TOKEN, VALUE } from './octets.ts'

const SIZE = 0
const EXTENSION = 1
const SIZE_LF = 2
const DATA = 3
const DATA_CR = 4
const DATA_LF = 5
const LINE_START = 6
const TRAILER_NAME = 7
const TRAILER_VALUE = 8
const TRAILER_LF = 9
const END_LF = 10
const ENDED = 11

export const MOST_EXTENSION_BYTES = 16_384
export const MOST_TRAILER_BYTES = 16_384

/** `feed` answers with this while the body goes on … */
export const CHUNKED_MORE = -1
/** … and with this when the bytes are no chunked body. */
export const CHUNKED_MALFORMED = -2

/** Gets `bytes[start, end)`, data bytes of the body. */
export type ChunkSink = (bytes: Buffer, start: number, end: number) => void

const HEX = new Int8Array(256).fill(-1)
for (let i = 0; i < 10; i++) HEX[0x30 + i] = i
for (let i = 0; i < 6; i++) HEX[0x41 + i] = HEX[0x61 + i] = 10 + i

export class ChunkedScanner {
  /** Data bytes seen so far. */
  dataBytes = 0
  #state = SIZE
  #digits = 0
  #left = 0
  #extensionBytes = 0
  #trailerBytes = 0

  reset(): void {
    this.dataBytes = 0
    this.#state = SIZE
    this.#digits = 0
    this.#left = 0
    this.#extensionBytes = 0
    this.#trailerBytes = 0
  }

  /** Index just behind the body within `bytes`, CHUNKED_MORE or CHUNKED_MALFORMED. */
  feed(bytes: Buffer, start: number, end: number, sink?: ChunkSink): number {
    let at = start
    while (at < end) {
      switch (this.#state) {
        case SIZE: {
          const byte = bytes[at]!
          const digit = HEX[byte]!
          if (digit >= 0) {
            if (++this.#digits > 13) return CHUNKED_MALFORMED
            this.#left = this.#left * 16 + digit
          } else {
            if (this.#digits === 0) return CHUNKED_MALFORMED
            if (byte === 0x0d) this.#state = SIZE_LF
            else if (byte === 0x3b) this.#state = EXTENSION
            else return CHUNKED_MALFORMED
          }
          at++
          break
        }
        case EXTENSION: {
          const byte = bytes[at++]!
          if (byte === 0x0d) this.#state = SIZE_LF
          else if (VALUE[byte] === 0 || ++this.#extensionBytes > MOST_EXTENSION_BYTES)
            return CHUNKED_MALFORMED
          break
        }
        case SIZE_LF:
          if (bytes[at++] !== 0x0a) return CHUNKED_MALFORMED
          this.#digits = 0
          this.#state = this.#left === 0 ? LINE_START : DATA
          break
        case DATA: {
          const stop = Math.min(end, at + this.#left)
          if (sink !== undefined) sink(bytes, at, stop)
          this.#left -= stop - at
          this.dataBytes += stop - at
          at = stop
          if (this.#left === 0) this.#state = DATA_CR
          break
        }
        case DATA_CR:
          if (bytes[at++] !== 0x0d) return CHUNKED_MALFORMED
          this.#state = DATA_LF
          break
        case DATA_LF:
          if (bytes[at++] !== 0x0a) return CHUNKED_MALFORMED
          this.#state = SIZE
          break
        case LINE_START: {
          const byte = bytes[at++]!
          if (byte === 0x0d) this.#state = END_LF
          else if (TOKEN[byte] === 0 || ++this.#trailerBytes > MOST_TRAILER_BYTES) return CHUNKED_MALFORMED
          else this.#state = TRAILER_NAME
          break
        }
        case TRAILER_NAME: {
          const byte = bytes[at++]!
          if (byte === 0x3a) this.#state = TRAILER_VALUE
          else if (TOKEN[byte] === 0) return CHUNKED_MALFORMED
          if (++this.#trailerBytes > MOST_TRAILER_BYTES) return CHUNKED_MALFORMED
          break
        }
        case TRAILER_VALUE: {
          const byte = bytes[at++]!
          if (byte === 0x0d) this.#state = TRAILER_LF
          else if (VALUE[byte] === 0 || ++this.#trailerBytes > MOST_TRAILER_BYTES) return CHUNKED_MALFORMED
          break
        }
        case TRAILER_LF:
          if (bytes[at++] !== 0x0a) return CHUNKED_MALFORMED
          this.#state = LINE_START
          break
        case END_LF:
          if (bytes[at++] !== 0x0a) return CHUNKED_MALFORMED
          this.#state = ENDED
          return at
        default:
          return start
      }
    }
    return CHUNKED_MORE
  }
}
