/**
 * Which keys may be on disk, readable by every thread without asking: a counting Bloom filter.
 *
 * Problem: a flood of made-up addresses misses every shelf, and each miss would put a question to the
 * library. Bloom 1970, with counters so that keys can leave again (Fan, Cao, Almeida, Broder: "Summary
 * Cache", 2000). "No" is certain, but for what is being written this moment; "perhaps" is wrong
 * for (1 - e^(-kn/m))^k of the keys: with m = 2^22 counters and k = 3 hashes 0.03 % at n = 100,000
 * responses, 3 % at 500,000, 13 % at a million. A counter that reaches 255 stays there: an eternal
 * "perhaps" costs a question, a wrong "no" would cost the origin a request.
 *
 * The hash is keyed, or strangers would choose addresses that all look stored. Racy by design: one
 * thread writes, the others read single bytes.
 */
import { type HashKey, hash32, randomHashKey } from '#kit'

const COUNTERS = 2 ** 22
const MASK = COUNTERS - 1
const STUCK = 255
/** Words before the counters: the key's two halves, and whether the counters are complete. */
const HEADER_BYTES = 16

export class KeySummary {
  readonly #header: Int32Array
  readonly #counters: Uint8Array
  readonly #first: HashKey
  readonly #second: HashKey

  /** Memory for a summary that says "perhaps" to everything until it is complete. */
  static memory(): SharedArrayBuffer {
    const memory = new SharedArrayBuffer(HEADER_BYTES + COUNTERS)
    const { k0, k1 } = randomHashKey()
    new Int32Array(memory, 0, 2).set([k0, k1])
    return memory
  }

  constructor(memory: SharedArrayBuffer) {
    this.#header = new Int32Array(memory, 0, 3)
    this.#counters = new Uint8Array(memory, HEADER_BYTES)
    this.#first = { k0: this.#header[0]!, k1: this.#header[1]! }
    this.#second = { k0: ~this.#first.k1, k1: this.#first.k0 }
  }

  /** False: no response under `key` is on disk. */
  mayBeOnDisk(key: string): boolean {
    if (Atomics.load(this.#header, 2) === 0) return true
    const a = hash32(key, this.#first)
    if (this.#counters[a & MASK] === 0) return false
    const b = hash32(key, this.#second) | 1
    return this.#counters[(a + b) & MASK] !== 0 && this.#counters[(a + 2 * b) & MASK] !== 0
  }

  /** One more response under `key`. */
  add(key: string): void {
    this.#change(key, 1)
  }

  /** One less; only for what was added. */
  remove(key: string): void {
    this.#change(key, -1)
  }

  /** Nothing is on disk as far as the counters know, and they do not know all yet. */
  reset(): void {
    Atomics.store(this.#header, 2, 0)
    this.#counters.fill(0)
  }

  /** From now on a zero means no. */
  complete(): void {
    Atomics.store(this.#header, 2, 1)
  }

  #change(key: string, by: 1 | -1): void {
    const a = hash32(key, this.#first)
    const b = hash32(key, this.#second) | 1
    for (let i = 0; i < 3; i++) {
      const at = (a + i * b) & MASK
      const count = this.#counters[at]!
      if (count !== STUCK && count + by >= 0) this.#counters[at] = count + by
    }
  }
}
