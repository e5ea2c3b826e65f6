/**
 * The challenge: what a client has to solve its parts over. `1.<epoch>.<prefix>.<MAC>`
 *
 * Nothing is stored when one is given out: the MAC over site, epoch and prefix is the challenge, and
 * whoever brings it back brings back all there is to know about it. It is the same for everybody of
 * a prefix within a minute; what makes two clients' work different is the seed each of them chooses.
 *
 * The prefix says to whom it was given, not who may bring it back: between a challenge and its proof a
 * phone changes from one network to another, and a dual-stack host from v6 to v4.
 */
import { assert } from '#kit'
import { type KeyRing, PERIOD_S } from './keys.ts'
import { CLOCK_SKEW_S, EPOCH_S, EPOCHS_VALID, type TokenFault, VERSION } from './protocol.ts'
import { base64urlBytes, isSigned, MAC_LENGTH, readBase36, sign, splitToken } from './tokens.ts'

/** The longest prefix text is that of a v6 network: "2001:db8:ffff::/48" and, spelled without "::", 43. */
const MOST_PREFIX = 64
const MOST_CHALLENGE = 1 + 1 + 10 + 1 + Math.ceil((MOST_PREFIX * 4) / 3) + 1 + MAC_LENGTH

/** A challenge that is ours and good now. */
export interface Challenge {
  /** To whom it was given: a prefix in CIDR form. */
  readonly prefix: string
  /** 16 bytes: what the parts are solved over. */
  readonly mac: Buffer
}

export function issueChallenge(keys: KeyRing, site: string, prefix: string, nowS: number): string {
  assert(prefix.length <= MOST_PREFIX, `prefix: expected at most ${MOST_PREFIX} characters, got ${prefix}`)
  const epoch = Math.floor(nowS / EPOCH_S)
  const name = Buffer.from(prefix, 'latin1').toString('base64url')
  return sign(keys, 'challenge', site, `${VERSION}.${epoch.toString(36)}.${name}`, periodOf(epoch))
}

export function readChallenge(
  keys: KeyRing,
  site: string,
  text: string,
  nowS: number,
): Challenge | TokenFault {
  const fields = splitToken(text, 2, MOST_CHALLENGE)
  if (fields === undefined) return 'malformed'
  const epoch = readBase36(fields[0]!)
  if (epoch < 0 || base64urlBytes(fields[1]!) < 0) return 'malformed'
  // Dates before MACs: an old challenge costs no hash.
  if (epoch > Math.floor((nowS + CLOCK_SKEW_S) / EPOCH_S)) return 'future'
  if (epoch + EPOCHS_VALID <= Math.floor(nowS / EPOCH_S)) return 'expired'
  if (!isSigned(keys, 'challenge', site, text, periodOf(epoch))) return 'forged'
  return {
    prefix: Buffer.from(fields[1]!, 'base64url').toString('latin1'),
    mac: Buffer.from(fields[2]!, 'base64url'),
  }
}

/** When the epoch of a challenge that `readChallenge` believed began, s. */
export function challengeIssuedS(text: string): number {
  return readBase36(text.slice(2, text.indexOf('.', 2))) * EPOCH_S
}

/** An epoch may begin in one period of keys and end in the next: the beginning counts. */
function periodOf(epoch: number): number {
  return Math.floor((epoch * EPOCH_S) / PERIOD_S)
}
