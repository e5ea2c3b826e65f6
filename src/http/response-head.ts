/**
 * An origin's response head, byte by byte, and how long its body is (RFC 9112 §4, §5, §6.3).
 *
 * Origins are trusted more than clients but not to frame for us: an answer that could be read in two
 * ways is refused (the client gets 502), because whatever stands behind the first reading would be
 * taken for the answer to the next visitor's request. So: CRLF only, no obs-fold, one length.
 */
import { equalsIgnoringCase, isHopByHop } from './fields.ts'
import { parseLength } from './framing.ts'
import type { ResponseHead } from './message.ts'
import { TOKEN, VALUE } from './octets.ts'

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

export class OriginHead implements ResponseHead {
  readonly status: number
  readonly reason: string
  readonly framing: BodyFraming
  /** Body bytes when the framing is `length`, else 0. */
  readonly length: number
  /** The connection can be used again when the body has ended. */
  readonly reusable: boolean
  /** End-to-end field lines as text, each with its CRLF; Content-Length among them. */
  readonly lines: string
  /** Index just behind the head. */
  readonly end: number

  constructor(
    status: number,
    reason: string,
    framing: BodyFraming,
    length: number,
    reusable: boolean,
    lines: string,
    end: number,
  ) {
    this.status = status
    this.reason = reason
    this.framing = framing
    this.length = length
    this.reusable = reusable
    this.lines = lines
    this.end = end
  }

  /** The end-to-end fields, made when asked for. */
  get fields(): string[] {
    const fields: string[] = []
    let start = 0
    while (start < this.lines.length) {
      const end = this.lines.indexOf('\r\n', start)
      const colon = this.lines.indexOf(':', start)
      fields.push(this.lines.slice(start, colon), trimBlanks(this.lines.slice(colon + 1, end)))
      start = end + 2
    }
    return fields
  }
}

/** SP and HTAB only: String.trim would eat obs-text such as 0xA0. */
function trimBlanks(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '')
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
  at += 5
  // Some origins leave out the blank before an empty reason.
  if (bytes[at] === 0x20) at++
  else if (bytes[at] !== 0x0d) return 'origin-status-line'
  const reasonAt = at
  while (at < end && VALUE[bytes[at]!] === 1) at++
  const reasonEnd = at
  if (at === end) return undefined
  if (bytes[at++] !== 0x0d) return 'origin-status-line'
  if (at === end) return undefined
  if (bytes[at++] !== 0x0a) return 'origin-status-line'

  const text = bytes.toString('latin1', start, end)
  const bodiless = toHead || status < 200 || status === 204 || status === 304
  const noLength = status < 200 || status === 204
  let lines = ''
  let keptFrom = at
  let length = -1
  let chunked = false
  let keepAlive = minor === 1
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
      lines += text.substring(keptFrom - start, nameAt - start)
      break
    }
    if (bytes[at++] !== 0x3a) return 'origin-field-syntax'
    const valueAt = at
    while (at < end && VALUE[bytes[at]!] === 1) at++
    if (at === end) return undefined
    const valueEnd = at
    if (bytes[at++] !== 0x0d) return 'origin-field-syntax'
    if (at === end) return undefined
    if (bytes[at++] !== 0x0a) return 'origin-field-syntax'

    // Names of these lengths only can matter: most lines cost no string at all.
    if (!LENGTHS_THAT_MATTER[nameLength]) continue
    const name = text.substring(nameAt - start, nameAt - start + nameLength)
    if (nameLength === 14) {
      if (!equalsIgnoringCase(name, 'content-length')) continue
      if (length !== -1) return 'origin-length'
      const declared = parseLength(trimBlanks(text.substring(valueAt - start, valueEnd - start)))
      if (declared === undefined) return 'origin-length'
      length = declared
      if (!noLength) continue
    } else if (!isHopByHop(name)) {
      continue
    } else if (nameLength === 17) {
      const coding = trimBlanks(text.substring(valueAt - start, valueEnd - start))
      if (chunked || minor === 0 || !equalsIgnoringCase(coding, 'chunked')) return 'origin-coding'
      chunked = true
    } else if (nameLength === 10 && equalsIgnoringCase(name, 'connection')) {
      for (const option of text
        .substring(valueAt - start, valueEnd - start)
        .toLowerCase()
        .split(',', 32)) {
        const word = trimBlanks(option)
        if (word === 'close') keepAlive = false
        else if (word === 'keep-alive') keepAlive ||= minor === 0
        else if (word !== '' && !KEPT_ANYWAY.has(word)) (named ??= []).push(word)
      }
    }
    lines += text.substring(keptFrom - start, nameAt - start)
    keptFrom = at
  }
  if (chunked && length !== -1) return 'origin-both-lengths'
  if (status === 101) return 'origin-upgrade'
  if (named !== undefined) lines = withoutNamed(lines, named)

  const framing: BodyFraming = bodiless ? 'none' : chunked ? 'chunked' : length >= 0 ? 'length' : 'close'
  const reason = text.substring(reasonAt - start, reasonEnd - start)
  return new OriginHead(
    status,
    reason,
    framing,
    framing === 'length' ? length : 0,
    keepAlive && framing !== 'close',
    lines,
    at,
  )
}

const PROTOCOL = Buffer.from('HTTP/1.')

/** Of the hop-by-hop names and Content-Length. */
const LENGTHS_THAT_MATTER: readonly boolean[] = Array.from({ length: 20 }, (_, length) =>
  [2, 5, 7, 10, 14, 16, 17, 18, 19].includes(length),
)

/** A Connection option may not take the length or the meaning of the body from the client. */
const KEPT_ANYWAY: ReadonlySet<string> = new Set([
  'content-length',
  'content-type',
  'set-cookie',
  'cache-control',
])

/** Rare: an origin's Connection names other fields of this hop. */
function withoutNamed(lines: string, named: readonly string[]): string {
  let kept = ''
  let start = 0
  while (start < lines.length) {
    const end = lines.indexOf('\r\n', start) + 2
    const name = lines.slice(start, lines.indexOf(':', start)).toLowerCase()
    if (!named.includes(name)) kept += lines.slice(start, end)
    start = end
  }
  return kept
}
