import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RuleTotals, type SiteRules } from './rule-totals.ts'

function site(host: string, ...names: string[]): SiteRules {
  return {
    hosts: [host],
    rules: names.map(
      (name) => Object.fromEntries([...Object.entries({ name, when: 'true' }), ['then', 'refuse']]) as never,
    ),
  }
}

const SITES = [site('a.example', 'one', 'two')]

test('counts since the start, and in the last whole minute', () => {
  const totals = new RuleTotals()
  const figures = (nowMs: number) =>
    totals.status(SITES, nowMs).map(({ requests, lastMinute, failed }) => [requests, lastMinute, failed])
  totals.take('a.example', [{ name: 'one', fitted: 5, failed: 1 }], 1000)
  assert.deepEqual(figures(2000), [
    [5, 0, 1],
    [0, 0, 0],
  ])
  totals.take('a.example', [{ name: 'one', fitted: 2, failed: 0 }], 61_000)
  assert.deepEqual(figures(62_000)[0], [7, 5, 1])
  assert.deepEqual(figures(500_000)[0], [7, 0, 1], 'a silence is no last minute')
})

test('keeps only what the configuration has', () => {
  const totals = new RuleTotals()
  totals.take(
    'a.example',
    [
      { name: 'one', fitted: 1, failed: 0 },
      { name: 'two', fitted: 1, failed: 0 },
    ],
    0,
  )
  totals.take('b.example', [{ name: 'one', fitted: 1, failed: 0 }], 0)
  totals.keepOnly([site('a.example', 'two')])
  const all = [...SITES, site('b.example', 'one')]
  assert.deepEqual(
    totals.status(all, 1).map(({ requests }) => requests),
    [0, 1, 0],
  )
})
