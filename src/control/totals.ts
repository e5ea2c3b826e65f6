/** What was counted since the start and in the last minute, per site; bounded, and without addresses. */
import type { Lane } from '#admission'
import type { Action } from '#record'
import type { SiteReport } from './policy.ts'

export interface Total {
  readonly lane: Lane
  readonly action: Action
  readonly reason: string
  count: number
  originMs: number
}

/** Combinations per site; the words are Digue's own, the bound is against mistakes. */
const MAX_TOTALS = 256
const MINUTE_TICKS = 240

export interface MinuteFigures {
  readonly requests: number
  readonly served: number
  readonly shed: number
  readonly refused: number
  readonly failed: number
}

export class SiteTotals {
  readonly #totals = new Map<string, Total>()
  /** Combinations that found no room. */
  lost = 0
  /** Served, shed, refused, failed, requests for each tick of the last minute. */
  readonly #minute = new Float64Array(MINUTE_TICKS * 5)
  #tick = 0

  add(tallies: SiteReport['tallies']): void {
    const at = (this.#tick % MINUTE_TICKS) * 5
    const minute = this.#minute
    for (const { lane, action, reason, count, originMs } of tallies) {
      minute[at + 4]! += count
      if (action === 'relay' || action === 'store') minute[at]! += count
      else if (action === 'shed') minute[at + 1]! += count
      else if (action === 'refuse' || action === 'drop') minute[at + 2]! += count
      else if (action === 'fail') minute[at + 3]! += count
      const key = `${lane} ${action} ${reason}`
      let total = this.#totals.get(key)
      if (total === undefined) {
        if (this.#totals.size >= MAX_TOTALS) {
          this.lost += count
          continue
        }
        this.#totals.set(key, (total = { lane, action, reason, count: 0, originMs: 0 }))
      }
      total.count += count
      total.originMs += originMs
    }
  }

  /** Begins the next tick of 250 ms. */
  turn(): void {
    this.#tick++
    const at = (this.#tick % MINUTE_TICKS) * 5
    this.#minute.fill(0, at, at + 5)
  }

  totals(): readonly Readonly<Total>[] {
    return [...this.#totals.values()]
  }

  lastMinute(): MinuteFigures {
    const sums = [0, 0, 0, 0, 0]
    for (let i = 0; i < this.#minute.length; i++) sums[i % 5]! += this.#minute[i]!
    return { served: sums[0]!, shed: sums[1]!, refused: sums[2]!, failed: sums[3]!, requests: sums[4]! }
  }
}
