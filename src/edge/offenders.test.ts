import assert from 'node:assert/strict'
import { test } from 'node:test'
import { identify } from '#networks'
import { MOST_OFFENDERS, Offenders } from './offenders.ts'

function scene(spared: readonly string[] = []) {
  const counters = new Map<string, number>()
  const offenders = new Offenders({
    isSpared: (peer) => spared.includes(peer.text),
    count: (name) => counters.set(name, (counters.get(name) ?? 0) + 1),
  })
  const tries = (text: string, times: number, fromMs = 0, everyMs = 1) => {
    for (let i = 0; i < times; i++) offenders.tried(identify(text), fromMs + i * everyMs)
  }
  return { offenders, counters, tries }
}

test('whoever tries twenty times within ten seconds of being dropped is told of, and once', () => {
  const { offenders, tries } = scene()
  tries('192.0.2.1', 19)
  assert.equal(offenders.drain(), undefined)
  tries('192.0.2.1', 1, 20)
  tries('192.0.2.2', 45)
  assert.deepEqual(offenders.drain(), ['192.0.2.1', '192.0.2.2'])
  assert.equal(offenders.drain(), undefined)
  tries('192.0.2.1', 20, 5000)
  assert.deepEqual(offenders.drain(), ['192.0.2.1'], 'silenced by nobody, and still there')
})

test('whoever comes now and then is not', () => {
  const { offenders, tries } = scene()
  tries('192.0.2.1', 100, 0, 600)
  assert.equal(offenders.drain(), undefined)
})

test('a subscriber that tries from many addresses is one', () => {
  const { offenders, tries } = scene()
  for (let i = 1; i <= 20; i++) tries(`2001:db8::${i}`, 1)
  assert.deepEqual(offenders.drain(), ['2001:db8::20'])
})

test('whoever speaks for others is spared', () => {
  const { offenders, tries } = scene(['192.0.2.7'])
  tries('192.0.2.7', 1000)
  assert.equal(offenders.drain(), undefined)
})

test('a report holds so many, and the rest are counted', () => {
  const { offenders, tries, counters } = scene()
  for (let i = 0; i < 5000; i++) tries(`10.0.${i >> 8}.${i & 255}`, 20)
  assert.equal(offenders.drain()?.length, MOST_OFFENDERS)
  assert.equal(counters.get('offenders-left-out'), 5000 - MOST_OFFENDERS)
})
