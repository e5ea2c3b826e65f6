import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tally } from './accounting.ts'
import { type FakeOptions, fakeDigue } from './fake-digue.fixture.ts'
import type { Cohort } from './plan.ts'
import { VisitorLoad } from './visitors.ts'

const COHORT: Cohort = {
  name: 'new',
  addresses: ['127.10.1.1', '127.10.1.2', '127.11.1.3'],
  perSecond: 10,
  fromS: 0,
  untilS: 0.5,
  protocol: 'http',
  connection: 'keep',
  assets: 0,
  searchShare: 0,
}

async function visit(cohorts: Partial<Cohort>[], options: FakeOptions = {}) {
  const digue = await fakeDigue(options)
  const from = performance.now()
  try {
    const result = await new VisitorLoad({
      role: 'visitors',
      target: { address: '127.0.0.1', port: digue.port, tlsPort: 0, host: 'x', forwardedFor: false },
      seed: 1,
      startAtMs: Date.now(),
      seconds: 0.5,
      deadlineMs: 4000,
      cohorts: cohorts.map((change) => ({ ...COHORT, ...change })),
      streams: [],
      downloads: [],
    }).run()
    const of = (cohort: string) => tally(result.rows, { fromS: 0, untilS: 0.5, cohort })
    return { ...result, ...digue, of, tookMs: performance.now() - from }
  } finally {
    digue.close()
  }
}

test('a new visitor follows the moment page, pays once, and is served with the clearance', async () => {
  const { of, seen, payments } = await visit([{ addresses: ['127.10.1.1'] }])
  const all = of('new')
  assert.ok(all.asked > 1)
  assert.equal(all.served, all.asked)
  assert.equal(payments.paid, 1)
  assert.equal(payments.help, 0)
  assert.equal(seen.proofs.filter((proof) => proof.right).length, seen.proofs.length)
  assert.equal(new Set(seen.proofs.map((proof) => proof.seed)).size, 1)
  const proof = seen.requests.find((request) => request.url.includes('/proof?'))
  assert.equal(proof?.mode, 'cors')
})

test('the price may rise, a proof may be refused, a clearance may be spent: he pays again', async () => {
  for (const options of [{ raisedTo: 12 }, { faults: 2 }, { busy: 1 }, { pages: 1 }]) {
    const { of, payments } = await visit([{}], options)
    assert.equal(of('new').served, of('new').asked, JSON.stringify(options))
    assert.equal(payments.help, 0)
  }
})

test('after three faults what is left is the waiting room, and a clearance of no use is no loop', async () => {
  const waited = await visit([{ addresses: ['127.10.1.1'] }], { faults: 1000, polls: 2 })
  assert.equal(waited.of('new').served, waited.of('new').asked)
  assert.ok(waited.payments.help > 0)
  // A room whose line never ends.
  const inVain = await visit([{ addresses: ['127.10.1.1'], deadlineMs: 4000 }], {
    pages: 0,
    polls: 90,
    refreshS: 1,
  })
  assert.deepEqual(inVain.of('new').fates, { help: inVain.of('new').asked })
  assert.ok(inVain.seen.proofs.length <= 3 * inVain.of('new').asked)
})

test('who has no scripts waits with his ticket and never sends a proof', async () => {
  const { of, seen } = await visit([
    { name: 'no-script', device: 'no-script', stays: { people: 2, stayS: 0 } },
  ])
  assert.ok(of('no-script').asked > 1)
  assert.equal(of('no-script').served, of('no-script').asked)
  assert.equal(seen.proofs.length, 0)
})

test('a phone is at work for ten times as long', async () => {
  const firstProofMs = async (device: 'desktop' | 'phone') => {
    // Every arrival is somebody who must pay, twenty parts of 15 or 150 ms.
    const { of } = await visit([{ perSecond: 4, stays: { people: 1, stayS: 0 }, device }], { price: 20 })
    return of('new').p50Ms
  }
  const desktop = await firstProofMs('desktop')
  const phone = await firstProofMs('phone')
  assert.ok(desktop > 100 && phone > 1000, `${desktop} and ${phone}`)
})

test('each cohort has its own deadline, and nobody waits longer for it than he must', async () => {
  // Too dear for the phone within a second.
  const { of, tookMs } = await visit(
    [
      { name: 'quick', perSecond: 5, deadlineMs: 1000, device: 'phone' },
      { name: 'patient', device: 'no-script', deadlineMs: 30_000 },
    ],
    { price: 100 },
  )
  assert.deepEqual(of('quick').fates, { timeout: of('quick').asked })
  assert.equal(of('patient').served, of('patient').asked)
  assert.ok(tookMs < 10_000)
})

test('whoever takes a place comes from the next address with no cookies; who stays keeps them', async () => {
  const addresses = Array.from({ length: 50 }, (_, i) => `127.10.2.${i + 1}`)
  const { seen, of } = await visit([{ addresses, perSecond: 40, stays: { people: 2, stayS: 0.1 } }])
  assert.equal(of('new').served, of('new').asked)
  const byAddress = Map.groupBy(seen.requests, (request) => request.address)
  assert.ok(byAddress.size >= 6, String(byAddress.size))
  for (const requests of byAddress.values()) assert.equal(requests[0]!.cookie, '')
})

test('a returning visitor brings the cookie of earlier days', async () => {
  const { of, seen } = await visit([{ addresses: ['127.10.1.1'], cookies: ['digue_k=1.a.b'] }])
  assert.equal(of('new').served, of('new').asked)
  for (const request of seen.requests) assert.match(request.cookie, /digue_k=1\.a\.b/)
  assert.equal(seen.proofs.length, 0)
})

test('who lingers keeps coming, uncounted, until the others are decided', async () => {
  const { rows, of } = await visit(
    [
      { name: 'lingering', lingers: true, cookies: ['digue_k=1'], addresses: ['127.10.1.1'] },
      { name: 'waiting', device: 'no-script', addresses: ['127.10.1.2'], perSecond: 4 },
    ],
    { refreshS: 1, polls: 1 },
  )
  assert.equal(of('waiting').served, of('waiting').asked)
  assert.ok([...rows.atS].some((at) => at > 1))
  assert.equal(of('lingering').served, of('lingering').asked)
})
