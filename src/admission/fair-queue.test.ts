import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LANES, type Lane } from './claim.ts'
import { type Entry, FairQueue, LANE_SHARES, MARKED_WEIGHT, type Payer } from './fair-queue.ts'
import type { Weights } from './weights.ts'

function payer(asn: number, prefix: number, host = 1, lane: Lane = 'unproven', effort = 0): Payer {
  return {
    asn,
    prefix: `10.${asn & 255}.${prefix & 255}.0/24`,
    subscriber: `10.${asn & 255}.${prefix & 255}.${host}`,
    lane,
    effort,
  }
}

function weightsOf(shares: Readonly<Record<number, number>>): Weights {
  return {
    version: 1,
    hasBaseline: true,
    floor: 1 / 2000,
    asn: (asn) => shares[asn] ?? 0,
    prefix: () => 0,
    subscriber: () => 0,
  }
}

test('an entry that was enqueued comes out once, charged, and the queue is empty after it', () => {
  const queue = new FairQueue<string>()
  const entry = queue.enqueue('a', payer(1, 1), 5, 0)
  assert.equal(entry?.state, 'waiting')
  assert.equal(queue.size, 1)
  assert.equal(queue.dequeue(), entry)
  assert.equal(entry?.state, 'dispatched')
  assert.equal(queue.dequeue(), undefined)
  queue.charge(entry!, 7)
  assert.equal(queue.size, 0)
  assert.equal(queue.nextTag, Number.POSITIVE_INFINITY)
})

test('whoever has nothing to distinguish him is served newest first', () => {
  const queue = new FairQueue<number>()
  for (let i = 0; i < 5; i++) queue.enqueue(i, payer(1, i), 1, i)
  const order: number[] = []
  for (let next = queue.dequeue(); next; next = queue.dequeue()) order.push(next.item)
  assert.deepEqual(order, [4, 3, 2, 1, 0])
})

test('more effort goes before newer', () => {
  const queue = new FairQueue<number>()
  queue.enqueue(0, payer(1, 1, 1, 'paid', 0), 1, 0)
  queue.enqueue(1, payer(1, 2, 1, 'paid', 1000), 1, 1)
  queue.enqueue(2, payer(1, 3, 1, 'paid', 10), 1, 2)
  queue.enqueue(3, payer(1, 4, 1, 'paid', 0), 1, 3)
  assert.deepEqual(
    [queue.dequeue()!.item, queue.dequeue()!.item, queue.dequeue()!.item, queue.dequeue()!.item],
    [1, 2, 3, 0],
  )
})

test('a subscriber has only so many entries in a line that is half full', () => {
  const queue = new FairQueue<number>({ maxPerSubscriber: 4, maxWaiting: 20 })
  for (let i = 0; i < 10; i++) assert.ok(queue.enqueue(i, payer(1, 1), 1, 0))
  assert.equal(queue.enqueue(10, payer(1, 1), 1, 0), undefined)
  assert.ok(queue.enqueue(11, payer(1, 1, 2), 1, 0))
})

test('nobody waits longer than the bound', () => {
  const queue = new FairQueue<number>({ maxWaitMs: 1000 })
  queue.enqueue(0, payer(1, 1), 1, 0)
  queue.enqueue(1, payer(1, 2), 1, 500)
  assert.equal(queue.expire(999), undefined)
  assert.equal(queue.expire(1000)?.item, 0)
  assert.equal(queue.expire(1000), undefined)
  assert.equal(queue.size, 1)
})

test('eviction takes from the network that is most over its share', () => {
  const queue = new FairQueue<number>({ weights: weightsOf({ 1: 0.8, 2: 0.2 }) })
  for (let i = 0; i < 40; i++) queue.enqueue(1, payer(1, i), 1, i)
  for (let i = 0; i < 40; i++) queue.enqueue(2, payer(2, i), 1, i)
  for (let i = 0; i < 5; i++) queue.enqueue(3, payer(3, i), 1, i)
  const gone: Record<number, number> = {}
  while (queue.size > 40) {
    const item = queue.evict()!.item
    gone[item] = (gone[item] ?? 0) + 1
  }
  assert.equal(gone[3], 5, 'a network that calm weather did not know')
  assert.ok(gone[2]! >= 28, `${gone[2]} of the network with a fifth`)
})

/** Serves a constantly backlogged set of networks and tells what each got. */
function serveBacklogged(shares: readonly number[], costs: readonly number[], total: number): number[] {
  const queue = new FairQueue<number>({ weights: weightsOf({ ...shares }), maxPerSubscriber: 1_000_000 })
  const offer = (asn: number): void => void queue.enqueue(asn, payer(asn, 0), costs[asn]!, 0)
  shares.forEach((_, asn) => {
    offer(asn)
    offer(asn)
  })
  const got = shares.map(() => 0)
  for (let i = 0; i < total; i++) {
    const entry = queue.dequeue()!
    got[entry.item]! += entry.cost
    queue.charge(entry, entry.cost)
    offer(entry.item)
  }
  return got
}

test('backlogged networks are served in proportion to their weights, to within one request each', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({ share: fc.integer({ min: 1, max: 100 }), cost: fc.integer({ min: 1, max: 50 }) }),
        { minLength: 2, maxLength: 8 },
      ),
      (networks) => {
        const sum = networks.reduce((all, one) => all + one.share, 0)
        const shares = networks.map((one) => one.share / sum)
        const costs = networks.map((one) => one.cost)
        const got = serveBacklogged(shares, costs, 2000)
        // SFQ's bound: normalised service of any two differs by at most one request of each.
        for (let i = 0; i < got.length; i++)
          for (let j = 0; j < i; j++) {
            const wi = shares[i]! + 1 / 2000
            const wj = shares[j]! + 1 / 2000
            const apart = Math.abs(got[i]! / wi - got[j]! / wj)
            assert.ok(apart <= costs[i]! / wi + costs[j]! / wj + 1e-6, `networks ${i} and ${j}: ${apart}`)
          }
      },
    ),
    { numRuns: 60 },
  )
})

test('a network is not starved by an endless row of networks never seen before', () => {
  const queue = new FairQueue<number>({ weights: weightsOf({ 1: 0.5 }) })
  let served = 0
  let stranger = 1000
  for (let i = 0; i < 4; i++) queue.enqueue(1, payer(1, i), 1, 0)
  for (let i = 0; i < 1000; i++) {
    for (let j = 0; j < 3; j++)
      queue.enqueue(0, { ...payer(stranger++, 0), prefix: `p${stranger}`, subscriber: `s${stranger}` }, 1, i)
    const entry = queue.dequeue()!
    queue.charge(entry, 1)
    if (entry.item === 1) {
      served++
      queue.enqueue(1, payer(1, i), 1, i)
    }
    while (queue.size > 100) queue.evict()
  }
  assert.ok(served > 800, `${served} of 1000`)
})

test('lanes get their shares when all are backlogged, and all of it when alone', () => {
  const queue = new FairQueue<Lane>({ maxPerSubscriber: 1_000_000 })
  const got = new Map<Lane, number>(LANES.map((lane) => [lane, 0]))
  for (const lane of LANES) for (let i = 0; i < 1000; i++) queue.enqueue(lane, payer(1, 1, i, lane), 1, 0)
  for (let i = 0; i < 1000; i++) {
    const entry = queue.dequeue()!
    got.set(entry.item, got.get(entry.item)! + 1)
  }
  for (const lane of LANES)
    assert.ok(Math.abs(got.get(lane)! / 1000 - LANE_SHARES[lane]) < 0.02, `${lane}: ${got.get(lane)}`)
  for (let left = queue.size; left > 0; left--) assert.ok(queue.dequeue())
})

test('who costs more than expected waits longer the next time', () => {
  const queue = new FairQueue<string>({ maxPerSubscriber: 100 })
  const dear = queue.enqueue('dear', payer(1, 1), 1, 0)!
  const cheap = queue.enqueue('cheap', payer(1, 2), 1, 0)!
  queue.dequeue()
  queue.dequeue()
  for (let i = 0; i < 20; i++) {
    queue.enqueue('dear', payer(1, 1), 1, 1)
    queue.enqueue('cheap', payer(1, 2), 1, 1)
  }
  queue.charge(dear, 20)
  queue.charge(cheap, 1)
  const first = Array.from({ length: 15 }, () => queue.dequeue()!.item)
  assert.ok(first.filter((item) => item === 'cheap').length >= 14, first.join(' '))
})

const marked = (who: Payer): Payer => ({ ...who, marked: true })

/** Serves a line that is always backlogged with what `offer` gives anew, and counts what each got. */
function serveFrom(queue: FairQueue<string>, offers: Readonly<Record<string, () => Payer>>, total: number) {
  const got: Record<string, number> = {}
  for (const [name, offer] of Object.entries(offers)) {
    got[name] = 0
    for (let i = 0; i < 4; i++) queue.enqueue(name, offer(), 1, 0)
  }
  for (let i = 0; i < total; i++) {
    const entry = queue.dequeue()!
    got[entry.item]!++
    queue.charge(entry, 1)
    queue.enqueue(entry.item, offers[entry.item]!(), 1, i)
  }
  return got
}

test('the marked of a network share a tenth of its weight, and the others of it pay nothing for them', () => {
  const weights = weightsOf({ 1: 0.5, 2: 0.5 })
  const got = serveFrom(
    new FairQueue<string>({ weights }),
    { marked: () => marked(payer(1, 9)), one: () => payer(1, 1), two: () => payer(2, 1) },
    2100,
  )
  assert.ok(Math.abs(got['one']! - 1000) <= 5, JSON.stringify(got))
  assert.ok(Math.abs(got['two']! - 1000) <= 5, JSON.stringify(got))
  assert.ok(Math.abs(got['marked']! - 1000 * MARKED_WEIGHT) <= 5, JSON.stringify(got))
})

test('without a baseline all marked share a tenth of what the others have', () => {
  let n = 0
  const stranger = () => payer(n++ % 200, n % 250, n % 250)
  const got = serveFrom(
    new FairQueue<string>(),
    { marked: () => marked(stranger()), one: () => payer(1, 1), two: () => payer(2, 1) },
    1100,
  )
  assert.ok(got['marked']! <= 105, JSON.stringify(got))
})

test('marked strangers from ever new networks leave a stranger his turn', () => {
  for (const areMarked of [true, false]) {
    const queue = new FairQueue<string>({ weights: weightsOf({ 1: 0.5 }) })
    let n = 1000
    const bot = () => ({ ...payer(n++, 0), prefix: `p${n}`, subscriber: `s${n}`, marked: areMarked })
    let served = 0
    for (let i = 0; i < 1000; i++) {
      queue.enqueue('visitor', payer(1, i % 4), 1, i)
      // One stranger who is a person, in the midst of a flood.
      const person = queue.enqueue('person', payer(90_000 + i, 0), 1, i)!
      for (let j = 0; j < 20; j++) queue.enqueue('bot', bot(), 1, i)
      for (let j = 0; j < 2; j++) queue.charge(queue.dequeue()!, 1)
      if ((person as { state: string }).state !== 'waiting') served++
      while (queue.size > 100) queue.evict()
    }
    if (areMarked) assert.ok(served > 700, `${served} of 1000 with marks`)
    else assert.ok(served < 200, `${served} of 1000 without`)
  }
})

test('a mark does not count beside a token', () => {
  const queue = new FairQueue<string>({ weights: weightsOf({ 1: 1 }) })
  for (const lane of ['known', 'paid', 'waiting', 'operator'] as const) {
    queue.enqueue('a', marked(payer(1, 1, 1, lane)), 1, 0)
    queue.enqueue('b', payer(1, 1, 1, lane), 1, 0)
  }
  // One chain of nodes per lane: network, prefix, subscriber.
  assert.equal(queue.nodes, 4 * 3)
  queue.enqueue('a', marked(payer(1, 1)), 1, 0)
  queue.enqueue('b', payer(1, 1), 1, 0)
  assert.equal(queue.nodes, 6 * 3)
})

test('when the line is full the marked go first: those of a known network, and strangers', () => {
  for (const asn of [1, 77]) {
    const queue = new FairQueue<string>({ weights: weightsOf({ 1: 0.9 }) })
    for (let i = 0; i < 20; i++) queue.enqueue('visitor', payer(asn, i), 1, i)
    for (let i = 0; i < 20; i++) queue.enqueue('marked', marked(payer(asn, 100 + i)), 1, 20 + i)
    const gone = Array.from({ length: 18 }, () => queue.evict()!.item)
    assert.ok(gone.filter((item) => item === 'marked').length >= 17, gone.join(' '))
  }
})

test('effort does not lift a fresh marked one above the others', () => {
  const queue = new FairQueue<string>({ weights: weightsOf({ 1: 0.5 }) })
  queue.enqueue('marked', marked(payer(7, 1, 1, 'unproven', 1000)), 1, 0)
  for (let i = 0; i < 5; i++) queue.enqueue('other', payer(20 + i, 1), 1, i + 1)
  queue.charge(queue.dequeue()!, 1)
  queue.charge(queue.dequeue()!, 1)
  const left = [queue.dequeue()!, queue.dequeue()!, queue.dequeue()!].map((entry) => entry.item)
  assert.ok(left.includes('other'))
  assert.equal(queue.evict()?.item, 'other')
})

test('the queue conserves work and entries, and stays bounded, under any sequence of operations', () => {
  const who = fc.record({
    asn: fc.nat(5),
    prefix: fc.nat(5),
    host: fc.nat(3),
    lane: fc.constantFrom(...LANES),
    effort: fc.constantFrom(0, 0, 0, 5, 500),
    marked: fc.boolean(),
  })
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant('enqueue' as const),
        who,
        cost: fc.integer({ min: 1, max: 100 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('pass' as const), who, cost: fc.integer({ min: 1, max: 100 }) }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('dequeue' as const) }) },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('charge' as const), at: fc.nat(), cost: fc.nat(300) }),
    },
    fc.record({ do: fc.constant('withdraw' as const), at: fc.nat() }),
    fc.record({ do: fc.constant('evict' as const) }),
    fc.record({ do: fc.constant('expire' as const) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), fc.boolean(), (steps, learned) => {
      const options = { maxNodes: 30, ...(learned ? { weights: weightsOf({ 1: 0.6, 2: 0.3 }) } : {}) }
      const queue = new FairQueue<number>(options)
      const waiting: Entry<number>[] = []
      const dispatched: Entry<number>[] = []
      let now = 0
      const leaves = (entry: Entry<number> | undefined): void => {
        assert.equal(entry === undefined, waiting.length === 0)
        if (entry) waiting.splice(waiting.indexOf(entry), 1)
      }
      for (const at of steps) {
        now += 10
        if (at.do === 'enqueue') {
          const entry = queue.enqueue(
            now,
            {
              ...payer(at.who.asn, at.who.prefix, at.who.host, at.who.lane, at.who.effort),
              marked: at.who.marked,
            },
            at.cost,
            now,
          )
          if (entry) waiting.push(entry)
        } else if (at.do === 'pass')
          dispatched.push(
            queue.pass(now, payer(at.who.asn, at.who.prefix, at.who.host, at.who.lane), at.cost, now),
          )
        else if (at.do === 'dequeue') {
          const entry = queue.dequeue()
          leaves(entry)
          if (entry) dispatched.push(entry)
        } else if (at.do === 'charge' && dispatched.length > 0)
          queue.charge(dispatched.splice(at.at % dispatched.length, 1)[0]!, at.cost)
        else if (at.do === 'withdraw' && waiting.length > 0)
          queue.withdraw(waiting.splice(at.at % waiting.length, 1)[0]!)
        else if (at.do === 'evict') leaves(queue.evict())
        else if (at.do === 'expire') {
          const entry = queue.expire(now)
          if (entry) leaves(entry)
        }
        assert.equal(queue.size, waiting.length)
        assert.ok(queue.nodes <= 30 + 3 * (LANES.length + 1), `${queue.nodes} nodes`)
        assert.equal(queue.nextTag < Number.POSITIVE_INFINITY, waiting.length > 0)
      }
      // Nothing is lost and nothing comes twice.
      while (waiting.length > 0) {
        const entry = queue.dequeue()!
        leaves(entry)
        dispatched.push(entry)
      }
      for (const entry of dispatched) queue.charge(entry, entry.cost)
      assert.equal(queue.size, 0)
    }),
    { numRuns: 200 },
  )
})

test('a million addresses leave as many nodes as the bound allows, and are counted', () => {
  const queue = new FairQueue<number>({ maxNodes: 3000 })
  for (let i = 0; i < 1_000_000; i++) {
    const who = {
      asn: i % 700,
      prefix: `p${i >> 4}`,
      subscriber: `s${i}`,
      lane: 'unproven' as const,
      effort: 0,
    }
    queue.charge(queue.pass(i, who, 5, i), 5)
  }
  assert.ok(queue.nodes <= 3000)
})
