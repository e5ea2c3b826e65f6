/**
 * Which stored response a request selects beside its URI (RFC 9111 §4.1): the fields that Vary nominates,
 * normalised, so that requests which mean the same select the same.
 *
 * Normalising must never merge what an origin may tell apart. Accept-Encoding becomes the set of codings
 * that are acceptable and in use; what it leaves out (deflate, preferences) is made up for by looking
 * whether the stored coding is acceptable. Accept-Language is ordered by weight, and among equal weights,
 * whose order has no meaning (RFC 9110 §12.5.4), by name. Everything else only loses blanks around commas.
 */
import { equalsIgnoringCase, type FieldLines, fieldList, fieldValue, isForwardingField } from '#http'

/** More names, or longer values, are not worth storing: whoever varies on so much shares with nobody. */
const MOST_NAMES = 32
const MOST_VARIANT = 4096
const MOST_LANGUAGES = 32
const MOST_CODINGS = 32

/** Digue writes these itself, from what the primary key holds. */
const IN_THE_KEY: ReadonlySet<string> = new Set(['host', 'x-forwarded-proto', 'x-forwarded-host'])

/** Names that a response varies on: lower case, sorted, each once. undefined: on more than can be known ("*", too many). */
export function varyOf(fields: FieldLines): readonly string[] | undefined {
  const list = fieldList(fields, 'vary')
  if (list === undefined) return NO_NAMES
  if (list.length > MOST_VARIANT) return undefined
  const names = new Set<string>()
  for (const member of list.split(',')) {
    const name = member.trim().toLowerCase()
    if (name === '' || IN_THE_KEY.has(name)) continue
    // Forwarding fields carry the client's address: a page for each.
    if (name === '*' || isForwardingField(name)) return undefined
    names.add(name)
    if (names.size > MOST_NAMES) return undefined
  }
  return names.size === 0 ? NO_NAMES : [...names].sort()
}

const NO_NAMES: readonly string[] = []

/** The secondary key: values of `vary` in `fields`, normalised; undefined when they are too long to be kept. */
export function variantOf(vary: readonly string[], fields: FieldLines): string | undefined {
  if (vary.length === 0) return ''
  let variant = ''
  for (const name of vary) {
    const value = normalised(name, fields)
    // No field value holds a line break, so nothing can be shifted from one field to the next.
    variant += value === undefined ? `${name}\n` : `${name}:${value}\n`
    if (variant.length > MOST_VARIANT) return undefined
  }
  return variant
}

/** The secondary key of a part: beside others of the same variant, by what it was asked for with. No field's name begins so. */
export function partVariant(variant: string, range: string): string {
  return `${variant}(${range})\n`
}

/** The secondary key that the whole would have. */
export function withoutPart(variant: string): string {
  return variant.replace(/(?<![^\n])\([^\n]*\)\n$/, '')
}

function normalised(name: string, fields: FieldLines): string | undefined {
  if (name === 'cookie') return cookiesOf(fields)
  const value = fieldList(fields, name)
  if (value === undefined) return undefined
  if (name === 'accept-encoding') return acceptedCodings(value).text
  if (name === 'accept-language')
    return languages(value)
      .map(({ tag, q }) => `${tag};${q}`)
      .join()
  return value
    .split(',')
    .map((member) => member.trim())
    .join()
}

/** All cookies as one value; undefined when there are none. Digue's own were taken out by the edge. */
export function cookiesOf(fields: FieldLines): string | undefined {
  let kept: string | undefined
  for (let i = 0; i < fields.length; i += 2) {
    if (!equalsIgnoringCase(fields[i]!, 'cookie')) continue
    const value = fields[i + 1]!
    if (value !== '') kept = kept === undefined ? value : `${kept}; ${value}`
  }
  return kept
}

/** Content codings that a request accepts (RFC 9110 §12.5.3), of those that are in use. */
export interface Codings {
  readonly br: boolean
  readonly gzip: boolean
  readonly zstd: boolean
  readonly identity: boolean
  /** As secondary key. */
  readonly text: string
}

/** No Accept-Encoding: anything would be allowed, but whoever does not ask can seldom decode. */
const IDENTITY_ONLY: Codings = { br: false, gzip: false, zstd: false, identity: true, text: 'identity' }

// A dozen spellings make up nearly all of a site's requests; a flood with random ones empties it now and then.
const seen = new Map<string, Codings>()
const MOST_SEEN = 64

export function codingsOf(fields: FieldLines): Codings {
  const value = fieldValue(fields, 'accept-encoding')
  return value === undefined ? IDENTITY_ONLY : acceptedCodings(fieldList(fields, 'accept-encoding')!)
}

function acceptedCodings(list: string): Codings {
  const known = seen.get(list)
  if (known !== undefined) return known
  const codings = readCodings(list)
  if (list.length <= 128) {
    if (seen.size >= MOST_SEEN) seen.clear()
    seen.set(list, codings)
  }
  return codings
}

function readCodings(list: string): Codings {
  const weights = new Map<string, number>()
  for (const member of list.split(',', MOST_CODINGS)) {
    const { token, q } = weighted(member)
    if (token !== '') weights.set(token === 'x-gzip' ? 'gzip' : token, q)
  }
  const others = weights.get('*')
  const accepts = (coding: string) => (weights.get(coding) ?? others ?? 0) > 0
  const br = accepts('br')
  const gzip = accepts('gzip')
  const zstd = accepts('zstd')
  const identity = (weights.get('identity') ?? others ?? 1) > 0
  const text = [br && 'br', gzip && 'gzip', identity && 'identity', zstd && 'zstd'].filter(Boolean).join()
  return { br, gzip, zstd, identity, text }
}

/** Whether a client gets along with a stored Content-Encoding; of codings not known here it is the origin that knows. */
export function acceptsCoding(coding: string | undefined, codings: Codings): boolean {
  switch (coding) {
    case undefined:
    case 'identity':
      return codings.identity
    case 'br':
      return codings.br
    case 'gzip':
    case 'x-gzip':
      return codings.gzip
    case 'zstd':
      return codings.zstd
    default:
      return false
  }
}

export interface LanguageRange {
  /** Lower case. */
  readonly tag: string
  readonly q: number
}

/** Languages that a request asks for, most wanted first (RFC 9110 §12.5.4). */
export function languages(list: string): readonly LanguageRange[] {
  const ranges: LanguageRange[] = []
  for (const member of list.split(',', MOST_LANGUAGES)) {
    const { token, q } = weighted(member)
    if (token !== '') ranges.push({ tag: token, q })
  }
  return ranges.sort((a, b) => b.q - a.q || (a.tag < b.tag ? -1 : a.tag > b.tag ? 1 : 0))
}

/** A list member with its weight (RFC 9110 §12.4.2), in lower case; a malformed weight is 0. */
function weighted(member: string): { token: string; q: number } {
  const semicolon = member.indexOf(';')
  if (semicolon === -1) return { token: member.trim().toLowerCase(), q: 1 }
  const weight = /;[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)[ \t]*$/i.exec(member.slice(semicolon))
  return {
    token: member.slice(0, semicolon).trim().toLowerCase(),
    q: weight === null ? 0 : Number(weight[1]),
  }
}
