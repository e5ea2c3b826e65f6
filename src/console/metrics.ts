/**
 * The figures for Prometheus. Labels are words of ours and names from the configuration: no address,
 * path or anything else a client can choose, so the number of series is bounded by the configuration.
 */
import {
  Counter,
  collectDefaultMetrics,
  Gauge,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from 'prom-client'
import type { EdgeReport, SignaturesSummary } from '#control'
import { LATENCY_BUCKETS_MS, POSTURES, type Posture } from '#control'
import type { KernelStatus } from '#kernel'
import type { ListStatus } from '#lists'
import type { CacheReport } from './commands.ts'

/** What the brain knows of a site besides the edges' reports. */
export interface SiteGauges {
  readonly name: string
  readonly posture: Posture
  readonly limit: number
  readonly inFlight: number
  /** Places in its waiting room, and those that found no room in memory since the start. */
  readonly waitingRoom: number
  readonly waitingRoomLost: number
  readonly signatures: SignaturesSummary | undefined
}

const SIGNATURE_STATES = ['in-force', 'pinned', 'held-back', 'forbidden'] as const

/** What the library of stored responses counts since its start, by the name of its counter. */
const CACHE_COUNTS = {
  memory: {
    evicted: ['evicted', 'Stored responses that had to go from memory for others.'],
    notAdmitted: ['not_admitted', 'Responses that were asked for too rarely to have a place in memory.'],
    variantsDropped: ['variants_dropped', 'Variants beyond the most that one page may have.'],
    outdated: ['outdated', 'Answers that came after a purge that they were asked for before.'],
    compressed: ['compressed', 'Stored texts that were compressed.'],
    compressionsSkipped: ['compressions_skipped', 'Stored texts that were not compressed for want of time.'],
  },
  disk: {
    reads: ['disk_reads', 'Stored responses read from disk.'],
    writes: ['disk_writes', 'Stored responses written to disk.'],
    evicted: ['disk_evicted', 'Stored responses that had to go from disk for others.'],
    faults: ['disk_faults', 'What was read from disk and was not what it should be, each a miss.'],
    failures: ['disk_failures', 'Reads and writes that the system refused.'],
    writesDropped: ['disk_writes_dropped', 'Not written: the disk was too slow, or had just refused.'],
    unfit: ['disk_unfit', 'Not written: too large.'],
  },
} as const

/** Names of an edge's own counters and gauges: of our making, yet bounded. */
const MAX_NAMES = 200

export class Metrics {
  readonly #registry = new Registry()
  readonly #requests = this.#counter('digue_requests_total', 'Requests by what became of them.', [
    'site',
    'lane',
    'action',
    'reason',
  ])
  readonly #originSeconds = this.#counter('digue_origin_seconds_total', 'Origin time that requests held.', [
    'site',
    'lane',
  ])
  readonly #waiting = this.#gauge('digue_waiting_requests', 'Requests in line.', ['site'])
  readonly #longLived = this.#gauge(
    'digue_long_lived_exchanges',
    'Downloads, event streams and WebSockets open.',
    ['site'],
  )
  readonly #queueDelay = this.#gauge(
    'digue_queue_delay_seconds',
    'Mean time in line of the requests last dispatched.',
    ['site'],
  )
  readonly #queueDelayMax = this.#gauge(
    'digue_queue_delay_max_seconds',
    'Longest time in line of the requests last dispatched.',
    ['site'],
  )
  readonly #originUp = this.#gauge(
    'digue_origin_up',
    '1 while the origin, by its place in the configuration, is healthy.',
    ['site', 'origin'],
  )
  readonly #posture = this.#gauge('digue_posture', '1 for the posture the site is in.', ['site', 'posture'])
  readonly #limit = this.#gauge('digue_in_flight_limit', 'Requests the origin may have at once.', ['site'])
  readonly #inFlight = this.#gauge('digue_in_flight_requests', 'Requests the origin has now.', ['site'])
  readonly #waitingRoom = this.#gauge('digue_waiting_room_places', 'Places in the waiting room.', ['site'])
  readonly #waitingRoomLost = this.#gauge(
    'digue_waiting_room_lost',
    'Places that found no room in memory since the start; they are told again at the next poll.',
    ['site'],
  )
  readonly #signatures = this.#gauge('digue_signatures', 'Signatures of floods.', ['site', 'state'])
  readonly #signaturesWithdrawn = this.#gauge(
    'digue_signatures_withdrawn',
    'Signatures withdrawn since the start because they touched visitors.',
    ['site'],
  )
  readonly #calmVectors = this.#gauge(
    'digue_calm_trait_vectors',
    'Requests of calm weather that floods are told from.',
    ['site'],
  )
  readonly #signatureRequests = this.#counter(
    'digue_signature_requests_total',
    'Requests that fitted a signature; proven: by a client that has shown effort, history or patience.',
    ['site', 'proven'],
  )
  readonly #price = this.#gauge('digue_price_parts', 'The dearest price asked for now, in any network.', [])
  readonly #meterRefused = this.#gauge(
    'digue_meter_refused',
    'Tokens that found no room in the meter since the start, and were taken for strangers.',
    [],
  )
  readonly #bypass = this.#gauge('digue_bypass', '1 while everything passes.', [])
  readonly #attack = this.#gauge('digue_attack_mode', '1 for the word of the operator: on, off or auto.', [
    'mode',
  ])
  readonly #decisions = this.#gauge('digue_decisions', 'Decisions of the operator in force.', [])
  readonly #edgeEvents = this.#counter(
    'digue_edge_events_total',
    'Bounds that were hit, and other events at the edge.',
    ['event'],
  )
  readonly #edge = this.#gauge('digue_edge', 'State of an edge thread.', ['thread', 'gauge'])
  readonly #recordsLost = this.#counter(
    'digue_records_lost_total',
    'Records of requests lost for want of room.',
    [],
  )
  readonly #logLinesLeftOut = this.#counter(
    'digue_log_lines_left_out_total',
    'Request lines not written because there were too many.',
    [],
  )
  readonly #accessLogLost = this.#counter(
    'digue_access_log_lines_lost_total',
    'Access log lines lost to a full or failing disk.',
    [],
  )
  readonly #stateErrors = this.#counter(
    'digue_state_errors_total',
    'Times the state could not be written.',
    [],
  )
  readonly #cacheResponses = this.#gauge('digue_cache_responses', 'Stored responses.', ['place'])
  readonly #cacheBytes = this.#gauge('digue_cache_bytes', 'Bytes that stored responses take.', ['place'])
  readonly #cacheRoom = this.#gauge('digue_cache_limit_bytes', 'Most that they may take.', ['place'])
  readonly #cacheCounts = {
    memory: this.#cacheCounters(CACHE_COUNTS.memory),
    disk: this.#cacheCounters(CACHE_COUNTS.disk),
  }
  readonly #ruleRequests = this.#counter(
    'digue_rule_requests_total',
    'Requests that one of the operator’s rules decided.',
    ['site', 'rule'],
  )
  readonly #ruleFailures = this.#counter(
    'digue_rule_failures_total',
    'Requests that a rule could not be evaluated on, and so did not fit: a fault of Digue.',
    ['site', 'rule'],
  )
  readonly #rulesCut = this.#counter(
    'digue_rule_cut_requests_total',
    'Requests of which rules did not see all: more header fields or parameters, or longer texts, than their bounds.',
    ['site'],
  )
  readonly #listNetworks = this.#gauge('digue_list_networks', 'Networks on a list.', ['list'])
  readonly #listActs = this.#gauge(
    'digue_list_acts',
    '1 while a list acts in full; 0 while it is held back, weighs only, or has not come.',
    ['list'],
  )
  readonly #listAge = this.#gauge('digue_list_age_seconds', 'Since what a list holds has come.', ['list'])
  readonly #listFails = this.#gauge('digue_list_failing', '1 while a list’s source fails.', ['list'])
  readonly #kernelUp = this.#gauge('digue_kernel_up', '1 while offenders can be dropped in the kernel.', [])
  readonly #kernelEntries = this.#gauge(
    'digue_kernel_entries',
    'Addresses (IPv6: /64s) that the kernel drops.',
    ['family'],
  )
  readonly #kernelPackets = this.#counter(
    'digue_kernel_dropped_packets_total',
    'Packets dropped in the kernel.',
    [],
  )
  readonly #kernelBytes = this.#counter(
    'digue_kernel_dropped_bytes_total',
    'Bytes dropped in the kernel.',
    [],
  )
  readonly #kernelIgnored = this.#counter(
    'digue_kernel_ignored_total',
    'Offenders that the kernel could not be told of: no helper, or no room.',
    [],
  )
  readonly #latency = new LatencyHistogram()
  readonly #names = new Set<string>()
  readonly #bySite = new Map<string, Map<number, EdgeReport['sites'][string]>>()

  constructor(version: string) {
    this.#registry.registerMetric(this.#latency as never)
    this.#gauge('digue_build_info', 'Version of Digue.', ['version']).set({ version }, 1)
    collectDefaultMetrics({ register: this.#registry, prefix: 'digue_' })
    for (const counter of [this.#recordsLost, this.#logLinesLeftOut, this.#accessLogLost, this.#stateErrors])
      counter.inc(0)
  }

  #counter<L extends string>(name: string, help: string, labelNames: L[]): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] })
  }

  #gauge<L extends string>(name: string, help: string, labelNames: L[]): Gauge<L> {
    return new Gauge({ name, help, labelNames, registers: [this.#registry] })
  }

  #cacheCounters<K extends string>(
    counts: Readonly<Record<K, readonly [name: string, help: string]>>,
  ): ReadonlyMap<K, Counter> {
    return new Map(
      Object.entries<readonly [string, string]>(counts).map(([key, [name, help]]) => {
        const counter = this.#counter(`digue_cache_${name}_total`, help, [])
        counter.inc(0)
        return [key as K, counter]
      }),
    )
  }

  report(report: EdgeReport): void {
    for (const [site, figures] of Object.entries(report.sites)) {
      for (const { lane, action, reason, count, originMs } of figures.tallies) {
        this.#requests.inc({ site, lane, action, reason }, count)
        if (originMs > 0) this.#originSeconds.inc({ site, lane }, originMs / 1000)
      }
      for (const { name: rule, fitted, failed } of figures.rules ?? []) {
        if (fitted > 0) this.#ruleRequests.inc({ site, rule }, fitted)
        if (failed > 0) this.#ruleFailures.inc({ site, rule }, failed)
      }
      if (figures.rulesCut !== undefined) this.#rulesCut.inc({ site }, figures.rulesCut)
      for (const { requests, proven } of figures.signatures ?? []) {
        this.#signatureRequests.inc({ site, proven: 'yes' }, proven)
        this.#signatureRequests.inc({ site, proven: 'no' }, Math.max(0, requests - proven))
      }
      this.#latency.add(site, figures.latency)
      let threads = this.#bySite.get(site)
      if (threads === undefined) this.#bySite.set(site, (threads = new Map()))
      threads.set(report.thread, figures)
      const all = [...threads.values()]
      this.#waiting.set(
        { site },
        all.reduce((total, one) => total + one.waiting, 0),
      )
      this.#longLived.set(
        { site },
        all.reduce((total, one) => total + one.longLived, 0),
      )
      this.#queueDelay.set({ site }, Math.max(...all.map((one) => one.queueDelayMs)) / 1000)
      this.#queueDelayMax.set({ site }, Math.max(...all.map((one) => one.queueDelayMaxMs)) / 1000)
      for (const [index, origin] of figures.origins.entries())
        this.#originUp.set({ site, origin: String(index) }, origin.healthy ? 1 : 0)
    }
    for (const [event, count] of Object.entries(report.counters))
      if (this.#isNamed(event)) this.#edgeEvents.inc({ event }, count)
    for (const [gauge, value] of Object.entries(report.gauges)) {
      if (this.#isNamed(gauge)) this.#edge.set({ thread: String(report.thread), gauge }, value)
    }
    this.#recordsLost.inc(report.recordsLost)
  }

  sites(gauges: readonly SiteGauges[]): void {
    for (const gauge of gauges) {
      const { name, posture, limit, inFlight, waitingRoom, waitingRoomLost } = gauge
      if (gauge.signatures !== undefined) this.#siteSignatures(name, gauge.signatures)
      this.#waitingRoom.set({ site: name }, waitingRoom)
      this.#waitingRoomLost.set({ site: name }, waitingRoomLost)
      for (const one of POSTURES) this.#posture.set({ site: name, posture: one }, one === posture ? 1 : 0)
      this.#limit.set({ site: name }, limit)
      this.#inFlight.set({ site: name }, inFlight)
    }
  }

  #siteSignatures(site: string, signatures: SignaturesSummary): void {
    const { published, heldBack, forbidden, withdrawn, calmVectors } = signatures
    const states: Record<(typeof SIGNATURE_STATES)[number], number> = {
      'in-force': published.length,
      pinned: published.filter(({ isPinned }) => isPinned).length,
      'held-back': heldBack.length,
      forbidden,
    }
    for (const [state, count] of Object.entries(states)) this.#signatures.set({ site, state }, count)
    this.#signaturesWithdrawn.set({ site }, withdrawn)
    this.#calmVectors.set({ site }, calmVectors)
  }

  entrance(entrance: { readonly mostPrice: number; readonly meterRefused: number }): void {
    this.#price.set(entrance.mostPrice)
    this.#meterRefused.set(entrance.meterRefused)
  }

  cache(report: CacheReport, room: { readonly memory: number; readonly disk: number }): void {
    const { responses, memoryBytes, disk } = report
    this.#cacheResponses.set({ place: 'memory' }, responses)
    this.#cacheBytes.set({ place: 'memory' }, memoryBytes)
    this.#cacheRoom.set({ place: 'memory' }, room.memory)
    // The library's own counts: when it is started again they begin at 0, which Prometheus reads as a restart.
    for (const [key, counter] of this.#cacheCounts.memory) setTo(counter, report[key])
    if (disk === undefined) return
    this.#cacheResponses.set({ place: 'disk' }, disk.responses)
    this.#cacheBytes.set({ place: 'disk' }, disk.bytes)
    this.#cacheRoom.set({ place: 'disk' }, room.disk)
    for (const [key, counter] of this.#cacheCounts.disk) setTo(counter, disk[key])
  }

  kernel({ state, ignored, table }: KernelStatus): void {
    this.#kernelUp.set(state === 'ready' || state === 'active' ? 1 : 0)
    this.#kernelEntries.set({ family: 'ipv4' }, table?.entries.v4 ?? 0)
    this.#kernelEntries.set({ family: 'ipv6' }, table?.entries.v6 ?? 0)
    setTo(this.#kernelPackets, table?.packets ?? 0)
    setTo(this.#kernelBytes, table?.bytes ?? 0)
    setTo(this.#kernelIgnored, ignored)
  }

  lists(lists: readonly ListStatus[], nowMs: number): void {
    for (const gauge of [this.#listNetworks, this.#listActs, this.#listAge, this.#listFails]) gauge.reset()
    for (const { name, networks, standing, updatedAtMs, fault } of lists) {
      const labels = { list: name }
      this.#listNetworks.set(labels, networks)
      this.#listActs.set(labels, standing === 'acting' ? 1 : 0)
      this.#listFails.set(labels, fault === '' ? 0 : 1)
      if (updatedAtMs > 0) this.#listAge.set(labels, Math.max(0, nowMs - updatedAtMs) / 1000)
    }
  }

  policy(policy: { attack: string; bypass: boolean; decisions: number }): void {
    for (const mode of ['on', 'off', 'auto']) this.#attack.set({ mode }, mode === policy.attack ? 1 : 0)
    this.#bypass.set(policy.bypass ? 1 : 0)
    this.#decisions.set(policy.decisions)
  }

  logLinesLeftOut(count: number): void {
    this.#logLinesLeftOut.inc(count)
  }

  accessLogLost(count: number): void {
    this.#accessLogLost.inc(count)
  }

  stateError(): void {
    this.#stateErrors.inc()
  }

  /** Drops the series of sites that the configuration no longer has, so that their number stays bounded. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const site of this.#bySite.keys()) {
      if (names.has(site)) continue
      this.#bySite.delete(site)
      this.#latency.remove(site)
      for (const gauge of [
        this.#waiting,
        this.#longLived,
        this.#queueDelay,
        this.#queueDelayMax,
        this.#limit,
        this.#inFlight,
        this.#waitingRoom,
        this.#waitingRoomLost,
        this.#signaturesWithdrawn,
        this.#calmVectors,
      ])
        gauge.remove({ site })
      for (const state of SIGNATURE_STATES) this.#signatures.remove({ site, state })
      for (const posture of POSTURES) this.#posture.remove({ site, posture })
      for (let origin = 0; origin < 32; origin++) this.#originUp.remove({ site, origin: String(origin) })
      // Counters of a site that is gone stay until restart: Prometheus would read a removal as a reset.
    }
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }

  #isNamed(name: string): boolean {
    if (this.#names.has(name)) return true
    if (this.#names.size >= MAX_NAMES) return false
    this.#names.add(name)
    return true
  }
}

function setTo(counter: Counter, count: number): void {
  counter.reset()
  counter.inc(count)
}

/**
 * A histogram from buckets counted elsewhere, which prom-client's own cannot take. It has no sum:
 * the edges count buckets only, and an invented sum would be worse than none.
 */
class LatencyHistogram {
  readonly name = 'digue_request_duration_seconds'
  readonly #sites = new Map<string, number[]>()

  add(site: string, counts: readonly number[]): void {
    let total = this.#sites.get(site)
    if (total === undefined)
      this.#sites.set(site, (total = new Array<number>(LATENCY_BUCKETS_MS.length + 1).fill(0)))
    for (let i = 0; i < total.length; i++) total[i] = total[i]! + (counts[i] ?? 0)
  }

  remove(site: string): void {
    this.#sites.delete(site)
  }

  async get(): Promise<Omit<MetricObjectWithValues<MetricValue<string>>, 'collect'>> {
    const values: (MetricValue<string> & { metricName: string })[] = []
    for (const [site, counts] of this.#sites) {
      let seen = 0
      for (const [i, count] of counts.entries()) {
        seen += count
        const bound = LATENCY_BUCKETS_MS[i]
        values.push({
          metricName: `${this.name}_bucket`,
          labels: { site, le: bound === undefined ? '+Inf' : bound / 1000 },
          value: seen,
        })
      }
      values.push({ metricName: `${this.name}_count`, labels: { site }, value: seen })
    }
    return {
      name: this.name,
      help: 'Time from head to last byte of relayed requests.',
      type: 'histogram' as never,
      aggregator: 'sum',
      values,
    }
  }

  reset(): void {
    this.#sites.clear()
  }
}
