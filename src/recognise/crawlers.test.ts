import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type Cidr, CidrSet, formatAddress, identify, parseAddress, parseCidr } from '#networks'
import { PUBLISHED_RANGES } from './crawler-ranges.ts'
import { Crawlers, engineOfHost, LISTED_ENGINE, namesEngine } from './crawlers.ts'

const NOW_S = Date.UTC(2026, 10, 24) / 1000
const DAY_S = 86_400
const v4 = fc.ipV4()
const v6 = fc.ipV6().map((text) => {
  const address = parseAddress(text)
  assert.ok(address !== undefined)
  return formatAddress(address)
})

describe('published ranges', () => {
  const crawlers = new Crawlers(CidrSet.EMPTY, NOW_S)

  test('every line of every list is a network, and public', () => {
    for (const { engine, networks, asOf, source, published } of PUBLISHED_RANGES) {
      assert.match(asOf, /^20\d\d-\d\d-\d\d$/)
      assert.match(published, /^https:\/\//)
      assert.ok(source.length > 20, engine)
      const texts = networks.trim().split(/\s+/)
      assert.deepEqual(CidrSet.parse(texts).faults, [], engine)
      for (const text of texts) {
        const network = parseCidr(text) as Cidr
        // A slip such as 17.0.0.0/8 would let in half of somebody's cloud.
        assert.ok(network.bits >= (network.address.version === 4 ? 22 : 56), `${engine}: ${text}`)
        assert.doesNotMatch(text, /^(0|10|127|169\.254|192\.168|22[4-9]|2[3-5]\d)\.|^(::|fe|fc|fd)/)
      }
      assert.equal(new Set(texts).size, texts.length, engine)
    }
  })

  test('an engine is known by its address', () => {
    for (const [address, engine] of [
      ['66.249.66.1', 'google'],
      ['66.249.90.77', 'google'],
      ['2001:4860:4801:10::1', 'google'],
      ['157.55.39.1', 'bing'],
      ['17.241.193.161', 'apple'],
      ['20.191.45.212', 'duckduckgo'],
      ['194.187.171.1', 'qwant'],
      ['5.102.173.71', 'mojeek'],
    ] as const) {
      assert.equal(crawlers.engineOf(address), engine, address)
      assert.equal(crawlers.engineOf(identify(address).text), engine, address)
    }
  })

  test('neighbours, other customers of the same cloud and fetchers that anybody can send are nobody', () => {
    for (const address of [
      '66.249.79.97', // between two of Google's networks
      '66.249.84.1', // google-proxy: user-triggered
      '66.102.8.1', // google-proxy: user-triggered
      '74.125.210.1', // google-proxy: user-triggered
      '107.178.200.1', // App Engine
      '34.22.85.32', // Google Cloud, behind the crawlers' 32
      '2001:4860:4801:2::', // a crawler's own network begins here: see below
      '2600:1900::1', // Google Cloud
      '20.191.45.213', // Azure, beside DuckDuckBot
      '40.77.190.256',
      '17.0.0.1', // Apple, not its crawler
      '207.241.224.1', // Internet Archive: Save Page Now
      '8.8.8.8',
      '192.0.2.1',
      '2001:db8::1',
      '::',
      '::1',
      '',
      'x',
    ]) {
      if (address === '2001:4860:4801:2::') assert.equal(crawlers.engineOf(address), 'google')
      else assert.equal(crawlers.engineOf(address), undefined, address)
    }
  })

  test('the quick first look refuses nothing that a list has, and the lists say what a plain search says', () => {
    const networks = PUBLISHED_RANGES.flatMap(({ networks }) => networks.trim().split(/\s+/))
    const all = CidrSet.parse(networks).set
    for (const text of networks) {
      assert.notEqual(crawlers.engineOf(formatAddress((parseCidr(text) as Cidr).address)), undefined, text)
    }
    fc.assert(
      fc.property(fc.oneof(v4, v6), (text) => {
        assert.equal(crawlers.engineOf(text) !== undefined, all.hasText(text))
      }),
      { numRuns: 2000 },
    )
  })

  test('no text is too odd', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (text) => assert.equal(crawlers.engineOf(text), undefined)),
    )
  })
})

describe('lists of crawlers', () => {
  test('a list ends by itself, one of rented addresses sooner', () => {
    const duck = PUBLISHED_RANGES.find(({ engine }) => engine === 'duckduckgo')!
    const endS = Date.parse(duck.asOf) / 1000 + 180 * DAY_S
    const at = (nowS: number) => new Crawlers(CidrSet.EMPTY, nowS)
    assert.equal(at(endS - 1).engineOf('20.191.45.212'), 'duckduckgo')
    assert.equal(at(endS).engineOf('20.191.45.212'), undefined)
    assert.equal(at(endS).engineOf('66.249.66.1'), 'google')
    assert.deepEqual(
      at(endS)
        .lists.filter(({ isExpired }) => isExpired)
        .map(({ engine }) => engine),
      ['duckduckgo'],
    )
    assert.equal(at(NOW_S + 4 * 365 * DAY_S).engineOf('66.249.66.1'), undefined)
    assert.ok(at(NOW_S).lists.every(({ isExpired }) => !isExpired))
  })

  test('the operator adds networks', () => {
    const { set } = CidrSet.parse(['192.0.2.0/24', '2001:db8::/32', '66.249.66.0/24'])
    const crawlers = new Crawlers(set, NOW_S)
    assert.equal(crawlers.engineOf('192.0.2.7'), LISTED_ENGINE)
    assert.equal(crawlers.engineOf('2001:db8:1::1'), LISTED_ENGINE)
    assert.equal(crawlers.engineOf('192.0.3.0'), undefined)
    assert.equal(crawlers.engineOf('5.102.173.71'), 'mojeek')
    assert.equal(crawlers.engineOf('66.249.66.1'), 'google')
  })
})

describe('host names of crawlers', () => {
  for (const [name, engine] of [
    ['crawl-66-249-66-1.googlebot.com', 'google'],
    ['CRAWL-66-249-66-1.GoogleBot.com', 'google'],
    ['geo-crawl-34-22-85-1.geo.googlebot.com', 'google'],
    ['rate-limited-proxy-66-249-90-77.google.com', 'google'],
    ['msnbot-157-55-39-1.search.msn.com', 'bing'],
    ['17-58-101-179.applebot.apple.com', 'apple'],
    ['5-255-253-25.spider.yandex.com', 'yandex'],
    ['baiduspider-180-76-15-1.crawl.baidu.com', 'baidu'],
    ['qwantbot-1-171-187-194.qwant.com', 'qwant'],
    // Anybody can send these.
    ['google-proxy-66-249-84-1.google.com', undefined],
    ['107-178-200-1.gae.googleusercontent.com', undefined],
    ['1.2.3.4.bc.googleusercontent.com', undefined],
    ['vm.ru-central1.yandexcloud.net', undefined],
    // Below somebody else's domain, or beside the label's border.
    ['crawl-66-249-66-1.googlebot.com.evil.example', undefined],
    ['crawl-66-249-66-1.notgooglebot.com', undefined],
    ['crawl-1.evil.googlebot.com', undefined],
    ['rate-limited-proxy-1.evil.google.com', undefined],
    ['xsearch.msn.com', undefined],
    ['search.msn.com', undefined],
    ['googlebot.com', undefined],
    ['.googlebot.com', undefined],
    ['crawl-1.googlebot.com.', undefined],
    ['crawl-1\\.evil.example\u0000.googlebot.com', undefined],
    ['crawl-1 .googlebot.com', undefined],
    ['crawl-é.googlebot.com', undefined],
    [`crawl-${'a'.repeat(250)}.googlebot.com`, undefined],
    ['', undefined],
  ] as const) {
    test(`${JSON.stringify(name.slice(0, 60))} is ${engine ?? 'nobody'}'s`, () =>
      assert.equal(engineOfHost(name), engine))
  }

  test('a name that fits is a name, whatever is sent', () => {
    const tail = fc.constantFrom('.googlebot.com', '.search.msn.com', '.yandex.ru', '.google.com', '')
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), tail, (head, domain) => {
        const name = head + domain
        if (engineOfHost(name) !== undefined) assert.match(name, /^[A-Za-z0-9.-]{1,253}$/)
      }),
    )
  })

  test('a User-Agent only says whom to look up', () => {
    const google = 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'
    assert.equal(namesEngine(google), true)
    assert.equal(namesEngine('Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)'), true)
    assert.equal(namesEngine('Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36'), false)
    assert.equal(namesEngine(`${'x'.repeat(512)}Googlebot`), false)
  })
})
