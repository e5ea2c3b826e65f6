/** Field lines: look-up without allocating, and what may go on to the next hop (RFC 9110 §7.6.1). */
import type { FieldLines, RequestHead } from './message.ts'

/** `text` equals `lower`, which is in lower case, but for the case of its letters. */
export function equalsIgnoringCase(text: string, lower: string): boolean {
  if (text.length !== lower.length) return false
  for (let i = 0; i < lower.length; i++) {
    let unit = text.charCodeAt(i)
    if (unit >= 0x41 && unit <= 0x5a) unit |= 0x20
    if (unit !== lower.charCodeAt(i)) return false
  }
  return true
}

/** Value of the first field line named `lower`; undefined when there is none. */
export function fieldValue(fields: FieldLines, lower: string): string | undefined {
  for (let i = 0; i < fields.length; i += 2) {
    if (equalsIgnoringCase(fields[i]!, lower)) return fields[i + 1]
  }
  return undefined
}

/** `fields` without the lines named `lower`; the same array when there are none. */
export function without(fields: readonly string[], lower: string): readonly string[] {
  if (fieldValue(fields, lower) === undefined) return fields
  const kept: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    if (!equalsIgnoringCase(fields[i]!, lower)) kept.push(fields[i]!, fields[i + 1]!)
  }
  return kept
}

/** Values of all field lines named `lower`, joined as one list; undefined when there is none. */
export function fieldList(fields: FieldLines, lower: string): string | undefined {
  let list: string | undefined
  for (let i = 0; i < fields.length; i += 2) {
    if (equalsIgnoringCase(fields[i]!, lower))
      list = list === undefined ? fields[i + 1]! : `${list}, ${fields[i + 1]}`
  }
  return list
}

/** The comma-separated `list` holds the token `lower`. */
export function listHas(list: string, lower: string): boolean {
  let start = 0
  while (start <= list.length) {
    let end = list.indexOf(',', start)
    if (end === -1) end = list.length
    if (equalsIgnoringCase(list.slice(start, end).trim(), lower)) return true
    start = end + 1
  }
  return false
}

/**
 * Field lines by which a cache decides: conditions, ranges, credentials, cookies, Cache-Control, Host, Accept-Encoding and
 * Accept-Language, and the overrides that no key holds. Others may be among them.
 */
export function storeFieldsOf(request: RequestHead): FieldLines {
  return request.storeFields ?? request.fields
}

/** What Vary names nearly always; all of `storeFieldsOf`. */
const USUALLY_VARIED: ReadonlySet<string> = new Set([
  'accept-encoding',
  'accept-language',
  'authorization',
  'cookie',
])

/** Field lines that hold all of `names` that there are, in lower case. */
export function fieldsNamed(names: readonly string[], request: RequestHead): FieldLines {
  for (const name of names) if (!USUALLY_VARIED.has(name)) return request.fields
  return storeFieldsOf(request)
}

/**
 * Fields that end at this hop whatever Connection says. Beside the standard's: what proxies
 * invented, a proxy's credentials, and "Proxy", which CGI turns into HTTP_PROXY (httpoxy).
 */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'proxy-authorization',
  'proxy-authenticate',
  'proxy',
])

/** A Connection option may not take these away from the next hop: they say whose message it is and how long. */
const NEVER_NOMINATED: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'content-type',
  'authorization',
  'cookie',
  'close',
])

export function isHopByHop(name: string): boolean {
  // "proxy-authorization" is the longest.
  return name.length <= 19 && HOP_BY_HOP.has(name.toLowerCase())
}

/** Names that the Connection fields nominate, in lower case; undefined when there are none to remove. */
function nominated(fields: FieldLines): Set<string> | undefined {
  const connection = fieldList(fields, 'connection')
  if (connection === undefined) return undefined
  let names: Set<string> | undefined
  for (const option of connection.split(',', 64)) {
    const name = option.trim().toLowerCase()
    if (name !== '' && !NEVER_NOMINATED.has(name) && !HOP_BY_HOP.has(name)) (names ??= new Set()).add(name)
  }
  return names
}

/**
 * The field lines that go on to the next hop, in order. Content-Length stays; Transfer-Encoding
 * goes, for whoever sends the body frames it anew.
 */
export function endToEndFields(fields: FieldLines): string[] {
  const named = nominated(fields)
  const kept: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!
    if (isHopByHop(name) || named?.has(name.toLowerCase())) continue
    kept.push(name, fields[i + 1]!)
  }
  return kept
}

/**
 * The protocol a client asks to change to, such as "websocket"; undefined when it does not ask.
 * h2c is never a change of protocol here: tunnelled to an origin it would carry requests past every
 * rule of this hop.
 */
export function upgradeProtocol(fields: FieldLines): string | undefined {
  const protocol = fieldValue(fields, 'upgrade')
  if (protocol === undefined || protocol.includes(',') || /^(h2|http)/i.test(protocol.trim()))
    return undefined
  const connection = fieldList(fields, 'connection')
  return connection !== undefined && listHas(connection, 'upgrade') ? protocol.trim() : undefined
}
