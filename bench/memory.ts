/**
 * Does memory grow with the number of attackers? One million distinct addresses in five minutes, each
 * seen once, named in X-Forwarded-For by a proxy that Digue trusts; the site is flooded all the while.
 */
import { main, options } from './lib/options.ts'
import { makePlace, removeFolder } from './lib/place.ts'
import { Child, CORES, cpuMs, memory } from './lib/processes.ts'
import { keep } from './lib/runs.ts'
import { megabytes, percent, thousands } from './lib/table.ts'
import type { AttackPlan, AttackResult } from './load/plan.ts'
import { LOAD_PROCESS } from './load/process.ts'
import { startOrigin, USUAL_ORIGIN } from './origin/origin.ts'
import { startDigue } from './peers/digue.ts'

const ADDRESSES = 1_000_000
const FULL_S = 300
const GOAL_BYTES = 256e6
/** Of the proxy. Requests wait in line on them, so fewer would hold the flood back before Digue sees it. */
const CONNECTIONS = 2000

const USAGE = `Usage: npm run bench:memory -- [options]

Takes five minutes. With --seconds 60 the same rate (3,333 new addresses per second) for one minute:
200,000 addresses, enough to see a trend.`

await main(async () => {
  const chosen = options(USAGE, {
    seconds: { value: 'N', help: `Length. Default ${FULL_S}.` },
    json: { help: 'Print raw results.' },
    'no-keep': { help: 'Do not write bench/runs/.' },
  })
  const seconds = Math.min(600, chosen.number('seconds', FULL_S))
  const say = (text: string) => chosen.flag('json') || process.stdout.write(`${text}\n`)
  const origin = await startOrigin(USUAL_ORIGIN)
  const place = await makePlace({ originPort: origin.port, forwardedFor: true })
  const digue = await startDigue({ ...place, tlsPort: 0 }, { label: '', settings: {} })
  const child = new Child('attackers', LOAD_PROCESS, {
    core: CORES?.load,
    ipc: true,
  })
  try {
    await child.message('ready')
    const plan: AttackPlan = {
      role: 'attackers',
      target: {
        address: '127.0.0.1',
        port: digue.port,
        tlsPort: 0,
        host: 'bench.example.org',
        forwardedFor: true,
      },
      seed: 8,
      startAtMs: Date.now() + 500,
      fromS: 0,
      untilS: seconds,
      // Whom the proxy speaks for is new each time.
      sources: new Array<string>(CONNECTIONS).fill('127.0.0.1'),
      eachNew: true,
      perSecond: ADDRESSES / FULL_S,
      connection: 'keep',
      tls: false,
      finishShare: 1,
      path: 'page',
      patienceMs: 10_000,
      maxConnections: CONNECTIONS,
    }
    const result = child.message<AttackResult>('result')
    child.send(plan)
    say(
      `${thousands((ADDRESSES / FULL_S) * seconds)} addresses in ${seconds} s through one trusted proxy, ${CORES ? `Digue on core ${CORES.server}` : 'not pinned'}.`,
    )
    const series: { s: number; rss: number }[] = []
    const start = performance.now()
    const cpuBefore = cpuMs(digue.pids())
    const every = Math.max(1, Math.round(seconds / 10))
    const timer = setInterval(() => {
      const s = Math.round((performance.now() - start) / 1000)
      const { rss } = memory(digue.pids())
      series.push({ s, rss })
      if (s % every === 0) say(`  ${String(s).padStart(4)} s  ${megabytes(rss)}`)
    }, 1000)
    const attack = await result
    clearInterval(timer)
    const cpuShare = (cpuMs(digue.pids()) - cpuBefore) / (performance.now() - start)
    const { peak } = memory(digue.pids())
    const met = peak < GOAL_BYTES
    say(
      `\n${thousands(attack.sent)} addresses asked once each; answers: ${Object.entries(attack.answers)
        .map(([status, n]) => `${status}: ${thousands(n)}`)
        .join(', ')}`,
    )
    say(
      `peak resident memory ${megabytes(peak)} (goal: below ${megabytes(GOAL_BYTES)}, ${met ? 'met' : 'missed'}), CPU ${percent(cpuShare, 0)} of a core`,
    )
    if (attack.sent < 0.95 * attack.wanted)
      say(`the load was thinner than meant: ${thousands(attack.sent)} of ${thousands(attack.wanted)}`)
    if (chosen.flag('json')) process.stdout.write(`${JSON.stringify({ peak, series, attack, cpuShare })}\n`)
    if (!chosen.flag('no-keep'))
      keep('memory', { bench: 'memory', seconds, peak, goal: GOAL_BYTES, cpuShare, attack, series })
  } finally {
    await child.stop()
    await digue.stop()
    origin.stop()
    removeFolder(place.folder)
  }
})
