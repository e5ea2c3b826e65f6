import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BODY_WINDOW_MS, Pace, READ_GRACE_MS, READ_WINDOW_MS } from './pace.ts'

test('who sends nothing is too slow when the window is over, not before', () => {
  const pace = new Pace()
  for (let waited = 1000; waited < BODY_WINDOW_MS; waited += 1000) assert.equal(pace.waited(1000, 500), false)
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
  assert.equal(seconds, (2 * BODY_WINDOW_MS) / 1000 - 1)
})

test('a reader has a grace before the window, and a new one after each rest', () => {
  const pace = new Pace(READ_WINDOW_MS, READ_GRACE_MS)
  const verdictAfterMs = () => {
    let waited = 1000
    while (!pace.waited(1000, 500)) waited += 1000
    return waited
  }
  assert.equal(verdictAfterMs(), READ_GRACE_MS + READ_WINDOW_MS)
  assert.equal(verdictAfterMs(), READ_WINDOW_MS)
  pace.waited(1000, 500)
  pace.rest()
  assert.equal(verdictAfterMs(), READ_GRACE_MS + READ_WINDOW_MS)
})
