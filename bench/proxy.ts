/**
 * How many proxied requests does one core do, against nginx and Caddy, and what latency is added?
 * CPU per request from /proc (all threads), in paired, alternating rounds against a constant-time origin.
 */
import { join } from 'node:path'
import { main, options } from './lib/options.ts'
import { type Contender, cpuPer, inTurns, ratio, withPeers } from './lib/paired.ts'
import { BenchError, Child, CORES, provide } from './lib/processes.ts'
import { keep } from './lib/runs.ts'
import { median, medianInterval, quantile } from './lib/stats.ts'
import { table, thousands } from './lib/table.ts'
import { h2load, type ToolResult, wrk } from './lib/tools.ts'
import type { PingPlan, PingResult } from './load/pinger.ts'
import { startConstantOrigin } from './origin/constant.ts'
import { caddy } from './peers/caddy.ts'
import { digue } from './peers/digue.ts'
import { plainNginx } from './peers/nginx.ts'

const PEERS = [plainNginx, caddy, digue]

/**
 * Few enough not to be a flood by themselves: all come from one address, and a client that keeps 64
 * requests going without pause is what Digue is there to hold back.
 */
const CONNECTIONS = 16

const WAYS: Record<string, (peer: Contender['peer'], seconds: number) => Promise<ToolResult>> = {
  http: (peer, seconds) => wrk(`http://127.0.0.1:${peer.port}/`, seconds, CONNECTIONS),
  https: (peer, seconds) => wrk(`https://127.0.0.1:${peer.tlsPort}/`, seconds, CONNECTIONS),
  h2: (peer, seconds) => h2load(`https://127.0.0.1:${peer.tlsPort}/`, seconds, 4, 4),
}

const USAGE = `Usage: npm run bench:proxy -- [options]

Full: about 8 minutes (3 ways × 9 rounds × 3 servers × 4 s, then latency). --quick: about 2.`

interface Sample {
  readonly cpuUs: number
  readonly perSecond: number
}

await main(async () => {
  const chosen = options(USAGE, {
    way: { value: 'NAME', many: true, help: 'Only http, https, h2 or latency.' },
    runs: { value: 'N', help: 'Rounds. Default 9.' },
    seconds: { value: 'N', help: 'Length of one measurement. Default 4.' },
    quick: { help: '3 rounds of 2 s.' },
    json: { help: 'Print raw results.' },
    'no-keep': { help: 'Do not write bench/runs/.' },
  })
  const ways = chosen.list('way')
  for (const way of ways)
    if (!(way in WAYS) && way !== 'latency') throw new BenchError('BENCH_OPTION', `--way: unknown "${way}"`)
  const rounds = Math.min(50, chosen.number('runs', chosen.flag('quick') ? 3 : 9))
  const seconds = Math.min(60, chosen.number('seconds', chosen.flag('quick') ? 2 : 4))
  await provide({ ...plainNginx.needs, ...caddy.needs, wrk: 'wrk', h2load: 'nghttp2-client' })
  const say = (text: string) => chosen.flag('json') || process.stdout.write(`${text}\n`)
  say(
    CORES
      ? `Servers on core ${CORES.server}, one measured at a time; client and origin (nginx, 2 kB) on core ${CORES.load}.`
      : 'Nothing is pinned here.',
  )
  const origin = await startConstantOrigin()
  const raw: Record<string, unknown> = {}
  try {
    await withPeers(PEERS, { originPort: origin.port }, async (up) => {
      for (const [way, run] of Object.entries(WAYS)) {
        if (ways.length > 0 && !ways.includes(way)) continue
        for (const one of up) await run(one.peer, 1)
        const results = await inTurns(up, rounds, async (one): Promise<Sample> => {
          let perSecond = 0
          const cpuUs = await cpuPer(one, async () => {
            const result = await run(one.peer, seconds)
            if (!(result.requests > 0) || result.bad > result.requests / 1000) {
              throw new BenchError(
                'BENCH_BAD_ANSWERS',
                `${one.name}, ${way}: ${result.bad} bad of ${result.requests} answers; a rate of errors is no rate`,
              )
            }
            perSecond = result.perSecond
            return result.requests
          })
          return { cpuUs, perSecond }
        })
        raw[way] = Object.fromEntries(results)
        say(
          `\n${way}: 2 kB, ${way === 'h2' ? '4 connections × 4 streams' : `${CONNECTIONS} kept connections`}, ${rounds} rounds of ${seconds} s`,
        )
        say(requestsTable(up, results))
      }
      if (ways.length === 0 || ways.includes('latency')) {
        const perSecond = 500
        const results = await inTurns(up, rounds, (one, round) =>
          pingOnce(one.peer.port, perSecond, seconds, round),
        )
        raw['latency'] = Object.fromEntries(
          [...results].map(([name, list]) => [
            name,
            list.map(({ p50, p99, n, bad }) => ({ p50, p99, n, bad })),
          ]),
        )
        say(`\nlatency: plain HTTP at ${perSecond} requests/s, ${rounds} alternating rounds of ${seconds} s`)
        say(latencyTable(up, results))
      }
    })
  } finally {
    await origin.stop()
  }
  if (chosen.flag('json')) process.stdout.write(`${JSON.stringify(raw)}\n`)
  if (!chosen.flag('no-keep')) keep('proxy', { bench: 'proxy', rounds, seconds, ...raw })
})

function requestsTable(up: readonly Contender[], results: Map<string, Sample[]>): string {
  const cpu = (name: string) => results.get(name)!.map((sample) => sample.cpuUs)
  return table(
    ['', 'CPU per request', 'requests/s seen', 'per core, nginx = 1', 'caddy = 1'],
    up.map(({ name }) => [
      name,
      `${median(cpu(name)).toFixed(1)} µs`,
      thousands(median(results.get(name)!.map((s) => s.perSecond))),
      ratio(cpu('nginx'), cpu(name)).text,
      ratio(cpu('caddy'), cpu(name)).text,
    ]),
  )
}

interface Pinged {
  readonly p50: number
  readonly p99: number
  readonly n: number
  readonly bad: number
}

async function pingOnce(port: number, perSecond: number, seconds: number, seed: number): Promise<Pinged> {
  const child = new Child('client', [process.execPath, join(import.meta.dirname, 'load/worker.ts')], {
    core: CORES?.load,
    ipc: true,
  })
  try {
    await child.message('ready')
    const plan: PingPlan = {
      role: 'ping',
      address: '127.0.0.1',
      port,
      host: 'bench.example.org',
      perSecond,
      seconds: seconds + 1,
      connections: 32,
      seed,
    }
    const result = child.message<PingResult>('result')
    child.send(plan)
    const { latencyMs, bad } = await result
    // The first second warms the client up.
    const warm = latencyMs.slice(perSecond)
    return { p50: quantile(warm, 0.5), p99: quantile(warm, 0.99), n: warm.length, bad }
  } finally {
    await child.stop()
  }
}

function latencyTable(up: readonly Contender[], results: Map<string, Pinged[]>): string {
  const added = (name: string, q: 'p50' | 'p99') => {
    const differences = results.get(name)!.map((one, i) => one[q] - results.get('nginx')![i]![q])
    const { low, high } = medianInterval(differences)
    return `${median(differences).toFixed(2)} ms (${low.toFixed(2)} to ${high.toFixed(2)})`
  }
  return table(
    ['', 'p50', 'p99', 'added to nginx, p50', 'added to nginx, p99', 'n', 'bad'],
    up.map(({ name }) => {
      const list = results.get(name)!
      return [
        name,
        `${median(list.map((one) => one.p50)).toFixed(2)} ms`,
        `${median(list.map((one) => one.p99)).toFixed(2)} ms`,
        added(name, 'p50'),
        added(name, 'p99'),
        thousands(list.reduce((sum, one) => sum + one.n, 0)),
        String(list.reduce((sum, one) => sum + one.bad, 0)),
      ]
    }),
  )
}
