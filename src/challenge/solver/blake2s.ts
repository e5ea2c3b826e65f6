/**
 * What both search kernels know of BLAKE2s (RFC 7693), for the one message they hash: 40 bytes, no key,
 * 32 bytes of digest, so a single block. Its words 0 to 3 are the mac, 4 to 7 the seed, 8 the part, 9 the
 * nonce; the six others are zero.
 *
 * BLAKE2s reads words little-endian, while part and nonce are sent big-endian. A kernel counts upwards in
 * words as the hash sees them; `swapped` turns such a word into the nonce that is sent, and back.
 */

/** Finds a nonce: how far behind `start` it is, or -1 when there is none among `count` (a multiple of 8). */
export type Search = (words: Int32Array, start: number, count: number, mask: number) => number

export const IV: readonly number[] = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]

/** Which word of the message each of the ten rounds takes at its sixteen places. */
export const SIGMA: readonly number[] = Array.from(
  '0123456789abcdef' +
    'ea489fd61c02b753' +
    'b8c052fdae367194' +
    '7931dcbe265a40f8' +
    '905724afe1bc683d' +
    '2c6a0b834d75fe19' +
    'c51fed4a0763928b' +
    'db7ec13950f4862a' +
    '6fe9b308c2d714a5' +
    'a2847615fb9e3cd0',
  (digit) => Number.parseInt(digit, 16),
)

/** The state a hash begins with: chaining value, IV, length 40, last block. */
export function firstState(): number[] {
  const state = IV.concat(IV)
  state[0]! ^= 0x01010020
  state[12]! ^= 40
  state[14] = ~state[14]!
  return state
}

export function swapped(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0
}

/** Which bits of the digest's first word must be zero. */
export function maskOf(bits: number): number {
  return bits === 0 ? 0 : swapped(-1 << (32 - bits))
}

/** Words of mac, seed and part. */
export function wordsOf(mac: Uint8Array, seed: Uint8Array, index: number): Int32Array {
  const words = new Int32Array(9)
  for (let i = 0; i < 16; i++) {
    words[i >> 2]! |= mac[i]! << (8 * (i & 3))
    words[4 + (i >> 2)]! |= seed[i]! << (8 * (i & 3))
  }
  words[8] = swapped(index)
  return words
}
