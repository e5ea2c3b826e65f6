import assert from 'node:assert/strict'
import { test } from 'node:test'
import { farmSummary, report } from './report.ts'
import type { RunRecord } from './run.ts'
import type { Scenario } from './scenario.ts'

const tally = (served: number, asked = 1000, p99Ms = 100) => ({
  asked,
  served,
  refused: 0,
  p50Ms: 20,
  p99Ms,
  costMs: 0,
  fates: { served, timeout: asked - served },
})

function record(change: Partial<RunRecord> = {}): RunRecord {
  return {
    scenario: 'cohorts-cold-hosting',
    peer: 'digue',
    setting: '',
    timing: { calmS: 20, floodS: 30 },
    flood: tally(1000),
    settled: tally(1000),
    calm: tally(1000),
    cohorts: { returning: tally(1000, 1000, 190), 'no-script': tally(95, 100) },
    calmCohorts: { returning: tally(1000) },
    originShare: 0.9,
    capacityShare: 0.2,
    mitigatedS: 0,
    recoveredS: 0,
    stableS: 0.4,
    fairness: 1,
    cpuShare: 0.5,
    stolenShare: 0,
    othersShare: 0,
    rss: 1e8,
    peakRss: 1e8,
    origin: { busyMs: 1, answered: 1, turnedAway: 0 },
    attack: null,
    attacks: [],
    bytesPerRequest: 660,
    bytesPerRefusal: 420,
    loadCpu: { visitors: 0.1, attackers: 0.4, origin: 0.1 },
    payments: { paid: 0, help: 0, left: 0 },
    streams: { wanted: 0, open: 0, events: 0, eventsWanted: 0 },
    downloads: { wanted: 0, whole: 0, broken: 0, bytes: 0 },
    perSecond: [],
    ...change,
  }
}

const scenario = {
  name: 'cohorts-cold-hosting',
  group: 'cohorts',
  question: '?',
  goals: [
    { cohort: 'returning', p99OfCalm: 2 },
    { cohort: 'no-script', served: 0.9 },
    { cohort: 'returning', served: 0.9995 },
    { bytesPerRefusal: 500 },
  ],
  fromOnset: true,
  cohorts: () => [],
} as const satisfies Scenario

test('goals are judged over all runs, and a goal that too few requests show is not met yet', () => {
  const one = record()
  const text = report(scenario, [one], [one])
  assert.match(text, /goal: returning p99 ≤ 2 × calm: met \(1\.9 ×\)/)
  assert.match(text, /goal: no-script ≥ 90\.00 % served: met \(95\.00 %, n=100\)/)
  assert.match(text, /goal: returning ≥ 99\.95 % served: met so far, but 6,000 requests are needed/)
  assert.match(text, /goal: fewer than 500 bytes per attack request that gets no page: met \(420\)/)
  const bad = record({
    cohorts: { returning: tally(900, 1000, 300), 'no-script': tally(60, 100) },
    bytesPerRefusal: 600,
  })
  const both = report(scenario, [one], [one, bad, bad])
  assert.equal(both.match(/: missed/g)?.length, 4)
  assert.match(both, /no-script ≥ 90\.00 % served: missed \(71\.67 %, n=300\)/)
})

test('each cohort has its line, and a full core of load is told', () => {
  const full = record({ loadCpu: { visitors: 0.2, attackers: 0.7, origin: 0.1 }, othersShare: 0.4 })
  const text = report(scenario, [full], [full])
  assert.match(text, /returning +100\.00 % +1,000 +20 ms +190 ms +1\.9 ×/)
  assert.match(text, /no-script +95\.00 % +100 .* timeout 5/)
  assert.match(text, /the core of load was full/)
  assert.match(text, /other programs used 40 % of the cores/)
})

test('the summary of farms names the first size below half, by networks and server', () => {
  const farms = [1, 8, 64].map(
    (cores): Scenario => ({
      name: `farm-${cores}-hosting`,
      group: 'farms',
      question: '?',
      goals: [],
      cohorts: () => [],
      farm: { cores, from: 'hosting' },
    }),
  )
  const shares: Record<string, number[]> = { 'static-challenge': [300, 200, 100], digue: [1000, 990, 700] }
  const records = Object.entries(shares).flatMap(([peer, served]) =>
    farms.map((farm, i) => record({ scenario: farm.name, peer, settled: tally(served[i]!) })),
  )
  const text = farmSummary(farms, records)
  assert.match(text, /static-challenge +1: 30\.0 % +8: 20\.0 % +64: 10\.0 % +1 cores/)
  assert.match(text, /digue +1: 100\.0 % .* not up to 64 cores/)
  assert.equal(farmSummary([], records), '')
})
