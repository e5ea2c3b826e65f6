/**
 * All traits of a request.
 *
 * One pass over the fields; what depends on one text only (agent, language) is kept by that text; what belongs
 * to the connection comes in ready made. Costs are in TRAITS and in README.md.
 */
import type { FieldLines } from '#http'
import { agentOf } from './agent.ts'
import { contradictionOf } from './contradiction.ts'
import { FieldScan } from './field-scan.ts'
import { orderOf } from './header-order.ts'
import { languageOf } from './language.ts'
import { queryKeysOf } from './query-keys.ts'
import { referrerOf } from './referrer.ts'
import { routeOf } from './route.ts'
import { LONGEST_TRAIT, type Traits } from './traits.ts'

export interface TraitInput {
  readonly method: string
  /** In origin form. */
  readonly target: string
  /** Host without port, lower case. */
  readonly host: string
  /** As received, pseudo-header fields left out or not. */
  readonly fields: FieldLines
  /** The client came over HTTPS, as far as its direct peer may say so. */
  readonly secure: boolean
  readonly httpVersion: '1.0' | '1.1' | '2'
  /** The direct peer is no proxy that the operator trusts: TLS, HTTP/2 and version are the client's own. */
  readonly isDirect: boolean
  /** JA4 of the connection, '' on plain ones. */
  readonly ja4: string
  /** `h2FingerprintOf` the connection, '' for HTTP/1. */
  readonly h2: string
  /** Autonomous system of the client, 0 when not known. */
  readonly asn: number
  /** By what right it comes: admission's lane. */
  readonly lane: string
  /** It showed a cookie of Digue's, valid or not. */
  readonly hasOwnCookie: boolean
  /** `routeOf(method, target)`, if the caller has it. */
  readonly route?: string
}

/** Lanes that say something of the client. */
const CLEARANCES: ReadonlySet<string> = new Set(['known', 'paid', 'waiting'])
const METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'PATCH',
  'OPTIONS',
  'QUERY',
])

const NETWORK_PLACES = 256
const networkNumbers = new Uint32Array(NETWORK_PLACES)
const networkTexts: string[] = new Array(NETWORK_PLACES).fill('')

function networkOf(asn: number): string {
  if (asn === 0) return ''
  const place = asn & (NETWORK_PLACES - 1)
  if (networkNumbers[place] !== asn) {
    networkNumbers[place] = asn
    networkTexts[place] = `AS${asn}`
  }
  return networkTexts[place]!
}

function methodOf(method: string): string {
  return METHODS.has(method) ? method : 'OTHER'
}

/** The path of a route class. */
function pathOf(route: string): string {
  const path = route.slice(route.indexOf(' ') + 1)
  return path.length > LONGEST_TRAIT ? path.slice(0, LONGEST_TRAIT) : path
}

function cut(text: string): string {
  return text.length > LONGEST_TRAIT ? text.slice(0, LONGEST_TRAIT) : text
}

const scan = new FieldScan()

/** In the order of `TRAITS`. */
export function traitsOf(input: TraitInput): Traits {
  const { fields, method, target, isDirect } = input
  scan.read(fields)
  const agent = agentOf(scan.agent)
  return [
    isDirect ? cut(input.ja4) : '',
    isDirect ? cut(input.h2) : '',
    orderOf(scan, input.httpVersion === '2', isDirect),
    cut(agent.value),
    contradictionOf(agent, scan, input),
    networkOf(input.asn),
    input.hasOwnCookie ? 'own' : scan.hasCookie ? 'some' : 'none',
    CLEARANCES.has(input.lane) ? input.lane : 'none',
    methodOf(method),
    pathOf(input.route ?? routeOf(method, target)),
    cut(queryKeysOf(target)),
    cut(languageOf(scan.language)),
    cut(referrerOf(scan.referrer, input.host)),
  ]
}

/** A line of an access log. What the log does not keep is undefined. */
export interface LogTraitInput {
  readonly method: string
  readonly target: string
  /** Of the site, '' when not known: then no referrer is `self`. */
  readonly host: string
  /** User-Agent; undefined or '' for none. */
  readonly agent?: string | undefined
  readonly referrer?: string | undefined
  /** 0 when not known. */
  readonly asn: number
}

/** In the order of `TRAITS`; only those in `LOG_TRAITS` say something, the others are '' for not known. */
export function logTraitsOf(line: LogTraitInput): Traits {
  const { method, target } = line
  return [
    '',
    '',
    '',
    cut(agentOf(line.agent).value),
    '',
    networkOf(line.asn),
    '',
    '',
    methodOf(method),
    pathOf(routeOf(method, target)),
    cut(queryKeysOf(target)),
    '',
    cut(referrerOf(line.referrer, line.host)),
  ]
}
