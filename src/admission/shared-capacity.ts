/**
 * What must be exact among all threads of the process: permits in flight, per site.
 *
 * One SharedArrayBuffer holds, for each site (32-bit words):
 *
 *   0 limit | 1 in flight | 2 most in flight in this window | 3 failures | 4 samples | 5 threads waiting
 *   6 …  histogram of sample ratios: 64 buckets, eight per doubling, from 1/8 to 32
 *   then per thread: in flight | waiting ;  and, in a Float64Array beside it, its next start tag
 *
 * and for each thread one word to wake it by. Threads take and return permits with atomics; the main
 * thread alone turns samples into limits (`updateLimits`).
 *
 * A freed permit goes to the thread whose next request has the smallest start tag: the thread that
 * returns one looks at the tags and wakes that thread; others hold back (`mayTake`). Tags are written
 * without locks: racy by design, a hint. What makes it safe is the tick: every 10 ms each thread with
 * waiters takes free permits whatever the tags say, so a thread that died or stalls with the smallest
 * tag delays the others by one tick at most. In flight is exact: a permit is taken with compare-and-add
 * and can never exceed the limit, except by `force` (bypass).
 *
 * Each thread's permits are counted apart so that those of a thread that died can be returned.
 */
import { assert } from '#kit'
import { GradientLimit, type GradientLimitOptions, type LimitState } from './gradient-limit.ts'

const LIMIT = 0
const IN_FLIGHT = 1
const MOST_IN_FLIGHT = 2
const FAILURES = 3
const SAMPLES = 4
const WAITING_THREADS = 5
const HISTOGRAM = 6
const BUCKETS = 64
const BUCKETS_PER_DOUBLING = 8
const LOWEST_RATIO = 1 / 8
const SITE_WORDS = HISTOGRAM + BUCKETS
const THREAD_IN_FLIGHT = 0
const THREAD_WAITING = 1
const THREAD_WORDS = 2

/** What another thread needs to join; survives structured cloning. */
export interface CapacityMemory {
  readonly buffer: SharedArrayBuffer
  readonly sites: number
  readonly threads: number
}

export interface CapacityState {
  readonly limit: number
  readonly inFlight: number
  readonly waiting: number
  readonly state: LimitState
  /** How many times its learned time the origin takes without a queue. */
  readonly longRatio: number
}

export class SharedCapacity {
  readonly memory: CapacityMemory
  readonly #words: Int32Array
  readonly #tags: Float64Array
  readonly #stride: number
  /** Wake word as last seen: a wake between two calls of `woken` is not lost. */
  #seen = 0
  /** Main thread only. */
  readonly #limits: (GradientLimit | undefined)[] = []

  static create(options: { readonly sites: number; readonly threads: number }): SharedCapacity {
    const { sites, threads } = options
    const tagBytes = sites * threads * 8
    const wordBytes = (threads + sites * (SITE_WORDS + threads * THREAD_WORDS)) * 4
    const capacity = new SharedCapacity({
      buffer: new SharedArrayBuffer(tagBytes + wordBytes),
      sites,
      threads,
    })
    for (let site = 0; site < sites; site++) capacity.configure(site, {})
    capacity.#tags.fill(Number.POSITIVE_INFINITY)
    return capacity
  }

  constructor(memory: CapacityMemory) {
    this.memory = memory
    const tags = memory.sites * memory.threads
    this.#tags = new Float64Array(memory.buffer, 0, tags)
    this.#words = new Int32Array(memory.buffer, tags * 8)
    this.#stride = SITE_WORDS + memory.threads * THREAD_WORDS
  }

  /** Sets a site's limit algorithm anew (main thread; at start and when its configuration changed). */
  configure(site: number, options: GradientLimitOptions): void {
    const limit = new GradientLimit(options)
    this.#limits[site] = limit
    Atomics.store(this.#words, this.#site(site) + LIMIT, limit.limit)
  }

  /** Turns what the threads measured into new limits (main thread, about every 100 ms). */
  updateLimits(nowMs: number): void {
    const words = this.#words
    for (let site = 0; site < this.#limits.length; site++) {
      const base = this.#site(site)
      const inFlight = Atomics.load(words, base + IN_FLIGHT)
      const samples = Atomics.exchange(words, base + SAMPLES, 0)
      const before = Atomics.load(words, base + LIMIT)
      const limit = this.#limits[site]!.update(
        {
          samples,
          medianRatio: samples > 0 ? this.#takeMedian(base) : 1,
          failures: Atomics.exchange(words, base + FAILURES, 0),
          maxInFlight: Math.max(inFlight, Atomics.exchange(words, base + MOST_IN_FLIGHT, inFlight)),
          inFlight,
        },
        nowMs,
      )
      if (limit === before) continue
      Atomics.store(words, base + LIMIT, limit)
      if (limit > before) this.#wakeNext(site, -1)
    }
  }

  state(site: number): CapacityState {
    const base = this.#site(site)
    let waiting = 0
    for (let thread = 0; thread < this.memory.threads; thread++)
      waiting += Math.max(0, this.#words[this.#thread(site, thread) + THREAD_WAITING]!)
    return {
      limit: Atomics.load(this.#words, base + LIMIT),
      inFlight: Atomics.load(this.#words, base + IN_FLIGHT),
      waiting,
      state: this.#limits[site]?.state ?? 'steady',
      longRatio: this.#limits[site]?.longRatio ?? 1,
    }
  }

  /** In flight is at most half of the limit: what is measured now is the origin in calm weather. */
  isHalfEmpty(site: number): boolean {
    const base = this.#site(site)
    return Atomics.load(this.#words, base + IN_FLIGHT) * 2 <= Atomics.load(this.#words, base + LIMIT)
  }

  /** Returns the permits of a thread that died and takes it out of every line; how many there were. */
  returnPermitsOf(thread: number): number {
    let returned = 0
    for (let site = 0; site < this.memory.sites; site++) {
      const own = this.#thread(site, thread)
      const held = Atomics.exchange(this.#words, own + THREAD_IN_FLIGHT, 0)
      Atomics.sub(this.#words, this.#site(site) + IN_FLIGHT, held)
      this.publish(site, thread, 0, Number.POSITIVE_INFINITY)
      returned += held
      if (held > 0) this.#wakeNext(site, thread)
    }
    return returned
  }

  /** Takes a permit if the limit allows. */
  take(site: number, thread: number): boolean {
    const words = this.#words
    const base = this.#site(site)
    for (;;) {
      const inFlight = Atomics.load(words, base + IN_FLIGHT)
      if (inFlight >= Atomics.load(words, base + LIMIT)) return false
      if (Atomics.compareExchange(words, base + IN_FLIGHT, inFlight, inFlight + 1) !== inFlight) continue
      this.#taken(base, site, thread, inFlight + 1)
      return true
    }
  }

  /** Takes a permit whatever the limit says. */
  force(site: number, thread: number): void {
    const base = this.#site(site)
    this.#taken(base, site, thread, Atomics.add(this.#words, base + IN_FLIGHT, 1) + 1)
  }

  /** Gives a permit back and wakes the thread whose turn it is, unless that is this one. */
  release(site: number, thread: number): void {
    const before = Atomics.sub(this.#words, this.#thread(site, thread) + THREAD_IN_FLIGHT, 1)
    assert(before > 0, 'release: this thread holds no permit')
    Atomics.sub(this.#words, this.#site(site) + IN_FLIGHT, 1)
    this.#wakeNext(site, thread)
  }

  /** Tells the others how many wait here and the start tag of the next one. */
  publish(site: number, thread: number, waiting: number, nextTag: number): void {
    const own = this.#thread(site, thread) + THREAD_WAITING
    this.#tags[site * this.memory.threads + thread] = nextTag
    const before = Atomics.exchange(this.#words, own, waiting)
    if (before === 0 && waiting > 0) Atomics.add(this.#words, this.#site(site) + WAITING_THREADS, 1)
    else if (before > 0 && waiting === 0) Atomics.sub(this.#words, this.#site(site) + WAITING_THREADS, 1)
  }

  /** Nobody waits on any thread: a newcomer may take a free permit at once. */
  isIdle(site: number): boolean {
    return Atomics.load(this.#words, this.#site(site) + WAITING_THREADS) === 0
  }

  /** Smallest start tag published by the other threads; Infinity when none of them waits. */
  smallestTagElsewhere(site: number, thread: number): number {
    const words = this.#words
    const waitingHere = Atomics.load(words, this.#thread(site, thread) + THREAD_WAITING) > 0 ? 1 : 0
    if (Atomics.load(words, this.#site(site) + WAITING_THREADS) <= waitingHere)
      return Number.POSITIVE_INFINITY
    let smallest = Number.POSITIVE_INFINITY
    const first = site * this.memory.threads
    for (let other = 0; other < this.memory.threads; other++)
      if (other !== thread && this.#tags[first + other]! < smallest) smallest = this.#tags[first + other]!
    return smallest
  }

  /** Wakes the thread with the smallest tag if a permit is free for it. */
  offer(site: number, thread: number): void {
    const base = this.#site(site)
    if (Atomics.load(this.#words, base + IN_FLIGHT) >= Atomics.load(this.#words, base + LIMIT)) return
    this.#wakeNext(site, thread)
  }

  /** The origin's time to first byte as a multiple of the route's calm-weather time. */
  sample(site: number, ratio: number): void {
    const base = this.#site(site)
    const bucket = Math.floor(Math.log2(ratio / LOWEST_RATIO) * BUCKETS_PER_DOUBLING)
    Atomics.add(this.#words, base + HISTOGRAM + Math.max(0, Math.min(BUCKETS - 1, bucket || 0)), 1)
    Atomics.add(this.#words, base + SAMPLES, 1)
  }

  failure(site: number): void {
    Atomics.add(this.#words, this.#site(site) + FAILURES, 1)
  }

  /** Resolves when a permit may be free for this thread. Ask again after each time. */
  woken(thread: number): Promise<void> {
    const seen = (): void => {
      this.#seen = Atomics.load(this.#words, thread)
    }
    const wait = Atomics.waitAsync(this.#words, thread, this.#seen)
    if (wait.async) return wait.value.then(seen)
    seen()
    return Promise.resolve()
  }

  #site(site: number): number {
    return this.memory.threads + site * this.#stride
  }

  #thread(site: number, thread: number): number {
    return this.#site(site) + SITE_WORDS + thread * THREAD_WORDS
  }

  #taken(base: number, site: number, thread: number, inFlight: number): void {
    const words = this.#words
    Atomics.add(words, this.#thread(site, thread) + THREAD_IN_FLIGHT, 1)
    for (;;) {
      const most = Atomics.load(words, base + MOST_IN_FLIGHT)
      if (inFlight <= most || Atomics.compareExchange(words, base + MOST_IN_FLIGHT, most, inFlight) === most)
        return
    }
  }

  #wakeNext(site: number, self: number): void {
    if (this.isIdle(site)) return
    let next = -1
    let smallest = Number.POSITIVE_INFINITY
    const first = site * this.memory.threads
    for (let thread = 0; thread < this.memory.threads; thread++) {
      const tag = this.#tags[first + thread]!
      if (tag < smallest) {
        smallest = tag
        next = thread
      }
    }
    if (next < 0 || next === self) return
    Atomics.add(this.#words, next, 1)
    Atomics.notify(this.#words, next)
  }

  /** Median ratio of the histogram, which begins anew. */
  #takeMedian(base: number): number {
    const counts: number[] = []
    let total = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = Atomics.exchange(this.#words, base + HISTOGRAM + bucket, 0)
      counts.push(count)
      total += count
    }
    let left = total / 2
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= counts[bucket]!
      if (left <= 0)
        return LOWEST_RATIO * 2 ** ((bucket + 1 + left / Math.max(1, counts[bucket]!)) / BUCKETS_PER_DOUBLING)
    }
    return 1
  }
}
