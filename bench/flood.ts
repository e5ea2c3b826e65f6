/**
 * Who gets served in a flood? Visitors, attackers and a site of known capacity, on loopback only,
 * before Digue and its peers, in one run on the same cores.
 */

import { measureHandshakes } from './flood/handshakes.ts'
import { MITIGATION, MITIGATION_RUNS, measureMitigation } from './flood/mitigation.ts'
import { picture } from './flood/picture.ts'
import { farmSummary, report, share } from './flood/report.ts'
import { type Progress, type RunRecord, runOnce } from './flood/run.ts'
import { GROUPS, type Group, type Scenario, type Timing } from './flood/scenario.ts'
import { SCENARIOS } from './flood/scenarios.ts'
import { main, options } from './lib/options.ts'
import { BenchError, CORES, provide } from './lib/processes.ts'
import { keep } from './lib/runs.ts'
import { thousands } from './lib/table.ts'
import { digue, digueWithBaseline } from './peers/digue.ts'
import { haproxy } from './peers/haproxy.ts'
import { nginx } from './peers/nginx.ts'
import type { Peer, Variant } from './peers/peer.ts'
import { staticChallenge } from './peers/static-challenge.ts'
import { unprotected } from './peers/unprotected.ts'

const PEERS: readonly Peer[] = [unprotected, nginx, haproxy, staticChallenge, digue, digueWithBaseline]
const USUAL_PEERS = ['unprotected', 'nginx limit_req', 'haproxy', 'digue']
// Digue learns calm weather ten seconds after it was calm: shorter would test a Digue that knows nobody,
// which is what `late-start` is for.
const FULL: Timing = { calmS: 20, floodS: 30 }
const QUICK: Timing = { calmS: 15, floodS: 12 }
const SWEEP: Timing = { calmS: 2, floodS: 10 }

const ABOUT: Readonly<Record<Group, string>> = {
  fairness: 'who gets the origin’s time; 100 min, --quick 30 min',
  cohorts: 'do people get through and bots not; 60 min, --quick 25 min',
  farms: 'attackers who pay; 35 min, --quick 20 min',
}

const USAGE = `Usage: npm run bench:flood -- [options]

${GROUPS.map(
  (group) =>
    `Group ${group}: ${ABOUT[group]}\n${SCENARIOS.filter((s) => s.group === group)
      .map((s) => `  ${s.name.padEnd(23)} ${s.question}`)
      .join('\n')}`,
).join('\n\n')}

With --mitigation instead: ${MITIGATION_RUNS} short floods of cohorts before Digue, 9 min.
  ${MITIGATION.question}

One scenario takes a minute per server, up to three where people without JavaScript wait.`

await main(async () => {
  const chosen = options(USAGE, {
    group: { value: 'NAME', many: true, help: `Only these scenarios: ${GROUPS.join(', ')}.` },
    scenario: { value: 'NAME', many: true, help: 'Only this scenario (may be given several times, or a,b).' },
    peer: {
      value: 'NAME',
      many: true,
      help: 'Only peers whose name begins so: unprotected, nginx, haproxy, static, digue.',
    },
    mitigation: { help: 'Only the time until visitors are served again.' },
    runs: {
      value: 'N',
      help: `Full runs of each; the table shows the median by share served. Default 1, with --mitigation ${MITIGATION_RUNS}.`,
    },
    seconds: { value: 'N', help: `Length of the flood. Default ${FULL.floodS}.` },
    quick: { help: 'Short phases and no sweep.' },
    'no-sweep': { help: 'nginx and HAProxy with their first setting only.' },
    json: { help: 'Print raw results instead of tables.' },
    'no-keep': { help: 'Do not write bench/runs/.' },
    picture: { help: 'Draw docs/flood-bench.svg from the results of this run.' },
  })
  const groups = pickByName(GROUPS, chosen.list('group'), (g, name) => g === name, 'group')
  const scenarios = pickByName(
    SCENARIOS.filter((s) => groups.includes(s.group)),
    chosen.list('scenario'),
    (s, name) => s.name === name,
    'scenario',
  )
  const wanted = pickByName(PEERS, chosen.list('peer'), (p, name) => p.name.startsWith(name), 'peer')
  const base = chosen.flag('quick') ? QUICK : FULL
  const timing: Timing = { ...base, floodS: Math.min(600, chosen.number('seconds', base.floodS)) }
  const sweep = !chosen.flag('quick') && !chosen.flag('no-sweep')
  const runs = Math.min(20, chosen.number('runs', chosen.flag('mitigation') ? MITIGATION_RUNS : 1))
  const quiet = chosen.flag('json')
  const keeps = !chosen.flag('no-keep')
  const say = (text: string) => {
    clearLine()
    return quiet || process.stdout.write(`${text}\n`)
  }

  say(
    CORES
      ? `Server under test on core ${CORES.server}; origin, visitors and attackers on core ${CORES.load}.`
      : 'Nothing is pinned here (no taskset, or one core): compare with care.',
  )
  if (chosen.flag('mitigation')) {
    say(`\n${MITIGATION.name}: ${MITIGATION.question}`)
    const records = await measureMitigation(digue, runs, say, (progress, at) =>
      live(MITIGATION, digue, digue.variants[0]!, at)(progress),
    )
    if (keeps) keep('flood-mitigation', { bench: 'flood', records })
    if (quiet) process.stdout.write(`${JSON.stringify(records)}\n`)
    return
  }
  await provide(Object.assign({}, ...wanted.map((p) => p.needs)) as Record<string, string>)
  const handshakesPerSecond = scenarios.some((s) => s.attack?.tls) ? await measureHandshakes() : 0
  if (handshakesPerSecond)
    say(`One core does ${thousands(handshakesPerSecond)} new TLS handshakes per second with bare Node.`)

  const all: RunRecord[] = []
  for (const scenario of scenarios) {
    say(`\n${scenario.name}: ${scenario.question}`)
    const shown: RunRecord[] = []
    for (const peer of wanted.filter((p) => (scenario.peers ?? USUAL_PEERS).includes(p.name))) {
      const run = (variant: Variant, at: Timing, more: { seed?: number; mostDeadlineMs?: number } = {}) =>
        runOnce(scenario, peer, variant, {
          timing: at,
          handshakesPerSecond,
          ...more,
          onProgress: live(scenario, peer, variant, at),
        })
      let best = peer.variants.at(scenario.loose ? -1 : 0)!
      if (sweep && scenario.sweep && peer.variants.length > 1) {
        let most = -1
        for (const variant of peer.variants) {
          const tried = await run(variant, SWEEP, { mostDeadlineMs: 10_000 })
          if (share(tried) > most) [most, best] = [share(tried), variant]
        }
      }
      const records: RunRecord[] = []
      for (let i = 0; i < runs; i++) records.push(await run(best, timing, { seed: i + 1 }))
      all.push(...records)
      records.sort((a, b) => share(a) - share(b))
      shown.push(records[Math.floor((records.length - 1) / 2)]!)
    }
    const every = all.filter((r) => r.scenario === scenario.name)
    if (shown.length > 0) say(report(scenario, shown, every))
    // Written after each scenario: an hour of results is not lost to the last one.
    if (keeps)
      keep(runName([...chosen.list('group'), ...chosen.list('scenario')]), {
        bench: 'flood',
        timing,
        handshakesPerSecond,
        records: all,
      })
  }
  const farms = farmSummary(scenarios, all)
  if (farms) say(`\n${farms}`)
  if (quiet) process.stdout.write(`${JSON.stringify(all)}\n`)
  if (chosen.flag('picture')) say(`Picture: ${picture(all)}`)
})

function runName(only: readonly string[]): string {
  return only.length === 0 ? 'flood' : `flood-${only.join('-').slice(0, 80)}`
}

function pickByName<T>(
  items: readonly T[],
  names: readonly string[],
  is: (item: T, name: string) => boolean,
  what: string,
): T[] {
  for (const name of names) {
    if (!items.some((item) => is(item, name)))
      throw new BenchError('BENCH_OPTION', `--${what}: unknown "${name}"; try --help`)
  }
  return names.length === 0 ? [...items] : items.filter((item) => names.some((name) => is(item, name)))
}

function live(scenario: Scenario, peer: Peer, variant: Variant, timing: Timing): (p: Progress) => void {
  if (!process.stderr.isTTY) return () => {}
  return (p) => {
    const phase = p.second < timing.calmS && !scenario.lateStart ? 'calm ' : 'flood'
    clearLine()
    process.stderr.write(
      `  ${peer.name} ${variant.label} · ${phase} ${p.second.toFixed(0)}/${timing.calmS + timing.floodS} s · visitors ${p.served}/${p.arrived} per s · attack ${p.attackSent}/s`,
    )
  }
}

function clearLine(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K')
}
