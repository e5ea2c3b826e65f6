/**
 * What does a flood do to a site, and what does it do to one behind Digue? Thirty seconds each,
 * on this machine only, shown live. Needs nothing but Node: origin, Digue, visitors and attackers are
 * processes of this repository, and all of them end with it.
 */
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { readMetrics } from './lib/metrics.ts'
import { removeFolder, tempFolder } from './lib/place.ts'
import { freePorts } from './lib/ports.ts'
import { Child } from './lib/processes.ts'
import { ms, percent, table, thousands } from './lib/table.ts'
import { type Tally, tally } from './load/accounting.ts'
import type { AttackProgress } from './load/attackers.ts'
import { attackerAddresses, networksCsv, visitorAddresses } from './load/networks.ts'
import type { AttackPlan, AttackResult, Target, VisitorPlan } from './load/plan.ts'
import { LOAD_PROCESS } from './load/process.ts'
import type { VisitorProgress, VisitorResult } from './load/visitors.ts'
import { USUAL_ORIGIN } from './origin/origin.ts'
import { type RunningDigue, startDigue } from './peers/digue.ts'

export interface DemoOptions {
  /** Length of each of the two floods. */
  readonly seconds?: number
  readonly out?: NodeJS.WriteStream
}

export interface DemoResult {
  readonly without: Tally
  readonly through: Tally
}

const ORIGIN = join(import.meta.dirname, 'origin/main.ts')
/** Digue learns who comes in calm weather ten seconds after it was calm; the bare site learns nothing. */
const CALM_S = { without: 3, through: 15 } as const
const VISITORS = visitorAddresses(100, 7)
const ATTACKERS = attackerAddresses('hosting', 2000, 7, VISITORS)

/** Runs the demonstration; resolves with what both halves measured. */
export async function runDemo(options: DemoOptions = {}): Promise<DemoResult> {
  const seconds = Math.min(300, options.seconds ?? 30)
  const screen = new Screen(options.out ?? process.stdout)
  const forwardedFor = !(await canBind(VISITORS[0]!))
  const folder = tempFolder()
  const origin = new Child('demo site', [process.execPath, ORIGIN, JSON.stringify(USUAL_ORIGIN)], {
    core: undefined,
    ipc: true,
  })
  let digue: RunningDigue | undefined
  try {
    const [originPort] = await origin.message<[number, number]>('ports')
    screen.say(
      'A demo site that can serve 640 pages per second, 100 visitors who each ask',
      `for one page per second, and ${thousands(ATTACKERS.length)} addresses in 12 hosting networks that`,
      'send two requests per second each, headers and queries random. All of it on',
      'this machine, between loopback addresses.',
    )
    if (forwardedFor) screen.say('(This system has only 127.0.0.1: addresses are told in X-Forwarded-For.)')
    const target: Target = {
      address: '127.0.0.1',
      port: originPort,
      tlsPort: 0,
      host: 'demo.example.org',
      forwardedFor,
    }
    const without = await half(screen, 'Without Digue', target, { calmS: CALM_S.without, floodS: seconds })

    const networksFile = join(folder, 'networks.csv')
    writeFileSync(networksFile, networksCsv())
    const [port] = (await freePorts(1)) as [number]
    digue = await startDigue(
      {
        folder,
        originPort,
        originTlsPort: 0,
        port,
        tlsPort: 0,
        certFile: '',
        keyFile: '',
        networksFile,
        baselineFile: '',
        forwardedFor,
        core: undefined,
      },
      { label: '', settings: {} },
    )
    const through = await half(
      screen,
      'Through Digue',
      { ...target, port },
      { calmS: CALM_S.through, floodS: seconds },
      digue,
    )
    summary(screen, without, through)
    return { without: without.flood, through: through.flood }
  } finally {
    await digue?.stop()
    await origin.stop()
    removeFolder(folder)
  }
}

interface Timing {
  readonly calmS: number
  readonly floodS: number
}

interface Half {
  readonly calm: Tally
  readonly flood: Tally
  readonly attack: AttackResult
}

async function half(
  screen: Screen,
  title: string,
  target: Target,
  timing: Timing,
  digue?: RunningDigue,
): Promise<Half> {
  const visitors = new Child('visitors', LOAD_PROCESS, { core: undefined, ipc: true })
  const attackers = new Child('attackers', LOAD_PROCESS, {
    core: undefined,
    ipc: true,
    nice: 5,
  })
  try {
    await Promise.all([visitors.message('ready'), attackers.message('ready')])
    const startAtMs = Date.now() + 200
    const live = new Live(screen, title, startAtMs, timing, digue)
    visitors.process.on(
      'message',
      (message: { progress?: VisitorProgress }) => message.progress && live.visitors(message.progress),
    )
    attackers.process.on(
      'message',
      (message: { progress?: AttackProgress }) => message.progress && live.attackers(message.progress),
    )
    const visited = visitors.message<VisitorResult>('result')
    const attacked = attackers.message<AttackResult>('result')
    attacked.catch(() => {})
    visitors.send(visitorPlan(target, startAtMs, timing))
    attackers.send(attackPlan(target, startAtMs, timing))
    const { rows } = await visited
    attackers.send({ stop: true })
    const attack = await attacked
    live.end()
    return {
      calm: tally(rows, { fromS: 0, untilS: timing.calmS }),
      flood: tally(rows, { fromS: timing.calmS, untilS: timing.calmS + timing.floodS }),
      attack,
    }
  } finally {
    await Promise.all([visitors.stop(), attackers.stop()])
  }
}

function visitorPlan(target: Target, startAtMs: number, timing: Timing): VisitorPlan {
  const untilS = timing.calmS + timing.floodS
  const usual = {
    perSecond: 1,
    untilS,
    protocol: 'http',
    connection: 'keep',
    assets: 0,
    searchShare: 0,
  } as const
  return {
    role: 'visitors',
    target,
    seed: 3,
    startAtMs,
    seconds: untilS,
    deadlineMs: 10_000,
    cohorts: [
      { ...usual, name: 'returning', addresses: VISITORS.slice(0, 80), fromS: 0 },
      { ...usual, name: 'new', addresses: VISITORS.slice(80), fromS: timing.calmS },
    ],
    streams: [],
    downloads: [],
  }
}

function attackPlan(target: Target, startAtMs: number, timing: Timing): AttackPlan {
  return {
    role: 'attackers',
    target,
    seed: 4,
    startAtMs,
    fromS: timing.calmS,
    untilS: timing.calmS + timing.floodS + 12,
    sources: ATTACKERS,
    perSecond: 2 * ATTACKERS.length,
    connection: 'keep',
    tls: false,
    finishShare: 1,
    path: 'page',
    patienceMs: 10_000,
    // Two ends of each are on this machine, and laptops allow fewer descriptors than servers.
    maxConnections: 4000,
  }
}

/** Everything but 127.0.0.1 has to be set up by hand on some systems. */
function canBind(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: 9, localAddress: address })
    socket.once('connect', () => resolve(socket.destroy() !== undefined))
    // Nobody listens on the discard port: refused means that the address was good.
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
}

/** One half of the demonstration as it happens. */
class Live {
  readonly #screen: Screen
  readonly #title: string
  readonly #startAtMs: number
  readonly #timing: Timing
  readonly #digue: RunningDigue | undefined
  readonly #timer: NodeJS.Timeout
  #visitors: VisitorProgress[] = []
  #attackers: AttackProgress[] = []
  #before: ReturnType<typeof emptyShed> = emptyShed()
  #plain = 0

  constructor(
    screen: Screen,
    title: string,
    startAtMs: number,
    timing: Timing,
    digue: RunningDigue | undefined,
  ) {
    this.#screen = screen
    this.#title = title
    this.#startAtMs = startAtMs
    this.#timing = timing
    this.#digue = digue
    screen.say('')
    this.#timer = setInterval(() => void this.#draw(), 1000)
  }

  visitors(progress: VisitorProgress): void {
    this.#visitors.push(progress)
  }

  attackers(progress: AttackProgress): void {
    this.#attackers.push(progress)
  }

  end(): void {
    clearInterval(this.#timer)
    this.#screen.keep()
  }

  async #draw(): Promise<void> {
    const second = Math.floor((Date.now() - this.#startAtMs) / 1000)
    const visitors = this.#visitors.splice(0)
    const attackers = this.#attackers.splice(0)
    const decided = visitors.reduce((sum, v) => sum + v.decided, 0)
    const served = visitors.reduce((sum, v) => sum + v.served, 0)
    const last = visitors.findLast((v) => v.served > 0)
    const sent = attackers.reduce((sum, a) => sum + a.sent, 0)
    const pages = attackers.reduce((sum, a) => sum + a.pages, 0)
    const shed = attackers.reduce((sum, a) => sum + a.shed, 0)
    const flood = second - this.#timing.calmS
    const phase =
      flood < 0
        ? `calm, flood in ${-flood} s`
        : flood < this.#timing.floodS
          ? `flood, second ${flood + 1} of ${this.#timing.floodS}`
          : 'flood, last visitors waiting'
    const share = decided > 0 ? served / decided : Number.NaN
    const lines = [
      `${this.#title} · ${phase}`,
      `  visitors served   ${gauge(share)} ${percent(share, 0).padStart(5)} of ${decided} in the last second`,
      `  their wait        p50 ${last ? ms(last.p50Ms) : '–'}, p99 ${last ? ms(last.p99Ms) : '–'}`,
      `  flood             ${thousands(sent)} requests/s; ${thousands(pages)} got a page, ${thousands(shed)} did not`,
    ]
    if (this.#digue) lines.push(...(await this.#why(this.#digue)))
    if (this.#screen.isLive) this.#screen.draw(lines)
    // Without a terminal: a line every five seconds is enough to follow.
    else if (this.#plain++ % 5 === 0)
      this.#screen.say(lines.map((line) => line.trim().replace(/ {2,}/g, ' ')).join(' | '))
  }

  async #why(digue: RunningDigue): Promise<string[]> {
    const metrics = await readMetrics(digue.metricsPort)
    if (!metrics) return ['  Digue             (no figures)']
    const now = emptyShed()
    for (const { labels, value } of metrics.all('digue_requests_total')) {
      if (labels['action'] === 'relay') now.relayed += value
      else
        now.reasons.set(
          `${labels['action']} ${labels['reason']}`.trim(),
          (now.reasons.get(`${labels['action']} ${labels['reason']}`.trim()) ?? 0) + value,
        )
    }
    const posture = metrics.all('digue_posture').find((one) => one.value === 1)?.labels['posture'] ?? '?'
    const reasons = [...now.reasons]
      .map(([reason, n]) => [reason, n - (this.#before.reasons.get(reason) ?? 0)] as const)
      .filter(([, n]) => n > 0)
      .sort((a, b) => b[1] - a[1])
    const relayed = now.relayed - this.#before.relayed
    this.#before = now
    const waiting = metrics.sum('digue_waiting_requests')
    return [
      `  Digue             ${posture}; ${thousands(relayed)}/s let through, ${metrics.sum('digue_in_flight_limit') || '?'} at once, ${thousands(waiting)} in line`,
      `  turned away, why  ${
        reasons.length > 0
          ? reasons
              .slice(0, 2)
              .map(([reason, n]) => `${reason} ${thousands(n)}/s`)
              .join(', ')
          : 'nobody'
      }`,
    ]
  }
}

function emptyShed() {
  return { relayed: 0, reasons: new Map<string, number>() }
}

function gauge(share: number): string {
  const full = Number.isNaN(share) ? 0 : Math.round(share * 20)
  return '█'.repeat(full) + '░'.repeat(20 - full)
}

function summary(screen: Screen, without: Half, through: Half): void {
  const row = (name: string, { flood, attack }: Half) => [
    name,
    percent(flood.served / Math.max(1, flood.asked)),
    thousands(flood.asked),
    ms(flood.p50Ms),
    ms(flood.p99Ms),
    `${thousands(attack.seconds > 0 ? attack.sent / attack.seconds : 0)}/s`,
  ]
  const lost = Object.entries(through.flood.fates).filter(([fate]) => fate !== 'served')
  screen.say(
    '',
    table(
      ['Visitors in the flood', 'served', 'of', 'p50', 'p99', 'flood'],
      [row('without Digue', without), row('through Digue', through)],
    ),
    '',
    lost.length > 0
      ? `Not served through Digue: ${lost.map(([fate, n]) => `${fate} ${n}`).join(', ')}.`
      : 'Through Digue every visitor was served.',
    'Served means: the real page arrived within 10 s. Everything ran on this one',
    'machine, so the figures say more about the ratio than about speed. This flood',
    'comes from hosting networks, the case that fair shares by network solve;',
    'npm run bench:flood also shows the harder ones.',
  )
}

/** The terminal: a block that is drawn over, or plain lines where there is none. */
class Screen {
  readonly #out: NodeJS.WriteStream
  readonly isLive: boolean
  #drawn = 0

  constructor(out: NodeJS.WriteStream) {
    this.#out = out
    this.isLive = out.isTTY === true
  }

  say(...lines: string[]): void {
    this.#out.write(`${lines.join('\n')}\n`)
  }

  draw(lines: readonly string[]): void {
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : ''
    const width = this.#out.columns ?? 120
    this.#out.write(`${up}${lines.map((line) => `\x1b[2K${line.slice(0, width - 1)}\n`).join('')}\x1b[0J`)
    this.#drawn = lines.length
  }

  /** What is drawn stays; the next block begins below it. */
  keep(): void {
    this.#drawn = 0
  }
}

if (import.meta.main) {
  await runDemo({ seconds: Number(process.argv[2] ?? 30) })
  process.exit(0)
}
