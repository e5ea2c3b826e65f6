import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TopCounts } from './top-counts.ts'

test('whatever is put away, the sum of all rows is the sum of all that came', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.string({ maxLength: 4 }), fc.nat(1000)), { maxLength: 400 }),
      fc.integer({ min: 1, max: 12 }),
      (adds, most) => {
        const counts = new TopCounts(8)
        for (const [name, count] of adds) counts.add(name, count, 2 * count, 3 * count)
        assert.ok(counts.size <= 8)
        const rows = counts.rows(most)
        const sum = (column: 1 | 2 | 3) => rows.reduce((all, row) => all + row[column], 0)
        const expected = adds.reduce((all, [, count]) => all + count, 0)
        assert.deepEqual([sum(1), sum(2), sum(3)], [expected, 2 * expected, 3 * expected])
        assert.ok(rows.filter(([name]) => name !== '').length <= most)
      },
    ),
    { seed: 6, numRuns: 300 },
  )
})

test('a heavy name that comes after ten thousand made-up ones is named', () => {
  const counts = new TopCounts(1000)
  for (let i = 0; i < 10_000; i++) counts.add(`made up ${i}`, 1, 0, 0)
  for (let i = 0; i < 500; i++) {
    counts.add('real', 1, 5, 0)
    counts.add(`later ${i}`, 1, 0, 0)
  }
  assert.deepEqual(counts.rows(1)[0], ['real', 500, 2500, 0])
})
