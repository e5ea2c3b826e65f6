/** Requests by hour of the week in the operator's time zone, and how many such hours the log has. */
const HOUR_MS = 3_600_000
const HOURS = 168

export interface WeekState {
  readonly requests: readonly number[]
  readonly hours: readonly number[]
}

export class Week {
  readonly requests = new Float64Array(HOURS)
  readonly hours = new Float64Array(HOURS)
  readonly #offsetMs: (atMs: number) => number
  #hour = Number.NaN
  #slot = 0

  constructor(offsetMs: (atMs: number) => number) {
    this.#offsetMs = offsetMs
  }

  /** Counts a request of this second. */
  add(second: number): void {
    const hour = Math.floor(second / 3600)
    if (hour < this.#hour) {
      // Late, and its hour was counted.
      this.requests[this.#slotOf(hour * HOUR_MS)]!++
      return
    }
    if (hour !== this.#hour) {
      // A quiet hour counts as well, but a gap of days is where the log has nothing.
      const from = hour - this.#hour <= 24 ? this.#hour + 1 : hour
      for (let h = from; h <= hour; h++) this.hours[(this.#slot = this.#slotOf(h * HOUR_MS))]!++
      this.#hour = hour
    }
    this.requests[this.#slot]!++
  }

  /** Mean requests per second, Monday 0 h first; undefined where the log has none of that hour. */
  get rates(): (number | undefined)[] {
    return Array.from(this.requests, (sum, i) =>
      this.hours[i] === 0 ? undefined : sum / this.hours[i]! / 3600,
    )
  }

  #slotOf(atMs: number): number {
    const hours = Math.floor((atMs + this.#offsetMs(atMs)) / HOUR_MS)
    // The epoch was a Thursday.
    return (((hours + 72) % HOURS) + HOURS) % HOURS
  }

  toState(): WeekState {
    return { requests: Array.from(this.requests), hours: Array.from(this.hours) }
  }

  restore(state: WeekState): void {
    for (let i = 0; i < HOURS; i++) {
      this.requests[i]! += state.requests[i] ?? 0
      this.hours[i]! += state.hours[i] ?? 0
    }
  }
}
