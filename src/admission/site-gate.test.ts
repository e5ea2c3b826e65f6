import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Claim, Verdict } from './claim.ts'
import { RouteCosts } from './route-costs.ts'
import { SharedCapacity } from './shared-capacity.ts'
import { network, networks, Simulation } from './simulation.fixture.ts'
import { createGate, type GateOptions } from './site-gate.ts'
import { FLAT_WEIGHTS, type Weights } from './weights.ts'

const visitorNetworks = [
  [1, 0.5],
  [2, 0.3],
  [3, 0.2],
] as const
const visitors = networks(visitorNetworks, 3000)
const baseline: Weights = {
  version: 1,
  hasBaseline: true,
  floor: 1 / 2000,
  asn: (asn) => visitorNetworks.find(([known]) => known === asn)?.[1] ?? 0,
  prefix: () => 0,
  subscriber: () => 0,
}
const site = { servers: 16, serviceMs: () => 40 }

test('in calm weather nobody is shed and hardly anybody waits', () => {
  const run = new Simulation(site)
  run.add({ name: 'visitors', perSecond: 100, client: visitors })
  run.runUntil(30_000)
  assert.equal(run.tally('visitors').shed, 0)
  assert.ok(run.tally('visitors').delaySumMs / run.tally('visitors').served < 1)
})

for (const weights of [baseline, undefined])
  test(`a flood from 12 hosting networks, ${weights ? 'with' : 'without'} a baseline`, (t) => {
    const run = new Simulation({ ...site, ...(weights ? { weights } : {}) })
    run.add({ name: 'visitors', perSecond: 300, client: visitors })
    run.runUntil(10_000)
    run.learning = false
    for (let i = 0; i < 12; i++)
      run.add({ name: 'bots', perSecond: 750, client: network(100 + i, 1000), fromMs: 10_000 })
    run.runUntil(14_000)
    run.resetTallies()
    run.runUntil(40_000)
    const { limit } = run.capacity.state(0)
    const v = run.tally('visitors')
    const total = (v.served + run.tally('bots').served) / 26
    t.diagnostic(
      `visitors ${(100 * run.servedShare('visitors')).toFixed(2)} % served, ${(v.delaySumMs / v.served).toFixed(0)} ms in line; ${total.toFixed(0)}/s in all, limit ${limit}`,
    )
    if (weights) assert.ok(run.servedShare('visitors') >= 0.99, String(run.servedShare('visitors')))
  })

class TestClaim implements Claim {
  ticket: unknown = undefined
  readonly asn = 1
  readonly prefix = '192.0.2.0/24'
  readonly lane = 'unproven' as const
  readonly route = 'GET /'
  readonly effort = 0
  readonly subscriber: string
  readonly verdicts: Verdict[] = []
  act: (verdict: Verdict) => void = () => {}

  constructor(subscriber: string) {
    this.subscriber = subscriber
  }

  decided(verdict: Verdict): void {
    this.verdicts.push(verdict)
    this.act(verdict)
  }
}

function house(options: { limit?: number; threads?: number; settings?: GateOptions['settings'] } = {}) {
  const threads = options.threads ?? 1
  const capacity = SharedCapacity.create({ sites: 1, threads })
  capacity.configure(0, { initial: options.limit ?? 2, max: options.limit ?? 2, min: 1 })
  const gates = Array.from({ length: threads }, (_, thread) =>
    createGate({
      capacity,
      site: 0,
      thread,
      weights: FLAT_WEIGHTS,
      costs: new RouteCosts(),
      ...(options.settings ? { settings: options.settings } : {}),
    }),
  )
  return { capacity, gates, gate: gates[0]! }
}

test('what is beyond the limit waits, and is admitted when a permit comes back', () => {
  const { gate, capacity } = house({ limit: 1 })
  const [a, b] = [new TestClaim('a'), new TestClaim('b')]
  assert.equal(gate.ask(a, 0).action, 'admit')
  assert.equal(gate.ask(b, 1).action, 'queue')
  gate.settle(a, 'answered', 5)
  assert.deepEqual(b.verdicts, [{ action: 'admit' }])
  gate.settle(a, 'answered', 6)
  assert.equal(capacity.state(0).inFlight, 1, 'settling twice returns one permit')
  gate.settle(b, 'failed', 7)
  assert.equal(capacity.state(0).inFlight, 0)
})

test('a claim decided while another is being settled may settle at once', () => {
  const { gate, capacity } = house({ limit: 1 })
  const claims = Array.from({ length: 20 }, (_, i) => new TestClaim(`c${i}`))
  for (const claim of claims) claim.act = () => gate.settle(claim, 'answered', 2)
  for (const claim of claims) gate.ask(claim, 0)
  gate.settle(claims[0]!, 'answered', 2)
  assert.ok(claims.slice(1).every((claim) => claim.verdicts.length === 1))
  assert.equal(capacity.state(0).inFlight, 0)
  assert.ok(capacity.isIdle(0))
})

test('nobody waits longer than a second, and the shed are told when to come back', () => {
  const { gate } = house({ limit: 1 })
  gate.ask(new TestClaim('a'), 0)
  const late = new TestClaim('b')
  gate.ask(late, 0)
  gate.tick(999)
  assert.equal(late.verdicts.length, 0)
  gate.tick(1000)
  const verdict: Verdict | undefined = late.verdicts.at(0)
  assert.ok(verdict?.action === 'shed' && verdict.reason === 'queue-timeout' && verdict.retryAfterS >= 1)
  assert.equal(gate.report().queueDelayMaxMs, 1000)
})

test('who leaves the line is not called, and who settles without asking changes nothing', () => {
  const { gate, capacity } = house({ limit: 1 })
  const [a, b] = [new TestClaim('a'), new TestClaim('b')]
  gate.ask(a, 0)
  gate.ask(b, 0)
  gate.withdraw(b, 1)
  gate.withdraw(b, 1)
  gate.settle(new TestClaim('stranger'), 'answered', 1)
  gate.responded(b, 2)
  gate.settle(a, 'answered', 3)
  assert.deepEqual(b.verdicts, [])
  assert.equal(capacity.state(0).inFlight, 0)
})

test('a long-lived exchange gives its permit back', () => {
  const { gate, capacity } = house({ limit: 1 })
  const claim = new TestClaim('a')
  gate.ask(claim, 0)
  gate.responded(claim, 5)
  gate.detach(claim, 2000)
  assert.equal(capacity.state(0).inFlight, 0)
  gate.settle(claim, 'answered', 9000)
  assert.equal(capacity.state(0).inFlight, 0)
})

test('observe: what would have waited passes, beyond the limit, and is counted', () => {
  const { gate, capacity } = house({ limit: 1 })
  gate.ask(new TestClaim('a'), 0)
  const observed = new TestClaim('b')
  assert.equal(gate.ask(observed, 0).action, 'queue')
  gate.withdraw(observed, 0)
  gate.pass(observed, 0)
  assert.equal(capacity.state(0).inFlight, 2)
  gate.settle(observed, 'answered', 1)
  assert.equal(capacity.state(0).inFlight, 1)
})

test('a full line sheds the one most over its share, not whoever comes', () => {
  const { gate } = house({ limit: 1, settings: { maxWaiting: 10 } })
  gate.ask(new TestClaim('first'), 0)
  const heavy = Array.from({ length: 10 }, () => new TestClaim('heavy'))
  for (const claim of heavy) assert.equal(gate.ask(claim, 1).action, 'queue')
  const light = new TestClaim('light')
  assert.equal(gate.ask(light, 2).action, 'queue')
  const shed = heavy.filter((claim) => claim.verdicts.length > 0)
  assert.equal(shed.length, 1)
  const verdict = shed[0]!.verdicts[0]!
  assert.ok(verdict.action === 'shed' && verdict.reason === 'over-share')
})

test('the line before an origin that serves little is short, and one that is too long shrinks', () => {
  const { gate } = house({ limit: 1 })
  gate.ask(new TestClaim('first'), 0)
  const claims = Array.from({ length: 600 }, (_, n) => new TestClaim(`a${n}`))
  for (const claim of claims) gate.ask(claim, 1)
  const waiting = () => claims.filter(({ verdicts }) => verdicts.length === 0).length
  assert.equal(waiting(), 600)
  gate.tick(500)
  for (let n = 0; n < 200; n++) gate.ask(new TestClaim(`b${n}`), 501)
  assert.ok(gate.report().waiting <= 256, String(gate.report().waiting))
})

test('two threads share a flooded origin evenly, and a permit freed by one is used by the other', (t) => {
  const run = new Simulation({ ...site, threads: 2 })
  run.learning = false
  run.add({ name: 'bots', perSecond: 2000, client: network(9, 5000) })
  const held = [0, 0]
  for (let at = 100; at <= 20_000; at += 100) {
    run.runUntil(at)
    run.gates.forEach((gate, thread) => {
      held[thread]! += gate.report().inFlight / 200
    })
  }
  t.diagnostic(
    `${held.map((mean) => mean.toFixed(1)).join(' and ')} in flight on average; ${run.tally('bots').served / 20}/s`,
  )
  assert.ok(Math.abs(held[0]! - held[1]!) <= 0.1 * (held[0]! + held[1]!))
  assert.ok(run.tally('bots').served / 20 > 370)
})

test('a thread with waiters is served although the other never rests', () => {
  const { gates } = house({ limit: 1, threads: 2 })
  const [busy, quiet] = [gates[0]!, gates[1]!]
  let running = new TestClaim('b0')
  busy.ask(running, 0)
  const waiting = new TestClaim('q')
  assert.equal(quiet.ask(waiting, 0).action, 'queue')
  for (let now = 1; now < 30 && waiting.verdicts.length === 0; now++) {
    const next = new TestClaim(`b${now}`)
    next.act = (verdict) => {
      if (verdict.action === 'admit') running = next
    }
    if (busy.ask(next, now).action === 'admit') running = next
    busy.settle(running, 'answered', now)
    quiet.woken(now)
  }
  assert.deepEqual(waiting.verdicts, [{ action: 'admit' }])
})

test('three hundred thousand addresses at one gate leave its queue within its bounds', () => {
  const { gate, capacity } = house({ limit: 4 })
  let decided = 0
  const running: TestClaim[] = []
  for (let i = 0; i < 300_000; i++) {
    const now = i / 40
    const claim = new TestClaim(`s${i}`)
    claim.act = (verdict) => {
      decided++
      if (verdict.action === 'admit') running.push(claim)
    }
    const verdict = gate.ask(claim, now)
    if (verdict.action === 'admit') running.push(claim)
    if (i % 400 === 0) {
      gate.tick(now)
      for (const done of running.splice(0)) gate.settle(done, 'answered', now)
    }
  }
  assert.ok(decided > 250_000)
  assert.ok(capacity.state(0).waiting <= 2048)
})

test('hanging up at once neither frees the origin nor is it free of charge', () => {
  const { gate, capacity } = house({ limit: 2 })
  for (let i = 0; i < 2; i++) {
    const claim = new TestClaim('rude')
    assert.equal(gate.ask(claim, 0).action, 'admit')
    gate.settle(claim, 'abandoned', 1)
  }
  assert.equal(gate.ask(new TestClaim('next'), 2).action, 'queue')
  gate.tick(10)
  assert.equal(capacity.state(0).inFlight, 2, 'an unknown route takes 20 ms')
  gate.tick(20)
  assert.equal(capacity.state(0).inFlight, 1, 'and then the next one is served')
})

test('an answer that came before its client left returns its permit at once', () => {
  const { gate, capacity } = house({ limit: 1 })
  const claim = new TestClaim('a')
  gate.ask(claim, 0)
  gate.responded(claim, 1)
  gate.settle(claim, 'abandoned', 2)
  assert.equal(capacity.state(0).inFlight, 0)
})

test('a thread that is busy itself does not take its own lag for a slow origin', () => {
  const limits = [0, 40].map((lagMs) => {
    const { gate, capacity } = house({ limit: 100 })
    capacity.configure(0, { initial: 50, max: 100 })
    let now = 0
    for (let turn = 0; turn < 300; turn++) {
      const claims = Array.from({ length: 30 }, (_, i) => new TestClaim(`c${i}`))
      for (const claim of claims) gate.ask(claim, now)
      // The origin takes 10 ms, and the loop lagMs longer to see it, from the 100th turn on.
      now += 10 + (turn > 100 ? lagMs : 0)
      for (const claim of claims) {
        gate.responded(claim, now)
        gate.settle(claim, 'answered', now)
      }
      gate.tick(now)
      if (turn % 3 === 0) capacity.updateLimits(now)
    }
    return capacity.state(0).limit
  })
  assert.ok(limits[1]! >= 0.8 * limits[0]!, limits.join(' and '))
})
