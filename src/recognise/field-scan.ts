/**
 * One pass over a request's fields for all traits: the values that matter, and the order of the rest.
 *
 * Every name is read once, in its own case (for the order) and in lower case (to know it). The lower-case hash
 * only chooses whom to compare with; the comparison decides.
 */
import { equalsIgnoringCase, type FieldLines, isForwardingField } from '#http'

/** What a field is to the traits. */
const SKELETON = 0
const IGNORED = 1
const AGENT = 2
const ACCEPT = 3
const LANGUAGE = 4
const ENCODING = 5
const REFERRER = 6
const COOKIE = 7
const HINTS = 8
const HINTED_PLATFORM = 9
const FETCH_SITE = 10
const FETCH_MODE = 11
const FETCH_DEST = 12
const UPGRADE = 13
const VIA = 14

/**
 * The skeleton: what a program sends with each of its requests, in an order of its own (header-order.ts says
 * why so few). Those with a value that a trait looks at are part of it as well, by `isSkeleton`.
 */
const ROLES: readonly (readonly [role: number, names: string])[] = [
  [SKELETON, 'host connection accept-charset keep-alive proxy-connection from'],
  [AGENT, 'user-agent'],
  [ACCEPT, 'accept'],
  [LANGUAGE, 'accept-language'],
  [ENCODING, 'accept-encoding'],
  [REFERRER, 'referer'],
  [COOKIE, 'cookie'],
  [HINTS, 'sec-ch-ua'],
  [HINTED_PLATFORM, 'sec-ch-ua-platform'],
  [FETCH_SITE, 'sec-fetch-site'],
  [FETCH_MODE, 'sec-fetch-mode'],
  [FETCH_DEST, 'sec-fetch-dest'],
  [UPGRADE, 'upgrade :protocol'],
  [VIA, 'via'],
  [
    IGNORED,
    'content-length content-type content-encoding content-language authorization origin range cache-control pragma ' +
      'upgrade-insecure-requests priority te trailer transfer-encoding expect http2-settings dnt save-data ' +
      'device-memory dpr viewport-width width rtt downlink ect purpose x-moz x-purpose x-requested-with ' +
      'x-csrf-token x-xsrf-token last-event-id ping-from ping-to service-worker ' +
      'service-worker-navigation-preload traceparent tracestate baggage sentry-trace access-control-request-method ' +
      'access-control-request-headers access-control-request-private-network available-dictionary dictionary-id',
  ],
]

interface Known {
  readonly name: string
  readonly role: number
}

const PRIME = 16_777_619
const BASIS = 0x811c9dc5

function hashOf(lower: string): number {
  let hash = BASIS
  for (let i = 0; i < lower.length; i++) hash = Math.imul(hash ^ lower.charCodeAt(i), PRIME)
  return hash
}

const KNOWN = new Map<number, Known>()
for (const [role, names] of ROLES)
  for (const name of names.split(' ')) KNOWN.set(hashOf(name), { name, role })

/** Longer names are nobody's. */
const LONGEST_NAME = 48

/** Reused by the next request: what is wanted of it is read before that. */
export class FieldScan {
  /** Field values; undefined where there is no such field. Of a repeated one the first. */
  agent: string | undefined
  accept: string | undefined
  language: string | undefined
  encoding: string | undefined
  referrer: string | undefined
  hints: string | undefined
  hintedPlatform: string | undefined
  fetchSite: string | undefined
  fetchMode: string | undefined
  fetchDest: string | undefined
  hasCookie = false
  isUpgrade = false
  /** A field that a proxy adds. */
  isForwarded = false
  /** One of those that a browser sends once came more than once. */
  isRepeated = false
  /** Fields whose names say nothing to us. */
  strange = 0
  /** Of the skeleton: its length, and two hashes over its names in order and case. */
  skeleton = 0
  orderHigh = 0
  orderLow = 0

  read(fields: FieldLines): void {
    this.agent = this.accept = this.language = this.encoding = this.referrer = undefined
    this.hints = this.hintedPlatform = this.fetchSite = this.fetchMode = this.fetchDest = undefined
    this.hasCookie = this.isUpgrade = this.isForwarded = this.isRepeated = false
    this.strange = this.skeleton = 0
    this.orderHigh = BASIS
    this.orderLow = PRIME
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = fields[i]!
      const length = name.length
      if (length > LONGEST_NAME) {
        this.strange++
        continue
      }
      let own = BASIS
      let lower = BASIS
      for (let j = 0; j < length; j++) {
        const c = name.charCodeAt(j)
        own = Math.imul(own ^ c, PRIME)
        lower = Math.imul(lower ^ (c >= 0x41 && c <= 0x5a ? c | 0x20 : c), PRIME)
      }
      const known = KNOWN.get(lower)
      if (known === undefined || !equalsIgnoringCase(name, known.name)) this.#unknown(name)
      else if (known.role !== IGNORED) this.#known(known.role, fields[i + 1]!, own)
    }
  }

  #unknown(name: string): void {
    const first = name.charCodeAt(0) | 0x20
    // sec-…, if-…: a browser's own, more than can be listed.
    if (first === 0x73 && equalsIgnoringCase(name.slice(0, 4), 'sec-')) return
    if (first === 0x69 && equalsIgnoringCase(name.slice(0, 3), 'if-')) return
    if (isForwardingField(name)) this.isForwarded = true
    else this.strange++
  }

  #known(role: number, value: string, own: number): void {
    switch (role) {
      case AGENT:
        if (this.agent !== undefined) this.isRepeated = true
        else this.agent = value
        break
      case ACCEPT:
        this.accept ??= value
        break
      case LANGUAGE:
        if (this.language !== undefined) this.isRepeated = true
        else this.language = value
        break
      case ENCODING:
        if (this.encoding !== undefined) this.isRepeated = true
        else this.encoding = value
        break
      case REFERRER:
        this.referrer ??= value
        return
      case COOKIE:
        this.hasCookie = true
        return
      case HINTS:
        if (this.hints !== undefined) this.isRepeated = true
        else this.hints = value
        return
      case HINTED_PLATFORM:
        this.hintedPlatform ??= value
        return
      case FETCH_SITE:
        this.fetchSite ??= value
        return
      case FETCH_MODE:
        this.fetchMode ??= value
        return
      case FETCH_DEST:
        this.fetchDest ??= value
        return
      case UPGRADE:
        this.isUpgrade = true
        return
      case VIA:
        this.isForwarded = true
        return
    }
    this.skeleton++
    this.orderHigh = Math.imul(this.orderHigh ^ own, PRIME)
    this.orderLow = Math.imul(((this.orderLow << 13) | (this.orderLow >>> 19)) ^ own, 0x85ebca6b)
  }
}
