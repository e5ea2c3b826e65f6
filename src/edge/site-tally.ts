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
  readonly lane: Lane
  readonly action: Action
  readonly reason: string
  count: number
  originMs: number
}

export class SiteTally {
  longLived = 0
  /** Exchanges in line now. */
  waiting = 0
  /** By lane and action; the reasons of one such pair are two or three. */
  readonly #cells: Cell[][] = Array.from({ length: LANES.length * ACTIONS.length }, () => [])
  #size = 0
  #latency: number[] = new Array<number>(LATENCY_BUCKETS_MS.length + 1).fill(0)

  ended(lane: Lane, action: Action, reason: string, originMs: number): void {
    const cells = this.#cells[LANES.indexOf(lane) * ACTIONS.length + ACTIONS.indexOf(action)]!
    for (const cell of cells) {
      if (cell.reason !== reason) continue
      cell.count++
      cell.originMs += originMs
      return
    }
    if (cells.length >= MAX_REASONS) return
    cells.push({ lane, action, reason, count: 1, originMs })
    this.#size++
  }

  get isEmpty(): boolean {
    return this.#size === 0 && this.longLived === 0
  }

  served(durationMs: number): void {
    let i = 0
    while (i < LATENCY_BUCKETS_MS.length && durationMs > LATENCY_BUCKETS_MS[i]!) i++
    this.#latency[i]!++
  }

  /** The figures since the last call. */
  drain(gate: GateReport, origins: SiteReport['origins']): SiteReport {
    const tallies: SiteReport['tallies'][number][] = this.#cells.flat()
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
    if (this.#size > 0) for (const cells of this.#cells) cells.length = 0
    this.#size = 0
    this.#latency = new Array<number>(LATENCY_BUCKETS_MS.length + 1).fill(0)
    return report
  }
}
