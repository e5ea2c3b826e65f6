import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FLAT_WEIGHTS, type Weights } from '#admission'
import type { ClientAddress } from '#networks'
import type { Connection } from '../connection.ts'
import { ConnectionBudget, connectionLimit, descriptorLimit, type Seat } from './connection-budget.ts'

function address(asn: number, n: number): ClientAddress {
  const text = `10.${asn & 255}.${(n >> 8) & 255}.${n & 255}`
  return { text, version: 4, prefix: `10.${asn & 255}.${(n >> 8) & 255}.0/24`, subscriber: text, asn }
}

/** Network 1 is where visitors come from. */
const CALM: Weights = {
  version: 1,
  hasBaseline: true,
  floor: 1 / 2000,
  asn: (asn) => (asn === 1 ? 1 : 0),
  prefix: () => 0,
  subscriber: () => 0,
}

function served(state: Partial<Connection>): Connection {
  return { requests: 1, active: 0, proven: false, idleSinceMs: 0, ...state } as Connection
}

function makeBudget(
  limit: number,
  weights: Weights = CALM,
  openByThread: Int32Array = new Int32Array(1),
  thread = 0,
) {
  const counters = new Map<string, number>()
  const budget = new ConnectionBudget({
    limit,
    weights,
    openByThread,
    thread,
    count: (name, by = 1) => counters.set(name, (counters.get(name) ?? 0) + by),
  })
  const closed: string[] = []
  const take = (client: ClientAddress, nowMs: number, state?: Partial<Connection>): Seat | undefined => {
    const seat = budget.take(client, () => closed.push(client.text), nowMs)
    if (seat !== undefined && state !== undefined) seat.connection = served(state)
    return seat
  }
  return { budget, counters, closed, take }
}

test('when full, a slow connection without a head goes first, then an idle one, then a resting one', () => {
  const { budget, take, closed, counters } = makeBudget(3)
  take(address(1, 1), 0, { proven: true })
  take(address(1, 2), 0, {})
  take(address(1, 3), 0)
  budget.tick(5000)
  take(address(1, 4), 5000, { active: 1 })
  take(address(1, 5), 5000, { active: 1 })
  take(address(1, 6), 5000, { active: 1 })
  assert.deepEqual(closed, ['10.1.0.3', '10.1.0.2', '10.1.0.1'])
  assert.deepEqual(
    ['connection-evicted-slow', 'connection-evicted-idle', 'connection-evicted-resting'].map((name) =>
      counters.get(name),
    ),
    [1, 1, 1],
  )
})

test('nobody’s open exchange is broken for a newcomer, unless it has been unproven and busy for long', () => {
  const { budget, take, closed, counters } = makeBudget(2)
  take(address(5, 1), 0, { active: 1 })
  take(address(5, 2), 0, { active: 1, proven: true })
  budget.tick(1)
  assert.equal(take(address(1, 3), 5000), undefined)
  assert.equal(counters.get('connection-refused'), 1)
  assert.ok(take(address(1, 3), 11_000))
  assert.deepEqual(closed, ['10.5.0.1'])
})

/** A flood of idle connections from five strange networks; then a hundred visitors come. */
function idleFlood(weights: Weights) {
  const { budget, take } = makeBudget(1000, weights)
  const visitors: Seat[] = []
  const open = new Set<string>()
  for (let n = 0; n < 100; n++) {
    const client = address(1, n)
    open.add(client.text)
    const seat = budget.take(client, () => open.delete(client.text), n)
    if (seat !== undefined) visitors.push(seat)
  }
  for (let n = 0; n < 20_000; n++) take(address(100 + (n % 5), n), 200 + n / 100)
  return open.size
}

test('a flood of idle connections pushes out its own, not the visitors’', () => {
  assert.equal(idleFlood(CALM), 100)
})

test('without weights the same flood pushes visitors out', () => {
  assert.ok(idleFlood(FLAT_WEIGHTS) < 100)
})

test('the total holds over threads', () => {
  const shared = new Int32Array(new SharedArrayBuffer(8))
  const one = makeBudget(10, CALM, shared, 0)
  const other = makeBudget(10, CALM, shared, 1)
  for (let n = 0; n < 9; n++) one.take(address(1, n), 0, { active: 1 })
  other.take(address(1, 20), 0, { active: 1 })
  assert.equal(other.take(address(1, 21), 0), undefined)
  assert.deepEqual([...shared], [9, 1])
})

test('a client named by the PROXY protocol is charged to its own network', () => {
  const { budget, take, closed } = makeBudget(4)
  const seats = [1, 2, 3, 4].map((n) => take(address(7, n), 0)!)
  budget.rename(seats[0]!, address(1, 1), 0)
  budget.rename(seats[1]!, address(1, 2), 0)
  budget.rename(seats[2]!, address(1, 3), 0)
  take(address(1, 9), 10)
  assert.deepEqual(closed, ['10.7.0.4'])
})

test('whatever happens, no more are open than the limit, and leaving twice is leaving once', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          asn: fc.integer({ min: 1, max: 4 }),
          n: fc.nat(50),
          leave: fc.boolean(),
          active: fc.nat(1),
          proven: fc.boolean(),
        }),
        {
          maxLength: 200,
        },
      ),
      (steps) => {
        const { budget } = makeBudget(8)
        const open: Seat[] = []
        let nowMs = 0
        for (const step of steps) {
          nowMs += 700
          budget.tick(nowMs)
          if (step.leave && open.length > 0) {
            const seat = open[step.n % open.length]!
            budget.leave(seat)
            budget.leave(seat)
            open.splice(open.indexOf(seat), 1)
            continue
          }
          const seat: Seat | undefined = budget.take(
            address(step.asn, step.n),
            () => open.splice(open.indexOf(seat!), 1),
            nowMs,
          )
          if (seat === undefined) continue
          seat.connection = served({ active: step.active, proven: step.proven, requests: step.n % 2 })
          open.push(seat)
          assert.ok(open.length <= 8)
          assert.equal(budget.open, open.length)
        }
      },
    ),
  )
})

test('"auto" leaves descriptors for the origin and for Digue itself', () => {
  const memory = 64e9
  assert.equal(connectionLimit(123), 123)
  assert.equal(
    connectionLimit('auto', 20_000, memory),
    Math.min(13_162, connectionLimit('auto', 1e9, memory)),
  )
  assert.ok(connectionLimit('auto', 1024, memory) <= 512)
  assert.ok(connectionLimit('auto', 1_000_000, 512e6) <= 2560)
  assert.ok((descriptorLimit() ?? 1) > 0)
  assert.equal(descriptorLimit('/nonexistent'), undefined)
})
