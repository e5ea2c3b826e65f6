/**
 * How many requests the origin should have at once, found from its answers.
 *
 * A sample is a *ratio*: time to first byte divided by what this route class takes in calm weather.
 * Milliseconds would not do: when a flood asks for the 100 ms search page instead of the 5 ms
 * article, times rise twentyfold although nothing queues, and the limit would strangle the site.
 *
 * Formula (Gradient2, Netflix concurrency-limits), once per window of at least 10 samples:
 *
 *   g  = clamp(1.2 · long / short, 0.5, 1)        short: median ratios, smoothed over some 40 answers
 *   L' = 0.8 · L + 0.2 · (g · L + min(4, √L))     never up while in flight < L / 2
 *   L' = 0.9 · L                                  when failures say so (below)
 *
 * An origin that works on S at once answers L of them in L / S of its time, so L settles near
 * 1.2 · S + min(4, √L). What is more than S there is the line inside the origin, which no fairness can
 * reorder. Netflix's 1.5 and 4 make it up to three times as long; docs/decisions/admission.md has the
 * table. The smoothing is what allows 1.2: a gradient is never above 1, so noise only lowers it.
 *
 * Start: from 40 the limit doubles whenever it is used up and the answers take less than √2 times what
 * the quickest round took (TCP's slow start; compared with earlier rounds, because a new Digue does not
 * know what is calm). With +0.8 a window a calm but slow site would be shed for minutes. The first queue ends
 * it; was the house full from the beginning, a deep probe follows at once.
 *
 * `long` is what calm looks like. It follows the short value slowly, and does not rise while
 * overloaded: left to drift, it learns the attack. But frozen it is a trap as well. An origin that
 * merely became slower (50 → 150 ms) looks overloaded for ever: a simulation shed 25 % of legitimate
 * traffic with no attacker. Hence the probe: after 5 s of pressure, and every 10 s of it from then on, the
 * limit falls to two fifths until 30 samples of requests *that started in it* are in. What they say,
 * taken without a queue, becomes the long value; a small difference is half noise and counts half. A
 * probe that still met a queue measures too much, but each time by less: 1.2 · 2/5 < 1.
 *
 * Failures (5xx, resets, timeouts) lower the limit only when load causes them. The probe measures
 * their share at that lower load too; only what is above 1.5 × that share + 5 % counts. Otherwise anybody
 * who finds one URL that always answers 500 could push the limit down to its minimum.
 *
 * States: `steady` ──pressure──▶ `draining` (limit lowered, until in flight has fallen to it, 1 s at most)
 *         ──▶ `probing` (what was in flight is skipped) ──30 samples or 2 s──▶ `steady`
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
  /** Other constants, for benches that compare them. */
  readonly tuning?: Partial<Tuning>
}

export interface Tuning {
  /** Multiple of the calm ratio that still counts as calm. */
  readonly tolerance: number
  /** Requests more than that, to find room; for small limits their root. */
  readonly headroom: number
  /** The limit during a probe, as a part of itself. */
  readonly probePart: number
  /** Answers that weigh as much in the short value as those before the window. */
  readonly memory: number
}

const TUNING: Tuning = { tolerance: 1.2, headroom: 4, probePart: 0.4, memory: 40 }
const INITIAL = 40
/**
 * Where calm times of one route are overrated and of another are not, a probe that happened to meet the
 * first finds a tiny ratio, and the second looks overloaded for ever after (a limit of 8, an origin 22 %
 * busy, visitors shed). A somewhat longer line in an origin that became faster is the lesser evil.
 */
const LEAST_LONG = 0.7
const SMOOTHING = 0.2
/** Growth per window while the limit is full and no answer is slower than in calm weather. */
const REGAIN = 0.1
const MIN_SAMPLES = 10
const START_SAMPLES = 20
/** A house twice as full is as quick where nothing queues and takes twice as long where all does. */
const SLOWER = Math.SQRT2
/** A slower answer than that is a queue's, not calm weather's. */
const CALM_RATIO = 1.2
const FIRST_PROBE_PART = 1 / 8
const PROBE_SAMPLES = 30
const MIN_PROBE_SAMPLES = 5
const DRAIN_MS = 1000
const PROBE_MS = 2000
/** A probe costs throughput: on a slow origin it takes seconds and comes less often. */
const PROBE_REST = 10
/** Natural logarithm of a change that the few samples of a probe do not show by chance. */
const NEWS = 0.5

export type LimitState = 'steady' | 'draining' | 'probing'

export class GradientLimit {
  readonly #min: number
  readonly #max: number
  readonly #probeEveryMs: number
  readonly #tuning: Tuning
  #limit: number
  #long = 1
  #short = Number.NaN
  #longFailureShare = 0
  #state: LimitState = 'steady'
  #stateSinceMs = Number.NaN
  #lastProbeMs = Number.NaN
  #probeTookMs = 0
  /** Part of the latest windows that showed a queue or failures. */
  #pressure = 0
  /** Until the origin first shows a queue. */
  #isStarting = true
  /** Ratio before the limit was doubled; NaN before the first window. */
  #base = Number.NaN
  /** The base was taken while the limit was not used up: what it says of calm is true. */
  #isBaseCalm = false
  #probePart: number
  /** Windows too small to judge are added up: samples, failures, ratios weighted by samples. */
  #samples = 0
  #ratios = 0
  #failures = 0
  #maxInFlight = 0
  /** Answers still to come to requests that started under another limit. */
  #toSkip = 0

  constructor(options: GradientLimitOptions = {}) {
    this.#min = options.min ?? 2
    this.#max = Math.max(this.#min, options.max ?? 10_000)
    this.#probeEveryMs = options.probeEveryMs ?? 10_000
    this.#tuning = { ...TUNING, ...options.tuning }
    this.#probePart = this.#tuning.probePart
    this.#limit = Math.min(this.#max, options.initial ?? INITIAL)
  }

  /** Whole requests that may be at the origin now. */
  get limit(): number {
    if (this.#state === 'steady') return Math.max(this.#min, Math.floor(this.#limit))
    return Math.max(1, Math.floor(this.#limit * this.#probePart))
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
        if (this.#isTimeToProbe(nowMs)) this.#enter('draining', nowMs)
        else if (this.#isStarting) this.#begin(window.inFlight, nowMs)
        else if (this.#samples + this.#failures >= MIN_SAMPLES) this.#judge()
        break
      case 'draining':
        // Answers to requests that started in the full house say nothing about an empty one.
        this.#forget()
        if (window.inFlight > this.limit && nowMs - this.#stateSinceMs < DRAIN_MS) break
        this.#probeTookMs = nowMs - this.#stateSinceMs
        this.#enter('probing', nowMs)
        this.#toSkip = window.inFlight
        break
      case 'probing': {
        // What was in flight when the house had emptied had queued before.
        if (this.#toSkip > 0 && nowMs - this.#stateSinceMs < DRAIN_MS) {
          this.#toSkip -= this.#samples + this.#failures
          this.#forget()
          break
        }
        const answers = this.#samples + this.#failures
        if (answers < PROBE_SAMPLES && nowMs - this.#stateSinceMs < PROBE_MS) break
        if (this.#samples >= MIN_PROBE_SAMPLES) this.#calibrate(this.#ratios / this.#samples)
        if (answers >= MIN_PROBE_SAMPLES) this.#longFailureShare = this.#failures / answers
        this.#probeTookMs += nowMs - this.#stateSinceMs
        this.#lastProbeMs = nowMs
        this.#probePart = this.#tuning.probePart
        this.#enter('steady', nowMs)
        break
      }
      default:
        this.#state satisfies never
    }
    return this.limit
  }

  /** Doubles with each round of answers that are not slower than the round before. */
  #begin(inFlight: number, nowMs: number): void {
    const answers = this.#samples + this.#failures
    if (this.#toSkip > 0) {
      this.#toSkip -= answers
      this.#forget()
      return
    }
    if (answers < START_SAMPLES) return
    if (this.#samples === 0 || this.#failures > 0.05 * answers) {
      this.#isStarting = false
      this.#judge()
      return
    }
    const short = this.#ratios / this.#samples
    const isFull = this.#maxInFlight >= this.limit
    if (!isFull) {
      if (!this.#isBaseCalm) this.#base = short
      else if (short < CALM_RATIO * this.#base)
        this.#base += (short < this.#base ? 0.1 : 0.02) * (short - this.#base)
      this.#isBaseCalm = true
    } else if (Number.isNaN(this.#base) || short < SLOWER * this.#base) {
      this.#base = Math.min(short, this.#base || short)
      this.#limit = Math.min(this.#max, 2 * this.#limit)
      this.#toSkip = inFlight
    } else {
      this.#isStarting = false
      this.#short = short
      // Half at once: one pause of the origin (a collector, a busy host) must not shed calm weather.
      const found = Math.min(this.#limit, (this.#base / short) * this.#maxInFlight)
      this.#limit = Math.max(this.#min, this.#limit / 2, found)
      // Started in a full house: what calm is like has to be found first.
      if (!this.#isBaseCalm) {
        this.#probePart = FIRST_PROBE_PART
        this.#enter('draining', nowMs)
      }
    }
    this.#long = this.#base
    this.#forget()
  }

  #judge(): void {
    const answers = this.#samples + this.#failures
    const failureShare = this.#failures / answers
    const limit = this.#limit
    let isPressed = false
    if (failureShare > 1.5 * this.#longFailureShare + 0.05) {
      isPressed = true
      this.#limit = Math.max(this.#min, limit * 0.9)
    } else if (this.#samples > 0) {
      const { tolerance, headroom } = this.#tuning
      const short = this.#smooth(this.#ratios / this.#samples)
      const gradient = Math.max(0.5, Math.min(1, (tolerance * Math.max(LEAST_LONG, this.#long)) / short))
      const room = Math.min(headroom, Math.sqrt(limit))
      isPressed = gradient < 1
      const isFull = this.#maxInFlight >= this.limit
      // Full and nothing queues: what was lost to a pause comes back within seconds.
      const next =
        isFull && gradient === 1
          ? limit + Math.max(SMOOTHING * room, REGAIN * limit, 0.5)
          : (1 - SMOOTHING) * limit + SMOOTHING * (gradient * limit + room)
      if (next < limit || this.#maxInFlight >= limit / 2)
        this.#limit = Math.max(this.#min, Math.min(this.#max, next))
      // With a line before the origin a slower answer may be the line's; a faster one never is.
      if (short < this.#long || (!isFull && gradient === 1)) this.#long += 0.02 * (short - this.#long)
    }
    this.#pressure += SMOOTHING * ((isPressed ? 1 : 0) - this.#pressure)
    this.#forget()
  }

  /** Few samples are noise, and noise only ever lowers a gradient that cannot exceed 1. */
  #smooth(ratio: number): number {
    const share = this.#samples / (this.#samples + this.#tuning.memory)
    this.#short = Number.isNaN(this.#short) ? ratio : this.#short + share * (ratio - this.#short)
    return this.#short
  }

  /** A probe's median: small changes are half noise, great ones are news. */
  #calibrate(ratio: number): void {
    const isNews = Math.abs(Math.log(ratio / this.#long)) > NEWS
    this.#long = isNews ? ratio : (this.#long + ratio) / 2
  }

  /**
   * Where nothing queues or fails there is no question, and calm weather must not feel a probe. The
   * first comes when pressure has lasted: at its onset the limit is still on its way down.
   */
  #isTimeToProbe(nowMs: number): boolean {
    if (this.#pressure < 0.25) this.#lastProbeMs = nowMs - this.#probeEveryMs / 2
    return nowMs - this.#lastProbeMs >= Math.max(this.#probeEveryMs, PROBE_REST * this.#probeTookMs)
  }

  #enter(state: LimitState, nowMs: number): void {
    this.#state = state
    this.#stateSinceMs = nowMs
    this.#toSkip = 0
    this.#forget()
  }

  #forget(): void {
    this.#samples = this.#ratios = this.#failures = this.#maxInFlight = 0
  }
}
