/**
 * Keys of TLS session tickets: made by the main side, held by every thread, rotated.
 *
 * A ticket is sealed under a key of 48 bytes (16 name, 16 HMAC-SHA256, 16 AES-128-CBC; OpenSSL's
 * layout). Node's SecureContext takes one such key, so old tickets would die at each rotation. But
 * the ClientHello is read before OpenSSL sees it, and the key's name stands in clear at the front of
 * the ticket: the handshake is given the context that holds the ticket's own key. The newest key
 * seals new tickets; the one before it still resumes; older ones only prove that Digue issued the
 * ticket (handshake-gate.ts lets their holders in first), and a full handshake renews them.
 *
 * The other way, `context.enableTicketKeyCallback()`, would let OpenSSL renew a ticket under the new
 * key, but it is internal to Node and calls JavaScript for every ticket sealed.
 *
 * Keys say in which weather they seal. Tickets given out during a flood resume but prove nothing:
 * the flood's own clients hold them too.
 */
import { randomBytes } from 'node:crypto'

export interface TicketKey {
  /** 48 bytes. A Uint8Array, as it crosses threads. */
  readonly bytes: Uint8Array
  readonly calm: boolean
  readonly madeAtMs: number
}

/** Newest first. Plain data: it is posted to the threads. */
export interface TicketKeySet {
  readonly keys: readonly TicketKey[]
}

/** Keys kept: with a rotation every six hours, a visitor of yesterday is still known. */
export const MOST_KEYS = 6

function makeKey(calm: boolean, nowMs: number): TicketKey {
  return { bytes: new Uint8Array(randomBytes(48)), calm, madeAtMs: nowMs }
}

export function newTicketKeySet(nowMs: number = Date.now()): TicketKeySet {
  return { keys: [makeKey(true, nowMs)] }
}

/** Puts a fresh key in front. Call every six hours, and when the weather changes between calm and flooded. */
export function rotateTicketKeys(set: TicketKeySet, calm: boolean, nowMs: number = Date.now()): TicketKeySet {
  return { keys: [makeKey(calm, nowMs), ...set.keys].slice(0, MOST_KEYS) }
}
