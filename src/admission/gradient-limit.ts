/**
 * How many requests the origin should have at once, found from its answers.
 *
 * A sample is a *ratio*: time to first byte divided by what this route class takes in calm weather.
 * Milliseconds would not do: when a flood asks for the 100 ms search page instead of the 5 ms
 * article, times rise twentyfold although nothing queues, and the limit would strangle the site.
 *
 * Formula (Gradient2, Netflix concurrency-limits), once per window of at least 10 samples:
 *
 *   g  = clamp(1.5 · long / short, 0.5, 1)        short: median ratio of the window
 *   L' = 0.8 · L + 0.2 · (g · L + 4)              never up while in flight < L / 2
 *   L' = 0.9 · L                                  when failures say so (below)
 *
 * `long` is what calm looks like. It follows the short value slowly, downwards at once, and stands
 * still while overloaded: left to drift, it learns the attack. But frozen it is a trap as well. An
 * origin that merely became slower (50 → 150 ms) looks overloaded for ever: a simulation shed 38 % of
 * legitimate traffic with no attacker. Hence the probe: every 10 s the limit halves until 20 samples
 * of requests *that started in it* are in; their median, taken without a queue, becomes the long value.
 *
 * Failures (5xx, resets, timeouts) lower the limit only when load causes them. The probe measures
 * their share at half the load too; only what is above 1.5 × that share + 5 % counts. Otherwise anybody
 * who finds one URL that always answers 500 could push the limit down to its minimum.
 *
 * States: `steady` ──10 s──▶ `draining` (limit halved, until in flight has fallen to it, 1 s at most)
 *         ──▶ `probing` (what was in flight is skipped) ──20 samples or 2 s──▶ `steady`
 *
 * Rejected: AIMD on latency (one threshold fits no second site); Vegas (its minimum RTT has the same
 * trap and no probe); BBR-like rate probing (needs rates an order of magnitude higher to be quick).
 */

/** What the threads measured since the last window was taken. */
export interface LimitWindow {
  /** Answers that carry a sample. */
  readonly samples: number
  /** Median of their ratios to the calm-weather time; any number when there are none. */
  readonly medianRatio: number
  readonly failures: number
  readonly maxInFlight: number
  readonly inFlight: number
}

export interface GradientLimitOptions {
  readonly initial?: number
  readonly min?: number
  /** The operator's maximum. */
  readonly max?: number
  readonly probeEveryMs?: number
}

const TOLERANCE = 1.5
const SMOOTHING = 0.2
const HEADROOM = 4
const MIN_SAMPLES = 10
const PROBE_SAMPLES = 20
const MIN_PROBE_SAMPLES = 5
const DRAIN_MS = 1000
const PROBE_MS = 2000
/** A short value this much above the long one means a queue: the long value stands still. */
const CALM_RATIO = 1.2

export type LimitState = 'steady' | 'draining' | 'probing'

export class GradientLimit {
  readonly #min: number
  readonly #max: number
  readonly #probeEveryMs: number
  #limit: number
  #long = 1
  #longFailureShare = 0
  #state: LimitState = 'steady'
  #stateSinceMs = Number.NaN
  #lastProbeMs = Number.NaN
  /** Windows too small to judge are added up: samples, failures, ratios weighted by samples. */
  #samples = 0
  #ratios = 0
  #failures = 0
  #maxInFlight = 0
  /** Answers still to come to requests that started before the probe. */
  #toSkip = 0

  constructor(options: GradientLimitOptions = {}) {
    this.#min = options.min ?? 2
    this.#max = Math.max(this.#min, options.max ?? 10_000)
    this.#probeEveryMs = options.probeEveryMs ?? 10_000
    this.#limit = Math.min(this.#max, options.initial ?? 20)
  }

  /** Whole requests that may be at the origin now. */
  get limit(): number {
    const limit = this.#state === 'steady' ? this.#limit : this.#limit / 2
    return Math.max(this.#min, Math.floor(limit))
  }

  get state(): LimitState {
    return this.#state
  }

  /** Calm-weather ratio: 1 unless the origin has become slower or faster since its routes were learned. */
  get longRatio(): number {
    return this.#long
  }

  /** Takes a window; returns the new limit. Call about every 100 ms. */
  update(window: LimitWindow, nowMs: number): number {
    if (Number.isNaN(this.#lastProbeMs)) this.#lastProbeMs = this.#stateSinceMs = nowMs
    this.#samples += window.samples
    this.#ratios += window.samples * window.medianRatio
    this.#failures += window.failures
    this.#maxInFlight = Math.max(this.#maxInFlight, window.maxInFlight)
    switch (this.#state) {
      case 'steady':
        if (nowMs - this.#lastProbeMs >= this.#probeEveryMs && this.#isWorthProbing())
          this.#enter('draining', nowMs)
        else if (this.#samples + this.#failures >= MIN_SAMPLES) this.#judge()
        break
      case 'draining':
        // Answers to requests that started in the full house say nothing about an empty one.
        this.#forget()
        if (window.inFlight > this.limit && nowMs - this.#stateSinceMs < DRAIN_MS) break
        this.#enter('probing', nowMs)
        this.#toSkip = window.inFlight
        break
      case 'probing': {
        // What was in flight when the house had emptied to half had queued before.
        if (this.#toSkip > 0 && nowMs - this.#stateSinceMs < DRAIN_MS) {
          this.#toSkip -= this.#samples + this.#failures
          this.#forget()
          break
        }
        const enough = this.#samples + this.#failures >= PROBE_SAMPLES
        if (!enough && nowMs - this.#stateSinceMs < PROBE_MS) break
        if (this.#samples >= MIN_PROBE_SAMPLES) this.#long = this.#ratios / this.#samples
        const answers = this.#samples + this.#failures
        if (answers >= MIN_PROBE_SAMPLES) this.#longFailureShare = this.#failures / answers
        this.#lastProbeMs = nowMs
        this.#enter('steady', nowMs)
        break
      }
      default:
        this.#state satisfies never
    }
    return this.limit
  }

  #judge(): void {
    const answers = this.#samples + this.#failures
    const failureShare = this.#failures / answers
    const limit = this.#limit
    if (failureShare > 1.5 * this.#longFailureShare + 0.05) {
      this.#limit = Math.max(this.#min, limit * 0.9)
    } else if (this.#samples > 0) {
      const short = this.#ratios / this.#samples
      const gradient = Math.max(0.5, Math.min(1, (TOLERANCE * this.#long) / short))
      const next = (1 - SMOOTHING) * limit + SMOOTHING * (gradient * limit + HEADROOM)
      if (next < limit || this.#maxInFlight >= limit / 2)
        this.#limit = Math.max(this.#min, Math.min(this.#max, next))
      if (short < this.#long) this.#long = 0.9 * this.#long + 0.1 * short
      else if (short < this.#long * CALM_RATIO) this.#long = 0.99 * this.#long + 0.01 * short
    }
    this.#forget()
  }

  /** Half of a quiet site's limit would change nothing, and an idle one has nothing to measure. */
  #isWorthProbing(): boolean {
    return this.#maxInFlight >= Math.max(this.#min, this.#limit / 4) && this.#limit > this.#min
  }

  #enter(state: LimitState, nowMs: number): void {
    this.#state = state
    this.#stateSinceMs = nowMs
    this.#forget()
  }

  #forget(): void {
    this.#samples = this.#ratios = this.#failures = this.#maxInFlight = 0
  }
}
