/**
 * The ten seconds that are running: sums and reservoirs in memory, and what was added since the last
 * second as text for the journal, from which they are made again after a crash.
 */
import { createHmac } from 'node:crypto'
import { identify } from '#networks'
import type { ExchangeRecord } from '../exchange-record.ts'
import type { Sample, SiteFigures } from './recorded.ts'
import { Reservoir } from './reservoir.ts'
import { SAMPLE_SLOTS } from './samples-table.ts'
import { type Gauges, SiteSums, type SiteSumsRows } from './site-sums.ts'

/** Sites that are told apart in ten seconds; requests of others are counted as lost. */
const MOST_SITES = 1000
/** Pairs of site and action that have samples: with 20 each some 4 MB. */
const MOST_RESERVOIRS = 200

/** One exchange, which stands for `weight` of them. */
export interface WeighedExchange {
  readonly record: ExchangeRecord
  readonly route: string
  readonly weight: number
}

export interface SiteDelta extends SiteFigures {
  readonly gauges: Gauges
  /** `hash32` of each subscriber that was seen. */
  readonly clients: Uint32Array
  readonly hasAllClients: boolean
}

/** A report as it goes to the writer. */
export interface RecorderReport {
  readonly sites: Readonly<Record<string, SiteDelta>>
  readonly exchanges: readonly WeighedExchange[]
}

interface Pick {
  readonly draw: number
  readonly sample: Sample
}

/** One second, as in the journal. */
interface JournalEntry {
  readonly sites: Readonly<Record<string, SiteSumsRows>>
  readonly picks: readonly Pick[]
}

export class OpenPeriod {
  /** Begin, seconds since the epoch. */
  readonly at: number
  readonly sums = new Map<string, SiteSums>()
  readonly #reservoirs = new Map<string, Reservoir<Sample>>()
  readonly #random: () => number
  readonly #markKey: Uint8Array
  /** Since the last second. */
  readonly #delta = new Map<string, SiteSums>()
  #picks: Pick[] = []
  /** Requests of sites beyond the bound. */
  lost = 0

  constructor(at: number, markKey: Uint8Array, random: () => number) {
    this.at = at
    this.#markKey = markKey
    this.#random = random
  }

  take({ sites, exchanges }: RecorderReport): void {
    for (const [name, figures] of Object.entries(sites)) {
      const sums = this.#deltaOf(name)
      if (sums === undefined) {
        for (const { count } of figures.tallies) this.lost += count
        continue
      }
      sums.addFigures(figures)
      sums.addGauges(figures.gauges)
      for (const hash of figures.clients) sums.clients.addHash(hash)
      sums.hasAllClients &&= figures.hasAllClients
    }
    for (const exchange of exchanges) this.#takeExchange(exchange)
  }

  #takeExchange({ record, route, weight }: WeighedExchange): void {
    this.#deltaOf(record.site)?.addExchange(record.asn, route, weight, record.originMs, record.bytes)
    const reservoir = this.#reservoirOf(record.site, record.action)
    const draw = reservoir?.draw(weight) ?? 0
    if (reservoir?.wouldKeep(draw) !== true) return
    const sample = this.#sampleOf(record, route, weight)
    reservoir.put(draw, sample)
    this.#picks.push({ draw, sample })
  }

  #deltaOf(name: string): SiteSums | undefined {
    let sums = this.#delta.get(name)
    if (sums === undefined) {
      if (!this.sums.has(name) && this.sums.size + this.#delta.size >= MOST_SITES) return undefined
      this.#delta.set(name, (sums = new SiteSums()))
    }
    return sums
  }

  #reservoirOf(site: string, action: string): Reservoir<Sample> | undefined {
    const key = `${action} ${site}`
    let reservoir = this.#reservoirs.get(key)
    if (reservoir === undefined) {
      if (this.#reservoirs.size >= MOST_RESERVOIRS) return undefined
      this.#reservoirs.set(key, (reservoir = new Reservoir(SAMPLE_SLOTS, this.#random)))
    }
    return reservoir
  }

  #sampleOf(record: ExchangeRecord, route: string, weight: number): Sample {
    const { target } = record
    const query = target.indexOf('?')
    return {
      atMs: record.atMs,
      site: record.site,
      ray: record.ray,
      action: record.action,
      reason: record.reason,
      lane: record.lane,
      asn: record.asn,
      prefix: identify(record.client).prefix,
      method: record.method,
      path: query < 0 ? target : target.slice(0, query),
      route,
      version: record.version,
      userAgent: record.userAgent,
      ja4: record.ja4,
      status: record.status,
      bytes: record.bytes,
      durationMs: record.durationMs,
      originMs: record.originMs,
      signature: record.signature ?? '',
      rule: record.rule ?? '',
      list: record.list ?? '',
      weight,
      // 64 bits: enough to tell clients of one record apart.
      mark: createHmac('sha256', this.#markKey).update(record.client).digest('hex').slice(0, 16),
      client: record.client,
      query: query < 0 ? '' : target.slice(query),
      referer: record.referer,
    }
  }

  /** What was added since the last call, as text; '' when nothing was. */
  takeDelta(): string {
    if (this.#delta.size === 0 && this.#picks.length === 0) return ''
    const sites: Record<string, SiteSumsRows> = {}
    for (const [name, sums] of this.#delta) {
      const rows = sums.rows()
      sites[name] = rows
      this.#sumsOf(name).merge(rows)
    }
    const entry: JournalEntry = { sites, picks: this.#picks }
    this.#delta.clear()
    this.#picks = []
    return JSON.stringify(entry)
  }

  /** Takes over what a journal says. Throws what JSON.parse throws. */
  recover(text: string): void {
    const { sites, picks } = JSON.parse(text) as JournalEntry
    for (const [name, rows] of Object.entries(sites)) this.#sumsOf(name).merge(rows)
    for (const { draw, sample } of picks) this.#reservoirOf(sample.site, sample.action)?.put(draw, sample)
  }

  #sumsOf(name: string): SiteSums {
    let sums = this.sums.get(name)
    if (sums === undefined) this.sums.set(name, (sums = new SiteSums()))
    return sums
  }

  /** Requests that were not taken as delta yet. */
  get requests(): number {
    return [...this.#delta.values()].reduce((sum, { requests }) => sum + requests, 0)
  }

  /** Samples in the order of their draw, by site and action. */
  samples(): readonly { readonly slot: number; readonly sample: Sample }[] {
    return [...this.#reservoirs.values()].flatMap(({ drawn }) =>
      drawn.map(({ item }, slot) => ({ slot, sample: item })),
    )
  }
}
