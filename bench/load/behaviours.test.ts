import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AttackLoad } from './attackers.ts'
import { type FakeDigue, type FakeOptions, fakeDigue } from './fake-digue.fixture.ts'
import type { BehaviourPlan } from './plan.ts'

type Deeds = Readonly<Record<string, number>>

/** Attacks until `done` says so, whatever else the machine has to do meanwhile. */
async function attack(
  behaviour: BehaviourPlan,
  done: (deeds: Deeds, seen: FakeDigue['seen']) => boolean,
  options: FakeOptions & { readonly perSecond?: number } = {},
) {
  const digue = await fakeDigue(options)
  const load = new AttackLoad({
    role: 'attackers',
    target: { address: '127.0.0.1', port: digue.port, tlsPort: 0, host: 'x', forwardedFor: false },
    seed: 1,
    startAtMs: Date.now(),
    fromS: 0,
    untilS: 30,
    sources: ['127.40.1.1', '127.41.1.1', '127.42.1.1', '127.43.1.1'],
    perSecond: options.perSecond ?? 400,
    connection: 'keep',
    tls: false,
    finishShare: 1,
    path: 'page',
    patienceMs: 30_000,
    maxConnections: 40,
    behaviour,
  })
  const timer = setInterval(() => {
    if (done(load.behaviour!.deeds(), digue.seen)) load.stop()
  }, 5)
  try {
    return { ...(await load.run()), seen: digue.seen }
  } finally {
    clearInterval(timer)
    digue.close()
  }
}

test('tokens harvested before: each address sends its own', async () => {
  const cookies = ['digue_k=a', 'digue_k=b', 'digue_k=c', 'digue_k=d']
  const { seen } = await attack({ does: 'cookies', cookies }, (_, { pages }) => pages > 20)
  const byAddress = Map.groupBy(seen.requests, (request) => request.address)
  assert.equal(byAddress.size, 4)
  const sent = [...byAddress.values()].map((list) => new Set(list.map((one) => one.cookie)))
  assert.deepEqual(sent.flatMap((set) => [...set]).sort(), cookies)
})

test('junk proofs: a challenge per address, then wrong proofs only, some of them for forged challenges', async () => {
  const plan = { does: 'junk-proofs', forgedShare: 0.5, parts: 16 } as const
  const { seen, deeds } = await attack(plan, (_, { proofs }) => proofs.length > 60)
  assert.equal(deeds['challenges'], 4)
  assert.equal(deeds['believed'], 0)
  assert.ok(deeds['junk']! > 0 && deeds['forged']! > 0)
  assert.ok(seen.proofs.every((proof) => !proof.right && proof.parts === 16))
  assert.ok(new Set(seen.proofs.map((proof) => proof.challenge)).size > 10)
})

test('page floods: the moment page is followed once, its whole page taken again and again', async () => {
  const { seen, deeds, bytesReceived } = await attack({ does: 'pages' }, (d) => d['returns']! > 100, {
    polls: 50,
  })
  assert.equal(deeds['tickets'], 4)
  const targets = Map.groupBy(seen.requests, (request) => request.url)
  assert.ok(Math.max(...[...targets.values()].map((list) => list.length)) > 10)
  assert.ok(bytesReceived > 1000)
})

test('ticket floods: whoever has a ticket comes back when it says so', async () => {
  // Behind two polls there are pages.
  const { seen, deeds } = await attack({ does: 'tickets' }, (d) => d['pages']! > 5, { perSecond: 200 })
  assert.ok(deeds['polls']! >= 2 * deeds['pages']!)
  assert.ok(deeds['tickets']! > 0)
  assert.equal(seen.proofs.length, 0)
})

const farm = (change: object) => ({ does: 'farm', cores: 1, msPerPart: 3, ...change }) as const

test('a farm earns no more parts than its cores can, every proof of its is right, and what is spent is replaced', async () => {
  const price = 16
  const from = performance.now()
  const { deeds, seen } = await attack(farm({ cores: 0.05 }), (d) => d['spent']! > 2, { price, pages: 4 })
  // Five seconds of work in hand, and what it has had time for since.
  const most = ((5000 + performance.now() - from) * 0.05) / 3
  assert.ok(deeds['parts']! <= most, JSON.stringify(deeds))
  assert.ok(seen.proofs.every((proof) => proof.right && proof.parts >= price))
  assert.ok(deeds['paidPages']! <= 4 * deeds['clearances']!)
})

test('a farm with more work than it needs bids higher, and follows a price that rises', async () => {
  const rich = await attack(farm({ cores: 64 }), (d) => d['clearances']! > 5, { price: 4 })
  assert.ok(rich.seen.proofs.every((proof) => proof.parts === 256))
  const asked = await attack(farm({ cores: 0.5 }), (d) => d['clearances']! > 0, { price: 16, raisedTo: 24 })
  assert.ok(asked.deeds['raised']! > 0)
})

test('clearances shared: as many at a time as there are groups of sources, used by all of them', async () => {
  const plan = farm({ cores: 8, sharedBy: 2 })
  const { seen, deeds } = await attack(plan, (d) => d['paidPages']! > 60, { price: 4 })
  assert.equal(deeds['clearances'], 2)
  const users = Map.groupBy(
    seen.requests.filter((request) => request.cookie !== ''),
    (request) => request.cookie,
  )
  assert.equal(users.size, 2)
  for (const requests of users.values())
    assert.ok(new Set(requests.map((request) => request.address)).size >= 2)
})

test('overbidding: proofs of the bid, whatever the price', async () => {
  const plan = farm({ cores: 8, bid: 128 })
  const { seen } = await attack(plan, (_, { proofs }) => proofs.length > 10, { price: 4, perSecond: 100 })
  assert.ok(seen.proofs.every((proof) => proof.right && proof.parts === 128))
})
