import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PostureMachine } from './posture.ts'

const quiet = { queueDelayMs: 0, requests: 100, shed: 0 }
const slow = { queueDelayMs: 30, requests: 100, shed: 0 }
const flood = { queueDelayMs: 400, requests: 1000, shed: 900 }

test('one bad tick is not an overload, two are', () => {
  const machine = new PostureMachine()
  machine.tick(slow)
  machine.tick(quiet)
  machine.tick(slow)
  assert.equal(machine.posture, 'calm')
  machine.tick(slow)
  assert.equal(machine.posture, 'strained')
})

test('a flood is called so at the second tick, and over 10 s after its end', () => {
  const machine = new PostureMachine()
  machine.tick(flood)
  machine.tick(flood)
  assert.equal(machine.posture, 'flooded')
  machine.tick(quiet)
  machine.tick(quiet)
  assert.equal(machine.posture, 'recovering')
  for (let i = 0; i < 37; i++) machine.tick(quiet)
  assert.equal(machine.posture, 'recovering')
  machine.tick(quiet)
  assert.equal(machine.posture, 'calm')
})

test('between 5 and 20 ms a recovery neither ends nor turns back', () => {
  const machine = new PostureMachine()
  for (const figures of [slow, slow, quiet, quiet]) machine.tick(figures)
  for (let i = 0; i < 100; i++) machine.tick({ ...quiet, queueDelayMs: i % 30 === 0 ? 10 : 0 })
  assert.equal(machine.posture, 'recovering')
})

test('calm comes only after forty quiet ticks in a row, whatever came before', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(quiet, slow, flood, { ...quiet, queueDelayMs: 12 }), { maxLength: 200 }),
      (ticks) => {
        const machine = new PostureMachine()
        let quietTicks = 0
        for (const figures of ticks) {
          const before = machine.posture
          machine.tick(figures)
          quietTicks = figures === quiet ? quietTicks + 1 : 0
          if (machine.posture === 'calm' && before !== 'calm') assert.ok(quietTicks >= 40)
        }
      },
    ),
  )
})
