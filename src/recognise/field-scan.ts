/**
 * One pass over a request's fields for all traits: the values that matter, and the order of the rest.
 *
 * A name is looked up by its length and three of its characters, and compared with whoever stands there: a name
 * that nobody knows, of which a flood can send many, costs little more than that.
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
const UPGRADE_INSECURE = 15

/**
 * The skeleton is what a program sends with each of its requests, in an order of its own (header-order.ts says why so
 * few): these, and the four whose values are of use as well, from agent to encoding.
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
  [UPGRADE_INSECURE, 'upgrade-insecure-requests'],
  [
    IGNORED,
    'content-length content-type content-encoding content-language authorization origin range cache-control pragma ' +
      'priority te trailer transfer-encoding expect http2-settings dnt save-data ' +
      'device-memory dpr viewport-width width rtt downlink ect purpose x-moz x-purpose x-requested-with ' +
      'x-csrf-token x-xsrf-token last-event-id ping-from ping-to service-worker ' +
      'service-worker-navigation-preload traceparent tracestate baggage sentry-trace access-control-request-method ' +
      'access-control-request-headers access-control-request-private-network available-dictionary dictionary-id',
  ],
]

interface Known {
  readonly name: string
  /** As most write it over HTTP/1.1: a comparison of whole strings is the faster one. */
  readonly title: string
  readonly role: number
}

const PRIME = 16_777_619
const BASIS = 0x811c9dc5

const PLACES = 1024
/** Where a name stands: by its length and three of its characters, whose case does not matter. */
function placeOf(name: string, length: number): number {
  const first = name.charCodeAt(0) | 0x20
  const middle = name.charCodeAt(length >> 1) | 0x20
  const last = name.charCodeAt(length - 1) | 0x20
  return (length * 67 + first * 31 + middle * 13 + last * 5) & (PLACES - 1)
}

const KNOWN: (Known[] | undefined)[] = new Array(PLACES).fill(undefined)
for (const [role, names] of ROLES) {
  for (const name of names.split(' ')) {
    const place = placeOf(name, name.length)
    const known = { name, title: name.replace(/(?<![a-z])[a-z]/g, (letter) => letter.toUpperCase()), role }
    const here = KNOWN[place]
    if (here === undefined) KNOWN[place] = [known]
    else here.push(known)
  }
}

function find(name: string, length: number): Known | undefined {
  const here = KNOWN[placeOf(name, length)]
  if (here === undefined) return undefined
  for (const known of here)
    if (name === known.title || name === known.name || equalsIgnoringCase(name, known.name)) return known
  return undefined
}

/** FNV-1a over the name as it was written. */
function hashOf(name: string, length: number): number {
  let hash = BASIS
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), PRIME)
  return hash
}

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
  /** Upgrade-Insecure-Requests. */
  asksForSecure = false
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
    this.hasCookie = this.isUpgrade = this.asksForSecure = this.isForwarded = this.isRepeated = false
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
      const known = find(name, length)
      if (known === undefined) this.#unknown(name)
      else if (known.role !== IGNORED) this.#known(known.role, fields[i + 1]!, name)
    }
  }

  #unknown(name: string): void {
    const first = name.charCodeAt(0) | 0x20
    const second = name.charCodeAt(1) | 0x20
    const third = name.charCodeAt(2) | 0x20
    // sec-…, if-…: a browser's own, more than can be listed.
    if (first === 0x73 && second === 0x65 && third === 0x63 && name.charCodeAt(3) === 0x2d) return
    if (first === 0x69 && second === 0x66 && third === 0x2d) return
    // X-F(orwarded), X-R(eal), X-C(lient), X-O(riginal): of a thousand drawn names few are looked at.
    const mayForward = first !== 0x78 || third === 0x66 || third === 0x72 || third === 0x63 || third === 0x6f
    if (mayForward && isForwardingField(name)) this.isForwarded = true
    else this.strange++
  }

  #known(role: number, value: string, name: string): void {
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
      case UPGRADE_INSECURE:
        this.asksForSecure = true
        return
    }
    this.skeleton++
    const own = hashOf(name, name.length)
    this.orderHigh = Math.imul(this.orderHigh ^ own, PRIME)
    this.orderLow = Math.imul(((this.orderLow << 13) | (this.orderLow >>> 19)) ^ own, 0x85ebca6b)
  }
}
