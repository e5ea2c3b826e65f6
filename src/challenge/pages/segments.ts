/**
 * A page out of parts that never change and a few facts that do, plain or as one gzip member, without
 * compressing anything per request.
 *
 *   gzip member   header │ static, deflated once │ facts, stored │ static … │ end │ CRC-32 │ length
 *
 * Problem: in a flood thousands of whole pages go out per second, each with a ray, a challenge and links of
 * its own. Compressing one takes ten times as long as all the rest of making it; serving them plain doubles
 * the bytes.
 *
 * Deflate (RFC 1951) is a row of blocks. A static part is compressed once and ended by a full flush: its last
 * block ends on a byte, and it refers to nothing before itself, so it may stand behind anything. A fact
 * becomes a *stored* block: five bytes of header and the bytes as they are. The CRC-32 at the end
 * (RFC 1952) goes over the plain bytes, 4 µs for 16 kB.
 *
 * Rejected. One gzip member per part: RFC 1952 allows it, but Chromium reads the first and drops the rest.
 * Facts in one place, put into theirs by script: a page must read well without one. Huffman codes of
 * our own for the facts: some hundred bytes of 8,500, for code that hostile bytes go through. CRCs of the parts
 * put together by arithmetic: it would save 3 of 11 µs.
 */
import { constants, crc32, deflateRawSync } from 'node:zlib'

/** Bytes that never change, with what deflate makes of them. */
export interface Segment {
  readonly plain: Buffer
  readonly deflated: Buffer
}

export function segment(text: string): Segment {
  const plain = Buffer.from(text)
  const deflated = deflateRawSync(plain, { level: 9, memLevel: 9, finishFlush: constants.Z_FULL_FLUSH })
  return { plain, deflated }
}

/** A segment, or text for one request. */
export type Part = Segment | string

/** No name, no time, "unknown" for the system it was made on: the same everywhere. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255])
/** An empty last block with fixed codes: BFINAL 1, BTYPE 01, seven bits of end. */
const END = Buffer.from([0x03, 0x00])
const TRAILER_BYTES = 8
const MOST_STORED = 0xffff
const STORED_HEADER_BYTES = 5

/** The parts in one buffer. */
export function joinPlain(parts: readonly Part[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part.plain)))
}

/** The parts as one gzip member. */
export function joinGzip(parts: readonly Part[]): Buffer {
  const pieces: Buffer[] = [HEADER]
  let crc = 0
  let length = 0
  for (const part of parts) {
    const plain = typeof part === 'string' ? Buffer.from(part) : part.plain
    crc = crc32(plain, crc)
    length += plain.length
    if (typeof part === 'string') store(plain, pieces)
    else pieces.push(part.deflated)
  }
  const trailer = Buffer.allocUnsafe(TRAILER_BYTES)
  trailer.writeUInt32LE(crc, 0)
  trailer.writeUInt32LE(length % 2 ** 32, 4)
  pieces.push(END, trailer)
  return Buffer.concat(pieces)
}

/** Stored blocks: they begin and end on a byte, as everything here does. */
function store(plain: Buffer, pieces: Buffer[]): void {
  for (let start = 0; start < plain.length; start += MOST_STORED) {
    const block = plain.subarray(start, start + MOST_STORED)
    const header = Buffer.allocUnsafe(STORED_HEADER_BYTES)
    header[0] = 0
    header.writeUInt16LE(block.length, 1)
    header.writeUInt16LE(block.length ^ MOST_STORED, 3)
    pieces.push(header, block)
  }
}
