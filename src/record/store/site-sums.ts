/** What is summed up of one site in one period, whatever its length. */
import { HyperLogLog } from '#kit'
import { LATENCY_BUCKETS_MS } from '../exchange-record.ts'
import { DIMENSIONS, type Dimension, type SiteFigures, type Tally } from './recorded.ts'
import { type SumsRow, TopCounts } from './top-counts.ts'

/** Combinations of lane, action and reason: the words are Digue's own, the bound is against mistakes. */
const MOST_TALLIES = 256
const LATENCIES = LATENCY_BUCKETS_MS.length + 1

export interface Gauges {
  readonly inFlight: number
  readonly limit: number
  readonly waiting: number
  readonly longLived: number
}

/** Names of a dimension, their requests, origin time and bytes. */
export type DimensionRows = Readonly<Record<Dimension, readonly SumsRow[]>>

/** A SiteSums as JSON. */
export interface SiteSumsRows {
  readonly tallies: readonly Tally[]
  readonly tops: DimensionRows
  readonly latency: readonly number[]
  readonly bytes: number
  readonly queueDelayMs: number
  readonly queueDelayMaxMs: number
  readonly gauges: Gauges
  /** Registers that are not 0: index and rank in turn. */
  readonly clients: readonly number[]
  readonly hasAllClients: boolean
  readonly recordsLost: number
}

interface Cell {
  readonly lane: string
  readonly action: string
  readonly reason: string
  count: number
  originMs: number
}

export class SiteSums {
  readonly #tallies = new Map<string, Cell>()
  readonly tops: Readonly<Record<Dimension, TopCounts>> = {
    network: new TopCounts(),
    path: new TopCounts(),
    signature: new TopCounts(),
  }
  readonly latency: number[] = new Array<number>(LATENCIES).fill(0)
  readonly clients: HyperLogLog
  /** False: some requests had no record, so that `clients` is a lower bound. */
  hasAllClients = true
  /** Body bytes, estimated from the records. */
  bytes = 0
  /** The worst of the period. */
  queueDelayMs = 0
  queueDelayMaxMs = 0
  gauges: Gauges = { inFlight: 0, limit: 0, waiting: 0, longLived: 0 }
  /** Tallies that found no room. */
  lost = 0

  constructor(clients = new HyperLogLog()) {
    this.clients = clients
  }

  get requests(): number {
    let sum = 0
    for (const { count } of this.#tallies.values()) sum += count
    return sum
  }

  get tallies(): readonly Readonly<Tally>[] {
    return [...this.#tallies.values()]
  }

  addFigures(figures: SiteFigures): void {
    for (const tally of figures.tallies) this.addTally(tally)
    for (const { id, requests } of figures.signatures ?? []) this.tops.signature.add(id, requests, 0, 0)
    for (let i = 0; i < LATENCIES; i++) this.latency[i]! += figures.latency[i] ?? 0
    this.queueDelayMs = Math.max(this.queueDelayMs, figures.queueDelayMs)
    this.queueDelayMaxMs = Math.max(this.queueDelayMaxMs, figures.queueDelayMaxMs)
  }

  addTally({ lane, action, reason, count, originMs }: Tally): void {
    const key = `${lane} ${action} ${reason}`
    let cell = this.#tallies.get(key)
    if (cell === undefined) {
      if (this.#tallies.size >= MOST_TALLIES) {
        this.lost += count
        return
      }
      this.#tallies.set(key, (cell = { lane, action, reason, count: 0, originMs: 0 }))
    }
    cell.count += count
    cell.originMs += originMs
  }

  /** The most that there were of each, and the newest limit. */
  addGauges({ inFlight, limit, waiting, longLived }: Gauges): void {
    const before = this.gauges
    this.gauges = {
      inFlight: Math.max(before.inFlight, inFlight),
      limit: limit === 0 ? before.limit : limit,
      waiting: Math.max(before.waiting, waiting),
      longLived: Math.max(before.longLived, longLived),
    }
  }

  /** One exchange that stands for `weight` of them. */
  addExchange(asn: number, route: string, weight: number, originMs: number, bytes: number): void {
    this.tops.network.add(`AS${asn}`, weight, weight * originMs, weight * bytes)
    this.tops.path.add(route, weight, weight * originMs, weight * bytes)
    this.bytes += weight * bytes
  }

  merge(rows: SiteSumsRows): void {
    for (const tally of rows.tallies) this.addTally(tally)
    for (const dimension of DIMENSIONS) this.tops[dimension].merge(rows.tops[dimension])
    for (let i = 0; i < LATENCIES; i++) this.latency[i]! += rows.latency[i] ?? 0
    this.bytes += rows.bytes
    this.queueDelayMs = Math.max(this.queueDelayMs, rows.queueDelayMs)
    this.queueDelayMaxMs = Math.max(this.queueDelayMaxMs, rows.queueDelayMaxMs)
    this.addGauges(rows.gauges)
    const { registers } = this.clients
    for (let i = 0; i + 1 < rows.clients.length; i += 2) {
      const index = rows.clients[i]!
      registers[index] = Math.max(registers[index] ?? 0, rows.clients[i + 1]!)
    }
    this.hasAllClients &&= rows.hasAllClients
    this.lost += rows.recordsLost
  }

  rows(): SiteSumsRows {
    const clients: number[] = []
    this.clients.registers.forEach((rank, index) => {
      if (rank > 0) clients.push(index, rank)
    })
    return {
      tallies: this.tallies,
      tops: {
        network: this.tops.network.rows(),
        path: this.tops.path.rows(),
        signature: this.tops.signature.rows(),
      },
      latency: this.latency,
      bytes: this.bytes,
      queueDelayMs: this.queueDelayMs,
      queueDelayMaxMs: this.queueDelayMaxMs,
      gauges: this.gauges,
      clients,
      hasAllClients: this.hasAllClients,
      recordsLost: this.lost,
    }
  }
}
