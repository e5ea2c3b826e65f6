/**
 * One puzzle, solved many times: the work a visitor proves.
 *
 * Part i of a proof is a 32-bit nonce for which
 *
 *     BLAKE2s-256( mac ‖ seed ‖ i ‖ nonce )      16 + 16 + 4 + 4 bytes, i and nonce big-endian
 *
 * begins with `bits` zero bits, counted from the highest bit of the first byte. `mac` is the challenge's,
 * `seed` is the client's own, so that nobody can work for somebody else's challenge and two visitors
 * behind one address never collide. A nonce exists with probability 1 - e^-(2^(32-bits)): always, for 26
 * bits and fewer.
 *
 * Many small parts instead of one big one: the time for one puzzle is exponentially distributed (p99 is
 * 4.6 times the mean), the sum of sixteen is not (1.7 times). They are also what a price can be raised by
 * without throwing away what was done.
 *
 * Why BLAKE2s, with what was measured and rejected: docs/decisions/puzzle.md. In short: SHA-256 has
 * instructions of its own in servers and none that a page could use; BLAKE2s has none anywhere, its
 * solver with all its fallbacks is 7 kB of script, and OpenSSL checks one part in a microsecond or less.
 */
import { hash } from 'node:crypto'
import { NONCE_BYTES, SEED_BYTES } from './proof.ts'
import { MOST_PARTS } from './protocol.ts'
import { maskOf, swapped, wordsOf } from './solver/blake2s.ts'
import { searchInJavaScript } from './solver/kernel-javascript.ts'

const MAC_BYTES = 16

/** 262,144 hashes in the mean. */
export const PART_BITS = 18

/** What is hashed for one part. */
export function partInput(mac: Uint8Array, seed: Uint8Array, index: number, nonce: number): Buffer {
  const input = Buffer.alloc(MAC_BYTES + SEED_BYTES + 4 + NONCE_BYTES)
  input.set(mac, 0)
  input.set(seed, MAC_BYTES)
  input.writeUInt32BE(index, MAC_BYTES + SEED_BYTES)
  input.writeUInt32BE(nonce, MAC_BYTES + SEED_BYTES + 4)
  return input
}

// Filled and hashed in one synchronous stretch.
const scratch = Buffer.alloc(MAC_BYTES + SEED_BYTES + 4 + NONCE_BYTES)

/**
 * The number of parts proved, or `wrong-part` when one of them is not, when there is none, or when
 * lengths are impossible.
 *
 * Checks in a circle from part `first` on, which the caller draws at random: junk fails at its first
 * hash wherever the one good part was put. Never throws, whatever it is given.
 */
export function checkParts(
  mac: Uint8Array,
  seed: Uint8Array,
  nonces: Uint8Array,
  bits: number,
  first = 0,
): number | 'wrong-part' {
  const parts = nonces.length / NONCE_BYTES
  if (mac.length !== MAC_BYTES || seed.length !== SEED_BYTES) return 'wrong-part'
  if (!Number.isInteger(parts) || parts < 1 || parts > MOST_PARTS) return 'wrong-part'
  if (!(bits >= 0 && bits <= 32)) return 'wrong-part'
  scratch.set(mac, 0)
  scratch.set(seed, MAC_BYTES)
  const above = 2 ** (32 - bits)
  const start = Math.abs(Math.trunc(first)) % parts || 0
  for (let k = 0; k < parts; k++) {
    const index = start + k < parts ? start + k : start + k - parts
    scratch.writeUInt32BE(index, MAC_BYTES + SEED_BYTES)
    for (let i = 0; i < NONCE_BYTES; i++) {
      scratch[MAC_BYTES + SEED_BYTES + 4 + i] = nonces[index * NONCE_BYTES + i]!
    }
    // Hexadecimal: a string comes back from OpenSSL in half the time of a Buffer.
    if (Number.parseInt(hash('blake2s256', scratch, 'hex').slice(0, 8), 16) >= above) return 'wrong-part'
  }
  return parts
}

export interface Work {
  readonly mac: Uint8Array
  readonly seed: Uint8Array
  /** The first part to solve. */
  readonly from?: number
  /** The first part not to solve. */
  readonly until: number
  readonly bits: number
}

/**
 * Nonces of the parts `from` to `until`, in one go: for tests, benches and clients written for Node.
 * Blocks for some 50 ms per part of `PART_BITS`.
 */
export function solve({ mac, seed, from = 0, until, bits }: Work): Uint8Array {
  const nonces = Buffer.alloc(Math.max(0, until - from) * NONCE_BYTES)
  for (let index = from; index < until; index++) {
    const words = wordsOf(mac, seed, index)
    const mask = maskOf(bits)
    let start = 0
    let found = -1
    while (found < 0) {
      found = searchInJavaScript(words, start, 1 << 16, mask)
      start += found < 0 ? 1 << 16 : found
    }
    nonces.writeUInt32BE(swapped(start), (index - from) * NONCE_BYTES)
  }
  return nonces
}
