/** The primary key (RFC 9111 §2): scheme, host and target; and which requests have nothing to do with a cache. */
import { equalsIgnoringCase, fieldValue, type RequestHead, storeFieldsOf, upgradeProtocol } from '#http'

/** A longer target is relayed as it is: a key of 64 kB would be paid for by everybody else's pages. */
const MOST_TARGET = 8192

/**
 * Fields by which frameworks let a request mean another method or host than it says. No key holds them,
 * so no response to such a request may be stored or reused.
 */
const OVERRIDES: ReadonlySet<string> = new Set([
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
  'x-http-host-override',
  'x-original-host',
  'x-host',
])

/**
 * Primary key of a GET or HEAD: "https://www.example.org:8443/path?query". undefined: the request has
 * nothing to do with the cache.
 */
export function cacheKey(request: RequestHead, secure: boolean): string | undefined {
  if (request.method !== 'GET' && request.method !== 'HEAD') return undefined
  const fields = storeFieldsOf(request)
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!
    switch (name.length) {
      case 6:
      case 13:
      case 15:
      case 17:
      case 20:
      case 22:
        if (
          OVERRIDES.has(name.toLowerCase().replaceAll('_', '-')) ||
          equalsIgnoringCase(name, 'transfer-encoding')
        )
          return undefined
        break
      case 7:
        if (equalsIgnoringCase(name, 'upgrade') && upgradeProtocol(fields) !== undefined) return undefined
        break
      case 14:
        if (equalsIgnoringCase(name, 'content-length') && fields[i + 1] !== '0') return undefined
    }
  }
  return uriKey(request, secure)
}

/** Key of the URI that a request of any method is about; undefined when it is none that a response is kept for. */
export function uriKey(request: RequestHead, secure: boolean): string | undefined {
  const { target } = request
  if (!target.startsWith('/') || target.length > MOST_TARGET) return undefined
  return originOf(request, secure) + target
}

function originOf(request: RequestHead, secure: boolean): string {
  const host = fieldValue(storeFieldsOf(request), 'host')?.toLowerCase() ?? request.host
  return (secure ? 'https://' : 'http://') + host
}

/**
 * Key of what a URI reference in a response means (Location, Content-Location); undefined when it leads
 * to another origin, for which this response has no say (§4.4).
 */
export function referencedKey(reference: string, request: RequestHead, secure: boolean): string | undefined {
  if (reference.length > MOST_TARGET) return undefined
  const origin = originOf(request, secure)
  // As it stands, where it can: the URL parser would spell some targets differently from clients.
  if (/^\/(?![/\\])/.test(reference) && !/[/]\.{1,2}(?:[/?#]|$)/.test(reference)) {
    return origin + reference.replace(/#.*/s, '')
  }
  const base = URL.canParse(request.target, origin) ? new URL(request.target, origin) : undefined
  if (base === undefined || !URL.canParse(reference, base)) return undefined
  const url = new URL(reference, base)
  return url.origin === base.origin ? origin + url.pathname + url.search : undefined
}

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** It changes nothing (RFC 9110 §9.2.1). */
export function isSafe(method: string): boolean {
  return SAFE.has(method)
}

/**
 * Keys whose stored responses an unsafe request has made invalid (§4.4): its own URI's, and those that its
 * answer names in Location and Content-Location. Unknown methods count as unsafe; an error changes nothing.
 */
export function invalidated(
  request: RequestHead,
  secure: boolean,
  response: { readonly status: number; readonly fields: readonly string[] },
): readonly string[] {
  if (isSafe(request.method) || response.status < 200 || response.status >= 400) return []
  const keys = new Set<string>()
  const own = uriKey(request, secure)
  if (own !== undefined) keys.add(own)
  for (const name of ['location', 'content-location']) {
    const reference = fieldValue(response.fields, name)
    const key = reference === undefined ? undefined : referencedKey(reference.trim(), request, secure)
    if (key !== undefined) keys.add(key)
  }
  return [...keys]
}
