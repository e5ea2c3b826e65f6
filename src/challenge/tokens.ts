/**
 * The grammar all tokens share: `1.<field>.<field>.….<MAC>`.
 *
 * Fields are base36 numbers (lower case, no leading zero) or base64url. There is exactly one spelling for
 * every token: a MAC covers the text as it was sent, not what it means, and a second spelling of
 * the same proof would otherwise be a second clearance with a second meter. So nothing here repairs: what
 * is not spelled as Digue spells it is malformed.
 *
 * A token does not name its key. Its date does: keys change every 30 days (keys.ts), and the date in a
 * token, checked against the clock before anything is hashed, says which one signed it.
 */
import type { KeyRing, Purpose } from './keys.ts'
import { VERSION } from './protocol.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Six bits per byte that is a base64url character, 64 for every other byte. */
const SEXTETS: Uint8Array = new Uint8Array(128).fill(64)
for (let i = 0; i < 64; i++) SEXTETS[ALPHABET.charCodeAt(i)] = i

/** Value of the base64url character at `at`; 64 when it is none. */
export function sextet(text: string, at: number): number {
  const unit = text.charCodeAt(at)
  return unit < 128 ? SEXTETS[unit]! : 64
}

/** `text` is how `bytes` bytes are spelled in base64url, the spare bits of the last character zero. */
export function isBase64url(text: string, bytes: number): boolean {
  const length = Math.ceil((bytes * 4) / 3)
  if (text.length !== length) return false
  for (let i = 0; i < length; i++) if (sextet(text, i) === 64) return false
  const spare = length * 6 - bytes * 8
  return length === 0 || (sextet(text, length - 1) & ((1 << spare) - 1)) === 0
}

/** How many bytes `text` spells in base64url; -1 when that is not how it is spelled. */
export function base64urlBytes(text: string): number {
  const bytes = Math.floor((text.length * 3) / 4)
  return isBase64url(text, bytes) ? bytes : -1
}

/** The first `bytes` bytes of what `text` spells in base64url, spelled in base64url. */
export function cutBase64url(text: string, bytes: number): string {
  const last = Math.ceil((bytes * 4) / 3) - 1
  const spare = (last + 1) * 6 - bytes * 8
  return text.slice(0, last) + ALPHABET[sextet(text, last) & (63 << spare)]!
}

const MOST_DIGITS = 10

/** A whole number of at most ten base36 digits as `toString(36)` writes it; -1 for anything else. */
export function readBase36(text: string): number {
  const length = text.length
  if (length === 0 || length > MOST_DIGITS) return -1
  if (length > 1 && text.charCodeAt(0) === 48) return -1
  let value = 0
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i)
    if (unit >= 48 && unit <= 57) value = value * 36 + unit - 48
    else if (unit >= 97 && unit <= 122) value = value * 36 + unit - 87
    else return -1
  }
  return value
}

/**
 * The fields of a token between version and MAC, then the MAC; undefined when `text` is not shaped like a
 * token with `fields` fields in at most `mostLength` characters.
 */
export function splitToken(text: string, fields: number, mostLength: number): string[] | undefined {
  if (text.length > mostLength || text.charCodeAt(0) !== VERSION.charCodeAt(0) || text.charCodeAt(1) !== 46)
    return undefined
  const parts = text.slice(2).split('.', fields + 2)
  return parts.length === fields + 1 && isBase64url(parts[fields]!, MAC_BYTES) ? parts : undefined
}

export const MAC_BYTES = 16
/** Characters of a MAC in base64url. */
export const MAC_LENGTH = 22

/** `body`, which begins with the version, with its MAC for one site. */
export function sign(keys: KeyRing, purpose: Purpose, site: string, body: string, period: number): string {
  return `${body}.${keys.macText(purpose, `${site}\n${body}`, period)}`
}

/** The MAC at the end of `text` is ours, for this purpose and site. `text` has passed `splitToken`. */
export function isSigned(
  keys: KeyRing,
  purpose: Purpose,
  site: string,
  text: string,
  period: number,
): boolean {
  const dot = text.length - MAC_LENGTH - 1
  // A site's name has no line feed, so no other site and body make the same text.
  return sameText(keys.macText(purpose, `${site}\n${text.slice(0, dot)}`, period), text.slice(dot + 1))
}

/** Equality in a time that depends on the lengths only. */
export function sameText(one: string, other: string): boolean {
  if (one.length !== other.length) return false
  let difference = 0
  for (let i = 0; i < one.length; i++) difference |= one.charCodeAt(i) ^ other.charCodeAt(i)
  return difference === 0
}
