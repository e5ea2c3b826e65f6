import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Deadline, Deadlines } from './deadlines.ts'

class Probe extends Deadline {
  readonly at: number[] = []
  onExpired: (() => void) | undefined
  override expired(nowMs: number): void {
    this.at.push(nowMs)
    this.onExpired?.()
  }
}

test('a deadline is told once, never early, and at most two slots late, however often it is moved', () => {
  const action = fc.record({
    who: fc.nat(4),
    what: fc.oneof(
      fc.record({ set: fc.oneof(fc.nat(500), fc.nat(200_000), fc.constant(Number.POSITIVE_INFINITY)) }),
      fc.constant('remove' as const),
    ),
    waitMs: fc.oneof(fc.nat(300), fc.nat(120_000)),
  })
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      let now = 1234
      const wheel = new Deadlines(() => now)
      const probes = Array.from({ length: 5 }, () => new Probe())
      const due = probes.map(() => Number.POSITIVE_INFINITY)
      for (const { who, what, waitMs } of actions) {
        if (what === 'remove') {
          wheel.remove(probes[who]!)
          due[who] = Number.POSITIVE_INFINITY
        } else {
          wheel.set(probes[who]!, what.set)
          due[who] = now + what.set
        }
        for (let left = waitMs; left > 0; left -= 50) {
          now += Math.min(50, left)
          wheel.tick(now)
          probes.forEach((probe, i) => {
            if (probe.at.length > 0) {
              assert.equal(probe.at.length, 1)
              assert.ok(probe.at[0]! >= due[i]!, 'early')
              due[i] = Number.POSITIVE_INFINITY
              probe.at.length = 0
            }
            assert.ok(now - due[i]! <= 200, `late by ${now - due[i]!}`)
          })
        }
      }
    }),
    { numRuns: 200 },
  )
})

test('a stall longer than the wheel still tells everything due, once', () => {
  let now = 0
  const wheel = new Deadlines(() => now)
  const probes = Array.from({ length: 100 }, (_, i) => {
    const probe = new Probe()
    wheel.set(probe, i * 1000)
    return probe
  })
  now = 1_000_000
  wheel.tick(now)
  wheel.tick(now + 200)
  wheel.tick(now + 60_000)
  assert.deepEqual([...new Set(probes.map((probe) => probe.at.length))], [1])
})

test('an expired deadline may remove its neighbours and set itself again', () => {
  let now = 0
  const wheel = new Deadlines(() => now)
  const [a, b] = [new Probe(), new Probe()]
  wheel.set(b, 100)
  wheel.set(a, 100)
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    one.onExpired = () => {
      wheel.remove(other)
      wheel.set(one, 100)
    }
  }
  for (now = 0; now <= 1000; now += 100) wheel.tick(now)
  assert.ok(a.at.length === 0 || b.at.length === 0)
  assert.ok(a.at.length + b.at.length >= 3)
})
