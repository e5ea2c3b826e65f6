import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Frequency } from './frequency.ts'

const KEY = { k0: 1, k1: 2 }

test('before the first halving nothing is counted too low, up to sixteen', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 20 })), { maxLength: 300 }),
      (steps) => {
        const frequency = new Frequency(64, KEY)
        const truth = new Map<number, number>()
        for (const [name, times] of steps) {
          frequency.add(frequency.hash(`n${name}`), times)
          truth.set(name, (truth.get(name) ?? 0) + Math.min(times, 15))
        }
        for (const [name, count] of truth) {
          const of = frequency.of(frequency.hash(`n${name}`))
          assert.ok(of >= Math.min(count, 16) && of <= 16, `${of} for ${count}`)
        }
      },
    ),
  )
})

test('a hundred thousand names seen once leave the counters of others alone', () => {
  const frequency = new Frequency(1, KEY)
  for (let i = 0; i < 100_000; i++) frequency.add(frequency.hash(`once ${i}`))
  let known = 0
  for (let i = 0; i < 10_000; i++) if (frequency.of(frequency.hash(`never ${i}`)) > 0) known++
  assert.ok(known < 700, `${known} of 10,000 strangers look known`)
  let twice = 0
  for (let i = 0; i < 10_000; i++) if (frequency.of(frequency.hash(`once ${i}`)) > 1) twice++
  assert.ok(twice < 700, `${twice} of 10,000 look as if asked for twice`)
})

test('what was popular fades with the requests for other things, not with its own', () => {
  const frequency = new Frequency(1, KEY)
  const old = frequency.hash('yesterday')
  frequency.add(old, 15)
  for (let i = 0; i < frequency.sample; i++) frequency.add(old)
  assert.equal(frequency.of(old), 16)
  for (let i = 0; i < 4 * frequency.sample; i++) frequency.add(frequency.hash(`today ${i % 5000}`))
  assert.ok(frequency.of(old) <= 16)
  for (let i = 0; i < 5 * frequency.sample; i++) frequency.add(frequency.hash(`new ${i}`))
  assert.ok(frequency.of(old) <= 2, String(frequency.of(old)))
})

test('another key gives other cells', () => {
  assert.notEqual(new Frequency(1, KEY).hash('/'), new Frequency(1, { k0: 3, k1: 4 }).hash('/'))
})
