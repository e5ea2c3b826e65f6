/**
 * Is a request's framing unambiguous? Asked of every head that Node's parsers give us, because they
 * accept more than may be passed on: two Host fields, "identity, chunked", chunked on HTTP/1.0,
 * an absolute target that names another host than Host, fragments (RFC 9112 §11.2, §3.2; RFC 9113 §8).
 * Ambiguous is refused with 400 and a closed connection, never repaired.
 */
import { equalsIgnoringCase, fieldValue } from './fields.ts'
import type { FieldLines, HttpVersion, RequestHead } from './message.ts'
import { consistsOf, HOST, TARGET, TOKEN, VALUE } from './octets.ts'

/** Every reason to refuse a request head. The codes are in logs and metrics: stable. */
export const FAULTS = {
  'version-unsupported': 'the version is not HTTP/1.0, HTTP/1.1 or HTTP/2',
  'method-syntax': 'the method is not a token',
  'method-connect': 'CONNECT is for proxies that a client chose; this is the server',
  'target-syntax':
    'the target holds a control character, a space, a fragment or a byte beyond ASCII, or no path',
  'target-scheme': 'an absolute target is neither http nor https',
  'target-asterisk': '"*" is a target for OPTIONS only',
  'target-host-differs': 'the target names another host than the Host field',
  'host-missing': 'there is no Host field',
  'host-repeated': 'there is more than one Host field',
  'host-syntax': 'the Host field is not a host name with an optional port',
  'field-name-syntax': 'a field name is not a token',
  'field-value-syntax': 'a field value holds a control character',
  'transfer-encoding-unknown': 'the transfer coding is not exactly "chunked"',
  'transfer-encoding-repeated': 'there is more than one Transfer-Encoding field',
  'transfer-encoding-in-1.0': 'HTTP/1.0 knows no transfer coding',
  'both-lengths': 'Transfer-Encoding and Content-Length are both given',
  'content-length-syntax': 'Content-Length is not a whole number',
  'content-length-repeated': 'there is more than one Content-Length field',
  'h2-connection-field': 'HTTP/2 has no fields of the connection',
  'h2-pseudo-fields': 'a pseudo field is missing, repeated, unknown or late',
  'h2-authority-differs': ':authority and Host differ',
} as const
export type Fault = keyof typeof FAULTS

/** Host name in lower case without port and final dot; undefined when `value` is not a host with an optional port. */
export function parseHost(value: string): string | undefined {
  let end = value.length
  if (end === 0 || end > 262) return undefined
  if (value.charCodeAt(0) === 0x5b) {
    const literal = /^(\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/.exec(value)
    return literal?.[1]?.toLowerCase()
  }
  let upper = false
  for (let i = 0; i < end; i++) {
    const unit = value.charCodeAt(i)
    if (unit === 0x3a) {
      if (!isPort(value, i + 1)) return undefined
      end = i
      break
    }
    if (unit > 127 || HOST[unit] === 0) return undefined
    if (unit <= 0x5a && unit >= 0x41) upper = true
  }
  if (value.charCodeAt(end - 1) === 0x2e) end--
  if (end === 0) return undefined
  const name = end === value.length ? value : value.slice(0, end)
  return upper ? name.toLowerCase() : name
}

function isPort(value: string, start: number): boolean {
  const length = value.length - start
  if (length < 1 || length > 5) return false
  for (let i = start; i < value.length; i++) {
    const unit = value.charCodeAt(i)
    if (unit < 0x30 || unit > 0x39) return false
  }
  return true
}

/** A whole number of bytes, digits only, up to 2^53 − 1; undefined otherwise. */
export function parseLength(value: string): number | undefined {
  if (value.length === 0 || value.length > 16) return undefined
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i)
    if (unit < 0x30 || unit > 0x39) return undefined
  }
  const length = Number(value)
  return Number.isSafeInteger(length) ? length : undefined
}

/** HTTP/1.x: the head as Digue understands it, or why it is refused. `fields` is Node's `rawHeaders`. */
export function readRequest(
  method: string,
  target: string,
  version: string,
  fields: FieldLines,
): RequestHead | Fault {
  if (version !== '1.1' && version !== '1.0') return 'version-unsupported'
  if (method === '' || !consistsOf(method, TOKEN)) return 'method-syntax'
  if (method === 'CONNECT') return 'method-connect'
  const fault = faultInFields(fields, version)
  if (fault !== undefined) return fault
  const hostField = fieldValue(fields, 'host')
  if (hostField === undefined) return 'host-missing'
  const host = parseHost(hostField)
  if (host === undefined) return 'host-syntax'
  if (target === '' || !consistsOf(target, TARGET)) return 'target-syntax'
  let path = target
  if (target === '*') {
    if (method !== 'OPTIONS') return 'target-asterisk'
  } else if (target.charCodeAt(0) !== 0x2f) {
    const absolute = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?]*)(.*)$/.exec(target)
    if (absolute === null) return 'target-syntax'
    const scheme = absolute[1]!.toLowerCase()
    if (scheme !== 'http' && scheme !== 'https') return 'target-scheme'
    if (!equalsIgnoringCase(absolute[2]!, hostField.toLowerCase())) return 'target-host-differs'
    path = absolute[3]!.charCodeAt(0) === 0x2f ? absolute[3]! : `/${absolute[3]}`
  }
  return { method, target: path, version, host, fields }
}

function faultInFields(fields: FieldLines, version: HttpVersion): Fault | undefined {
  let hosts = 0
  let length: string | undefined
  let coding: string | undefined
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!
    const value = fields[i + 1]!
    if (name === '' || !consistsOf(name, TOKEN)) return 'field-name-syntax'
    if (!consistsOf(value, VALUE)) return 'field-value-syntax'
    switch (name.length) {
      case 4:
        if (!equalsIgnoringCase(name, 'host')) break
        if (++hosts > 1) return 'host-repeated'
        break
      case 14:
        if (!equalsIgnoringCase(name, 'content-length')) break
        if (length !== undefined) return 'content-length-repeated'
        length = value
        break
      case 17:
        if (!equalsIgnoringCase(name, 'transfer-encoding')) break
        if (coding !== undefined) return 'transfer-encoding-repeated'
        coding = value
        break
    }
  }
  if (coding !== undefined) {
    if (version === '1.0') return 'transfer-encoding-in-1.0'
    if (coding !== 'chunked') return 'transfer-encoding-unknown'
    if (length !== undefined) return 'both-lengths'
  }
  if (length !== undefined && parseLength(length) === undefined) return 'content-length-syntax'
  return undefined
}

const H2_PSEUDO: ReadonlySet<string> = new Set([':method', ':path', ':scheme', ':authority'])
const H2_FORBIDDEN: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])

/**
 * HTTP/2: the head as Digue understands it, or why it is refused. `fields` is the stream event's
 * `rawHeaders`, pseudo fields first. The head's fields begin with `host`, as HTTP/1.1 would say it.
 */
export function readRequestH2(fields: FieldLines): RequestHead | Fault {
  let method: string | undefined
  let target: string | undefined
  let scheme: string | undefined
  let authority: string | undefined
  let hostField: string | undefined
  let length: string | undefined
  let cookieAt = -1
  const regular: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!
    const value = fields[i + 1]!
    if (name.charCodeAt(0) === 0x3a) {
      if (!H2_PSEUDO.has(name) || regular.length > 0 || hostField !== undefined) return 'h2-pseudo-fields'
      if (name === ':method' && method === undefined) method = value
      else if (name === ':path' && target === undefined) target = value
      else if (name === ':scheme' && scheme === undefined) scheme = value
      else if (name === ':authority' && authority === undefined) authority = value
      else return 'h2-pseudo-fields'
      continue
    }
    if (name === '' || !consistsOf(name, TOKEN) || /[A-Z]/.test(name)) return 'field-name-syntax'
    if (!consistsOf(value, VALUE)) return 'field-value-syntax'
    if (H2_FORBIDDEN.has(name) || (name === 'te' && value !== 'trailers')) return 'h2-connection-field'
    if (name === 'content-length') {
      if (length !== undefined) return 'content-length-repeated'
      length = value
      if (parseLength(value) === undefined) return 'content-length-syntax'
    }
    if (name === 'host') {
      if (hostField !== undefined) return 'host-repeated'
      hostField = value
    } else if (name === 'cookie' && cookieAt >= 0) {
      // HTTP/2 may split Cookie into crumbs; HTTP/1.1 knows one field (RFC 9113 §8.2.3).
      regular[cookieAt] += `; ${value}`
    } else {
      if (name === 'cookie') cookieAt = regular.length + 1
      regular.push(name, value)
    }
  }
  if (method === undefined || !consistsOf(method, TOKEN) || method === '') return 'method-syntax'
  if (method === 'CONNECT') return 'method-connect'
  if (scheme !== 'http' && scheme !== 'https') return 'h2-pseudo-fields'
  if (
    authority !== undefined &&
    hostField !== undefined &&
    !equalsIgnoringCase(authority, hostField.toLowerCase())
  )
    return 'h2-authority-differs'
  const named = authority ?? hostField
  if (named === undefined) return 'host-missing'
  const host = parseHost(named)
  if (host === undefined) return 'host-syntax'
  if (target === undefined || !consistsOf(target, TARGET)) return 'target-syntax'
  if (target === '*') {
    if (method !== 'OPTIONS') return 'target-asterisk'
  } else if (target.charCodeAt(0) !== 0x2f) return 'target-syntax'
  return { method, target, version: '2.0', host, fields: ['host', named, ...regular] }
}
