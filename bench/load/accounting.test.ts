import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Accounting, tally, timeToServe, timeUntilStable } from './accounting.ts'

function rowsOf(list: { atS: number; fate: string; cohort?: string; latencyMs?: number }[]) {
  const accounting = new Accounting()
  for (const { atS, fate, cohort = 'returning', latencyMs = 10 } of list) {
    accounting.add({
      cohort,
      network: 'provider-1',
      atS,
      latencyMs,
      costMs: fate === 'served' ? 12.5 : 0,
      fate,
    })
  }
  return accounting.rows()
}

test('a tally counts the requests that arrived in its window, whenever they ended', () => {
  const rows = rowsOf([
    { atS: 0.5, fate: 'served', latencyMs: 9000 },
    { atS: 1.5, fate: 'timeout' },
    { atS: 1.9, fate: 'status-429', cohort: 'new' },
    { atS: 2.0, fate: 'served' },
  ])
  const all = tally(rows, { fromS: 0, untilS: 2 })
  assert.deepEqual([all.asked, all.served, all.refused, all.costMs], [3, 1, 1, 12.5])
  assert.deepEqual(all.fates, { served: 1, timeout: 1, 'status-429': 1 })
  assert.equal(tally(rows, { fromS: 0, untilS: 3, cohort: 'new' }).asked, 1)
  assert.equal(tally(rows, { fromS: 0, untilS: 3, cohort: 'nobody' }).asked, 0)
})

test('rows survive growing past the first columns', () => {
  const rows = rowsOf(
    Array.from({ length: 5000 }, (_, i) => ({ atS: i / 1000, fate: i % 2 ? 'served' : 'timeout' })),
  )
  assert.equal(tally(rows, { fromS: 0, untilS: 5 }).served, 2500)
})

test('the time to serve is the start of the last good stretch', () => {
  const second = (s: number, fate: string) =>
    Array.from({ length: 20 }, (_, i) => ({ atS: s + i / 20, fate }))
  const rows = rowsOf([
    ...second(0, 'served'),
    ...second(1, 'timeout'),
    ...second(2, 'served'),
    ...second(3, 'timeout'),
    ...second(4, 'served'),
    ...second(5, 'served'),
  ])
  assert.equal(timeToServe(rows, { fromS: 1, untilS: 6, goal: 0.95 }), 3)
  assert.equal(timeToServe(rows, { fromS: 4, untilS: 6, goal: 0.95 }), 0)
  assert.equal(timeToServe(rows, { fromS: 0, untilS: 4, goal: 0.95 }), undefined)
})

test('served for good begins where the first second and the next ten are served, not where one was lucky', () => {
  // Ten per second for 20 s, of whom nobody is served before 1.5 s, but those of the fourth tenth.
  const rows = rowsOf(
    Array.from({ length: 200 }, (_, i) => ({
      atS: i / 10 + 0.05,
      fate: i >= 15 || i === 3 ? 'served' : 'timeout',
    })),
  )
  const window = { fromS: 0, untilS: 20, goal: 0.99, staysS: 10 }
  assert.equal(timeUntilStable(rows, window), 1.5)
  assert.equal(timeUntilStable(rows, { ...window, fromS: 1 }), 0.5)
  // The window ends before ten seconds have been seen.
  assert.equal(timeUntilStable(rows, { ...window, untilS: 11 }), undefined)
  assert.equal(timeUntilStable(rows, { ...window, goal: 0.9, fromS: 0.4 }), 1)
})
