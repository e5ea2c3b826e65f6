import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Judged } from './judged.ts'

const T0 = 1_800_000_000_000
const line = (atS: number, client: string, more: object = {}) =>
  `${JSON.stringify({ level: 'info', time: T0 + atS * 1000, client, reason: '', durationMs: 0, target: '/', msg: 'request', ...more })}\n`

const labels = new Map([
  ['127.40.0.1', 'attacker'],
  ['127.10.0.1', 'visitor'],
])

test('a flood is recognised when 95 % of its last second are under a signature', () => {
  const judged = new Judged(labels)
  for (let i = 0; i < 400; i++) {
    const atS = i / 100
    judged.feed(line(atS, '127.40.0.1', atS >= 1.5 ? { signature: 's' } : {}))
  }
  assert.equal(judged.secondsUntil('attacker', T0, T0 + 4000, 0.95), 2.5)
  assert.equal(judged.secondsUntil('attacker', T0, T0 + 2000, 0.95), undefined)
  assert.equal(judged.secondsUntil('attacker', T0 + 1600, T0 + 4000, 0.95), 0.2)
})

test('a request counts when it came, not when its line was written', () => {
  const judged = new Judged(labels)
  judged.feed(line(3, '127.10.0.1', { durationMs: 2500 }))
  assert.equal(judged.sum('visitor', T0, T0 + 1000).seen, 1)
  assert.equal(judged.sum('visitor', T0 + 1000, T0 + 9000).seen, 0)
})

test('visitors under a signature are counted by it; the stopped and Digue’s own pages are not looked at', () => {
  const judged = new Judged(labels)
  judged.feed(line(0, '127.10.0.1', { signature: 'a' }))
  judged.feed(line(0, '127.10.0.1'))
  judged.feed(line(0, '127.10.0.1', { target: '/.well-known/digue/proof?x' }))
  judged.feed(line(0, '127.40.0.1', { reason: 'hammering' }))
  assert.deepEqual(judged.sum('visitor', T0, T0 + 1000), { seen: 2, marked: 1, stopped: 0 })
  assert.deepEqual(judged.sum('attacker', T0, T0 + 1000), { seen: 0, marked: 0, stopped: 1 })
  assert.deepEqual([...judged.wrong], [['a', 1]])
})

test('lines that come in pieces, and what is no line, do no harm', () => {
  const judged = new Judged(labels)
  const text = `not json\n{broken\n${line(0, '127.10.0.1')}${JSON.stringify({ time: T0, code: 'signature', signature: 'x', msg: 'a flood is recognised: curl' })}\n${JSON.stringify({ time: T0, leftOut: 3, msg: 'request lines left out' })}\n`
  for (const letter of text) judged.feed(letter)
  assert.equal(judged.sum('visitor', T0, T0 + 1000).seen, 1)
  assert.deepEqual(judged.published, [{ id: 'x', reason: 'a flood is recognised: curl', atMs: T0 }])
  assert.equal(judged.leftOut, 3)
})
