import assert from 'node:assert/strict'
import { test } from 'node:test'
import { draw } from './picture.ts'
import type { RunRecord } from './run.ts'

const record = (peer: string, served: number, asked = 1000) =>
  ({ scenario: 'cold-hosting', peer, settled: { served, asked } }) as unknown as RunRecord

test('the figure beside a bar never rounds a loss away', () => {
  const svg = draw([
    record('digue', 9996, 10_000),
    record('unprotected', 180),
    record('nginx limit_req', 150),
  ])
  assert.match(svg, />99\.9 %</)
  assert.match(svg, />18\.0 %</)
  assert.doesNotMatch(svg, />100/)
  assert.match(draw([record('digue', 10, 10)]), />100 %</)
})

test('of several runs the median is drawn', () => {
  const svg = draw([record('digue', 100), record('digue', 900), record('digue', 500)])
  assert.match(svg, />50\.0 %</)
  assert.doesNotMatch(svg, />90\.0 %|>10\.0 %/)
})
