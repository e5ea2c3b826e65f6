import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HyperLogLog } from './hyper-log-log.ts'

const key = { k0: 17, k1: 4 }

function sketchOf(count: number, prefix = 'n'): HyperLogLog {
  const sketch = new HyperLogLog()
  for (let i = 0; i < count; i++) sketch.add(`${prefix}${i}`, key)
  return sketch
}

test('an estimate is within four standard errors from none to a million', () => {
  assert.equal(new HyperLogLog().estimate(), 0)
  for (const count of [1, 10, 100, 1000, 10_000, 100_000, 1_000_000]) {
    const estimate = sketchOf(count).estimate()
    const tolerated = Math.max(0.5, 4 * HyperLogLog.STANDARD_ERROR * count)
    assert.ok(Math.abs(estimate - count) <= tolerated, `${count}: ${estimate}`)
  }
})

test('the error over many sketches is what the paper says', () => {
  let squares = 0
  const runs = 60
  for (let run = 0; run < runs; run++) squares += (sketchOf(3000, `r${run} `).estimate() / 3000 - 1) ** 2
  assert.ok(Math.sqrt(squares / runs) < 1.4 * HyperLogLog.STANDARD_ERROR)
})

test('a merged sketch is the sketch of all, in any order and however often', () => {
  const names = fc.array(fc.string({ maxLength: 12 }), { maxLength: 200 })
  fc.assert(
    fc.property(names, names, (left, right) => {
      const of = (list: readonly string[]) => {
        const sketch = new HyperLogLog()
        for (const name of list) sketch.add(name, key)
        return sketch
      }
      const all = of([...left, ...right])
      for (const [first, second] of [
        [left, right],
        [right, left],
      ] as const) {
        const merged = of(first)
        merged.merge(of(second))
        merged.merge(of(second))
        assert.deepEqual(merged.registers, all.registers)
      }
    }),
    { seed: 6, numRuns: 60 },
  )
})

test('registers out of a damaged file give a number all the same', () => {
  const estimate = new HyperLogLog(new Uint8Array(HyperLogLog.REGISTERS).fill(255)).estimate()
  assert.ok(estimate > 1e6)
})
