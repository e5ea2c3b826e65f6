import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Reservoir } from './reservoir.ts'
import { seeded } from './store.fixture.ts'

/** How often each of the items is in the first `slots` of a reservoir of `room`, over many runs. */
function shares(weights: readonly number[], room: number, slots: number): number[] {
  const random = seeded(1)
  const found = weights.map(() => 0)
  const runs = 4000
  for (let run = 0; run < runs; run++) {
    const reservoir = new Reservoir<number>(room, random)
    for (const [i, weight] of weights.entries()) reservoir.put(reservoir.draw(weight), i)
    for (const { item } of reservoir.drawn.slice(0, slots)) found[item]!++
  }
  return found.map((count) => count / runs)
}

test('of equal items each has the same chance, whenever it comes, also among the first few', () => {
  const equal = new Array<number>(40).fill(1)
  for (const share of shares(equal, 20, 20)) assert.ok(Math.abs(share - 0.5) < 0.05, String(share))
  for (const share of shares(equal, 20, 4)) assert.ok(Math.abs(share - 0.1) < 0.03, String(share))
})

test('one that stands for three has three times the chance of being first', () => {
  const [first, ...others] = shares([3, 1, 1, 1, 1, 1], 4, 1)
  assert.ok(Math.abs(first! - 3 / 8) < 0.04, String(first))
  for (const share of others) assert.ok(Math.abs(share - 1 / 8) < 0.03, String(share))
})

test('it never holds more than its room', () => {
  const reservoir = new Reservoir<number>(3, seeded(2))
  for (let i = 0; i < 100; i++) {
    const draw = reservoir.draw(1)
    const wouldKeep = reservoir.wouldKeep(draw)
    reservoir.put(draw, i)
    assert.equal(
      reservoir.drawn.some(({ item }) => item === i),
      wouldKeep,
    )
    assert.ok(reservoir.drawn.length <= 3)
  }
})
