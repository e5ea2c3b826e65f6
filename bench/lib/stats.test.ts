import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fairness, median, medianInterval, quantile, requestsToShow, wilson } from './stats.ts'

test('quantiles interpolate and do not disturb their input', () => {
  const values = [4, 1, 3, 2]
  assert.equal(quantile(values, 0), 1)
  assert.equal(quantile(values, 1), 4)
  assert.equal(median(values), 2.5)
  assert.deepEqual(values, [4, 1, 3, 2])
  assert.ok(Number.isNaN(quantile([], 0.5)))
})

test('the Wilson interval holds the share and narrows with n', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), fc.float({ min: 0, max: 1, noNaN: true }), (n, share) => {
      const hits = Math.round(n * share)
      const { low, high } = wilson(hits, n)
      assert.ok(low - 1e-9 <= hits / n && hits / n <= high + 1e-9)
      const wide = high - low
      const more = wilson(hits * 4, n * 4)
      assert.ok(more.high - more.low < wide)
    }),
  )
  // Known value: 8 of 10.
  assert.ok(Math.abs(wilson(8, 10).low - 0.4902) < 1e-3)
})

test('99.9 % needs three thousand requests', () => {
  assert.equal(requestsToShow(0.999), 3000)
  assert.equal(requestsToShow(0.99), 300)
})

test('the interval of a median holds it and is one point for equal values', () => {
  const values = [0.8, 0.9, 0.85, 0.7, 0.95, 0.88]
  const { low, high } = medianInterval(values)
  assert.ok(low <= median(values) && median(values) <= high)
  assert.deepEqual(medianInterval([2, 2, 2]), { low: 2, high: 2 })
})

test('fairness is one for equal shares and 1/n for one winner', () => {
  assert.equal(fairness([1, 1, 1, 1]), 1)
  assert.equal(fairness([1, 0, 0, 0]), 0.25)
})
