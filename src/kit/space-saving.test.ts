import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SpaceSaving } from './space-saving.ts'

test('every count is between the true weight and the true weight plus its stated error', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(30), { maxLength: 500 }),
      fc.integer({ min: 1, max: 20 }),
      (stream, capacity) => {
        const sketch = new SpaceSaving(capacity)
        const truth = new Map<string, number>()
        for (const item of stream) {
          const name = `n${item}`
          truth.set(name, (truth.get(name) ?? 0) + 1)
          sketch.add(name)
        }
        assert.ok(sketch.size <= capacity)
        for (const { name, count, error } of sketch.top(capacity)) {
          assert.ok(count >= truth.get(name)! && count - error <= truth.get(name)!)
          assert.ok(error <= stream.length / capacity)
        }
        for (const [name, count] of truth)
          if (count > stream.length / capacity) assert.ok(sketch.get(name), `${name} is missing`)
      },
    ),
  )
})
