/** One run: one scenario before one peer with one setting. Starts everything, measures, ends everything. */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { certificate, HOST } from '../lib/certificate.ts'
import { makePlace, removeFolder } from '../lib/place.ts'
import { Child, CORES, cpuMs, memory, stolenMs } from '../lib/processes.ts'
import { fairness } from '../lib/stats.ts'
import { type Tally, tally, timeToServe, timeUntilStable } from '../load/accounting.ts'
import type { AttackPlan, AttackResult, Cohort, Target, VisitorPlan } from '../load/plan.ts'
import { LOAD_PROCESS } from '../load/process.ts'
import type { VisitorResult } from '../load/visitors.ts'
import { type OriginPlan, type OriginStats, USUAL_ORIGIN } from '../origin/origin.ts'
import type { Peer, PeerPlace, RunningPeer, Variant } from '../peers/peer.ts'
import { machineCpu } from './bottleneck.ts'
import { HOLDERS, REGULARS } from './people.ts'
import type { Attack, Scenario, Timing } from './scenario.ts'

const ORIGIN = join(import.meta.dirname, '../origin/main.ts')
const DEADLINE_MS = 10_000
const LATE_S = 5
/**
 * Of all attackers together. Within what every peer can hold with 20,000 descriptors, two per proxied
 * connection: running out of connections is a question of its own (bench:slow).
 */
const MOST_CONNECTIONS = 8000

export interface Progress {
  readonly second: number
  readonly arrived: number
  readonly served: number
  readonly attackSent: number
}

export interface RunRecord {
  readonly scenario: string
  readonly peer: string
  readonly setting: string
  readonly timing: Timing
  /** Visitors who arrived in the flood; `settled` leaves out its first second, unless the scenario counts it. */
  readonly flood: Tally
  readonly settled: Tally
  readonly calm: Tally
  /** By cohort, settled and in calm weather. */
  readonly cohorts: Readonly<Record<string, Tally>>
  readonly calmCohorts: Readonly<Record<string, Tally>>
  /** Share of finished origin time that went into pages which visitors received. */
  readonly originShare: number
  /** Share of the origin's capacity that went into such pages. */
  readonly capacityShare: number
  /** Seconds from onset until ≥ 95 % of visitors are served for good; null when never. */
  readonly mitigatedS: number | null
  /** The same with 99 %: "full throughput". */
  readonly recoveredS: number | null
  /** Seconds from the attackers' first request until 99 % are served and stay served for 10 s; null when never. */
  readonly stableS: number | null
  /** Jain's index over the providers' shares of visitors served. */
  readonly fairness: number
  /** CPU of the peer in the flood, as a share of one core. */
  readonly cpuShare: number
  /** Share of all cores that the host gave to others meanwhile: what it disturbs looks like slowness. */
  readonly stolenShare: number
  /** Share of all cores that programs used which are no part of the bench. */
  readonly othersShare: number
  readonly rss: number
  readonly peakRss: number
  readonly origin: { readonly busyMs: number; readonly answered: number; readonly turnedAway: number }
  /** The first of the attacks, and all of them. */
  readonly attack: AttackResult | null
  readonly attacks: readonly AttackResult[]
  /** Bytes that attackers received per request they sent, in the mean; null without attackers. */
  readonly bytesPerRequest: number | null
  /** The same of those requests that were answered otherwise than with a page. */
  readonly bytesPerRefusal: number | null
  /** CPU of everything but the server under test, as shares of the one core they have together. */
  readonly loadCpu: { readonly visitors: number; readonly attackers: number; readonly origin: number }
  readonly payments: VisitorResult['payments']
  readonly streams: VisitorResult['streams']
  readonly downloads: VisitorResult['downloads']
  readonly perSecond: readonly {
    readonly s: number
    readonly asked: number
    readonly served: number
    readonly p99Ms: number
  }[]
}

export interface RunOptions {
  readonly timing: Timing
  /** New connections with handshake per second that one core can do. */
  readonly handshakesPerSecond: number
  /** Another seed is other arrivals of the same people; the same for all peers. Default 1. */
  readonly seed?: number
  /** No visitor waits longer than this: for a sweep, which only compares. */
  readonly mostDeadlineMs?: number
  readonly onProgress?: (progress: Progress) => void
}

const sleepUntil = (atMs: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, atMs - Date.now())))

export async function runOnce(
  scenario: Scenario,
  peer: Peer,
  variant: Variant,
  options: RunOptions,
): Promise<RunRecord> {
  const children: Child[] = []
  let running: RunningPeer | undefined
  let place: PeerPlace | undefined
  try {
    const tls = certificate()
    const originPlan: OriginPlan = { ...USUAL_ORIGIN, ...scenario.origin, tls }
    const origin = new Child('origin', [process.execPath, ORIGIN, JSON.stringify(originPlan)], {
      core: CORES?.load,
      ipc: true,
    })
    children.push(origin)
    const [originPort, originTlsPort] = await origin.message<[number, number]>('ports')
    const ask = (command: object): Promise<OriginStats> => {
      const answer = origin.message<OriginStats>('stats')
      origin.send(command)
      return answer
    }
    place = await makePlace({ originPort, originTlsPort, tls, regulars: REGULARS })
    const { port, tlsPort } = place
    const isUnprotected = peer.name === 'unprotected'
    const target: Target = {
      address: '127.0.0.1',
      port: isUnprotected ? originPort : port,
      tlsPort: isUnprotected ? originTlsPort : tlsPort,
      host: HOST,
      forwardedFor: false,
    }
    if (!scenario.lateStart) running = await peer.start(place, variant)

    const visitors = new Child('visitors', LOAD_PROCESS, { core: CORES?.load, ipc: true })
    // Politer than visitors and origin: when the core is full, it is the flood that gets thinner, and
    // the table says so.
    const attacks = scenario.attack ? [scenario.attack, ...(scenario.also ?? [])] : []
    const attackers = attacks.map(
      () => new Child('attackers', LOAD_PROCESS, { core: CORES?.load, ipc: true, nice: 5 }),
    )
    children.push(visitors, ...attackers)
    await Promise.all([visitors, ...attackers].map((child) => child.message('ready')))

    const lead = scenario.lateStart ? LATE_S : options.timing.calmS
    const timing: Timing = { calmS: lead, floodS: options.timing.floodS }
    const endS = timing.calmS + timing.floodS
    const startAtMs = Date.now() + 300
    const seen = { arrived: 0, served: 0, sent: 0 }
    const watch = (child: Child) =>
      child.process.on(
        'message',
        (message: { progress?: { arrived?: number; served?: number; sent?: number } }) => {
          seen.arrived += message.progress?.arrived ?? 0
          seen.served += message.progress?.served ?? 0
          seen.sent += message.progress?.sent ?? 0
        },
      )
    watch(visitors)
    const cohorts = scenario
      .cohorts(timing)
      .map((cohort) => ({ ...cohort, deadlineMs: deadlineMs(cohort, options) }))
    const lastMs = Math.max(DEADLINE_MS, ...cohorts.map((cohort) => cohort.deadlineMs))
    const visited = visitors.message<VisitorResult>('result')
    visitors.send(visitorPlan(scenario, cohorts, target, startAtMs, timing, options.seed ?? 1))
    const attacked = attackers.map((child, i) => {
      watch(child)
      const result = child.message<AttackResult>('result')
      result.catch(() => {})
      const share = MOST_CONNECTIONS / attackers.length
      child.send({
        ...attackPlan(attacks[i]!, peer.name, target, startAtMs, {
          seed: 2 + i,
          fromS: scenario.lateStart ? 0 : timing.calmS,
          // Goes on until the last visitor's fate is known; told to stop before.
          untilS: timing.calmS + timing.floodS + lastMs / 1000 + 5,
          handshakes: options.handshakesPerSecond,
          maxConnections: share,
        }),
      })
      return result
    })
    visited.catch(() => {})
    const timer = setInterval(() => {
      options.onProgress?.({
        second: (Date.now() - startAtMs) / 1000,
        arrived: seen.arrived,
        served: seen.served,
        attackSent: seen.sent,
      })
      seen.arrived = seen.served = seen.sent = 0
    }, 1000)
    try {
      if (scenario.lateStart) {
        await sleepUntil(startAtMs + LATE_S * 1000)
        running = await peer.start(place, variant)
      }
      const onsetMs = scenario.lateStart ? Date.now() : startAtMs + timing.calmS * 1000
      const fromS = (onsetMs - startAtMs) / 1000
      await sleepUntil(onsetMs)
      if (scenario.slower) await ask({ do: 'slow', factor: scenario.slower })
      const before = await ask({ do: 'stats' })
      const cpuBefore = cpuMs(running!.pids())
      const originBefore = cpuMs([origin.pid])
      const ours = () => cpuMs([process.pid, ...children.map((child) => child.pid), ...running!.pids()])
      const oursBefore = ours()
      const machineBefore = machineCpu()
      const stolenBefore = stolenMs()
      const wallBefore = performance.now()
      await sleepUntil(startAtMs + endS * 1000)
      const after = await ask({ do: 'stats' })
      const wallMs = performance.now() - wallBefore
      const cpuShare = (cpuMs(running!.pids()) - cpuBefore) / wallMs
      const machine = machineCpu()
      // Of the ticks that the kernel counted, and not of the clock: a paused machine has neither.
      const othersShare =
        (machine.busyMs - machineBefore.busyMs - (ours() - oursBefore)) /
        Math.max(1, machine.wholeMs - machineBefore.wholeMs)
      const originCpu = (cpuMs([origin.pid]) - originBefore) / wallMs
      const stolenShare = (stolenMs() - stolenBefore) / (wallMs * availableParallelism())
      const { rss, peak } = memory(running!.pids())
      const result = await visited
      for (const child of attackers) child.send({ stop: true })
      const attackResults = await Promise.all(attacked)
      return record({
        scenario,
        peer,
        variant,
        timing,
        fromS,
        endS,
        startAtMs,
        result,
        attacks: attackResults,
        originCpu,
        before,
        after,
        cpuShare,
        stolenShare,
        othersShare,
        rss,
        peak,
        servers: originPlan.servers,
      })
    } finally {
      clearInterval(timer)
    }
  } finally {
    await Promise.all(children.map((child) => child.stop()))
    await running?.stop()
    if (place) removeFolder(place.folder)
  }
}

function deadlineMs(cohort: Cohort, options: RunOptions): number {
  return Math.min(cohort.deadlineMs ?? DEADLINE_MS, options.mostDeadlineMs ?? Number.POSITIVE_INFINITY)
}

function visitorPlan(
  scenario: Scenario,
  cohorts: readonly Cohort[],
  target: Target,
  startAtMs: number,
  timing: Timing,
  seed: number,
): VisitorPlan {
  return {
    role: 'visitors',
    target,
    seed,
    startAtMs,
    seconds: timing.calmS + timing.floodS,
    deadlineMs: DEADLINE_MS,
    cohorts,
    streams: HOLDERS.slice(0, scenario.streams ?? 0),
    downloads: HOLDERS.slice(50, 50 + (scenario.downloads ?? 0)),
  }
}

function attackPlan(
  attack: Attack,
  peer: string,
  target: Target,
  startAtMs: number,
  at: { seed: number; fromS: number; untilS: number; handshakes: number; maxConnections: number },
): AttackPlan {
  const each = attack.perSecond
  return {
    role: 'attackers',
    target,
    seed: at.seed,
    startAtMs,
    fromS: at.fromS,
    untilS: at.untilS,
    sources: attack.sources,
    perSecond: typeof each === 'number' ? each * attack.sources.length : each.handshakes * at.handshakes,
    connection: attack.connection ?? 'keep',
    tls: attack.tls ?? false,
    finishShare: 0.3,
    path: attack.path ?? 'page',
    patienceMs: 10_000,
    maxConnections: at.maxConnections,
    ...(attack.pulse ? { pulse: attack.pulse } : {}),
    ...(attack.behaviour ? { behaviour: attack.behaviour(peer) } : {}),
  }
}

interface Measured {
  readonly scenario: Scenario
  readonly peer: Peer
  readonly variant: Variant
  readonly timing: Timing
  readonly fromS: number
  readonly endS: number
  readonly startAtMs: number
  readonly result: VisitorResult
  readonly attacks: readonly AttackResult[]
  readonly originCpu: number
  readonly before: OriginStats
  readonly after: OriginStats
  readonly cpuShare: number
  readonly stolenShare: number
  readonly othersShare: number
  readonly rss: number
  readonly peak: number
  readonly servers: number
}

function record(m: Measured): RunRecord {
  const { rows } = m.result
  const window = { fromS: m.fromS, untilS: m.endS }
  const settledWindow = { fromS: m.scenario.fromOnset ? m.fromS : m.fromS + 1, untilS: m.endS }
  const calmWindow = { fromS: 0, untilS: m.fromS }
  const byCohort = (window: { fromS: number; untilS: number }) =>
    Object.fromEntries(rows.cohorts.map((cohort) => [cohort, tally(rows, { ...window, cohort })]))
  const firstMs = Math.min(...m.attacks.map((a) => a.firstSentAtMs).filter((at) => at > 0))
  const firstS = Number.isFinite(firstMs) ? (firstMs - m.startAtMs) / 1000 : m.fromS
  const sum = (of: (a: AttackResult) => number) => m.attacks.reduce((total, a) => total + of(a), 0)
  const flood = tally(rows, window)
  const busyMs = m.after.busyMs - m.before.busyMs
  const capacityMs = (m.after.atMs - m.before.atMs) * m.servers
  const shares = rows.networks
    .map((network) => tally(rows, { ...settledWindow, network }))
    .filter((t) => t.asked > 0)
  const seconds = Array.from({ length: Math.ceil(m.endS) }, (_, s) => ({
    s,
    ...tally(rows, { fromS: s, untilS: s + 1 }),
  }))
  const refusals = sum((a) =>
    Object.entries(a.answers).reduce(
      (n, [status, count]) => (status === '200' || status === 'none' ? n : n + count),
      0,
    ),
  )
  return {
    scenario: m.scenario.name,
    peer: m.peer.name,
    setting: m.variant.label,
    timing: m.timing,
    flood,
    settled: tally(rows, settledWindow),
    calm: tally(rows, calmWindow),
    cohorts: byCohort(settledWindow),
    calmCohorts: byCohort(calmWindow),
    originShare: busyMs > 0 ? Math.min(1, flood.costMs / busyMs) : 0,
    capacityShare: Math.min(1, flood.costMs / capacityMs),
    mitigatedS: timeToServe(rows, { ...window, goal: 0.95 }) ?? null,
    recoveredS: timeToServe(rows, { ...window, goal: 0.99 }) ?? null,
    stableS: timeUntilStable(rows, { fromS: firstS, untilS: m.endS, goal: 0.99, staysS: 10 }) ?? null,
    fairness: fairness(shares.map((t) => t.served / t.asked)),
    cpuShare: m.cpuShare,
    stolenShare: m.stolenShare,
    othersShare: Math.max(0, m.othersShare),
    rss: m.rss,
    peakRss: m.peak,
    origin: {
      busyMs,
      answered: m.after.answered - m.before.answered,
      turnedAway: m.after.turnedAway - m.before.turnedAway,
    },
    attack: m.attacks[0] ?? null,
    attacks: m.attacks,
    bytesPerRefusal: refusals > 0 ? sum((a) => a.bytesOfRefusals) / refusals : null,
    bytesPerRequest:
      m.attacks.length > 0
        ? sum((a) => a.bytesReceived) /
          Math.max(
            1,
            sum((a) => a.sent),
          )
        : null,
    loadCpu: {
      visitors: m.result.cpuShare,
      attackers: sum((a) => a.cpuShare),
      origin: m.originCpu,
    },
    payments: m.result.payments,
    streams: m.result.streams,
    downloads: m.result.downloads,
    perSecond: seconds.map((t) => ({
      s: t.s,
      asked: t.asked,
      served: t.served,
      p99Ms: Math.round(t.p99Ms * 10) / 10,
    })),
  }
}
