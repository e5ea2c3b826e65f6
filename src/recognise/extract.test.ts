import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { logTraitsOf, type TraitInput, traitsOf } from './extract.ts'
import { h2FingerprintOf } from './h2-fingerprint.ts'
import { languageOf } from './language.ts'
import { queryKeysOf } from './query-keys.ts'
import { referrerOf } from './referrer.ts'
import { LOG_TRAITS, LONGEST_TRAIT, TRAITS, type TraitName, type Traits } from './traits.ts'

const AGENT = 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0'
const REQUEST: TraitInput = {
  method: 'GET',
  target: '/article/18422?page=2&q=x',
  host: 'example.org',
  fields: [
    'host',
    'example.org',
    'user-agent',
    AGENT,
    'accept',
    'text/html',
    'accept-language',
    'fr-FR,fr;q=0.8,en-US;q=0.5,en;q=0.3',
    'accept-encoding',
    'gzip',
    'referer',
    'https://example.org/',
    'cookie',
    'a=b',
    'sec-fetch-mode',
    'navigate',
  ],
  secure: true,
  httpVersion: '2',
  isDirect: true,
  ja4: 't13d1715h2_5b57614c22b0_3d5424432f57',
  h2: '1:65536;4:131072|12517377|m,p,a,s',
  asn: 64500,
  lane: 'unproven',
  hasOwnCookie: false,
}

const named = (traits: Traits): Readonly<Record<TraitName, string>> =>
  Object.fromEntries(TRAITS.map(({ name }, i) => [name, traits[i]!])) as Record<TraitName, string>

describe('traits', () => {
  test('a visitor, in the order of TRAITS', () => {
    const { order, ...others } = named(traitsOf(REQUEST))
    assert.match(order, /^2f-5-[0-9a-f]{12}$/)
    assert.deepEqual(others, {
      tls: 't13d1715h2_5b57614c22b0_3d5424432f57',
      h2: '1:65536;4:131072|12517377|m,p,a,s',
      agent: 'Firefox/Linux',
      contradiction: '',
      network: 'AS64500',
      cookies: 'some',
      clearance: 'none',
      method: 'GET',
      path: '/article/{n}?',
      query: 'page,q',
      language: 'fr-fr,fr,en-us',
      referrer: 'self',
    })
  })

  test('a route class that the caller has is taken, and changes nothing', () => {
    assert.deepEqual(traitsOf({ ...REQUEST, route: 'GET /article/{n}?' }), traitsOf(REQUEST))
  })

  test('behind a trusted proxy, TLS and HTTP/2 are its own and say nothing of the client', () => {
    const traits = named(traitsOf({ ...REQUEST, isDirect: false }))
    assert.equal(traits.tls, '')
    assert.equal(traits.h2, '')
    assert.equal(traits.agent, 'Firefox/Linux')
  })

  test('clearances are what admission says, cookies of our own are told from others', () => {
    const of = (lane: string) => named(traitsOf({ ...REQUEST, lane, hasOwnCookie: true }))
    assert.deepEqual(
      ['operator', 'known', 'paid', 'waiting', 'unproven'].map((lane) => of(lane).clearance),
      ['none', 'known', 'paid', 'waiting', 'none'],
    )
    assert.equal(of('known').cookies, 'own')
  })

  test('a log shows what LOG_TRAITS names, and the rest is not known', () => {
    const { method, target, host, asn } = REQUEST
    const fromLog = named(
      logTraitsOf({ method, target, host, asn, agent: AGENT, referrer: 'https://example.org/' }),
    )
    const live = named(traitsOf(REQUEST))
    for (const { name } of TRAITS)
      assert.equal(fromLog[name], (LOG_TRAITS as readonly string[]).includes(name) ? live[name] : '', name)
  })

  test('requests made of anything have thirteen short values, the same each time', () => {
    const text = fc.string({ unit: 'binary', maxLength: 300 })
    fc.assert(
      fc.property(
        fc.record({
          method: text,
          target: fc.oneof(
            text,
            text.map((query) => `/?${query}`),
          ),
          host: text,
          fields: fc.array(
            fc.tuple(
              fc.oneof(
                text,
                fc.constantFrom('user-agent', 'accept-language', 'referer', 'sec-ch-ua', 'accept'),
              ),
              text,
            ),
          ),
          ja4: text,
          h2: text,
          lane: text,
          asn: fc.nat(),
          secure: fc.boolean(),
          hasOwnCookie: fc.boolean(),
          isDirect: fc.boolean(),
          httpVersion: fc.constantFrom('1.0' as const, '1.1' as const, '2' as const),
        }),
        (request) => {
          const input = { ...request, fields: request.fields.flat() }
          const traits = traitsOf(input)
          assert.equal(traits.length, TRAITS.length)
          for (const value of traits) assert.ok(typeof value === 'string' && value.length <= LONGEST_TRAIT)
          assert.deepEqual(traitsOf(input), traits)
        },
      ),
      { numRuns: 2000, seed: 4 },
    )
  })

  test('what a browser may say at its longest costs no more than it should', () => {
    const long = 'a'.repeat(16_000)
    const fields = [
      'user-agent',
      `Mozilla/5.0 ${long}`,
      'accept-language',
      `${'fr,'.repeat(5000)}`,
      'referer',
      `https://${long}`,
    ]
    const traits = named(traitsOf({ ...REQUEST, fields, target: `/?${'a=1&'.repeat(4000)}` }))
    assert.equal(traits.query, 'a')
    assert.equal(traits.language, 'fr')
    assert.equal(traits.referrer, '{x}')
  })
})

describe('query keys', () => {
  const cases: readonly (readonly [target: string, keys: string])[] = [
    ['/', ''],
    ['/?', '-'],
    ['/?&&', '-'],
    ['/?q=a', 'q'],
    ['/?b=1&a=2&b=3', 'a,b'],
    ['/?utm_source=x&fbclid=y', 'fbclid,utm_source'],
    ['/?filter%5Bname%5D=x&rows[17]=1&rows[18]=2', 'filter[name],rows[]'],
    ['/?q=a=b?c', 'q'],
    ['/?=x', '-'],
    ['/?1700000000', '{n}'],
    ['/?x83jd92k=1', '{x}'],
    ['/?qwjdhskq=1', '{x}'],
    ['/?aBcDeFgHiJ=1', '{x}'],
    ['/?%00=1', '{x}'],
    ['/?utf8=1&page2=1&_=17', '_,page2,utf8'],
    ['/?sortOrderBy=1&httpsOnly=1', 'httpsOnly,sortOrderBy'],
    ['/?a&b&c&d&e&f&g&h&i&j', 'a,b,c,d,e,f,g,h,…'],
  ]
  for (const [target, keys] of cases)
    test(`${target} has ${keys || 'none'}`, () => assert.equal(queryKeysOf(target), keys))

  test('drawn keys of eight letters and digits fold, nearly all', () => {
    const values = new Set<string>()
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9]{8}$/), (key) => {
        values.add(queryKeysOf(`/?${key}=1`))
      }),
      { numRuns: 1000, seed: 8 },
    )
    assert.ok(values.size < 350, String(values.size))
  })
})

describe('languages', () => {
  const cases: readonly (readonly [text: string | undefined, value: string])[] = [
    [undefined, ''],
    ['', ''],
    ['*', '*'],
    ['fr', 'fr'],
    ['en-US,en;q=0.9', 'en-us,en'],
    ['zh-Hant-TW, zh;q=0.8, en;q=0.1, de', 'zh-hant-tw,zh,en'],
    ['xyzzyxyzzy', '{x}'],
    ['fr;q=1,,fr', 'fr'],
    ['<script>,1234', '{x}'],
  ]
  for (const [text, value] of cases) test(`${text} is ${value}`, () => assert.equal(languageOf(text), value))
})

describe('referrers', () => {
  const cases: readonly (readonly [text: string | undefined, value: string])[] = [
    [undefined, ''],
    ['https://example.org/a', 'self'],
    ['https://example.org', 'self'],
    ['http://example.org:8080/', 'self'],
    ['https://example.organic/', 'example.organic'],
    ['https://EXAMPLE.org/', 'self'],
    ['https://www.google.com/', 'www.google.com'],
    ['https://a.b.news.example.com/x', '*.news.example.com'],
    ['https://x83jd92k.example.com/', '{x}.example.com'],
    ['android-app://com.google.android.gm/', '*.google.android.gm'],
    ['https://192.0.2.7/', '192.0.2.7'],
    ['https://user@evil/', '{x}'],
    ['about:blank', '{x}'],
    ['https:///', '{x}'],
    ['javascript://%0aalert(1)', '{x}'],
  ]
  for (const [text, value] of cases)
    test(`${text} is ${value || 'none'}`, () => assert.equal(referrerOf(text, 'example.org'), value))
})

describe('HTTP/2', () => {
  test('settings of initial value are left out, and only pseudo-header fields count', () => {
    const settings = {
      headerTableSize: 65_536,
      enablePush: false,
      maxConcurrentStreams: 0xffffffff,
      initialWindowSize: 6_291_456,
      maxFrameSize: 16_384,
      maxHeaderListSize: 262_144,
      enableConnectProtocol: false,
    }
    const fields = [
      ':method',
      'GET',
      ':authority',
      'a',
      ':scheme',
      'https',
      ':path',
      '/',
      'accept',
      '*/*',
      ':x',
      '',
    ]
    assert.equal(
      h2FingerprintOf(settings, 15_728_640, fields),
      '1:65536;2:0;4:6291456;6:262144|15663105|m,a,s,p',
    )
    assert.equal(h2FingerprintOf({}, 65_535, []), '|0|')
  })
})
