import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Heap } from './heap.ts'

interface Item {
  index: number
  key: number
}

test('a heap agrees with a sorted list under any sequence of pushes, pops, moves and removals', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('push' as const), key: fc.integer({ min: -9, max: 9 }) }),
    fc.record({ do: fc.constant('pop' as const) }),
    fc.record({ do: fc.constant('move' as const), at: fc.nat(), key: fc.integer({ min: -9, max: 9 }) }),
    fc.record({ do: fc.constant('remove' as const), at: fc.nat() }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heap = new Heap<Item>((item, index) => {
        item.index = index
      })
      const model: Item[] = []
      for (const now of steps) {
        if (now.do === 'push') {
          const item = { index: -1, key: now.key }
          model.push(item)
          heap.push(item, now.key)
        } else if (now.do === 'pop') {
          const item = heap.pop()
          if (item) model.splice(model.indexOf(item), 1)
          assert.ok(model.every((other) => other.key >= (item?.key ?? 0)))
          assert.equal(item?.index ?? -1, -1)
        } else if (model.length > 0) {
          const item = model[now.at % model.length]!
          if (now.do === 'move') {
            item.key = now.key
            heap.update(item.index, now.key)
          } else {
            model.splice(model.indexOf(item), 1)
            heap.removeAt(item.index)
            assert.equal(item.index, -1)
          }
        }
        assert.equal(heap.size, model.length)
        assert.equal(heap.minKey, Math.min(...model.map((item) => item.key)))
      }
    }),
  )
})
