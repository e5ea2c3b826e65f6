import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VainWaits } from './vain-waits.ts'

test('one wait in vain is no flood, most of them are, and a few seconds later it is worth trying again', () => {
  const waits = new VainWaits()
  assert.equal(waits.ratio('AS64500', 0), 0)
  waits.note('AS64500', 1, 0)
  assert.ok(waits.ratio('AS64500', 0) < 0.2)
  for (let i = 1; i <= 40; i++) waits.note('AS64500', 1, i)
  assert.ok(waits.ratio('AS64500', 40) > 0.9)
  assert.ok(waits.ratio('AS64500', 2500) < 0.5)
  assert.equal(waits.ratio('AS64501', 40), 0)
})

test('a network of which nine in ten are let in waits', () => {
  const waits = new VainWaits()
  for (let i = 0; i < 1000; i++) {
    waits.note('AS64500', i % 10 === 0 ? 1 : 0, i)
    assert.ok(waits.ratio('AS64500', i) < 0.5)
  }
})
