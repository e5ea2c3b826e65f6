/**
 * The fields that tell an origin who asked: Forwarded (RFC 7239) and X-Forwarded-*. What strangers
 * write there is removed; what a trusted proxy wrote is kept and our own peer appended. Reading them
 * to find the client is `networks`' work.
 */
import { endToEndFields, equalsIgnoringCase, fieldList, fieldValue } from './fields.ts'
import type { FieldLines, RequestHead } from './message.ts'

/** The hop between the direct peer and us. */
export interface Hop {
  /** Address of the direct peer, without port: "192.0.2.1", "2001:db8::1". */
  readonly peer: string
  /** It spoke HTTPS with us. */
  readonly secure: boolean
  /** It is a trusted proxy: what it forwarded is believed and passed on. */
  readonly trusted: boolean
}

/** Written anew on every request, whoever sent it. */
const REWRITTEN = ['forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'] as const
/** Taken from strangers, passed on from trusted proxies. */
const BELIEVED_ONLY: ReadonlySet<string> = new Set([
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'fastly-client-ip',
])

/**
 * `name` speaks for the client and must not pass from this hop. CGI and WSGI read "X_Forwarded_For"
 * as the same variable as "X-Forwarded-For", so "_" counts as "-".
 */
export function isForwardingField(name: string, trusted: boolean): boolean {
  if (name.length < 9 || name.length > 32) return false
  const first = name.charCodeAt(0) | 0x20
  // f, x, t, c: nearly every other field ends here.
  if (first !== 0x66 && first !== 0x78 && first !== 0x74 && first !== 0x63) return false
  const lower = name.toLowerCase().replaceAll('_', '-')
  if ((REWRITTEN as readonly string[]).includes(lower)) return true
  return !trusted && (lower.startsWith('x-forwarded-') || BELIEVED_ONLY.has(lower))
}

/** A `for` or `by` node: IPv6 needs brackets and quotes (RFC 7239 §6). */
export function forwardedNode(address: string): string {
  return address.includes(':') ? `"[${address}]"` : address
}

/** Host as a parameter: a port's colon needs quotes. */
function forwardedHost(host: string): string {
  return /^[\w.-]+$/.test(host) ? host : `"${host.replace(/["\\]/g, '')}"`
}

/** Our own forwarding fields for a request with the `fields` received over `hop`. */
export function forwardingFields(fields: FieldLines, hop: Hop): string[] {
  const host = fieldValue(fields, 'host') ?? ''
  const proto = hop.secure ? 'https' : 'http'
  const element = `for=${forwardedNode(hop.peer)};host=${forwardedHost(host)};proto=${proto}`
  if (!hop.trusted) {
    return [
      'Forwarded',
      element,
      'X-Forwarded-For',
      hop.peer,
      'X-Forwarded-Proto',
      proto,
      'X-Forwarded-Host',
      host,
    ]
  }
  const before = fieldList(fields, 'forwarded')
  const list = fieldList(fields, 'x-forwarded-for')
  // An origin reads one field or the other: a chain told by only one of them is not told shorter by the other.
  const chain = before ?? (list === undefined ? undefined : fromList(list))
  return [
    'Forwarded',
    chain === undefined || chain === '' ? element : `${chain}, ${element}`,
    'X-Forwarded-For',
    list === undefined ? hop.peer : `${list}, ${hop.peer}`,
    'X-Forwarded-Proto',
    fieldValue(fields, 'x-forwarded-proto') ?? proto,
    'X-Forwarded-Host',
    fieldValue(fields, 'x-forwarded-host') ?? host,
  ]
}

/** X-Forwarded-For as Forwarded elements; what is no address becomes "unknown". */
function fromList(list: string): string {
  const elements: string[] = []
  for (const entry of list.split(',', 64)) {
    const node = entry.trim()
    if (node === '') continue
    if (/^[\d.]+$/.test(node) || /^[0-9A-Fa-f:.]+$/.test(node)) elements.push(`for=${forwardedNode(node)}`)
    else elements.push('for=unknown')
  }
  return elements.join(', ')
}

/** `fields` without those that speak for the client. */
export function withoutForwarding(fields: FieldLines, trusted: boolean): string[] {
  const kept: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    if (!isForwardingField(fields[i]!, trusted)) kept.push(fields[i]!, fields[i + 1]!)
  }
  return kept
}

/**
 * What a request's origin is sent: its end-to-end fields in order, `Host` replaced when the site
 * has its own, and our forwarding fields.
 */
export function originRequestFields(head: RequestHead, hop: Hop, originHost?: string): string[] {
  const fields = withoutForwarding(endToEndFields(head.fields), hop.trusted)
  if (originHost !== undefined) {
    for (let i = 0; i < fields.length; i += 2) {
      if (equalsIgnoringCase(fields[i]!, 'host')) fields[i + 1] = originHost
    }
  }
  fields.push(...forwardingFields(head.fields, hop))
  return fields
}
