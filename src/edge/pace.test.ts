import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GRACE_MS, Pace } from './pace.ts'

test('who sends nothing is too slow when the grace is over, not before', () => {
  const pace = new Pace()
  for (let waited = 1000; waited < GRACE_MS; waited += 1000) assert.equal(pace.waited(1000, 500), false)
  assert.equal(pace.waited(1000, 500), true)
})

test('bytes pay for the waiting', () => {
  const pace = new Pace()
  for (let second = 0; second < 100; second++) {
    pace.moved(500)
    assert.equal(pace.waited(1000, 500), false)
  }
})

test('a large first gulp does not pay for ever', () => {
  const pace = new Pace()
  pace.moved(1_000_000)
  let seconds = 0
  while (!pace.waited(1000, 500)) seconds++
  assert.equal(seconds, (2 * GRACE_MS) / 1000 - 1)
})
