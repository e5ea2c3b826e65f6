/**
 * Cache-Control (RFC 9111 §5.2; RFC 5861, RFC 8246): what is understood of it, for both directions.
 *
 * Where a sender errs, the reading is the one that stores less: a lifetime that is no number is none at
 * all, a restriction counts however it is spelt, a field too long to be read forbids storing.
 */
import { equalsIgnoringCase } from '#http'

export interface Directives {
  noStore: boolean
  /** Without a list of fields, so the whole response (§5.2.2.4). */
  noCache: boolean
  /** Fields that may not be reused without validation: lower case. */
  noCacheFields: readonly string[]
  /** Without a list of fields (§5.2.2.7). */
  isPrivate: boolean
  /** Fields that a shared cache may not store: lower case. */
  privateFields: readonly string[]
  isPublic: boolean
  mustRevalidate: boolean
  proxyRevalidate: boolean
  mustUnderstand: boolean
  noTransform: boolean
  immutable: boolean
  onlyIfCached: boolean
  // In seconds; absent when not given. An invalid value is 0: stale at once (§4.2.1).
  maxAgeS?: number
  sMaxAgeS?: number
  staleWhileRevalidateS?: number
  staleIfErrorS?: number
  minFreshS?: number
  /** Infinity when no number is given: however stale (§5.2.1.2). */
  maxStaleS?: number
}

/** Greatest delta-seconds that is told apart (§1.2.2). */
export const MOST_SECONDS = 2_147_483_648
/** A longer field is taken as "no-store". */
const MOST_CHARACTERS = 8192
const MOST_DIRECTIVES = 128
const MOST_FIELD_NAMES = 32

const NO_NAMES: readonly string[] = []

export function noDirectives(): Directives {
  return {
    noStore: false,
    noCache: false,
    noCacheFields: NO_NAMES,
    isPrivate: false,
    privateFields: NO_NAMES,
    isPublic: false,
    mustRevalidate: false,
    proxyRevalidate: false,
    mustUnderstand: false,
    noTransform: false,
    immutable: false,
    onlyIfCached: false,
  }
}

/** All Cache-Control lines joined by commas, read. Never throws; time grows with the length, which is bounded. */
export function parseCacheControl(list: string): Directives {
  const found = noDirectives()
  if (list.length > MOST_CHARACTERS) {
    found.noStore = true
    return found
  }
  let count = 0
  for (const member of listMembers(list)) {
    if (++count > MOST_DIRECTIVES) {
      found.noStore = true
      return found
    }
    const equals = member.indexOf('=')
    if (equals === -1) setDirective(found, member.trim().toLowerCase(), undefined)
    // A blank beside "=" is not in the grammar, so such a number is invalid; a restriction still counts.
    else setDirective(found, member.slice(0, equals).trim().toLowerCase(), argumentOf(member, equals))
  }
  return found
}

/** Members of a comma-separated list in which quoted strings may hold commas. An unclosed quote is none. */
export function* listMembers(list: string): Generator<string> {
  let start = 0
  // Where the search for the end of a quoted string failed once, it would fail again: one pass in all.
  let unclosed = false
  for (let at = 0; at < list.length; at++) {
    const unit = list.charCodeAt(at)
    if (unit === 0x22 && !unclosed) {
      const end = quotedEnd(list, at)
      if (end === -1) unclosed = true
      else at = end
    } else if (unit === 0x2c) {
      const member = list.slice(start, at).trim()
      if (member !== '') yield member
      start = at + 1
    }
  }
  const last = list.slice(start).trim()
  if (last !== '') yield last
}

/** Index of the quote that closes the one at `at`; −1 when none does. */
function quotedEnd(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === 0x5c) i++
    else if (unit === 0x22) return i
  }
  return -1
}

/** What stands behind the "=" at `equals`, unquoted; a blank beside the "=" stays and makes a number invalid. */
function argumentOf(member: string, equals: number): string {
  const raw = member.slice(equals + 1)
  if (raw.length >= 2 && raw.startsWith('"') && raw.endsWith('"')) {
    return raw.slice(1, -1).replaceAll(/\\(.)/g, '$1')
  }
  return /[ \t]$/.test(member.slice(0, equals)) ? ` ${raw}` : raw
}

/** Sets what the directive `name` (lower case) says. Of numbers given twice the first counts (§4.2.1). */
export function setDirective(found: Directives, name: string, value: string | undefined): void {
  switch (name) {
    case 'no-store':
      found.noStore = true
      break
    case 'no-cache': {
      const names = fieldNames(value)
      if (names === undefined) found.noCache = true
      else found.noCacheFields = [...found.noCacheFields, ...names]
      break
    }
    case 'private': {
      const names = fieldNames(value)
      if (names === undefined) found.isPrivate = true
      else found.privateFields = [...found.privateFields, ...names]
      break
    }
    case 'public':
      found.isPublic = true
      break
    case 'must-revalidate':
      found.mustRevalidate = true
      break
    case 'proxy-revalidate':
      found.proxyRevalidate = true
      break
    case 'must-understand':
      found.mustUnderstand = true
      break
    case 'no-transform':
      found.noTransform = true
      break
    case 'immutable':
      found.immutable = true
      break
    case 'only-if-cached':
      found.onlyIfCached = true
      break
    case 'max-age':
      found.maxAgeS ??= deltaSeconds(value) ?? 0
      break
    case 's-maxage':
      found.sMaxAgeS ??= deltaSeconds(value) ?? 0
      break
    case 'stale-while-revalidate':
      found.staleWhileRevalidateS ??= deltaSeconds(value) ?? 0
      break
    case 'stale-if-error':
      found.staleIfErrorS ??= deltaSeconds(value) ?? 0
      break
    case 'min-fresh':
      found.minFreshS ??= deltaSeconds(value) ?? 0
      break
    case 'max-stale':
      found.maxStaleS ??= value === undefined ? Number.POSITIVE_INFINITY : (deltaSeconds(value) ?? 0)
  }
}

/** delta-seconds (§1.2.2): digits only, at most MOST_SECONDS; undefined when `text` is none. */
export function deltaSeconds(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+$/.test(text)) return undefined
  return text.length > 10 && !/^0*\d{1,10}$/.test(text) ? MOST_SECONDS : Math.min(Number(text), MOST_SECONDS)
}

/** Names of a field list in lower case; undefined when it names none, or too many: then all are meant. */
function fieldNames(value: string | undefined): readonly string[] | undefined {
  if (value === undefined) return undefined
  const names = value
    .split(',', MOST_FIELD_NAMES + 1)
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')
  return names.length === 0 || names.length > MOST_FIELD_NAMES ? undefined : names
}

/** The name of our kind of cache in Surrogate-Control, as sent in Surrogate-Capability. */
const SURROGATE = 'digue'

/**
 * Surrogate-Control (W3C Edge Architecture, 2001): older than RFC 9213 and still what many applications
 * send. undefined when nothing in it is both for us and about storing.
 */
export function parseSurrogateControl(list: string): Directives | undefined {
  if (list.length > MOST_CHARACTERS) return undefined
  const found = noDirectives()
  let says = false
  let count = 0
  for (const member of listMembers(list)) {
    if (++count > MOST_DIRECTIVES) break
    const [directive, ...targets] = member.split(';').map((part) => part.trim())
    if (targets.length > 0 && !targets.some((target) => equalsIgnoringCase(target, SURROGATE))) continue
    const equals = directive!.indexOf('=')
    const name = (equals === -1 ? directive! : directive!.slice(0, equals)).toLowerCase()
    if (name !== 'no-store' && name !== 'max-age') continue
    says = true
    // "max-age=600+30": the second number is how long it may be served stale.
    const [fresh, stale] = equals === -1 ? [] : directive!.slice(equals + 1).split('+', 2)
    setDirective(found, name, fresh)
    if (stale !== undefined) setDirective(found, 'stale-while-revalidate', stale)
  }
  return says ? found : undefined
}
