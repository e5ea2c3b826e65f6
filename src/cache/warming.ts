/**
 * Which stored pages are asked for anew before they run out, so that no visitor waits for the most
 * requested ones.
 *
 * The 256 most requested keys are known by SpaceSaving, halved every ten minutes. A page is *due* when a
 * fifth of its lifetime or 5 s is left, or half of what lives shorter than 10 s; half of its lifetime when posture is
 * armed, so that a flood that is expected meets fresh pages. The most requested go first, none more often than twice in its lifetime, if that came to something.
 *
 * The origin's visitors come before: only as many pages per second as the idle share of its capacity
 * bears. With nothing idle none is refreshed ahead, for a stale one still serves; if armed, one per second, for then
 * every page saves a thousand requests.
 *
 * Whether a refresh came to something shows in how long the page is fresh: no longer than before means
 * that it failed, or that it is of no use (an Expires at midnight). Then the page has to wait twice
 * as long each time, at most ten minutes. So nobody need report failures, and a thread that died with a
 * refresh in flight is one more of them.
 */
import { SpaceSaving } from '#kit'

const MOST_KEYS = 256
const HALVED_EVERY_MS = 600_000
const DUE_SHARE = 0.2
const ARMED_DUE_SHARE = 0.5
const DUE_MS = 5000
/** For what lives shorter than two of these. */
const LEAST_INTERVAL_MS = 1000
const MOST_INTERVAL_MS = 600_000
/** A page asked for once may never be asked for again. */
const LEAST_REQUESTS = 2

/** How fresh a stored response is (RFC 9111 §4.2), ms; `leftMs` below 0 when it is stale. */
export interface Freshness {
  readonly leftMs: number
  readonly lifetimeMs: number
}

export interface WarmingState {
  /** Posture is armed: a dangerous date is near. */
  readonly isArmed: boolean
  /** 0 to 1: the share of the origin's capacity that is idle. */
  readonly spareRatio: number
}

interface Attempt {
  readonly atMs: number
  /** When the page was to run out, as known at the attempt. */
  readonly freshUntilMs: number
  /** Refreshes in a row that did not make it fresh for longer. */
  readonly failures: number
}

export class Warming {
  readonly #mostPerSecond: number
  #requests = new SpaceSaving(MOST_KEYS)
  readonly #attempts = new Map<string, Attempt>()
  #halvedAtMs: number | undefined
  #credit = 0
  #creditAtMs: number | undefined

  /** `mostPerSecond`: refreshes per second of an origin with nothing else to do. */
  constructor(options: { readonly mostPerSecond: number }) {
    this.#mostPerSecond = options.mostPerSecond
  }

  /** A stored page served a request. */
  used(key: string, nowMs: number, times = 1): void {
    this.#halvedAtMs ??= nowMs
    if (Math.abs(nowMs - this.#halvedAtMs) >= HALVED_EVERY_MS) this.#halve(nowMs)
    this.#requests.add(key, times)
  }

  /**
   * Keys to ask the origin for now, most requested first; call it about every second. What it returns
   * counts as asked for. `freshnessOf` is undefined for what is not stored.
   */
  due(
    nowMs: number,
    freshnessOf: (key: string) => Freshness | undefined,
    state: WarmingState,
  ): readonly string[] {
    this.#earn(nowMs, state)
    const due: string[] = []
    if (this.#credit < 1) return due
    for (const { name, count, error } of this.#requests.top(MOST_KEYS)) {
      // Less what may have been another key's.
      if (count - error < LEAST_REQUESTS) continue
      const freshness = freshnessOf(name)
      if (freshness === undefined || !isDue(freshness, state.isArmed)) continue
      const freshUntilMs = nowMs + freshness.leftMs
      const failures = this.#failures(name, freshUntilMs)
      const last = this.#attempts.get(name)
      // A clock that was set back must not hold a page up until it is where it was.
      const sinceMs = last === undefined || nowMs < last.atMs ? Number.POSITIVE_INFINITY : nowMs - last.atMs
      if (sinceMs < intervalMs(freshness.lifetimeMs, failures)) continue
      this.#attempts.set(name, { atMs: nowMs, freshUntilMs, failures })
      due.push(name)
      if (--this.#credit < 1) break
    }
    if (this.#attempts.size > 2 * MOST_KEYS) this.#forget()
    return due
  }

  /** What may be spent, at most one second's worth: a pause does not make a burst. */
  #earn(nowMs: number, { isArmed, spareRatio }: WarmingState): void {
    const spare = Math.min(1, Math.max(0, spareRatio))
    const perSecond = spare > 0 || isArmed ? 1 + spare * this.#mostPerSecond : 0
    const seconds = this.#creditAtMs === undefined ? 1 : Math.max(0, nowMs - this.#creditAtMs) / 1000
    this.#creditAtMs = nowMs
    this.#credit = Math.min(perSecond, this.#credit + seconds * perSecond)
  }

  #failures(key: string, freshUntilMs: number): number {
    const last = this.#attempts.get(key)
    if (last === undefined || freshUntilMs > last.freshUntilMs + LEAST_INTERVAL_MS / 2) return 0
    return last.failures + 1
  }

  #halve(nowMs: number): void {
    const halved = new SpaceSaving(MOST_KEYS)
    for (const { name, count, error } of this.#requests.top(MOST_KEYS)) {
      const requests = Math.floor((count - error) / 2)
      if (requests > 0) halved.add(name, requests)
    }
    this.#requests = halved
    this.#halvedAtMs = nowMs
    this.#forget()
  }

  /** Attempts of keys that are no longer among the most requested. */
  #forget(): void {
    for (const key of this.#attempts.keys())
      if (this.#requests.get(key) === undefined) this.#attempts.delete(key)
  }
}

function isDue({ leftMs, lifetimeMs }: Freshness, isArmed: boolean): boolean {
  // What is never fresh is asked for each time anyway.
  if (lifetimeMs <= 0) return false
  if (isArmed) return leftMs < Math.max(DUE_MS, lifetimeMs * ARMED_DUE_SHARE)
  // What lives for seconds only would be due as soon as it came.
  return leftMs < Math.min(lifetimeMs / 2, Math.max(DUE_MS, lifetimeMs * DUE_SHARE))
}

function intervalMs(lifetimeMs: number, failures: number): number {
  const usual = Math.max(LEAST_INTERVAL_MS, lifetimeMs / 2)
  if (failures === 0) return usual
  // From the shortest interval on: a page of a day whose refresh failed once should not run out meanwhile.
  return Math.min(MOST_INTERVAL_MS, Math.max(LEAST_INTERVAL_MS, Math.min(usual, DUE_MS)) * 2 ** failures)
}
