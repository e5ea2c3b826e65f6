import assert from 'node:assert/strict'
import { test } from 'node:test'
import { poissonAtMost, poissonTail } from './statistics.ts'

const near = (actual: number, expected: number, relative: number) =>
  assert.ok(Math.abs(actual - expected) <= relative * expected, `${actual} is not ${expected}`)

test('the Poisson tail is that of the tables', () => {
  near(poissonTail(1, 0.1), 1 - Math.exp(-0.1), 1e-9)
  near(poissonTail(10, 3), 0.001102488, 1e-6)
  // 1 less the sum of all below, in whole numbers: 4^20/20! and what follows, by e^4.
  let sum = 0
  let term = Math.exp(-4)
  for (let i = 0; i < 200; i++, term *= 4 / i) if (i >= 20) sum += term
  near(poissonTail(20, 4), sum, 1e-9)
  assert.ok(poissonTail(60, 20) < 1e-11)
  assert.ok(poissonTail(500, 300) < 1e-24 && poissonTail(500, 300) > 0)
  assert.equal(poissonTail(5, 5), 1)
  assert.equal(poissonTail(3, 0), 0)
  assert.equal(poissonTail(0, 0), 1)
  assert.ok(poissonTail(5000, 10) >= 0)
})

test('the upper bound of a count is that of the tables, within two per cent', () => {
  // chi2.ppf(0.95, 2 * (k + 1)) / 2
  for (const [count, bound] of [
    [0, 2.996],
    [1, 4.744],
    [5, 10.513],
    [10, 16.962],
    [41, 53.3],
    [100, 118.08],
  ] as const)
    near(poissonAtMost(count), bound, 0.02)
})
