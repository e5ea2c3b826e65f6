/**
 * The fields an origin gets: the client's own end-to-end fields, and what Digue says about the way
 * the request came. What strangers say about it is left out, and so is what trusted proxies said:
 * the chain is written anew from the address that was found, so that an origin which reads the
 * leftmost entry of X-Forwarded-For reads the client and never something a client made up.
 *
 * No Via: RFC 9110 §7.6.3 asks gateways for one, but origins take it as "a proxy that cannot gunzip"
 * and stop compressing (nginx's gzip_proxied is off by default). Nginx and HAProxy send none either.
 * No Expect: Digue answers that itself, once the request is admitted.
 */

import type { SiteConfig } from '#config'
import {
  endToEndFields,
  equalsIgnoringCase,
  type FieldLines,
  fieldValue,
  isForwardingField,
  type RequestHead,
  without,
} from '#http'
import type { Exchange } from './exchange.ts'

function node(address: { readonly text: string; readonly version: 4 | 6 }): string {
  return address.version === 6 ? `"[${address.text}]"` : address.text
}

/** Forwarded and X-Forwarded-* as name, value, … `host` is what the client called the site, with its port. */
export function forwardingFields(exchange: Exchange, host: string): string[] {
  const { client, connection, secure } = exchange
  const proto = secure ? 'https' : 'http'
  const via = client.text === connection.peer.text ? undefined : connection.peer
  // A port's colon and an address's brackets have to be quoted (RFC 7239 §4).
  const quoted = /^[\w.-]+$/.test(host) ? host : `"${host}"`
  return [
    'Forwarded',
    `for=${node(client)};host=${quoted};proto=${proto}${via === undefined ? '' : `, for=${node(via)}`}`,
    'X-Forwarded-For',
    via === undefined ? client.text : `${client.text}, ${via.text}`,
    'X-Forwarded-Host',
    host,
    'X-Forwarded-Proto',
    proto,
  ]
}

/** All fields for the origin, framing apart: name, value, … with Host first. */
export function originFields(exchange: Exchange): string[] {
  const { fields, host } = exchange.head
  const asked = fieldValue(fields, 'host') ?? host
  const sent = passedFields(exchange.head, exchange.site.config.originHost ?? asked)
  sent.push(...forwardingFields(exchange, asked))
  return sent
}

/** The same for a request of Digue's own, whose fields are `impersonal`: nothing is said of a client. */
export function ownRequestFields({ fields, host }: RequestHead, site: SiteConfig, secure: boolean): string[] {
  const asked = fieldValue(fields, 'host') ?? host
  const sent = passedFields({ fields }, site.originHost ?? asked)
  sent.push('X-Forwarded-Host', asked, 'X-Forwarded-Proto', secure ? 'https' : 'http')
  return sent
}

function passedFields({ fields }: Pick<RequestHead, 'fields'>, host: string): string[] {
  const sent = ['Host', host]
  const kept = endToEndFields(fields)
  for (let i = 0; i < kept.length; i += 2) {
    const name = kept[i]!
    if (isForwardingField(name) || equalsIgnoringCase(name, 'host') || equalsIgnoringCase(name, 'expect'))
      continue
    sent.push(name, kept[i + 1]!)
  }
  return sent
}

/** What makes an answer depend on what its client has already. */
const CONDITIONS = [
  'range',
  'if-range',
  'if-none-match',
  'if-modified-since',
  'if-match',
  'if-unmodified-since',
] as const

/** `fields` make the answer depend on what its client has already (RFC 9110 §13, §14). */
export function isConditional(fields: FieldLines): boolean {
  return CONDITIONS.some((name) => fieldValue(fields, name) !== undefined)
}

function unconditional(fields: FieldLines): readonly string[] {
  return CONDITIONS.reduce((kept: readonly string[], name) => without(kept, name), fields)
}

/** `fields` say who asks. */
export function isPersonal(fields: FieldLines): boolean {
  return fieldValue(fields, 'cookie') !== undefined || fieldValue(fields, 'authorization') !== undefined
}

/** What is somebody's own, or wished for by him alone (RFC 9111 §5.2.1). */
const PERSONAL = ['cookie', 'authorization', 'cache-control', 'pragma'] as const

/** `fields` as if nobody in particular asked, and without conditions. */
export function impersonal(fields: FieldLines): readonly string[] {
  return PERSONAL.reduce(without, unconditional(fields))
}

/** The fields to ask the origin with: the client's, or with the cache's conditions in place of the client's. */
export function askedFields(exchange: Exchange): readonly string[] {
  const fields = originFields(exchange)
  const conditions = exchange.fill?.conditions
  return conditions === undefined ? fields : [...unconditional(fields), ...conditions]
}
