import assert from 'node:assert/strict'
import { test } from 'node:test'
import { network, networks, Simulation } from './simulation.ts'
import type { Weights } from './weights.ts'

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
