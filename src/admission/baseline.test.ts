import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Baseline, LogBaseline, type LoggedUse } from './baseline.ts'
import { WeightTable } from './weights.ts'

const key = { k0: 7, k1: 8 }
const DAY = 86_400_000

function use(asn: number, host: number, originMs = 10) {
  return { asn, prefix: `p${asn}`, subscriber: `s${asn}.${host}`, originMs }
}

function learned(): Baseline {
  const baseline = new Baseline({ key })
  for (let i = 0; i < 300; i++) baseline.learn([use(1, i % 50), use(1, i % 50), use(2, i % 50)], i)
  return baseline
}

test('shares are those of origin time, and readers of the table see them', () => {
  const baseline = learned()
  const table = WeightTable.create({ key, slots: 1024 })
  assert.equal(table.hasBaseline, false)
  assert.ok(baseline.publish(table))
  const reader = new WeightTable(table.memory)
  assert.ok(reader.hasBaseline)
  assert.ok(Math.abs(reader.asn(1) - 2 / 3) < 1e-6)
  assert.ok(Math.abs(reader.asn(2) - 1 / 3) < 1e-6)
  assert.equal(reader.asn(3), 0)
  assert.equal(reader.prefix('p1'), Math.fround(0.1), 'no prefix is worth more than a tenth')
  assert.ok(Math.abs(reader.subscriber('s1.7') - 2 / 150) < 1e-6)
  assert.equal(reader.subscriber('s9.9'), 0)
})

test('a baseline of a few requests is not published', () => {
  const baseline = new Baseline({ key })
  baseline.learn([use(1, 1), use(2, 2)], 0)
  assert.equal(baseline.publish(WeightTable.create({ key, slots: 64 })), false)
})

test('a network that left fades by half in three days', () => {
  const baseline = learned()
  const before = baseline.asnShare(2)
  for (let i = 0; i < 300; i++) baseline.learn([use(3, i % 50, 30)], 3 * DAY)
  assert.ok(Math.abs(baseline.asnShare(2) - before / 3) < 0.01, String(baseline.asnShare(2)))
})

test('it survives being kept and read back, and years of uptime', () => {
  const baseline = learned()
  baseline.learn([use(1, 1)], 400 * DAY)
  const again = Baseline.fromState(JSON.parse(JSON.stringify(baseline.toState())))!
  assert.ok(again.isReady)
  assert.ok(Math.abs(again.asnShare(1) - baseline.asnShare(1)) < 1e-4)
  assert.ok(again.asnShare(1) > 0.999)
})

test('what is not a kept baseline is refused', () => {
  for (const state of [
    undefined,
    null,
    3,
    {},
    { ...learned().toState(), asns: [['x', 1]] },
    { ...learned().toState(), key: {} },
  ])
    assert.equal(Baseline.fromState(state), undefined)
})

test('a million addresses leave as much as the bound allows, and the heavy ones stay', () => {
  const baseline = new Baseline({ key, maxSubscribers: 1000, maxPrefixes: 500, maxAsns: 100 })
  for (let i = 0; i < 200_000; i++) {
    baseline.learn([{ asn: i % 5000, prefix: `p${i % 60_000}`, subscriber: `s${i}`, originMs: 1 }], 0)
    if (i % 100 === 0)
      baseline.learn([{ asn: 77_777, prefix: 'heavy', subscriber: 'heavy', originMs: 50 }], 0)
  }
  const state = baseline.toState()
  assert.ok(state.subscribers.length <= 1250 && state.prefixes.length <= 625 && state.asns.length <= 125)
  assert.equal(state.asns[0]![0], 77_777)
  assert.equal(state.prefixes[0]![0], 'heavy')
  assert.ok(baseline.forgotten > 100_000)
})

test('a full table leaves out the lightest and says how many', () => {
  const table = WeightTable.create({ key, slots: 16 })
  table.publish(Array.from({ length: 30 }, (_, i) => [i * 0x1234567, 1 - i / 100] as const))
  assert.ok(table.leftOut >= 20)
})

test('an old attack in an access log is not learned', () => {
  const log = new LogBaseline(new Baseline({ key }))
  const line = (atMs: number, asn: number, host: number, status = 200): LoggedUse => ({
    atMs,
    status,
    ...use(asn, host),
  })
  for (let slot = 0; slot < 20; slot++) {
    for (let i = 0; i < 100; i++) log.add(line(slot * 600_000 + i, 1 + (i % 2), i))
    if (slot === 15) for (let i = 0; i < 5000; i++) log.add(line(slot * 600_000 + 200, 666, i))
    if (slot === 16) for (let i = 0; i < 50; i++) log.add(line(slot * 600_000 + 200, 667, i, 404))
  }
  log.finish()
  assert.equal(log.baseline.asnShare(666), 0)
  assert.equal(log.baseline.asnShare(667), 0)
  assert.ok(Math.abs(log.baseline.asnShare(1) - 0.5) < 0.01)
  assert.equal(log.leftOut, 5100 + 50)
})
