import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TraitSample } from '../policy.ts'
import { Weather } from './floods.fixture.ts'
import {
  bot,
  PROGRAMS,
  pick,
  type Random,
  type Values,
  type Visitor,
  vectorOf,
  visit,
  word,
} from './visitors.fixture.ts'

const SEEDS = [1, 2, 3, 4]
const CHROME = PROGRAMS[0]!

interface Result {
  /** Seconds from the first attack request until ≥ 95 % of them are under a signature; Infinity for never. */
  readonly caughtAfterS: number
  /** Of the requests after that. */
  readonly caught: number
  readonly touched: number
  readonly published: number
  readonly reasons: readonly string[]
}

/** A flood of 1,500 bots, of which up to 256 are sampled in each quarter of a second. */
function flood(
  seed: number,
  values: (i: number, second: number, random: Random) => Values,
  seconds = 20,
): Result {
  const weather = new Weather(seed)
  weather.calm(30, 200)
  for (let i = 0; i < 40; i++) weather.tick({ perSecond: 60, strained: false })
  let caughtAfterS = Number.POSITIVE_INFINITY
  let [bots, caught, visitors, touched] = [0, 0, 0, 0]
  const ids = new Map<string, string>()
  for (let tick = 0; tick < seconds * 4; tick++) {
    const others: TraitSample[] = Array.from({ length: 200 }, () => {
      const i = Math.floor(weather.random() * 1500)
      return bot(i, values(i, tick / 4, weather.random), weather.random)
    })
    // The site is strained from half a second on.
    const figures = weather.tick({ perSecond: 60, others, strained: tick >= 2 })
    for (const { id, reason } of weather.book.published.signatures) ids.set(id, reason)
    if (figures.caught >= 0.95 * figures.bots) caughtAfterS = Math.min(caughtAfterS, tick / 4)
    if (caughtAfterS < Number.POSITIVE_INFINITY) {
      bots += figures.bots
      caught += figures.caught
    }
    visitors += figures.visitors
    touched += figures.touched
  }
  return {
    caughtAfterS,
    caught: caught / Math.max(1, bots),
    touched: touched / visitors,
    published: ids.size,
    reasons: [...ids.values()],
  }
}

const FLOODS: Readonly<Record<string, (i: number, second: number, random: Random) => Values>> = {
  'one fixed tool': () => ({ tls: 't13d_wrk', order: '1-2-77', agent: '' }),
  'a tool with rotating agents': (_, __, random) => ({
    tls: 't13d_go',
    h2: 'go',
    order: '2-3-99',
    agent: pick(PROGRAMS, random).agent,
    language: pick(['fr', 'en', 'de'], random),
  }),
  'a tool with rotating agents over plain HTTP': (_, __, random) => ({
    order: '1-3-99',
    agent: pick(PROGRAMS, random).agent,
  }),
  'random fields, agents, languages and queries': (_, __, random) => ({
    order: `1x-9-${word(random)}`,
    agent: word(random),
    language: word(random),
    query: word(random),
    referrer: word(random),
    path: `/${word(random)}`,
    tls: 't13d_own',
  }),
  'random order and agent in plain HTTP, nothing else fixed': (_, __, random) => ({
    order: `1-6-${word(random)}`,
    agent: `{x}${word(random)}`,
    query: word(random),
  }),
  "a browser's fields over another program's TLS": () => ({
    tls: 't13d_openssl',
    order: CHROME.order,
    agent: CHROME.agent,
    h2: '',
    language: 'fr',
    contradiction: 'chrome-without-h2',
  }),
  "a browser's fields over another browser's TLS": () => ({
    ...CHROME,
    tls: PROGRAMS[12]!.tls,
    language: 'fr',
  }),
  'five tools at once': (i) => ({
    tls: `t13d_tool${i % 5}`,
    order: `1-4-${i % 5}`,
    agent: ['curl', 'python-requests', 'okhttp', 'Go-http-client', 'axios'][i % 5]!,
  }),
}

describe('floods', () => {
  for (const [name, values] of Object.entries(FLOODS))
    test(`${name}: within two seconds 95 % are under a signature, and hardly a visitor`, () => {
      for (const seed of SEEDS) {
        const result = flood(seed, values)
        const told = JSON.stringify({ seed, ...result }, undefined, 1)
        assert.ok(result.caughtAfterS <= 2, told)
        assert.ok(result.caught >= 0.95, told)
        assert.ok(result.touched <= 0.01, told)
        assert.ok(result.published <= 16, told)
      }
    })

  test('handwriting that changes every 30 s is recognised again each time', () => {
    for (const seed of SEEDS.slice(0, 2)) {
      const weather = new Weather(seed)
      weather.calm(30, 200)
      let late = 0
      for (let tick = 0; tick < 120 * 4; tick++) {
        const phase = Math.floor(tick / 120)
        const others = Array.from({ length: 200 }, (_, i) =>
          bot(
            tick * 7 + i,
            { tls: `t13d_phase${phase}`, order: `1-4-${phase}`, agent: 'curl' },
            weather.random,
          ),
        )
        const figures = weather.tick({ perSecond: 60, others })
        if (tick % 120 > 8 && figures.caught < 0.95 * figures.bots) late++
        assert.ok(weather.book.published.signatures.length <= 16)
      }
      assert.equal(late, 0)
    }
  })

  test("who imitates the most common visitor exactly gets no signature, for it would be that visitor's", () => {
    for (const seed of SEEDS) {
      const result = flood(seed, (_, __, random) => ({ ...CHROME, language: 'fr', path: `/${word(random)}` }))
      assert.equal(result.published, 0, JSON.stringify(result, undefined, 1))
    }
  })
})

describe('no flood', () => {
  test('a calm day that is mined all the same gives no signature', () => {
    for (const seed of SEEDS) {
      const weather = new Weather(seed)
      weather.calm(30, 200)
      for (let tick = 0; tick < 600; tick++) {
        weather.tick({ perSecond: 40 + (tick % 5) * 30 })
        // Each minute of the test is an hour of the day.
        if (tick % 240 === 0) weather.nowMs += 3_600_000
        assert.deepEqual(weather.book.published.signatures, [], `seed ${seed}`)
      }
    }
  })

  test('a link that goes viral gives none: twenty times the visitors, one page, one referrer, other networks and languages', () => {
    for (const seed of SEEDS) {
      const weather = new Weather(seed)
      weather.calm(30, 200)
      for (let tick = 0; tick < 120; tick++) {
        weather.tick({
          perSecond: 1000,
          make: (one, random) => {
            const sample = visit(
              { ...one, isKnown: false, cookies: 'none', asn: 7000 + (one.asn % 4) },
              random,
            )
            const traits = [...sample.traits]
            traits[5] = `AS${sample.asn}`
            traits[9] = '/viral'
            traits[11] = 'en-us'
            traits[12] = 'news.example'
            return { ...sample, traits }
          },
        })
        assert.deepEqual(weather.book.published.signatures, [], `seed ${seed} tick ${tick}`)
      }
    }
  })
})

/** An app of the site's own: few of an hour's clients, and there every five seconds. */
const app = (i: number, lane: TraitSample['lane'] = 'unproven'): TraitSample => ({
  asn: 3000 + (i % 9),
  prefix: `app${i}`,
  subscriber: `app${i}`,
  lane,
  traits: vectorOf({
    tls: 't13d_app',
    order: '2-3-app',
    agent: 'TownApp',
    network: `AS${3000 + (i % 9)}`,
    cookies: 'none',
    clearance: lane === 'paid' ? 'paid' : 'none',
    method: 'GET',
    path: '/api/notices',
  }),
})

describe('witnesses', () => {
  test('an app that is one in two hundred of an hour and one in four of any five seconds is no flood', () => {
    for (const seed of SEEDS) {
      const weather = new Weather(seed)
      const apps = Array.from({ length: 25 }, (_, i) => app(i))
      weather.calm(30, 200, (hour) => (hour === 29 ? apps : []))
      for (let tick = 0; tick < 40; tick++) {
        const others = Array.from({ length: 4 }, (_, i) => app((tick * 4 + i) % 25))
        weather.tick({ perSecond: 50, others })
        assert.deepEqual(weather.book.published.signatures, [], `seed ${seed}`)
      }
      assert.equal(weather.book.status().heldBack[0]?.why, 'regulars')
    }
  })

  test('the same app’s handwriting is a flood’s when it comes from a thousand who were never here', () => {
    const weather = new Weather(1)
    weather.calm(30, 200, (hour) => (hour > 20 ? [app(1), app(2)] : []))
    for (let tick = 0; tick < 8; tick++)
      weather.tick({
        perSecond: 60,
        others: Array.from({ length: 200 }, (_, i) => app(1000 + tick * 200 + i)),
      })
    assert.equal(weather.book.published.signatures.length, 1)
  })

  /** A link that goes viral within an app whose browser nobody had here before. */
  const inApp = (one: Visitor, random: Random): TraitSample => {
    const sample = visit({ ...one, isKnown: false }, random, '/viral')
    return {
      ...sample,
      traits: sample.traits.map((value, i) =>
        i === 3 ? 'TikTok/Android' : i === 0 ? 't13d_webview' : value,
      ),
    }
  }

  test('a crowd with a browser that is new here is withdrawn as soon as some of it have paid', () => {
    for (const seed of SEEDS) {
      const weather = new Weather(seed)
      weather.calm(30, 200)
      let payers = 0
      for (let tick = 0; tick < 80; tick++) {
        payers = Math.min(0.5, tick / 100)
        weather.tick({
          perSecond: 400,
          make: (one, random) =>
            Number(one.subscriber.slice(1)) % 10 === 0
              ? visit(one, random)
              : { ...inApp(one, random), ...(random() < payers ? { lane: 'paid' as const } : {}) },
        })
        if (tick > 16) assert.deepEqual(weather.book.published.signatures, [], `seed ${seed} tick ${tick}`)
      }
      assert.ok(weather.book.status().withdrawn >= 1)
    }
  })

  test('what fits visitors is not published in slices either', () => {
    const weather = new Weather(3)
    weather.calm(30, 200)
    for (let tick = 0; tick < 20; tick++)
      weather.tick({
        perSecond: 400,
        make: (one, random) => {
          const sample = inApp(one, random)
          // Ten paths, and one in thirty has paid: three witnesses are in no slice.
          const path = `/viral-${Number(one.subscriber.slice(1)) % 10}`
          const lane = Number(one.subscriber.slice(1)) % 30 === 0 ? 'paid' : 'unproven'
          return { ...sample, lane, traits: sample.traits.map((value, i) => (i === 9 ? path : value)) }
        },
      })
    assert.deepEqual(weather.book.published.signatures, [])
  })

  test('three bots that pay do not free the thousands of others', () => {
    const weather = new Weather(4)
    weather.calm(30, 200)
    for (let tick = 0; tick < 20; tick++)
      weather.tick({
        perSecond: 60,
        others: Array.from({ length: 200 }, (_, i) => ({
          ...bot(tick * 200 + i, { tls: 't13d_tool', agent: 'curl' }, weather.random),
          // Of 4,000 clients in five seconds.
          lane: i === 0 && tick % 6 === 0 ? ('paid' as const) : ('unproven' as const),
        })),
      })
    assert.ok(weather.book.published.signatures.length > 0)
  })
})
