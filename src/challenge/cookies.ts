/**
 * Our cookies among everybody's, and our parameter in a target: found, written, and taken out again, so
 * that the origin sees neither.
 *
 * Text is never decoded: what we set needs no decoding, and what else is there is the origin's. A Cookie
 * field may be 32 kB of a thousand cookies and is read in one pass from one "digue_" to the next.
 */
import { PARAMETER } from './protocol.ts'

/** What all our cookies' names begin with; after it comes one letter, c, k or w. */
const STEM = 'digue_'
const C = 99
const K = 107
const W = 119
/**
 * Values of one name that are looked at: ours, and one that a parent domain may have planted. Whoever
 * controls a neighbouring domain can plant more and so hide ours; a visitor is then as a new one.
 */
const MOST_VALUES = 2
/** Longer values are none of ours, and are not worth hashing. */
const MOST_VALUE = 256

export interface OurCookies {
  readonly clearance: readonly string[]
  readonly known: readonly string[]
  readonly ticket: readonly string[]
}

const NO_VALUES: readonly string[] = []
const NO_COOKIES: OurCookies = { clearance: NO_VALUES, known: NO_VALUES, ticket: NO_VALUES }

/** False for nearly all fields, and then nothing of ours is in them. */
export function mayHoldOurs(cookieField: string): boolean {
  return cookieField.includes(STEM)
}

/** Our cookies in the value of one Cookie field, in order. */
export function readCookies(cookieField: string): OurCookies {
  let clearance: string[] | undefined
  let known: string[] | undefined
  let ticket: string[] | undefined
  for (let at = nextOurs(cookieField, 0); at !== -1; at = nextOurs(cookieField, at + STEM.length)) {
    const value = at + STEM.length + 2
    const end = trimmedEnd(cookieField, value)
    if (end - value > MOST_VALUE) continue
    const text = cookieField.slice(value, end)
    switch (cookieField.charCodeAt(at + STEM.length)) {
      case C:
        if ((clearance ??= []).length < MOST_VALUES) clearance.push(text)
        break
      case K:
        if ((known ??= []).length < MOST_VALUES) known.push(text)
        break
      default:
        if ((ticket ??= []).length < MOST_VALUES) ticket.push(text)
    }
  }
  if (clearance === undefined && known === undefined && ticket === undefined) return NO_COOKIES
  return { clearance: clearance ?? NO_VALUES, known: known ?? NO_VALUES, ticket: ticket ?? NO_VALUES }
}

/** What the origin gets of a Cookie field: everything but ours; undefined when nothing is left. */
export function withoutOurs(cookieField: string): string | undefined {
  let at = nextOurs(cookieField, 0)
  if (at === -1) return cookieField
  let rest = ''
  let from = 0
  for (; at !== -1; at = nextOurs(cookieField, from)) {
    rest += cookieField.slice(from, at)
    const semicolon = cookieField.indexOf(';', at)
    from = semicolon === -1 ? cookieField.length : semicolon + 1
    while (isBlank(cookieField.charCodeAt(from))) from++
  }
  rest += cookieField.slice(from)
  // Ours was the last one: the separator before it goes as well.
  let end = rest.length
  while (end > 0 && (isBlank(rest.charCodeAt(end - 1)) || rest.charCodeAt(end - 1) === 59)) end--
  if (end === 0) return undefined
  return from < cookieField.length ? rest : rest.slice(0, end)
}

/** The value of a Set-Cookie field. Lax: a link from elsewhere brings the cookie, a foreign form does not. */
export function setCookie(
  name: string,
  value: string,
  options: { readonly secure: boolean; readonly maxAgeS: number },
): string {
  const secure = options.secure ? '; Secure' : ''
  return `${name}=${value}; Path=/; Max-Age=${options.maxAgeS}; HttpOnly; SameSite=Lax${secure}`
}

/** The start of the next cookie of ours from `from` on; -1 when there is none. */
function nextOurs(field: string, from: number): number {
  for (let at = field.indexOf(STEM, from); at !== -1; at = field.indexOf(STEM, at + STEM.length)) {
    const letter = field.charCodeAt(at + STEM.length)
    if (letter !== C && letter !== K && letter !== W) continue
    if (field.charCodeAt(at + STEM.length + 1) === 61 && startsCookie(field, at)) return at
  }
  return -1
}

/** Only blanks stand between `at` and a semicolon or the field's beginning. */
function startsCookie(field: string, at: number): boolean {
  let before = at - 1
  // A browser sends one blank; a field of 32 kB of blanks is not worth walking through for each name.
  while (before >= 0 && at - before <= 8 && isBlank(field.charCodeAt(before))) before--
  return before < 0 || field.charCodeAt(before) === 59
}

function trimmedEnd(field: string, from: number): number {
  let end = field.indexOf(';', from)
  if (end === -1) end = field.length
  while (end > from && isBlank(field.charCodeAt(end - 1))) end--
  return end
}

function isBlank(unit: number): boolean {
  return unit === 32 || unit === 9
}

const ASSIGNED = `${PARAMETER}=`

/** A target without our parameter, and what it said. */
export interface TakenParameter {
  readonly target: string
  /** '' when it was longer than any of ours. */
  readonly token: string
}

/**
 * Takes all parameters `digue` out of the query of `target`, wherever they stand; the first one is the
 * token. Undefined when there is none.
 */
export function takeParameter(target: string): TakenParameter | undefined {
  const query = target.indexOf('?') + 1
  if (query === 0) return undefined
  let at = nextParameter(target, query, query)
  if (at === -1) return undefined
  let token: string | undefined
  let rest = target.slice(0, query)
  let from = query
  while (at !== -1) {
    let end = target.indexOf('&', at)
    if (end === -1) end = target.length
    token ??= end - at - ASSIGNED.length > MOST_VALUE ? '' : target.slice(at + ASSIGNED.length, end)
    rest += target.slice(from, at)
    if (end < target.length) from = end + 1
    else {
      // The last parameter takes the "&" or "?" before it along.
      rest = rest.slice(0, -1)
      from = end
    }
    at = end < target.length ? nextParameter(target, query, end + 1) : -1
  }
  return { target: rest + target.slice(from), token: token! }
}

/** `target` with our parameter as its last, any other of ours taken out. */
export function withParameter(target: string, token: string): string {
  const clean = takeParameter(target)?.target ?? target
  return `${clean}${clean.includes('?') ? '&' : '?'}${ASSIGNED}${token}`
}

/** The start of our next parameter from `from` on; -1 when there is none. A value may hold a "?". */
function nextParameter(target: string, query: number, from: number): number {
  for (
    let at = target.indexOf(ASSIGNED, from);
    at !== -1;
    at = target.indexOf(ASSIGNED, at + ASSIGNED.length)
  )
    if (at === query || target.charCodeAt(at - 1) === 38) return at
  return -1
}
