import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { Meter, type MeterMemory } from './meter.ts'

const now = 1_800_000_000

/** Ids as MACs are: all bits look random. */
function idOf(n: number): string {
  return hash('sha256', `id ${n}`, 'buffer').toString('base64url', 0, 8)
}

test('it says what a map would say, whatever is spent and whatever expires', () => {
  const step = fc.record({
    id: fc.nat(30),
    ms: fc.oneof(fc.nat(1000), fc.double({ min: 0, max: 5, noNaN: true }), fc.constant(-3)),
    lifeS: fc.integer({ min: -1, max: 100 }),
    waitS: fc.nat(20),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const meter = Meter.create({ slots: 64 })
      const model = new Map<string, { ms: number; end: number }>()
      let s = now
      let refused = 0
      for (const { id: n, ms: raw, lifeS, waitS } of steps) {
        s += waitS
        const id = idOf(n)
        const ms = Math.round(raw * 16) / 16
        const end = s + lifeS
        const before = model.get(id)
        const isAlive = before !== undefined && before.end > s
        if (meter.spend(id, raw, end, s)) {
          if (isAlive) {
            before.ms = Math.max(0, before.ms + ms)
            before.end = Math.max(before.end, end)
          } else if (end > s) model.set(id, { ms: Math.max(0, ms), end })
        } else {
          refused++
          assert.ok(!isAlive, 'a living entry is never refused')
          const living = [...model.values()].filter((entry) => entry.end > s).length
          assert.ok(living >= 8, `refused with ${living} living`)
        }
        assert.equal(meter.refused, refused)
        for (const [other, entry] of model) {
          assert.equal(meter.spentMs(other, s), entry.end > s ? entry.ms : 0)
        }
      }
      assert.equal(meter.living(s), [...model.values()].filter((entry) => entry.end > s).length)
    }),
  )
})

test('the table is seven tenths full before it refuses anybody, and forgets nobody then', () => {
  const meter = Meter.create({ slots: 1 << 14 })
  let entered = 0
  while (meter.spend(idOf(entered), 5, now + 1800, now)) entered++
  assert.ok(entered >= 0.7 * meter.slots, `${entered} of ${meter.slots}`)
  assert.equal(meter.refused, 1)
  for (let n = entered + 1; n < 20_000; n++) meter.spend(idOf(n), 5, now + 1800, now)
  for (let n = 0; n < entered; n++) assert.equal(meter.spentMs(idOf(n), now + 1799), 5)
  assert.equal(meter.living(now + 1799), 20_000 - meter.refused)
  // Half an hour later there is room for as many again.
  for (let n = 0; n < 0.7 * meter.slots; n++)
    assert.ok(meter.spend(idOf(50_000 + n), 1, now + 3600, now + 1800))
})

test('ids that differ in one bit, and the id of zeros, are kept apart', () => {
  const meter = Meter.create({ slots: 1 << 16 })
  const ids = ['AAAAAAAAAAA']
  for (let bit = 0; bit < 64; bit++) {
    const bytes = Buffer.alloc(8)
    bytes[bit >> 3] = 128 >> (bit & 7)
    ids.push(bytes.toString('base64url'))
  }
  // A table chooses buckets by few bits of a half: such ids do not all find room.
  const entered = ids.filter((id, i) => meter.spend(id, i + 1, now + 10, now))
  assert.ok(entered.length > 30, `${entered.length} entered`)
  for (const id of ids) assert.equal(meter.spentMs(id, now), entered.includes(id) ? ids.indexOf(id) + 1 : 0)
})

test('an advance can be given back, and nothing is below zero or beyond all bounds', () => {
  const meter = Meter.create({ slots: 64 })
  const id = idOf(1)
  meter.spend(id, 100, now + 10, now)
  meter.spend(id, -60, now + 10, now)
  assert.equal(meter.spentMs(id, now), 40)
  meter.spend(id, -60, now + 10, now)
  assert.equal(meter.spentMs(id, now), 0)
  for (let i = 0; i < 100; i++) meter.spend(id, 2 ** 25, now + 10, now)
  assert.equal(meter.spentMs(id, now), 2 ** 26)
  meter.spend(id, 0.3, now + 10, now)
  assert.equal(meter.spentMs(id, now), 2 ** 26)
})

test('a claim is good once, and again when it is forgotten', () => {
  const meter = Meter.create({ slots: 64 })
  assert.ok(meter.claimOnce(idOf(1), now + 10, now))
  assert.ok(!meter.claimOnce(idOf(1), now + 10, now + 9))
  assert.ok(meter.claimOnce(idOf(2), now + 10, now))
  assert.ok(meter.claimOnce(idOf(1), now + 20, now + 10))
  assert.ok(!meter.claimOnce(idOf(3), now, now), 'one that has expired already is not worth a place')
})

test('times after 2038 are times', () => {
  const meter = Meter.create({ slots: 64 })
  const later = 3_000_000_000
  assert.ok(meter.spend(idOf(1), 5, later + 10, later))
  assert.equal(meter.spentMs(idOf(1), later + 9), 5)
  assert.equal(meter.spentMs(idOf(1), later + 10), 0)
  assert.ok(!meter.claimOnce(idOf(1), later + 10, later))
})

/** Runs `body(meter, n)` on three threads at once and gives what each returned. */
function onThreads(memory: MeterMemory, body: string): Promise<unknown[]> {
  const code = `
    const { workerData, parentPort } = require('node:worker_threads')
    import(workerData.module).then(({ Meter }) => {
      const meter = new Meter(workerData.memory)
      const { hash } = require('node:crypto')
      const id = (n) => hash('sha256', 'id ' + n, 'buffer').toString('base64url', 0, 8)
      const start = new Int32Array(workerData.start)
      // All threads have come to their n-th meeting.
      const meet = (n) => {
        Atomics.add(start, 0, 1)
        Atomics.notify(start, 0)
        for (let seen; (seen = Atomics.load(start, 0)) < 3 * n; ) Atomics.wait(start, 0, seen)
      }
      meet(1)
      parentPort.postMessage(((meter, id, meet) => { ${body} })(meter, id, meet))
    })`
  const module = new URL('./meter.ts', import.meta.url).href
  const start = new SharedArrayBuffer(4)
  return Promise.all(
    [0, 1, 2].map(
      (thread) =>
        new Promise((resolve, reject) => {
          const worker = new Worker(code, {
            eval: true,
            execArgv: ['-C', 'source'],
            workerData: { module, memory, thread, start },
          })
          worker.once('message', resolve)
          worker.once('error', reject)
        }),
    ),
  )
}

test('what three threads spend at once is added up', async () => {
  const meter = Meter.create({ slots: 4096 })
  await onThreads(
    meter.memory,
    `const ids = Array.from({ length: 500 }, (_, n) => id(n))
     for (let round = 0; round < 200; round++) for (const one of ids) meter.spend(one, 0.5, 1800000100, 1800000000)`,
  )
  for (let n = 0; n < 500; n++) assert.equal(meter.spentMs(idOf(n), now), 300)
  assert.equal(meter.refused, 0)
})

test('of three threads that claim the same ids at once, one gets each', async () => {
  const meter = Meter.create({ slots: 1 << 15 })
  const won = (await onThreads(
    meter.memory,
    'const won = []; for (let n = 0; n < 15000; n++) if (meter.claimOnce(id(n), 1800000100, 1800000000)) won.push(n); return won',
  )) as number[][]
  const winners = won.flat()
  assert.equal(winners.length, 15_000)
  assert.equal(new Set(winners).size, 15_000)
})

test('nobody gets a second time what is claimed while entries expire all around', async () => {
  const meter = Meter.create({ slots: 512 })
  // Sixty-four ids a second, each remembered for four: slots are taken over all the time.
  const won = (await onThreads(
    meter.memory,
    `const won = []
     for (let second = 0; second < 500; second++) {
       meet(second + 2)
       for (let n = second * 64; n < second * 64 + 64; n++)
         if (meter.claimOnce(id(n), 1800000004 + second, 1800000000 + second)) won.push(n)
     }
     return won`,
  )) as number[][]
  const winners = won.flat()
  assert.equal(new Set(winners).size, winners.length)
  assert.ok(winners.length > 31_000, `${winners.length} won`)
})
