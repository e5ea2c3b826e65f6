/** The last ten seconds of every site, from the edges' reports: what `digue status` shows. */
import type { EdgeReport, SiteReport } from '#control'
import { LATENCY_BUCKETS_MS } from '#control'

const WINDOW_S = 10

export interface SiteFigures {
  /** Mean per second over the window, by what became of the requests. */
  readonly perSecond: Readonly<Record<string, number>>
  /** The same by reason, of those that were not served. */
  readonly reasonsPerSecond: Readonly<Record<string, number>>
  /** What the store served: within its lifetime or confirmed by the origin, beyond it, and as the last good copy. */
  readonly fromStorePerSecond: {
    readonly fresh: number
    readonly stale: number
    readonly emergency: number
  }
  /** Relayed requests by lane. */
  readonly lanesPerSecond: Readonly<Record<string, number>>
  readonly waiting: number
  readonly longLived: number
  readonly queueDelayMs: number
  readonly queueDelayMaxMs: number
  /** Upper bounds of the buckets that hold the percentile; undefined when nothing was relayed. */
  readonly p50Ms: number | undefined
  readonly p99Ms: number | undefined
  readonly origins: SiteReport['origins']
}

interface Second {
  at: number
  readonly actions: Map<string, number>
  readonly reasons: Map<string, number>
  /** Served from the store, by reason; '' for fresh ones. */
  readonly stored: Map<string, number>
  readonly lanes: Map<string, number>
  readonly latency: number[]
  queueDelaySum: number
  queueDelayReports: number
  queueDelayMax: number
}

interface Site {
  readonly seconds: (Second | undefined)[]
  /** By thread: gauges of each thread's newest report. */
  readonly threads: Map<number, SiteReport>
}

export class LiveFigures {
  readonly #sites = new Map<string, Site>()

  take(report: EdgeReport, nowMs: number): void {
    for (const [name, figures] of Object.entries(report.sites)) this.#add(name, figures, report.thread, nowMs)
  }

  /** Forgets sites that the configuration no longer has, so that the map is bounded by it. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const name of this.#sites.keys()) if (!names.has(name)) this.#sites.delete(name)
  }

  #add(name: string, figures: SiteReport, thread: number, nowMs: number): void {
    let site = this.#sites.get(name)
    if (site === undefined)
      this.#sites.set(name, (site = { seconds: new Array(WINDOW_S + 1), threads: new Map() }))
    site.threads.set(thread, figures)
    const at = Math.floor(nowMs / 1000)
    const slot = at % (WINDOW_S + 1)
    let second = site.seconds[slot]
    if (second === undefined || second.at !== at) {
      second = {
        at,
        actions: new Map(),
        reasons: new Map(),
        stored: new Map(),
        lanes: new Map(),
        latency: new Array(LATENCY_BUCKETS_MS.length + 1).fill(0),
        queueDelaySum: 0,
        queueDelayReports: 0,
        queueDelayMax: 0,
      }
      site.seconds[slot] = second
    }
    for (const tally of figures.tallies) {
      add(second.actions, tally.action, tally.count)
      if (tally.action === 'relay') add(second.lanes, tally.lane, tally.count)
      else if (tally.action === 'store') add(second.stored, tally.reason, tally.count)
      else if (tally.reason !== '') add(second.reasons, tally.reason, tally.count)
    }
    for (const [i, count] of figures.latency.entries()) second.latency[i] = (second.latency[i] ?? 0) + count
    second.queueDelaySum += figures.queueDelayMs
    second.queueDelayReports++
    second.queueDelayMax = Math.max(second.queueDelayMax, figures.queueDelayMaxMs)
  }

  /** The last ten whole seconds: the current one is not over. */
  site(name: string, nowMs: number): SiteFigures {
    const site = this.#sites.get(name)
    const now = Math.floor(nowMs / 1000)
    const seconds = (site?.seconds ?? []).filter(
      (second): second is Second => second !== undefined && second.at < now && second.at >= now - WINDOW_S,
    )
    const newest = [...(site?.threads.values() ?? [])]
    const latency = new Array<number>(LATENCY_BUCKETS_MS.length + 1).fill(0)
    for (const second of seconds)
      for (const [i, count] of second.latency.entries()) latency[i] = (latency[i] ?? 0) + count
    const reports = sum(seconds.map((second) => second.queueDelayReports))
    const stored = rates(seconds.map((second) => second.stored))
    return {
      perSecond: rates(seconds.map((second) => second.actions)),
      reasonsPerSecond: rates(seconds.map((second) => second.reasons)),
      fromStorePerSecond: {
        fresh: stored[''] ?? 0,
        stale: stored['stale'] ?? 0,
        emergency: stored['emergency'] ?? 0,
      },
      lanesPerSecond: rates(seconds.map((second) => second.lanes)),
      waiting: sum(newest.map((report) => report.waiting)),
      longLived: sum(newest.map((report) => report.longLived)),
      queueDelayMs: reports === 0 ? 0 : sum(seconds.map((second) => second.queueDelaySum)) / reports,
      queueDelayMaxMs: Math.max(0, ...seconds.map((second) => second.queueDelayMax)),
      p50Ms: percentile(latency, 0.5),
      p99Ms: percentile(latency, 0.99),
      origins: newest[0]?.origins ?? [],
    }
  }
}

function add(map: Map<string, number>, key: string, count: number): void {
  map.set(key, (map.get(key) ?? 0) + count)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function rates(maps: readonly ReadonlyMap<string, number>[]): Record<string, number> {
  const total = new Map<string, number>()
  for (const map of maps) for (const [key, count] of map) add(total, key, count)
  return Object.fromEntries([...total].map(([key, count]) => [key, count / WINDOW_S]))
}

/** Upper bound of the bucket; Infinity above the last. */
function percentile(buckets: readonly number[], share: number): number | undefined {
  const total = sum(buckets)
  if (total === 0) return undefined
  let seen = 0
  for (const [i, count] of buckets.entries()) {
    seen += count
    if (seen >= total * share) return LATENCY_BUCKETS_MS[i] ?? Number.POSITIVE_INFINITY
  }
  return Number.POSITIVE_INFINITY
}
