import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LOG_TRAITS, UNFAMILIAR } from '#recognise'
import { HOUR_MS, Weather } from './floods.fixture.ts'
import { type CalmSample, MAX_VECTORS, TraitBaseline } from './trait-baseline.ts'
import { bot, seeded, vectorOf, visit, visitor, word } from './visitors.fixture.ts'

const key = { k0: 1, k1: 2 }
const startMs = 1_800_000_000_000

function sample(
  i: number,
  values: Parameters<typeof vectorOf>[0],
  place: Partial<CalmSample> = {},
): CalmSample {
  return { asn: 3000 + (i % 50), prefix: `p${i}`, subscriber: `c${i}`, traits: vectorOf(values), ...place }
}

const fresh = (seed = 1) => new TraitBaseline({ key, random: seeded(seed) })

describe('what is learned', () => {
  test('a client counts once an hour, by any of its requests', () => {
    const shown = new Map<string, number>()
    for (let seed = 0; seed < 200; seed++) {
      const baseline = fresh(seed)
      for (const path of ['/a', '/b', '/c', '/d']) baseline.add(sample(1, { path }), startMs)
      assert.equal(baseline.size, 1)
      const value = baseline.view().common('path', 1)[0]!.value
      shown.set(value, (shown.get(value) ?? 0) + 1)
    }
    for (const path of ['/a', '/b', '/c', '/d'])
      assert.ok((shown.get(path) ?? 0) > 25, `${path} ${shown.get(path)}`)
  })

  test('a client has three vectors at most, however many hours it stays', () => {
    const baseline = fresh()
    for (let hour = 0; hour < 48; hour++) baseline.add(sample(1, { agent: 'x' }), startMs + hour * HOUR_MS)
    assert.equal(baseline.size, 3)
    assert.equal(baseline.clients, 1)
  })

  test('it holds no more than it may, whatever comes', () => {
    const baseline = new TraitBaseline({ key, random: seeded(1), capacity: 1024 })
    for (let i = 0; i < 20_000; i++) baseline.add(sample(i, { agent: `a${i}` }), startMs + i * 10_000)
    assert.ok(baseline.size <= 1024 && baseline.size > 900, String(baseline.size))
    assert.equal(baseline.view().familiar('agent'), undefined, 'too many values to call others unfamiliar')
  })

  test('clients told apart within an hour are as many as its share of the room allows, the others are counted', () => {
    const baseline = new TraitBaseline({ key, random: seeded(1), capacity: 1024 })
    for (let i = 0; i < 10_000; i++) baseline.add(sample(i, { agent: 'a' }), startMs)
    assert.equal(baseline.lost, 10_000 - 8 * 1024)
  })

  test('night stays represented beside a day with fifty times the clients', () => {
    const baseline = fresh()
    let i = 0
    for (let hour = 0; hour < 24 * 7; hour++) {
      const isNight = hour % 24 < 6
      for (let n = 0; n < (isNight ? 20 : 1000); n++)
        baseline.add(sample(i++, { agent: isNight ? 'night' : 'day' }), startMs + hour * HOUR_MS)
    }
    assert.equal(baseline.size, MAX_VECTORS)
    const { share } = baseline.view().share([{ trait: 'agent', value: 'night' }])
    assert.ok(share > 0.05, `night is ${share}`)
  })

  test('what is new counts more than what is old, and what is old goes', () => {
    const baseline = fresh()
    let i = 0
    for (let hour = 0; hour < 12 * 24; hour++)
      for (let n = 0; n < 125; n++)
        baseline.add(sample(i++, { agent: `day${Math.floor(hour / 24)}` }), startMs + hour * HOUR_MS)
    const of = (day: number) => baseline.view().share([{ trait: 'agent', value: `day${day}` }]).share
    assert.ok(of(11) > 1.5 * of(8) && of(8) > 1.5 * of(4), [of(11), of(8), of(4)].join(' '))
    baseline.add(sample(i, { agent: 'late' }), startMs + 60 * 24 * HOUR_MS)
    assert.equal(baseline.size, 1)
  })

  test('a trait that a log does not show never counts as absent', () => {
    const baseline = fresh()
    const known = new Set(LOG_TRAITS)
    for (let i = 0; i < 1000; i++)
      baseline.add(sample(i, { agent: i % 2 ? 'curl' : 'Firefox/Linux', path: '/' }), startMs, known)
    const view = baseline.view()
    assert.deepEqual(view.share([{ trait: 'tls', value: '' }]), {
      fits: 0,
      of: 0,
      clients: 0,
      fittingClients: 0,
      share: 0,
      atMost: 1,
    })
    assert.equal(view.familiar('tls'), undefined)
    assert.equal(view.share([{ trait: 'agent', value: 'curl' }]).share, 0.5)
    // In a log that shows them, no query and no referrer are that.
    assert.equal(view.share([{ trait: 'query', value: '' }]).share, 1)
    // What every request has is unknown when it is empty.
    assert.equal(view.share([{ trait: 'network', value: '' }]).of, 0)
  })

  test('the share of what nobody showed is that of what one client alone showed', () => {
    const baseline = fresh()
    // Each comes in two hours: a client does not make its own value familiar.
    for (const atMs of [startMs, startMs + HOUR_MS])
      for (let i = 0; i < 1000; i++) baseline.add(sample(i, { agent: i < 20 ? `odd${i}` : 'usual' }), atMs)
    const { share, atMost } = baseline.view().share([{ trait: 'agent', value: UNFAMILIAR }])
    assert.equal(share, 0.02)
    assert.ok(atMost > 0.025 && atMost < 0.035, String(atMost))
    assert.equal(baseline.view().familiar('agent')?.length, 22)
  })
})

describe('state', () => {
  test('what is learned survives a restart', () => {
    const weather = new Weather(1)
    weather.calm(30, 100)
    const kept: unknown = JSON.parse(JSON.stringify(weather.baseline.toState()))
    const again = TraitBaseline.fromState(kept)!
    assert.equal(again.size, weather.baseline.size)
    for (const terms of [
      [{ trait: 'agent', value: 'curl' }],
      [
        { trait: 'language', value: 'fr' },
        { trait: 'cookies', value: 'none' },
      ],
      [{ trait: 'order', value: UNFAMILIAR }],
    ] as const)
      assert.deepEqual(again.view().share(terms), weather.baseline.view().share(terms))
    assert.ok(JSON.stringify(kept).length < 1_500_000)
  })

  test('values as long as they may be and all different do not make it larger than its bound', () => {
    const baseline = fresh()
    for (let i = 0; i < 5000; i++)
      baseline.add(
        sample(i, {
          agent: `${i}`.padEnd(120, 'x'),
          query: `${i}`.padEnd(120, 'y'),
          path: `/${i}`.padEnd(120, 'z'),
        }),
        startMs + i * 1000,
      )
    const text = JSON.stringify(baseline.toState())
    assert.ok(text.length < 3_500_000, String(text.length))
    assert.ok(TraitBaseline.fromState(JSON.parse(text))!.size > 1000)
  })

  test('what is no state gives none, and vectors that are none are left out', () => {
    for (const nonsense of [null, 7, {}, { key: { k0: 1 } }, { key, traits: [1], values: [], vectors: [] }])
      assert.equal(TraitBaseline.fromState(nonsense), undefined)
    const baseline = fresh()
    for (let i = 0; i < 3; i++) baseline.add(sample(i, { agent: 'x' }), startMs)
    const kept = JSON.parse(JSON.stringify(baseline.toState()))
    kept.vectors.push([1, 2], 'x', new Array(18).fill('1'), new Array(18).fill(1e9), new Array(18).fill(-1))
    const again = TraitBaseline.fromState(kept)!
    assert.equal(again.view().share([{ trait: 'agent', value: 'x' }]).fits, 3)
  })

  test('a trait that a kept state does not know is unknown, one that is no more is left out', () => {
    const baseline = fresh()
    baseline.add(sample(1, { agent: 'x', tls: 't' }), startMs)
    const kept = JSON.parse(JSON.stringify(baseline.toState()))
    kept.traits[0] = 'colour'
    const again = TraitBaseline.fromState(kept)!
    assert.equal(again.view().share([{ trait: 'tls', value: 't' }]).of, 0)
    assert.equal(again.view().share([{ trait: 'agent', value: 'x' }]).share, 1)
  })
})

/** Days of a site with 5,000 visits a day, and of somebody who is there to be learned. */
function poisoned(bots: (day: number) => CalmSample[]): TraitBaseline {
  const random = seeded(5)
  const baseline = new TraitBaseline({ key, random })
  let people = 0
  for (let hour = 0; hour < 72; hour++) {
    const atMs = startMs + hour * HOUR_MS
    for (let i = 0; i < 200; i++) baseline.add(visit(visitor(String(people++), random), random), atMs)
    for (const one of bots(hour)) baseline.add(one, atMs)
  }
  return baseline
}

const shareOfTool = (baseline: TraitBaseline) => baseline.view().share([{ trait: 'agent', value: 'tool' }])

describe('slow poisoning', () => {
  const tool = { agent: 'tool', tls: 't13d_tool' }

  test('one address, for days, each minute: three vectors', () => {
    const baseline = poisoned(() => Array.from({ length: 60 }, () => sample(1, tool)))
    assert.equal(shareOfTool(baseline).fits, 3)
    assert.ok(shareOfTool(baseline).atMost < 0.01)
  })

  test('one prefix with all its addresses: less than the one per cent that would protect it', () => {
    const baseline = poisoned(() =>
      Array.from({ length: 254 }, (_, i) => sample(i, tool, { asn: 64_500, prefix: 'p' })),
    )
    assert.ok(shareOfTool(baseline).share <= 0.009, String(shareOfTool(baseline).share))
  })

  test('one network with thousands of addresses: a quarter, and nobody else’s handwriting', () => {
    const baseline = poisoned((hour) =>
      Array.from({ length: 2000 }, (_, i) => sample(hour * 2000 + i, tool, { asn: 64_500, prefix: `p${i}` })),
    )
    assert.ok(shareOfTool(baseline).share <= 0.26, String(shareOfTool(baseline).share))
    assert.equal(baseline.view().share([{ trait: 'agent', value: 'another' }]).fits, 0)
  })

  test('hundreds of networks, as one in twenty visitors: one in twenty, which protects that handwriting and no other', () => {
    const random = seeded(9)
    const weather = new Weather(9)
    const spread = (hour: number) =>
      Array.from({ length: 10 }, (_, i) => bot(hour * 10 + i, tool, random, 400))
    weather.calm(72, 200, spread)
    assert.ok(Math.abs(shareOfTool(weather.baseline).share - 0.048) < 0.015)
    const flood = (values: object) => {
      for (let tick = 0; tick < 12; tick++)
        weather.tick({
          perSecond: 60,
          others: Array.from({ length: 200 }, (_, i) => bot(100_000 + tick * 200 + i, values, random, 400)),
        })
      return weather.book.published.signatures
    }
    assert.deepEqual(flood(tool), [], 'poisoned')
    assert.ok(flood({ agent: 'tool2', tls: 't13d_tool2' }).length > 0)
  })

  test('random values are learned as one thing: that some clients show what nobody else does', () => {
    const random = seeded(10)
    const baseline = poisoned(() =>
      Array.from({ length: 254 }, (_, i) => sample(i, { agent: word(random) }, { asn: 64_500, prefix: 'p' })),
    )
    const { share } = baseline.view().share([{ trait: 'agent', value: UNFAMILIAR }])
    assert.ok(share < 0.01, String(share))
    assert.ok(baseline.view().familiar('agent') !== undefined)
  })
})
