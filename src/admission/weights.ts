/**
 * Whose share is how large: the calm-weather baseline as every thread reads it.
 *
 * The brain publishes, edge threads look up. Layout of the one SharedArrayBuffer (32-bit words):
 *
 *   0 active half | 1 version | 2 entries | 3 entries left out
 *   4 … half 0: slots × (key hash, share as float bits) | half 1: the same
 *
 * Open addressing, linear probing, keys hashed with HalfSipHash under a secret: only hashes of
 * addresses are kept here. The brain fills the idle half and then switches. A reader that is in the
 * middle of a look-up meets at worst a half being refilled two publications later and gets a share of
 * 0 once: racy by design, a weight is a hint.
 * Rejected: posting a Map to every thread (86,000 entries cloned per thread and site, every minute).
 *
 * Two networks whose names share a 32-bit hash share a weight: with 65,536 subscribers in the table a
 * stranger is taken for one of them in 1 case of 65,000. An attacker cannot find out which.
 */
import { type HashKey, hash32, randomHashKey } from '#kit'

/** Shares (0 to 1) of calm-weather origin time; 0 for whom it did not know. */
export interface Weights {
  /** Rises whenever the shares change. */
  readonly version: number
  /** False until something was learned: then network weights must not be used. */
  readonly hasBaseline: boolean
  /** What every network gets beside its share, so that new ones are served too. */
  readonly floor: number
  asn(asn: number): number
  prefix(prefix: string): number
  subscriber(subscriber: string): number
}

/** No baseline: prefixes are equal, and so are the subscribers of each. */
export const FLAT_WEIGHTS: Weights = {
  version: 0,
  hasBaseline: false,
  floor: 1,
  asn: () => 0,
  prefix: () => 0,
  subscriber: () => 0,
}

/** Two hundred networks that calm weather did not know get 10 % together. */
const NETWORK_FLOOR = 1 / 2000
const MAX_PROBES = 64
const HEADER_WORDS = 4

/** What another thread needs to read the table; survives structured cloning. */
export interface WeightMemory {
  readonly buffer: SharedArrayBuffer
  readonly slots: number
  readonly key: HashKey
}

export class WeightTable implements Weights {
  readonly memory: WeightMemory
  readonly #words: Int32Array
  readonly #floats: Float32Array
  readonly #keys: readonly [HashKey, HashKey, HashKey]

  /** `slots` is rounded up to a power of two; two thirds of it can be filled. */
  static create(options: { readonly slots?: number; readonly key?: HashKey } = {}): WeightTable {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(16, options.slots ?? 131_072)))
    const buffer = new SharedArrayBuffer((HEADER_WORDS + slots * 4) * 4)
    return new WeightTable({ buffer, slots, key: options.key ?? randomHashKey() })
  }

  constructor(memory: WeightMemory) {
    this.memory = memory
    this.#words = new Int32Array(memory.buffer)
    this.#floats = new Float32Array(memory.buffer)
    this.#keys = weightKeys(memory.key)
  }

  get version(): number {
    return Atomics.load(this.#words, 1)
  }

  get hasBaseline(): boolean {
    return this.#words[2]! > 0
  }

  get floor(): number {
    return this.hasBaseline ? NETWORK_FLOOR : 1
  }

  /** Entries that found no room at the last publication. */
  get leftOut(): number {
    return this.#words[3]!
  }

  asn(asn: number): number {
    return this.#find(hash32(String(asn), this.#keys[0]))
  }

  prefix(prefix: string): number {
    return this.#find(hash32(prefix, this.#keys[1]))
  }

  subscriber(subscriber: string): number {
    return this.#find(hash32(subscriber, this.#keys[2]))
  }

  /** Replaces all shares: pairs of a hash made with `weightKeys` and a share, the weightiest first. */
  publish(entries: Iterable<readonly [hash: number, share: number]>): void {
    const words = this.#words
    const slots = this.memory.slots
    const idle = 1 - Atomics.load(words, 0)
    const base = HEADER_WORDS + idle * slots * 2
    words.fill(0, base, base + slots * 2)
    const room = Math.floor((slots * 2) / 3)
    let stored = 0
    let leftOut = 0
    for (const [hash, share] of entries) {
      if (stored < room && this.#insert(base, hash, share)) stored++
      else leftOut++
    }
    words[3] = leftOut
    Atomics.store(words, 2, stored)
    Atomics.store(words, 0, idle)
    Atomics.add(words, 1, 1)
  }

  #insert(base: number, hash: number, share: number): boolean {
    const key = (hash | 0) === 0 ? 1 : hash | 0
    const mask = this.memory.slots - 1
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const at = base + ((hash + probe) & mask) * 2
      const found = this.#words[at]!
      if (found !== 0 && found !== key) continue
      this.#words[at] = key
      this.#floats[at + 1] = share
      return true
    }
    return false
  }

  #find(hash: number): number {
    const words = this.#words
    if (words[2] === 0) return 0
    const key = (hash | 0) === 0 ? 1 : hash | 0
    const mask = this.memory.slots - 1
    const base = HEADER_WORDS + words[0]! * this.memory.slots * 2
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const at = base + ((hash + probe) & mask) * 2
      const found = words[at]!
      if (found === key) return this.#floats[at + 1]!
      if (found === 0) return 0
    }
    return 0
  }
}

/** Keys for the names of networks, prefixes and subscribers, so that equal texts do not meet. */
export function weightKeys(key: HashKey): readonly [HashKey, HashKey, HashKey] {
  return [
    { k0: key.k0, k1: key.k1 ^ 0x61 },
    { k0: key.k0, k1: key.k1 ^ 0x70 },
    { k0: key.k0, k1: key.k1 ^ 0x73 },
  ]
}
