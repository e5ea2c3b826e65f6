import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Capacity } from './capacity.ts'

test('idle servers start at once, busy ones in turn', () => {
  const capacity = new Capacity(2, 10)
  assert.equal(capacity.take(10, 0)?.doneAtMs, 10)
  assert.equal(capacity.take(10, 0)?.doneAtMs, 10)
  assert.equal(capacity.take(10, 0)?.doneAtMs, 20)
  assert.equal(capacity.waiting(0), 1)
  assert.equal(capacity.waiting(10), 0)
})

test('a full queue turns away, and takes again once somebody has started', () => {
  const capacity = new Capacity(1, 2)
  for (let i = 0; i < 3; i++) assert.ok(capacity.take(10, 0))
  assert.equal(capacity.take(10, 0), undefined)
  assert.equal(capacity.take(10, 10)?.doneAtMs, 40)
})

test('never more than servers × time is worked, whatever arrives', () => {
  const jobs = fc.array(
    fc.record({ gap: fc.integer({ min: 0, max: 20 }), cost: fc.integer({ min: 1, max: 100 }) }),
    { minLength: 1, maxLength: 200 },
  )
  fc.assert(
    fc.property(jobs, fc.integer({ min: 1, max: 8 }), (list, servers) => {
      const capacity = new Capacity(servers, 50)
      let now = 0
      let work = 0
      let lastDone = 0
      for (const { gap, cost } of list) {
        now += gap
        const job = capacity.take(cost, now)
        if (!job) continue
        assert.ok(job.doneAtMs >= now + cost)
        work += cost
        lastDone = Math.max(lastDone, job.doneAtMs)
      }
      assert.ok(work <= servers * lastDone)
    }),
  )
})

test('a slower origin costs more per job', () => {
  const capacity = new Capacity(1, 10)
  capacity.factor = 3
  assert.deepEqual(capacity.take(10, 0), { doneAtMs: 30, costMs: 30 })
})
