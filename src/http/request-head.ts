/**
 * The fast path's request parser: one pass over the bytes of the small grammar that nearly every
 * request of a flood, and of a visitor, falls into.
 *
 *   (GET | HEAD) SP "/"… SP "HTTP/1.1" CRLF  *( name ":" OWS value OWS CRLF )  CRLF
 *
 * with one Host, no body and nothing that changes the connection. Whatever else comes, well-formed
 * or not, is `elsewhere`: the connection goes to Node's http with its bytes, and llhttp with
 * framing.ts judge it. So this parser never refuses, and must never accept what those would refuse
 * or read otherwise; request-head.fuzz.test.ts holds it against them.
 *
 * Rejected: lower-casing or interning names while scanning (no one needs it on this path), and
 * keeping offsets for lazy strings (every request's fields are looked at by the pipeline anyway).
 */
import { isForwardingField } from './forwarded.ts'
import { parseHost } from './framing.ts'
import type { RequestHead } from './message.ts'
import { spells, TARGET, TOKEN, VALUE } from './octets.ts'

/** The head goes on beyond these bytes, and is of the small grammar so far. */
export const INCOMPLETE = 1
/** Not of the small grammar. */
export const ELSEWHERE = 2

/** More fields than a browser ever sends: Node's http decides. */
const MOST_FIELDS = 100

export class FastRequestHead implements RequestHead {
  readonly method: 'GET' | 'HEAD'
  readonly target: string
  readonly version = '1.1'
  readonly host: string
  readonly fields: string[]
  /** Value of the Host field as received. */
  readonly hostField: string
  /** Index just behind the head in the bytes parsed. */
  readonly end: number
  /** The client closes after this request. */
  readonly close: boolean
  /**
   * The field lines that go on to the origin, as text with their CRLF: all but Host, hop-by-hop and
   * forwarding fields.
   */
  readonly passed: string

  constructor(
    method: 'GET' | 'HEAD',
    target: string,
    host: string,
    fields: string[],
    hostField: string,
    end: number,
    close: boolean,
    passed: string,
  ) {
    this.method = method
    this.target = target
    this.host = host
    this.fields = fields
    this.hostField = hostField
    this.end = end
    this.close = close
    this.passed = passed
  }
}

// What a field means to this path.
const PASS = 0
const SKIP = 1
const HOST_FIELD = 2
const CONNECTION = 3
const LEAVE = 4

/** By length first: most names end in the default. */
function meaning(bytes: Buffer, at: number, length: number): number {
  switch (length) {
    case 2:
      return spells(bytes, at, 'te') ? SKIP : PASS
    case 4:
      return spells(bytes, at, 'host') ? HOST_FIELD : PASS
    case 5:
      return spells(bytes, at, 'proxy') ? SKIP : PASS
    case 6:
      return spells(bytes, at, 'expect') ? LEAVE : PASS
    case 7:
      return spells(bytes, at, 'upgrade') || spells(bytes, at, 'trailer') ? LEAVE : PASS
    case 10:
      if (spells(bytes, at, 'connection')) return CONNECTION
      return spells(bytes, at, 'keep-alive') ? SKIP : PASS
    case 14:
      return spells(bytes, at, 'content-length') || spells(bytes, at, 'http2-settings') ? LEAVE : PASS
    // llhttp reads Proxy-Connection as if it were Connection.
    case 16:
      return spells(bytes, at, 'proxy-connection') ? LEAVE : PASS
    case 17:
      return spells(bytes, at, 'transfer-encoding') ? LEAVE : PASS
    case 18:
      return spells(bytes, at, 'proxy-authenticate') ? SKIP : PASS
    case 19:
      return spells(bytes, at, 'proxy-authorization') ? SKIP : PASS
    default:
      return PASS
  }
}

/** Parses the head that begins at `start`. Never throws; reads no byte at or beyond `end`. */
export function parseRequestHead(
  bytes: Buffer,
  start: number,
  end: number,
): FastRequestHead | typeof INCOMPLETE | typeof ELSEWHERE {
  let at = start
  if (end - at < 5) return prefixOfMethod(bytes, start, end)
  let method: 'GET' | 'HEAD'
  if (bytes[at] === 0x47 && bytes[at + 1] === 0x45 && bytes[at + 2] === 0x54 && bytes[at + 3] === 0x20) {
    method = 'GET'
    at += 4
  } else if (
    bytes[at] === 0x48 &&
    bytes[at + 1] === 0x45 &&
    bytes[at + 2] === 0x41 &&
    bytes[at + 3] === 0x44 &&
    bytes[at + 4] === 0x20
  ) {
    method = 'HEAD'
    at += 5
  } else return ELSEWHERE

  const targetAt = at
  if (at < end && bytes[at] !== 0x2f) return ELSEWHERE
  while (at < end && TARGET[bytes[at]!] === 1) at++
  if (at === end) return INCOMPLETE
  const targetEnd = at
  // " HTTP/1.1\r\n"
  for (let i = 0; i < 11; i++, at++) {
    if (at === end) return INCOMPLETE
    if (bytes[at] !== VERSION[i]) return ELSEWHERE
  }

  // One string for the whole head; names and values are slices of it.
  const text = bytes.toString('latin1', start, end)
  const fields: string[] = []
  let hostField: string | undefined
  let connection: string | undefined
  let passed = ''
  let keptFrom = at
  for (;;) {
    const nameAt = at
    while (at < end && TOKEN[bytes[at]!] === 1) at++
    if (at === end) return INCOMPLETE
    const nameEnd = at
    if (nameEnd === nameAt) {
      if (bytes[at] !== 0x0d) return ELSEWHERE
      if (++at === end) return INCOMPLETE
      if (bytes[at++] !== 0x0a) return ELSEWHERE
      passed += text.substring(keptFrom - start, nameAt - start)
      break
    }
    if (bytes[at++] !== 0x3a) return ELSEWHERE
    while (at < end && (bytes[at] === 0x20 || bytes[at] === 0x09)) at++
    const valueAt = at
    while (at < end && VALUE[bytes[at]!] === 1) at++
    if (at === end) return INCOMPLETE
    let valueEnd = at
    if (bytes[at++] !== 0x0d) return ELSEWHERE
    if (at === end) return INCOMPLETE
    if (bytes[at++] !== 0x0a) return ELSEWHERE
    while (valueEnd > valueAt && (bytes[valueEnd - 1] === 0x20 || bytes[valueEnd - 1] === 0x09)) valueEnd--

    const name = text.substring(nameAt - start, nameEnd - start)
    const value = text.substring(valueAt - start, valueEnd - start)
    if (fields.push(name, value) > MOST_FIELDS * 2) return ELSEWHERE
    switch (meaning(bytes, nameAt, nameEnd - nameAt)) {
      case PASS:
        if (!isForwardingField(name)) continue
        break
      case HOST_FIELD:
        if (hostField !== undefined) return ELSEWHERE
        hostField = value
        break
      case CONNECTION:
        if (connection !== undefined) return ELSEWHERE
        connection = value
        break
      case LEAVE:
        return ELSEWHERE
    }
    // This line does not go on as it is: end the run of lines before it, begin the next behind it.
    passed += text.substring(keptFrom - start, nameAt - start)
    keptFrom = at
  }

  if (hostField === undefined) return ELSEWHERE
  const host = parseHost(hostField)
  if (host === undefined) return ELSEWHERE
  let close = false
  if (connection !== undefined) {
    const option = connection.toLowerCase()
    if (option === 'close') close = true
    else if (option !== 'keep-alive') return ELSEWHERE
  }
  const target = text.substring(targetAt - start, targetEnd - start)
  return new FastRequestHead(method, target, host, fields, hostField, at, close, passed)
}

const VERSION = Buffer.from(' HTTP/1.1\r\n')

/** Fewer than five bytes: the beginning of GET or HEAD, or nothing of ours. */
function prefixOfMethod(bytes: Buffer, start: number, end: number): typeof INCOMPLETE | typeof ELSEWHERE {
  const text = bytes.toString('latin1', start, end)
  return 'GET /'.startsWith(text) || 'HEAD '.startsWith(text) ? INCOMPLETE : ELSEWHERE
}
