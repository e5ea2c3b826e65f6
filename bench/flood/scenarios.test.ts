import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bounded, loopback } from '../load/loopback-only.ts'
import { networkOf } from '../load/networks.ts'
import type { Cohort } from '../load/plan.ts'
import { people } from './cohorts.ts'
import { MITIGATION } from './mitigation.ts'
import { SCENARIOS } from './scenarios.ts'

const TIMING = { calmS: 20, floodS: 30 }
const all = [...SCENARIOS, MITIGATION]
const perSecond = (cohort: Cohort) => cohort.perSecond * (cohort.stays?.people ?? cohort.addresses.length)

test('every scenario has its own name, loopback addresses only, and fits into the bounds of a plan', () => {
  assert.equal(new Set(all.map((s) => s.name)).size, all.length)
  for (const scenario of all) {
    const cohorts = scenario.cohorts(TIMING)
    for (const cohort of cohorts) cohort.addresses.forEach(loopback)
    for (const attack of [scenario.attack, ...(scenario.also ?? [])]) {
      if (!attack) continue
      attack.sources.forEach(loopback)
      bounded({
        sources: attack.sources.length,
        seconds: TIMING.calmS + 600,
        perSecond: typeof attack.perSecond === 'number' ? attack.perSecond * attack.sources.length : 0,
        connections: 8000,
      })
    }
    for (const goal of scenario.goals)
      if ('cohort' in goal && goal.cohort)
        assert.ok(
          cohorts.some((c) => c.name === goal.cohort),
          `${scenario.name} ${goal.cohort}`,
        )
  }
})

test('of a hundred people 60 return, 20 have slow phones, 3 no script, 10 share an address, 3 a network with bots', () => {
  for (const source of ['hosting', 'providers'] as const) {
    const cohorts = people(TIMING, source)
    assert.deepEqual(Object.fromEntries(cohorts.map((cohort) => [cohort.name, perSecond(cohort)])), {
      returning: 60,
      'slow-phone': 20,
      'no-script': 3,
      cgnat: 10,
      shared: 3,
      new: 4,
    })
    const [returning, ...rest] = cohorts
    assert.equal(returning!.fromS, 0)
    assert.equal(new Set(returning!.cookies).size, 60)
    for (const cohort of rest) {
      assert.equal(cohort.fromS, TIMING.calmS)
      assert.equal(cohort.cookies, undefined)
    }
    const where = (cohort: Cohort) => new Set(cohort.addresses.map((a) => networkOf(a).split('-')[0]))
    assert.deepEqual(
      [...where(cohorts.find((c) => c.name === 'shared')!)],
      [source === 'hosting' ? 'hosting' : 'provider'],
    )
  }
})

test('nobody is visitor and attacker at once, except behind a carrier', () => {
  for (const scenario of all) {
    const attackers = new Set(
      [scenario.attack, ...(scenario.also ?? [])].flatMap((attack) => attack?.sources ?? []),
    )
    for (const cohort of scenario.cohorts(TIMING))
      if (cohort.name !== 'behind-nat')
        assert.deepEqual(
          cohort.addresses.filter((address) => attackers.has(address)),
          [],
          `${scenario.name} ${cohort.name}`,
        )
  }
})

test('behaviours are made for every server they are sent to', () => {
  for (const scenario of all)
    for (const attack of [scenario.attack, ...(scenario.also ?? [])]) {
      const plan = attack?.behaviour?.('digue')
      if (plan?.does === 'cookies') assert.equal(new Set(plan.cookies).size, attack!.sources.length)
      if (plan?.does === 'farm') {
        const cheap = attack!.behaviour!('static-challenge')
        assert.ok(cheap.does === 'farm' && cheap.msPerPart < plan.msPerPart)
      }
    }
})
