/**
 * Which requests the brain is shown, with their traits: a sample of a site's clients on one thread.
 *
 * Problem. Signatures are found by how many *distinct clients* share a trait, so a sample of requests will
 * not do: a hundred hot addresses would be all there is in it. And a sample must not cost what reading the
 * traits of every request costs, nor may a client have any say in whether he is in it.
 *
 * So the sample is that of the smallest hashes (bottom-k, Cohen 1997): under a key that is new for each
 * period, the `most` clients with the smallest hash of their subscriber stay. Each client is in it with equal
 * chance, whether he asks once or a thousand times, and nobody can tell who will be. Traits are read only of those
 * who enter: of D clients in a period that is most · (1 + ln(D / most)) times, 256 · 4 for five thousand.
 *
 * In calm weather nothing is in a hurry: 64 clients a period, and only every n-th request is looked at, n by what
 * the last period brought. A busy thread then pays a countdown per request and 64 extractions per 250 ms.
 *
 * Rejected: Vitter's reservoir over requests (hot clients crowd the others out); over the first request of each
 * client (needs all clients of a period in memory).
 */
import { type HashKey, Heap, hash32 } from '#kit'

/** Clients in a report while the site is under pressure, and in calm weather. */
export const MOST_SAMPLES = 256
export const CALM_SAMPLES = 64

interface Kept<T> {
  readonly subscriber: string
  readonly hash: number
  readonly sample: T
  index: number
}

export class TraitSampler<T> {
  readonly #random: () => number
  /** The one with the greatest hash first. */
  readonly #byHash = new Heap<Kept<T>>((kept, index) => {
    kept.index = index
  })
  readonly #kept = new Map<string, Kept<T>>()
  #key: HashKey
  #isFull = false
  #seen = 0
  /** Requests until the next one is looked at, and how many there are between two in the mean. */
  #skip = 0
  #every = 1
  #hash = 0

  constructor(random: () => number = Math.random) {
    this.#random = random
    this.#key = newKey(random)
  }

  /** Everybody is looked at: the site is under pressure. */
  set isFull(isFull: boolean) {
    this.#isFull = isFull
  }

  /** The next request's client enters the sample, if `keep` follows with what is to be kept of it. */
  wants(subscriber: string): boolean {
    this.#seen++
    if (!this.#isFull && this.#skip-- > 0) return false
    // From 0 to twice the mean: who asks every second is not met every time, or never.
    this.#skip = this.#every === 1 ? 0 : Math.floor(this.#random() * (2 * this.#every - 1))
    this.#hash = hash32(subscriber, this.#key)
    if (this.#kept.size >= this.#most && this.#hash >= this.#byHash.peek()!.hash) return false
    return !this.#kept.has(subscriber)
  }

  keep(subscriber: string, sample: T): void {
    if (this.#kept.size >= this.#most) this.#kept.delete(this.#byHash.pop()!.subscriber)
    const kept = { subscriber, hash: this.#hash, sample, index: -1 }
    this.#kept.set(subscriber, kept)
    this.#byHash.push(kept, -kept.hash)
  }

  /** The sample of the period that ends here. */
  drain(): readonly T[] {
    this.#every = Math.max(1, Math.ceil(this.#seen / CALM_SAMPLES))
    this.#skip = Math.min(this.#skip, 2 * (this.#every - 1))
    this.#seen = 0
    this.#key = newKey(this.#random)
    if (this.#kept.size === 0) return []
    const samples = Array.from(this.#kept.values(), ({ sample }) => sample)
    this.#kept.clear()
    while (this.#byHash.size > 0) this.#byHash.removeAt(this.#byHash.size - 1)
    return samples
  }

  get #most(): number {
    return this.#isFull ? MOST_SAMPLES : CALM_SAMPLES
  }
}

function newKey(random: () => number): HashKey {
  return { k0: (random() * 2 ** 32) | 0, k1: (random() * 2 ** 32) | 0 }
}
