import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Hammering, type HammeringState } from './hammering.ts'

const key = { k0: 3, k1: 4 }

/** Refuses `rate` requests a second for some seconds, completing a share of what is asked. */
function ask(
  hammering: Hammering,
  who: string,
  rate: number,
  seconds: number,
  completedShare = 0,
): Record<HammeringState, number> {
  const seen = { ok: 0, hammering: 0, drop: 0 }
  for (let i = 0; i < rate * seconds; i++) {
    const now = (i * 1000) / rate
    const state = hammering.state(who, now)
    seen[state]++
    if (state === 'drop') continue
    if (state === 'ok' && (i * completedShare) % 1 < completedShare) hammering.completed(who, now)
    else hammering.refused(who, now)
  }
  return seen
}

test('an address that is refused a hundred times a second gets 429 and then silence', () => {
  const seen = ask(new Hammering({ key }), '192.0.2.1', 100, 20)
  assert.ok(seen.hammering > 300)
  assert.ok(seen.drop > 1200)
})

test('a visitor who is refused now and then is never a hammerer', () => {
  assert.deepEqual(ask(new Hammering({ key }), '192.0.2.2', 2, 60), { ok: 120, hammering: 0, drop: 0 })
})

test('a shared address part of whose requests complete is neither refused unasked nor dropped', () => {
  assert.deepEqual(ask(new Hammering({ key }), '192.0.2.3', 550, 20, 0.1), {
    ok: 11_000,
    hammering: 0,
    drop: 0,
  })
})

test('a shared address under attack that gets a single request through in a while is not dropped', () => {
  assert.equal(ask(new Hammering({ key }), '192.0.2.4', 550, 20, 0.05).drop, 0)
})

test('silence ends by itself', () => {
  const hammering = new Hammering({ key })
  for (let i = 0; i < 600; i++) hammering.refused('192.0.2.5', 0)
  assert.equal(hammering.state('192.0.2.5', 59_999), 'drop')
  assert.equal(hammering.state('192.0.2.5', 60_001), 'ok')
})

test('a flood from a million cold addresses condemns none of them and grows nothing', () => {
  let forgotten = 0
  const hammering = new Hammering({
    key,
    count: (name) => void (forgotten += name === 'hammeringForgotten' ? 1 : 0),
  })
  let condemned = 0
  for (let i = 0; i < 1_000_000; i++) {
    const now = i / 40
    if (hammering.state(`cold ${i}`, now) !== 'ok') condemned++
    hammering.refused(`cold ${i}`, now)
  }
  assert.equal(condemned, 0)
  assert.equal(hammering.dropped, 0)
  assert.equal(forgotten, 0)
})

test('the number of addresses in silence is bounded and the loss is counted', () => {
  let forgotten = 0
  const hammering = new Hammering({
    key,
    maxDropped: 10,
    count: (name) => void (forgotten += name === 'hammeringForgotten' ? 1 : 0),
  })
  for (let who = 0; who < 30; who++) for (let i = 0; i < 900; i++) hammering.refused(`192.0.2.${who}`, 0)
  assert.equal(hammering.dropped, 10)
  assert.ok(forgotten >= 20)
})
