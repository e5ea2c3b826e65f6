import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Brain } from './brain.ts'
import { armedFor } from './calendar.ts'

const HOUR = 3_600_000
const vote = { name: 'vote', from: 10 * HOUR, until: 20 * HOUR, lead: 2 * HOUR }
const verdict = { name: 'verdict', from: 19 * HOUR, until: 30 * HOUR, lead: 0 }

test('armed from the lead before a date to its end; of two the one that ends last', () => {
  const at = (hour: number) => armedFor([verdict, vote], hour * HOUR)?.name
  assert.deepEqual([7.9, 8, 12, 19, 20, 29.9, 30].map(at), [
    undefined,
    'vote',
    'vote',
    'verdict',
    'verdict',
    'verdict',
    undefined,
  ])
})

test('the policy says what Digue is armed for, and a new policy goes out when that begins and ends', () => {
  const brain = new Brain({ sites: ['a.example'] }, 0)
  brain.setCalendar([vote])
  const serials = [7, 8, 9, 20].map((hour) => {
    const { serial, armed } = brain.tick(hour * HOUR)
    return [serial, armed?.name]
  })
  const [before, begun, on, over] = serials
  assert.deepEqual([before![1], begun![1], on![1], over![1]], [undefined, 'vote', 'vote', undefined])
  assert.notEqual(before![0], begun![0])
  assert.equal(begun![0], on![0])
  assert.notEqual(on![0], over![0])
  assert.equal(brain.status().armed, undefined)
})

test('armed, half the delay is overload', () => {
  for (const [armed, posture] of [
    [false, 'calm'],
    [true, 'strained'],
  ] as const) {
    const brain = new Brain({ sites: ['a.example'] }, 0)
    brain.setCalendar(armed ? [vote] : [])
    for (let i = 0; i < 3; i++) {
      const nowMs = 12 * HOUR + i * 250
      brain.receive(report(15), nowMs)
      brain.tick(nowMs)
    }
    assert.equal(brain.posture('a.example'), posture)
  }
})

function report(queueDelayMs: number): Parameters<Brain['receive']>[0] {
  const site = {
    tallies: [{ lane: 'unproven', action: 'relay', reason: '', count: 10, originMs: 100 }],
    queueDelayMs,
    queueDelayMaxMs: queueDelayMs,
    waiting: 0,
    longLived: 0,
    calm: [],
    calmLost: 0,
    latency: [],
    origins: [],
  } as const
  return {
    thread: 0,
    atMs: 0,
    sites: { 'a.example': site },
    gauges: {},
    counters: {},
    records: [],
    recordsLost: 0,
  }
}
