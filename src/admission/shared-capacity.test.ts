import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { SharedCapacity } from './shared-capacity.ts'

test('permits are exact among threads that take and return them at once', async () => {
  const capacity = SharedCapacity.create({ sites: 2, threads: 3 })
  capacity.configure(1, { initial: 7, max: 7 })
  const code = `
    const { workerData, parentPort } = require('node:worker_threads')
    import(workerData.module).then(({ SharedCapacity }) => {
      const capacity = new SharedCapacity(workerData.memory)
      let most = 0, taken = 0
      for (let i = 0; i < 200000; i++) {
        if (!capacity.take(1, workerData.thread)) continue
        taken++
        most = Math.max(most, capacity.state(1).inFlight)
        capacity.release(1, workerData.thread)
      }
      // The last of them dies with three permits in hand.
      if (workerData.thread === 2) for (let i = 0; i < 3; i++) capacity.force(1, 2)
      parentPort.postMessage({ most, taken })
    })`
  const module = new URL('./shared-capacity.ts', import.meta.url).href
  const results = await Promise.all(
    [0, 1, 2].map(
      (thread) =>
        new Promise<{ most: number; taken: number }>((resolve, reject) => {
          const worker = new Worker(code, {
            eval: true,
            execArgv: ['-C', 'source'],
            workerData: { module, memory: capacity.memory, thread },
          })
          worker.once('message', resolve)
          worker.once('error', reject)
        }),
    ),
  )
  for (const { most, taken } of results) assert.ok(most <= 7 && taken > 0)
  assert.equal(capacity.state(1).inFlight, 3)
  assert.equal(capacity.returnPermitsOf(2), 3)
  assert.equal(capacity.state(1).inFlight, 0)
  assert.equal(capacity.state(0).inFlight, 0)
})

test('no permit beyond the limit, except by force', () => {
  const capacity = SharedCapacity.create({ sites: 1, threads: 1 })
  capacity.configure(0, { initial: 2 })
  assert.deepEqual([capacity.take(0, 0), capacity.take(0, 0), capacity.take(0, 0)], [true, true, false])
  capacity.force(0, 0)
  assert.equal(capacity.state(0).inFlight, 3)
  capacity.release(0, 0)
  assert.equal(capacity.take(0, 0), false)
})

test('a freed permit wakes the thread whose next request has the smallest start tag', async () => {
  const capacity = SharedCapacity.create({ sites: 1, threads: 3 })
  capacity.force(0, 0)
  capacity.publish(0, 1, 5, 20)
  capacity.publish(0, 2, 5, 10)
  assert.equal(capacity.smallestTagElsewhere(0, 0), 10)
  assert.equal(capacity.smallestTagElsewhere(0, 2), 20)
  const other = new SharedCapacity(capacity.memory)
  const woken = new SharedCapacity(capacity.memory).woken(2)
  other.release(0, 0)
  await woken
})

test('a wake that came before anybody listened is not lost', async () => {
  const capacity = SharedCapacity.create({ sites: 1, threads: 2 })
  capacity.publish(0, 1, 1, 0)
  const listener = new SharedCapacity(capacity.memory)
  capacity.force(0, 0)
  capacity.release(0, 0)
  await listener.woken(1)
})

test('a thread that died waits in no line any more', () => {
  const capacity = SharedCapacity.create({ sites: 1, threads: 2 })
  capacity.publish(0, 1, 5, 1)
  assert.equal(capacity.isIdle(0), false)
  capacity.returnPermitsOf(1)
  assert.ok(capacity.isIdle(0))
  assert.equal(capacity.smallestTagElsewhere(0, 0), Number.POSITIVE_INFINITY)
})

test('the limit follows the median of what the threads measured', () => {
  const capacity = SharedCapacity.create({ sites: 1, threads: 1 })
  const window = (ratio: number, nowMs: number): number => {
    for (let i = 0; i < 20; i++) capacity.sample(0, ratio)
    while (capacity.take(0, 0));
    capacity.updateLimits(nowMs)
    return capacity.state(0).limit
  }
  let limit = 0
  for (let now = 0; now < 1000; now += 100) limit = window(1, now)
  assert.ok(limit >= 80)
  const before = limit
  for (let now = 1000; now < 2000; now += 100) limit = window(8, now)
  assert.ok(limit < before / 1.5)
  for (const odd of [0, Number.NaN, Number.POSITIVE_INFINITY, -1]) capacity.sample(0, odd)
  capacity.updateLimits(3000)
})
