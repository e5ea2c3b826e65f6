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
 * Names and values become strings only when somebody asks for them. Most requests of a flood are turned
 * away, or wait in line first and then are, and of their fields nobody wants more than what the form of
 * the answer depends on: those few are found while scanning.
 *
 * Rejected: lower-casing or interning names while scanning (no one needs it on this path).
 */
import { isForwardingField, mayForward } from './forwarded.ts'
import { parseHost } from './framing.ts'
import type { FieldLines, RequestHead } from './message.ts'
import { spells, TARGET, TOKEN, VALUE } from './octets.ts'

/** The head goes on beyond these bytes, and is of the small grammar so far. */
export const INCOMPLETE = 1
/** Not of the small grammar. */
export const ELSEWHERE = 2

/** More fields than a browser ever sends: Node's http decides. */
const MOST_FIELDS = 100

const NO_FIELDS: FieldLines = []

export class FastRequestHead implements RequestHead {
  readonly method: 'GET' | 'HEAD'
  readonly target: string
  readonly version = '1.1'
  readonly host: string
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
  readonly #text: string
  /** Where the first field line begins in `#text`. */
  readonly #fieldsAt: number
  readonly #forwarding: boolean
  // Where the values of three fields begin, the first that are not empty; 0 for none.
  readonly #acceptAt: number
  readonly #modeAt: number
  readonly #destAt: number
  #fields: readonly string[] | undefined = undefined
  #storeFields: readonly string[] | undefined = undefined

  constructor(
    method: 'GET' | 'HEAD',
    target: string,
    host: string,
    hostField: string,
    end: number,
    close: boolean,
    passed: string,
    text: string,
    fieldsAt: number,
    forwarding: boolean,
    acceptAt: number,
    modeAt: number,
    destAt: number,
  ) {
    this.method = method
    this.target = target
    this.host = host
    this.hostField = hostField
    this.end = end
    this.close = close
    this.passed = passed
    this.#text = text
    this.#fieldsAt = fieldsAt
    this.#forwarding = forwarding
    this.#acceptAt = acceptAt
    this.#modeAt = modeAt
    this.#destAt = destAt
  }

  get fields(): FieldLines {
    return (this.#fields ??= fieldLines(this.#text, this.#fieldsAt, false))
  }

  get storeFields(): FieldLines {
    return (this.#storeFields ??= this.#fields ?? fieldLines(this.#text, this.#fieldsAt, true))
  }

  release(): void {
    this.#fields = undefined
    this.#storeFields = undefined
  }

  mayHold(text: string): boolean {
    return this.passed.includes(text)
  }

  get forwardingFields(): FieldLines {
    return this.#forwarding ? this.fields : NO_FIELDS
  }

  get kindFields(): FieldLines {
    const text = this.#text
    const accept = this.#acceptAt === 0 ? '' : valueAt(text, this.#acceptAt)
    if (this.#modeAt === 0 && this.#destAt === 0) return accept === '' ? NO_FIELDS : ['accept', accept]
    const mode = this.#modeAt === 0 ? '' : valueAt(text, this.#modeAt)
    const dest = this.#destAt === 0 ? '' : valueAt(text, this.#destAt)
    return ['accept', accept, 'sec-fetch-mode', mode, 'sec-fetch-dest', dest]
  }
}

/** All lines of a head that was parsed, up to the empty one; or those that may be of use to a cache. */
function fieldLines(text: string, from: number, ofStore: boolean): string[] {
  const fields: string[] = []
  for (let at = from; text.charCodeAt(at) !== 0x0d; ) {
    const colon = text.indexOf(':', at)
    const end = text.indexOf('\r', colon)
    if (ofStore && !isOfStore(text, at, colon - at)) {
      at = end + 2
      continue
    }
    let valueFrom = colon + 1
    while (isBlank(text.charCodeAt(valueFrom)) && valueFrom < end) valueFrom++
    fields.push(text.substring(at, colon), valueAt(text, valueFrom))
    at = end + 2
  }
  return fields
}

/** By first letter and length, which leaves out most of what browsers send: `storeFieldsOf` says what must be in. */
function isOfStore(text: string, at: number, length: number): boolean {
  switch (text.charCodeAt(at) | 0x20) {
    // authorization; accept-encoding, accept-language
    case 0x61:
      return length === 13 || length === 15
    // cookie; cache-control
    case 0x63:
      return length === 6 || length === 13
    // host
    case 0x68:
      return length === 4
    // if-match, if-range, if-none-match, if-modified-since, if-unmodified-since
    case 0x69:
      return (text.charCodeAt(at + 1) | 0x20) === 0x66
    // range
    case 0x72:
      return length === 5
    // x-http-method-override and the like
    case 0x78:
      return true
    default:
      return false
  }
}

/** The field value that begins there, without the blanks behind it. */
function valueAt(text: string, from: number): string {
  let end = text.indexOf('\r', from)
  while (end > from && isBlank(text.charCodeAt(end - 1))) end--
  return text.substring(from, end)
}

function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x09
}

// What a field means to this path.
const PASS = 0
const SKIP = 1
const HOST_FIELD = 2
const CONNECTION = 3
const LEAVE = 4
const ACCEPT = 5
const MODE = 6
const DEST = 7

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
      if (spells(bytes, at, 'accept')) return ACCEPT
      return spells(bytes, at, 'expect') ? LEAVE : PASS
    case 7:
      return spells(bytes, at, 'upgrade') || spells(bytes, at, 'trailer') ? LEAVE : PASS
    case 10:
      if (spells(bytes, at, 'connection')) return CONNECTION
      return spells(bytes, at, 'keep-alive') ? SKIP : PASS
    case 14:
      if (spells(bytes, at, 'sec-fetch-')) {
        if (spells(bytes, at + 10, 'mode')) return MODE
        return spells(bytes, at + 10, 'dest') ? DEST : PASS
      }
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

  const fieldsAt = at
  let hostAt = 0
  let hostEnd = 0
  let connection = 0
  let lines = 0
  let cuts = 0
  let forwarding = false
  let acceptAt = 0
  let modeAt = 0
  let destAt = 0
  for (;;) {
    const nameAt = at
    while (at < end && TOKEN[bytes[at]!] === 1) at++
    if (at === end) return INCOMPLETE
    const nameEnd = at
    if (nameEnd === nameAt) {
      if (bytes[at] !== 0x0d) return ELSEWHERE
      if (++at === end) return INCOMPLETE
      if (bytes[at++] !== 0x0a) return ELSEWHERE
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

    if (++lines > MOST_FIELDS) return ELSEWHERE
    switch (meaning(bytes, nameAt, nameEnd - nameAt)) {
      case PASS:
        if (!mayForward(bytes[nameAt]!, nameEnd - nameAt)) continue
        if (!isForwardingField(bytes.toString('latin1', nameAt, nameEnd))) continue
        forwarding = true
        break
      case ACCEPT:
        if (acceptAt === 0 && valueEnd > valueAt) acceptAt = valueAt - start
        continue
      case MODE:
        if (modeAt === 0 && valueEnd > valueAt) modeAt = valueAt - start
        continue
      case DEST:
        if (destAt === 0 && valueEnd > valueAt) destAt = valueAt - start
        continue
      case HOST_FIELD:
        if (hostAt !== 0) return ELSEWHERE
        hostAt = valueAt
        hostEnd = valueEnd
        break
      case CONNECTION: {
        if (connection !== 0) return ELSEWHERE
        const length = valueEnd - valueAt
        if (length === 10 && spells(bytes, valueAt, 'keep-alive')) connection = KEEP
        else if (length === 5 && spells(bytes, valueAt, 'close')) connection = SHUT
        else return ELSEWHERE
        break
      }
      case LEAVE:
        return ELSEWHERE
    }
    // This line does not go on as it is.
    CUTS[cuts++] = nameAt
    CUTS[cuts++] = at
  }
  if (hostAt === 0) return ELSEWHERE

  // One string for the whole head; whatever is wanted of it, now or later, is a slice.
  const text = bytes.toString('latin1', start, at)
  const hostField = text.substring(hostAt - start, hostEnd - start)
  const host = parseHost(hostField)
  if (host === undefined) return ELSEWHERE
  let passed = ''
  let keptFrom = fieldsAt
  for (let i = 0; i < cuts; i += 2) {
    const cutFrom = CUTS[i]!
    if (keptFrom < cutFrom) passed += text.substring(keptFrom - start, cutFrom - start)
    keptFrom = CUTS[i + 1]!
  }
  if (keptFrom < at - 2) passed += text.substring(keptFrom - start, at - 2 - start)
  const target = text.substring(targetAt - start, targetEnd - start)
  return new FastRequestHead(
    method,
    target,
    host,
    hostField,
    at,
    connection === SHUT,
    passed,
    text,
    fieldsAt - start,
    forwarding,
    acceptAt,
    modeAt,
    destAt,
  )
}

const KEEP = 1
const SHUT = 2
/** Where the lines that do not go on begin and end: filled and read within one call. */
const CUTS = new Int32Array(2 * MOST_FIELDS)

const VERSION = Buffer.from(' HTTP/1.1\r\n')

/** Fewer than five bytes: the beginning of GET or HEAD, or nothing of ours. */
function prefixOfMethod(bytes: Buffer, start: number, end: number): typeof INCOMPLETE | typeof ELSEWHERE {
  const text = bytes.toString('latin1', start, end)
  return 'GET /'.startsWith(text) || 'HEAD '.startsWith(text) ? INCOMPLETE : ELSEWHERE
}
