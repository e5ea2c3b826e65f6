/**
 * What does a refused request cost, against nginx `return 429`? CPU per answer while the site's limit is
 * full (an origin that does one page per second, one in flight) and 8,000 addresses keep asking: every
 * request goes the whole way of a real one, through address, aggregates and line, and is turned away
 * there. nginx answers the same load and decides nothing: it is the floor.
 */
import { join } from 'node:path'
import { main, options } from './lib/options.ts'
import { type Contender, cpuPer, inTurns, ratio } from './lib/paired.ts'
import { makePlace, removeFolder } from './lib/place.ts'
import { BenchError, Child, CORES, provide } from './lib/processes.ts'
import { keep } from './lib/runs.ts'
import { median } from './lib/stats.ts'
import { table, thousands } from './lib/table.ts'
import { attackerAddresses } from './load/networks.ts'
import type { AttackPlan, AttackResult } from './load/plan.ts'
import { startOrigin } from './origin/origin.ts'
import { startDigue } from './peers/digue.ts'
import { runNginx } from './peers/nginx.ts'

const USAGE = `Usage: npm run bench:reject -- [options]

About 2 minutes; --quick about 1.`

const ROOT = join(import.meta.dirname, '..')
const SOURCES = attackerAddresses('proxies', 8000, 5)

interface Sample {
  readonly cpuUs: number
  readonly perSecond: number
  readonly statuses: Readonly<Record<string, number>>
}

await main(async () => {
  const chosen = options(USAGE, {
    runs: { value: 'N', help: 'Rounds. Default 5.' },
    seconds: {
      value: 'N',
      help: 'Length of one measurement. Default 10: connections are opened once in each.',
    },
    rate: { value: 'N', help: 'Requests per second of the shed load. Default 8000.' },
    quick: { help: '3 rounds of 6 s.' },
    json: { help: 'Print raw results.' },
    'no-keep': { help: 'Do not write bench/runs/.' },
  })
  const rounds = Math.min(50, chosen.number('runs', chosen.flag('quick') ? 3 : 5))
  const seconds = Math.min(60, chosen.number('seconds', chosen.flag('quick') ? 6 : 10))
  const rate = chosen.number('rate', 8000)
  await provide({ nginx: 'nginx-light' })
  const say = (text: string) => chosen.flag('json') || process.stdout.write(`${text}\n`)
  say(
    CORES
      ? `Servers on core ${CORES.server}, one measured at a time; load on core ${CORES.load}.`
      : 'Nothing is pinned here.',
  )

  const origin = await startOrigin({
    servers: 1,
    queue: 100,
    costs: { page: 1000, search: 1000, asset: 1000 },
  })
  const nginxPlace = await makePlace({ originPort: origin.port })
  const diguePlace = await makePlace({ originPort: origin.port })
  const running: { stop(): Promise<void> }[] = []
  try {
    const nginx = await runNginx(
      nginxPlace,
      `server { listen 127.0.0.1:${nginxPlace.port} backlog=4096; location / { return 429; } }`,
      nginxPlace.port,
    )
    running.push(nginx)
    const site = { hosts: ['*'], origins: [`http://127.0.0.1:${origin.port}`], maxInFlight: 1 }
    const digue = await startDigue(
      { ...diguePlace, tlsPort: 0 },
      { label: '', settings: {} },
      { sites: [site] },
    )
    running.push(digue)
    const up: Contender[] = [
      {
        name: 'nginx return 429',
        peer: { port: nginxPlace.port, tlsPort: 0, pids: () => nginx.pids(), stop: () => nginx.stop() },
      },
      { name: 'digue', peer: digue },
    ]

    await flood(digue.port, rate, 3)
    const shed = await inTurns(up, rounds, (one) => underFlood(one, rate, seconds))
    say(
      `\nshed: ${thousands(SOURCES.length)} addresses, ${thousands(rate)} requests/s meant, kept connections, ${rounds} rounds of ${seconds} s`,
    )
    say(report(up, shed))

    if (chosen.flag('json')) process.stdout.write(`${JSON.stringify(Object.fromEntries(shed))}\n`)
    if (!chosen.flag('no-keep'))
      keep('reject', {
        bench: 'reject',
        rounds,
        seconds,
        rate,
        shed: Object.fromEntries(shed),
      })
  } finally {
    for (const one of running) await one.stop()
    origin.stop()
    removeFolder(nginxPlace.folder)
    removeFolder(diguePlace.folder)
  }
})

async function flood(port: number, perSecond: number, seconds: number): Promise<AttackResult> {
  const child = new Child('attackers', [process.execPath, join(ROOT, 'bench/load/worker.ts')], {
    core: CORES?.load,
    ipc: true,
  })
  try {
    await child.message('ready')
    const plan: AttackPlan = {
      role: 'attackers',
      target: { address: '127.0.0.1', port, tlsPort: 0, host: 'bench.example.org', forwardedFor: false },
      seed: 6,
      startAtMs: Date.now() + 200,
      fromS: 0,
      untilS: seconds,
      sources: SOURCES,
      perSecond,
      connection: 'keep',
      tls: false,
      finishShare: 1,
      path: 'page',
      patienceMs: 10_000,
      maxConnections: SOURCES.length,
    }
    const result = child.message<AttackResult>('result')
    child.send(plan)
    return await result
  } finally {
    await child.stop()
  }
}

async function underFlood(one: Contender, rate: number, seconds: number): Promise<Sample> {
  let statuses: Record<string, number> = {}
  let answered = 0
  const cpuUs = await cpuPer(one, async () => {
    const result = await flood(one.peer.port, rate, seconds)
    statuses = result.answers
    answered = Object.entries(result.answers).reduce(
      (sum, [status, n]) => (status === 'none' ? sum : sum + n),
      0,
    )
    return answered
  })
  if (!(answered > 0)) throw new BenchError('BENCH_NO_ANSWERS', `${one.name} answered nothing`)
  return { cpuUs, perSecond: answered / seconds, statuses }
}

function report(up: readonly Contender[], results: Map<string, Sample[]>): string {
  const cpu = (name: string) => results.get(name)!.map((sample) => sample.cpuUs)
  return table(
    ['', 'CPU per answer', 'answers/s seen', 'per core, nginx = 1', 'answers'],
    up.map(({ name }) => {
      const statuses: Record<string, number> = {}
      for (const sample of results.get(name)!)
        for (const [status, n] of Object.entries(sample.statuses))
          statuses[status] = (statuses[status] ?? 0) + n
      return [
        name,
        `${median(cpu(name)).toFixed(1)} µs`,
        thousands(median(results.get(name)!.map((s) => s.perSecond))),
        ratio(cpu('nginx return 429'), cpu(name)).text,
        Object.entries(statuses)
          .map(([status, n]) => `${status}: ${thousands(n)}`)
          .join(', '),
      ]
    }),
  )
}
