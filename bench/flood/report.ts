/** The tables of the flood bench. */
import { median, requestsToShow } from '../lib/stats.ts'
import { megabytes, ms, percent, table, thousands } from '../lib/table.ts'
import { bottleneck } from './bottleneck.ts'
import type { RunRecord } from './run.ts'
import type { Goal, Scenario } from './scenario.ts'

export function share(record: RunRecord): number {
  return record.settled.served / Math.max(1, record.settled.asked)
}

/** One scenario: the servers, those of their visitors who come in cohorts, and what became of Digue's goals. */
export function report(scenario: Scenario, shown: readonly RunRecord[], every: readonly RunRecord[]): string {
  const lines = [servers(shown, every)]
  if (scenario.group !== 'fairness') lines.push('', cohorts(shown))
  for (const r of shown) {
    const notes = remarks(scenario, r)
    if (notes.length > 0) lines.push(`  ${r.peer}: ${notes.join('; ')}`)
  }
  const digue = every.filter((r) => r.peer === 'digue')
  if (digue.length > 0) for (const goal of scenario.goals) lines.push(verdict(scenario, goal, digue))
  if (scenario.name === 'calm')
    lines.push(
      `  median p50 ${shown.map((r) => `${r.peer} ${ms(median([r.settled.p50Ms]))}`).join(', ')}; for added latency see bench:proxy`,
    )
  return lines.join('\n')
}

function servers(shown: readonly RunRecord[], every: readonly RunRecord[]): string {
  const rows = shown.map((r) => {
    const shares = every.filter((e) => e.peer === r.peer && e.setting === r.setting).map(share)
    const spread =
      shares.length > 1 ? ` (${percent(Math.min(...shares))}–${percent(Math.max(...shares))})` : ''
    const sent = r.attacks.reduce((sum, a) => sum + a.sent / Math.max(1, a.seconds), 0)
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
      r.attacks.length > 0 ? `${thousands(sent)}/s` : '–',
      bytes(r.bytesPerRequest),
      bytes(r.bytesPerRefusal),
    ]
  })
  return table(
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
      'answered with',
      'no page',
    ],
    rows,
  )
}

const bytes = (n: number | null) => (n === null ? '–' : `${thousands(n)} B`)

function cohorts(shown: readonly RunRecord[]): string {
  const rows = shown.flatMap((r) =>
    Object.entries(r.cohorts)
      .filter(([, tally]) => tally.asked > 0)
      .map(([name, tally], i) => {
        const calm = r.calmCohorts[name]
        return [
          i === 0 ? r.peer : '',
          name,
          percent(tally.served / tally.asked, 2),
          thousands(tally.asked),
          ms(tally.p50Ms),
          ms(tally.p99Ms),
          calm && calm.served > 0 ? `${(tally.p99Ms / calm.p99Ms).toFixed(1)} ×` : '–',
          worst(tally.fates, 2),
        ]
      }),
  )
  return table(['', 'cohort', 'served', 'n', 'p50', 'p99', 'of its calm', 'not served'], rows, 2)
}

function worst(fates: Readonly<Record<string, number>>, most: number): string {
  return Object.entries(fates)
    .filter(([fate]) => fate !== 'served')
    .sort((a, b) => b[1] - a[1])
    .slice(0, most)
    .map(([fate, n]) => `${fate} ${n}`)
    .join(', ')
}

function remarks(scenario: Scenario, r: RunRecord): string[] {
  const notes: string[] = []
  const names = Object.keys(r.cohorts).filter((c) => r.cohorts[c]!.asked > 0)
  if (names.length > 1 && scenario.group === 'fairness')
    notes.push(
      names
        .map(
          (c) => `${c} ${percent(r.cohorts[c]!.served / r.cohorts[c]!.asked, 2)} (n=${r.cohorts[c]!.asked})`,
        )
        .join(', '),
    )
  const unserved = worst(r.settled.fates, 4)
  if (unserved) notes.push(`not served: ${unserved}`)
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
  const { paid, help } = r.payments
  if (paid + help > 0) notes.push(`visitors paid ${paid} times${help > 0 ? `, gave up ${help} times` : ''}`)
  for (const attack of r.attacks) {
    const deeds = Object.entries(attack.deeds)
      .filter(([, n]) => n > 0)
      .map(([deed, n]) => `${deed} ${thousands(n)}`)
    if (deeds.length > 0) notes.push(`attackers: ${deeds.join(', ')}`)
    if (attack.sent < 0.95 * attack.wanted)
      notes.push(
        `the flood was thinner than meant: ${thousands(attack.sent)} of ${thousands(attack.wanted)} sent`,
      )
  }
  notes.push(...bottleneck(r))
  if (r.stolenShare > 0.03)
    notes.push(`the host took ${percent(r.stolenShare, 0)} of the cores away meanwhile`)
  return notes
}

/** A share is judged over all runs together, the rest by the median of the runs. */
function verdict(scenario: Scenario, goal: Goal, runs: readonly RunRecord[]): string {
  const line = (what: string, isMet: boolean, got: string) =>
    `  goal: ${what}: ${isMet ? 'met' : 'missed'} (${got})`
  if ('bytesPerRefusal' in goal) {
    const got = median(runs.map((r) => r.bytesPerRefusal ?? Number.NaN))
    return line(
      `fewer than ${goal.bytesPerRefusal} bytes per attack request that gets no page`,
      got < goal.bytesPerRefusal,
      `${Math.round(got)}`,
    )
  }
  if ('p99OfCalm' in goal) {
    const got = median(
      runs.map((r) => (r.cohorts[goal.cohort]?.p99Ms ?? NaN) / (r.calmCohorts[goal.cohort]?.p99Ms ?? NaN)),
    )
    return line(`${goal.cohort} p99 ≤ ${goal.p99OfCalm} × calm`, got <= goal.p99OfCalm, `${got.toFixed(1)} ×`)
  }
  const tallies = runs.map((r) => (goal.cohort ? r.cohorts[goal.cohort] : r.settled))
  const asked = tallies.reduce((sum, t) => sum + (t?.asked ?? 0), 0)
  const got = tallies.reduce((sum, t) => sum + (t?.served ?? 0), 0) / Math.max(1, asked)
  const needed = requestsToShow(goal.served)
  const what = `${goal.cohort ?? 'visitors'} ≥ ${percent(goal.served, 2)} served${scenario.fromOnset ? '' : ' from the second second on'}`
  if (got >= goal.served && asked < needed)
    return `  goal: ${what}: met so far, but ${thousands(needed)} requests are needed to show it (${percent(got, 2)}, n=${asked})`
  return line(what, got >= goal.served, `${percent(got, 2)}, n=${asked}`)
}

/** From which size on fewer than half of the visitors are served, by whose networks and by server. */
export function farmSummary(scenarios: readonly Scenario[], records: readonly RunRecord[]): string {
  const farms = scenarios.filter((s) => s.farm)
  const rows: string[][] = []
  for (const from of new Set(farms.map((s) => s.farm!.from)))
    for (const peer of new Set(records.map((r) => r.peer))) {
      const sizes = farms
        .filter((s) => s.farm!.from === from)
        .flatMap((s) => {
          const shares = records.filter((r) => r.scenario === s.name && r.peer === peer).map(share)
          return shares.length > 0 ? [{ cores: s.farm!.cores, share: median(shares) }] : []
        })
        .sort((a, b) => a.cores - b.cores)
      if (sizes.length === 0) continue
      const below = sizes.find((size) => size.share < 0.5)
      rows.push([
        from,
        peer,
        sizes.map((size) => `${size.cores}: ${percent(size.share)}`).join('   '),
        below ? `${below.cores} cores` : `not up to ${sizes.at(-1)!.cores} cores`,
      ])
    }
  if (rows.length === 0) return ''
  return table(["farm's networks", '', 'cores: visitors served', 'below half from'], rows, 4)
}
