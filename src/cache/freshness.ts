/**
 * How long a response is fresh, how old it is, and how long it may be served beyond that
 * (RFC 9111 §4.2; RFC 5861; RFC 9213 for who says so).
 *
 * A response is fresh while `lifetimeMs` exceeds its age. Both may be wrong by clocks that differ; the
 * formulas below are the RFC's, which err towards "older".
 */
import { type FieldLines, fieldList, fieldValue } from '#http'
import {
  type Directives,
  deltaSeconds,
  noDirectives,
  parseCacheControl,
  parseSurrogateControl,
} from './cache-control.ts'
import { parseHttpDate } from './http-date.ts'
import { isHeuristicallyCacheable } from './status.ts'
import { parseTargeted } from './structured-field.ts'

/** What the operator decides; the same for a whole site. */
export interface CacheRules {
  /** Longest heuristic lifetime (RFC 9111 §4.2.2), ms; 0 for none. */
  readonly heuristicMs: number
  /** How long beyond its lifetime a response may stand in for an origin that cannot answer, ms. */
  readonly staleMs: number
  /** Largest body, bytes. */
  readonly objectBytes: number
  /** A path where an emergency copy of an anonymous page may be kept. */
  isEmergencyPath(target: string): boolean
}

export interface Times {
  /** Wall clock in ms when the request was sent, and when the head of the answer came. */
  readonly requestedAtMs: number
  readonly receivedAtMs: number
}

/** The field whose word counts for this cache. */
export type Source = 'cdn-cache-control' | 'surrogate-control' | 'cache-control' | 'none'

/** Directives in force, and where they stand. A targeted field silences Cache-Control and Expires (RFC 9213 §2.2). */
export interface Policy {
  readonly directives: Readonly<Directives>
  readonly source: Source
}

const NONE: Policy = { directives: noDirectives(), source: 'none' }

export function policyOf(fields: FieldLines): Policy {
  const cdn = fieldList(fields, 'cdn-cache-control')
  if (cdn !== undefined) {
    const directives = parseTargeted(cdn)
    if (directives !== undefined) return { directives, source: 'cdn-cache-control' }
  }
  const surrogate = fieldList(fields, 'surrogate-control')
  if (surrogate !== undefined) {
    const directives = parseSurrogateControl(surrogate)
    if (directives !== undefined) return { directives, source: 'surrogate-control' }
  }
  const control = fieldList(fields, 'cache-control')
  return control === undefined ? NONE : { directives: parseCacheControl(control), source: 'cache-control' }
}

/** A lifetime and who gave it. `none`: nobody, so 0. */
export interface Lifetime {
  readonly ms: number
  readonly from: 's-maxage' | 'max-age' | 'Expires' | 'heuristic' | 'none'
}

/** Share of the time since Last-Modified for which a response counts as fresh (§4.2.2). */
const HEURISTIC_SHARE = 0.1

/** Freshness lifetime (§4.2.1), `heuristicMs` at most where nobody gives one. A malformed Expires is in the past. */
export function lifetimeOf(
  status: number,
  fields: FieldLines,
  given: { policy: Policy; heuristicMs: number; receivedAtMs: number },
): Lifetime {
  const lifetime = saidLifetime(status, fields, given)
  return isFault(status) ? { ...lifetime, ms: Math.min(lifetime.ms, FAULT_MS) } : lifetime
}

/**
 * Says that something was wrong with the request or the origin. Whoever finds a field that provokes one, and is not in the
 * key, could take a page away from everybody for as long as the origin's rules for all answers say
 * (cache-poisoned denial of service, Nguyen et al. 2019): so for a moment only, which still spares
 * an origin that is failing.
 */
export function isFault(status: number): boolean {
  return status >= 400 && status !== 404 && status !== 410
}

const FAULT_MS = 10_000

function saidLifetime(
  status: number,
  fields: FieldLines,
  { policy, heuristicMs, receivedAtMs }: { policy: Policy; heuristicMs: number; receivedAtMs: number },
): Lifetime {
  const { directives, source } = policy
  if (directives.sMaxAgeS !== undefined) return { ms: 1000 * directives.sMaxAgeS, from: 's-maxage' }
  if (directives.maxAgeS !== undefined) return { ms: 1000 * directives.maxAgeS, from: 'max-age' }
  const isTargeted = source === 'cdn-cache-control' || source === 'surrogate-control'
  const dateMs = dateOf(fields, receivedAtMs)
  const expires = isTargeted ? undefined : fieldValue(fields, 'expires')
  if (expires !== undefined) {
    const expiresMs = parseHttpDate(expires, receivedAtMs)
    return { ms: expiresMs === undefined ? 0 : Math.max(0, expiresMs - dateMs), from: 'Expires' }
  }
  if (heuristicMs > 0 && (directives.isPublic || isHeuristicallyCacheable(status))) {
    const modified = fieldValue(fields, 'last-modified')
    const modifiedMs = modified === undefined ? undefined : parseHttpDate(modified, receivedAtMs)
    if (modifiedMs !== undefined && modifiedMs < dateMs) {
      return { ms: Math.min(heuristicMs, HEURISTIC_SHARE * (dateMs - modifiedMs)), from: 'heuristic' }
    }
  }
  return { ms: 0, from: 'none' }
}

/** When the origin made the response, ms: its Date, else when it came (RFC 9110 §6.6.1). */
export function dateOf(fields: FieldLines, receivedAtMs: number): number {
  const date = fieldValue(fields, 'date')
  return (date === undefined ? undefined : parseHttpDate(date, receivedAtMs)) ?? receivedAtMs
}

/** Age at the moment it came, ms: corrected_initial_age (§4.2.3). Of several Ages the first counts, an invalid one not at all (§5.1). */
export function initialAgeMs(fields: FieldLines, { requestedAtMs, receivedAtMs }: Times): number {
  const apparent = Math.max(0, receivedAtMs - dateOf(fields, receivedAtMs))
  const age = fieldValue(fields, 'age')
  const told = age === undefined ? undefined : deltaSeconds(age.split(',', 1)[0]!.trim())
  const delay = Math.max(0, receivedAtMs - requestedAtMs)
  return told === undefined ? apparent : Math.max(apparent, 1000 * told + delay)
}

/** For how long beyond its lifetime a response may be served, ms, and for which reason. */
export interface Leeway {
  /** While it is validated in the background (RFC 5861 §3). */
  readonly revalidateMs: number
  /** In place of an error (RFC 5861 §4), or of an answer that an origin cannot give (RFC 9111 §4.2.4). */
  readonly errorMs: number
  /** Forbidden even to a client that would take it (`max-stale`). */
  readonly isForbidden: boolean
}

const NO_LEEWAY: Leeway = { revalidateMs: 0, errorMs: 0, isForbidden: true }

/**
 * must-revalidate, proxy-revalidate and no-cache forbid staleness, whatever stands beside them. s-maxage
 * forbids it too (§5.2.2.10), but who writes stale-while-revalidate or stale-if-error beside it means the
 * shared cache that s-maxage is for. A stale-if-error of the origin's replaces the operator's `staleMs`.
 */
export function leewayOf(status: number, directives: Readonly<Directives>, staleMs: number): Leeway {
  const { mustRevalidate, proxyRevalidate, noCache, staleWhileRevalidateS, staleIfErrorS } = directives
  if (mustRevalidate || proxyRevalidate || noCache || isFault(status)) return NO_LEEWAY
  const unasked = directives.sMaxAgeS === undefined ? staleMs : 0
  return {
    isForbidden: directives.sMaxAgeS !== undefined,
    revalidateMs: 1000 * (staleWhileRevalidateS ?? 0),
    errorMs: Math.max(
      staleIfErrorS === undefined ? unasked : 1000 * staleIfErrorS,
      // Who bears staleness in calm weather bears it in bad weather.
      1000 * (staleWhileRevalidateS ?? 0),
    ),
  }
}
