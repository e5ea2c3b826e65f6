/** Why a page is stored or not, in sentences for its operator, and what to change in its fields. */
import { fieldList, fieldValue, type RequestHead, type ResponseHead } from '#http'
import {
  type CacheRules,
  dateOf,
  initialAgeMs,
  leewayOf,
  lifetimeOf,
  policyOf,
  type Source,
  type Times,
} from './freshness.ts'
import { REFUSALS, type Refusal, storability } from './storable.ts'
import { varyOf } from './vary.ts'

export interface Explanation {
  /**
   * `served`: from the store while fresh. `validated`: stored, and the origin is asked each time.
   * `emergency`: shown only when the origin cannot answer. `not-stored`: the origin gets every request.
   */
  readonly verdict: 'served' | 'validated' | 'emergency' | 'not-stored'
  /** For how long it will be served without asking, seconds. */
  readonly lifetimeS: number
  /** For how long beyond that it may stand in for an origin that cannot answer, seconds. */
  readonly standInS: number
  /** Code of why it is not stored. */
  readonly refusal?: Refusal
  /** Sentences: what was read in which field. */
  readonly reasons: readonly string[]
  /** Sentences: what to change. */
  readonly advice: readonly string[]
}

const FIELD_NAMES: Readonly<Record<Source, string>> = {
  'cdn-cache-control': 'CDN-Cache-Control',
  'surrogate-control': 'Surrogate-Control',
  'cache-control': 'Cache-Control',
  none: 'Cache-Control',
}

/** Clocks that differ by more spoil lifetimes. */
const CLOCK_DIFFERENCE_MS = 60_000

export function explain(
  request: RequestHead,
  response: ResponseHead,
  times: Times,
  rules: CacheRules,
): Explanation {
  const { fields, status } = response
  const policy = policyOf(fields)
  const { directives } = policy
  const may = storability(request, response, times, rules)
  const { receivedAtMs } = times
  const lifetime = lifetimeOf(status, fields, { policy, heuristicMs: rules.heuristicMs, receivedAtMs })
  const leftMs = Math.max(0, lifetime.ms - initialAgeMs(fields, times))
  const reasons: string[] = []
  if (lifetime.from === 'none') reasons.push('No field gives a lifetime.')
  else if (lifetime.from === 'heuristic') {
    reasons.push(
      `Nobody gives a lifetime; a tenth of the time since Last-Modified makes ${seconds(lifetime.ms)}.`,
    )
  } else {
    const field =
      lifetime.from === 'Expires' ? 'Expires' : `${lifetime.from} in ${FIELD_NAMES[policy.source]}`
    reasons.push(`${field} gives a lifetime of ${seconds(lifetime.ms)}.`)
  }
  if (leftMs < lifetime.ms) reasons.push(`It was ${seconds(lifetime.ms - leftMs)} old when it came.`)
  const advice = adviceOn(response, request, receivedAtMs)
  if (!may.store) {
    reasons.push(`Not stored: ${REFUSALS[may.reason]}.`)
    const way = WAYS[may.reason]
    if (way !== undefined) advice.unshift(way)
    return { verdict: 'not-stored', lifetimeS: 0, standInS: 0, refusal: may.reason, reasons, advice }
  }
  if (fieldValue(may.fields, 'set-cookie') !== undefined)
    advice.push('The cookie in Set-Cookie goes to everybody who gets the stored page.')
  if (may.vary.length > 0) reasons.push(`A copy is kept for each value of ${may.vary.join(', ')}.`)
  const standInS = Math.floor(leewayOf(response.status, directives, rules.staleMs).errorMs / 1000)
  if (standInS === 0) {
    reasons.push(`It may not be served stale (${forbidding(directives)}).`)
    advice.push(
      'When the origin is full or down, this page fails. Where yesterday’s page is better than none, leave out must-revalidate, proxy-revalidate and no-cache, or add stale-if-error.',
    )
  }
  if (may.purpose === 'emergency') {
    return {
      verdict: 'emergency',
      lifetimeS: 0,
      standInS,
      reasons,
      advice: [WAYS['no-freshness']!, ...advice],
    }
  }
  if (directives.noCache || leftMs === 0) {
    reasons.push(
      directives.noCache
        ? 'no-cache: the origin is asked each time.'
        : 'It is stale at once: the origin is asked each time.',
    )
    advice.unshift(
      'A lifetime of even a few seconds (s-maxage=5) turns a flood on this page into one request in five seconds.',
    )
    return { verdict: 'validated', lifetimeS: 0, standInS, reasons, advice }
  }
  return { verdict: 'served', lifetimeS: Math.floor(leftMs / 1000), standInS, reasons, advice }
}

/** What to do about a refusal, where the origin's fields can. */
const WAYS: Readonly<Partial<Record<Refusal, string>>> = {
  'no-store':
    'If the page is the same for all visitors, send Cache-Control: public, max-age=60 in place of no-store; or leave it to browsers and add CDN-Cache-Control: max-age=60.',
  private:
    'If the page is the same for all visitors, send public in place of private; or add CDN-Cache-Control: max-age=60.',
  'set-cookie':
    'Send no session cookie with public pages; or name it, Cache-Control: no-cache="Set-Cookie", and the page is stored without it.',
  vary: 'Name only request fields in Vary that change the page.',
  'vary-long':
    'Name only request fields in Vary that change the page; Vary: Cookie seldom lets two visitors share.',
  'too-large': 'Raise cache.objectBytes of the site, if there is memory for it.',
  authorization: 'If the page is the same for all who may see it, send public or s-maxage.',
  'cookie-not-fresh': 'Give a lifetime (s-maxage=60) if the page is the same for all visitors.',
  'no-use': 'Give a lifetime (s-maxage=60), or an ETag by which the page can be validated.',
  'no-freshness':
    'Send Cache-Control: max-age=60 or s-maxage=60; or list the path under cache.emergency, if the page is the same for all visitors.',
}

function adviceOn({ status, fields }: ResponseHead, request: RequestHead, receivedAtMs: number): string[] {
  const advice: string[] = []
  if (
    Math.abs(dateOf(fields, receivedAtMs) - receivedAtMs) > CLOCK_DIFFERENCE_MS &&
    fieldValue(fields, 'age') === undefined
  )
    advice.push('Its Date is more than a minute off: set the origin’s clock.')
  if (fieldList(fields, 'cdn-cache-control') !== undefined && policyOf(fields).source !== 'cdn-cache-control')
    advice.push(
      'CDN-Cache-Control is malformed and ignored: it is a Structured Field (max-age=60, no quotes, lower case).',
    )
  if (
    status === 200 &&
    fieldValue(fields, 'etag') === undefined &&
    fieldValue(fields, 'last-modified') === undefined
  )
    advice.push('With an ETag or Last-Modified, the origin could answer 304 without making the page.')
  const vary = varyOf(fields)
  if (vary?.includes('cookie') === true)
    advice.push('Vary: Cookie keeps a copy for each visitor; take it out where the page is the same for all.')
  if (vary?.includes('user-agent') === true)
    advice.push(
      'Vary: User-Agent keeps a copy for each browser version; take it out where the page is the same for all.',
    )
  if (fieldValue(request.fields, 'cookie') !== undefined)
    advice.push('Ask without cookies to see what a new visitor gets.')
  return advice
}

function forbidding({
  mustRevalidate,
  proxyRevalidate,
  noCache,
}: ReturnType<typeof policyOf>['directives']): string {
  if (noCache) return 'no-cache'
  if (mustRevalidate) return 'must-revalidate'
  return proxyRevalidate ? 'proxy-revalidate' : 's-maxage without stale-if-error'
}

function seconds(ms: number): string {
  const s = Math.floor(ms / 1000)
  return s === 1 ? '1 second' : `${s} seconds`
}
