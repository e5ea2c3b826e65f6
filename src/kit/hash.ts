/**
 * HalfSipHash-2-4, 32-bit output: a keyed hash of short strings for tables that strangers fill.
 *
 * Problem: whoever can choose keys that collide turns a hash table, or a count-min sketch, into a
 * list. A secret seed is not enough for murmur-like hashes (they have seed-independent collisions);
 * SipHash was made for this (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012), and its
 * 32-bit half suits JavaScript, where 64-bit arithmetic would need BigInt.
 * Only the low byte of each UTF-16 unit is read: keys here are addresses, names and latin1 bytes.
 */
import { randomBytes } from 'node:crypto'

/** A secret of eight bytes as two 32-bit words. */
export interface HashKey {
  readonly k0: number
  readonly k1: number
}

export function randomHashKey(): HashKey {
  const bytes = randomBytes(8)
  return { k0: bytes.readInt32LE(0), k1: bytes.readInt32LE(4) }
}

/** Unsigned 32-bit keyed hash of `text`. */
export function hash32(text: string, key: HashKey): number {
  let v0 = key.k0 | 0
  let v1 = key.k1 | 0
  let v2 = 0x6c796765 ^ key.k0
  let v3 = 0x74656462 ^ key.k1
  const length = text.length
  const whole = length & ~3
  for (let i = 0; i <= whole; i += 4) {
    let m: number
    if (i < whole) {
      m =
        (text.charCodeAt(i) & 255) |
        ((text.charCodeAt(i + 1) & 255) << 8) |
        ((text.charCodeAt(i + 2) & 255) << 16) |
        (text.charCodeAt(i + 3) << 24)
    } else {
      m = length << 24
      for (let j = i, shift = 0; j < length; j++, shift += 8) m |= (text.charCodeAt(j) & 255) << shift
    }
    v3 ^= m
    for (let round = 0; round < 2; round++) {
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
    }
    v0 ^= m
  }
  v2 ^= 0xff
  for (let round = 0; round < 4; round++) {
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
  }
  return (v1 ^ v3) >>> 0
}
