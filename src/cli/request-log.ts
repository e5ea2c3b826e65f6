/** Lines about requests: which, how many per second, and how many were left out. */
import type { Logger } from 'pino'
import type { Config } from '#config'
import type { EdgeReport } from '#control'

export class RequestLog {
  readonly #log: Logger
  readonly #onLeftOut: (count: number) => void
  #settings: Config['log']
  #second = 0
  #written = 0
  #leftOut = 0

  constructor(log: Logger, settings: Config['log'], onLeftOut: (count: number) => void) {
    this.#log = log
    this.#settings = settings
    this.#onLeftOut = onLeftOut
  }

  configure(settings: Config['log']): void {
    this.#settings = settings
  }

  /**
   * One thread's report. Its tallies are complete, its records a sample: what is in the one and not in
   * the other was left out.
   */
  offer(report: EdgeReport, nowMs: number): void {
    this.tick(nowMs)
    const wanted = this.#settings.requests
    if (wanted === 'none') return
    let total = 0
    for (const { tallies } of Object.values(report.sites))
      for (const { action, reason, count } of tallies) if (isWanted(wanted, action, reason)) total += count
    let seen = 0
    for (const record of report.records) {
      if (!isWanted(wanted, record.action, record.reason)) continue
      seen++
      if (this.#written >= this.#settings.perSecond) {
        this.#leftOut++
        continue
      }
      this.#written++
      const { site, client, action, reason, lane, ja4, status, durationMs, originMs, ray, method, target } =
        record
      const { signature, rule, list } = record
      this.#log.info(
        {
          site,
          client,
          action,
          reason,
          lane,
          ja4,
          status,
          durationMs: round(durationMs),
          originMs: round(originMs),
          ray,
          method,
          target,
          ...(signature && { signature }),
          ...(rule && { rule }),
          ...(list && { list }),
        },
        'request',
      )
    }
    // Requests for unknown hosts have records and no tally.
    this.#leftOut += Math.max(0, total - seen)
  }

  /** Ends the second when it is over: states what was left out of it. */
  tick(nowMs: number): void {
    const second = Math.floor(nowMs / 1000)
    if (second === this.#second) return
    if (this.#leftOut > 0) {
      this.#log.info({ leftOut: this.#leftOut, written: this.#written }, 'request lines left out')
      this.#onLeftOut(this.#leftOut)
    }
    this.#second = second
    this.#written = 0
    this.#leftOut = 0
  }
}

/** A relay with a reason is one that was noticed: in observe mode, what would have been shed. */
function isWanted(wanted: 'all' | 'mitigated', action: string, reason: string): boolean {
  return wanted === 'all' || (action !== 'relay' && action !== 'store') || reason !== ''
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10
}
