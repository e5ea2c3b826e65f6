import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type PageAsker, PageBudget } from './page-budget.ts'

const key = { k0: 5, k1: 6 }
const PAGE = 7000
const MOMENT = 450
const FLOOR = 1 / 2000
const PROVIDER_SHARES = [0.438, 0.219, 0.146, 0.109, 0.088]

/** mulberry32. */
function seeded(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

type Random = () => number
type From = (random: Random) => PageAsker

const asker = (asn: number, host: number, weight: number): PageAsker => ({
  asn,
  prefix: `net ${asn} ${host >> 8}`,
  subscriber: `${asn} ${host}`,
  weight,
})
const fromProviders: From = (random) => {
  let left = random()
  const found = PROVIDER_SHARES.findIndex((share) => (left -= share) <= 0)
  const i = Math.max(0, found)
  return asker(64_512 + i, Math.floor(random() * 1e6), PROVIDER_SHARES[i]! + FLOOR)
}
const fromHosting: From = (random) =>
  asker(64_600 + Math.floor(random() * 12), Math.floor(random() * 1e6), FLOOR)
const fromProxies: From = (random) =>
  asker(65_000 + Math.floor(random() * 200), Math.floor(random() * 1e6), FLOOR)

interface Scene {
  readonly bots: number
  readonly perSecond: number
  readonly from: From
  /** Come back with a ticket whenever they were given one. */
  readonly follow?: boolean
  readonly seconds?: number
  readonly visitorsPerSecond?: number
  readonly visitor?: From
  /** What the budget is told of who asks. */
  readonly seenAs?: (who: PageAsker) => PageAsker
}

/** A flood, and new visitors who come as strangers and, refused, a second later with a ticket. */
function play(scene: Scene) {
  const random = seeded(7)
  const budget = new PageBudget({ key })
  const crowd = Array.from({ length: scene.bots }, () => scene.from(random))
  const hasTicket = new Uint8Array(scene.bots)
  const seenAs = scene.seenAs ?? ((who) => who)
  const result = { requests: 0, bytes: 0, visitors: 0, atOnce: 0, withTicket: 0, later: 0 }
  const back: { atMs: number; tries: number; who: PageAsker }[] = []
  const stepMs = 10
  const seconds = scene.seconds ?? 30
  const ask = (who: PageAsker, ticket: boolean, nowMs: number): boolean => {
    budget.mitigated(nowMs)
    return budget.mayHavePage(seenAs(who), PAGE, ticket, nowMs)
  }
  let botsDue = 0
  let visitorsDue = 0
  for (let nowMs = 0; nowMs < seconds * 1000; nowMs += stepMs) {
    for (botsDue += (scene.perSecond * stepMs) / 1000; botsDue >= 1; botsDue--) {
      const i = Math.floor(random() * crowd.length)
      const isPage = ask(crowd[i]!, hasTicket[i] === 1, nowMs)
      if (scene.follow === true) hasTicket[i] = 1
      result.requests++
      result.bytes += isPage ? PAGE : MOMENT
    }
    while (back.length > 0 && back[0]!.atMs <= nowMs) {
      const { who, tries } = back.shift()!
      if (ask(who, true, nowMs)) result[tries === 1 ? 'withTicket' : 'later']++
      else back.push({ atMs: nowMs + 1000, tries: tries + 1, who })
    }
    for (visitorsDue += ((scene.visitorsPerSecond ?? 5) * stepMs) / 1000; visitorsDue >= 1; visitorsDue--) {
      // Those of the last seconds could not have come back yet.
      if (nowMs > seconds * 1000 - 10_000) continue
      const who = (scene.visitor ?? fromProviders)(random)
      result.visitors++
      if (ask(who, false, nowMs)) result.atOnce++
      else back.push({ atMs: nowMs + 1000, tries: 1, who })
    }
  }
  return { ...result, bytesPerRequest: result.bytes / result.requests }
}

describe('page budget', () => {
  test('in a quiet moment a stranger gets a page at once, and the same address no second one without a ticket', () => {
    const budget = new PageBudget({ key })
    const who = asker(64_512, 1, FLOOR)
    assert.equal(budget.mayHavePage(who, PAGE, false, 0), true)
    assert.equal(budget.mayHavePage(who, PAGE, false, 1000), false)
    assert.equal(budget.mayHavePage(who, PAGE, true, 1000), true)
    assert.equal(budget.mayHavePage(who, PAGE, false, 29_000), false)
    assert.equal(budget.mayHavePage(who, PAGE, false, 61_000), true)
  })

  test('with tickets an address gets a page every three seconds or so', () => {
    const budget = new PageBudget({ key })
    let pages = 0
    for (let nowMs = 0; nowMs < 60_000; nowMs += 100)
      if (budget.mayHavePage(asker(64_512, 1, FLOOR), PAGE, true, nowMs)) pages++
    assert.ok(pages >= 12 && pages <= 30, `${pages} in a minute`)
  })

  test('an address behind which calm weather knew many people gets more', () => {
    const budget = new PageBudget({ key })
    const carrier = { ...asker(64_512, 1, 0.4), subscriberShare: 0.02 }
    let pages = 0
    for (let i = 0; i < 20; i++) if (budget.mayHavePage(carrier, PAGE, false, i * 100)) pages++
    assert.equal(pages, 9)
  })

  test('what is refused is counted by its reason', () => {
    const counts: Record<string, number> = {}
    const budget = new PageBudget({ key, count: (name) => void (counts[name] = (counts[name] ?? 0) + 1) })
    for (let i = 0; i < 500; i++) {
      budget.mayHavePage(asker(64_512, 1, 0.9), PAGE, false, i)
      budget.mayHavePage(asker(64_600 + (i % 3), i >> 1, FLOOR), PAGE, false, i)
      budget.mayHavePage(asker(64_700 + (i % 300), i, FLOOR), PAGE, true, i)
      budget.mayHavePage(asker(64_512, i, 0.9), PAGE, true, i)
    }
    for (const name of ['page-given', 'page-subscriber', 'page-network', 'page-strangers', 'page-budget'])
      assert.ok((counts[name] ?? 0) > 0, `${name}: ${JSON.stringify(counts)}`)
  })

  test('a clock that stands still or goes back gives nothing away', () => {
    const budget = new PageBudget({ key })
    let pages = 0
    for (let i = 0; i < 10_000; i++)
      if (budget.mayHavePage(asker(i, i, 1), PAGE, true, i % 2 === 0 ? 1000 : 500)) pages++
    assert.ok(pages * PAGE <= 600_000)
  })
})

for (const [name, bots, from] of [
  ['2,000 bots at 2/s of hosting networks', 2000, fromHosting],
  ['20,000 bots at 0.2/s of proxies', 20_000, fromProxies],
  ['2,000 bots at 2/s of the visitors’ own networks', 2000, fromProviders],
  ['20,000 bots at 0.2/s of the visitors’ own networks', 20_000, fromProviders],
] as const) {
  test(`${name}, no cookies: less than 500 bytes per request, and every visitor gets a page`, () => {
    const { bytesPerRequest, visitors, atOnce, withTicket } = play({ bots, perSecond: 4000, from })
    assert.ok(bytesPerRequest < 500, `${bytesPerRequest.toFixed(0)} bytes`)
    assert.equal(atOnce + withTicket, visitors)
    // From networks that bots do not come from, at once.
    if (from !== fromProviders) assert.ok(atOnce >= visitors * 0.99, `${atOnce} of ${visitors} at once`)
  })
}

test('half as large on each of two threads, the flood still gets less than 500 bytes per request', () => {
  const { bytesPerRequest } = play({ bots: 2000, perSecond: 2000, from: fromProxies })
  assert.ok(bytesPerRequest < 500, `${bytesPerRequest.toFixed(0)} bytes`)
})

test('bots that follow the moment page cannot take the pages of others’ networks; without shares they would', () => {
  const flood = { bots: 2000, perSecond: 4000, from: fromHosting, follow: true }
  const fair = play(flood)
  assert.ok(fair.atOnce + fair.withTicket >= fair.visitors * 0.99, JSON.stringify(fair))
  const blind = play({ ...flood, seenAs: (who) => ({ ...who, asn: 1, weight: 1 }) })
  assert.ok(blind.atOnce + blind.withTicket < blind.visitors * 0.6, JSON.stringify(blind))
})

test('a hundred new visitors a second get theirs as well', () => {
  const flood = { bots: 2000, perSecond: 4000, from: fromHosting, visitorsPerSecond: 100 }
  const { visitors, atOnce, withTicket } = play(flood)
  assert.ok(atOnce + withTicket >= visitors * 0.99, `${atOnce} + ${withTicket} of ${visitors}`)
})

test('a network that calm weather did not know is served beside a flood of tickets too', () => {
  const visitor: From = (random) =>
    asker(64_900 + Math.floor(random() * 40), Math.floor(random() * 1e6), FLOOR)
  const flood = {
    bots: 2000,
    perSecond: 4000,
    from: fromHosting,
    follow: true,
    visitor,
    visitorsPerSecond: 2,
  }
  const { visitors, atOnce, withTicket, later } = play(flood)
  assert.ok(
    atOnce + withTicket + later >= visitors * 0.9,
    `${atOnce} + ${withTicket} + ${later} of ${visitors}`,
  )
  assert.ok(atOnce + withTicket >= visitors * 0.5, `${atOnce} + ${withTicket} of ${visitors}`)
})

test('without network data and without a baseline, prefixes share evenly', () => {
  const flat = (who: PageAsker) => ({ ...who, asn: 0, weight: 1 })
  const { visitors, atOnce, withTicket, later, bytesPerRequest } = play({
    bots: 2000,
    perSecond: 4000,
    from: fromHosting,
    seenAs: flat,
  })
  assert.equal(atOnce + withTicket + later, visitors)
  assert.ok(bytesPerRequest < 500)
})
