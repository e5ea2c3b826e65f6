import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GradientLimit } from './gradient-limit.ts'
import { network, networks, Simulation } from './simulation.fixture.ts'

const visitors = networks([[1, 1]], 3000)

function window(
  part: Partial<Parameters<GradientLimit['update']>[0]>,
): Parameters<GradientLimit['update']>[0] {
  return { samples: 20, medianRatio: 1, failures: 0, maxInFlight: 20, inFlight: 20, ...part }
}

test('the limit starts at 40 and does not grow while less than half of it is used', () => {
  const limit = new GradientLimit()
  for (let now = 0; now < 9000; now += 100) limit.update(window({ maxInFlight: 4, inFlight: 4 }), now)
  assert.equal(limit.limit, 40)
  for (let now = 9000; now < 9900; now += 100) limit.update(window({ maxInFlight: 40 }), now)
  assert.ok(limit.limit > 40)
})

test('the operator’s maximum and the minimum hold', () => {
  const limit = new GradientLimit({ max: 25, min: 3 })
  for (let now = 0; now < 9000; now += 100) limit.update(window({ maxInFlight: 40 }), now)
  assert.equal(limit.limit, 25)
  for (let now = 9000; now < 9900; now += 10) limit.update(window({ failures: 20 }), now)
  assert.equal(limit.limit, 3)
})

test('failures that load causes lower the limit by a tenth a window', () => {
  const limit = new GradientLimit({ initial: 100 })
  limit.update(window({ failures: 10 }), 0)
  assert.equal(limit.limit, 90)
})

test('a probe that happened to meet overrated routes only does not strangle the others', () => {
  const limit = new GradientLimit({ initial: 40 })
  let now = 0
  for (let i = 0; i < 20; i++) limit.update(window({ maxInFlight: 4, inFlight: 4 }), (now += 100))
  // Pressure, so that the limit probes; its answers come six times faster than believed.
  while (limit.state === 'steady' && now < 60_000)
    limit.update(window({ medianRatio: 2, maxInFlight: limit.limit, inFlight: limit.limit }), (now += 100))
  while (limit.state !== 'steady')
    limit.update(window({ medianRatio: 0.17, maxInFlight: 2, inFlight: 2 }), (now += 100))
  assert.ok(limit.longRatio < 0.3, String(limit.longRatio))
  // Then routes whose calm time is right, with nothing queueing.
  for (let i = 0; i < 50; i++)
    limit.update(window({ medianRatio: 0.8, maxInFlight: limit.limit, inFlight: limit.limit }), (now += 100))
  assert.ok(limit.limit >= 15, String(limit.limit))
})

test('one pause of the origin in calm weather costs half of the limit at most, for a moment', () => {
  const limit = new GradientLimit()
  let now = 0
  for (let i = 0; i < 20; i++) limit.update(window({ maxInFlight: 4, inFlight: 4 }), (now += 100))
  limit.update(window({ samples: 44, medianRatio: 30, maxInFlight: 40, inFlight: 40 }), (now += 500))
  assert.ok(limit.limit >= 20, String(limit.limit))
  for (let i = 0; i < 20; i++)
    limit.update(window({ maxInFlight: limit.limit, inFlight: limit.limit }), (now += 100))
  assert.ok(limit.limit >= 30, String(limit.limit))
})

test('a calm but slow site with a hundred visitors at once is not shed when Digue starts', () => {
  for (const spread of [0, 0.5]) {
    const run = new Simulation({ servers: 200, spread, serviceMs: () => 500 })
    // All hundred within 10 ms, and again two hundred a second: a hundred at once.
    run.add({ name: 'visitors', perSecond: 10_000, client: visitors, untilMs: 10 })
    run.add({ name: 'visitors', perSecond: 200, client: visitors, fromMs: 500 })
    run.runUntil(30_000)
    assert.equal(run.tally('visitors').shed, 0)
  }
})

test('doubling at the start ends with the first queue, near what the origin works on at once', () => {
  const run = new Simulation({ servers: 64, serviceMs: () => 100 })
  run.add({ name: 'crowd', perSecond: 3000, client: visitors })
  let most = 0
  for (let now = 0; now <= 2000; now += 100) {
    run.runUntil(now)
    most = Math.max(most, run.capacity.state(0).limit)
  }
  assert.ok(most >= 64 && most < 4 * 64, String(most))
  run.runUntil(5000)
  assert.ok(run.capacity.state(0).limit < 2 * 64)
})

for (const servers of [1, 8, 64])
  for (const spread of [0, 1])
    test(`a flooded origin of ${servers} is busy with a short line in it, service times ${spread ? 'exponential' : 'constant'}`, (t) => {
      const capacity = servers * 40
      const run = new Simulation({ servers, spread, serviceMs: () => 25 })
      run.add({ name: 'visitors', perSecond: capacity / 4, client: visitors })
      run.runUntil(10_000)
      run.learning = false
      run.add({ name: 'bots', perSecond: capacity * 6, client: network(9, 5000), fromMs: 10_000 })
      run.runUntil(15_000)
      run.resetTallies()
      let limits = 0
      for (let now = 16_000; now <= 45_000; now += 1000) {
        run.runUntil(now)
        limits += run.capacity.state(0).limit / 30
      }
      const busy = (run.tally('visitors').originMs + run.tally('bots').originMs) / 30_000 / servers
      t.diagnostic(`${(100 * busy).toFixed(1)} % busy, limit ${limits.toFixed(1)}`)
      assert.ok(busy >= 0.95)
      assert.ok(limits <= 1.5 * servers + 4)
    })

test('a path that always fails, whatever the load, does not push the limit down for good', () => {
  const run = new Simulation({ servers: 16, serviceMs: () => 40, fails: (route) => route === 'GET /broken' })
  run.add({ name: 'visitors', perSecond: 200, client: visitors })
  run.add({ name: 'broken', perSecond: 150, client: network(7, 50), route: 'GET /broken' })
  run.runUntil(20_000)
  run.resetTallies()
  run.runUntil(40_000)
  assert.ok(run.servedShare('visitors') > 0.97, String(run.servedShare('visitors')))
})

test('an origin of 64 servers is used fully within 15 s of a flood’s onset', () => {
  const run = new Simulation({ servers: 64, serviceMs: () => 100 })
  run.add({ name: 'visitors', perSecond: 100, client: visitors })
  run.runUntil(10_000)
  run.learning = false
  run.add({ name: 'bots', perSecond: 3000, client: network(9, 5000), fromMs: 10_000 })
  run.runUntil(25_000)
  run.resetTallies()
  run.runUntil(45_000)
  const perSecond = (run.tally('visitors').served + run.tally('bots').served) / 20
  assert.ok(perSecond > 600, `${perSecond.toFixed(0)}/s of 640`)
  assert.ok(run.capacity.state(0).limit < 2.5 * 64, 'and its own queue stays short')
})

/** The origin becomes three times slower just after a probe; served before and after 20 s of that. */
function slowDown(probeEveryMs: number): { first: number; later: number } {
  const slowerAtMs = 12_000
  const serviceMs = (_route: string, atMs: number): number => (atMs < slowerAtMs ? 50 : 150)
  // 30 servers at 150 ms serve 200 requests a second.
  const run = new Simulation({ servers: 30, serviceMs, limit: { probeEveryMs } })
  run.add({ name: 'visitors', perSecond: 170, client: visitors })
  run.runUntil(slowerAtMs)
  run.learning = false
  run.resetTallies()
  run.runUntil(slowerAtMs + 20_000)
  const first = run.servedShare('visitors')
  run.resetTallies()
  run.runUntil(slowerAtMs + 80_000)
  return { first, later: run.servedShare('visitors') }
}

test('without the probe an origin that becomes three times slower is strangled for good', (t) => {
  const { first, later } = slowDown(Number.POSITIVE_INFINITY)
  t.diagnostic(
    `served ${(100 * first).toFixed(1)} % in the first 20 s, ${(100 * later).toFixed(1)} % in the minute after`,
  )
  assert.ok(later < 0.9, String(later))
})

test('with the probe it serves at full throughput again within 20 s, with no attacker', (t) => {
  const { first, later } = slowDown(10_000)
  t.diagnostic(
    `served ${(100 * first).toFixed(1)} % in the first 20 s, ${(100 * later).toFixed(1)} % in the minute after`,
  )
  assert.ok(later > 0.99, String(later))
})

test('a flood for an expensive path does not strangle the limit', (t) => {
  const run = new Simulation({ servers: 16, serviceMs: (route) => (route === 'GET /search' ? 100 : 5) })
  run.add({ name: 'visitors', perSecond: 100, client: visitors })
  run.add({ name: 'searchers', perSecond: 5, client: visitors, route: 'GET /search' })
  run.runUntil(15_000)
  run.learning = false
  run.add({ name: 'bots', perSecond: 1000, client: network(9, 2000), route: 'GET /search', fromMs: 15_000 })
  run.runUntil(25_000)
  run.resetTallies()
  run.runUntil(55_000)
  const busyMs = ['visitors', 'searchers', 'bots'].reduce((sum, name) => sum + run.tally(name).originMs, 0)
  t.diagnostic(
    `limit ${run.capacity.state(0).limit}, origin ${((100 * busyMs) / 30_000 / 16).toFixed(0)} % busy, visitors ${(100 * run.servedShare('visitors')).toFixed(1)} %`,
  )
  assert.ok(busyMs / 30_000 > 0.9 * 16, 'the origin is used')
})

test('the origin that nobody floods keeps its limit through a hundred probes', () => {
  const run = new Simulation({ servers: 16, serviceMs: () => 40 })
  run.add({ name: 'visitors', perSecond: 250, client: visitors })
  run.runUntil(300_000)
  assert.ok(run.servedShare('visitors') > 0.9999, String(run.servedShare('visitors')))
})
