import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Figures } from './metrics.ts'
import { percent, table, thousands } from './table.ts'
import { parseH2load, parseWrk } from './tools.ts'

test('wrk is read with its errors', () => {
  const text = `Running 2s test
  70110 requests in 2.00s, 163.85MB read
  Socket errors: connect 0, read 3, write 0, timeout 2
  Non-2xx or 3xx responses: 12
Requests/sec:  35042.86`
  assert.deepEqual(parseWrk(text), { requests: 70110, perSecond: 35042.86, bad: 17 })
  assert.ok(Number.isNaN(parseWrk('nothing').requests))
})

test('h2load is read with its failures', () => {
  const text = `finished in 2.00s, 12000.50 req/s, 24.91MB/s
requests: 24001 total, 24001 started, 24000 done, 23990 succeeded, 10 failed, 10 errored, 0 timeout`
  assert.deepEqual(parseH2load(text), { requests: 24000, perSecond: 12000.5, bad: 10 })
})

test('figures are read with their labels', () => {
  const figures = new Figures(
    '# HELP x\ndigue_requests_total{site="*",action="shed",reason="over-share"} 12\ndigue_requests_total{site="*",action="relay",reason=""} 3\nup 1\n',
  )
  assert.equal(figures.sum('digue_requests_total'), 15)
  assert.equal(figures.all('digue_requests_total')[0]!.labels['reason'], 'over-share')
  assert.equal(figures.sum('nothing'), 0)
})

test('tables line up', () => {
  assert.equal(
    table(
      ['', 'n'],
      [
        ['nginx', '1'],
        ['a', '1,000'],
      ],
    ),
    ['           n', '─────  ─────', 'nginx      1', 'a      1,000'].join('\n'),
  )
  assert.equal(thousands(1234567), '1,234,567')
  assert.equal(percent(0.9994, 2), '99.94 %')
})
