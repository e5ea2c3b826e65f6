import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Brain } from './brain.ts'
import { MAX_DECISIONS, TooManyDecisionsError } from './decision-list.ts'
import type { CalmShare, EdgeReport, SiteReport } from './policy.ts'
import { bot, type Random, seeded, visit, visitor } from './signatures/visitors.fixture.ts'

const SITE = 'www.example.org'
const start = 1_000_000

function report(part: Partial<SiteReport> = {}, thread = 0): EdgeReport {
  const site: SiteReport = {
    tallies: [{ lane: 'unproven', action: 'relay', reason: '', count: 10, originMs: 100 }],
    queueDelayMs: 0,
    queueDelayMaxMs: 0,
    waiting: 0,
    longLived: 0,
    calm: [],
    calmLost: 0,
    latency: [],
    origins: [{ url: 'http://192.0.2.1', healthy: true, reason: '' }],
    ...part,
  }
  return { thread, atMs: 0, sites: { [SITE]: site }, gauges: {}, counters: {}, records: [], recordsLost: 0 }
}

const flood = report({
  queueDelayMs: 500,
  tallies: [
    { lane: 'unproven', action: 'relay', reason: '', count: 10, originMs: 100 },
    { lane: 'unproven', action: 'shed', reason: 'over-share', count: 90, originMs: 0 },
  ],
})

class Life {
  now = start
  readonly brain: Brain

  constructor(brain = new Brain({ sites: [SITE], key: { k0: 1, k1: 2 } }, start)) {
    this.brain = brain
  }

  ticks(count: number, make: (i: number) => EdgeReport | undefined): void {
    for (let i = 0; i < count; i++) {
      const one = make(i)
      if (one) this.brain.receive(one, this.now)
      this.brain.tick(this.now)
      this.now += 250
    }
  }
}

const calmUse = (asn: number, i: number): CalmShare => ({
  asn,
  prefix: `p${asn}`,
  subscriber: `s${asn}.${i % 40}`,
  originMs: 10,
})
const calm = (i: number): EdgeReport => report({ calm: [calmUse(1, i), calmUse(1, i + 1), calmUse(2, i)] })

test('posture goes up with a flood, down after it, and each change is a new policy', () => {
  const life = new Life()
  life.ticks(4, () => report())
  const { serial } = life.brain.policy
  life.ticks(1, () => flood)
  assert.equal(life.brain.policy.serial, serial, 'one bad tick changes nothing')
  life.ticks(1, () => flood)
  assert.equal(life.brain.posture(SITE), 'flooded')
  assert.ok(life.brain.policy.serial > serial)
  life.ticks(44, () => report())
  assert.equal(life.brain.posture(SITE), 'calm')
})

test('silence of all edges changes no posture', () => {
  const life = new Life()
  life.ticks(2, () => flood)
  life.ticks(100, () => undefined)
  assert.equal(life.brain.posture(SITE), 'flooded')
})

test('the baseline is learned in calm weather and in force within seconds', () => {
  const life = new Life()
  life.ticks(200, calm)
  const weights = life.brain.weights(SITE)!
  assert.ok(weights.hasBaseline)
  assert.ok(Math.abs(weights.asn(1) - 2 / 3) < 0.02, String(weights.asn(1)))
  assert.ok(Math.abs(life.brain.overallWeights.asn(1) - 2 / 3) < 0.02)
})

test('nothing is learned in a flood, nor from its first five seconds', () => {
  const life = new Life()
  life.ticks(200, calm)
  const attackers = Array.from({ length: 300 }, (_, i) => calmUse(666, i))
  // The attack begins softly: five seconds in which nobody waits.
  life.ticks(18, () => report({ calm: attackers }))
  life.ticks(50, () => ({ ...flood, sites: { [SITE]: { ...flood.sites[SITE]!, calm: attackers } } }))
  assert.equal(life.brain.weights(SITE)!.asn(666), 0)
  life.ticks(60, () => report())
  assert.equal(life.brain.posture(SITE), 'calm')
  assert.equal(life.brain.weights(SITE)!.asn(666), 0)
})

test('attack on means flooded, and neither on, off nor bypass is a time to learn in', () => {
  for (const order of [
    (brain: Brain) => brain.attack('on'),
    (brain: Brain) => brain.attack('off'),
    (brain: Brain) => brain.bypass(true),
  ]) {
    const life = new Life()
    order(life.brain)
    life.ticks(200, calm)
    assert.equal(life.brain.weights(SITE)!.hasBaseline, false)
  }
  const life = new Life()
  life.brain.attack('on')
  assert.equal(life.brain.policy.postures[SITE], 'flooded')
  life.brain.attack('auto')
  assert.equal(life.brain.policy.postures[SITE], 'calm')
})

test('decisions end by themselves, can be deleted, and are bounded', () => {
  const life = new Life()
  const one = life.brain.addDecision(
    { effect: 'refuse', cidr: '192.0.2.0/24', note: '', forMs: 1000 },
    life.now,
  )
  const two = life.brain.addDecision({ effect: 'allow', asn: 64500, note: '', forMs: 60_000 }, life.now)
  assert.deepEqual(life.brain.policy.decisions, [one, two])
  life.ticks(6, () => report())
  assert.deepEqual(life.brain.policy.decisions, [two])
  assert.ok(life.brain.deleteDecision(two.id))
  assert.equal(life.brain.deleteDecision(two.id), false)
  assert.deepEqual(life.brain.policy.decisions, [])
  const add = () =>
    life.brain.addDecision({ effect: 'refuse', path: '/search', note: '', forMs: 60_000 }, life.now)
  for (let i = 0; i < MAX_DECISIONS; i++) add()
  assert.throws(add, TooManyDecisionsError)
})

test('what an operator said and what was learned survive a restart', () => {
  const life = new Life()
  life.ticks(200, calm)
  life.brain.attack('off')
  life.brain.bypass(true)
  const decision = life.brain.addDecision(
    { effect: 'allow', host: 'a.example.org', note: 'n', forMs: 60_000 },
    life.now,
  )
  const kept: unknown = JSON.parse(JSON.stringify(life.brain.toState()))
  const again = Brain.fromState(kept, { sites: [SITE, 'new.example.org'] }, life.now)
  assert.equal(again.policy.attack, 'off')
  assert.equal(again.policy.bypass, true)
  assert.deepEqual(again.policy.decisions, [decision])
  assert.ok(Math.abs(again.weights(SITE)!.asn(1) - 2 / 3) < 0.02)
  assert.ok(Math.abs(again.overallWeights.asn(1) - 2 / 3) < 0.02)
  assert.notEqual(
    again.addDecision({ effect: 'allow', asn: 1, note: '', forMs: 1000 }, life.now).id,
    decision.id,
  )
})

test('route costs of all threads survive a restart, and rows that are none are left out', () => {
  const life = new Life()
  life.brain.receive(report({ routes: [['GET /', 10, 8]] }, 0), life.now)
  life.brain.receive(
    report(
      {
        routes: [
          ['GET /', 20, 16],
          ['GET /search?', 110, 100],
        ],
      },
      1,
    ),
    life.now,
  )
  const kept = JSON.parse(JSON.stringify(life.brain.toState())) as { routes: Record<string, unknown[]> }
  kept.routes[SITE]!.push(['GET /a', -1, 2], ['GET /b', 1], 'x', ['G'.repeat(600), 1, 1], [7, 1, 1])
  const again = Brain.fromState(kept, { sites: [SITE] }, life.now)
  assert.deepEqual(again.routeCosts(SITE), [
    ['GET /', 15, 12],
    ['GET /search?', 110, 100],
  ])
  assert.deepEqual(again.routeCosts('other.example.org'), [])
  const many = Array.from({ length: 5000 }, (_, i) => [`GET /${i}`, 1, 1] as const)
  life.brain.receive(report({ routes: many }), life.now)
  assert.ok(life.brain.routeCosts(SITE).length <= 256)
})

test('a kept state that is nonsense gives a fresh brain', () => {
  for (const kept of [
    null,
    'x',
    { baselines: 7, decisions: [1, {}], attack: 'maybe' },
    { baselines: { [SITE]: { key: 1 } } },
    { routes: { [SITE]: 7 } },
  ]) {
    const brain = Brain.fromState(kept, { sites: [SITE] }, start)
    assert.equal(brain.policy.attack, 'auto')
    assert.deepEqual(brain.policy.decisions, [])
    assert.equal(brain.weights(SITE)!.hasBaseline, false)
  }
})

test('status tells the last minute, the limit, sick origins and the networks beside their calm share', () => {
  const life = new Life()
  life.ticks(200, calm)
  const record = { site: SITE, asn: 666 } as EdgeReport['records'][number]
  life.ticks(20, () => ({ ...flood, records: [record, record, record] }))
  life.brain.receive(
    report({ waiting: 7, origins: [{ url: 'http://192.0.2.1', healthy: false, reason: 'refused' }] }, 1),
    life.now,
  )
  const site = life.brain.status(() => ({
    limit: 31,
    inFlight: 30,
    waiting: 7,
    state: 'steady',
    longRatio: 1,
  })).sites[0]!
  assert.equal(site.posture, 'flooded')
  assert.match(site.why, /^Flooded: .*% of the last minute's \d+ requests were shed/)
  assert.equal(site.lastMinute.shed, 20 * 90)
  assert.equal(site.waiting, 7)
  assert.equal(site.limit, 31)
  assert.deepEqual(site.origins, [{ url: 'http://192.0.2.1', healthy: false, reason: 'refused' }])
  assert.deepEqual(site.networks[0], { asn: 666, shareRatio: 1, calmShareRatio: 0 })
})

test('gauges of a thread that died are forgotten', () => {
  const life = new Life()
  life.brain.receive(report({ waiting: 9 }, 1), life.now)
  life.ticks(80, () => report())
  assert.equal(life.brain.status().sites[0]!.waiting, 0)
})

/** Calm weather with visitors of two requests each. */
function visitors(random: Random) {
  let count = 0
  return () => {
    const one = visitor(String(count++), random)
    return report({ traits: [visit(one, random), visit(one, random)] })
  }
}

const tool = { tls: 't13d_tool', order: '1-2-77', agent: 'curl' }

test('a flood’s handwriting is in the policy within a second, and the baseline learns nothing of it', () => {
  const random = seeded(1)
  const life = new Life()
  const people = visitors(random)
  life.ticks(800, people)
  assert.ok(life.brain.signatures(SITE)[0]!.isReady)
  let bots = 0
  const flooded = (): EdgeReport => ({
    ...flood,
    sites: {
      [SITE]: { ...flood.sites[SITE]!, traits: Array.from({ length: 200 }, () => bot(bots++, tool, random)) },
    },
  })
  life.ticks(4, flooded)
  const { calmVectors } = life.brain.signatures(SITE)[0]!
  assert.ok(calmVectors > 700, String(calmVectors))
  const [signature] = life.brain.policy.signatures?.[SITE]?.signatures ?? []
  assert.equal(signature?.effect, 'weight')
  assert.match(signature.reason, /^\d+ % of the clients now .*; in calm weather none of \d+ did/)
  const published = life.brain.status().sites[0]!.signatures.published.map(({ id }) => id)
  assert.ok(published.includes(signature.id))
  // Tamed, the flood still comes: the weather is calm by the signature's grace, and not learned from.
  const tamed = () =>
    report({
      traits: Array.from({ length: 64 }, () => bot(bots++, tool, random)),
      calm: [calmUse(666, bots)],
    })
  life.ticks(200, tamed)
  assert.equal(life.brain.posture(SITE), 'calm')
  assert.equal(life.brain.policy.signatures?.[SITE]?.signatures[0]?.id, signature.id, 'it is renewed')
  assert.equal(life.brain.signatures(SITE)[0]!.calmVectors, calmVectors)
  assert.equal(life.brain.weights(SITE)!.asn(666), 0)
  // A minute after the flood it is gone, and calm weather is learned again.
  life.ticks(300, people)
  assert.equal(life.brain.policy.signatures?.[SITE], undefined)
  life.ticks(60, people)
  assert.ok(life.brain.signatures(SITE)[0]!.calmVectors > calmVectors)
})

test('nothing is mined in calm weather, under bypass, nor when the operator says there is no attack', () => {
  for (const order of [
    () => undefined,
    (brain: Brain) => brain.bypass(true),
    (brain: Brain) => brain.attack('off'),
  ]) {
    const random = seeded(2)
    const life = new Life()
    life.ticks(400, visitors(random))
    order(life.brain)
    const traits = Array.from({ length: 200 }, (_, i) => bot(i, tool, random))
    const strained = order.length > 0
    life.ticks(8, () =>
      strained ? { ...flood, sites: { [SITE]: { ...flood.sites[SITE]!, traits } } } : report({ traits }),
    )
    assert.deepEqual(life.brain.policy.signatures, {})
  }
})

test('what calm clients look like and what the operator said of signatures survive a restart', () => {
  const random = seeded(3)
  const life = new Life()
  life.ticks(400, visitors(random))
  const traits = Array.from({ length: 200 }, (_, i) => bot(i, tool, random))
  life.ticks(4, () => ({ ...flood, sites: { [SITE]: { ...flood.sites[SITE]!, traits } } }))
  const [signature] = life.brain.policy.signatures![SITE]!.signatures
  const { id } = signature!
  assert.throws(
    () => life.brain.changeSignature({ change: 'effect', id, effect: 'refuse' }, life.now),
    /pin it first/,
  )
  life.brain.changeSignature({ change: 'pin', id }, life.now)
  life.brain.changeSignature({ change: 'effect', id, site: SITE, effect: 'refuse' }, life.now)
  assert.throws(() => life.brain.changeSignature({ change: 'pin', id: 's0' }, life.now), /digue signatures/)
  assert.throws(
    () => life.brain.changeSignature({ change: 'pin', id, site: 'nowhere.example' }, life.now),
    /no site/,
  )
  const { calmVectors } = life.brain.signatures(SITE)[0]!
  const kept: unknown = JSON.parse(JSON.stringify(life.brain.toState()))
  const again = Brain.fromState(kept, { sites: [SITE] }, life.now + 1000)
  assert.equal(again.policy.signatures?.[SITE]?.signatures[0]?.effect, 'refuse')
  assert.ok(again.signatures(SITE)[0]!.calmVectors >= calmVectors * 0.98)
  again.changeSignature({ change: 'forbid', id, note: 'the mayor’s own app' }, life.now)
  assert.deepEqual(again.policy.signatures, {})
  const third = Brain.fromState(JSON.parse(JSON.stringify(again.toState())), { sites: [SITE] }, life.now)
  assert.equal(third.signatures(SITE)[0]!.forbidden[0]?.note, 'the mayor’s own app')
  assert.deepEqual(third.changeSignature({ change: 'release', id }, life.now), [{ site: SITE }])
  assert.deepEqual(third.signatures(SITE)[0]!.forbidden, [])
})
