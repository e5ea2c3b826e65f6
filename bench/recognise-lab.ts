/**
 * Does Digue know a flood by its handwriting, how soon, whom does it take for one wrongly, and what does that cost?
 * Labelled traffic of real clients, of visitors who write as real clients were recorded to, and of floods; on loopback only.
 */
import { main, options } from './lib/options.ts'
import { BenchError, CORES, provide } from './lib/processes.ts'
import { keep } from './lib/runs.ts'
import { inEdge, inProcess } from './recognise-lab/cost.ts'
import { FLOODS, type Flood } from './recognise-lab/floods.ts'
import { replayedLog } from './recognise-lab/old-log.ts'
import {
  calmReport,
  costReport,
  goals,
  type LabResults,
  liveReport,
  virtualReport,
} from './recognise-lab/report.ts'
import { type LabOptions, runFlood, type Timing } from './recognise-lab/run.ts'
import { calmDays, virtualFlood } from './recognise-lab/virtual.ts'

/** Digue learns calm weather five seconds late. */
const FULL: Timing = { calmS: 20, floodS: 30 }
const QUICK: Timing = { calmS: 12, floodS: 7 }
const PARTS = ['virtual', 'log', 'cost', 'live'] as const

const USAGE = `Usage: npm run bench:recognise -- [options]

Parts
  virtual                What the floods send, through the deciders in virtual time; a day of calm weather, mined.
  log                    An old access log through \`digue replay\`.
  cost                   CPU per request and per TLS connection of reading traits and finding signatures.
  live                   Each flood before Digue, in real time, with real clients among the visitors.

Floods
${FLOODS.map(({ name, question }) => `  ${name.padEnd(22)} ${question}`).join('\n')}

All of it takes 12 min, --quick 4 min.
Examples: --part live --flood rotating-agents, --part virtual --json`

await main(async () => {
  const chosen = options(USAGE, {
    part: { value: 'NAME', many: true, help: `Only this part: ${PARTS.join(', ')}.` },
    flood: { value: 'NAME', many: true, help: 'Only this flood (may be given several times, or a,b).' },
    quick: { help: 'Short phases, a thinner day.' },
    scale: {
      value: 'SHARE',
      help: 'Less of everything live, origin too: 0.2 is a fifth, for a slow or busy machine. Default 1.',
    },
    json: { help: 'Print raw results instead of tables.' },
    'no-keep': { help: 'Do not write bench/runs/.' },
  })
  const parts = named(PARTS, chosen.list('part'), (part) => part, 'part')
  const floods = named(FLOODS, chosen.list('flood'), ({ name }) => name, 'flood')
  const isQuick = chosen.flag('quick')
  const scale = Math.min(1, chosen.number('scale', 1))
  const usual = isQuick ? QUICK : FULL
  // Fewer visitors take longer to show what they look like.
  const timing = { ...usual, calmS: Math.min(60, Math.ceil(usual.calmS / scale)) }
  const quiet = chosen.flag('json')
  const say = (text: string) => {
    show('')
    if (!quiet) process.stdout.write(`${text}\n`)
  }
  const results: LabResults = { timing, scale, days: [], virtual: [], live: [] }
  // Written after each step: minutes of results are not lost to the last one.
  const keepSoFar = () => chosen.flag('no-keep') || keep('recognise', { bench: 'recognise', ...results })

  if (parts.includes('virtual')) {
    for (const secure of [false, true]) {
      if (!floods.some((flood) => (flood.tls ?? false) === secure)) continue
      const { day, state } = calmDays(secure, isQuick ? 'quick' : 'full', (hour) =>
        show(`a calm day over ${secure ? 'HTTPS' : 'HTTP'} · hour ${hour}/48`),
      )
      results.days.push(day)
      for (const flood of floods.filter(({ tls }) => (tls ?? false) === secure)) {
        show(`virtual · ${flood.name}`)
        results.virtual.push(virtualFlood(flood, state, flood.changes ? 90 : 30))
      }
    }
    say(`In virtual time\n${virtualReport(results.virtual)}\n\n${calmReport(results.days)}`)
    keepSoFar()
  }
  if (parts.includes('log')) {
    show('an old access log')
    results.log = await replayedLog(isQuick ? 200_000 : 1_000_000)
    say(`\n${calmReport([], results.log)}`)
    keepSoFar()
  }
  if (parts.includes('cost')) {
    show('what traits cost')
    await provide({ wrk: 'wrk', nginx: 'nginx-light' })
    results.cost = inProcess()
    results.edge = await inEdge(isQuick ? 5 : 15, isQuick ? 1 : 2)
    say(`\n${costReport(results.cost, results.edge)}`)
    keepSoFar()
  }
  if (parts.includes('live')) {
    say(
      CORES
        ? `\nDigue on core ${CORES.server}; origin, visitors and attackers on core ${CORES.load}.`
        : '\nNothing is pinned here (no taskset, or one core).',
    )
    for (const flood of floods) {
      const at = flood.changes ? { ...timing, floodS: timing.floodS * flood.changes } : timing
      say(`${flood.name}: ${flood.question}`)
      results.live.push(await runFlood(flood, { timing: at, scale, onProgress: progress(flood, at) }))
      keepSoFar()
    }
    say(`\n${liveReport(results.live)}`)
  }
  if (quiet) process.stdout.write(`${JSON.stringify(results)}\n`)
  else say(`\n${goals(results).join('\n')}`)
})

function named<T>(all: readonly T[], names: readonly string[], of: (one: T) => string, what: string): T[] {
  for (const name of names)
    if (!all.some((one) => of(one) === name))
      throw new BenchError('BENCH_OPTION', `--${what}: unknown "${name}"; try --help`)
  return all.filter((one) => names.length === 0 || names.includes(of(one)))
}

function progress(flood: Flood, timing: Timing): LabOptions['onProgress'] {
  return ({ second, arrived, served, attackSent }) => {
    const phase = second < timing.calmS ? 'calm' : 'flood'
    const of = timing.calmS + timing.floodS
    show(
      `${flood.name} · ${phase} ${second.toFixed(0)}/${of} s · visitors ${served}/${arrived} per s · attack ${attackSent}/s`,
    )
  }
}

/** A line that the next one takes the place of. */
function show(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${text && `  ${text}`}`)
}
