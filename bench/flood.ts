/**
 * Who gets served in a flood? Visitors, attackers and a site of known capacity, on loopback only,
 * before Digue and its peers, in one run on the same cores.
 */

import { measureHandshakes } from './flood/handshakes.ts'
import { picture } from './flood/picture.ts'
import { type RunRecord, runOnce } from './flood/run.ts'
import { SCENARIOS, type Scenario, type Timing } from './flood/scenarios.ts'
import { main, options } from './lib/options.ts'
import { BenchError, CORES, provide } from './lib/processes.ts'
import { keep } from './lib/runs.ts'
import { median, requestsToShow } from './lib/stats.ts'
import { megabytes, ms, percent, table, thousands } from './lib/table.ts'
import { digue, digueWithBaseline } from './peers/digue.ts'
import { haproxy } from './peers/haproxy.ts'
import { nginx } from './peers/nginx.ts'
import type { Peer, Variant } from './peers/peer.ts'
import { unprotected } from './peers/unprotected.ts'

const PEERS: readonly Peer[] = [unprotected, nginx, haproxy, digue, digueWithBaseline]
const USUAL_PEERS = ['unprotected', 'nginx limit_req', 'haproxy', 'digue']
// Digue learns calm weather ten seconds after it was calm: shorter would test a Digue that knows nobody,
// which is what `late-start` is for.
const FULL: Timing = { calmS: 20, floodS: 30 }
const QUICK: Timing = { calmS: 15, floodS: 12 }
const SWEEP: Timing = { calmS: 2, floodS: 10 }

const USAGE = `Usage: npm run bench:flood -- [options]

Scenarios
${SCENARIOS.map((s) => `  ${s.name.padEnd(15)} ${s.question}`).join('\n')}

Everything takes about 100 minutes; --quick about 30; one scenario with --quick about 2.`

await main(async () => {
  const chosen = options(USAGE, {
    scenario: { value: 'NAME', many: true, help: 'Only this scenario (may be given several times, or a,b).' },
    peer: {
      value: 'NAME',
      many: true,
      help: 'Only peers whose name begins so: unprotected, nginx, haproxy, digue.',
    },
    runs: { value: 'N', help: 'Full runs of each; the table shows the median by share served. Default 1.' },
    seconds: { value: 'N', help: `Length of the flood. Default ${FULL.floodS}.` },
    quick: { help: 'Short phases and no sweep.' },
    'no-sweep': { help: 'nginx and HAProxy with their first setting only.' },
    json: { help: 'Print raw results instead of tables.' },
    'no-keep': { help: 'Do not write bench/runs/.' },
    picture: { help: 'Draw docs/flood-bench.svg from the results of this run.' },
  })
  const scenarios = pickByName(SCENARIOS, chosen.list('scenario'), (s, name) => s.name === name, 'scenario')
  const wanted = pickByName(PEERS, chosen.list('peer'), (p, name) => p.name.startsWith(name), 'peer')
  const base = chosen.flag('quick') ? QUICK : FULL
  const timing: Timing = { ...base, floodS: Math.min(600, chosen.number('seconds', base.floodS)) }
  const sweep = !chosen.flag('quick') && !chosen.flag('no-sweep')
  const runs = Math.min(20, chosen.number('runs', 1))
  const quiet = chosen.flag('json')
  const say = (text: string) => quiet || process.stdout.write(`${text}\n`)

  await provide(Object.assign({}, ...wanted.map((p) => p.needs)) as Record<string, string>)
  say(
    CORES
      ? `Server under test on core ${CORES.server}; origin, visitors and attackers on core ${CORES.load}.`
      : 'Nothing is pinned here (no taskset, or one core): compare with care.',
  )
  const handshakesPerSecond = scenarios.some((s) => s.attack?.tls) ? await measureHandshakes() : 0
  if (handshakesPerSecond)
    say(`One core does ${thousands(handshakesPerSecond)} new TLS handshakes per second with bare Node.`)

  const all: RunRecord[] = []
  for (const scenario of scenarios) {
    say(`\n${scenario.name}: ${scenario.question}`)
    const shown: RunRecord[] = []
    for (const peer of wanted.filter((p) => (scenario.peers ?? USUAL_PEERS).includes(p.name))) {
      const run = (variant: Variant, at: Timing) =>
        runOnce(scenario, peer, variant, {
          timing: at,
          handshakesPerSecond,
          onProgress: live(scenario, peer, variant, at),
        })
      let best = peer.variants.at(scenario.loose ? -1 : 0)!
      if (sweep && scenario.sweep && peer.variants.length > 1) {
        let most = -1
        for (const variant of peer.variants) {
          const tried = await run(variant, SWEEP)
          const share = tried.settled.served / tried.settled.asked
          if (share > most) [most, best] = [share, variant]
        }
      }
      const records: RunRecord[] = []
      for (let i = 0; i < runs; i++) records.push(await run(best, timing))
      all.push(...records)
      records.sort((a, b) => share(a) - share(b))
      shown.push(records[Math.floor((records.length - 1) / 2)]!)
    }
    clearLine()
    say(
      report(
        scenario,
        shown,
        all.filter((r) => r.scenario === scenario.name),
      ),
    )
    // Written after each scenario: an hour of results is not lost to the last one.
    if (!chosen.flag('no-keep'))
      keep(runName(chosen.list('scenario')), { bench: 'flood', timing, handshakesPerSecond, records: all })
  }
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

function share(record: RunRecord): number {
  return record.settled.served / Math.max(1, record.settled.asked)
}

function live(scenario: Scenario, peer: Peer, variant: Variant, timing: Timing) {
  if (!process.stderr.isTTY) return () => {}
  return (p: { second: number; arrived: number; served: number; attackSent: number }) => {
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

function report(scenario: Scenario, shown: readonly RunRecord[], every: readonly RunRecord[]): string {
  const rows = shown.map((r) => {
    const shares = every.filter((e) => e.peer === r.peer && e.setting === r.setting).map(share)
    const spread =
      shares.length > 1 ? ` (${percent(Math.min(...shares))}–${percent(Math.max(...shares))})` : ''
    return [
      r.peer + (r.setting ? ` ${r.setting}` : ''),
      percent(share(r), 2) + spread,
      thousands(r.settled.asked),
      ms(r.settled.p50Ms),
      ms(r.settled.p99Ms),
      r.calm.asked > 0 ? `${(r.settled.p99Ms / r.calm.p99Ms).toFixed(1)} ×` : '–',
      percent(r.originShare),
      r.mitigatedS === null ? 'never' : `${r.mitigatedS} s`,
      r.peer === 'unprotected' ? '–' : percent(r.cpuShare, 0),
      megabytes(r.peakRss),
      r.attack ? `${thousands(r.attack.sent / Math.max(1, r.attack.seconds))}/s` : '–',
    ]
  })
  const lines = [
    table(
      [
        '',
        'visitors served',
        'n',
        'p50',
        'p99',
        'of calm',
        'origin time for visitors',
        'mitigated after',
        'CPU',
        'memory',
        'flood sent',
      ],
      rows,
    ),
  ]
  for (const r of shown) {
    const names = Object.keys(r.cohorts).filter((c) => r.cohorts[c]!.asked > 0)
    const notes: string[] = []
    if (names.length > 1)
      notes.push(
        names
          .map(
            (c) =>
              `${c} ${percent(r.cohorts[c]!.served / r.cohorts[c]!.asked, 2)} (n=${r.cohorts[c]!.asked})`,
          )
          .join(', '),
      )
    const fates = Object.entries(r.settled.fates)
      .filter(([fate]) => fate !== 'served')
      .sort((a, b) => b[1] - a[1])
    if (fates.length > 0)
      notes.push(
        `not served: ${fates
          .slice(0, 4)
          .map(([fate, n]) => `${fate} ${n}`)
          .join(', ')}`,
      )
    if (scenario.byCapacity)
      notes.push(
        `${percent(r.capacityShare)} of capacity to visitors, ${r.settled.refused} refused, fairness ${r.fairness.toFixed(3)}`,
      )
    if (scenario.slower)
      notes.push(`full throughput after ${r.recoveredS === null ? 'never' : `${r.recoveredS} s`}`)
    if (r.streams.wanted > 0)
      notes.push(
        `${r.streams.open}/${r.streams.wanted} streams open at the end, ${r.streams.events}/${r.streams.eventsWanted} events; ${r.downloads.whole} downloads whole, ${r.downloads.broken} broken`,
      )
    if (r.attack && r.attack.sent < 0.95 * r.attack.wanted)
      notes.push(
        `the flood was thinner than meant: ${thousands(r.attack.sent)} of ${thousands(r.attack.wanted)} sent`,
      )
    if (r.stolenShare > 0.03)
      notes.push(`the host took ${percent(r.stolenShare, 0)} of the cores away meanwhile`)
    if (notes.length > 0) lines.push(`  ${r.peer}: ${notes.join('; ')}`)
  }
  for (const goal of scenario.goals) {
    const r = shown.find((s) => s.peer === 'digue')
    const t = r && (goal.cohort ? r.cohorts[goal.cohort] : r.settled)
    if (!t) continue
    const got = t.served / Math.max(1, t.asked)
    const needed = requestsToShow(goal.served)
    const verdict =
      got < goal.served
        ? 'missed'
        : t.asked < needed
          ? `met so far, but ${thousands(needed)} requests are needed to show it`
          : 'met'
    lines.push(
      `  goal: ${goal.cohort ?? 'visitors'} ≥ ${percent(goal.served, 2)} served from the second second on: ${verdict} (${percent(got, 2)}, n=${t.asked})`,
    )
  }
  if (scenario.name === 'calm')
    lines.push(
      `  median p50 ${shown.map((r) => `${r.peer} ${ms(median([r.settled.p50Ms]))}`).join(', ')}; for added latency see bench:proxy`,
    )
  return lines.join('\n')
}
