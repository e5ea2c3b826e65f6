/**
 * Who comes in calm weather: a uniform sample of the distinct clients of today and yesterday, to know how many
 * visitors a list would touch before it does.
 *
 * Kept are the clients with the smallest keyed hashes ("bottom-k"; Cohen, "Size-estimation framework", 1997):
 * whoever asks a thousand times counts once, nobody can choose to be in it, and memory is bounded whatever the
 * number of visitors. A reservoir over requests would hold the busiest clients instead, a map with the newest
 * only the last hour's.
 *
 * What comes is taken five seconds late, and not at all when the calm ended meanwhile: the first seconds of a
 * flood look calm. Whoever lets his machines visit for days in calm weather can be in it, in proportion to
 * their number; then a list that names them is held back and shown, and the operator can release it.
 */
import { type HashKey, hash32 } from '#kit'
import { type Address, type NetworkSet, parseAddress } from '#networks'

export const SETTLE_MS = 5000
const DAY_MS = 86_400_000
/** Of each day. */
const MOST_CLIENTS = 4096
/** Not yet settled. */
const MOST_PENDING = 20_000

interface Pending {
  readonly atMs: number
  readonly subscribers: readonly string[]
}

export class CalmSample {
  readonly #key: HashKey
  readonly #most: number
  #pending: Pending[] = []
  #pendingCount = 0
  #today: Smallest
  #yesterday: Smallest
  #dayBeganMs: number
  /** Clients that were not looked at, since too many came at once. */
  lost = 0

  constructor(key: HashKey, nowMs: number, most = MOST_CLIENTS) {
    this.#key = key
    this.#most = most
    this.#today = new Smallest(most)
    this.#yesterday = new Smallest(most)
    this.#dayBeganMs = nowMs
  }

  /** Distinct clients that it holds, at most twice the bound. */
  get size(): number {
    let size = this.#today.size
    for (const hash of this.#yesterday.hashes()) if (!this.#today.has(hash)) size++
    return size
  }

  /** Subscribers as `ClientAddress.subscriber`: an address, or a /64. */
  offer(subscribers: readonly string[], nowMs: number): void {
    const room = MOST_PENDING - this.#pendingCount
    if (subscribers.length > room) this.lost += subscribers.length - room
    const taken = subscribers.slice(0, room)
    if (taken.length === 0) return
    this.#pending.push({ atMs: nowMs, subscribers: taken })
    this.#pendingCount += taken.length
  }

  /** The calm is over: what came just before it ended was part of it. */
  storm(): void {
    this.#pending = []
    this.#pendingCount = 0
  }

  /** Takes what is old enough. */
  settle(nowMs: number): void {
    // A clock that was set back must not keep a day for ever.
    if (nowMs - this.#dayBeganMs >= DAY_MS || nowMs < this.#dayBeganMs) {
      this.#yesterday = this.#today
      this.#today = new Smallest(this.#most)
      this.#dayBeganMs = nowMs
    }
    while (this.#pending.length > 0) {
      const { atMs, subscribers } = this.#pending[0]!
      if (nowMs - atMs < SETTLE_MS && nowMs >= atMs) break
      this.#pending.shift()
      this.#pendingCount -= subscribers.length
      for (const subscriber of subscribers) this.#take(subscriber)
    }
  }

  /** Clients of the sample that are in the set. */
  touchedBy(set: NetworkSet): number {
    let touched = 0
    for (const address of this.#today.addresses()) if (set.find(address) !== undefined) touched++
    for (const [hash, address] of this.#yesterday.entries())
      if (!this.#today.has(hash) && set.find(address) !== undefined) touched++
    return touched
  }

  #take(subscriber: string): void {
    const hash = hash32(subscriber, this.#key)
    if (this.#today.isTooLarge(hash)) return
    const slash = subscriber.indexOf('/')
    const address = parseAddress(slash < 0 ? subscriber : subscriber.slice(0, slash))
    if (address !== undefined) this.#today.add(hash, address)
  }
}

/** The addresses with the smallest hashes; sorted out anew each time it is twice as full as it should be. */
class Smallest {
  readonly #most: number
  #entries = new Map<number, Address>()
  #bound = 2 ** 32

  constructor(most: number) {
    this.#most = most
  }

  get size(): number {
    return Math.min(this.#entries.size, this.#most)
  }

  has(hash: number): boolean {
    return this.#entries.has(hash)
  }

  isTooLarge(hash: number): boolean {
    return hash >= this.#bound || this.#entries.has(hash)
  }

  add(hash: number, address: Address): void {
    this.#entries.set(hash, address)
    if (this.#entries.size >= 2 * this.#most) this.#sortOut()
  }

  entries(): IterableIterator<[number, Address]> {
    this.#sortOut()
    return this.#entries.entries()
  }

  hashes(): IterableIterator<number> {
    this.#sortOut()
    return this.#entries.keys()
  }

  addresses(): IterableIterator<Address> {
    this.#sortOut()
    return this.#entries.values()
  }

  #sortOut(): void {
    if (this.#entries.size <= this.#most) return
    const sorted = [...this.#entries].sort(([a], [b]) => a - b).slice(0, this.#most)
    this.#entries = new Map(sorted)
    this.#bound = sorted.at(-1)![0]
  }
}
