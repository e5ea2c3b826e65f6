/**
 * What does a TLS handshake cost, against nginx? CPU per new and per resumed connection (openssl
 * s_time, TLS 1.3, the same P-256 certificate), each with one small request.
 */
import { once } from 'node:events'
import { main, options } from './lib/options.ts'
import { type Contender, cpuPer, inTurns, ratio, withPeers } from './lib/paired.ts'
import { BenchError, Child, CORES, need, provide } from './lib/processes.ts'
import { keep } from './lib/runs.ts'
import { median } from './lib/stats.ts'
import { table, thousands } from './lib/table.ts'
import { startConstantOrigin } from './origin/constant.ts'
import { digue } from './peers/digue.ts'
import { plainNginx } from './peers/nginx.ts'

const WAYS = ['new', 'reuse'] as const

await main(async () => {
  const chosen = options(
    'Usage: npm run bench:tls -- [options]\n\nAbout 2 minutes; --quick about 30 seconds.',
    {
      runs: { value: 'N', help: 'Rounds. Default 7.' },
      seconds: { value: 'N', help: 'Length of one measurement. Default 4.' },
      quick: { help: '3 rounds of 2 s.' },
      json: { help: 'Print raw results.' },
      'no-keep': { help: 'Do not write bench/runs/.' },
    },
  )
  const rounds = Math.min(50, chosen.number('runs', chosen.flag('quick') ? 3 : 7))
  const seconds = Math.min(60, chosen.number('seconds', chosen.flag('quick') ? 2 : 4))
  await provide({ nginx: 'nginx-light', openssl: 'openssl' })
  const say = (text: string) => chosen.flag('json') || process.stdout.write(`${text}\n`)
  say(
    CORES
      ? `Servers on core ${CORES.server}, one measured at a time; client and origin on core ${CORES.load}.`
      : 'Nothing is pinned here.',
  )
  const origin = await startConstantOrigin(200)
  const raw: Record<string, unknown> = {}
  try {
    await withPeers([plainNginx, digue], { originPort: origin.port }, async (up) => {
      for (const way of WAYS) {
        const results = await inTurns(up, rounds, (one) => cpuPer(one, () => handshakes(one, way, seconds)))
        raw[way] = Object.fromEntries(results)
        say(`\n${way === 'new' ? 'full handshakes' : 'resumed by ticket'}, ${rounds} rounds of ${seconds} s`)
        say(
          table(
            ['', 'CPU per connection', 'per core and second', 'nginx = 1'],
            up.map(({ name }) => {
              const cpu = results.get(name)!
              return [
                name,
                `${median(cpu).toFixed(0)} µs`,
                thousands(1e6 / median(cpu)),
                ratio(results.get('nginx')!, cpu).text,
              ]
            }),
          ),
        )
      }
    })
  } finally {
    await origin.stop()
  }
  if (chosen.flag('json')) process.stdout.write(`${JSON.stringify(raw)}\n`)
  if (!chosen.flag('no-keep')) keep('tls', { bench: 'tls', rounds, seconds, ...raw })
})

async function handshakes(one: Contender, way: (typeof WAYS)[number], seconds: number): Promise<number> {
  const child = new Child(
    'openssl',
    [
      need('openssl'),
      's_time',
      '-connect',
      `127.0.0.1:${one.peer.tlsPort}`,
      `-${way}`,
      '-time',
      String(seconds),
      '-www',
      '/',
    ],
    { core: CORES?.load },
  )
  await once(child.process, 'close')
  // "1234 connections in 1.02s; …" counts by CPU time, the second line by the clock; the number is the same.
  const count = Number(/(\d+) connections in \d+ real seconds/.exec(child.output)?.[1] ?? 0)
  if (!(count > 0))
    throw new BenchError(
      'BENCH_TOOL_FAILED',
      `${one.name}: openssl s_time -${way} made no connection\n${child.output}`,
    )
  return count
}
