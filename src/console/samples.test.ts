import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ExchangeRecord } from '#record'
import { SampleDesk } from './samples.ts'

const LOOK = { host: '', isSecure: false, traits: [], fields: [], secret: [], isWhole: true }

function records(count: number, from = 0): ExchangeRecord[] {
  return Array.from(
    { length: count },
    (_, i) => ({ ray: String(from + i), look: LOOK }) as unknown as ExchangeRecord,
  )
}

const rays = (list: readonly ExchangeRecord[]) => list.map(({ ray }) => ray)

test('nothing is kept before somebody asks, nor when he no longer does', () => {
  const desk = new SampleDesk()
  desk.take(records(5), 0, 0)
  assert.equal(desk.isWanted(0), false)
  const { serial, records: first } = desk.since(undefined, 1000)
  assert.deepEqual([serial, first.length], [0, 0])
  assert.equal(desk.isWanted(5999), true)
  desk.take(records(3), 0, 5999)
  assert.equal(desk.isWanted(6000), false)
  assert.deepEqual(desk.since(0, 7000).records, [])
})

test('each answer goes on where the last one ended, for each who asks', () => {
  const desk = new SampleDesk()
  let mine = desk.since(undefined, 0).serial
  desk.take(records(2), 7, 10)
  const one = desk.since(mine, 20)
  assert.deepEqual([rays(one.records), one.lost], [['0', '1'], 7])
  mine = one.serial
  desk.take(records(2, 2), 0, 30)
  const two = desk.since(mine, 40)
  assert.deepEqual([rays(two.records), two.lost], [['2', '3'], 0])
  assert.deepEqual(rays(desk.since(0, 50).records), ['0', '1', '2', '3'])
  assert.deepEqual(desk.since(two.serial, 60).records, [])
})

test('records without a look, and the oldest beyond the bound, are counted as lost', () => {
  const desk = new SampleDesk()
  desk.since(undefined, 0)
  desk.take([{ ray: 'old' } as unknown as ExchangeRecord], 1, 1)
  desk.take(records(4100), 0, 2)
  const { records: kept, lost, serial } = desk.since(0, 3)
  assert.equal(kept.length, 4000)
  assert.equal(kept[0]!.ray, '100')
  assert.equal(lost, 102)
  assert.equal(serial, 4100)
})

test('a serial number of nobody is answered with what there is', () => {
  const desk = new SampleDesk()
  desk.since(undefined, 0)
  desk.take(records(2), 0, 1)
  assert.equal(desk.since(-5, 2).records.length, 2)
  assert.deepEqual(desk.since(1e9, 2), { serial: 1e9, records: [], lost: 0 })
})
