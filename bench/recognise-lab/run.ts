/** One flood before Digue: calm weather in real time, then the flood; what its log says of each request. */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { sendCommand } from '#console'
import type { SiteSignaturesStatus } from '#control'
import { certificate, HOST } from '../lib/certificate.ts'
import { makePlace, removeFolder } from '../lib/place.ts'
import { Child, CORES, cpuMs, stolenMs } from '../lib/processes.ts'
import { tally } from '../load/accounting.ts'
import { attackerAddresses, visitorAddresses } from '../load/networks.ts'
import type { AttackPlan, AttackResult, Cohort, Target, VisitorPlan } from '../load/plan.ts'
import { LOAD_PROCESS } from '../load/process.ts'
import type { VisitorResult } from '../load/visitors.ts'
import { type OriginPlan, USUAL_ORIGIN } from '../origin/origin.ts'
import { type RunningDigue, startDigue } from '../peers/digue.ts'
import type { PeerPlace } from '../peers/peer.ts'
import type { Flood } from './floods.ts'
import { visitorsHandwritings } from './handwritings.ts'
import { Judged, type Published } from './judged.ts'
import { REAL_CLIENTS, RealClients } from './real-clients.ts'

const ORIGIN = join(import.meta.dirname, '../origin/main.ts')
const SEED = 5
const DEADLINE_MS = 10_000
const ATTACKERS = 2000
const RETURNING = 1600
const NEW = 400
const CROWD = 2000
const PER_VISITOR = 0.1
const MOST_CONNECTIONS = 8000
/** Of requests of the last second: from here on a flood counts as recognised. */
const RECOGNISED = 0.95

const PEOPLE = visitorAddresses(RETURNING + NEW + REAL_CLIENTS + CROWD, SEED)
const returning = PEOPLE.slice(0, RETURNING)
const newcomers = PEOPLE.slice(RETURNING, RETURNING + NEW)
const real = PEOPLE.slice(RETURNING + NEW, RETURNING + NEW + REAL_CLIENTS)
const crowd = PEOPLE.slice(-CROWD)
const attackers = attackerAddresses('proxies', ATTACKERS, SEED, PEOPLE)

export interface Timing {
  readonly calmS: number
  readonly floodS: number
}

export interface LabRecord {
  readonly flood: string
  readonly expected: Flood['expected']
  readonly timing: Timing
  readonly scale: number
  /** Seconds from the first attack request, or from a change of handwriting; null when it did not come. */
  readonly recognisedS: readonly (number | null)[]
  /** Share of the flood's requests under a signature over the whole flood, of those that were looked at. */
  readonly markedShare: number
  /** Share of the flood's requests that were stopped before they were looked at. */
  readonly stoppedShare: number
  /** Visitors' requests in the flood: looked at, wrongly under a signature. */
  readonly visitors: { readonly seen: number; readonly marked: number }
  readonly byLabel: Readonly<Record<string, { readonly seen: number; readonly marked: number }>>
  /** Ids of signatures that touched visitors, with how many of their requests. */
  readonly wrong: Readonly<Record<string, number>>
  readonly published: readonly (Omit<Published, 'atMs'> & { readonly afterS: number })[]
  /** Clients that calm weather showed until the flood; below 100 nothing is mined. */
  readonly calmClients: number
  /** What stood out and was not published, at the end. */
  readonly heldBack: readonly string[]
  /** Visitors who came in the flood and got the page within 10 s. */
  readonly served: { readonly asked: number; readonly served: number }
  readonly attack: AttackResult | null
  readonly real: readonly string[]
  readonly missing: readonly string[]
  readonly linesLeftOut: number
  readonly cpuShare: number
  readonly stolenShare: number
}

export interface LabProgress {
  readonly second: number
  readonly served: number
  readonly arrived: number
  readonly attackSent: number
}

const sleepUntil = (atMs: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, atMs - Date.now())))

export interface LabOptions {
  readonly timing: Timing
  /** Share of the usual flood, visitors' requests and origin, 0 to 1: for a machine that has no time for all. */
  readonly scale: number
  readonly onProgress?: ((progress: LabProgress) => void) | undefined
}

export async function runFlood(flood: Flood, options: LabOptions): Promise<LabRecord> {
  const { timing, scale } = options
  const children: Child[] = []
  let digue: RunningDigue | undefined
  let place: PeerPlace | undefined
  let programs: RealClients | undefined
  const secure = flood.tls ?? false
  try {
    const tls = certificate()
    const servers = Math.max(1, Math.round(USUAL_ORIGIN.servers * scale))
    const originPlan: OriginPlan = { ...USUAL_ORIGIN, servers, tls }
    const origin = new Child('origin', [process.execPath, ORIGIN, JSON.stringify(originPlan)], {
      core: CORES?.load,
      ipc: true,
    })
    children.push(origin)
    const [originPort] = await origin.message<[number, number]>('ports')
    place = await makePlace({ originPort, tls })
    digue = await startDigue(
      place,
      { label: '', settings: {} },
      { log: { requests: 'all', perSecond: 1_000_000 } },
    )
    const port = secure ? digue.tlsPort : digue.port
    programs = new RealClients(real, port, secure)
    await programs.start()
    const labels = new Map<string, string>([
      ...attackers.map((address) => [address, 'attacker'] as const),
      ...returning.map((address) => [address, 'returning'] as const),
      ...newcomers.map((address) => [address, 'new'] as const),
      ...crowd.map((address) => [address, 'crowd'] as const),
      ...programs.clients.map(({ name, address }) => [address, `real ${name}`] as const),
    ])
    const judged = new Judged(labels)
    digue.child.process.stdout!.setEncoding('utf8').on('data', (text: string) => judged.feed(text))

    const visitors = new Child('visitors', LOAD_PROCESS, { core: CORES?.load, ipc: true })
    const attacker = flood.writing
      ? new Child('attackers', LOAD_PROCESS, { core: CORES?.load, ipc: true, nice: 5 })
      : undefined
    children.push(visitors, ...(attacker ? [attacker] : []))
    await Promise.all([visitors, attacker].map((child) => child?.message('ready')))
    const target: Target = {
      address: '127.0.0.1',
      port: digue.port,
      tlsPort: digue.tlsPort,
      host: HOST,
      forwardedFor: false,
    }
    const { calmS, floodS } = timing
    const startAtMs = Date.now() + 300
    const seen = { arrived: 0, served: 0, sent: 0 }
    for (const child of [visitors, attacker])
      child?.process.on(
        'message',
        (message: { progress?: { arrived?: number; served?: number; sent?: number } }) => {
          seen.arrived += message.progress?.arrived ?? 0
          seen.served += message.progress?.served ?? 0
          seen.sent += message.progress?.sent ?? 0
        },
      )
    const visited = visitors.message<VisitorResult>('result')
    visited.catch(() => {})
    visitors.send(visitorPlan(flood, target, startAtMs, options))
    const attacked = attacker?.message<AttackResult>('result')
    attacked?.catch(() => {})
    attacker?.send(attackPlan(flood, target, startAtMs, options))
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
      await sleepUntil(startAtMs + calmS * 1000)
      const calmClients = (await signaturesOf(place)).calmClients
      const cpuBefore = cpuMs(digue.pids())
      const stolenBefore = stolenMs()
      const wallBefore = performance.now()
      await sleepUntil(startAtMs + (calmS + floodS) * 1000)
      const wallMs = performance.now() - wallBefore
      const cpuShare = (cpuMs(digue.pids()) - cpuBefore) / wallMs
      const stolenShare = (stolenMs() - stolenBefore) / (wallMs * availableParallelism())
      const heldBack = (await signaturesOf(place)).heldBack.map(({ reason }) => reason)
      const result = await visited
      attacker?.send({ stop: true })
      const attack = (await attacked) ?? null
      return record({
        flood,
        timing,
        scale,
        startAtMs,
        judged,
        result,
        attack,
        programs,
        calmClients,
        heldBack,
        cpuShare,
        stolenShare,
      })
    } finally {
      clearInterval(timer)
    }
  } finally {
    await programs?.stop()
    await Promise.all(children.map((child) => child.stop()))
    await digue?.stop()
    if (place) removeFolder(place.folder)
  }
}

async function signaturesOf({ folder }: PeerPlace): Promise<SiteSignaturesStatus> {
  const sites = (await sendCommand(join(folder, 'digue.sock'), {
    command: 'signatures',
  })) as SiteSignaturesStatus[]
  return sites[0]!
}

function visitorPlan(
  flood: Flood,
  target: Target,
  startAtMs: number,
  { timing, scale }: LabOptions,
): VisitorPlan {
  const secure = flood.tls ?? false
  const endS = timing.calmS + timing.floodS
  const handwritings = visitorsHandwritings(secure, RETURNING + NEW)
  const usual = {
    perSecond: PER_VISITOR * scale,
    protocol: secure ? 'h2' : 'http',
    connection: 'keep',
    assets: 0,
    searchShare: 0,
    untilS: endS,
  } as const
  const cohorts: Cohort[] = [
    {
      ...usual,
      name: 'returning',
      addresses: returning,
      fromS: 0,
      handwritings: handwritings.slice(0, RETURNING),
    },
    {
      ...usual,
      name: 'new',
      addresses: newcomers,
      fromS: timing.calmS,
      handwritings: handwritings.slice(RETURNING),
    },
  ]
  if (flood.crowd)
    cohorts.push({
      ...usual,
      name: 'crowd',
      addresses: crowd,
      // Half of them at once more than the origin can do.
      perSecond: 0.5 * scale,
      fromS: timing.calmS,
      handwritings: visitorsHandwritings(secure, CROWD),
      link: { page: '/article/7', referrer: 'https://news.example.org/' },
    })
  return {
    role: 'visitors',
    target,
    seed: SEED,
    startAtMs,
    seconds: endS,
    deadlineMs: DEADLINE_MS,
    cohorts,
    streams: [],
    downloads: [],
  }
}

function attackPlan(
  flood: Flood,
  target: Target,
  startAtMs: number,
  { timing, scale }: LabOptions,
): AttackPlan {
  const { calmS, floodS } = timing
  const sources = attackers.slice(0, Math.round(ATTACKERS * scale))
  return {
    role: 'attackers',
    target,
    seed: SEED + 1,
    startAtMs,
    fromS: calmS,
    // Goes on until the last visitor's fate is known; told to stop before.
    untilS: calmS + floodS + DEADLINE_MS / 1000 + 5,
    sources,
    perSecond: (flood.perSecond ?? 2) * sources.length,
    connection: 'keep',
    tls: flood.tls ?? false,
    finishShare: 1,
    path: 'page',
    patienceMs: 10_000,
    maxConnections: MOST_CONNECTIONS,
    writing: flood.writing!(floodS / (flood.changes ?? 1)),
  }
}

interface Measured {
  readonly flood: Flood
  readonly timing: Timing
  readonly scale: number
  readonly startAtMs: number
  readonly judged: Judged
  readonly result: VisitorResult
  readonly attack: AttackResult | null
  readonly programs: RealClients
  readonly calmClients: number
  readonly heldBack: readonly string[]
  readonly cpuShare: number
  readonly stolenShare: number
}

function record(m: Measured): LabRecord {
  const { flood, timing, judged, attack } = m
  const { calmS, floodS } = timing
  const onsetMs = attack?.firstSentAtMs || m.startAtMs + calmS * 1000
  const endMs = m.startAtMs + (calmS + floodS) * 1000
  const phases = flood.writing ? (flood.changes ?? 1) : 0
  const phaseMs = (floodS * 1000) / Math.max(1, phases)
  const recognisedS = Array.from({ length: phases }, (_, i) => {
    // The first begins with the first request; the others when the plan says so.
    const from = i === 0 ? onsetMs : m.startAtMs + calmS * 1000 + i * phaseMs
    const until = m.startAtMs + calmS * 1000 + (i + 1) * phaseMs
    return judged.secondsUntil('attacker', from, until, RECOGNISED) ?? null
  })
  const byLabel: Record<string, { seen: number; marked: number }> = {}
  const visitors = { seen: 0, marked: 0 }
  for (const label of judged.labels) {
    const { seen, marked } = judged.sum(label, onsetMs, endMs)
    byLabel[label] = { seen, marked }
    if (label === 'attacker') continue
    visitors.seen += seen
    visitors.marked += marked
  }
  const all = judged.sum('attacker', onsetMs, endMs)
  const { asked, served } = tally(m.result.rows, { fromS: calmS, untilS: calmS + floodS })
  return {
    flood: flood.name,
    expected: flood.expected,
    timing,
    scale: m.scale,
    recognisedS,
    markedShare: all.marked / Math.max(1, all.seen),
    stoppedShare: all.stopped / Math.max(1, all.seen + all.stopped),
    visitors,
    byLabel,
    wrong: Object.fromEntries(judged.wrong),
    published: judged.published.map(({ id, reason, atMs }) => ({
      id,
      reason,
      afterS: (atMs - onsetMs) / 1000,
    })),
    calmClients: m.calmClients,
    heldBack: m.heldBack,
    served: { asked, served },
    attack,
    real: m.programs.clients.map(({ name }) => name),
    missing: m.programs.missing,
    linesLeftOut: judged.leftOut,
    cpuShare: m.cpuShare,
    stolenShare: m.stolenShare,
  }
}
