/** The tables of the detection lab, and what became of its goals. */
import { median } from '../lib/stats.ts'
import { percent, table, thousands } from '../lib/table.ts'
import type { LabRecord } from './run.ts'

const MOST_SECONDS = 2
const MOST_WRONG = 0.001

export function report(records: readonly LabRecord[]): string {
  const lines = [floods(records), '', ...records.flatMap(remarks), '', ...goals(records)]
  return lines.join('\n')
}

const seconds = (s: number | null) => (s === null ? 'never' : `${s.toFixed(1)} s`)

function floods(records: readonly LabRecord[]): string {
  return table(
    [
      '',
      'recognised after',
      'flood under one',
      'stopped before',
      'visitors wrongly',
      'n',
      'signatures',
      'visitors served',
      'flood sent',
      'CPU',
    ],
    records.map((r) => [
      r.flood,
      r.recognisedS.map(seconds).join(', ') || '–',
      r.attack ? percent(r.markedShare) : '–',
      r.attack ? percent(r.stoppedShare) : '–',
      percent(r.visitors.marked / Math.max(1, r.visitors.seen), 2),
      thousands(r.visitors.seen),
      String(r.published.length),
      percent(r.served.served / Math.max(1, r.served.asked), 2),
      r.attack ? `${thousands(r.attack.sent / Math.max(1, r.attack.seconds))}/s` : '–',
      percent(r.cpuShare, 0),
    ]),
  )
}

function remarks(r: LabRecord): string[] {
  const lines = r.published.map(
    ({ id, reason, afterS }) => `  ${r.flood}: ${afterS.toFixed(1)} s ${id} ${reason}`,
  )
  const touched = Object.entries(r.byLabel).filter(
    ([label, { marked }]) => label !== 'attacker' && marked > 0,
  )
  if (touched.length > 0)
    lines.push(
      `  ${r.flood}: wrongly under one: ${touched.map(([label, { seen, marked }]) => `${label} ${marked}/${seen}`).join(', ')}`,
    )
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

/** Each is judged over all floods together. */
export function goals(records: readonly LabRecord[]): string[] {
  const line = (what: string, isMet: boolean, got: string) =>
    `goal: ${what}: ${isMet ? 'met' : 'missed'} (${got})`
  const lines: string[] = []
  const times = records.flatMap((r) => (r.expected === 'flood' ? r.recognisedS : []))
  if (times.length > 0) {
    // One that is never recognised took longer than any.
    const middle = median(times.map((s) => s ?? Number.MAX_VALUE))
    const got = `${middle === Number.MAX_VALUE ? 'never' : seconds(middle)}, n=${times.length}, ${times.filter((s) => s === null).length} never`
    lines.push(line(`a flood is recognised within ${MOST_SECONDS} s, median`, middle <= MOST_SECONDS, got))
  }
  const seen = records.reduce((sum, r) => sum + r.visitors.seen, 0)
  const marked = records.reduce((sum, r) => sum + r.visitors.marked, 0)
  if (seen > 0)
    lines.push(
      line(
        `≤ ${percent(MOST_WRONG)} of visitors’ requests wrongly under a signature`,
        marked <= MOST_WRONG * seen,
        `${percent(marked / seen, 3)}, ${marked} of ${thousands(seen)}`,
      ),
    )
  for (const r of records.filter(({ expected }) => expected === 'none'))
    lines.push(line(`no signature in ${r.flood}`, r.published.length === 0, String(r.published.length)))
  return lines
}
