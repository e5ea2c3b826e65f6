/**
 * Who was served, from each visitor's point of view: one row per request, written when its fate is
 * known. Columns in typed arrays, because a flash crowd makes a hundred thousand rows.
 */
import { quantile } from '../lib/stats.ts'

/** Why a visitor did not get the page. 'served' is the only good end. */
export type Fate = string

export interface Rows {
  readonly cohorts: readonly string[]
  readonly networks: readonly string[]
  readonly fates: readonly Fate[]
  /** Second of arrival since the start of the run, with fraction. */
  readonly atS: Float64Array
  readonly latencyMs: Float64Array
  /** Origin milliseconds that went into what arrived; 0 when nothing did. */
  readonly costMs: Float64Array
  readonly cohort: Uint8Array
  readonly network: Uint8Array
  readonly fate: Uint8Array
}

export class Accounting {
  #count = 0
  #atS = new Float64Array(1024)
  #latencyMs = new Float64Array(1024)
  #costMs = new Float64Array(1024)
  #codes = new Uint8Array(3 * 1024)
  readonly #cohorts = new Names()
  readonly #networks = new Names()
  readonly #fates = new Names()

  add(row: {
    cohort: string
    network: string
    atS: number
    latencyMs: number
    costMs: number
    fate: Fate
  }): void {
    if (this.#count === this.#atS.length) this.#grow()
    const i = this.#count++
    this.#atS[i] = row.atS
    this.#latencyMs[i] = row.latencyMs
    this.#costMs[i] = row.costMs
    this.#codes[3 * i] = this.#cohorts.code(row.cohort)
    this.#codes[3 * i + 1] = this.#networks.code(row.network)
    this.#codes[3 * i + 2] = this.#fates.code(row.fate)
  }

  rows(): Rows {
    const n = this.#count
    const column = (k: number) => Uint8Array.from({ length: n }, (_, i) => this.#codes[3 * i + k]!)
    return {
      cohorts: this.#cohorts.list,
      networks: this.#networks.list,
      fates: this.#fates.list,
      atS: this.#atS.slice(0, n),
      latencyMs: this.#latencyMs.slice(0, n),
      costMs: this.#costMs.slice(0, n),
      cohort: column(0),
      network: column(1),
      fate: column(2),
    }
  }

  #grow(): void {
    const double = <T extends Float64Array | Uint8Array>(old: T, bigger: T): T => {
      bigger.set(old)
      return bigger
    }
    this.#atS = double(this.#atS, new Float64Array(this.#atS.length * 2))
    this.#latencyMs = double(this.#latencyMs, new Float64Array(this.#latencyMs.length * 2))
    this.#costMs = double(this.#costMs, new Float64Array(this.#costMs.length * 2))
    this.#codes = double(this.#codes, new Uint8Array(this.#codes.length * 2))
  }
}

class Names {
  readonly list: string[] = []
  readonly #codes = new Map<string, number>()

  code(name: string): number {
    const known = this.#codes.get(name)
    if (known !== undefined) return known
    // The last code is for whatever does not fit: 255 names are more than any run has.
    if (this.list.length === 255) return this.code('other')
    this.list.push(name)
    this.#codes.set(name, this.list.length - 1)
    return this.list.length - 1
  }
}

export interface Tally {
  readonly asked: number
  readonly served: number
  /** Requests answered with a refusal (403 or 429). */
  readonly refused: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly costMs: number
  readonly fates: Readonly<Record<Fate, number>>
}

/** Adds up the rows that arrived in [fromS, untilS), of one cohort or network when given. */
export function tally(
  rows: Rows,
  window: { fromS: number; untilS: number; cohort?: string; network?: string },
): Tally {
  const cohort = window.cohort === undefined ? -1 : rows.cohorts.indexOf(window.cohort)
  const network = window.network === undefined ? -1 : rows.networks.indexOf(window.network)
  const latencies: number[] = []
  const fates: Record<Fate, number> = {}
  let asked = 0
  let costMs = 0
  for (let i = 0; i < rows.atS.length; i++) {
    const at = rows.atS[i]!
    if (at < window.fromS || at >= window.untilS) continue
    if (window.cohort !== undefined && rows.cohort[i] !== cohort) continue
    if (window.network !== undefined && rows.network[i] !== network) continue
    const fate = rows.fates[rows.fate[i]!]!
    asked++
    costMs += rows.costMs[i]!
    fates[fate] = (fates[fate] ?? 0) + 1
    if (fate === 'served') latencies.push(rows.latencyMs[i]!)
  }
  return {
    asked,
    served: latencies.length,
    refused: (fates['status-403'] ?? 0) + (fates['status-429'] ?? 0),
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    costMs,
    fates,
  }
}

/**
 * Seconds from `fromS` until visitors are served again for good: the first second from which every
 * following second, down to the last, serves `goal` of those who arrive in it (seconds with fewer
 * than ten arrivals are joined to their neighbours). Undefined when that never comes.
 */
export function timeToServe(
  rows: Rows,
  window: { fromS: number; untilS: number; goal: number },
): number | undefined {
  const seconds = Math.floor(window.untilS - window.fromS)
  let best: number | undefined
  let asked = 0
  let served = 0
  for (let s = seconds - 1; s >= 0; s--) {
    const one = tally(rows, { fromS: window.fromS + s, untilS: window.fromS + s + 1 })
    asked += one.asked
    served += one.served
    if (asked < 10) continue
    if (served / asked < window.goal) return best
    best = s
    asked = 0
    served = 0
  }
  return best
}

const STEP_S = 0.1

/**
 * Seconds from `fromS` until visitors are served and stay served: the earliest moment from which both the
 * first second and all `staysS` seconds together serve `goal` of those who arrive in them. Not every single
 * second: of a hundred who come in one, two may be unlucky although 99.5 % are served on the whole.
 * Undefined when no such moment is left in the window.
 */
export function timeUntilStable(
  rows: Rows,
  window: { fromS: number; untilS: number; goal: number; staysS: number },
): number | undefined {
  const { fromS, untilS, goal, staysS } = window
  const steps = Math.floor((untilS - staysS - fromS) / STEP_S + 1e-9)
  const isServed = (at: number, seconds: number) => {
    const { asked, served } = tally(rows, { fromS: at, untilS: at + seconds })
    return asked > 0 && served >= goal * asked
  }
  for (let i = 0; i <= steps; i++) {
    const at = fromS + i * STEP_S
    if (isServed(at, 1) && isServed(at, staysS)) return Math.round(i * STEP_S * 10) / 10
  }
  return undefined
}
