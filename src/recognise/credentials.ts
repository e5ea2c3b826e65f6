/**
 * What a client can show that the operator gave it: a key in a header field, the cookie of a login.
 *
 * A key. The configuration holds SHA-256 of it: who reads the configuration cannot present the key. (A
 * plain hash is enough for a random key of 128 bits and more; it does not protect a word that can be
 * guessed.) Comparing hashes in constant time, all of a header's without stopping at the first that
 * fits, leaves nothing to measure from outside.
 *
 * A login. The cookie is the site's own; Digue checks its signature with the site's secret, in the two
 * forms most frameworks write: cookie-signature (Express) and a JSON Web Token with HMAC-SHA-256
 * (RFC 7515, 7519). The signature is made anew and compared as text, so there is one spelling of it; no
 * base64 of a stranger is decoded and no JSON of his parsed before it fits. A key confusion needs a
 * checker that does as the token's header says: here the header may only agree.
 *
 * All lengths are bounded, and so are the tries, for a flood may make each of its requests try: HMAC
 * over 4 kB takes 15 µs.
 */
import { createHmac, createSecretKey, hash, type KeyObject, timingSafeEqual } from 'node:crypto'
import { equalsIgnoringCase, type FieldLines } from '#http'

/** Longer values are not looked at: no key and no session cookie is. */
const MOST_CHARS = 4096
/** Field lines, and cookies, of one name that are tried. */
const MOST_TRIES = 4
/** How far the clocks of the site and of Digue may be apart, s. */
const SKEW_S = 30

/** SHA-256 of a key as the configuration wants it: 64 hexadecimal digits. */
export function hashToken(value: string): string {
  return hash('sha256', Buffer.from(value, 'utf8'), 'hex')
}

export interface HeaderToken {
  /** Name of the field, in any case. */
  readonly header: string
  readonly sha256: string
  readonly lane: 'operator' | 'known' | 'paid'
  /** For the log. */
  readonly name: string
}

interface Header {
  readonly lower: string
  /** "Bearer abc": the key is what follows the scheme. */
  readonly hasScheme: boolean
  readonly tokens: { readonly digest: Buffer; readonly token: HeaderToken }[]
}

/** The operator's keys. */
export class HeaderTokens {
  readonly #headers: Header[] = []

  constructor(tokens: readonly HeaderToken[]) {
    for (const token of tokens) {
      // What is no SHA-256 is nobody's key; the configuration's check names it.
      if (!/^[0-9a-f]{64}$/i.test(token.sha256)) continue
      const lower = token.header.toLowerCase()
      let header = this.#headers.find((known) => known.lower === lower)
      if (header === undefined) {
        header = { lower, hasScheme: lower === 'authorization', tokens: [] }
        this.#headers.push(header)
      }
      header.tokens.push({ digest: Buffer.from(token.sha256, 'hex'), token })
    }
  }

  /** The key that the request shows; undefined when it shows none of them. */
  find(fields: FieldLines): HeaderToken | undefined {
    for (const header of this.#headers) {
      let tries = 0
      for (let i = 0; i < fields.length && tries < MOST_TRIES; i += 2) {
        if (!equalsIgnoringCase(fields[i]!, header.lower)) continue
        tries++
        const found = presented(header, fields[i + 1]!)
        if (found !== undefined) return found
      }
    }
    return undefined
  }
}

function presented(header: Header, field: string): HeaderToken | undefined {
  if (field.length > MOST_CHARS) return undefined
  const value = header.hasScheme ? field.slice(field.indexOf(' ') + 1).trim() : field.trim()
  if (value === '') return undefined
  // Field values are bytes, one in each character.
  const digest = hash('sha256', Buffer.from(value, 'latin1'), 'buffer')
  let found: HeaderToken | undefined
  for (const entry of header.tokens) {
    const fits = timingSafeEqual(digest, entry.digest)
    if (fits) found ??= entry.token
  }
  return found
}

export const LOGIN_CHECKS = ['none', 'express-hmac', 'jwt-hs256'] as const
export type LoginCheck = (typeof LOGIN_CHECKS)[number]

export interface LoginCookieOptions {
  readonly name: string
  readonly check: LoginCheck
  /** Without one no signature is valid. */
  readonly secret?: string | undefined
}

/**
 * The cookie that the site sets at login. A valid one says that the site made it, and with a JWT that it
 * has not run out. It does not say who shows it, nor, for a framework that gives every stranger a
 * session, that anybody logged in: whoever opens a lane for it meters it by `accountOf`.
 */
export class LoginCookie {
  readonly #name: string
  readonly #check: LoginCheck
  readonly #key: KeyObject | undefined

  constructor({ name, check, secret }: LoginCookieOptions) {
    this.#name = name
    this.#check = check
    this.#key =
      secret === undefined || secret === '' ? undefined : createSecretKey(Buffer.from(secret, 'utf8'))
  }

  /** A cookie of the name is there, with a value. Anybody can write that. */
  isPresent(cookieField: string): boolean {
    const at = cookieAfter(cookieField, this.#name, 0)
    return at !== -1 && valueAt(cookieField, at) !== ''
  }

  /** Never with the check `none`: there, only the site's own answer can vouch for the cookie. */
  isValid(cookieField: string, nowS: number): boolean {
    return this.#validValue(cookieField, nowS) !== undefined
  }

  /**
   * Short name of the valid login in `cookieField`, the same each time it is shown; undefined when none is
   * valid. A cookie that a thousand machines share is one account.
   */
  accountOf(cookieField: string, nowS: number): string | undefined {
    const value = this.#validValue(cookieField, nowS)
    return value === undefined ? undefined : hash('sha256', value, 'base64url').slice(0, 11)
  }

  #validValue(cookieField: string, nowS: number): string | undefined {
    const key = this.#key
    if (key === undefined || this.#check === 'none') return undefined
    let at = 0
    // A sibling domain may have set a cookie of the same name: the first that the site signed counts.
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      at = cookieAfter(cookieField, this.#name, at)
      if (at === -1) return undefined
      const value = valueAt(cookieField, at)
      if (value.length > 0 && value.length <= MOST_CHARS && isSigned(this.#check, value, key, nowS))
        return value
    }
    return undefined
  }
}

function isSigned(check: 'express-hmac' | 'jwt-hs256', value: string, key: KeyObject, nowS: number): boolean {
  switch (check) {
    case 'express-hmac':
      return isExpressSigned(value, key)
    case 'jwt-hs256':
      return isJwtSigned(value, key, nowS)
    default:
      check satisfies never
      return false
  }
}

/** `s:<value>.<base64 without padding>` of npm's cookie-signature, URL-encoded by Express. */
function isExpressSigned(cookie: string, key: KeyObject): boolean {
  let text = cookie
  if (cookie.includes('%')) {
    try {
      text = decodeURIComponent(cookie)
    } catch {
      return false
    }
  }
  const dot = text.lastIndexOf('.')
  if (!text.startsWith('s:') || dot < 2) return false
  const expected = createHmac('sha256', key).update(text.slice(2, dot), 'utf8').digest('base64')
  return sameText(text.slice(dot + 1), expected.slice(0, -1))
}

/** RFC 7515 compact form: `<header>.<payload>.<signature>`, each base64url. */
function isJwtSigned(token: string, key: KeyObject, nowS: number): boolean {
  const first = token.indexOf('.')
  const second = token.indexOf('.', first + 1)
  if (first < 1 || second < first + 2 || token.indexOf('.', second + 1) !== -1) return false
  const expected = createHmac('sha256', key).update(token.slice(0, second), 'latin1').digest('base64url')
  if (!sameText(token.slice(second + 1), expected)) return false
  const header = jsonOf(token.slice(0, first))
  // "crit" names extensions that one must understand; none are (RFC 7515 §4.1.11).
  if (header === undefined || header['alg'] !== 'HS256' || 'crit' in header) return false
  const payload = jsonOf(token.slice(first + 1, second))
  if (payload === undefined) return false
  const { exp, nbf } = payload
  return (
    (exp === undefined || (isTime(exp) && nowS < exp + SKEW_S)) &&
    (nbf === undefined || (isTime(nbf) && nowS >= nbf - SKEW_S))
  )
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

/** A JSON object in base64url; undefined for anything else. Only for what the site has signed. */
function jsonOf(text: string): Record<string, unknown> | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) return undefined
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

/** In a time that depends on the lengths only. */
function sameText(given: string, expected: string): boolean {
  // A character beyond a byte would shrink to one: not the same text.
  if (given.length !== expected.length || /[^\x21-\x7e]/.test(given)) return false
  return timingSafeEqual(Buffer.from(given, 'latin1'), Buffer.from(expected, 'latin1'))
}

const EQUALS = 61

/**
 * Where the value of the next cookie called `name` begins, from `from` on; -1 without one. Pairs end at
 * ";", and at "," too: Cookie lines of one h2 request are joined by one.
 */
function cookieAfter(field: string, name: string, from: number): number {
  let at = field.indexOf(name, from)
  while (at !== -1) {
    const end = at + name.length
    if (field.charCodeAt(end) === EQUALS && beginsPair(field, at)) return end + 1
    at = field.indexOf(name, at + 1)
  }
  return -1
}

function beginsPair(field: string, at: number): boolean {
  let i = at - 1
  while (i >= 0 && (field.charCodeAt(i) === 32 || field.charCodeAt(i) === 9)) i--
  return i < 0 || field.charCodeAt(i) === 59 || field.charCodeAt(i) === 44
}

function valueAt(field: string, at: number): string {
  let end = at
  for (; end < field.length; end++) {
    const c = field.charCodeAt(end)
    if (c === 59 || c === 44) break
  }
  const value = field.slice(at, end).trim()
  // RFC 6265 §4.1.1 allows quotes around it.
  return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
}
