/**
 * A place in the waiting line, carried by whoever waits: the server keeps none of it.
 *
 *   1.<8 bytes base64url>.<MAC>                                                            36 characters
 *
 *   bytes 0–3    issued, seconds since the epoch
 *         4–5    how long before that its holder joined the line, s; 65,535 while it has not come back yet
 *         6–7    failed attempts at the price (2 bits), seconds from issue until the next poll (14 bits)
 *
 * A fresh ticket is no place in line: whoever asked once and never comes back must not lengthen it.
 *
 * Nor does a ticket say in which line its holder stands, or who he is. The line follows from the address
 * it is shown from (line.ts), so it cannot be passed on to those who would stand in somebody else's; and
 * two people who came in the same second hold the same text, which is all a ticket can tell about them.
 */
import type { KeyRing } from './keys.ts'
import { CLOCK_SKEW_S, type TokenFault, VERSION } from './protocol.ts'
import { isBase64url, isSigned, MAC_LENGTH, sign, splitToken } from './tokens.ts'

export interface Ticket {
  readonly issuedS: number
  /** Since when its holder is in line; 0 while it has not come back yet. */
  readonly joinedS: number
  /** When its holder is to ask next. */
  readonly dueS: number
  /** Failed attempts at the price, 0 to 3. */
  readonly tries: number
}

/** Nobody is waited for longer than this after the second in which they were to come. */
export const TICKET_S = 600

const PAYLOAD_BYTES = 8
const LENGTH = VERSION.length + 1 + Math.ceil((PAYLOAD_BYTES * 4) / 3) + 1 + MAC_LENGTH
const NOT_JOINED = 0xffff
const MOST_DUE_S = 0x3fff
const MOST_TRIES = 3

export function writeTicket(keys: KeyRing, site: string, ticket: Ticket): string {
  const { issuedS, joinedS, dueS, tries } = ticket
  const payload = Buffer.alloc(PAYLOAD_BYTES)
  payload.writeUInt32BE(issuedS)
  // Who has waited for 18 hours has waited for "18 hours or more".
  payload.writeUInt16BE(joinedS === 0 ? NOT_JOINED : within(issuedS - joinedS, NOT_JOINED - 1), 4)
  payload.writeUInt16BE((within(tries, MOST_TRIES) << 14) | within(dueS - issuedS, MOST_DUE_S), 6)
  return sign(keys, 'ticket', site, `${VERSION}.${payload.toString('base64url')}`, keys.period(issuedS))
}

export function readTicket(keys: KeyRing, site: string, text: string, nowS: number): Ticket | TokenFault {
  const fields = splitToken(text, 1, LENGTH)
  if (fields === undefined || !isBase64url(fields[0]!, PAYLOAD_BYTES)) return 'malformed'
  const payload = Buffer.from(fields[0]!, 'base64url')
  const issuedS = payload.readUInt32BE(0)
  const age = payload.readUInt16BE(4)
  const rest = payload.readUInt16BE(6)
  const dueS = issuedS + (rest & MOST_DUE_S)
  // Before the MAC: its date says which key to take, and keys are not derived for just any year.
  if (issuedS > nowS + CLOCK_SKEW_S) return 'future'
  if (dueS + TICKET_S < nowS) return 'expired'
  if (!isSigned(keys, 'ticket', site, text, keys.period(issuedS))) return 'forged'
  return { issuedS, joinedS: age === NOT_JOINED ? 0 : issuedS - age, dueS, tries: rest >>> 14 }
}

function within(value: number, most: number): number {
  return Math.max(0, Math.min(most, Math.round(value)))
}
