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
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

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

const NAME_BYTES = 16
const HMAC_BYTES = 32
/** name, iv, one cipher block, HMAC. */
const SMALLEST_TICKET = NAME_BYTES + 16 + 16 + HMAC_BYTES

/** Which key a ticket names, -1 for none: nothing is proved by it yet. */
export function ticketKeyIndex(ticket: Uint8Array, set: TicketKeySet): number {
  if (ticket.length < SMALLEST_TICKET) return -1
  const keys = set.keys
  search: for (let i = 0; i < keys.length; i++) {
    const bytes = keys[i]!.bytes
    for (let j = 0; j < NAME_BYTES; j++) if (bytes[j] !== ticket[j]) continue search
    return i
  }
  return -1
}

/**
 * The key that sealed `ticket`, when the HMAC proves that we did; undefined for anything else.
 * One HMAC (about 4 µs) against a handshake (about 1 ms).
 */
export function sealedBy(ticket: Uint8Array, set: TicketKeySet): TicketKey | undefined {
  const index = ticketKeyIndex(ticket, set)
  if (index < 0) return undefined
  const key = set.keys[index]!
  const sealed = ticket.length - HMAC_BYTES
  const expected = createHmac('sha256', key.bytes.subarray(16, 32))
    .update(ticket.subarray(0, sealed))
    .digest()
  return timingSafeEqual(expected, ticket.subarray(sealed)) ? key : undefined
}
