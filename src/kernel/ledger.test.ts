import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Ledger } from './ledger.ts'

const entry = (text: string) => ({ text, version: 4 as const })

test('an entry that stands keeps its end; one that has ended may come again', () => {
  const ledger = new Ledger(10)
  assert.equal(ledger.add(entry('192.0.2.1'), { nowMs: 0, forMs: 60_000 }), 'added')
  assert.equal(ledger.add(entry('192.0.2.1'), { nowMs: 59_000, forMs: 60_000 }), 'known')
  assert.equal([...ledger.standing()][0]!.endsAtMs, 60_000)
  assert.equal(ledger.add(entry('192.0.2.1'), { nowMs: 61_001, forMs: 60_000 }), 'added')
  assert.equal(ledger.size, 1)
})

test('a full ledger takes nobody until somebody’s time is over', () => {
  const ledger = new Ledger(1)
  ledger.add(entry('192.0.2.1'), { nowMs: 0, forMs: 1000 })
  assert.equal(ledger.add(entry('192.0.2.2'), { nowMs: 10, forMs: 1000 }), 'full')
  ledger.sweep(2000)
  assert.equal(ledger.add(entry('192.0.2.2'), { nowMs: 2000, forMs: 1000 }), 'added')
})

test('counts by version hold whatever comes and goes', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          n: fc.nat(20),
          version: fc.constantFrom(4 as const, 6 as const),
          act: fc.constantFrom('add', 'remove', 'sweep'),
        }),
      ),
      (steps) => {
        const ledger = new Ledger(8)
        let nowMs = 0
        for (const { n, version, act } of steps) {
          nowMs += 300
          if (act === 'add') ledger.add({ text: `${version}-${n}`, version }, { nowMs, forMs: 1000 })
          else if (act === 'remove') ledger.remove(`${version}-${n}`)
          else ledger.sweep(nowMs)
          assert.ok(ledger.size <= 8)
          const standing = [...ledger.standing()]
          assert.equal(ledger.count(4), standing.filter((one) => one.version === 4).length)
          assert.equal(ledger.count(6), standing.filter((one) => one.version === 6).length)
        }
      },
    ),
  )
})
