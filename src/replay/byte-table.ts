/**
 * From bytes of a log to what is known of them, without making a string of what was met before.
 *
 * An open-addressed table of 64-bit keyed hashes. It forgets by generations: when one is full it becomes the
 * old one, and what is asked for again moves to the new one and stays the same object; what nobody asked for
 * through a whole generation goes. So a log in which every line has a new address costs no more memory than
 * one with ten. Two texts are taken for one with a probability of 2^-64 a pair, for nobody knows the key.
 */
import { randomHashKey } from '#kit'

/** Bytes of a text that count, with its length: more is never wanted of any. */
const MOST_BYTES = 2048

interface Generation<T> {
  /** Both lanes of a place beside each other: one line of the processor's cache. */
  readonly hashes: Int32Array
  readonly values: (T | undefined)[]
  count: number
}

export class ByteTable<T> {
  readonly #capacity: number
  readonly #mask: number
  readonly #make: (data: Buffer, start: number, end: number, hash: number) => T
  readonly #key = randomHashKey()
  #young: Generation<T>
  #old: Generation<T>
  #high = 0
  #low = 0

  /** `capacity` is rounded up to a power of two. `make` is called for what is not known. */
  constructor(capacity: number, make: (data: Buffer, start: number, end: number, hash: number) => T) {
    this.#capacity = 2 ** Math.ceil(Math.log2(capacity))
    this.#mask = 2 * this.#capacity - 1
    this.#make = make
    this.#young = this.#generation()
    this.#old = this.#generation()
  }

  get(data: Buffer, start: number, end: number): T {
    this.#hash(data, start, end)
    const at = this.#find(this.#young)
    const known = this.#young.values[at]
    if (known !== undefined) return known
    const value = this.#old.values[this.#find(this.#old)] ?? this.#make(data, start, end, this.#high >>> 0)
    this.#young.hashes[2 * at] = this.#low
    this.#young.hashes[2 * at + 1] = this.#high
    this.#young.values[at] = value
    if (++this.#young.count >= this.#capacity) {
      this.#old = this.#young
      this.#young = this.#generation()
    }
    return value
  }

  #generation(): Generation<T> {
    const slots = 2 * this.#capacity
    return {
      hashes: new Int32Array(2 * slots),
      values: new Array<T | undefined>(slots).fill(undefined),
      count: 0,
    }
  }

  /** Its place, or the free one where it would be. */
  #find({ hashes, values }: Generation<T>): number {
    const high = this.#high
    const low = this.#low
    const mask = this.#mask
    let at = low & mask
    // An empty place has zeros, which may be somebody's hash as well.
    while ((hashes[2 * at] !== low || hashes[2 * at + 1] !== high) && values[at] !== undefined)
      at = (at + 1) & mask
    return at
  }

  /** Two lanes of multiply and rotate with different constants, mixed at the end as murmur3 does. */
  #hash(data: Buffer, start: number, end: number): void {
    let a = this.#key.k0 ^ (end - start)
    let b = this.#key.k1 ^ Math.imul(end - start, 0x27d4eb2f)
    const last = Math.min(end, start + MOST_BYTES)
    let i = start
    for (; i + 4 <= last; i += 4) {
      const m = data[i]! | (data[i + 1]! << 8) | (data[i + 2]! << 16) | (data[i + 3]! << 24)
      a = Math.imul(a ^ m, 0xcc9e2d51 | 0)
      a = (a << 15) | (a >>> 17)
      b = Math.imul(((b << 13) | (b >>> 19)) + m, 0x85ebca6b | 0) ^ a
    }
    for (; i < last; i++) {
      a = Math.imul(a ^ data[i]!, 0xcc9e2d51 | 0)
      a = (a << 15) | (a >>> 17)
      b = Math.imul(((b << 13) | (b >>> 19)) + data[i]!, 0x85ebca6b | 0) ^ a
    }
    this.#high = mixed(a ^ this.#key.k1)
    this.#low = mixed(b ^ this.#key.k0)
  }
}

function mixed(value: number): number {
  let h = value ^ (value >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}
