import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FLAT_WEIGHTS, type Lane } from '#admission'
import {
  CLEARANCE_S,
  type Clearance,
  dayOf,
  type KnownToken,
  MOST_PRICE,
  writeClearance,
  writeKnown,
  writeTicket,
} from '#challenge'
import { configSchema } from '#config'
import { identify } from '#networks'
import { hashToken, kindOf } from '#recognise'
import type { Exchange } from '../exchange.ts'
import type { SiteRuntime } from '../house.ts'
import { entranceScene } from './entrance.fixture.ts'

const NAVIGATION = ['Sec-Fetch-Mode', 'navigate', 'Accept', 'text/html']
const id = (n: number) => Buffer.alloc(8, n).toString('base64url')

function scene(challenge: Record<string, unknown> = {}) {
  const house = entranceScene()
  const config = configSchema.parse({
    sites: [{ hosts: ['example.org'], origins: ['http://127.0.0.1:9'], challenge }],
  }).sites[0]!
  const site = {
    name: 'example.org',
    config,
    gate: { weights: FLAT_WEIGHTS, typicalCostMs: 10, learning: false, calmMs: () => undefined },
  } as unknown as SiteRuntime
  /** A request after `read` and `place`. */
  const ask = (options: { cookie?: string; target?: string; fields?: string[]; from?: string } = {}) => {
    const fields = [...(options.fields ?? NAVIGATION), ...(options.cookie ? ['Cookie', options.cookie] : [])]
    const exchange = {
      head: { method: 'GET', target: options.target ?? '/', version: '1.1', host: 'example.org', fields },
      client: identify(options.from ?? '192.0.2.1'),
      site,
      secure: true,
      lane: 'unproven' as Lane,
      effort: 0,
      credentials: undefined,
      mayEarn: false,
      kind: kindOf('GET', fields),
    } as unknown as Exchange
    house.entrance.read(exchange)
    house.entrance.place(exchange)
    return exchange
  }
  const { nowS } = house.clock
  const clearance = (change: Partial<Clearance> = {}) =>
    `digue_c=${writeClearance(house.keys, 'example.org', {
      id: id(1),
      effort: 16,
      budgetMs: 320,
      issuedS: nowS,
      expiresS: nowS + CLEARANCE_S,
      ...change,
    })}`
  const known = (change: Partial<KnownToken> = {}) => {
    const today = dayOf(nowS)
    const token = { id: id(2), firstDay: today - 3, lastDay: today - 1, days: 2, login: false, ...change }
    return `digue_k=${writeKnown(house.keys, 'example.org', token)}`
  }
  return { ...house, site, ask, clearance, known }
}

test('a clearance opens the paid lane with its effort, until what it bought is spent', () => {
  const { ask, clearance, entrance, counters } = scene()
  const exchange = ask({ cookie: clearance({ effort: 24 }) })
  assert.equal(exchange.lane, 'paid')
  assert.equal(exchange.effort, 24)
  assert.equal(exchange.credentials?.account, id(1))
  entrance.spent(exchange, 200)
  assert.equal(ask({ cookie: clearance() }).lane, 'paid')
  // From another address and thread it is the same meter.
  entrance.spent(ask({ cookie: clearance(), from: '198.51.100.9' }), 200)
  assert.equal(ask({ cookie: clearance() }).lane, 'unproven')
  assert.equal(counters.get('clearance-spent'), 1)
})

test('a token is charged what the page takes in calm weather, not the origin’s own line', () => {
  const { ask, clearance, entrance, meter, site, clock } = scene()
  Object.assign(site.gate, { calmMs: (route: string) => (route === 'GET /' ? 10 : undefined) })
  const exchange = Object.assign(ask({ cookie: clearance() }), { route: 'GET /' })
  entrance.spent(exchange, 500)
  assert.equal(meter.spentMs(id(1), clock.nowS), 20)
  entrance.spent(Object.assign(exchange, { route: 'GET /unknown' }), 50)
  assert.equal(meter.spentMs(id(1), clock.nowS), 70)
})

test('what a proof buys follows what pages take in calm weather', () => {
  const { ask, entrance, site } = scene()
  assert.equal(entrance.budgetMs(site), 320)
  Object.assign(site.gate, { learning: true })
  for (let i = 0; i < 500; i++) entrance.spent(ask(), 100)
  assert.ok(Math.abs(entrance.budgetMs(site) - 3200) < 10)
})

test('tokens of another site, of later, of too long ago and forged ones open nothing', () => {
  const { ask, clearance, keys, clock, counters } = scene()
  const elsewhere = writeClearance(keys, 'other.example', {
    id: id(1),
    effort: MOST_PRICE,
    budgetMs: 1000,
    issuedS: clock.nowS,
    expiresS: clock.nowS + 60,
  })
  assert.equal(ask({ cookie: `digue_c=${elsewhere}` }).lane, 'unproven')
  assert.equal(counters.get('token-forged'), 1)
  const later = clearance({ issuedS: clock.nowS + 3600, expiresS: clock.nowS + 3700 })
  assert.equal(ask({ cookie: later }).lane, 'unproven')
  assert.equal(counters.get('token-future'), 1)
  const good = clearance()
  clock.nowS += CLEARANCE_S + 1
  assert.equal(ask({ cookie: good }).lane, 'unproven')
  assert.equal(counters.get('token-expired'), 1)
  clock.nowS -= CLEARANCE_S + 1
  // Planted by a parent domain in front of the visitor's own.
  assert.equal(ask({ cookie: `digue_c=1.junk; ${good}` }).lane, 'paid')
})

test('who came on two days is known, who came on one is not, and the operator can turn it off', () => {
  const { ask, known } = scene()
  assert.equal(ask({ cookie: known() }).lane, 'known')
  assert.equal(ask({ cookie: known({ days: 1 }) }).lane, 'unproven')
  assert.equal(ask({ cookie: known({ days: 1, login: true }) }).lane, 'known')
  const off = scene({ known: false })
  assert.equal(off.ask({ cookie: off.known() }).lane, 'unproven')
})

test('a known visitor may have six hundred pages an hour, and goes with the payers if he paid', () => {
  const { ask, known, clearance, entrance, counters, clock } = scene()
  const both = `${known()}; ${clearance()}`
  const exchange = ask({ cookie: both })
  assert.equal(exchange.lane, 'known')
  assert.ok(entrance.payInstead(exchange))
  assert.equal(exchange.lane, 'paid')
  assert.ok(!entrance.payInstead(exchange), 'once')
  entrance.spent(ask({ cookie: known() }), 6001)
  assert.equal(ask({ cookie: known() }).lane, 'unproven')
  assert.equal(ask({ cookie: both }).lane, 'paid')
  assert.equal(counters.get('known-spent'), 2)
  clock.nowS += 3600
  assert.equal(ask({ cookie: known() }).lane, 'known')
})

test('a renewed clearance is given only where it paid, and only in an answer nobody may store', () => {
  const { ask, clearance, known, entrance, clock } = scene()
  const old = clearance()
  clock.nowS += CLEARANCE_S * 0.8
  const fields = (cookie: string, control: string) =>
    entrance.ownFields(ask({ cookie }), 200, () => ['Cache-Control', control])
  assert.match(fields(old, 'private')[1] ?? '', /^digue_c=1\./)
  assert.deepEqual(fields(old, 'max-age=60'), [])
  assert.deepEqual(fields(`${known()}; ${old}`, 'private'), [], 'the known lane paid')
})

test('keys have their lane, search engines go with the payers, and neither by what they call themselves', () => {
  const { ask } = scene({
    tokens: [{ name: 'partner', header: 'x-api-key', sha256: hashToken('secret'), lane: 'known' }],
  })
  assert.equal(ask({ fields: ['X-Api-Key', 'secret'] }).lane, 'known')
  assert.equal(ask({ fields: ['X-Api-Key', 'Secret'] }).lane, 'unproven')
  const agent = ['User-Agent', 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)']
  assert.equal(ask({ fields: agent }).lane, 'unproven')
  assert.equal(ask({ fields: [], from: '66.249.66.1' }).lane, 'paid')
  const off = scene({ crawlers: false })
  assert.equal(off.ask({ fields: [], from: '66.249.66.1' }).lane, 'unproven')
})

test('when the meter is full a new token is a stranger, and that is counted', () => {
  const { ask, clearance, meter, clock, counters } = scene()
  for (let n = 0; n < 3000; n++) {
    const bytes = Buffer.alloc(8)
    bytes.writeUInt32BE(Math.imul(n + 1, 0x9e3779b1) >>> 0)
    bytes.writeUInt32BE(Math.imul(n + 7, 0x85ebca6b) >>> 0, 4)
    meter.spend(bytes.toString('base64url'), 1, clock.nowS + 3600, clock.nowS)
  }
  let full = 0
  for (let n = 0; n < 50; n++)
    if (
      ask({ cookie: clearance({ id: Buffer.alloc(8, n * 5 + 3).toString('base64url') }) }).lane === 'unproven'
    )
      full++
  assert.ok(full > 0)
  assert.equal(counters.get('meter-full'), full)
})

test('a place in line is a page’s own: what its pictures ask does not poll', () => {
  const { ask, keys, clock, line, turns } = scene()
  turns.tick(0, clock.nowS, 10)
  const ticket = { issuedS: clock.nowS, joinedS: 0, dueS: clock.nowS + 1, tries: 0 }
  const cookie = `digue_w=${writeTicket(keys, 'example.org', ticket)}`
  assert.equal(ask({ cookie, fields: ['Accept', 'image/png'] }).credentials?.standing, undefined)
  assert.equal(ask({ cookie }).credentials?.standing?.admitted, false)
  for (let ms = 500; ms <= 10_000; ms += 500) turns.tick(ms, clock.nowS + Math.floor(ms / 1000), 10)
  clock.nowS += 10
  const exchange = ask({ cookie })
  assert.equal(exchange.lane, 'waiting')
  assert.ok(line.memory.lines > 0)
})

test('an address behind which somebody is known is never silenced', () => {
  const { ask, known, entrance } = scene()
  const client = identify('192.0.2.1')
  assert.ok(!entrance.isPeoples(client))
  ask({ cookie: known() })
  assert.ok(entrance.isPeoples(client))
})

test('the language and the stop of a page are read from its links, and the origin sees neither', () => {
  const { ask } = scene()
  const exchange = ask({ target: '/a?x=1&digue=s.l.de' })
  assert.equal(exchange.head.target, '/a?x=1')
  assert.equal(exchange.credentials?.language, 'de')
  assert.equal(exchange.credentials?.stopped, true)
  assert.equal(exchange.credentials?.inTarget, false)
})
