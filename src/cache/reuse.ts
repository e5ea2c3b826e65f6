/** Which stored response may answer a request, and whether it must be validated first (RFC 9111 §4). */
import {
  equalsIgnoringCase,
  type FieldLines,
  fieldList,
  fieldsNamed,
  fieldValue,
  type RequestHead,
  storeFieldsOf,
} from '#http'
import { type Directives, noDirectives, parseCacheControl } from './cache-control.ts'
import { completionOf } from './part.ts'
import type { Stored } from './stored.ts'
import { ifRangeHolds } from './validator.ts'
import { acceptsCoding, codingsOf, languages, variantOf, withoutPart } from './vary.ts'

/** `why` is what Cache-Status gives as `fwd` (RFC 9211 §2.2). */
export type Choice =
  /** `ttlMs`: freshness left; below 0 where the client takes a stale one (`max-stale`). */
  | { readonly action: 'serve'; readonly stored: Stored; readonly ttlMs: number }
  | {
      readonly action: 'validate'
      readonly stored: Stored
      /**
       * `request`: it is fresh, and only the client's own directives ask for more. They are advice
       * (§5.2.1): where the origin is short of time it may be served all the same.
       */
      readonly why: 'stale' | 'request'
      /** What to ask the origin with, in place of the client's own conditions and ranges. */
      readonly conditions: FieldLines
      /** It may be served now and validated meanwhile (stale-while-revalidate). */
      readonly whileRevalidate: boolean
      /** It may stand in for an answer that the origin cannot give. */
      readonly ifError: boolean
    }
  | {
      readonly action: 'miss'
      /** `partial`: parts are stored, and not what is asked for. */
      readonly why: 'uri-miss' | 'vary-miss' | 'bypass' | 'partial'
      /** A part of what is asked for, and what to ask the origin with for the rest. */
      readonly completes?: { readonly stored: Stored; readonly conditions: FieldLines }
      /** May stand in for an answer that the origin cannot give. */
      readonly emergency?: Stored
    }
  /** only-if-cached, and there is none: 504 (§5.2.1.7). */
  | { readonly action: 'refuse' }

const NO_DIRECTIVES: Readonly<Directives> = noDirectives()
const NONE: readonly Stored[] = []

/** Decides over `variants`, all that is stored under the request's key. */
export function choose(
  variants: readonly Stored[],
  request: RequestHead,
  nowMs: number,
  objectBytes = 0,
): Choice {
  const fields = storeFieldsOf(request)
  const control = fieldList(fields, 'cache-control')
  const asked = control === undefined ? NO_DIRECTIVES : parseCacheControl(control)
  if (asksTheOriginOnly(fields)) return { action: 'miss', why: 'bypass' }
  const stored = select(variants, request, 'reuse')
  if (stored === undefined) {
    const parts = variants.length === 0 ? NONE : partsFor(variants, request)
    for (const part of parts) {
      const ttlMs = part.ttlMs(nowMs)
      const age = { ageMs: part.ageMs(nowMs), ttlMs, isImmutable: part.directives.immutable }
      if (ttlMs <= 0 || part.mustValidate || asksForMore(asked, age) || !servesPart(part, request)) continue
      return { action: 'serve', stored: part, ttlMs }
    }
    if (asked.onlyIfCached) return { action: 'refuse' }
    const completes = completion(parts, request, objectBytes)
    const why = parts.length > 0 ? 'partial' : variants.some(isReusable) ? 'vary-miss' : 'uri-miss'
    const emergency = select(variants, request, 'emergency')
    const isOfUse = emergency !== undefined && -emergency.ttlMs(nowMs) <= emergency.leeway.errorMs
    return {
      action: 'miss',
      why,
      ...(completes === undefined ? {} : { completes }),
      ...(isOfUse ? { emergency } : {}),
    }
  }
  const ageMs = stored.ageMs(nowMs)
  const ttlMs = stored.lifetime.ms - ageMs
  const isFresh = ttlMs > 0 && !stored.mustValidate
  const wantsMore = asksForMore(asked, { ageMs, ttlMs, isImmutable: isFresh && stored.directives.immutable })
  if (isFresh && !wantsMore) return { action: 'serve', stored, ttlMs }
  if (
    !isFresh &&
    !wantsMore &&
    !stored.mustValidate &&
    !stored.leeway.isForbidden &&
    takesStale(asked, ttlMs)
  ) {
    return { action: 'serve', stored, ttlMs }
  }
  if (asked.onlyIfCached) return { action: 'refuse' }
  return {
    action: 'validate',
    stored,
    why: isFresh ? 'request' : 'stale',
    conditions: stored.conditions,
    whileRevalidate: !isFresh && !wantsMore && !stored.mustValidate && -ttlMs < stored.leeway.revalidateMs,
    ifError: isFresh || (!stored.mustValidate && -ttlMs < stored.leeway.errorMs),
  }
}

const isPart = ({ response }: Stored) => response.status === 206
const isReusable = (stored: Stored) => stored.response.purpose === 'reuse' && !isPart(stored)

/** Conditions that only an origin can answer (§4.3.2). */
function asksTheOriginOnly(fields: FieldLines): boolean {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!
    if (name.length === 8 && equalsIgnoringCase(name, 'if-match')) return true
    if (name.length === 19 && equalsIgnoringCase(name, 'if-unmodified-since')) return true
  }
  return false
}

/** The client's directives ask for a response that is younger, or fresh for longer (§5.2.1). */
function asksForMore(
  { noCache, maxAgeS, minFreshS }: Readonly<Directives>,
  { ageMs, ttlMs, isImmutable }: { ageMs: number; ttlMs: number; isImmutable: boolean },
): boolean {
  if (noCache || (minFreshS !== undefined && ttlMs < 1000 * minFreshS)) return true
  // A reload sends max-age=0, which is needless for what never changes (RFC 8246 §2.1).
  if (maxAgeS === undefined || isImmutable) return false
  return maxAgeS === 0 || ageMs > 1000 * maxAgeS
}

function takesStale({ maxStaleS }: Readonly<Directives>, ttlMs: number): boolean {
  return maxStaleS !== undefined && -ttlMs <= 1000 * maxStaleS
}

/**
 * The stored response that a request selects (§4.1), the newest of several. One without Vary that is older
 * than one with it is passed over: origins forget Vary where the default is meant.
 */
function select(
  variants: readonly Stored[],
  request: RequestHead,
  purpose: 'reuse' | 'emergency',
): Stored | undefined {
  const fields = storeFieldsOf(request)
  let newest: Stored | undefined
  let newestVaryingMs = Number.NEGATIVE_INFINITY
  let names: string | undefined
  let variant: string | undefined
  for (const stored of variants) {
    const { response } = stored
    if (response.purpose !== purpose || isPart(stored)) continue
    if (stored.varyNames !== '') newestVaryingMs = Math.max(newestVaryingMs, stored.validators.dateMs)
    if (stored.varyNames !== names) {
      names = stored.varyNames
      variant = variantOf(response.vary, fieldsNamed(response.vary, request))
    }
    if (variant !== response.variant || !suits(stored, fields)) continue
    if (newest === undefined || stored.validators.dateMs >= newest.validators.dateMs) newest = stored
  }
  if (newest === undefined) {
    return variants.find((stored) => stored.response.purpose === purpose && isMostWanted(stored, request))
  }
  return newest.varyNames === '' && newest.validators.dateMs < newestVaryingMs ? undefined : newest
}

/** Stored parts of what a request is for, the newest first. */
function partsFor(variants: readonly Stored[], request: RequestHead): readonly Stored[] {
  if (request.method !== 'GET' || !variants.some(isPart)) return NONE
  return variants
    .filter(
      (stored) =>
        isPart(stored) &&
        variantOf(stored.response.vary, fieldsNamed(stored.response.vary, request)) ===
          withoutPart(stored.response.variant) &&
        suits(stored, storeFieldsOf(request)),
    )
    .sort((a, b) => b.response.receivedAtMs - a.response.receivedAtMs)
}

/** The range that is asked for lies within a part (§3.3). */
function servesPart(stored: Stored, request: RequestHead): boolean {
  const fields = storeFieldsOf(request)
  const range = fieldValue(fields, 'range')
  if (range === undefined || fieldList(fields, 'range') !== range) return false
  const ifRange = fieldValue(fields, 'if-range')
  if (ifRange !== undefined && !ifRangeHolds(ifRange, stored.validators)) return false
  return stored.within(range) !== undefined
}

/**
 * Of the parts the one of which the most is there, for a request for the whole. However stale: who sends the rest says
 * by that that it is unchanged.
 */
function completion(parts: readonly Stored[], request: RequestHead, objectBytes: number) {
  if (parts.length === 0 || fieldValue(storeFieldsOf(request), 'range') !== undefined) return undefined
  let largest: { stored: Stored; conditions: FieldLines } | undefined
  for (const stored of parts) {
    if (largest !== undefined && size(stored) <= size(largest.stored)) continue
    const conditions = completionOf(stored, objectBytes)
    if (conditions !== undefined) largest = { stored, conditions }
  }
  return largest
}

const size = ({ response }: Stored) => response.body.byteLength

/** The variant's Accept-Encoding is a set that leaves rare codings out, so what came back is looked at too. */
function suits(stored: Stored, fields: FieldLines): boolean {
  if (stored.contentEncoding === undefined || !stored.response.vary.includes('accept-encoding')) return true
  return acceptsCoding(stored.contentEncoding, codingsOf(fields))
}

/**
 * It differs from what the request selects in Accept-Language only, and is in the language that the
 * request wants most: the origin could not choose better.
 */
function isMostWanted(stored: Stored, request: RequestHead): boolean {
  const fields = storeFieldsOf(request)
  const { language, response } = stored
  if (language === undefined || !response.vary.includes('accept-language') || isPart(stored)) return false
  const wanted = fieldList(fields, 'accept-language')
  const [first, second] = wanted === undefined ? [] : languages(wanted)
  if (first === undefined || first.tag !== language || first.q === second?.q || first.q === 0) return false
  const others = response.vary.filter((name) => name !== 'accept-language')
  const line = /^accept-language(?::.*)?\n/m
  return (
    variantOf(others, fieldsNamed(others, request)) === response.variant.replace(line, '') &&
    suits(stored, fields)
  )
}
