/**
 * How long after the attackers' first request are visitors served again? Ten short floods from hosting
 * networks, each before a Digue that was just started and had its calm phase; the cohort without
 * JavaScript stays at home, since waiting is what it is meant to do.
 */
import { median } from '../lib/stats.ts'
import { percent } from '../lib/table.ts'
import type { Peer } from '../peers/peer.ts'
import { cold, people } from './cohorts.ts'
import { type Progress, type RunRecord, runOnce } from './run.ts'
import type { Scenario, Timing } from './scenario.ts'

export const MITIGATION_RUNS = 10
const GOAL_S = 2
/** Long enough to see 99 % ten seconds in a row, wherever in the first eight they begin. */
const TIMING: Timing = { calmS: 15, floodS: 18 }

export const MITIGATION: Scenario = {
  name: 'mitigation',
  group: 'cohorts',
  question: "Seconds from the attack's first request until 99 % of visitors are served and stay so for 10 s.",
  goals: [],
  cohorts: (timing) => people(timing, 'hosting', false),
  attack: cold('hosting'),
  fromOnset: true,
}

export async function measureMitigation(
  peer: Peer,
  runs: number,
  say: (text: string) => void,
  onProgress: (progress: Progress, timing: Timing) => void,
): Promise<RunRecord[]> {
  const records: RunRecord[] = []
  for (let i = 0; i < runs; i++) {
    const record = await runOnce(MITIGATION, peer, peer.variants[0]!, {
      timing: TIMING,
      handshakesPerSecond: 0,
      seed: i + 1,
      onProgress: (progress) => onProgress(progress, TIMING),
    })
    records.push(record)
    const share = record.settled.served / Math.max(1, record.settled.asked)
    say(
      `  run ${i + 1}: ${record.stableS === null ? 'never' : `${record.stableS.toFixed(1)} s`}, ${percent(share, 2)} of ${record.settled.asked} served`,
    )
  }
  const times = records.map((r) => r.stableS ?? Number.POSITIVE_INFINITY)
  const middle = median(times)
  say(
    `  goal: ≤ ${GOAL_S} s in the median of ${runs} runs: ${middle <= GOAL_S ? 'met' : 'missed'} (${Number.isFinite(middle) ? `${middle.toFixed(1)} s` : 'never'}, longest ${Math.max(...times)} s)`,
  )
  return records
}
