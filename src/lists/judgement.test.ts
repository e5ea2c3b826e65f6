import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Evidence, judge } from './judgement.ts'

const DAY_MS = 86_400_000

const evidence = (more: Partial<Evidence>): Evidence => ({
  effect: 'refuse',
  clients: 1000,
  touched: 0,
  networks: 100,
  wasHeld: false,
  releasedShare: undefined,
  kept: undefined,
  nowMs: 10 * DAY_MS,
  ...more,
})

const standing = (more: Partial<Evidence>) => judge(evidence(more)).standing

test('above one visitor in a hundred a list is held, until well below', () => {
  assert.equal(standing({ touched: 10 }), 'acting')
  assert.equal(standing({ touched: 11 }), 'held')
  assert.equal(standing({ touched: 6, wasHeld: true }), 'held')
  assert.equal(standing({ touched: 5, wasHeld: true }), 'acting')
})

test('a list that allows is never held', () => {
  assert.equal(standing({ effect: 'allow', touched: 1000 }), 'acting')
  assert.equal(standing({ effect: 'allow', clients: 0 }), 'acting')
})

test('with fewer than two hundred clients it weighs at most', () => {
  assert.equal(standing({ clients: 199, touched: 199 }), 'weight')
  assert.equal(standing({ clients: 199, effect: undefined }), 'weight')
  assert.equal(standing({ clients: 0, effect: 'weight' }), 'acting')
  assert.equal(standing({ clients: 200, touched: 2 }), 'acting')
  assert.equal(standing({ clients: 200, touched: 3 }), 'held')
})

test('what was known before a restart stands for a week, while the list has not doubled', () => {
  const kept = { share: 0.002, clients: 900, networks: 100, atMs: 5 * DAY_MS }
  assert.equal(standing({ clients: 0, kept }), 'acting')
  assert.deepEqual(judge(evidence({ clients: 0, kept })), { standing: 'acting', share: 0.002, clients: 900 })
  assert.equal(standing({ clients: 0, kept: { ...kept, share: 0.02 } }), 'held')
  assert.equal(standing({ clients: 0, kept, networks: 201 }), 'weight')
  assert.equal(standing({ clients: 0, kept, nowMs: 13 * DAY_MS }), 'weight')
  assert.equal(standing({ clients: 1000, touched: 50, kept }), 'held', 'what is known now is more')
})

test('a release holds until twice as many are on the list', () => {
  assert.equal(standing({ touched: 30, releasedShare: 0.03 }), 'acting')
  assert.equal(standing({ touched: 60, releasedShare: 0.03 }), 'acting')
  assert.equal(standing({ touched: 61, releasedShare: 0.03 }), 'held')
  // Released before anything was known: as if for one in a hundred.
  assert.equal(standing({ clients: 0, releasedShare: 0 }), 'acting')
  assert.equal(standing({ touched: 20, releasedShare: 0 }), 'acting')
  assert.equal(standing({ touched: 21, releasedShare: 0 }), 'held')
})
