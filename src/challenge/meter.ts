/**
 * What each token has spent of the origin's time, in one table for all threads.
 *
 * Problem: a clearance must be good for so many origin milliseconds and no more, whoever shares it and
 * whatever thread answers. A balance kept in the cookie is sent again at its fullest; a map per thread
 * multiplies every budget by the number of threads.
 *
 *   header, 16 words     0 refused
 *   slot, 4 words        END  s since the epoch; 0 never used, −1 being written
 *                        KEY  the id's 64 bits, two words
 *                        SPENT in sixteenths of a millisecond; of a claim: 0 pending, 1 won, 2 lost
 *
 * An id is 64 bits of a MAC, so its two halves are hashes already: each chooses a bucket of 8 slots, and
 * an entry lies in either, put where more room is (the two choices of Azar, Broder, Karlin, Upfal 1994).
 * So every search looks at 16 slots, found or not. Five fills with random ids of a table of 262,144 slots met
 * their first refusal at 71 to 76 %, and 4 % of the ids were refused when there were as many as slots. Nobody
 * can aim at a bucket: every id costs a proof.
 *
 * An entry lives until its end and is never forgotten before; afterwards its slot is free. When both
 * buckets are full of the living, `spend` says no and counts: to forget one of them would be to give its
 * holder a new budget. Size: new ids per second × seconds they are remembered ÷ 0.7. The default, 4 MB, is for
 * 100 new payers per second remembered for half an hour.
 *
 * Without locks, because a thread may die anywhere. A free slot is taken by compare-and-exchange of END to −1; its
 * keys are written by whoever took it, then END. What is racy, and why it does no harm:
 *
 * - Two threads may enter one id at once into two slots. `spentMs` adds up all it finds.
 * - For a `claimOnce` that would be two winners. So whoever has entered looks once more. Entries of the
 *   same id in higher slots are marked lost, unless they have won already; one in a lower slot wins over
 *   this one. Of two that enter at once the later sees the earlier, so exactly one wins.
 * - A slot found for an id may expire and be taken over before something is written to it: at the very
 *   second of its end, a few milliseconds are charged to a stranger, or a stranger's claim is lost.
 * - A thread that dies between −1 and the end leaves a slot that is never used again.
 *
 * Rejected: linear probing (in a table that has turned over no slot is unused, so a search that finds
 * nothing walks its whole bound); BigInt64 atomics (every id a heap object); locks per bucket (a
 * worker terminated inside one stops the others for good).
 */
import { sextet } from './tokens.ts'

const HEADER_WORDS = 16
const SLOT_WORDS = 4
const BUCKET_SLOTS = 8
const REFUSED = 0
const END = 0
const KEY_0 = 1
const KEY_1 = 2
const SPENT = 3

/** Contents of END that are no time. */
const UNUSED = 0
const BEING_WRITTEN = -1

const UNITS_PER_MS = 16
/** Far above any budget; adding goes no further, so that SPENT never turns negative. */
const MOST_UNITS = 2 ** 30
/** A race lost so often is not lost by chance: the table is too small. */
const MOST_TRIES = 8

/** SPENT of a claim. */
const PENDING = 0
const WON = 1
const LOST = 2

export const METER_SLOTS = 262_144

/** What another thread needs to join; survives structured cloning. */
export interface MeterMemory {
  readonly buffer: SharedArrayBuffer
}

export class Meter {
  readonly memory: MeterMemory
  readonly slots: number
  readonly #words: Int32Array
  readonly #bucketMask: number
  /** The id in question: set by `#read`, used within the same call. */
  #key0 = 0
  #key1 = 0

  /** `slots` is rounded up to a power of two. */
  static create(options: { readonly slots?: number } = {}): Meter {
    const slots = Math.max(2 * BUCKET_SLOTS, 2 ** Math.ceil(Math.log2(options.slots ?? METER_SLOTS)))
    return new Meter({ buffer: new SharedArrayBuffer((HEADER_WORDS + slots * SLOT_WORDS) * 4) })
  }

  constructor(memory: MeterMemory) {
    this.memory = memory
    this.#words = new Int32Array(memory.buffer)
    this.slots = (this.#words.length - HEADER_WORDS) / SLOT_WORDS
    this.#bucketMask = this.slots / BUCKET_SLOTS - 1
  }

  /** Entries that found no room since the table was made, on all threads. */
  get refused(): number {
    return Atomics.load(this.#words, REFUSED) >>> 0
  }

  /** Entries alive: a walk through the whole table, for metrics. */
  living(nowS: number): number {
    let living = 0
    for (let at = HEADER_WORDS; at < this.#words.length; at += SLOT_WORDS)
      if (isLiving(this.#words[at + END]!, nowS)) living++
    return living
  }

  /** Origin milliseconds spent by `id`: 11 characters of base64url. */
  spentMs(id: string, nowS: number): number {
    this.#read(id)
    return (this.#sum(this.#bucket(this.#key0), nowS) + this.#sumOther(nowS)) / UNITS_PER_MS
  }

  /**
   * Adds to what `id` has spent, and remembers it until `expiresS` at least. False, and counted, when there
   * is no room for another id. `ms` may be below 0, to give back what was charged in advance.
   */
  spend(id: string, ms: number, expiresS: number, nowS: number): boolean {
    this.#read(id)
    const units = Math.round(ms * UNITS_PER_MS)
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const found = this.#find(nowS)
      if (found >= 0) {
        this.#add(found + SPENT, units)
        this.#extend(found + END, expiresS)
        return true
      }
      if (expiresS <= nowS) return true
      const room = this.#room(nowS)
      if (room < 0) break
      if (this.#enter(room, Math.max(0, Math.min(MOST_UNITS, units)), expiresS, nowS)) return true
    }
    Atomics.add(this.#words, REFUSED, 1)
    return false
  }

  /**
   * True for the first who asks about `id`, on any thread, and for nobody else until `expiresS`. False as
   * well, and counted, when there is no room to remember it.
   */
  claimOnce(id: string, expiresS: number, nowS: number): boolean {
    this.#read(id)
    if (expiresS <= nowS) return false
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      if (this.#find(nowS) >= 0) return false
      const room = this.#room(nowS)
      if (room < 0) break
      if (!this.#enter(room, PENDING, expiresS, nowS)) continue
      if (this.#wins(room, nowS)) return true
      Atomics.store(this.#words, room + END, UNUSED)
      return false
    }
    Atomics.add(this.#words, REFUSED, 1)
    return false
  }

  /** 64 bits from 11 characters: 30 and the upper two of the sixth, then the rest. */
  #read(id: string): void {
    let high = 0
    for (let i = 0; i < 5; i++) high = (high << 6) | (sextet(id, i) & 63)
    const middle = sextet(id, 5) & 63
    let low = middle & 15
    for (let i = 6; i < 10; i++) low = (low << 6) | (sextet(id, i) & 63)
    this.#key0 = (high << 2) | (middle >> 4)
    this.#key1 = (low << 4) | ((sextet(id, 10) & 63) >> 2)
  }

  #bucket(half: number): number {
    return HEADER_WORDS + (half & this.#bucketMask) * BUCKET_SLOTS * SLOT_WORDS
  }

  /** Where the second bucket begins; 0 when it is the first. */
  #otherBucket(): number {
    const other = this.#bucket(this.#key1)
    return other === this.#bucket(this.#key0) ? 0 : other
  }

  #holds(at: number, nowS: number): boolean {
    const words = this.#words
    return (
      isLiving(Atomics.load(words, at + END), nowS) &&
      Atomics.load(words, at + KEY_0) === this.#key0 &&
      Atomics.load(words, at + KEY_1) === this.#key1
    )
  }

  #sum(bucket: number, nowS: number): number {
    let units = 0
    for (let at = bucket; at < bucket + BUCKET_SLOTS * SLOT_WORDS; at += SLOT_WORDS)
      if (this.#holds(at, nowS)) units += Math.max(0, Atomics.load(this.#words, at + SPENT))
    return units
  }

  #sumOther(nowS: number): number {
    const other = this.#otherBucket()
    return other === 0 ? 0 : this.#sum(other, nowS)
  }

  /** The slot of the id in question, -1 when it has none. */
  #find(nowS: number): number {
    const first = this.#bucket(this.#key0)
    for (let at = first; at < first + BUCKET_SLOTS * SLOT_WORDS; at += SLOT_WORDS)
      if (this.#holds(at, nowS)) return at
    const other = this.#otherBucket()
    if (other === 0) return -1
    for (let at = other; at < other + BUCKET_SLOTS * SLOT_WORDS; at += SLOT_WORDS)
      if (this.#holds(at, nowS)) return at
    return -1
  }

  /** A free slot in the emptier bucket, -1 when both are full. */
  #room(nowS: number): number {
    let room = -1
    let most = 0
    for (const bucket of [this.#bucket(this.#key0), this.#bucket(this.#key1)]) {
      let free = 0
      let last = -1
      for (let at = bucket; at < bucket + BUCKET_SLOTS * SLOT_WORDS; at += SLOT_WORDS) {
        const end = Atomics.load(this.#words, at + END)
        if (end === BEING_WRITTEN || isLiving(end, nowS)) continue
        free++
        last = at
      }
      if (free > most) {
        most = free
        room = last
      }
    }
    return room
  }

  /** Takes a free slot for the id in question; false when another thread was quicker. */
  #enter(at: number, units: number, expiresS: number, nowS: number): boolean {
    const words = this.#words
    const before = Atomics.load(words, at + END)
    if (before === BEING_WRITTEN || isLiving(before, nowS)) return false
    if (Atomics.compareExchange(words, at + END, before, BEING_WRITTEN) !== before) return false
    Atomics.store(words, at + KEY_0, this.#key0)
    Atomics.store(words, at + KEY_1, this.#key1)
    Atomics.store(words, at + SPENT, units)
    Atomics.store(words, at + END, expiresS | 0)
    return true
  }

  /** Settles which of the entries of one id, made at once by several threads, is the claim. */
  #wins(own: number, nowS: number): boolean {
    const words = this.#words
    const first = this.#bucket(this.#key0)
    for (const bucket of [first, this.#otherBucket() || first])
      for (let at = bucket; at < bucket + BUCKET_SLOTS * SLOT_WORDS; at += SLOT_WORDS) {
        if (at === own || !this.#holds(at, nowS)) continue
        if (at < own || Atomics.compareExchange(words, at + SPENT, PENDING, LOST) === WON) return false
      }
    return Atomics.compareExchange(words, own + SPENT, PENDING, WON) === PENDING
  }

  #add(at: number, units: number): void {
    const after = Atomics.add(this.#words, at, units) + units
    // Racy by design: beside another thread's addition this may be off by that addition.
    if (after < 0) Atomics.sub(this.#words, at, after)
    else if (after > MOST_UNITS) Atomics.sub(this.#words, at, after - MOST_UNITS)
  }

  #extend(at: number, expiresS: number): void {
    const words = this.#words
    for (;;) {
      const end = Atomics.load(words, at)
      if (end === BEING_WRITTEN || end >>> 0 >= expiresS) return
      if (Atomics.compareExchange(words, at, end, expiresS | 0) === end) return
    }
  }
}

/** Unsigned, so that it holds until 2106. */
function isLiving(end: number, nowS: number): boolean {
  return end !== BEING_WRITTEN && end >>> 0 > nowS
}
