/** May a response be stored, and for what (RFC 9111 §3)? */

import type { RequestHead, ResponseHead } from '#http'
import { endToEndFields, equalsIgnoringCase, type FieldLines, fieldList, fieldValue, listHas } from '#http'
import { type Directives, parseCacheControl } from './cache-control.ts'
import { type CacheRules, initialAgeMs, leewayOf, lifetimeOf, policyOf, type Times } from './freshness.ts'
import { referencedKey, uriKey } from './key.ts'
import { partOf } from './range.ts'
import { isUnderstood } from './status.ts'
import { forbidsStoring } from './stored.ts'
import { cookiesOf, partVariant, variantOf, varyOf } from './vary.ts'

/** Why a response is not stored. Codes of the log and the metrics; the sentences are for `digue cache check`. */
export const REFUSALS = {
  method: 'only answers to GET are stored, or to POST where they say that they are the page itself',
  status: 'a response of this status, or a part without a lifetime, is not stored by itself',
  'unkeyed-field': 'the request holds a field by which it may mean another page than its address says',
  'request-no-store': 'the client asked that nothing be stored (Cache-Control: no-store)',
  'no-store': 'the origin forbids storing (no-store)',
  private: 'the origin says that the response is for one visitor only (private)',
  'must-understand': 'the origin asks that the status be understood, and it is not',
  vary: 'Vary names "*", the client\'s address, or more than 32 fields, so no two requests share it',
  'vary-long': 'the request fields that Vary names are longer than 4 kB',
  'too-large': 'its body is larger than objectBytes',
  authorization:
    'the request carried credentials, and the response is not marked public, s-maxage or must-revalidate',
  'set-cookie': "it sets a cookie that looks like one visitor's own",
  'cookie-not-fresh':
    'the request carried cookies, and the response gives no lifetime for which it may be shared',
  'no-use': 'it is stale at once, cannot be validated, and may not be served stale',
  'no-freshness':
    'it gives no lifetime: neither max-age, s-maxage, Expires nor a Last-Modified to guess from',
} as const
export type Refusal = keyof typeof REFUSALS

export type Storability =
  | {
      readonly store: true
      readonly purpose: 'reuse' | 'emergency'
      readonly vary: readonly string[]
      readonly variant: string
      /** What to store: without what may not be (§3.1), and without Content-Length. */
      readonly fields: FieldLines
    }
  | { readonly store: false; readonly reason: Refusal }

const no = (reason: Refusal): Storability => ({ store: false, reason })

export function storability(
  request: RequestHead,
  response: ResponseHead,
  times: Times,
  rules: CacheRules,
): Storability {
  const { status } = response
  if (request.method !== 'GET' && !isPagePosted(request, response)) return no('method')
  // 304 is about another response, and what is below 200 is not the answer yet.
  if (status < 200 || status > 599 || status === 304) return no('status')
  if (status === 206 && !isSinglePart(request, response)) return no('status')
  if (request.fields.some(isUnkeyed)) return no('unkeyed-field')
  const asked = fieldList(request.fields, 'cache-control')
  if (asked !== undefined && parseCacheControl(asked).noStore) return no('request-no-store')

  const policy = policyOf(response.fields)
  const { directives } = policy
  if (forbidsStoring(directives, status)) return no(whyForbidden(directives, status))
  const hasCredentials = fieldValue(request.fields, 'authorization') !== undefined
  const { isPublic, mustRevalidate, sMaxAgeS } = directives
  if (hasCredentials && !isPublic && !mustRevalidate && sMaxAgeS === undefined) return no('authorization')
  const length = fieldValue(response.fields, 'content-length')
  if (length !== undefined && Number(length) > rules.objectBytes) return no('too-large')

  const fields = storedFields(response.fields, directives)
  const setsCookie = fieldValue(fields, 'set-cookie') !== undefined
  if (setsCookie && setsOwnCookie(fields)) return no('set-cookie')
  const vary = varyOf(fields)
  if (vary === undefined) return no('vary')
  const selected = variantOf(vary, request.fields)
  if (selected === undefined) return no('vary-long')
  const variant = status === 206 ? partVariant(selected, fieldValue(request.fields, 'range')!) : selected

  const hasCookies = cookiesOf(request.fields) !== undefined
  const isAnonymous = !hasCredentials && !hasCookies && !setsCookie
  const heuristicMs = isAnonymous ? rules.heuristicMs : 0
  const { receivedAtMs } = times
  const lifetime = lifetimeOf(status, fields, { policy, heuristicMs, receivedAtMs })
  if (lifetime.from === 'none' && !directives.noCache) {
    if (isAnonymous && isEmergencyPage(request, response, { directives, rules })) {
      return { store: true, purpose: 'emergency', vary, variant, fields }
    }
    return no('no-freshness')
  }
  const isFresh = !directives.noCache && lifetime.ms > initialAgeMs(fields, times)
  if (status === 206 && !isFresh) return no('status')
  if (!isFresh) {
    // Such a page may well be one visitor's, and nobody said for how long it may be shared.
    if (!isAnonymous) return no(setsCookie ? 'set-cookie' : 'cookie-not-fresh')
    const canValidate =
      fieldValue(fields, 'etag') !== undefined || fieldValue(fields, 'last-modified') !== undefined
    if (!canValidate && leewayOf(status, directives, rules.staleMs).errorMs === 0) return no('no-use')
  }
  return { store: true, purpose: 'reuse', vary, variant, fields }
}

function whyForbidden({ noStore, isPrivate, mustUnderstand }: Readonly<Directives>, status: number): Refusal {
  if (mustUnderstand && !isUnderstood(status)) return 'must-understand'
  return noStore && !isPrivate ? 'no-store' : 'private'
}

/**
 * A POST whose answer says that it is what a GET of the same URI would give, and for how long (RFC 9110
 * §9.3.3).
 */
function isPagePosted(request: RequestHead, { status, fields }: ResponseHead): boolean {
  if (request.method !== 'POST' || status !== 200) return false
  const location = fieldValue(fields, 'content-location')
  if (location === undefined) return false
  return [false, true].some((secure) => {
    const key = referencedKey(location.trim(), request, secure)
    return key !== undefined && key === uriKey(request, secure)
  })
}

/** Of one range. */
const LONGEST_RANGE = 64

/** One part, as asked for with one Range and without a condition on it. */
function isSinglePart(request: RequestHead, { fields }: ResponseHead): boolean {
  const range = fieldValue(request.fields, 'range')
  if (range === undefined || fieldList(request.fields, 'range') !== range) return false
  if (range.length > LONGEST_RANGE) return false
  if (fieldValue(request.fields, 'if-range') !== undefined) return false
  return partOf(fieldValue(fields, 'content-range') ?? '') !== undefined
}

/** Fields by which frameworks let a request mean another path; the edge takes them out, and here they end all the same. */
function isUnkeyed(name: string, index: number): boolean {
  if (index % 2 === 1 || (name.length !== 14 && name.length !== 13)) return false
  const lower = name.toLowerCase().replaceAll('_', '-')
  return lower === 'x-original-url' || lower === 'x-rewrite-url'
}

/** Nothing forbids it, and nothing was said: kept for the day when the origin cannot answer. */
function isEmergencyPage(
  request: RequestHead,
  { status, fields }: ResponseHead,
  { directives, rules }: { directives: Readonly<Directives>; rules: CacheRules },
): boolean {
  if (request.method !== 'GET' || status !== 200 || !rules.isEmergencyPath(request.target)) return false
  const { mustRevalidate, proxyRevalidate } = directives
  const pragma = fieldList(fields, 'pragma')
  return !mustRevalidate && !proxyRevalidate && (pragma === undefined || !listHas(pragma, 'no-cache'))
}

/** Proxies' own, though they do not end at every hop (§3.1). Content-Length is that of the stored body. */
const NEVER_STORED: ReadonlySet<string> = new Set(['proxy-authentication-info', 'trailer', 'content-length'])

/** Field lines of a response that may be stored (§3.1, §5.2.2.4, §5.2.2.7). */
export function storedFields(fields: FieldLines, directives: Readonly<Directives>): string[] {
  const kept: string[] = []
  const passed = endToEndFields(fields)
  const { noCacheFields, privateFields } = directives
  for (let i = 0; i < passed.length; i += 2) {
    const lower = passed[i]!.toLowerCase()
    if (NEVER_STORED.has(lower) || noCacheFields.includes(lower) || privateFields.includes(lower)) continue
    kept.push(passed[i]!, passed[i + 1]!)
  }
  return kept
}

/** A shorter value cannot hide a session from guessing. */
const SECRET_CHARACTERS = 8

/**
 * Set-Cookie does not forbid storing (§7.3), and what is stored is sent to everybody. A preference may be;
 * a session may not, and origins give sessions to everybody who has none, also on pages that they mark as
 * fresh for browsers. So: a value long enough to be a secret, or one that scripts may not see, is taken
 * for one visitor's own.
 */
export function setsOwnCookie(fields: FieldLines): boolean {
  for (let i = 0; i < fields.length; i += 2) {
    if (!equalsIgnoringCase(fields[i]!, 'set-cookie')) continue
    const line = fields[i + 1]!
    const pairEnd = line.indexOf(';')
    const pair = pairEnd === -1 ? line : line.slice(0, pairEnd)
    const value = pair.slice(pair.indexOf('=') + 1).trim()
    if (value.length >= SECRET_CHARACTERS || /;[ \t]*httponly[ \t]*(?:;|=|$)/i.test(line)) return true
  }
  return false
}
