/** The tables of the detection lab, and what became of its goals. */
import { median } from '../lib/stats.ts'
import { percent, table, thousands } from '../lib/table.ts'
import type { CostRow, EdgeCost } from './cost.ts'
import type { LogRecord } from './old-log.ts'
import type { LabRecord, Timing } from './run.ts'
import type { DayRecord, VirtualRecord } from './virtual.ts'

export interface LabResults {
  readonly timing: Timing
  readonly scale: number
  readonly days: DayRecord[]
  readonly virtual: VirtualRecord[]
  log?: LogRecord
  cost?: readonly CostRow[]
  edge?: EdgeCost
  readonly live: LabRecord[]
}

const MOST_SECONDS = 2
const MOST_WRONG = 0.001
const LEAST_CALM = 100

const seconds = (s: number | null) => (s === null ? 'never' : `${s.toFixed(1)} s`)
const share = (part: number, whole: number) => part / Math.max(1, whole)

export function liveReport(records: readonly LabRecord[]): string {
  const rows = records.map((r) => [
    r.flood,
    r.recognisedS.map(seconds).join(', ') || '–',
    r.attack ? percent(r.markedShare) : '–',
    r.attack ? percent(r.stoppedShare) : '–',
    percent(share(r.visitors.marked, r.visitors.seen), 2),
    thousands(r.visitors.seen),
    String(r.published.length),
    percent(share(r.served.served, r.served.asked), 2),
    r.attack ? `${thousands(r.attack.sent / Math.max(1, r.attack.seconds))}/s` : '–',
    percent(r.cpuShare, 0),
  ])
  const head = [
    '',
    'recognised after',
    'flood under one',
    'stopped before',
    'visitors wrongly',
    'n',
    'signatures',
  ]
  return [
    table([...head, 'visitors served', 'flood sent', 'CPU'], rows),
    ...records.flatMap((r) => [...reasons(r), ...remarks(r)]),
  ].join('\n')
}

export function virtualReport(records: readonly VirtualRecord[]): string {
  const rows = records.map((r) => [
    r.flood,
    r.recognisedS.map(seconds).join(', ') || '–',
    r.recognisedS.length > 0 ? percent(r.markedShare) : '–',
    percent(share(r.visitors.marked, r.visitors.seen), 2),
    thousands(r.visitors.seen),
    String(r.published.length),
  ])
  return [
    table(['', 'recognised after', 'flood under one', 'visitors wrongly', 'n', 'signatures'], rows),
    ...records.flatMap(reasons),
  ].join('\n')
}

function reasons(r: LabRecord | VirtualRecord): string[] {
  return r.published.map(({ id, reason, afterS }) => `  ${r.flood}: ${afterS.toFixed(1)} s ${id} ${reason}`)
}

function remarks(r: LabRecord): string[] {
  const lines: string[] = []
  const touched = Object.entries(r.byLabel).filter(
    ([label, { marked }]) => label !== 'attacker' && marked > 0,
  )
  if (touched.length > 0)
    lines.push(
      `  ${r.flood}: wrongly under one: ${touched.map(([label, { seen, marked }]) => `${label} ${marked}/${seen}`).join(', ')}`,
    )
  if (r.calmClients < LEAST_CALM)
    lines.push(
      `  ${r.flood}: Digue knew only ${r.calmClients} clients of calm weather, and mines with ${LEAST_CALM}: the machine was too busy, or --scale too small`,
    )
  if (r.recognisedS.includes(null))
    lines.push(...r.heldBack.slice(0, 3).map((reason) => `  ${r.flood}: ${reason}`))
  if (r.missing.length > 0) lines.push(`  ${r.flood}: not installed: ${r.missing.join(', ')}`)
  if (r.linesLeftOut > 0)
    lines.push(
      `  ${r.flood}: Digue left out ${thousands(r.linesLeftOut)} log lines: the figures are a sample`,
    )
  if (r.attack && r.attack.sent < 0.95 * r.attack.wanted)
    lines.push(
      `  ${r.flood}: the flood was thinner than meant: ${thousands(r.attack.sent)} of ${thousands(r.attack.wanted)} sent`,
    )
  if (r.stolenShare > 0.03)
    lines.push(`  ${r.flood}: the host took ${percent(r.stolenShare, 0)} of the cores away meanwhile`)
  return lines
}

export function calmReport(days: readonly DayRecord[], log?: LogRecord): string {
  const lines = days.flatMap(({ secure, requests, clients, minings, published }) => [
    `a calm day over ${secure ? 'HTTPS' : 'HTTP'}: ${thousands(requests)} requests in two days, ${thousands(clients)} clients in the baseline, mined ${thousands(minings)} times: ${published.length} signatures`,
    ...published.slice(0, 5).map(({ atS, reason }) => `  after ${(atS / 3600).toFixed(1)} h: ${reason}`),
  ])
  if (log !== undefined)
    lines.push(
      `an old log of ${thousands(log.lines)} lines: floods found after ${log.foundS.map(seconds).join(', ')}; ${log.wrong.length} signatures in calm weather and flash crowd`,
      ...log.wrong.slice(0, 5).map((reason) => `  ${reason}`),
    )
  return lines.join('\n')
}

export function costReport(rows: readonly CostRow[], edge: EdgeCost): string {
  const shown = rows.map(({ what, us, leastUs, mostUs }) => [
    what,
    `${us.toFixed(2)} µs`,
    `${leastUs.toFixed(2)} to ${mostUs.toFixed(2)}`,
  ])
  const of = (all: readonly number[]) => `${median(all).toFixed(1)} µs`
  return `${table(['CPU of traits and 16 signatures', 'median', 'rounds'], shown)}
CPU of all of Digue per proxied request: ${of(edge.onUs)} with 16 signatures in force, ${of(edge.offUs)} with none: ${edge.ratio.text} times`
}

/** Each is judged over all floods together. */
export function goals(results: LabResults): string[] {
  const lines: string[] = []
  const say = (what: string, isMet: boolean, got: string) =>
    lines.push(`goal: ${what}: ${isMet ? 'met' : 'missed'} (${got})`)
  for (const [kind, records] of [
    ['virtual time', results.virtual],
    ['live', results.live],
  ] as const) {
    const times = records.flatMap((r) => (r.expected === 'flood' ? r.recognisedS : []))
    if (times.length > 0) {
      // One that is never recognised took longer than any.
      const middle = median(times.map((s) => s ?? Number.POSITIVE_INFINITY))
      const never = times.filter((s) => s === null).length
      say(
        `${kind}: a flood is recognised within ${MOST_SECONDS} s, median`,
        middle <= MOST_SECONDS,
        `${Number.isFinite(middle) ? seconds(middle) : 'never'}, n=${times.length}${never > 0 ? `, ${never} never` : ''}`,
      )
    }
    const seen = records.reduce((sum, r) => sum + r.visitors.seen, 0)
    const marked = records.reduce((sum, r) => sum + r.visitors.marked, 0)
    if (seen > 0)
      say(
        `${kind}: ≤ ${percent(MOST_WRONG)} of visitors’ requests wrongly under a signature`,
        marked <= MOST_WRONG * seen,
        `${percent(marked / seen, 3)}, ${marked} of ${thousands(seen)}`,
      )
    for (const r of records)
      if (r.expected === 'none')
        say(`${kind}: no signature in ${r.flood}`, r.published.length === 0, String(r.published.length))
  }
  const inCalm = results.days.reduce((sum, { published }) => sum + published.length, 0)
  if (results.days.length > 0) say('no signature in a calm day that is mined', inCalm === 0, String(inCalm))
  if (results.log)
    say(
      'no signature in an old log but in its floods',
      results.log.wrong.length === 0,
      String(results.log.wrong.length),
    )
  for (const { what, us, goalUs } of results.cost ?? [])
    if (goalUs !== undefined) say(`${what} ≤ ${goalUs} µs`, us <= goalUs, `${us.toFixed(2)} µs`)
  return lines
}
