/**
 * How fast does `digue replay` read an access log, and does its memory grow with it? The same made-up log through
 * Digue and through Debian's GoAccess, one after the other on the same core, both writing an HTML page.
 */
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { main, options } from './lib/options.ts'
import { BenchError, Child, CORES, cpuMs, memory, need } from './lib/processes.ts'
import { keep } from './lib/runs.ts'
import { megabytes, table, thousands } from './lib/table.ts'
import { type Written, writeLog } from './replay-log.ts'

const GOAL_PER_SECOND = 300_000
const DIGUE = new URL('../src/cli/main.ts', import.meta.url).pathname

const USAGE = `Usage: npm run bench:replay -- [options]

Some minutes. Lines per CPU second leave out that other programs may run on the core; lines per second do not.`

interface Measured {
  readonly program: string
  readonly lines: number
  readonly seconds: number
  readonly cpuSeconds: number
  readonly peakBytes: number
}

async function measure(program: string, command: readonly string[], lines: number): Promise<Measured> {
  const start = performance.now()
  const child = new Child(program, command, { core: CORES?.server })
  let cpu = 0
  let peakBytes = 0
  const look = () => {
    const { pid } = child.process
    if (pid === undefined || child.exited) return
    cpu = Math.max(cpu, cpuMs([pid]))
    peakBytes = Math.max(peakBytes, memory([pid]).peak)
  }
  const timer = setInterval(look, 50)
  const [code] = (await once(child.process, 'close')) as [number | null]
  clearInterval(timer)
  if (code !== 0) throw new BenchError('BENCH_TOOL_FAILED', `${program}: exit ${code}\n${child.output}`)
  return { program, lines, seconds: (performance.now() - start) / 1000, cpuSeconds: cpu / 1000, peakBytes }
}

await main(async () => {
  const chosen = options(USAGE, {
    lines: {
      value: 'N',
      many: true,
      help: 'Lines in a log; several for how memory grows. Default 250000,2000000.',
    },
    runs: { value: 'N', help: 'Runs of each, in turns. Default 3.' },
    json: { help: 'Print raw results.' },
    'no-keep': { help: 'Do not write bench/runs/.' },
  })
  const sizes = chosen.list('lines').map(Number)
  if (sizes.length === 0) sizes.push(250_000, 2_000_000)
  if (sizes.some((size) => !(size >= 10_000 && size <= 100e6)))
    throw new BenchError('BENCH_OPTION', '--lines: expected 10,000 to 100,000,000')
  const runs = Math.min(20, chosen.number('runs', 3))
  const goaccess = need('goaccess', 'goaccess')
  const say = (text: string) => chosen.flag('json') || process.stdout.write(`${text}\n`)
  const folder = await mkdtemp(join(tmpdir(), 'digue-bench-'))
  const results: Measured[] = []
  const logs: Written[] = []
  try {
    for (const size of sizes) {
      const file = join(folder, 'access.log')
      const log = await writeLog(file, { lines: size, seed: 1 })
      logs.push(log)
      say(`${thousands(log.lines)} lines, ${megabytes(statSync(file).size)}`)
      const page = join(folder, 'page.html')
      for (let run = 0; run < runs; run++)
        results.push(
          await measure(
            'digue',
            [process.execPath, '-C', 'source', DIGUE, 'replay', file, '--html', page, '--no-progress'],
            log.lines,
          ),
          await measure(
            'goaccess',
            [goaccess, file, '--log-format=COMBINED', '--no-global-config', '--no-progress', '-o', page],
            log.lines,
          ),
        )
      await rm(file)
    }
    const rows = [...Map.groupBy(results, ({ program, lines }) => `${program} ${lines}`).values()].map(
      (of) => {
        const best = of.toSorted((a, b) => a.cpuSeconds - b.cpuSeconds)[of.length >> 1]!
        return [
          best.program,
          thousands(best.lines),
          thousands(best.lines / best.seconds),
          thousands(best.lines / best.cpuSeconds),
          `${thousands(Math.min(...of.map((one) => one.lines / one.cpuSeconds)))}–${thousands(Math.max(...of.map((one) => one.lines / one.cpuSeconds)))}`,
          megabytes(Math.max(...of.map(({ peakBytes }) => peakBytes))),
        ]
      },
    )
    say(`\n${table(['', 'lines', 'lines/s', 'lines/CPU s', 'spread', 'peak memory'], rows)}`)
    const digue = results.filter(({ program, lines }) => program === 'digue' && lines >= 1e6)
    if (digue.length > 0) {
      const rates = digue.map((one) => one.lines / one.cpuSeconds).sort((a, b) => a - b)
      const median = rates[rates.length >> 1]!
      say(
        `goal: ${thousands(GOAL_PER_SECOND)} lines per second on one core, ${median >= GOAL_PER_SECOND ? 'met' : 'missed'}`,
      )
    }
    if (chosen.flag('json')) process.stdout.write(`${JSON.stringify({ results, logs })}\n`)
    if (!chosen.flag('no-keep')) keep('replay', { bench: 'replay', goal: GOAL_PER_SECOND, results, logs })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
