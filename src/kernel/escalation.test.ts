import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Escalation } from './escalation.ts'

test('who comes back to the same is silenced twice as long, ten minutes at most', () => {
  const escalation = new Escalation(10)
  let nowMs = 0
  const lengths = Array.from({ length: 6 }, () => {
    const seconds = escalation.secondsFor('192.0.2.1', nowMs)
    nowMs += seconds * 1000 + 500
    return seconds
  })
  assert.deepEqual(lengths, [60, 120, 240, 480, 600, 600])
})

test('reports that cross each other are one offence, and who kept away begins anew', () => {
  const escalation = new Escalation(10)
  escalation.secondsFor('192.0.2.1', 0)
  assert.equal(escalation.secondsFor('192.0.2.1', 250), 60)
  assert.equal(escalation.secondsFor('192.0.2.1', 59_999), 60)
  assert.equal(escalation.secondsFor('192.0.2.1', 60_000 + 600_000), 60)
})

test('a million addresses cost no more than the bound', () => {
  const escalation = new Escalation(2)
  for (const n of [1, 2, 3]) escalation.secondsFor(`192.0.2.${n}`, 0)
  assert.equal(escalation.secondsFor('192.0.2.1', 61_000), 60, 'forgotten')
  assert.equal(escalation.secondsFor('192.0.2.3', 61_000), 120)
})
