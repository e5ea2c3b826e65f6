/**
 * What a request of a route class takes in calm weather: origin milliseconds (the price it is charged
 * in advance) and time to first byte (the measure of the limit's samples).
 *
 * Exponential averages, learned only from requests that met a calm, half-empty origin; never from an
 * attack, or the flood would define what is normal. Routes that calm weather has not shown cost the
 * site's median in advance (the true cost is charged at settling anyway). Their samples are measured
 * against the fastest answers seen of late, so that a site that first meets Digue in the middle of a
 * flood has a limit that works too: the limit's probe finds the level, this only the proportions.
 *
 * The table is bounded; the route not learned from for longest is forgotten and counted.
 */
import { BoundedMap } from '#kit'

interface RouteCost {
  costMs: number
  firstByteMs: number
  samples: number
}

const RATE = 0.05
const MIN_SAMPLES = 5
/** Ratios of a millisecond or two would be noise of this thread's own loop. */
const SLACK_MS = 5

/** The table as kept over restarts: route, origin ms, first byte ms. */
export type RouteCostRows = readonly (readonly [route: string, costMs: number, firstByteMs: number])[]

export class RouteCosts {
  readonly #calm: BoundedMap<string, RouteCost>
  readonly #fastest: BoundedMap<string, { ms: number; atMs: number }>
  #medianCostMs = 20
  #learned = 0

  constructor(options: { readonly maxRoutes?: number } = {}) {
    this.#calm = new BoundedMap(options.maxRoutes ?? 512)
    this.#fastest = new BoundedMap(options.maxRoutes ?? 512)
  }

  get size(): number {
    return this.#calm.size
  }

  /** Routes forgotten for want of room. */
  get forgotten(): number {
    return this.#calm.forgotten
  }

  /** Origin milliseconds of an ordinary request: the median over all that was learned. */
  get typicalMs(): number {
    return this.#medianCostMs
  }

  /** What the route takes in calm weather, ms; undefined when that is not known. */
  calmMs(route: string): number | undefined {
    const known = this.#calm.get(route)
    return known && known.samples >= MIN_SAMPLES ? known.costMs : undefined
  }

  /** Expected origin milliseconds. */
  expected(route: string): number {
    return this.calmMs(route) ?? this.#medianCostMs
  }

  /** Time to first byte as a multiple of the route's calm one. */
  ratio(route: string, firstByteMs: number, nowMs: number): number {
    const known = this.#calm.get(route)
    const expected =
      known && known.samples >= MIN_SAMPLES ? known.firstByteMs : this.#provisional(route, firstByteMs, nowMs)
    return (firstByteMs + SLACK_MS) / (expected + SLACK_MS)
  }

  /** One request that met a calm origin. */
  learn(route: string, costMs: number, firstByteMs: number): void {
    let known = this.#calm.get(route)
    if (known === undefined) {
      known = { costMs, firstByteMs, samples: 0 }
      this.#calm.set(route, known)
    } else if (known.samples % 64 === 0) this.#calm.set(route, known)
    const samples = ++known.samples
    known.costMs = average(known.costMs, costMs, samples)
    known.firstByteMs = average(known.firstByteMs, firstByteMs, samples)
    this.#learned++
    const step = Math.max(0.02, 1 / this.#learned)
    this.#medianCostMs = towards(this.#medianCostMs, costMs, step)
  }

  /** The routes learned from most often. */
  rows(most = 128): RouteCostRows {
    return [...this.#calm.entries()]
      .filter(([, cost]) => cost.samples >= MIN_SAMPLES)
      .sort(([, a], [, b]) => b.samples - a.samples)
      .slice(0, most)
      .map(([route, cost]) => [route, cost.costMs, cost.firstByteMs])
  }

  restore(rows: RouteCostRows): void {
    for (const [route, costMs, firstByteMs] of rows)
      for (let i = 0; i < MIN_SAMPLES; i++) this.learn(route, costMs, firstByteMs)
  }

  /** Falls half way to each faster answer, rises by 1 % a second: the probe comes more often. */
  #provisional(route: string, firstByteMs: number, nowMs: number): number {
    let fastest = this.#fastest.get(route)
    if (fastest === undefined) {
      fastest = { ms: firstByteMs, atMs: nowMs }
      this.#fastest.set(route, fastest)
    }
    const risen = fastest.ms * 1.01 ** (Math.max(0, nowMs - fastest.atMs) / 1000)
    fastest.ms = Math.max(0.1, firstByteMs < risen ? (risen + firstByteMs) / 2 : risen)
    fastest.atMs = nowMs
    return fastest.ms
  }
}

/**
 * One step of a running mean that a stall does not carry away. What holds this process up for half a
 * second makes everything under way look dear at once, a page's twenty assets for instance, and they
 * would be the first to be evicted for as long as the flood lasts. So the least of the first samples
 * begins, and no later one counts for more than twice the mean.
 */
function average(mean: number, sample: number, samples: number): number {
  if (samples <= MIN_SAMPLES) return Math.min(mean, sample)
  return mean + Math.max(RATE, 1 / samples) * (Math.min(sample, 2 * mean + 1) - mean)
}

/** One step of a running median: by a part of its value towards the sample. */
function towards(median: number, sample: number, step: number): number {
  if (step >= 0.5) return Math.max(0.1, sample)
  return sample > median ? median * (1 + step) : sample < median ? Math.max(0.1, median * (1 - step)) : median
}
