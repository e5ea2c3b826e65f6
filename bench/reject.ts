/**
 * What does a refused request cost, against nginx `return 429`, and a whole challenge page, against nginx
 * `return 503`? CPU per answer while the site's limit is full (an origin that does one page per second, one
 * in flight) and 8,000 addresses keep asking: every request goes the whole way of a real one, through address,
 * aggregates and line, and is turned away there. nginx answers the same load and decides nothing: it is the floor.
 *
 * For the pages a second Digue has its budget of bytes opened, or hardly anybody would get one; nginx returns a
 * page as long as Digue's, the same for everybody, and an empty 503 for comparison.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
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

About 5 minutes; --quick about 2.`

const ROOT = join(import.meta.dirname, '..')
const SOURCES = attackerAddresses('proxies', 8000, 5)

const PAGES_OPEN = pathToFileURL(join(ROOT, 'bench/lib/open-page-budget.ts')).href
const BARE = 'nginx return 503'
const SAME_SIZE = 'nginx return 503, page'

interface Sample {
  readonly cpuUs: number
  readonly perSecond: number
  readonly bytes: number
  readonly statuses: Readonly<Record<string, number>>
}

/** The servers of this bench; each in a place of its own. */
class Bench {
  readonly #originPort: number
  readonly #running: { stop(): Promise<void> }[] = []
  readonly #folders: string[] = []

  constructor(originPort: number) {
    this.#originPort = originPort
  }

  async nginx(name: string, location: string): Promise<Contender> {
    const place = await this.#place()
    const server = `server { listen 127.0.0.1:${place.port} backlog=4096; location / { ${location} } }`
    const child = await runNginx(place, server, place.port)
    this.#running.push(child)
    return {
      name,
      peer: { port: place.port, tlsPort: 0, pids: () => child.pids(), stop: () => child.stop() },
    }
  }

  async digue(name: string, preload?: string): Promise<Contender> {
    const place = await this.#place()
    const site = { hosts: ['*'], origins: [`http://127.0.0.1:${this.#originPort}`], maxInFlight: 1 }
    const variant = { label: '', settings: {} }
    const peer = await startDigue({ ...place, tlsPort: 0 }, variant, { sites: [site] }, preload)
    this.#running.push(peer)
    return { name, peer }
  }

  async stop(): Promise<void> {
    for (const one of this.#running) await one.stop()
    for (const folder of this.#folders) removeFolder(folder)
  }

  async #place() {
    const place = await makePlace({ originPort: this.#originPort })
    this.#folders.push(place.folder)
    return place
  }
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
  const bench = new Bench(origin.port)
  try {
    const shed: Contender[] = [
      await bench.nginx('nginx return 429', 'return 429;'),
      await bench.digue('digue'),
    ]
    await flood(shed[1]!.peer.port, rate, 3)
    const shedSamples = await inTurns(shed, rounds, (one) => underFlood(one, rate, seconds))
    say(
      `\nshed: ${thousands(SOURCES.length)} addresses, ${thousands(rate)} requests/s meant, kept connections, ${rounds} rounds of ${seconds} s`,
    )
    say(report(shed, shedSamples, 'nginx return 429'))

    const digue = await bench.digue('digue', PAGES_OPEN)
    const page = Math.round((await flood(digue.peer.port, rate, 3)).bytes)
    const pages: Contender[] = [
      await bench.nginx(BARE, 'return 503;'),
      await bench.nginx(SAME_SIZE, `default_type text/html; ${returnPage(page)}`),
      digue,
    ]
    const pageSamples = await inTurns(pages, rounds, (one) => underFlood(one, rate, seconds))
    say(`\nchallenge pages: the same load, ${thousands(page)} bytes per answer`)
    say(report(pages, pageSamples, SAME_SIZE))

    const results = { shed: Object.fromEntries(shedSamples), pages: Object.fromEntries(pageSamples) }
    if (chosen.flag('json')) process.stdout.write(`${JSON.stringify(results)}\n`)
    if (!chosen.flag('no-keep')) keep('reject', { bench: 'reject', rounds, seconds, rate, ...results })
  } finally {
    await bench.stop()
    origin.stop()
  }
})

/** nginx takes no parameter longer than 4 kB, but variables in it. */
function returnPage(bytes: number): string {
  const piece = 'p'.repeat(1000)
  return `set $p "${piece}"; return 503 "${'${p}'.repeat(bytes / 1000)}${'p'.repeat(bytes % 1000)}";`
}

interface Flooded {
  readonly statuses: Readonly<Record<string, number>>
  readonly answered: number
  /** Read per answer. */
  readonly bytes: number
}

async function flood(port: number, perSecond: number, seconds: number): Promise<Flooded> {
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
    const { answers, bytesReceived } = await result
    let answered = 0
    for (const [status, n] of Object.entries(answers)) if (status !== 'none') answered += n
    return { statuses: answers, answered, bytes: bytesReceived / Math.max(1, answered) }
  } finally {
    await child.stop()
  }
}

async function underFlood(one: Contender, rate: number, seconds: number): Promise<Sample> {
  let flooded: Flooded | undefined
  const cpuUs = await cpuPer(one, async () => (flooded = await flood(one.peer.port, rate, seconds)).answered)
  const { statuses, answered, bytes } = flooded!
  if (!(answered > 0)) throw new BenchError('BENCH_NO_ANSWERS', `${one.name} answered nothing`)
  return { cpuUs, perSecond: answered / seconds, bytes, statuses }
}

function report(up: readonly Contender[], results: Map<string, Sample[]>, floor: string): string {
  const cpu = (name: string) => results.get(name)!.map((sample) => sample.cpuUs)
  return table(
    ['', 'CPU per answer', 'bytes', 'answers/s seen', `per core, ${floor} = 1`, 'answers'],
    up.map(({ name }) => {
      const statuses: Record<string, number> = {}
      for (const sample of results.get(name)!)
        for (const [status, n] of Object.entries(sample.statuses))
          statuses[status] = (statuses[status] ?? 0) + n
      return [
        name,
        `${median(cpu(name)).toFixed(1)} µs`,
        thousands(median(results.get(name)!.map((s) => s.bytes))),
        thousands(median(results.get(name)!.map((s) => s.perSecond))),
        ratio(cpu(floor), cpu(name)).text,
        Object.entries(statuses)
          .map(([status, n]) => `${status}: ${thousands(n)}`)
          .join(', '),
      ]
    }),
  )
}
