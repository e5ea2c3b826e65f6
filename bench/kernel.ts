/**
 * What does a flood's request cost the machine it is aimed at, when it is shed, dropped at accept, or dropped in
 * the kernel; and how fast does the kernel learn of 50,000 addresses? In network namespaces that the bench makes: the
 * server's packets, its softirqs and its processes all have one core, and what is counted is how long
 * that core was busy, less what it is at rest. Beside it nginx and HAProxy under the same flood.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KernelDrop } from '#kernel'
import type { FloodPlan, FloodResult } from './kernel/flood-main.ts'
import { clientV4, clientV6, type Lab, makeLab, SERVER } from './lib/lab.ts'
import { main, options } from './lib/options.ts'
import { removeFolder, tempFolder } from './lib/place.ts'
import { BenchError, Child, CORES, need, provide, stolenMs } from './lib/processes.ts'
import { keep } from './lib/runs.ts'
import { median } from './lib/stats.ts'
import { table, thousands } from './lib/table.ts'
import { build, DIGUE } from './peers/digue.ts'
import { nginxCommand } from './peers/nginx.ts'

const USAGE = `Usage: npm run bench:kernel -- [options]

Needs root, network namespaces and two cores. About 5 minutes; --quick about 2.`

const PORT = 8080
const ORIGIN_PORT = 3000
/** Well above what admission drops for (500 refusals within 5 to 10 s), and far below what it calls hammering (100). */
const HOT = 10
const COLD = 400
/** A contender has come to its way of refusing when so many meet it. */
const SETTLED_SHARE = 0.98
const WARM_MS = 40_000

interface Contender {
  readonly name: string
  readonly addresses: number
  /** What the flood shall meet: `FloodResult.outcomes`. */
  readonly outcome: string
  start(place: Place): Child
}

interface Place {
  readonly lab: Lab
  readonly folder: string
}

interface Sample {
  readonly usPerAttempt: number
  readonly restShare: number
  readonly attempts: number
  readonly outcomes: FloodResult['outcomes']
}

const inServer = ({ lab }: Place, name: string, command: readonly string[]) =>
  new Child(name, lab.server(command), { core: CORES!.server })

const CONTENDERS: readonly Contender[] = [
  { name: 'digue, shed (503)', addresses: COLD, outcome: '503', start: digueWith('off') },
  { name: 'digue, dropped at accept', addresses: HOT, outcome: 'closed', start: digueWith('off') },
  { name: 'digue, dropped in the kernel', addresses: HOT, outcome: 'silence', start: digueWith('auto') },
  { name: 'nginx limit_req (429)', addresses: HOT, outcome: '429', start: nginxWith(429) },
  { name: 'nginx limit_req (444)', addresses: HOT, outcome: 'closed', start: nginxWith(444) },
  {
    name: 'haproxy silent-drop',
    addresses: HOT,
    outcome: 'silence',
    start: (place) => {
      const file = join(place.folder, 'haproxy.cfg')
      writeFileSync(
        file,
        `global
  nbthread 1
  maxconn 9900
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend web
  bind ${SERVER.v4}:${PORT} backlog 4096
  stick-table type ip size 1m expire 60s store conn_rate(10s)
  tcp-request connection track-sc0 src
  tcp-request connection silent-drop if { sc0_conn_rate gt 50 }
  default_backend site
backend site
  server origin 127.0.0.1:${ORIGIN_PORT}
`,
      )
      return inServer(place, 'haproxy', [need('haproxy'), '-db', '-f', file])
    },
  },
]

await main(async () => {
  const chosen = options(USAGE, {
    runs: { value: 'N', help: 'Rounds. Default 2.' },
    seconds: { value: 'N', help: 'Length of one measurement. Default 8.' },
    rate: { value: 'N', help: 'Requests per second, each on a connection of its own. Default 2000.' },
    only: { value: 'NAMES', many: true, help: 'Parts of names of the contenders, or `entries`.' },
    entries: { value: 'N', help: 'Addresses to add. Default 50000.' },
    quick: { help: '1 round of 5 s.' },
    json: { help: 'Print raw results.' },
    'no-keep': { help: 'Do not write bench/runs/.' },
  })
  const rounds = Math.min(20, chosen.number('runs', chosen.flag('quick') ? 1 : 2))
  const seconds = Math.min(60, chosen.number('seconds', chosen.flag('quick') ? 5 : 8))
  const rate = chosen.number('rate', 2000)
  const entries = Math.min(65_536, chosen.number('entries', 50_000))
  const only = chosen.list('only')
  await provide({ nft: 'nftables', ip: 'iproute2', nginx: 'nginx-light', haproxy: 'haproxy' })
  if (CORES === undefined)
    throw new BenchError(
      'BENCH_NO_CORES',
      'expected two cores and taskset, to tell the server’s work from the flood’s',
    )
  const lab = makeLab()
  if (typeof lab === 'string') throw new BenchError('BENCH_NO_LAB', lab)
  const say = (text: string) => chosen.flag('json') || process.stdout.write(`${text}\n`)
  // This process looks on from the load's core.
  execFileSync(need('taskset', 'util-linux'), ['-cp', String(CORES.load), String(process.pid)], {
    stdio: 'ignore',
  })
  try {
    lab.pin({ server: CORES.server, client: CORES.load })
    build()
    const contenders = CONTENDERS.filter(
      ({ name }) => only.length === 0 || only.some((part) => name.includes(part)),
    )
    say(
      `One connection per request, ${thousands(rate)} a second; server on core ${CORES.server}, flood on core ${CORES.load}; ${rounds} rounds of ${seconds} s.`,
    )
    const stolenBefore = stolenMs()
    const samples = new Map<string, Sample[]>(contenders.map(({ name }) => [name, []]))
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < contenders.length; i++) {
        const one = contenders[(round + i) % contenders.length]!
        if (process.stderr.isTTY)
          process.stderr.write(`\r\x1b[2K  round ${round + 1}/${rounds} · ${one.name}`)
        samples.get(one.name)!.push(await measure(one, { lab, rate, seconds }))
      }
    }
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K')
    const stolen = stolenMs() - stolenBefore
    if (contenders.length > 0) say(report(contenders, samples))
    if (stolen > 0) say(`The host took ${Math.round(stolen)} ms of the cores for others.`)

    const fills = only.length > 0 && !only.includes('entries') ? [] : await fill(lab, entries, rounds + 2)
    for (const { version, ms, cpuUs } of fills)
      say(
        `${thousands(entries)} IPv${version} entries: in the kernel after ${median(ms).toFixed(0)} ms (slowest ${Math.max(...ms).toFixed(0)} ms); the main thread spent ${median(cpuUs).toFixed(1)} µs on each`,
      )
    const results = { samples: Object.fromEntries(samples), fills }
    if (chosen.flag('json')) process.stdout.write(`${JSON.stringify(results)}\n`)
    if (!chosen.flag('no-keep'))
      keep('kernel', { bench: 'kernel', rounds, seconds, rate, entries, stolenMs: stolen, ...results })
  } finally {
    lab.close()
  }
})

function digueWith(mode: 'auto' | 'off'): Contender['start'] {
  return (place) => {
    const file = join(place.folder, 'digue.yaml')
    writeFileSync(
      file,
      JSON.stringify({
        state: place.folder,
        threads: 1,
        listen: [{ address: SERVER.v4, port: PORT }],
        admin: { metrics: 'off' },
        log: { requests: 'none' },
        // No helper of this machine's own may be found.
        kernel: { mode, socket: join(place.folder, 'none.sock') },
        sites: [{ hosts: ['*'], origins: [`http://127.0.0.1:${ORIGIN_PORT}`], maxInFlight: 1 }],
      }),
    )
    return inServer(place, 'digue', [...DIGUE, 'run', '--config', file])
  }
}

function nginxWith(status: number): Contender['start'] {
  return (place) =>
    inServer(
      place,
      'nginx',
      nginxCommand(
        place.folder,
        `limit_req_zone $binary_remote_addr zone=req:16m rate=1r/s;
  limit_req_status ${status};
  server {
    listen ${SERVER.v4}:${PORT} backlog=4096;
    location / { limit_req zone=req burst=5 nodelay; proxy_pass http://127.0.0.1:${ORIGIN_PORT}; }
  }`,
        10_000,
      ),
    )
}

async function measure(
  one: Contender,
  { lab, rate, seconds }: { lab: Lab; rate: number; seconds: number },
): Promise<Sample> {
  const folder = tempFolder()
  const origin = new Child(
    'origin',
    lab.server([
      process.execPath,
      join(import.meta.dirname, 'kernel/silent-origin-main.ts'),
      String(ORIGIN_PORT),
    ]),
    { core: CORES!.load, ipc: true },
  )
  const attackers = new Child(
    'attackers',
    lab.client([process.execPath, join(import.meta.dirname, 'kernel/flood-main.ts')]),
    { core: CORES!.load, ipc: true },
  )
  const ready = Promise.all([origin.message('ready'), attackers.message('ready')])
  const server = one.start({ lab, folder })
  const flood = (forS: number): Promise<FloodResult> => {
    const result = attackers.message<FloodResult>('result')
    attackers.send({
      to: SERVER.v4,
      port: PORT,
      from: Array.from({ length: one.addresses }, (_, n) => clientV4(256 + n)),
      perSecond: rate,
      seconds: forS,
      // Longer than Digue lets anybody wait before he is refused.
      patienceMs: 2000,
    } satisfies FloodPlan)
    return result
  }
  try {
    await ready
    await listens(server, lab)
    await settle(one, flood)
    const rest = await busyWhile(() => new Promise((resolve) => setTimeout(resolve, 3000)))
    const under = await busyWhile(() => flood(seconds))
    const { attempts, outcomes } = under.result
    if (attempts === 0) throw new BenchError('BENCH_NO_LOAD', `${one.name}: nothing was sent`)
    const busyMs = under.busyMs - (rest.busyMs / rest.ms) * under.ms
    return { usPerAttempt: (1000 * busyMs) / attempts, restShare: rest.busyMs / rest.ms, attempts, outcomes }
  } finally {
    for (const child of [attackers, server, origin]) await child.stop()
    removeFolder(folder)
  }
}

/** Floods until nearly all meet what this contender is there for. */
async function settle(one: Contender, flood: (seconds: number) => Promise<FloodResult>): Promise<void> {
  let last: FloodResult | undefined
  for (const untilMs = performance.now() + WARM_MS; performance.now() < untilMs; ) {
    last = await flood(2)
    if ((last.outcomes[one.outcome] ?? 0) >= SETTLED_SHARE * last.attempts) return
  }
  throw new BenchError(
    'BENCH_NOT_SETTLED',
    `${one.name}: after ${WARM_MS / 1000} s not nearly all meet "${one.outcome}": ${JSON.stringify(last)}`,
  )
}

/** How long the server's core was busy meanwhile, softirqs included. */
async function busyWhile<T>(work: () => Promise<T>): Promise<{ result: T; ms: number; busyMs: number }> {
  const before = { ms: performance.now(), away: awayMs() }
  const result = await work()
  const ms = performance.now() - before.ms
  return { result, ms, busyMs: Math.max(0, ms - (awayMs() - before.away)) }
}

/** The time in which the server's core idled, or was the host's for others: kept to the tick, not sampled by it. */
function awayMs(): number {
  const line =
    new RegExp(`^cpu${CORES!.server} (.*)$`, 'm').exec(readFileSync('/proc/stat', 'latin1'))?.[1] ?? ''
  const [, , , idle = 0, iowait = 0, , , steal = 0] = line.trim().split(/\s+/).map(Number)
  return 10 * (idle + iowait + steal)
}

async function listens(server: Child, lab: Lab): Promise<void> {
  for (const untilMs = performance.now() + 15_000; performance.now() < untilMs; ) {
    if (server.exited)
      throw new BenchError('BENCH_PEER_ENDED', `${server.name} did not start:\n${server.output}`)
    if (lab.runAtServer([need('ss', 'iproute2'), '-Hltn', `sport = :${PORT}`]).trim() !== '') return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new BenchError('BENCH_PEER_SILENT', `${server.name} does not listen:\n${server.output}`)
}

interface Fill {
  readonly version: 4 | 6
  readonly ms: number[]
  readonly cpuUs: number[]
}

/** From the call in the main process until the last entry stands in the kernel; with a new helper each time. */
async function fill(lab: Lab, entries: number, rounds: number): Promise<Fill[]> {
  const fills: Fill[] = []
  for (const version of [4, 6] as const) {
    const address = version === 4 ? clientV4 : clientV6
    const addresses = Array.from({ length: entries }, (_, n) => address(n))
    const one: Fill = { version, ms: [], cpuUs: [] }
    for (let round = 0; round < rounds; round++) {
      const { ms, cpuUs } = await fillOnce(lab, version, addresses)
      one.ms.push(ms)
      one.cpuUs.push(cpuUs)
    }
    fills.push(one)
  }
  return fills
}

async function fillOnce(
  lab: Lab,
  version: 4 | 6,
  addresses: readonly string[],
): Promise<{ ms: number; cpuUs: number }> {
  const folder = tempFolder()
  const socket = join(folder, 'kernel.sock')
  const file = join(folder, 'digue.yaml')
  writeFileSync(
    file,
    JSON.stringify({
      kernel: { ports: [PORT], socket },
      sites: [{ host: '*', origin: `http://127.0.0.1:${ORIGIN_PORT}` }],
    }),
  )
  const helper = inServer({ lab, folder }, 'helper', [...DIGUE, 'kernel-helper', '--config', file])
  const kernel = new KernelDrop({ mode: 'auto', socket, maxEntries: 65_536, onEvent: () => {} })
  const shortly = () => new Promise((resolve) => setTimeout(resolve, 10))
  try {
    while (!existsSync(socket)) {
      if (helper.exited)
        throw new BenchError('BENCH_PEER_ENDED', `the helper did not start:\n${helper.output}`)
      await shortly()
    }
    await kernel.open()
    const cpu = process.cpuUsage()
    const beganMs = performance.now()
    kernel.drop(addresses, 600)
    for (;;) {
      const { table: standing } = await kernel.status()
      const isDone = standing?.state === 'active' && standing.waiting === 0
      if (isDone && standing.entries[`v${version}`] === addresses.length) break
      if (performance.now() - beganMs > 60_000)
        throw new BenchError(
          'BENCH_NO_ENTRIES',
          `${addresses.length} entries were not added in a minute: ${JSON.stringify(standing)}`,
        )
      await shortly()
    }
    const ms = performance.now() - beganMs
    const { user, system } = process.cpuUsage(cpu)
    const listed = lab
      .runAtServer([need('nft', 'nftables'), 'list', 'set', 'inet', 'digue', `drop${version}`])
      .match(/ timeout /g)?.length
    if (listed !== addresses.length)
      throw new BenchError('BENCH_NO_ENTRIES', `the kernel has ${listed} entries, not ${addresses.length}`)
    return { ms, cpuUs: (user + system) / addresses.length }
  } finally {
    kernel.close()
    await helper.stop()
    removeFolder(folder)
  }
}

function report(contenders: readonly Contender[], samples: ReadonlyMap<string, readonly Sample[]>): string {
  const cost = (name: string) => median((samples.get(name) ?? []).map(({ usPerAttempt }) => usPerAttempt))
  const shed = cost('digue, shed (503)')
  return table(
    ['', 'core time per request', 'spread', 'shed =', 'from', 'what became of them'],
    contenders.map(({ name, addresses }) => {
      const own = samples.get(name)!
      const all = own.map(({ usPerAttempt }) => usPerAttempt)
      const attempts = own.reduce((sum, one) => sum + one.attempts, 0)
      const outcomes: Record<string, number> = {}
      for (const sample of own)
        for (const [outcome, count] of Object.entries(sample.outcomes))
          outcomes[outcome] = (outcomes[outcome] ?? 0) + count
      return [
        name,
        `${median(all).toFixed(1)} µs`,
        `${Math.min(...all).toFixed(1)}–${Math.max(...all).toFixed(1)}`,
        Number.isNaN(shed) ? '' : `${(shed / cost(name)).toFixed(1)}×`,
        `${addresses}`,
        Object.entries(outcomes)
          .sort(([, a], [, b]) => b - a)
          .map(([outcome, count]) => `${outcome} ${((100 * count) / attempts).toFixed(1)} %`)
          .join(', '),
      ]
    }),
  )
}
