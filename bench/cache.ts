/**
 * Does the cache keep the rules, and what does it bear? Five parts, each with its question, beside nginx
 * `proxy_cache` and Varnish from Debian: conformance, hits per core, a dead origin, cache-busting, and a
 * thousand simultaneous misses.
 */
import { collapse } from './cache/collapse.ts'
import { conformance } from './cache/conformance.ts'
import { hits } from './cache/hits.ts'
import { kill } from './cache/kill.ts'
import type { Part } from './cache/part.ts'
import { randomQuery } from './cache/random-query.ts'
import { main, options } from './lib/options.ts'
import { BenchError, CORES, provide } from './lib/processes.ts'
import { keep } from './lib/runs.ts'

const PARTS: readonly Part[] = [conformance, hits, kill, randomQuery, collapse]

const USAGE = `Usage: npm run bench:cache -- [options]

Full: about 22 minutes, of which hits take 13. --quick: about 8.

${PARTS.map((part) => `  ${part.name.padEnd(14)} ${part.question}`).join('\n')}`

await main(async () => {
  const chosen = options(USAGE, {
    part: { value: 'NAME', many: true, help: 'Only this part (may be given several times, or a,b).' },
    peer: { value: 'NAME', many: true, help: 'Only servers whose name begins so: nginx, varnish, digue.' },
    failed: { help: 'With conformance: the tests that Digue does not pass, and why.' },
    runs: { value: 'N', help: 'Rounds of hits. Default 9.' },
    seconds: { value: 'N', help: 'Length of one measurement of hits. Default 4.' },
    quick: { help: 'Fewer rounds and shorter phases.' },
    json: { help: 'Print raw results.' },
    'no-keep': { help: 'Do not write bench/runs/.' },
  })
  const names = chosen.list('part')
  for (const name of names)
    if (!PARTS.some((part) => part.name === name))
      throw new BenchError('BENCH_OPTION', `--part: unknown "${name}"; try --help`)
  const parts = PARTS.filter((part) => names.length === 0 || names.includes(part.name))
  const peers = chosen.list('peer')
  const say = (text: string) => chosen.flag('json') || process.stdout.write(`${text}\n`)
  await provide(Object.assign({}, ...parts.map((part) => part.needs)) as Record<string, string>)
  say(
    CORES
      ? `Servers on core ${CORES.server}; clients and origin on core ${CORES.load}.`
      : 'Nothing is pinned here.',
  )
  const raw: Record<string, object> = {}
  for (const part of parts) {
    say(`\n${part.name}: ${part.question}\n`)
    const results = await part.run({
      chosen,
      isQuick: chosen.flag('quick'),
      isWanted: ({ name }) => peers.length === 0 || peers.some((one) => name.startsWith(one)),
      say,
    })
    raw[part.name] = results
    // Each in its own file, written at once: one part may be run again without the others.
    if (!chosen.flag('no-keep')) keep(`cache-${part.name}`, { bench: 'cache', part: part.name, ...results })
  }
  if (chosen.flag('json')) process.stdout.write(`${JSON.stringify(raw)}\n`)
})
