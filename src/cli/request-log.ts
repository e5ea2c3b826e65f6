/** Lines about requests: which, how many per second, and how many were left out. */
import type { Logger } from 'pino'
import type { Config } from '#config'
import type { ExchangeRecord } from '#record'

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

  /** `lost`: records that an edge could not keep until they got here. */
  offer(records: readonly ExchangeRecord[], lost: number, nowMs: number): void {
    this.tick(nowMs)
    if (this.#settings.requests === 'none') return
    this.#leftOut += lost
    for (const record of records) {
      // A relay with a reason is one that was noticed: in observe mode, what would have been shed.
      if (this.#settings.requests === 'mitigated' && record.action === 'relay' && record.reason === '')
        continue
      if (this.#written >= this.#settings.perSecond) {
        this.#leftOut++
        continue
      }
      this.#written++
      const { site, client, action, reason, lane, ja4, status, durationMs, originMs, ray, method, target } =
        record
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
        },
        'request',
      )
    }
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

function round(ms: number): number {
  return Math.round(ms * 10) / 10
}
