/**
 * Records of requests for who tries a rule out: kept while he asks, for a second or two, and never otherwise.
 *
 * Whoever asks again within LISTEN_MS gets what came in between; when he no longer does (he is done, or was
 * killed) the edges stop telling what requests look like.
 */
import type { Posture } from '#control'
import type { ExchangeRecord } from '#record'

const LISTEN_MS = 5000
/** Held at most, and so in one answer: some 6 kB each at worst. */
const MOST_RECORDS = 4000

export interface Samples {
  /** To be given as `after` the next time. */
  readonly serial: number
  readonly records: readonly ExchangeRecord[]
  /** Requests since `after` that have no record, or one that was not kept. */
  readonly lost: number
  readonly postures: Readonly<Record<string, Posture>>
}

export class SampleDesk {
  #records: ExchangeRecord[] = []
  /** Serial number of the first record held, and of the first that will come. */
  #first = 0
  #next = 0
  /** Requests without a look, or beyond the bound: told to whoever asks first. */
  #lost = 0
  #listenedAtMs = Number.NEGATIVE_INFINITY

  isWanted(nowMs: number): boolean {
    const isWanted = nowMs - this.#listenedAtMs < LISTEN_MS
    if (!isWanted && this.#records.length > 0) this.#forget()
    return isWanted
  }

  take(records: readonly ExchangeRecord[], lost: number, nowMs: number): void {
    if (!this.isWanted(nowMs)) return
    this.#lost += lost
    for (const record of records) {
      if (record.look === undefined) this.#lost++
      else this.#records.push(record)
    }
    this.#next = this.#first + this.#records.length
    const excess = this.#records.length - MOST_RECORDS
    if (excess <= 0) return
    this.#records.splice(0, excess)
    this.#first += excess
    this.#lost += excess
  }

  /** What came after `after`; nothing, but that it begins, without. */
  since(after: number | undefined, nowMs: number): Omit<Samples, 'postures'> {
    this.#listenedAtMs = nowMs
    if (after === undefined) return { serial: this.#next, records: [], lost: 0 }
    const from = Math.max(0, after - this.#first)
    const records = this.#records.slice(from)
    const lost = this.#lost
    this.#lost = 0
    return { serial: Math.max(after, this.#first + from + records.length), records, lost }
  }

  #forget(): void {
    this.#first = this.#next
    this.#records = []
    this.#lost = 0
  }
}
