/**
 * How many parts are asked for, per aggregate (a network, or a prefix whose network is unknown).
 *
 * Effort orders requests among those of one aggregate; the fair queue has divided the origin's time
 * among aggregates before that. So a price is not a gate but advice, "who bids this much gets in", and
 * is only ever about one's own network: a farm of solvers in a hosting network bids up the price there.
 *
 *   every 2 s, per aggregate:
 *   some who bid the price were shed   price = clamp(max(quartile, 1.25 · price), price, 2 · price)
 *   otherwise                          price = 16 + 2/3 · (price − 16)                     16 … 128
 *
 * `quartile` is the effort that three quarters of the *dispatched* requests had at least: what got one in
 * during the last two seconds. "Some" is more than a sixteenth of the dispatched: one request that came in
 * an unlucky moment is no market.
 *
 * Source: Tor's proposal 327, today's hspow specification, has the priority queue by effort, the suggested
 * effort and its decay by 2/3. There the suggestion rises to the sum of *enqueued* efforts divided by the number of
 * requests handled, once in 300 s. Whoever enqueues a few dear requests just before the end of a
 * period, which need not ever be served, raises it without bound for five minutes, for everybody. Here
 * only what was dispatched says how high, a quartile says it instead of a mean, the step is bounded, the
 * period is short, and what is raised is the attacker's own price.
 *
 * Layout: two rows of 4,096 slots; an aggregate has one in each, and its price is the lower of the two. With
 * one row and 200 networks attacking, every twentieth visitor's network would share a slot with one
 * of them and its price; with two it takes two such accidents, one in four hundred.
 *
 *   slot, 16 words    0 price in sixteenths of a part | 1 shed | 2 … 15 dispatched, three buckets per doubling
 *
 * Threads add to counts with atomics, the main thread alone turns them into prices. What is added while
 * it looks counts for this window or the next: racy by design.
 */
import { type HashKey, hash32, randomHashKey } from '#kit'
import { LEAST_PRICE, MOST_PRICE } from './protocol.ts'

export const PRICE_TICK_MS = 2000
/** Slots per row. */
const SLOTS = 4096
const ROWS = 2
const SLOT_WORDS = 16
const PRICE = 0
const SHED = 1
const DISPATCHED = 2
const BUCKETS = SLOT_WORDS - DISPATCHED
const BUCKETS_PER_DOUBLING = 3
const UNITS_PER_PART = 16
const LEAST_UNITS = LEAST_PRICE * UNITS_PER_PART
const MOST_UNITS = MOST_PRICE * UNITS_PER_PART
const DECAY = 2 / 3
const LEAST_RISE = 1.25
const MOST_RISE = 2
/** Shed requests per dispatched one from which on a price is too low. */
const SHED_SHARE = 1 / 16
const QUARTILE = 1 / 4

/** What another thread needs to join; survives structured cloning. */
export interface PricesMemory {
  readonly buffer: SharedArrayBuffer
  readonly key: HashKey
}

export class Prices {
  readonly memory: PricesMemory
  readonly #words: Int32Array
  /** Main thread only. */
  #tickedMs = Number.NEGATIVE_INFINITY
  #raised = 0
  #most = LEAST_PRICE

  static create(options: { readonly key?: HashKey } = {}): Prices {
    const buffer = new SharedArrayBuffer(ROWS * SLOTS * SLOT_WORDS * 4)
    const prices = new Prices({ buffer, key: options.key ?? randomHashKey() })
    for (let at = 0; at < prices.#words.length; at += SLOT_WORDS) prices.#words[at + PRICE] = LEAST_UNITS
    return prices
  }

  constructor(memory: PricesMemory) {
    this.memory = memory
    this.#words = new Int32Array(memory.buffer)
  }

  /** Slots above the least price, and the highest price, as of the last tick: the main thread's to show. */
  get raised(): { readonly slots: number; readonly most: number } {
    return { slots: this.#raised, most: this.#most }
  }

  /** Parts to bid now: a whole number from LEAST_PRICE to MOST_PRICE. */
  price(aggregate: string): number {
    const hash = hash32(aggregate, this.memory.key)
    const one = Atomics.load(this.#words, slotOf(hash, 0) + PRICE)
    const other = Atomics.load(this.#words, slotOf(hash, 1) + PRICE)
    return Math.floor(Math.min(one, other) / UNITS_PER_PART)
  }

  /** A paid request was let through to the origin. */
  dispatched(aggregate: string, effort: number): void {
    const hash = hash32(aggregate, this.memory.key)
    const bucket = DISPATCHED + bucketOf(effort)
    for (let row = 0; row < ROWS; row++) Atomics.add(this.#words, slotOf(hash, row) + bucket, 1)
  }

  /** A paid request was shed; counts only when it had bid what was asked for. */
  shed(aggregate: string, effort: number): void {
    if (!(effort >= this.price(aggregate))) return
    const hash = hash32(aggregate, this.memory.key)
    for (let row = 0; row < ROWS; row++) Atomics.add(this.#words, slotOf(hash, row) + SHED, 1)
  }

  /** Turns what the threads counted into prices: main thread, every 2 s. Called more often it waits. */
  tick(nowMs: number): void {
    const elapsedMs = nowMs - this.#tickedMs
    if (elapsedMs < PRICE_TICK_MS * 0.75) return
    this.#tickedMs = nowMs
    // After a pause prices have decayed as if it had ticked; they rise by one step however long it was.
    const steps = elapsedMs < 64 * PRICE_TICK_MS ? Math.round(elapsedMs / PRICE_TICK_MS) : 64
    let most = LEAST_UNITS
    this.#raised = 0
    for (let at = 0; at < this.#words.length; at += SLOT_WORDS) {
      const units = this.#settle(at, Math.max(1, steps))
      if (units === LEAST_UNITS) continue
      this.#raised++
      if (units > most) most = units
    }
    this.#most = Math.floor(most / UNITS_PER_PART)
  }

  #settle(at: number, steps: number): number {
    const words = this.#words
    const before = words[at + PRICE]!
    const shed = takeCount(words, at + SHED)
    let dispatched = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = takeCount(words, at + DISPATCHED + bucket)
      counts[bucket] = count
      dispatched += count
    }
    let after: number
    if (shed > dispatched * SHED_SHARE) {
      const wanted = Math.max(before * LEAST_RISE, quartileUnits(dispatched))
      after = Math.min(MOST_UNITS, Math.round(Math.min(wanted, before * MOST_RISE)))
    } else after = LEAST_UNITS + Math.floor((before - LEAST_UNITS) * DECAY ** steps)
    if (after !== before) Atomics.store(words, at + PRICE, after)
    return after
  }
}

/** One slot's histogram while the tick looks at it. */
const counts = new Float64Array(BUCKETS)

function takeCount(words: Int32Array, at: number): number {
  // Most slots are untouched: reading is cheaper than exchanging.
  return words[at] === 0 ? 0 : Atomics.exchange(words, at, 0)
}

function slotOf(hash: number, row: number): number {
  const slot = row === 0 ? hash & (SLOTS - 1) : (hash >>> 16) & (SLOTS - 1)
  return (row * SLOTS + slot) * SLOT_WORDS
}

/** Bucket 0 is below LEAST_PRICE; the last one begins at sixteen times it, and holds all above. */
function bucketOf(effort: number): number {
  if (!(effort >= LEAST_PRICE)) return 0
  return Math.min(BUCKETS - 1, 1 + Math.floor(Math.log2(effort / LEAST_PRICE) * BUCKETS_PER_DOUBLING))
}

/** What three quarters of the dispatched had bid at least: the lower end of the quartile's bucket. */
function quartileUnits(dispatched: number): number {
  let left = dispatched * QUARTILE
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    left -= counts[bucket]!
    if (left < 0) return bucket === 0 ? 0 : LEAST_UNITS * 2 ** ((bucket - 1) / BUCKETS_PER_DOUBLING)
  }
  return 0
}
