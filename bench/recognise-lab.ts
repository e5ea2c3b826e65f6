/**
 * Does Digue know a flood by its handwriting, how soon, and whom does it take for one wrongly? Labelled traffic of
 * real clients, of visitors who write as real clients were recorded to, and of floods; on loopback only.
 */

import { main, options } from './lib/options.ts'
import { BenchError, CORES } from './lib/processes.ts'
import { keep } from './lib/runs.ts'
import { FLOODS, type Flood } from './recognise-lab/floods.ts'
import { report } from './recognise-lab/report.ts'
import { type LabRecord, runFlood, type Timing } from './recognise-lab/run.ts'

const FULL: Timing = { calmS: 30, floodS: 30 }
const QUICK: Timing = { calmS: 15, floodS: 10 }
/** A flood that changes its handwriting does so after this share of the usual time. */

const USAGE = `Usage: npm run bench:recognise -- [options]

${FLOODS.map(({ name, question }) => `  ${name.padEnd(22)} ${question}`).join('\n')}`

await main(async () => {
  const chosen = options(USAGE, {
    flood: { value: 'NAME', many: true, help: 'Only this flood (may be given several times, or a,b).' },
    quick: { help: 'Short phases.' },
    json: { help: 'Print raw results instead of tables.' },
    'no-keep': { help: 'Do not write bench/runs/.' },
  })
  const names = chosen.list('flood')
  for (const name of names)
    if (!FLOODS.some((flood) => flood.name === name))
      throw new BenchError('BENCH_OPTION', `--flood: unknown "${name}"; try --help`)
  const floods = FLOODS.filter(({ name }) => names.length === 0 || names.includes(name))
  const timing = chosen.flag('quick') ? QUICK : FULL
  const quiet = chosen.flag('json')
  const say = (text: string) => {
    clearLine()
    if (!quiet) process.stdout.write(`${text}\n`)
  }
  say(
    CORES
      ? `Digue on core ${CORES.server}; origin, visitors and attackers on core ${CORES.load}.`
      : 'Nothing is pinned here (no taskset, or one core).',
  )
  const records: LabRecord[] = []
  for (const flood of floods) {
    say(`${flood.name}: ${flood.question}`)
    records.push(await runFlood(flood, timing, live(flood, timing)))
    if (!chosen.flag('no-keep')) keep('recognise', { bench: 'recognise', records })
  }
  if (quiet) process.stdout.write(`${JSON.stringify(records)}\n`)
  else say(`\n${report(records)}`)
})

function live(flood: Flood, timing: Timing): Parameters<typeof runFlood>[2] {
  if (!process.stderr.isTTY) return undefined
  return ({ second, arrived, served, attackSent }) => {
    const phase = second < timing.calmS ? 'calm' : 'flood'
    clearLine()
    process.stderr.write(
      `  ${flood.name} · ${phase} ${second.toFixed(0)}/${timing.calmS + timing.floodS} s · visitors ${served}/${arrived} per s · attack ${attackSent}/s`,
    )
  }
}

function clearLine(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K')
}
