import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Purge, parsePurge, purges, tagsOf } from './purge.ts'
import type { StoredResponse } from './stored-response.ts'

function stored(key: string, fields: readonly string[] = [], variant = ''): StoredResponse {
  return {
    key,
    variant,
    vary: [],
    status: 200,
    fields,
    body: new Uint8Array(),
    requestedAtMs: 0,
    receivedAtMs: 0,
    purpose: 'reuse',
  }
}

/** What a purge takes of these. */
const KEYS = [
  'https://www.example.org/',
  'http://www.example.org/',
  'https://www.example.org/news',
  'https://www.example.org/news?page=2',
  'https://www.example.org/news/1',
  'https://www.example.org/newspaper',
  'https://www.example.org:443/news',
  'https://www.example.org:8443/news',
  'https://www.example.org/%7Eanna',
  'https://www.example.org/~anna',
  'https://example.org/news',
  'https://notwww.example.org/news',
  'http://[2001:db8::1]:8080/news',
]

function taken(given: Record<string, unknown>): readonly string[] {
  const what = parsePurge(given)
  assert.ok(!('faults' in what), JSON.stringify(what))
  return KEYS.filter((key) => purges(what, stored(key)))
}

const CASES: readonly [given: Record<string, unknown>, taken: readonly string[]][] = [
  [{ url: 'https://www.example.org/' }, ['https://www.example.org/', 'http://www.example.org/']],
  [{ url: 'www.example.org' }, ['https://www.example.org/', 'http://www.example.org/']],
  [
    { url: '//WWW.example.org/news#top' },
    ['https://www.example.org/news', 'https://www.example.org:443/news', 'https://www.example.org:8443/news'],
  ],
  [{ url: 'http://www.example.org:8443/news' }, ['https://www.example.org:8443/news']],
  [{ url: 'https://www.example.org/news?page=2' }, ['https://www.example.org/news?page=2']],
  [{ url: 'www.example.org/%7eanna' }, ['https://www.example.org/%7Eanna', 'https://www.example.org/~anna']],
  [{ prefix: 'www.example.org./news/' }, ['https://www.example.org/news/1']],
  [{ prefix: 'example.org' }, ['https://example.org/news']],
  [{ prefix: 'www.example.org/news?' }, ['https://www.example.org/news?page=2']],
  [{ host: 'example.org' }, ['https://example.org/news']],
  [{ host: '[2001:DB8::1]' }, ['http://[2001:db8::1]:8080/news']],
  [{ url: '[2001:db8::1]:8080/news' }, ['http://[2001:db8::1]:8080/news']],
  [{ all: true }, KEYS],
]

for (const [given, expected] of CASES)
  test(`a purge of ${JSON.stringify(given)} takes ${expected.length}`, () =>
    assert.deepEqual(taken(given), expected))

test('a purge takes every variant, and a page in letters beyond ASCII', () => {
  const what = parsePurge({ url: 'https://www.example.org/mairie/élections' }) as Purge
  const key = 'https://www.example.org/mairie/%C3%A9lections'
  assert.ok(purges(what, stored(key, [], 'accept-language: fr')))
  assert.ok(purges(what, stored(key, [], 'accept-language: en')))
})

test('a tag is taken everywhere, or at one host', () => {
  const here = stored('https://www.example.org/a', ['Surrogate-Key', 'news home'])
  const there = stored('https://example.net/a', ['Cache-Tag', 'news, home'])
  assert.ok(purges({ tag: 'news' }, here) && purges({ tag: 'news' }, there))
  assert.ok(!purges({ tag: 'News' }, here))
  assert.ok(purges({ tag: 'news', host: 'www.example.org' }, here))
  assert.ok(!purges({ tag: 'news', host: 'www.example.org' }, there))
})

test('a purge that names nothing takes nothing', () => assert.ok(!purges({}, stored(KEYS[0]!))))

test('tags are separated by blanks or commas, each once, and bounded', () => {
  assert.deepEqual(tagsOf(['Surrogate-Key', 'a  b\ta', 'surrogate-key', 'c']), ['a', 'b', 'c'])
  assert.deepEqual(tagsOf(['Cache-Tag', 'a b, c ,,C']), ['a b', 'c', 'C'])
  assert.deepEqual(tagsOf(['Surrogate-Key', 'a', 'Cache-Tag', 'a,b']), ['a', 'b'])
  assert.deepEqual(tagsOf(['Cache-Control', 'a']), [])
  assert.deepEqual(tagsOf(['Cache-Tag', `${'x'.repeat(129)},b`]), ['b'])
  assert.equal(tagsOf(['Cache-Tag', Array.from({ length: 100 }, (_, i) => `t${i}`).join()]).length, 64)
})

const FAULTS: readonly [given: Record<string, unknown>, fault: RegExp][] = [
  [{}, /^purge: expected a url, a prefix, a host, a tag, or all, got none/],
  [{ url: 'www.example.org/', host: 'www.example.org' }, /^purge: expected one of them.*got url and host/],
  [{ tag: 'a', prefix: 'www.example.org/' }, /got tag and prefix/],
  [{ all: 'yes' }, /^all: expected true, got "yes"/],
  [{ url: '/news' }, /^url: expected host and path as in "www.example.org\/news", got "\/news"/],
  [{ url: 'ftp://www.example.org/' }, /^url: /],
  [{ url: 'www.example.org/a b' }, /^url: /],
  [{ url: 'www.example.org/\ud800' }, /^url: /],
  [{ url: 7 }, /^url: .*got 7/],
  [{ prefix: `www.example.org/${'a'.repeat(9000)}` }, /^prefix: .*…$/],
  [{ host: 'www.example.org/news' }, /^host: expected a name/],
  [{ tag: 'a,b' }, /^tag: expected 1 to 128 characters/],
  [{ tags: 'a' }, /^tags: expected one of url, prefix/],
]

for (const [given, fault] of FAULTS)
  test(`${JSON.stringify(given).slice(0, 60)} is no purge, and is told why`, () => {
    const what = parsePurge(given)
    assert.ok('faults' in what)
    assert.match(what.faults[0]!, fault)
  })

test('nothing given makes it throw, and what it accepts purges the page it names', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('url', 'prefix', 'host', 'tag', 'all', 'other'),
      fc.oneof(fc.anything(), fc.string({ unit: 'binary' }), fc.webUrl({ withQueryParameters: true })),
      (name, value) => {
        const what = parsePurge({ [name]: value })
        if ('faults' in what) return
        const key = what.url ?? what.prefix ?? (what.host === undefined ? undefined : `${what.host}/`)
        if (key !== undefined) assert.ok(purges(what, stored(`https://${key}`)), key)
      },
    ),
  )
  fc.assert(
    fc.property(fc.webUrl({ withQueryParameters: true }), (url) => {
      const what = parsePurge({ url })
      assert.ok('faults' in what || purges(what, stored(url)) || !url.slice(8).includes('/'), url)
    }),
  )
})
