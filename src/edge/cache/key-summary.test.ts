import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { KeySummary } from './key-summary.ts'

const page = (i: number) => `https://www.example.org/page/${i}?id=${i * 7919}`

describe('summary of keys on disk', () => {
  test('it says "perhaps" to everything until it is complete', () => {
    const summary = new KeySummary(KeySummary.memory())
    assert.equal(summary.mayBeOnDisk(page(1)), true)
    summary.reset()
    summary.complete()
    assert.equal(summary.mayBeOnDisk(page(1)), false)
  })

  test('another thread reads what one wrote', () => {
    const memory = KeySummary.memory()
    const library = new KeySummary(memory)
    const edge = new KeySummary(memory)
    library.complete()
    library.add(page(1))
    assert.equal(edge.mayBeOnDisk(page(1)), true)
    library.remove(page(1))
    assert.equal(edge.mayBeOnDisk(page(1)), false)
  })

  test('a key is there until its last variant is gone, whatever else comes and goes', () => {
    const memory = KeySummary.memory()
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.boolean(), fc.nat({ max: 40 })), { maxLength: 200 }),
        (steps: readonly (readonly [boolean, number])[]) => {
          const summary = new KeySummary(memory)
          summary.reset()
          summary.complete()
          const held = new Map<number, number>()
          for (const [isAdded, i] of steps) {
            const count = held.get(i) ?? 0
            if (isAdded) {
              summary.add(page(i))
              held.set(i, count + 1)
            } else if (count > 0) {
              summary.remove(page(i))
              held.set(i, count - 1)
            }
          }
          for (const [i, count] of held) if (count > 0) assert.equal(summary.mayBeOnDisk(page(i)), true)
        },
      ),
      { numRuns: 30 },
    )
  })

  test('a counter that was full never says no again', () => {
    const summary = new KeySummary(KeySummary.memory())
    summary.complete()
    for (let i = 0; i < 300; i++) summary.add(page(1))
    for (let i = 0; i < 300; i++) summary.remove(page(1))
    assert.equal(summary.mayBeOnDisk(page(1)), true)
  })

  test('of addresses made up in a flood hardly one looks stored', () => {
    const summary = new KeySummary(KeySummary.memory())
    summary.complete()
    for (let i = 0; i < 200_000; i++) summary.add(page(i))
    let wrong = 0
    for (let i = 0; i < 50_000; i++)
      if (summary.mayBeOnDisk(`https://www.example.org/?q=${i.toString(36)}`)) wrong++
    // (1 - e^(-3 · 200,000 / 2^22))^3 is 0.24 %.
    assert.ok(wrong / 50_000 < 0.005, `${wrong} of 50,000`)
  })
})
