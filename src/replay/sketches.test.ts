import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ByteTable } from './byte-table.ts'
import { CalmClients } from './calm-clients.ts'
import { ClientSample, type SampledClient } from './client-sample.ts'
import { bucketOf, LoadModel, type SecondFigures } from './load-model.ts'
import { seeded } from './log.fixture.ts'
import { NO_CLIENT } from './log-words.ts'
import { Timeline } from './timeline.ts'
import { TopCounts } from './top-counts.ts'
import { Week } from './week.ts'

describe('ByteTable', () => {
  test('gives one object for equal bytes, wherever they stand, and another for others', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 60 }),
        fc.nat(9),
        (texts, shift) => {
          const table = new ByteTable(64, (data, start, end) => ({
            text: data.toString('latin1', start, end),
          }))
          for (const text of texts) {
            const data = Buffer.concat([Buffer.alloc(shift, 7), text, Buffer.from('tail')])
            assert.equal(
              table.get(data, shift, shift + text.length).text,
              Buffer.from(text).toString('latin1'),
            )
          }
        },
      ),
    )
  })

  test('what is asked for again stays the same object while others come and go', () => {
    let made = 0
    const table = new ByteTable(64, (data, start, end) => {
      made++
      return { text: data.toString('latin1', start, end) }
    })
    const hot = Buffer.from('hot')
    const first = table.get(hot, 0, 3)
    for (let i = 0; i < 10_000; i++) {
      const cold = Buffer.from(`cold ${i}`)
      table.get(cold, 0, cold.length)
      if (i % 16 === 0) assert.equal(table.get(hot, 0, 3), first)
    }
    assert.equal(made, 10_001)
  })
})

describe('TopCounts', () => {
  test('is exact with room, and with less of it lacks no more than it says', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(60), { maxLength: 2000 }),
        fc.integer({ min: 4, max: 40 }),
        (keys, capacity) => {
          const counts = new TopCounts<number>(capacity)
          const truth = new Map<number, number>()
          for (const key of keys) {
            counts.add(key)
            truth.set(key, (truth.get(key) ?? 0) + 1)
          }
          assert.equal(counts.total, keys.length)
          assert.ok(counts.size <= 2 * capacity)
          for (const [key, count] of truth) {
            assert.ok(counts.get(key) <= count)
            assert.ok(counts.get(key) >= count - counts.lacking, `${counts.get(key)} of ${count}`)
          }
          if (truth.size <= 2 * capacity) assert.equal(counts.lacking, 0)
        },
      ),
    )
  })

  test('a heavy one among a hundred thousand that come once is found', () => {
    const counts = new TopCounts<string>(64)
    for (let i = 0; i < 100_000; i++) counts.add(i % 20 === 0 ? 'heavy' : `once ${i}`)
    assert.equal(counts.top(1)[0]!.key, 'heavy')
    assert.ok(counts.top(1)[0]!.count > 4900)
  })
})

describe('ClientSample', () => {
  const clientOf = (i: number, hash: number) => ({
    text: `${i}`,
    prefix: '',
    subscriber: '',
    asn: 0,
    hash,
    rememberedIn: undefined,
  })
  const sampled = (client: SampledClient['client']): SampledClient => ({
    client,
    wasKnown: false,
    firstAtMs: 0,
    lastAtMs: 0,
    requests: 0,
    assets: 0,
    withReferrer: 0,
    fromElsewhere: 0,
    withQuery: 0,
    failed: 0,
    firstTarget: '',
    hasOthers: false,
    agent: '',
  })

  for (const [distinct, seed] of [
    [10, 1],
    [2000, 2],
    [50_000, 3],
    [300_000, 4],
  ] as const)
    test(`${distinct} distinct clients are counted to three standard errors, and requests of the sampled exactly`, () => {
      const random = seeded(seed)
      const clients = Array.from({ length: distinct }, (_, i) => clientOf(i, Math.floor(random() * 2 ** 32)))
      const sample = new ClientSample()
      for (let round = 0; round < 2; round++)
        for (const client of clients) {
          if (!sample.wants(client)) continue
          let one = sample.get(client)
          if (one === undefined) sample.add((one = sampled(client)))
          one.requests++
        }
      const estimate = sample.distinct
      assert.ok(Math.abs(estimate - distinct) <= 3 * sample.error * distinct, String(estimate))
      if (distinct <= 2000) assert.equal(estimate, distinct)
      assert.ok(sample.clients.length <= 4096)
      assert.ok(sample.clients.every(({ requests }) => requests === 2))
    })
})

test('CalmClients knows everybody it was told, and hardly anybody else', () => {
  const random = seeded(5)
  const calm = new CalmClients()
  const anybody = () => ({ ...NO_CLIENT, hash: Math.floor(random() * 2 ** 32) })
  const clients = Array.from({ length: 100_000 }, anybody)
  for (const client of clients) calm.remember(client)
  assert.ok(clients.every((client) => calm.has(client)))
  let wrong = 0
  for (let i = 0; i < 100_000; i++) if (calm.has(anybody())) wrong++
  assert.ok(wrong < 150, String(wrong))
})

test('buckets of rates are exact when small and 6 % wide when large, and in order', () => {
  for (let rate = 0, last = -1; rate < 40; rate++) {
    const bucket = bucketOf(rate)
    assert.ok(bucket > last || rate > 32)
    last = bucket
  }
  fc.assert(
    fc.property(fc.nat(1e9), fc.nat(1e9), (a, b) => {
      if (a <= b) assert.ok(bucketOf(a) <= bucketOf(b))
      if (b > 1.13 * a + 1) assert.ok(bucketOf(a) < bucketOf(b))
    }),
  )
})

describe('LoadModel', () => {
  const second = (requests: number, more: Partial<SecondFigures> = {}): SecondFigures => ({
    requests,
    pages: requests,
    overloaded: 0,
    durationMs: 0,
    timed: 0,
    ...more,
  })

  test('judges nothing before it has seen a minute, unless capacity is given', () => {
    assert.equal(new LoadModel().judge(second(1e6)).queueDelayMs, 0)
    assert.ok(new LoadModel(100).judge(second(1e6)).queueDelayMs > 0)
  })

  test('a rate above capacity makes a queue of a second at most, and the rest is shed', () => {
    const model = new LoadModel(100)
    assert.deepEqual(model.judge(second(90)), { queueDelayMs: 0, shed: 0, isOwnTrouble: false })
    assert.equal(model.judge(second(150)).queueDelayMs, 500)
    assert.deepEqual(model.judge(second(400)), { queueDelayMs: 1000, shed: 250, isOwnTrouble: false })
    assert.equal(model.judge(second(0)).queueDelayMs, 0)
  })

  test('what grows within ten minutes is measured by what was before', () => {
    const model = new LoadModel()
    for (let s = 0; s < 3600; s++) model.learn(second(20))
    const { capacity } = model
    for (let s = 0; s < 600; s++) model.learn(second(20 + s))
    assert.equal(model.capacity, capacity)
  })

  test('slow answers with many more requests are overload, alone they are trouble', () => {
    const model = new LoadModel()
    const calm = second(10, { durationMs: 500, timed: 10 })
    for (let s = 0; s < 600; s++) model.learn(calm)
    const slow = (requests: number) =>
      model.judge(second(requests, { durationMs: requests * 5000, timed: requests }))
    assert.ok(slow(40).queueDelayMs > 1000)
    assert.deepEqual(slow(10), { queueDelayMs: 0, shed: 0, isOwnTrouble: true })
  })

  test('is the same after being kept', () => {
    const model = new LoadModel()
    for (let s = 0; s < 500; s++) model.learn(second(s % 90))
    const other = new LoadModel()
    other.restore(JSON.parse(JSON.stringify(model.toState())))
    assert.equal(other.capacity, model.capacity)
    assert.equal(other.typical, model.typical)
  })
})

test('a week in a zone with summer time: an hour that is skipped has no rate, all others do', () => {
  // Paris, the last Sunday of March 2026.
  const week = new Week((atMs) => (atMs < Date.UTC(2026, 2, 29, 1) ? 3_600_000 : 7_200_000))
  for (let hour = 0; hour < 24; hour++) week.add(Date.UTC(2026, 2, 28, 23 + hour, 30) / 1000)
  const sunday = week.rates.slice(6 * 24, 7 * 24)
  assert.equal(sunday[2], undefined)
  assert.ok(sunday.filter((rate) => rate !== undefined).length === 23)
  assert.ok(week.rates[0] !== undefined, 'the last hour is Monday')
})

test('a timeline of any length has at most 240 steps and loses nothing', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1e7), { minLength: 1, maxLength: 300 }), (seconds) => {
      const timeline = new Timeline()
      for (const second of seconds.toSorted((a, b) => a - b)) timeline.add(second, 1)
      const { counts } = timeline.steps
      assert.ok(counts.length <= 240)
      assert.equal(
        counts.reduce((a, b) => a + b, 0),
        seconds.length,
      )
    }),
  )
})
