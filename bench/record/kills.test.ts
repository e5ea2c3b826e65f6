/** The promise of a record: what was committed outlives kill -9 at any moment, once and whole. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { killRepeatedly } from './kills.ts'

for (const seed of [6, 7])
  test(`a hundred recorders are killed, half of them at a statement, by chance ${seed}: nothing committed is lost`, async () => {
    const { kills, byThemselves, lostSeconds, faults } = await killRepeatedly({
      kills: 100,
      seed,
      lanes: 2,
      deaths: 50,
    })
    assert.deepEqual(faults, [])
    assert.equal(kills, 100)
    assert.equal(lostSeconds, 0)
    assert.ok(byThemselves > 25)
  })
