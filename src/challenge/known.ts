/**
 * The known visitor's token: that somebody was here before, on other days, and who is nobody's business.
 * `1.<id>.<last day>.<days before it>.<days seen>.<login>.<MAC>`
 *
 * It is given out in calm weather only, to who is let through anyway, and opens the known lane in a flood
 * to whoever came on two different days at least, or was vouched for by the operator's login. It
 * holds day numbers and a random id that is new every day: enough to meter an hour, too little to
 * follow anybody.
 *
 * Harvesting. Whoever plans a flood collects tokens first. Visiting twice is cheap; what he cannot choose
 * freely are networks. So `KnownQuota` bounds the tokens given per prefix and per network (ASN) and day.
 * All tokens, not new ones only: a token of yesterday, shown by ten thousand bots today, would otherwise
 * become ten thousand tokens with meters of their own. A visitor who finds the quota used up keeps
 * the token he has, which is good for 60 days more; a new one becomes known a day later.
 */
import { CountMin, type HashKey } from '#kit'
import type { KeyRing } from './keys.ts'
import { CLOCK_SKEW_S, type TokenFault, VERSION } from './protocol.ts'
import { isBase64url, isSigned, readBase36, sign, splitToken } from './tokens.ts'

const DAY_S = 86_400
/** How long after the last visit one is still known. */
export const KNOWN_DAYS = 60
export const KNOWN_S = KNOWN_DAYS * DAY_S
/** Different days on which one must have come. */
const LEAST_DAYS = 2
/** The days of an id: the meter knows ids of 8 bytes. */
const ID_BYTES = 8
/** Dates are five base36 digits at most: until the year 165,000. */
const MOST_DAY = 36 ** 5 - 1
const MOST_KNOWN = 64

export interface KnownToken {
  /** 8 random bytes in base64url, new every day: the key of its meter. */
  readonly id: string
  /** Days since the epoch, UTC. */
  readonly firstDay: number
  readonly lastDay: number
  /** Different days seen, at most 60. */
  readonly days: number
  /** The operator's login cookie vouched for it. */
  readonly login: boolean
}

export function dayOf(nowS: number): number {
  return Math.floor(nowS / DAY_S)
}

/**
 * The token that a visit today brings; undefined when it brings nothing new. `random8` is 8 random bytes in base64url,
 * `vouched` whether the operator's login came with the visit.
 */
export function earn(
  token: KnownToken | undefined,
  nowS: number,
  random8: string,
  vouched = false,
): KnownToken | undefined {
  const today = dayOf(nowS)
  if (token === undefined || today - token.lastDay > KNOWN_DAYS)
    return { id: random8, firstDay: today, lastDay: today, days: 1, login: vouched }
  if (token.lastDay >= today) {
    // The same day is the same id: it would be a second meter.
    return vouched && !token.login ? { ...token, login: true } : undefined
  }
  return {
    id: random8,
    firstDay: token.firstDay,
    lastDay: today,
    days: Math.min(KNOWN_DAYS, token.days + 1),
    login: token.login || vouched,
  }
}

/** It opens the known lane. */
export function isKnown(token: KnownToken, nowS: number): boolean {
  if (dayOf(nowS) - token.lastDay > KNOWN_DAYS) return false
  return token.login || token.days >= LEAST_DAYS
}

export function writeKnown(keys: KeyRing, site: string, token: KnownToken): string {
  const { id, firstDay, lastDay, days, login } = token
  const numbers = [lastDay, lastDay - firstDay, days].map((number) => number.toString(36)).join('.')
  const body = `${VERSION}.${id}.${numbers}.${login ? 1 : 0}`
  return sign(keys, 'known', site, body, periodOf(keys, lastDay))
}

export function readKnown(keys: KeyRing, site: string, text: string, nowS: number): KnownToken | TokenFault {
  const fields = splitToken(text, 5, MOST_KNOWN)
  if (fields === undefined) return 'malformed'
  const id = fields[0]!
  const lastDay = readBase36(fields[1]!)
  const before = readBase36(fields[2]!)
  const days = readBase36(fields[3]!)
  const login = fields[4]!
  if (!isBase64url(id, ID_BYTES) || (login !== '0' && login !== '1')) return 'malformed'
  if (lastDay < 0 || lastDay > MOST_DAY || before < 0 || before > lastDay) return 'malformed'
  if (days < 1 || days > KNOWN_DAYS || days > before + 1) return 'malformed'
  if (lastDay > dayOf(nowS + CLOCK_SKEW_S)) return 'future'
  if (dayOf(nowS) - lastDay > KNOWN_DAYS) return 'expired'
  if (!isSigned(keys, 'known', site, text, periodOf(keys, lastDay))) return 'forged'
  return { id, firstDay: lastDay - before, lastDay, days, login: login === '1' }
}

function periodOf(keys: KeyRing, day: number): number {
  return keys.period(day * DAY_S)
}

/** A carrier's /24 may stand for ten thousand subscribers, of which a site sees some dozens in a day. */
export const QUOTA_PREFIX = 64
/** The largest provider of a country: a site with more visitors from it per day learns to know them over several. */
export const QUOTA_ASN = 4096
/** Cells per row: an estimate is too high by e / 32,768 of a day's tokens, 8 of 100,000. */
const QUOTA_WIDTH = 32_768

export interface KnownQuotaOptions {
  /** Threads that share the work: each gives its part of the quota. */
  readonly threads?: number
  readonly key?: HashKey
  readonly count?: (counter: string, by?: number) => void
}

/**
 * How many known tokens a prefix and a network may be given per day (UTC): per thread, in 1 MB whatever
 * comes. An estimate may be too high, never too low: what that costs is a visitor's day, not a bot's gain.
 */
export class KnownQuota {
  readonly #options: KnownQuotaOptions
  readonly #perPrefix: number
  readonly #perAsn: number
  #day = Number.NEGATIVE_INFINITY
  #given: CountMin

  constructor(options: KnownQuotaOptions = {}) {
    this.#options = options
    const threads = options.threads ?? 1
    this.#perPrefix = Math.ceil(QUOTA_PREFIX / threads)
    this.#perAsn = Math.ceil(QUOTA_ASN / threads)
    this.#given = this.#sketch()
  }

  /** Asked for every token before it is given; true counts as given. */
  mayGive(client: { readonly asn: number; readonly prefix: string }, nowS: number): boolean {
    const day = dayOf(nowS)
    if (day !== this.#day) {
      this.#day = day
      this.#given = this.#sketch()
    }
    const asn = client.asn > 0 ? `AS${client.asn}` : undefined
    const isOver =
      this.#given.estimate(client.prefix, 0) >= this.#perPrefix ||
      (asn !== undefined && this.#given.estimate(asn, 0) >= this.#perAsn)
    if (isOver) {
      this.#options.count?.('knownQuotaReached')
      return false
    }
    this.#given.add(client.prefix, 1, 0)
    if (asn !== undefined) this.#given.add(asn, 1, 0)
    return true
  }

  /** One window without an end: a day begins with a new sketch. */
  #sketch(): CountMin {
    const { key } = this.#options
    return new CountMin({ width: QUOTA_WIDTH, windowMs: Number.POSITIVE_INFINITY, ...(key ? { key } : {}) })
  }
}
