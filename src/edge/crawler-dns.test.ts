import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { parseAddress } from '#networks'
import { CrawlerDns, type NameLookups, reverseName, systemLookups } from './crawler-dns.ts'
import { type DnsAnswer, type DnsRecord, startDnsServer } from './dns-server.fixture.ts'

const YANDEX = 'Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)'
const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36'
const HOUR_MS = 3600_000

async function settled(dns: CrawlerDns): Promise<void> {
  while (dns.underWay > 0) await setImmediate()
}

/** Zones as a table: "PTR 1.2.0.192.in-addr.arpa" to what is answered; everything else does not exist. */
const zone =
  (table: Readonly<Record<string, DnsAnswer>>) => (name: string, type: DnsRecord['type'] | 'other') =>
    table[`${type} ${name}`] ?? 'nxdomain'

/** The engine known of `address` after it was asked about. */
async function engineAfter(table: Readonly<Record<string, DnsAnswer>>, address: string, agent = YANDEX) {
  await using server = await startDnsServer(zone(table))
  const dns = new CrawlerDns(server.resolver)
  assert.equal(dns.engineOf(address, agent, 0), undefined)
  await settled(dns)
  return { engine: dns.engineOf(address, agent, 1), counters: dns.counters, questions: server.questions }
}

const PTR = 'PTR 9.2.0.192.in-addr.arpa'
const HOST = '192-0-2-9.spider.yandex.com'
const ptr = (...names: string[]): DnsAnswer => names.map((data) => ({ type: 'PTR', data }))
const a = (...addresses: string[]): DnsAnswer => addresses.map((data) => ({ type: 'A', data }))

describe('reverse and forward DNS, with a name server', () => {
  test('a crawler is known from its second request on', async () => {
    const { engine, counters } = await engineAfter(
      { [PTR]: ptr(HOST), [`A ${HOST}`]: a('192.0.2.9') },
      '192.0.2.9',
    )
    assert.equal(engine, 'yandex')
    assert.deepEqual(counters, { asked: 1, proven: 1, refuted: 0, failed: 0, crowdedOut: 0 })
  })

  test('by IPv6 too', async () => {
    const reverse = reverseName(parseAddress('2001:db8::9')!)
    assert.equal(reverse, `9.${'0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa`)
    const aaaa: DnsAnswer = [{ type: 'AAAA', data: '2001:db8:0:0::9' }]
    const table = { [`PTR ${reverse}`]: ptr(HOST), [`AAAA ${HOST}`]: aaaa }
    assert.equal((await engineAfter(table, '2001:db8::9')).engine, 'yandex')
  })

  test('with one of several names and one of several addresses', async () => {
    const table = {
      [PTR]: ptr('mail.example.org', HOST.toUpperCase()),
      [`A ${HOST}`]: a('192.0.2.8', '192.0.2.9'),
    }
    assert.equal((await engineAfter(table, '192.0.2.9')).engine, 'yandex')
  })

  test('a name in a zone delegated by CNAME (RFC 2317) is a name', async () => {
    const table: Record<string, DnsAnswer> = {
      [PTR]: [
        { type: 'CNAME', data: '9.0-25.2.0.192.in-addr.arpa' },
        { owner: '9.0-25.2.0.192.in-addr.arpa', type: 'PTR', data: HOST },
      ],
      [`A ${HOST}`]: a('192.0.2.9'),
    }
    assert.equal((await engineAfter(table, '192.0.2.9')).engine, 'yandex')
  })

  test('a stranger who gives his address an engine’s name is refuted by the engine', async () => {
    for (const answer of [a('198.51.100.1'), a(), 'nxdomain'] as const) {
      const table = { [PTR]: ptr(HOST), [`A ${HOST}`]: answer }
      const { engine, counters } = await engineAfter(table, '192.0.2.9')
      assert.equal(engine, undefined)
      assert.equal(counters.refuted, 1)
    }
  })

  test('names that only look like an engine’s are not even asked for', async () => {
    const names = [
      'spider.yandex.com.evil.example',
      'notyandex.com',
      'yandex.com',
      'evil\\.spider.yandex.com.evil.example',
      'a\\.yandex.com',
      'a b.yandex.com',
      'google-proxy-192-0-2-9.google.com',
      `${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.evil.example`,
      'x',
    ]
    for (const name of names) {
      const { engine, questions } = await engineAfter({ [PTR]: ptr(name) }, '192.0.2.9')
      assert.equal(engine, undefined, name)
      assert.deepEqual(questions, [PTR], name)
    }
  })

  test('an alias does not lend an engine’s name to a stranger', async () => {
    // His own name, an alias of the engine's: the name is his.
    const own: Record<string, DnsAnswer> = {
      [PTR]: ptr('crawler.evil.example'),
      'A crawler.evil.example': [
        { type: 'CNAME', data: HOST },
        { owner: HOST, type: 'A', data: '192.0.2.9' },
      ],
    }
    assert.equal((await engineAfter(own, '192.0.2.9')).engine, undefined)
    // The address's own zone answers with an address for the engine's name along with it.
    const beside: Record<string, DnsAnswer> = {
      [PTR]: [
        { type: 'PTR', data: HOST },
        { owner: HOST, type: 'A', data: '192.0.2.9' },
      ],
    }
    assert.equal((await engineAfter(beside, '192.0.2.9')).engine, undefined)
  })

  test('a thousand names cost two questions more', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `${i}.spider.yandex.ru`)
    const table = Object.fromEntries([
      [PTR, ptr(...names)],
      ...names.map((name) => [`A ${name}`, a('198.51.100.1')]),
    ])
    const { engine, questions } = await engineAfter(table, '192.0.2.9')
    assert.equal(engine, undefined)
    assert.equal(questions.length, 3)
  })

  test('silence, failure and garbage are no answer, and asked again before long', async () => {
    for (const answer of ['silence', 'servfail', 'garbage'] as const) {
      await using server = await startDnsServer(() => answer)
      const dns = new CrawlerDns(server.resolver)
      dns.engineOf('192.0.2.9', YANDEX, 0)
      await settled(dns)
      assert.equal(dns.counters.failed, 1, answer)
      dns.engineOf('192.0.2.9', YANDEX, 4 * 60_000)
      assert.equal(dns.counters.asked, 1)
      dns.engineOf('192.0.2.9', YANDEX, 5 * 60_000)
      assert.equal(dns.counters.asked, 2)
      await settled(dns)
    }
  })

  test('without a name server nothing is known, and nothing throws', async () => {
    const server = await startDnsServer(() => 'silence')
    const gone = server.resolver.getServers()
    await server[Symbol.asyncDispose]()
    const resolver = systemLookups()
    resolver.setServers(gone)
    const dns = new CrawlerDns(resolver)
    dns.engineOf('192.0.2.9', YANDEX, 0)
    await settled(dns)
    assert.equal(dns.counters.failed, 1)
  })
})

/** Lookups that are answered by hand. */
function byHand() {
  const open: { name: string; resolve: (names: string[]) => void; reject: (error: unknown) => void }[] = []
  const hand = (name: string) =>
    new Promise<string[]>((resolve, reject) => {
      open.push({ name, resolve, reject })
    })
  const lookups: NameLookups = { resolvePtr: hand, resolve4: hand, resolve6: hand }
  return { lookups, open }
}

const notFound = () => Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
const addressOf = (i: number) => `198.${18 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`

describe('who is asked about, and when', () => {
  test('only who calls itself an engine', async () => {
    const { lookups, open } = byHand()
    const dns = new CrawlerDns(lookups)
    for (const agent of [BROWSER, '', 'curl/8']) dns.engineOf('192.0.2.9', agent, 0)
    assert.equal(open.length, 0)
    for (const text of ['', '::fffff', 'unix', '192.0.2.9/24']) dns.engineOf(text, YANDEX, 0)
    assert.equal(open.length, 0)
    assert.equal(dns.waiting, 0)
  })

  test('ten thousand claims at once: the pace, those under way and those who wait stay bounded', async () => {
    const { lookups, open } = byHand()
    const dns = new CrawlerDns(lookups)
    for (let i = 0; i < 10_000; i++) dns.engineOf(addressOf(i), YANDEX, 0)
    assert.equal(open.length, 4)
    assert.equal(dns.waiting, 64)
    assert.equal(dns.counters.crowdedOut, 10_000 - 68)
    // Nobody answers: eight are under way, and no more.
    for (let s = 1; s <= 10; s++) dns.tick(s * 1000)
    assert.equal(dns.underWay, 8)
    // Everybody answers: two a second.
    for (let s = 11; s <= 30; s++) {
      for (const question of open.splice(0)) question.reject(notFound())
      await setImmediate()
      for (let i = 0; i < 1000; i++) dns.engineOf(addressOf(s * 1000 + i), YANDEX, s * 1000)
      dns.tick(s * 1000)
      assert.ok(dns.underWay <= 8 && dns.waiting <= 64)
    }
    assert.ok(dns.counters.asked <= 4 + 30 * 2, `${dns.counters.asked} in 30 s`)
    assert.ok(dns.counters.asked >= 40, `${dns.counters.asked} in 30 s`)
  })

  test('a resolver that never settles gives its place back, and its late answer changes nothing', async () => {
    const { lookups, open } = byHand()
    const dns = new CrawlerDns(lookups)
    dns.engineOf('192.0.2.9', YANDEX, 0)
    dns.tick(14_999)
    assert.equal(dns.underWay, 1)
    dns.tick(15_000)
    assert.equal(dns.underWay, 0)
    assert.equal(dns.counters.failed, 1)
    open[0]!.resolve([HOST])
    await setImmediate()
    open[1]!.resolve(['192.0.2.9'])
    await setImmediate()
    assert.equal(dns.engineOf('192.0.2.9', YANDEX, 15_001), undefined)
    assert.equal(dns.counters.proven, 0)
  })

  test('a proof lasts a day, for whatever the crawler calls itself, and is renewed before it ends', async () => {
    const { lookups, open } = byHand()
    const dns = new CrawlerDns(lookups)
    const prove = async () => {
      open.shift()!.resolve([HOST])
      await setImmediate()
      open.shift()!.resolve(['192.0.2.9'])
      await setImmediate()
    }
    dns.engineOf('192.0.2.9', YANDEX, 0)
    await prove()
    assert.equal(dns.engineOf('192.0.2.9', BROWSER, 17 * HOUR_MS), 'yandex')
    assert.equal(open.length, 0)
    assert.equal(dns.engineOf('192.0.2.9', BROWSER, 18 * HOUR_MS), 'yandex')
    assert.equal(open.length, 1)
    // No answer: the proof stays what it is, and ends.
    open.shift()!.reject(new Error('SERVFAIL'))
    await setImmediate()
    assert.equal(dns.engineOf('192.0.2.9', BROWSER, 24 * HOUR_MS - 1), 'yandex')
    await prove()
    assert.equal(dns.engineOf('192.0.2.9', BROWSER, 25 * HOUR_MS), 'yandex')
    // The engine gave the address up.
    dns.engineOf('192.0.2.9', BROWSER, 43 * HOUR_MS)
    open.shift()!.reject(notFound())
    await setImmediate()
    assert.equal(dns.engineOf('192.0.2.9', YANDEX, 43 * HOUR_MS), undefined)
    assert.equal(open.length, 0)
  })

  test('a refutation lasts an hour, and a flood of them makes no crawler forgotten', async () => {
    const { lookups, open } = byHand()
    const dns = new CrawlerDns(lookups, { perSecond: 1e9, mostRefuted: 100 })
    dns.engineOf('192.0.2.9', YANDEX, 0)
    open.shift()!.resolve([HOST])
    await setImmediate()
    open.shift()!.resolve(['192.0.2.9'])
    await setImmediate()
    for (let i = 0; i < 1000; i++) {
      dns.engineOf(addressOf(i), YANDEX, i)
      open.shift()!.reject(notFound())
      await setImmediate()
    }
    assert.equal(dns.engineOf('192.0.2.9', YANDEX, 1000), 'yandex')
    dns.engineOf(addressOf(999), YANDEX, HOUR_MS)
    assert.equal(open.length, 0)
    dns.engineOf(addressOf(999), YANDEX, HOUR_MS + 1000)
    assert.equal(open.length, 1)
  })

  test('a clock that goes back gives nothing away', () => {
    const { lookups, open } = byHand()
    const dns = new CrawlerDns(lookups)
    for (let i = 0; i < 50; i++) dns.engineOf(addressOf(i), YANDEX, i % 2 === 0 ? 0 : 1)
    assert.equal(open.length, 4)
  })
})
