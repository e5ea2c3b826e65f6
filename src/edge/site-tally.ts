/** What one thread counts of one site between two reports. */
import { LANES, type Lane } from '#admission'
import type { SiteReport } from '#control'
import { ACTIONS, type Action, LATENCY_BUCKETS_MS } from '#record'

/** Reasons are a small closed set of ours; the cap is against a mistake of ours, not against clients. */
const MAX_REASONS = 64

/** What a gate says of itself since it was last asked. */
export type GateReport = Pick<
  SiteReport,
  'queueDelayMs' | 'queueDelayMaxMs' | 'waiting' | 'calm' | 'calmLost'
>

interface Cell {
  count: number
  originMs: number
}

export class SiteTally {
  longLived = 0
  #cells = new Map<string, Cell>()
  #latency: number[] = new Array<number>(LATENCY_BUCKETS_MS.length + 1).fill(0)

  ended(lane: Lane, action: Action, reason: string, originMs: number): void {
    const key = `${lane} ${action} ${reason}`
    let cell = this.#cells.get(key)
    if (cell === undefined) {
      if (this.#cells.size >= MAX_REASONS * ACTIONS.length * LANES.length) return
      this.#cells.set(key, (cell = { count: 0, originMs: 0 }))
    }
    cell.count++
    cell.originMs += originMs
  }

  get isEmpty(): boolean {
    return this.#cells.size === 0 && this.longLived === 0
  }

  served(durationMs: number): void {
    let i = 0
    while (i < LATENCY_BUCKETS_MS.length && durationMs > LATENCY_BUCKETS_MS[i]!) i++
    this.#latency[i]!++
  }

  /** The figures since the last call. */
  drain(gate: GateReport, origins: SiteReport['origins']): SiteReport {
    const tallies: SiteReport['tallies'][number][] = []
    for (const [key, cell] of this.#cells) {
      const [lane, action, reason] = key.split(' ')
      tallies.push({
        lane: lane as Lane,
        action: action as Action,
        reason: reason ?? '',
        count: cell.count,
        originMs: cell.originMs,
      })
    }
    const report: SiteReport = {
      tallies,
      queueDelayMs: gate.queueDelayMs,
      queueDelayMaxMs: gate.queueDelayMaxMs,
      waiting: gate.waiting,
      calm: gate.calm,
      calmLost: gate.calmLost,
      longLived: this.longLived,
      latency: this.#latency,
      origins,
    }
    if (this.#cells.size > 0) this.#cells = new Map()
    this.#latency = new Array<number>(LATENCY_BUCKETS_MS.length + 1).fill(0)
    return report
  }
}
