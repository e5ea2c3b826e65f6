import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CountMin } from './count-min.ts'

test('an estimate is never below the true count of both windows', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(40), fc.nat(400)), { maxLength: 300 }), (steps) => {
      const sketch = new CountMin({ width: 16, windowMs: 1000 })
      const seen: { name: string; at: number }[] = []
      let now = 0
      for (const [name, wait] of steps) {
        now += wait
        seen.push({ name: `n${name}`, at: now })
        sketch.add(`n${name}`, 1, now)
        const lately = seen.filter((one) => one.name === `n${name}` && one.at > now - 1000).length
        assert.ok(sketch.estimate(`n${name}`, now) >= lately)
      }
    }),
  )
})

test('heavy names are counted within e / width of the total among ten thousand light ones', () => {
  const sketch = new CountMin({ width: 4096, windowMs: 5000, key: { k0: 1, k1: 2 } })
  for (let i = 0; i < 10_000; i++) {
    sketch.add(`light ${i}`, 1, 0)
    if (i % 10 === 0) sketch.add('heavy', 1, 0)
  }
  const estimate = sketch.estimate('heavy', 0)
  assert.ok(estimate >= 1000 && estimate <= 1000 + (Math.E / 4096) * 11_000, String(estimate))
  const far = Array.from({ length: 1000 }, (_, i) => sketch.estimate(`other ${i}`, 0))
  assert.ok(far.filter((count) => count > (Math.E / 4096) * 11_000).length <= 1000 * Math.exp(-4) * 2)
})

test('counts are forgotten after two windows', () => {
  const sketch = new CountMin({ width: 64, windowMs: 1000 })
  sketch.add('a', 5, 0)
  assert.equal(sketch.estimate('a', 999), 5)
  assert.equal(sketch.estimate('a', 1500), 5)
  assert.equal(sketch.estimate('a', 2000), 0)
  sketch.add('b', 1, 2000)
  assert.equal(sketch.estimate('b', 10_000), 0)
})
