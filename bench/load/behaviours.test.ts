import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AttackLoad } from './attackers.ts'
import { type FakeOptions, fakeDigue } from './fake-digue.fixture.ts'
import type { BehaviourPlan } from './plan.ts'

async function attack(behaviour: BehaviourPlan, options: FakeOptions = {}, perSecond = 400, seconds = 0.5) {
  const digue = await fakeDigue(options)
  try {
    const result = await new AttackLoad({
      role: 'attackers',
      target: { address: '127.0.0.1', port: digue.port, tlsPort: 0, host: 'x', forwardedFor: false },
      seed: 1,
      startAtMs: Date.now(),
      fromS: 0,
      untilS: seconds,
      sources: ['127.40.1.1', '127.41.1.1', '127.42.1.1', '127.43.1.1'],
      perSecond,
      connection: 'keep',
      tls: false,
      finishShare: 1,
      path: 'page',
      patienceMs: 5000,
      maxConnections: 40,
      behaviour,
    }).run()
    return { ...result, seen: digue.seen }
  } finally {
    digue.close()
  }
}

test('tokens harvested before: each address sends its own', async () => {
  const cookies = ['digue_k=a', 'digue_k=b', 'digue_k=c', 'digue_k=d']
  const { seen, answers } = await attack({ does: 'cookies', cookies })
  const byAddress = Map.groupBy(seen.requests, (request) => request.address)
  assert.equal(byAddress.size, 4)
  const sent = [...byAddress.values()].map((list) => new Set(list.map((one) => one.cookie)))
  assert.deepEqual(sent.flatMap((set) => [...set]).sort(), cookies)
  assert.ok(answers['200']! > 0)
})

test('junk proofs: a challenge per address, then as many wrong proofs as requests, some for forged challenges', async () => {
  const { seen, deeds, sent } = await attack({ does: 'junk-proofs', forgedShare: 0.5, parts: 16 }, {}, 400, 1)
  assert.equal(deeds['challenges'], 4)
  assert.equal(deeds['believed'], 0)
  assert.ok(deeds['junk']! > 0 && deeds['forged']! > 0)
  assert.ok(seen.proofs.length > 0.3 * sent)
  assert.ok(seen.proofs.every((proof) => !proof.right && proof.parts === 16))
  assert.ok(new Set(seen.proofs.map((proof) => proof.challenge)).size > 10)
})

test('page floods: the moment page is followed once, its whole page taken again and again', async () => {
  const { seen, deeds, bytesReceived, sent } = await attack({ does: 'pages' }, { polls: 50 })
  assert.equal(deeds['tickets'], 4)
  assert.ok(deeds['returns']! > 0.3 * sent)
  const targets = Map.groupBy(seen.requests, (request) => request.url)
  assert.ok(Math.max(...[...targets.values()].map((list) => list.length)) > 10)
  assert.ok(bytesReceived > 100 * sent)
})

test('ticket floods: whoever has a ticket comes back when it says so', async () => {
  const { seen, deeds } = await attack({ does: 'tickets' }, { polls: 2, refreshS: 0 }, 200, 1)
  assert.ok(deeds['tickets']! > 0 && deeds['polls']! > 0)
  // Behind two polls there are pages.
  assert.ok(deeds['pages']! > 0)
  assert.equal(seen.proofs.length, 0)
})

const farm = (change: object) => ({ does: 'farm', cores: 1, msPerPart: 3, ...change }) as const

test('a farm earns no more parts than its cores can, and every proof of its is right', async () => {
  const price = 16
  const poor = await attack(farm({ cores: 0.05 }), { price, pages: 4 }, 400, 1)
  // Five seconds of work in hand, and one more.
  const most = (6000 * 0.05) / 3
  assert.ok(poor.deeds['parts']! <= most + price, JSON.stringify(poor.deeds))
  assert.ok(poor.deeds['parts']! > 0.5 * most)
  assert.ok(poor.seen.proofs.every((proof) => proof.right && proof.parts >= price))
  assert.ok(poor.deeds['spent']! > 0)
  assert.ok(poor.deeds['paidPages']! <= 4 * poor.deeds['clearances']!)
})

test('a farm with more work than it needs bids higher, and follows a price that rises', async () => {
  const rich = await attack(farm({ cores: 64 }), { price: 4 })
  assert.ok(rich.seen.proofs.every((proof) => proof.parts === 256))
  const asked = await attack(farm({ cores: 0.5 }), { price: 16, raisedTo: 24 })
  assert.ok(asked.deeds['raised']! > 0)
  assert.ok(asked.deeds['clearances']! > 0)
})

test('clearances shared: as many at a time as there are groups of sources, used by all of them', async () => {
  const { seen, deeds } = await attack(farm({ cores: 8, sharedBy: 2 }), { price: 4 })
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
  const { seen } = await attack(farm({ cores: 8, bid: 128 }), { price: 4 }, 100)
  assert.ok(seen.proofs.length > 10)
  assert.ok(seen.proofs.every((proof) => proof.right && proof.parts === 128))
})
