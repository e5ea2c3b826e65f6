/**
 * The clearance: what a proof buys. `1.<id>.<effort>.<budget ms>.<issued s>.<life s>.<MAC>`
 *
 * It says how much of the origin's time its holder may have (`budgetMs`) and nothing about how much is
 * gone: that is kept by id in a table (meter.ts), for a meter inside the cookie would be sent again at
 * its fullest. The id comes from challenge and seed alone, so a proof that is sent a hundred times, to
 * several machines, or with more parts, is one id and one meter: a replay wins nothing, and needs no table.
 * Nor does it win time: a clearance's life begins with the epoch of its challenge, whenever the proof comes.
 *
 * It is bound to the site and not to an address: visitors change theirs. Shared among many it is
 * still one meter.
 */
import { challengeIssuedS } from './challenge.ts'
import type { KeyRing } from './keys.ts'
import type { Proof } from './proof.ts'
import { CLEARANCE_MOST_S, CLEARANCE_S, CLOCK_SKEW_S, type TokenFault, VERSION } from './protocol.ts'
import { cutBase64url, isBase64url, isSigned, readBase36, sign, splitToken } from './tokens.ts'

export const ID_BYTES = 8
/** 11 + 3 + 6 + 7 + 3 characters of fields with their dots, and a MAC. */
const MOST_CLEARANCE = 64
/** 36^3 − 1 and 36^6 − 1: as much as the fields above hold. */
const MOST_EFFORT = 46_655
const MOST_BUDGET_MS = 2_176_782_335

export interface Clearance {
  /** 8 bytes in base64url: the meter's key. */
  readonly id: string
  /** Parts proved: what orders it within its lane. */
  readonly effort: number
  /** Origin milliseconds it pays for, renewals included. */
  readonly budgetMs: number
  /** Of the proof, also after renewals. */
  readonly issuedS: number
  readonly expiresS: number
}

/** What a proof buys whose challenge has been believed and whose parts have been checked. */
export function grantClearance(
  keys: KeyRing,
  site: string,
  proof: Pick<Proof, 'challenge' | 'seed'>,
  bought: Pick<Clearance, 'effort' | 'budgetMs'>,
): Clearance {
  const issuedS = challengeIssuedS(proof.challenge)
  const id = clearanceId(keys, site, proof)
  return { id, ...bought, issuedS, expiresS: issuedS + CLEARANCE_S }
}

/** The same for the same proof, whenever and wherever it is sent. */
export function clearanceId(keys: KeyRing, site: string, proof: Pick<Proof, 'challenge' | 'seed'>): string {
  const text = `${site}\n${proof.challenge}\n${proof.seed.toString('base64url')}`
  const period = keys.period(challengeIssuedS(proof.challenge))
  return cutBase64url(keys.macText('clearance-id', text, period), ID_BYTES)
}

export function writeClearance(keys: KeyRing, site: string, clearance: Clearance): string {
  const { id, effort, budgetMs, issuedS, expiresS } = clearance
  const numbers = [
    Math.min(MOST_EFFORT, Math.max(0, Math.floor(effort))),
    Math.min(MOST_BUDGET_MS, Math.max(0, Math.floor(budgetMs))),
    issuedS,
    expiresS - issuedS,
  ]
  const body = `${VERSION}.${id}.${numbers.map((number) => number.toString(36)).join('.')}`
  return sign(keys, 'clearance', site, body, keys.period(issuedS))
}

export function readClearance(
  keys: KeyRing,
  site: string,
  text: string,
  nowS: number,
): Clearance | TokenFault {
  const fields = splitToken(text, 5, MOST_CLEARANCE)
  if (fields === undefined) return 'malformed'
  const id = fields[0]!
  const effort = readBase36(fields[1]!)
  const budgetMs = readBase36(fields[2]!)
  const issuedS = readBase36(fields[3]!)
  const lifeS = readBase36(fields[4]!)
  if (!isBase64url(id, ID_BYTES) || effort < 0 || budgetMs < 0 || issuedS < 0 || lifeS < 0) return 'malformed'
  if (effort > MOST_EFFORT || budgetMs > MOST_BUDGET_MS || lifeS > CLEARANCE_MOST_S) return 'malformed'
  if (issuedS > nowS + CLOCK_SKEW_S) return 'future'
  if (issuedS + lifeS <= nowS) return 'expired'
  if (!isSigned(keys, 'clearance', site, text, keys.period(issuedS))) return 'forged'
  return { id, effort, budgetMs, issuedS, expiresS: issuedS + lifeS }
}

/**
 * The same clearance for longer; undefined while a third of a life is left, and when the proof is as old
 * as it may become. Its budget is not renewed, only its time. Only for an exchange that the clearance pays
 * for: what `meteredUntilS` promises rests on it.
 */
export function renewed(clearance: Clearance, nowS: number): Clearance | undefined {
  const { issuedS, expiresS } = clearance
  if (expiresS <= nowS || (expiresS - nowS) * 3 >= CLEARANCE_S) return undefined
  const expires = Math.min(nowS + CLEARANCE_S, issuedS + CLEARANCE_MOST_S)
  return expires > expiresS ? { ...clearance, expiresS: expires } : undefined
}

/** Between the admission of an exchange and its answer's head, in which a renewal goes out, s. */
const EXCHANGE_S = 120

/**
 * Until when what this clearance spends has to be remembered: as long as anybody can hold a clearance
 * with this id, one that this very exchange renews at its end included. Not simply for the longest life
 * there is: that would fill the meter six times as fast.
 */
export function meteredUntilS(clearance: Clearance, nowS: number): number {
  return (
    renewed(clearance, Math.min(nowS + EXCHANGE_S, clearance.expiresS - 1))?.expiresS ?? clearance.expiresS
  )
}
