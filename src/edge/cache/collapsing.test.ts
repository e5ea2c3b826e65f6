import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Flights } from '#cache'
import type { Exchange } from '../exchange.ts'
import { Collapsing, type Flight } from './collapsing.ts'

const KEY = 'http://example.org/'

type Asking = { ended: boolean; follows: number }
const asking = () => ({ ended: false, follows: 0 }) as Asking as unknown as Exchange

/** Threads that share flights and hear of each other's landings, and a clock. */
function threads(count = 1) {
  const memory = Flights.memory(64)
  const clock = { nowMs: 1_700_000_000_000 }
  const all = Array.from({ length: count }, (_, place) => {
    const again: Exchange[] = []
    const left: Exchange[] = []
    const announced: string[] = []
    const counted: string[] = []
    const collapsing = new Collapsing({
      flights: new Flights(memory, place),
      announce: (key) => announced.push(key),
      again: (exchange) => again.push(exchange),
      leaveLine: (exchange) => {
        left.push(exchange)
        collapsing.unqueued(exchange, KEY)
        thread.afterLeaving(exchange)
      },
      count: (counter) => counted.push(counter),
      nowMs: () => clock.nowMs,
    })
    const thread = { collapsing, again, left, announced, counted, afterLeaving: (_: Exchange) => {} }
    return thread
  })
  return { clock, memory, all, one: all[0]! }
}

const leading = (flight: Flight | undefined): Flight => {
  assert.ok(flight !== undefined)
  return flight
}

test('one leads, the others follow and look again when it has landed', () => {
  const { one } = threads()
  const flight = leading(one.collapsing.begin(KEY))
  assert.equal(one.collapsing.begin(KEY), undefined)
  const others = [asking(), asking()]
  for (const each of others) assert.ok(one.collapsing.follow(each, KEY))
  one.collapsing.landed(flight, true)
  assert.deepEqual(one.again, others)
  leading(one.collapsing.begin(KEY))
})

test('nobody follows more than twice, and whoever left is not told', () => {
  const { one } = threads()
  const patient = asking()
  const gone = asking()
  for (let n = 0; n < 2; n++) {
    const flight = leading(one.collapsing.begin(KEY))
    assert.ok(one.collapsing.follow(patient, KEY))
    if (n === 0) one.collapsing.follow(gone, KEY)
    ;(gone as unknown as Asking).ended = true
    one.collapsing.landed(flight, false)
  }
  leading(one.collapsing.begin(KEY))
  assert.equal(one.collapsing.follow(patient, KEY), false)
  assert.deepEqual(one.again, [patient, patient])
})

test('a leader that was given up does not land the flight after its own', () => {
  const { one, clock } = threads()
  const late = leading(one.collapsing.begin(KEY))
  clock.nowMs += 30_000
  one.collapsing.tick()
  assert.deepEqual(one.counted, ['cache-flight-late'])
  const flight = leading(one.collapsing.begin(KEY))
  const other = asking()
  one.collapsing.follow(other, KEY)
  one.collapsing.landed(late, false)
  assert.deepEqual(one.again, [])
  one.collapsing.landed(flight, false)
  assert.deepEqual(one.again, [other])
})

test('once the body comes, a leader that reads slowly is waited for two seconds', () => {
  const { one, clock } = threads()
  one.collapsing.copying(leading(one.collapsing.begin(KEY)))
  const other = asking()
  one.collapsing.follow(other, KEY)
  clock.nowMs += 1999
  one.collapsing.tick()
  assert.deepEqual(one.again, [])
  clock.nowMs += 1
  one.collapsing.tick()
  assert.deepEqual(one.again, [other])
})

test('a clock that is set back makes nobody wait until it is where it was', () => {
  const { one, clock } = threads()
  leading(one.collapsing.begin(KEY))
  const other = asking()
  one.collapsing.follow(other, KEY)
  clock.nowMs -= 3_600_000
  one.collapsing.tick()
  assert.deepEqual(one.again, [other])
})

test('those in line are served when the page lands; one who is admitted meanwhile is left alone', () => {
  const { one } = threads()
  const flight = leading(one.collapsing.begin(KEY))
  const [first, second, third] = [asking(), asking(), asking()]
  for (const each of [first, second, third]) one.collapsing.queued(each!, KEY)
  // The first makes room for the second.
  one.afterLeaving = (exchange) => {
    if (exchange === first) one.collapsing.unqueued(second!, KEY)
  }
  one.collapsing.landed(flight, true)
  assert.deepEqual(one.left, [first, third])
  assert.deepEqual(one.again, [first, third])
})

test('a page that is not stored leaves those in line where they stand', () => {
  const { one } = threads()
  const flight = leading(one.collapsing.begin(KEY))
  one.collapsing.queued(asking(), KEY)
  one.collapsing.landed(flight, false)
  one.collapsing.landedElsewhere(KEY, false)
  assert.deepEqual(one.left, [])
})

test('threads wait for each other, and are told', () => {
  const { all } = threads(2)
  const [here, there] = all as [(typeof all)[0], (typeof all)[0]]
  const flight = leading(here.collapsing.begin(KEY))
  assert.equal(there.collapsing.begin(KEY), undefined)
  const other = asking()
  assert.ok(there.collapsing.follow(other, KEY))
  here.collapsing.landed(flight, true)
  assert.deepEqual(here.announced, [KEY])
  there.collapsing.landedElsewhere(KEY, true)
  assert.deepEqual(there.again, [other])
})

test('a thread that dies in flight holds nobody for long', () => {
  const { all, memory, clock } = threads(2)
  const [here, there] = all as [(typeof all)[0], (typeof all)[0]]
  here.collapsing.begin(KEY)
  const other = asking()
  there.collapsing.follow(other, KEY)
  for (let n = 0; n < 3; n++) {
    clock.nowMs += 500
    there.collapsing.tick()
  }
  assert.deepEqual(there.again, [], 'it lives')
  Flights.release(memory, 0)
  for (let n = 0; n < 2; n++) {
    clock.nowMs += 500
    there.collapsing.tick()
  }
  assert.deepEqual(there.again, [other])
  assert.deepEqual(there.counted, ['cache-flight-lost'])
})

test('clients that come and go while a page is on its way are not kept', () => {
  const { one } = threads()
  const flight = leading(one.collapsing.begin(KEY))
  const stays = asking()
  one.collapsing.follow(stays, KEY)
  for (let n = 0; n < 10_000; n++) {
    const gone = asking()
    one.collapsing.follow(gone, KEY)
    ;(gone as unknown as Asking).ended = true
  }
  assert.ok(flight.followers.length <= 65)
  one.collapsing.landed(flight, true)
  assert.deepEqual(one.again, [stays])
})
