/**
 * Who goes on asking at a high rate after being refused again and again.
 *
 *   ok ──refused ≥ 100 in the last 5 to 10 s, under 2 % of that completed──▶ hammering (429 unasked)
 *   hammering ──refused ≥ 500, nothing completed──▶ drop (closed without an answer, 60 s)
 *
 * Problem: a shed answer is cheap, but a hundred per second and address are not. Only what was
 * measured counts: refusals, never a guess about the client.
 *
 * Shared addresses. Behind a carrier's NAT fifty visitors stand with five attackers. Fair queueing
 * serves the address its share, so part of what comes from it is completed, and as long as that is
 * 2 % nothing happens to it. One request in sixteen of a hammering subscriber still goes to the gate
 * (`state` answers 'ok' for it): whoever starts to be served again leaves the state by himself.
 *
 * Rejected: a table of exact counters per address (a million cold addresses fill it, and evicting
 * from it lets hot ones out); blocking by rate alone (it is the NAT that has the highest rate).
 * A name's count may be too high by a collision (kit/count-min), by 0.07 % of all refusals: the
 * thresholds are raised by that much, so that a huge cold flood condemns nobody.
 */
import { BoundedMap, CountMin, type HashKey } from '#kit'

export interface HammeringOptions {
  readonly windowMs?: number
  readonly hammeringRefusals?: number
  readonly dropRefusals?: number
  readonly dropMs?: number
  readonly maxDropped?: number
  readonly width?: number
  readonly key?: HashKey
  readonly count?: (counter: string, by?: number) => void
}

export type HammeringState = 'ok' | 'hammering' | 'drop'

const COMPLETED_SHARE = 0.02
const PROBE_EVERY = 16

export class Hammering {
  readonly #refused: CountMin
  readonly #completed: CountMin
  /** Subscriber to the end of its silence. */
  readonly #dropped: BoundedMap<string, number>
  readonly #hammeringRefusals: number
  readonly #dropRefusals: number
  readonly #dropMs: number
  readonly #count: (counter: string, by?: number) => void
  #probe = 0

  constructor(options: HammeringOptions = {}) {
    const width = options.width ?? 4096
    const windowMs = options.windowMs ?? 5000
    const shape = { width, windowMs, ...(options.key ? { key: options.key } : {}) }
    this.#refused = new CountMin(shape)
    this.#completed = new CountMin(shape)
    this.#dropped = new BoundedMap(options.maxDropped ?? 8192)
    this.#hammeringRefusals = options.hammeringRefusals ?? 100
    this.#dropRefusals = options.dropRefusals ?? 500
    this.#dropMs = options.dropMs ?? 60_000
    this.#count = options.count ?? (() => {})
  }

  /** Subscribers in silence now, expired ones that nobody asked about included. */
  get dropped(): number {
    return this.#dropped.size
  }

  /** One of its requests was shed, or answered 429 for hammering. */
  refused(subscriber: string, nowMs: number): void {
    const refused = this.#refused.add(subscriber, 1, nowMs)
    if (refused < this.#dropRefusals + this.#slack() || this.#dropped.has(subscriber)) return
    if (this.#completed.estimate(subscriber, nowMs) > 0) return
    if (this.#dropped.set(subscriber, nowMs + this.#dropMs)) this.#count('hammeringForgotten')
    this.#count('hammeringDropped')
  }

  /** One of its requests was admitted and answered by the origin. */
  completed(subscriber: string, nowMs: number): void {
    this.#completed.add(subscriber, 1, nowMs)
  }

  state(subscriber: string, nowMs: number): HammeringState {
    const until = this.#dropped.get(subscriber)
    if (until !== undefined) {
      if (nowMs < until) return 'drop'
      this.#dropped.delete(subscriber)
    }
    const refused = this.#refused.estimate(subscriber, nowMs)
    if (refused < this.#hammeringRefusals + this.#slack()) return 'ok'
    if (this.#completed.estimate(subscriber, nowMs) >= refused * COMPLETED_SHARE) return 'ok'
    return ++this.#probe % PROBE_EVERY === 0 ? 'ok' : 'hammering'
  }

  #slack(): number {
    return (Math.E / this.#refused.width) * this.#refused.total
  }
}
