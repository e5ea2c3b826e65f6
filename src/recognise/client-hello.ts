/**
 * The TLS ClientHello, read before TLS is (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2, RFC 6066).
 *
 * Why own code: the bytes are needed synchronously, once, on the path of every connection of a flood
 * (a reader with a promise per field costs 0.45 ms, this one a few microseconds), and session
 * tickets and PSK identities must come out as well, which fingerprint readers leave aside.
 *
 *   record   type(1)=22 version(2) length(2) fragment          one hello may span several records
 *   message  type(1)=1 length(3) body
 *   body     version(2) random(32) session_id<0..32> ciphers<2..> compression<1..>
 *            [ extensions<0..>: type(2) length(2) data ]
 *
 * It never throws: every read is checked against the end of the vector that holds it. What is not
 * understood is skipped if its length is right, and malformed otherwise. OpenSSL reads the same bytes
 * afterwards and decides for itself: nothing here makes a hello valid.
 */

export interface ClientHello {
  /** legacy_version of the body. */
  readonly version: number
  /** In the order sent, GREASE included. */
  readonly ciphers: readonly number[]
  readonly extensions: readonly number[]
  /** supported_versions, empty when absent. */
  readonly versions: readonly number[]
  readonly signatureAlgorithms: readonly number[]
  readonly groups: readonly number[]
  /** ALPN protocol names as latin1. */
  readonly alpn: readonly string[]
  /** host_name of SNI in lower case without a trailing dot; '' when absent or not a host name. */
  readonly serverName: string
  /** The server_name extension was there, whatever it held. */
  readonly hasServerName: boolean
  /** Ticket of TLS 1.2 (session_ticket) or first PSK identities of TLS 1.3; views into the bytes given. */
  readonly tickets: readonly Uint8Array[]
}

export type HelloResult =
  | { readonly kind: 'hello'; readonly hello: ClientHello }
  /** Right so far: call again with more bytes. */
  | { readonly kind: 'more' }
  | { readonly kind: 'malformed'; readonly reason: string }

/** A real hello with a post-quantum key share is below 2 kB; RFC 8446 allows 64 kB in vain. */
export const LARGEST_HELLO_BYTES = 16_384

const MORE: HelloResult = { kind: 'more' }
const RECORD_HANDSHAKE = 22
const CLIENT_HELLO = 1
/** More values than any client sends, in any one list. */
const MOST_VALUES = 256
const MOST_TICKETS = 4
/** Real clients split a hello in two or three; reading costs a copy per try. */
const MOST_RECORDS = 64

const EXT_SERVER_NAME = 0
const EXT_GROUPS = 10
const EXT_SIGNATURE_ALGORITHMS = 13
const EXT_ALPN = 16
const EXT_SESSION_TICKET = 35
const EXT_PRE_SHARED_KEY = 41
const EXT_SUPPORTED_VERSIONS = 43

function malformed(reason: string): HelloResult {
  return { kind: 'malformed', reason }
}

/** Reads a hello from the first bytes of a connection. Bytes after it are ignored. */
export function parseClientHello(bytes: Uint8Array): HelloResult {
  if (bytes.length === 0) return MORE
  if (bytes[0] !== RECORD_HANDSHAKE) return malformed('not a handshake record')
  if (bytes.length < 5) return MORE
  // The usual case, one record with the whole message: read in place, no copy.
  const first = (bytes[3]! << 8) | bytes[4]!
  if (bytes[1] !== 3) return malformed('not a TLS record')
  if (first === 0) return malformed('empty handshake record')
  if (first >= 4 && bytes.length >= 9) {
    if (bytes[5] !== CLIENT_HELLO) return malformed('not a ClientHello')
    const length = 4 + messageLength(bytes, 5)
    if (length > LARGEST_HELLO_BYTES) return malformed('hello too large')
    if (length <= first) return bytes.length < 5 + length ? MORE : parseBody(bytes, 9, 5 + length)
  }
  return parseFragmented(bytes)
}

function messageLength(bytes: Uint8Array, at: number): number {
  return (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

/** A message over several records: joined first. */
function parseFragmented(bytes: Uint8Array): HelloResult {
  const joined = new Uint8Array(Math.min(bytes.length, LARGEST_HELLO_BYTES))
  let used = 0
  let at = 0
  let records = 0
  while (at + 5 <= bytes.length) {
    if (++records > MOST_RECORDS) return malformed('too many records')
    if (bytes[at] !== RECORD_HANDSHAKE || bytes[at + 1] !== 3) return malformed('not a handshake record')
    const length = (bytes[at + 3]! << 8) | bytes[at + 4]!
    // An empty fragment of a handshake message is forbidden (RFC 8446 §5.1): a cheap way to stall.
    if (length === 0) return malformed('empty handshake record')
    const end = Math.min(at + 5 + length, bytes.length)
    const room = Math.min(end - at - 5, joined.length - used)
    joined.set(bytes.subarray(at + 5, at + 5 + room), used)
    used += room
    if (used >= 1 && joined[0] !== CLIENT_HELLO) return malformed('not a ClientHello')
    if (used >= 4) {
      const whole = 4 + messageLength(joined, 0)
      if (whole > LARGEST_HELLO_BYTES) return malformed('hello too large')
      if (used >= whole) return parseBody(joined, 4, whole)
    }
    at += 5 + length
  }
  return bytes.length >= LARGEST_HELLO_BYTES ? malformed('hello too large') : MORE
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}

/** The values of a vector of 16-bit numbers, undefined when its length is odd or too large. */
function u16List(bytes: Uint8Array, start: number, end: number): number[] | undefined {
  const count = (end - start) >> 1
  if ((end - start) & 1 || count > MOST_VALUES) return undefined
  const values: number[] = []
  for (let at = start; at < end; at += 2) values.push(u16(bytes, at))
  return values
}

function parseBody(bytes: Uint8Array, start: number, end: number): HelloResult {
  let at = start + 34
  if (at + 1 > end) return malformed('short hello')
  const version = u16(bytes, start)
  const sessionIdLength = bytes[at]!
  if (sessionIdLength > 32) return malformed('session id over 32 bytes')
  at += 1 + sessionIdLength
  if (at + 2 > end) return malformed('short hello')
  const ciphersEnd = at + 2 + u16(bytes, at)
  if (ciphersEnd + 1 > end) return malformed('cipher suites run over')
  const ciphers = u16List(bytes, at + 2, ciphersEnd)
  if (ciphers === undefined || ciphers.length === 0) return malformed('bad cipher suites')
  at = ciphersEnd + 1 + bytes[ciphersEnd]!
  if (at > end) return malformed('compression methods run over')

  const extensions: number[] = []
  let versions: readonly number[] = []
  let signatureAlgorithms: readonly number[] = []
  let groups: readonly number[] = []
  let alpn: readonly string[] = []
  let serverName = ''
  let hasServerName = false
  const tickets: Uint8Array[] = []
  if (at < end) {
    if (at + 2 > end || at + 2 + u16(bytes, at) !== end) return malformed('extensions do not fill the hello')
    at += 2
    while (at < end) {
      if (at + 4 > end) return malformed('short extension')
      const type = u16(bytes, at)
      const from = at + 4
      const to = from + u16(bytes, at + 2)
      if (to > end) return malformed('extension runs over')
      if (extensions.length === MOST_VALUES) return malformed('too many extensions')
      extensions.push(type)
      at = to
      let good = true
      switch (type) {
        case EXT_SERVER_NAME: {
          hasServerName = true
          const name = hostName(bytes, from, to)
          if (name === undefined) good = false
          else serverName = name
          break
        }
        case EXT_GROUPS:
        case EXT_SIGNATURE_ALGORITHMS: {
          const values =
            to - from >= 2 && from + 2 + u16(bytes, from) === to ? u16List(bytes, from + 2, to) : undefined
          if (values === undefined) good = false
          else if (type === EXT_GROUPS) groups = values
          else signatureAlgorithms = values
          break
        }
        case EXT_SUPPORTED_VERSIONS: {
          const values =
            to - from >= 1 && from + 1 + bytes[from]! === to ? u16List(bytes, from + 1, to) : undefined
          if (values === undefined) good = false
          else versions = values
          break
        }
        case EXT_ALPN: {
          const names = protocolNames(bytes, from, to)
          if (names === undefined) good = false
          else alpn = names
          break
        }
        case EXT_SESSION_TICKET:
          if (to > from && tickets.length < MOST_TICKETS) tickets.push(bytes.subarray(from, to))
          break
        case EXT_PRE_SHARED_KEY:
          good = pskIdentities(bytes, from, to, tickets)
          break
      }
      if (!good) return malformed(`bad extension ${type}`)
    }
  }
  return {
    kind: 'hello',
    hello: {
      version,
      ciphers,
      extensions,
      versions,
      signatureAlgorithms,
      groups,
      alpn,
      serverName,
      hasServerName,
      tickets,
    },
  }
}

/** The first host_name; '' for a list without one or a name no host can have; undefined when malformed. */
function hostName(bytes: Uint8Array, from: number, to: number): string | undefined {
  if (to - from < 2 || from + 2 + u16(bytes, from) !== to) return undefined
  let at = from + 2
  while (at < to) {
    if (at + 3 > to) return undefined
    const end = at + 3 + u16(bytes, at + 1)
    if (end > to) return undefined
    if (bytes[at] === 0) {
      let length = end - at - 3
      if (length > 0 && bytes[end - 1] === 46) length--
      if (length === 0 || length > 253) return ''
      let name = ''
      for (let i = at + 3; i < at + 3 + length; i++) {
        const c = bytes[i]!
        if (c >= 65 && c <= 90) name += String.fromCharCode(c + 32)
        else if ((c >= 97 && c <= 122) || (c >= 48 && c <= 57) || c === 45 || c === 46 || c === 95)
          name += String.fromCharCode(c)
        else return ''
      }
      return name
    }
    at = end
  }
  return ''
}

function protocolNames(bytes: Uint8Array, from: number, to: number): string[] | undefined {
  if (to - from < 2 || from + 2 + u16(bytes, from) !== to) return undefined
  const names: string[] = []
  let at = from + 2
  while (at < to) {
    const end = at + 1 + bytes[at]!
    if (end > to || names.length === MOST_VALUES) return undefined
    let name = ''
    for (let i = at + 1; i < end; i++) name += String.fromCharCode(bytes[i]!)
    names.push(name)
    at = end
  }
  return names
}

/** identities<7..>: { identity<1..>, obfuscated_ticket_age(4) }, then the binders, which OpenSSL checks. */
function pskIdentities(bytes: Uint8Array, from: number, to: number, tickets: Uint8Array[]): boolean {
  if (to - from < 2) return false
  const end = from + 2 + u16(bytes, from)
  if (end > to) return false
  let at = from + 2
  while (at < end) {
    if (at + 2 > end) return false
    const identityEnd = at + 2 + u16(bytes, at)
    if (identityEnd + 4 > end) return false
    if (tickets.length < MOST_TICKETS) tickets.push(bytes.subarray(at + 2, identityEnd))
    at = identityEnd + 4
  }
  return true
}
