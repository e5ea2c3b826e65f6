/**
 * How the site did, second by second, as far as a log tells: the figures from which `PostureMachine` decides.
 *
 * A log knows neither the origin's capacity nor anybody's wait. So the origin is taken for a server with a queue:
 *
 *   backlog' = max(0, backlog + arrivals − capacity)      at most one second's worth; what is beyond is shed
 *   queue delay = backlog / capacity
 *
 * Capacity is what the operator says, or four times what calm weather exceeded in one second of a thousand, and
 * never less than 50 requests per second: a tide of visitors rises by less within an hour, a flood by more within
 * seconds. Requests for pages, which cost the origin most, have a queue of their own, and the longer counts.
 *
 * What is calm is learned ten to twenty minutes late, or whatever grows slowly enough, crowd or flood, would be what
 * it is measured by. What grows for hours still is: no log tells that from a site that becomes popular.
 *
 * A log with answers in it says more. Where a fifth of them are those of an overloaded server (502, 503, 504, 429,
 * none at all) or take five times as long as usual, with twice the usual requests, the site was overloaded
 * whatever the model thinks; without more requests its trouble was its own, and that is noted apart.
 */

/** Of one second. */
export interface SecondFigures {
  requests: number
  pages: number
  /** Answered as by a server that has too much to do. */
  overloaded: number
  /** Sum over the answers that have one. */
  durationMs: number
  timed: number
}

export interface LoadFigures {
  readonly queueDelayMs: number
  readonly shed: number
  /** The site did badly with no more requests than usual. */
  readonly isOwnTrouble: boolean
}

/** As kept in a learned baseline. */
export interface RatesState {
  /** Seconds by requests, and by pages, in buckets of `bucketOf`. */
  readonly requests: readonly number[]
  readonly pages: readonly number[]
  readonly meanDurationMs: number
}

const LEAST_CAPACITY = 50
const FACTOR = 4
const TYPICAL_FACTOR = 2
/** Nothing is judged before this many calm seconds: one minute of a log is no weather. */
const LEAST_SECONDS = 60
/** From here on a second is learned ten to twenty minutes late. */
const WARM_UP_S = 600
const LAG_S = 600
const OVERLOADED_SHARE = 0.2
const SLOW_FACTOR = 5
const SLOW_MS = 1000
const LEAST_EVIDENCE = 5
const BUCKETS = 512

export class LoadModel {
  readonly #given: number | undefined
  readonly #requests = new RateQueue()
  readonly #pages = new RateQueue()
  #calmDurationMs = 0
  #recent: SecondFigures[] = []

  /** `capacity`: requests per second, when the operator knows it. */
  constructor(capacity?: number) {
    this.#given = capacity
  }

  /** Requests per second beyond which a queue would grow; Infinity as long as too little is known. */
  get capacity(): number {
    return this.#given ?? this.#requests.capacity
  }

  /** Rate that counts as more than calm weather brings, for finding a beginning. */
  get unusual(): number {
    return Math.min(this.capacity, Math.max(2 * this.#requests.quantile(0.999), LEAST_CAPACITY / 2))
  }

  get typical(): number {
    return this.#requests.quantile(0.5)
  }

  get calmSeconds(): number {
    return this.#requests.seconds
  }

  /** Calm requests per second that one second in a thousand exceeded. */
  get calmPeak(): number {
    return this.#requests.quantile(0.999)
  }

  judge(second: SecondFigures): LoadFigures {
    const all = this.#requests.pass(second.requests, this.capacity)
    const pages = this.#pages.pass(second.pages, this.#given ?? this.#pages.capacity)
    const longer = pages.queueDelayMs > all.queueDelayMs ? pages : all
    const isMore = second.requests >= TYPICAL_FACTOR * Math.max(1, this.#requests.quantile(0.9))
    const isFailing =
      second.requests >= LEAST_EVIDENCE && second.overloaded >= OVERLOADED_SHARE * second.requests
    const mean = second.timed === 0 ? 0 : second.durationMs / second.timed
    const isSlow =
      second.timed >= LEAST_EVIDENCE &&
      this.#calmDurationMs > 0 &&
      mean > Math.max(SLOW_MS, SLOW_FACTOR * this.#calmDurationMs)
    if ((!isFailing && !isSlow) || this.#requests.seconds < LEAST_SECONDS)
      return { ...longer, isOwnTrouble: false }
    if (!isMore) return { ...longer, isOwnTrouble: longer.queueDelayMs === 0 }
    return {
      queueDelayMs: Math.max(longer.queueDelayMs, isFailing ? 1000 : mean - this.#calmDurationMs),
      shed: Math.max(longer.shed, second.overloaded),
      isOwnTrouble: false,
    }
  }

  /** A second of calm weather. */
  learn(second: SecondFigures): void {
    if (this.#requests.seconds < WARM_UP_S) {
      this.#learn(second)
      return
    }
    this.#recent.push({ ...second })
    if (this.#recent.length > 2 * LAG_S) for (const old of this.#recent.splice(0, LAG_S)) this.#learn(old)
  }

  /** The log is over: nothing will show any more that what came last was the beginning of something. */
  settle(): void {
    for (const old of this.#recent.splice(0)) this.#learn(old)
  }

  /** Seconds of calm weather without any request. */
  learnSilence(seconds: number): void {
    this.#requests.learn(0, seconds)
    this.#pages.learn(0, seconds)
  }

  /** Too much began: what led up to it is not to be learned. */
  forgetRise(): void {
    const { unusual } = this
    this.#recent = this.#recent.filter(({ requests }) => requests <= unusual)
  }

  #learn(second: SecondFigures): void {
    this.#requests.learn(second.requests, 1)
    this.#pages.learn(second.pages, 1)
    if (second.timed === 0) return
    const mean = second.durationMs / second.timed
    // Of some thousand requests back.
    const weight = Math.min(0.05, second.timed / 1000)
    this.#calmDurationMs =
      this.#calmDurationMs === 0 ? mean : this.#calmDurationMs + weight * (mean - this.#calmDurationMs)
  }

  toState(): RatesState {
    return {
      requests: this.#requests.toState(),
      pages: this.#pages.toState(),
      meanDurationMs: this.#calmDurationMs,
    }
  }

  restore(state: RatesState): void {
    this.#requests.restore(state.requests)
    this.#pages.restore(state.pages)
    this.#calmDurationMs = state.meanDurationMs
  }
}

class RateQueue {
  seconds = 0
  #counts = new Float64Array(BUCKETS)
  #backlog = 0
  /** Quantiles are asked for each second and change slowly. */
  #known = new Map<number, number>()
  #knownAt = 0

  get capacity(): number {
    if (this.seconds < LEAST_SECONDS) return Number.POSITIVE_INFINITY
    return Math.max(LEAST_CAPACITY, FACTOR * this.quantile(0.999))
  }

  pass(arrivals: number, capacity: number): { queueDelayMs: number; shed: number } {
    if (capacity === Number.POSITIVE_INFINITY) return { queueDelayMs: 0, shed: 0 }
    const backlog = Math.max(0, this.#backlog + arrivals - capacity)
    this.#backlog = Math.min(capacity, backlog)
    return { queueDelayMs: (1000 * this.#backlog) / capacity, shed: backlog - this.#backlog }
  }

  learn(rate: number, times: number): void {
    this.#counts[bucketOf(rate)]! += times
    this.seconds += times
  }

  quantile(q: number): number {
    if (this.seconds > 1.02 * this.#knownAt || this.seconds < this.#knownAt) {
      this.#known.clear()
      this.#knownAt = this.seconds
    }
    const known = this.#known.get(q)
    if (known !== undefined) return known
    let left = (1 - q) * this.seconds
    let value = 0
    for (let bucket = BUCKETS - 1; bucket > 0; bucket--) {
      left -= this.#counts[bucket]!
      if (left < 0) {
        value = rateOf(bucket)
        break
      }
    }
    this.#known.set(q, value)
    return value
  }

  toState(): number[] {
    return Array.from(this.#counts.subarray(0, this.#counts.findLastIndex((n) => n > 0) + 1))
  }

  restore(counts: readonly number[]): void {
    for (const [bucket, count] of counts.slice(0, BUCKETS).entries()) {
      this.#counts[bucket]! += count
      this.seconds += count
    }
  }
}

/** Exact up to 32, then 16 to an octave: 6 % wide. */
export function bucketOf(rate: number): number {
  if (rate < 32) return Math.floor(rate)
  const octave = Math.floor(Math.log2(rate))
  return Math.min(BUCKETS - 1, 32 + (octave - 5) * 16 + Math.floor((rate / 2 ** octave - 1) * 16))
}

/** The largest rate of a bucket. */
function rateOf(bucket: number): number {
  if (bucket < 32) return bucket
  const octave = 5 + ((bucket - 32) >> 4)
  return 2 ** octave * (1 + (((bucket - 32) & 15) + 1) / 16)
}
