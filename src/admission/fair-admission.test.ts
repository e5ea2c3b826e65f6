/**
 * The fluid example: 300 visitors' requests a second, an origin that serves 400, 9,000 from bots.
 * Without weights by network the visitors lose whatever their number; with calm-weather shares they
 * do not, as long as the bots do not stand in the visitors' own networks.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Baseline } from './baseline.ts'
import { network, networks, Simulation, type Source } from './simulation.fixture.ts'
import { WeightTable } from './weights.ts'

const providers = [
  [1, 0.4],
  [2, 0.25],
  [3, 0.2],
  [4, 0.1],
  [5, 0.05],
] as const
const VISITORS = 3000
const key = { k0: 5, k1: 6 }

interface Attack {
  readonly name: string
  readonly bots: readonly Omit<Source, 'name' | 'fromMs'>[]
}

const attacks: Record<string, Attack> = {
  hosting: {
    name: '12 hosting networks',
    bots: Array.from({ length: 12 }, (_, i) => ({ perSecond: 750, client: network(100 + i, 1000) })),
  },
  proxies: {
    name: '200 proxy networks',
    bots: Array.from({ length: 200 }, (_, i) => ({ perSecond: 45, client: network(1000 + i, 100) })),
  },
  own: {
    name: 'the visitors’ own providers',
    // Addresses of the same networks, and of prefixes beside the visitors'.
    bots: providers.map(([asn, share]) => ({
      perSecond: 9000 * share,
      client: (n, random) => {
        const bot = network(asn, 12_000 * share)(n, random)
        return { ...bot, prefix: `other ${bot.prefix}`, subscriber: `other ${bot.subscriber}` }
      },
    })),
  },
}

/** A minute of calm weather teaches the baseline, then 14 s of flood; visitors served in its last 10 s. */
function run(
  attack: Attack,
  learn: boolean,
  who: { readonly strangers?: boolean; readonly visitorsPerSecond?: number } = {},
): { served: number; delayMs: number; visitorTime: number } {
  const { strangers = false, visitorsPerSecond = 300 } = who
  const table = WeightTable.create({ key, slots: 32_768 })
  const simulation = new Simulation({
    servers: 16,
    serviceMs: () => 40,
    ...(learn ? { weights: table } : {}),
  })
  const baseline = new Baseline({ key })
  const regulars = networks(providers, VISITORS)
  const untilMs = strangers ? 60_000 : Number.POSITIVE_INFINITY
  simulation.add({ name: 'visitors', perSecond: visitorsPerSecond, client: regulars, untilMs })
  for (let second = 1; second <= 60; second++) {
    simulation.runUntil(second * 1000)
    baseline.learn(simulation.gates[0]!.report().calm, second * 1000)
  }
  baseline.publish(table)
  simulation.learning = false
  if (strangers) {
    const client: Source['client'] = (n, random) => {
      const who = regulars(n, random)
      return { ...who, prefix: `new ${who.prefix}`, subscriber: `new ${who.subscriber}` }
    }
    simulation.add({ name: 'visitors', perSecond: visitorsPerSecond, client, fromMs: 60_000 })
  }
  for (const bots of attack.bots) simulation.add({ ...bots, name: 'bots', fromMs: 60_000 })
  simulation.runUntil(64_000)
  simulation.resetTallies()
  simulation.runUntil(74_000)
  const { served, delaySumMs, originMs } = simulation.tally('visitors')
  const visitorTime = originMs / (originMs + simulation.tally('bots').originMs)
  return {
    served: simulation.servedShare('visitors'),
    delayMs: delaySumMs / Math.max(1, served),
    visitorTime,
  }
}

test('as many visitors, but all new, with bots in their own networks: fairness alone does not separate them', (t) => {
  const result = run(attacks['own']!, true, { strangers: true })
  t.diagnostic(
    `${(100 * result.served).toFixed(1)} % of new visitors served, ${(100 * result.visitorTime).toFixed(0)} % of the origin's time is theirs`,
  )
  assert.ok(result.served < 0.9, 'if this fails, the claim in README is too modest')
})

/** A flood among the visitors' own providers, part of which is recognised. */
function recognised(perSecond: number, marked: number): Attack {
  return {
    name: 'the visitors’ own providers',
    bots: providers.map(([asn, share]) => ({
      perSecond: perSecond * share,
      client: (n, random) => {
        const bot = network(asn, 12_000 * share)(n, random)
        const prefix = `other ${bot.prefix}`
        return { asn, prefix, subscriber: `other ${bot.subscriber}`, marked: random() < marked }
      },
    })),
  }
}

test('new visitors among bots of their own networks are served once 95 % of the flood are recognised', (t) => {
  // What is left of it, 100 a second, fits beside them.
  const before = run(recognised(2000, 0), true, { strangers: true, visitorsPerSecond: 200 })
  const after = run(recognised(2000, 0.95), true, { strangers: true, visitorsPerSecond: 200 })
  t.diagnostic(
    `${(100 * before.served).toFixed(1)} % of new visitors served before, ${(100 * after.served).toFixed(2)} % after`,
  )
  assert.ok(before.served < 0.6, `${before.served}`)
  assert.ok(after.served >= 0.99, `${after.served}`)
})

test('before there is a baseline recognition serves the visitors too', (t) => {
  const before = run(recognised(2000, 0), false, { strangers: true, visitorsPerSecond: 200 })
  const after = run(recognised(2000, 0.95), false, { strangers: true, visitorsPerSecond: 200 })
  t.diagnostic(
    `${(100 * before.served).toFixed(1)} % of visitors served before, ${(100 * after.served).toFixed(2)} % after`,
  )
  assert.ok(before.served < 0.6, `${before.served}`)
  assert.ok(after.served >= 0.99, `${after.served}`)
})

for (const [kind, attack] of Object.entries(attacks))
  test(`a flood from ${attack.name}: calm-weather shares beat flat fairness`, (t) => {
    const flat = run(attack, false)
    const weighted = run(attack, true)
    for (const [how, { served, delayMs, visitorTime }] of Object.entries({ flat, weighted }))
      t.diagnostic(
        `${how}: ${(100 * served).toFixed(2)} % of visitors served, ${delayMs.toFixed(0)} ms in line, ${(100 * visitorTime).toFixed(0)} % of the origin's time is theirs`,
      )
    if (kind === 'hosting') assert.ok(weighted.served >= 0.99, `${weighted.served}`)
    if (kind === 'hosting') assert.ok(flat.served < 0.5, 'without shares the flood wins')
    assert.ok(weighted.served > flat.served)
  })

test('whole pages are served under a flood from hosting networks: a navigation and twenty assets', (t) => {
  const table = WeightTable.create({ key, slots: 32_768 })
  const simulation = new Simulation({ servers: 16, serviceMs: () => 25, weights: table })
  const baseline = new Baseline({ key })
  simulation.add({ name: 'visits', perSecond: 15, client: networks(providers, VISITORS), assets: 20 })
  for (let second = 1; second <= 60; second++) {
    simulation.runUntil(second * 1000)
    baseline.learn(simulation.gates[0]!.report().calm, second * 1000)
  }
  baseline.publish(table)
  simulation.learning = false
  for (const bots of attacks['hosting']!.bots) simulation.add({ ...bots, name: 'bots', fromMs: 60_000 })
  simulation.runUntil(64_000)
  simulation.resetTallies()
  simulation.runUntil(84_000)
  t.diagnostic(`${(100 * simulation.pageShare('visits')).toFixed(2)} % of pages whole`)
  assert.ok(simulation.pageShare('visits') >= 0.99)
})

test('in a flash crowd without an attacker the origin is used fully and each visitor counts alike', (t) => {
  const table = WeightTable.create({ key, slots: 32_768 })
  const simulation = new Simulation({ servers: 16, serviceMs: () => 25, weights: table })
  const baseline = new Baseline({ key })
  const crowd = networks(providers, 20 * VISITORS)
  simulation.add({ name: 'visitors', perSecond: 100, client: networks(providers, VISITORS) })
  for (let second = 1; second <= 60; second++) {
    simulation.runUntil(second * 1000)
    baseline.learn(simulation.gates[0]!.report().calm, second * 1000)
  }
  baseline.publish(table)
  simulation.learning = false
  simulation.add({ name: 'crowd', perSecond: 2000, client: (n, random) => crowd(n, random), fromMs: 60_000 })
  simulation.runUntil(70_000)
  simulation.resetTallies()
  simulation.runUntil(90_000)
  const busy = (simulation.tally('crowd').originMs + simulation.tally('visitors').originMs) / 20_000 / 16
  t.diagnostic(
    `origin ${(100 * busy).toFixed(1)} % busy; crowd ${(100 * simulation.servedShare('crowd')).toFixed(1)} %, regulars ${(100 * simulation.servedShare('visitors')).toFixed(1)} % served`,
  )
  assert.ok(busy >= 0.95)
})

test('visitors behind an address that five attackers share are served beside them', (t) => {
  const table = WeightTable.create({ key, slots: 32_768 })
  const simulation = new Simulation({ servers: 16, serviceMs: () => 25, weights: table })
  const baseline = new Baseline({ key })
  const nat = () => ({ asn: 1, prefix: 'nat', subscriber: 'nat' })
  simulation.add({ name: 'others', perSecond: 100, client: networks(providers, VISITORS) })
  simulation.add({ name: 'behind', perSecond: 50, client: nat })
  for (let second = 1; second <= 60; second++) {
    simulation.runUntil(second * 1000)
    baseline.learn(simulation.gates[0]!.report().calm, second * 1000)
  }
  baseline.publish(table)
  simulation.learning = false
  simulation.add({ name: 'attackers', perSecond: 500, client: nat, fromMs: 60_000 })
  simulation.runUntil(64_000)
  simulation.resetTallies()
  simulation.runUntil(84_000)
  t.diagnostic(
    `others ${(100 * simulation.servedShare('others')).toFixed(2)} %, behind the address ${(100 * simulation.servedShare('behind')).toFixed(1)} % served`,
  )
  assert.ok(simulation.servedShare('others') >= 0.999)
  assert.ok(simulation.servedShare('behind') >= 0.5)
})
