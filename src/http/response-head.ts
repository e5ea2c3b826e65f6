/**
 * An origin's response head, byte by byte, and how long its body is (RFC 9112 §4, §5, §6.3).
 *
 * Origins are trusted more than clients but not to frame for us: an answer that could be read in two
 * ways is refused (the client gets 502), because whatever stands behind the first reading would be
 * taken for the answer to the next visitor's request. So: CRLF only, no obs-fold, one length.
 *
 * The result holds positions, not strings: what goes on to the client is copied from the bytes it
 * came in (`writeTo`), and nothing is decoded that nobody asks for. The profile showed
 * turning it into a string and back; what that saved end to end is not proved: docs/decisions/fast-path.md.
 */
import type { ResponseHead } from './message.ts'
import { spells, TOKEN, VALUE } from './octets.ts'

/** Why an origin's bytes are no answer. Reason codes of the log and the metrics. */
export const RESPONSE_FAULTS = {
  'origin-status-line': 'the status line is not HTTP/1.0 or HTTP/1.1 with a status from 100 to 599',
  'origin-field-syntax': 'a field line is malformed or folded',
  'origin-both-lengths': 'Transfer-Encoding and Content-Length are both given',
  'origin-length': 'Content-Length is repeated or not a whole number',
  'origin-coding': 'the transfer coding is not exactly "chunked", or is sent in HTTP/1.0',
  'origin-upgrade': 'the protocol changed although nobody asked',
} as const
export type ResponseFault = keyof typeof RESPONSE_FAULTS

/** `none`: no body. `length`: `OriginHead.length` bytes. `close`: until the connection closes. */
export type BodyFraming = 'none' | 'length' | 'chunked' | 'close'

/** A parsed head. Valid as long as the bytes it was parsed from are. */
export class OriginHead implements ResponseHead {
  readonly status: number
  readonly framing: BodyFraming
  /** Body bytes when the framing is `length`, else 0. */
  readonly length: number
  /** The connection can be used again when the body has ended. */
  readonly reusable: boolean
  /** A field that says for how long the answer may be kept is there (RFC 9111 §4.2), or could be. */
  readonly saysHowLong: boolean
  /** Index just behind the head. */
  readonly end: number
  readonly #bytes: Buffer
  /** Where the status stands. */
  readonly #statusAt: number
  /** Ends of the status line, then from and to of each run of end-to-end field lines. */
  readonly #runs: readonly number[]

  constructor(
    what: Pick<OriginHead, 'status' | 'framing' | 'length' | 'reusable' | 'saysHowLong' | 'end'>,
    bytes: Buffer,
    statusAt: number,
    runs: readonly number[],
  ) {
    this.status = what.status
    this.framing = what.framing
    this.length = what.length
    this.reusable = what.reusable
    this.saysHowLong = what.saysHowLong
    this.end = what.end
    this.#bytes = bytes
    this.#statusAt = statusAt
    this.#runs = runs
  }

  /** At most so many bytes are written by `writeTo`. */
  get mostBytes(): number {
    return this.end - this.#statusAt + PROTOCOL.length + 3
  }

  /**
   * Writes the status line, as HTTP/1.1, and the end-to-end field lines; Content-Length is among
   * them, Transfer-Encoding and the empty line are not. Returns the index behind them.
   */
  writeTo(out: Buffer, at: number): number {
    const bytes = this.#bytes
    const runs = this.#runs
    out.set(HTTP_1_1, at)
    let to = at + HTTP_1_1.length
    const lineEnd = runs[0]!
    to += bytes.copy(out, to, this.#statusAt, this.#statusAt + 3)
    // The blank before the reason, which some origins leave out with it.
    out[to++] = 0x20
    if (lineEnd > this.#statusAt + 4) to += bytes.copy(out, to, this.#statusAt + 4, lineEnd)
    out[to++] = 0x0d
    out[to++] = 0x0a
    for (let i = 1; i < runs.length; i += 2) to += bytes.copy(out, to, runs[i]!, runs[i + 1]!)
    return to
  }

  get reason(): string {
    return this.#bytes.toString('latin1', this.#statusAt + 4, Math.max(this.#runs[0]!, this.#statusAt + 4))
  }

  /** The end-to-end fields, made when asked for. */
  get fields(): string[] {
    const fields: string[] = []
    for (let i = 1; i < this.#runs.length; i += 2) {
      const text = this.#bytes.toString('latin1', this.#runs[i]!, this.#runs[i + 1]!)
      for (let start = 0; start < text.length; ) {
        const end = text.indexOf('\r\n', start)
        const colon = text.indexOf(':', start)
        // Not String.trim: it would eat obs-text such as 0xA0.
        fields.push(text.slice(start, colon), text.slice(colon + 1, end).replace(/^[ \t]+|[ \t]+$/g, ''))
        start = end + 2
      }
    }
    return fields
  }
}

/**
 * Parses the head at `start`; undefined when it goes on beyond `end`. `toHead`: it answers a HEAD
 * request, so there is no body whatever its fields say.
 */
export function parseResponseHead(
  bytes: Buffer,
  start: number,
  end: number,
  toHead: boolean,
): OriginHead | ResponseFault | undefined {
  let at = start
  // "HTTP/1.x NNN"
  for (let i = 0; i < 7; i++, at++) {
    if (at === end) return undefined
    if (bytes[at] !== PROTOCOL[i]) return 'origin-status-line'
  }
  if (end - at < 6) return undefined
  const minor = bytes[at]! - 0x30
  const hundreds = bytes[at + 2]! - 0x30
  const tens = bytes[at + 3]! - 0x30
  const ones = bytes[at + 4]! - 0x30
  if ((minor !== 0 && minor !== 1) || bytes[at + 1] !== 0x20) return 'origin-status-line'
  if (hundreds < 1 || hundreds > 5 || tens < 0 || tens > 9 || ones < 0 || ones > 9)
    return 'origin-status-line'
  const status = hundreds * 100 + tens * 10 + ones
  const statusAt = at + 2
  at += 5
  if (bytes[at] !== 0x20 && bytes[at] !== 0x0d) return 'origin-status-line'
  while (at < end && VALUE[bytes[at]!] === 1) at++
  if (at === end) return undefined
  const runs = [at]
  if (bytes[at++] !== 0x0d) return 'origin-status-line'
  if (at === end) return undefined
  if (bytes[at++] !== 0x0a) return 'origin-status-line'

  let keptFrom = at
  let length = -1
  let chunked = false
  let keepAlive = minor === 1
  let saysHowLong = false
  let named: string[] | undefined
  for (;;) {
    const nameAt = at
    while (at < end && TOKEN[bytes[at]!] === 1) at++
    if (at === end) return undefined
    const nameLength = at - nameAt
    if (nameLength === 0) {
      if (bytes[at] !== 0x0d) return 'origin-field-syntax'
      if (++at === end) return undefined
      if (bytes[at++] !== 0x0a) return 'origin-field-syntax'
      if (nameAt > keptFrom) runs.push(keptFrom, nameAt)
      break
    }
    if (bytes[at++] !== 0x3a) return 'origin-field-syntax'
    let valueAt = at
    while (at < end && VALUE[bytes[at]!] === 1) at++
    if (at === end) return undefined
    let valueEnd = at
    if (bytes[at++] !== 0x0d) return 'origin-field-syntax'
    if (at === end) return undefined
    if (bytes[at++] !== 0x0a) return 'origin-field-syntax'

    switch (meaning(bytes, nameAt, nameLength)) {
      case PASS:
        continue
      case LIFETIME:
        saysHowLong = true
        continue
      case LENGTH: {
        while (valueAt < valueEnd && isBlank(bytes[valueAt]!)) valueAt++
        while (valueEnd > valueAt && isBlank(bytes[valueEnd - 1]!)) valueEnd--
        if (length !== -1) return 'origin-length'
        length = wholeNumber(bytes, valueAt, valueEnd)
        if (length === -1) return 'origin-length'
        // RFC 9110 §8.6: not in these, where a client might wait for a body.
        if (status >= 200 && status !== 204) continue
        break
      }
      case CODING: {
        while (valueAt < valueEnd && isBlank(bytes[valueAt]!)) valueAt++
        while (valueEnd > valueAt && isBlank(bytes[valueEnd - 1]!)) valueEnd--
        if (chunked || minor === 0 || valueEnd - valueAt !== 7 || !spells(bytes, valueAt, 'chunked')) {
          return 'origin-coding'
        }
        chunked = true
        break
      }
      case CONNECTION:
        for (const option of bytes.toString('latin1', valueAt, valueEnd).toLowerCase().split(',', 32)) {
          const word = option.replace(/^[ \t]+|[ \t]+$/g, '')
          if (word === 'keep-alive') keepAlive ||= minor === 0
          else if (word === 'close') keepAlive = false
          else if (word !== '' && !KEPT_ANYWAY.has(word)) (named ??= []).push(word)
        }
    }
    if (nameAt > keptFrom) runs.push(keptFrom, nameAt)
    keptFrom = at
  }
  if (chunked && length !== -1) return 'origin-both-lengths'
  if (status === 101) return 'origin-upgrade'
  if (named !== undefined) removeNamed(bytes, runs, named)

  const bodiless = toHead || status < 200 || status === 204 || status === 304
  const framing: BodyFraming = bodiless ? 'none' : chunked ? 'chunked' : length >= 0 ? 'length' : 'close'
  const reusable = keepAlive && framing !== 'close'
  return new OriginHead(
    { status, framing, length: framing === 'length' ? length : 0, reusable, saysHowLong, end: at },
    bytes,
    statusAt,
    runs,
  )
}

const PROTOCOL = Buffer.from('HTTP/1.')
const HTTP_1_1 = Buffer.from('HTTP/1.1 ')

// What a field means here.
const PASS = 0
const SKIP = 1
const LENGTH = 2
const CODING = 3
const CONNECTION = 4
const LIFETIME = 5

/** By length first: most names are none of these. */
function meaning(bytes: Buffer, at: number, length: number): number {
  switch (length) {
    case 2:
      return spells(bytes, at, 'te') ? SKIP : PASS
    case 7:
      if (spells(bytes, at, 'expires')) return LIFETIME
      return spells(bytes, at, 'upgrade') ? SKIP : PASS
    case 10:
      if (spells(bytes, at, 'connection')) return CONNECTION
      return spells(bytes, at, 'keep-alive') ? SKIP : PASS
    case 13:
      return spells(bytes, at, 'cache-control') || spells(bytes, at, 'last-modified') ? LIFETIME : PASS
    case 14:
      return spells(bytes, at, 'content-length') ? LENGTH : PASS
    case 16:
      return spells(bytes, at, 'proxy-connection') ? SKIP : PASS
    case 17:
      // "surrogate-control" is as long.
      if (spells(bytes, at, 'cdn-cache-control') || spells(bytes, at, 'surrogate-control')) return LIFETIME
      return spells(bytes, at, 'transfer-encoding') ? CODING : PASS
    case 18:
      return spells(bytes, at, 'proxy-authenticate') ? SKIP : PASS
    default:
      return PASS
  }
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09
}

/** −1 when the bytes are not digits, or more than a safe integer holds. */
function wholeNumber(bytes: Buffer, start: number, end: number): number {
  if (end === start || end - start > 15) return -1
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - 0x30
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}

/** A Connection option may not take the length or the meaning of the body from the client. */
const KEPT_ANYWAY: ReadonlySet<string> = new Set([
  'content-length',
  'content-type',
  'set-cookie',
  'cache-control',
])

/** Rare: an origin's Connection names other fields of this hop. */
function removeNamed(bytes: Buffer, runs: number[], named: readonly string[]): void {
  const lines = runs.splice(1)
  for (let i = 0; i < lines.length; i += 2) {
    for (let start = lines[i]!; start < lines[i + 1]!; ) {
      const end = bytes.indexOf('\r\n', start, 'latin1') + 2
      const name = bytes.toString('latin1', start, bytes.indexOf(':', start, 'latin1')).toLowerCase()
      if (!named.includes(name)) runs.push(start, end)
      start = end
    }
  }
}
