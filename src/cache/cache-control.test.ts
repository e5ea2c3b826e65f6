import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  type Directives,
  listMembers,
  noDirectives,
  parseCacheControl,
  parseSurrogateControl,
} from './cache-control.ts'
import { parseTargeted } from './structured-field.ts'

const MOST = 2_147_483_648

const says = (read: Directives | undefined, expected: Partial<Directives>) =>
  assert.deepEqual(read, { ...noDirectives(), ...expected })

describe('Cache-Control (RFC 9111 §5.2)', () => {
  const cases: readonly [list: string, expected: Partial<Directives>][] = [
    ['', {}],
    ['max-age=3600', { maxAgeS: 3600 }],
    ['MAX-age=003600', { maxAgeS: 3600 }],
    ['max-age="3600"', { maxAgeS: 3600 }],
    // §1.2.2: as great as can be told apart.
    ['max-age=99999999999', { maxAgeS: MOST }],
    [`max-age=${'9'.repeat(400)}`, { maxAgeS: MOST }],
    [`max-age=${'0'.repeat(400)}7`, { maxAgeS: 7 }],
    // §4.2.1: invalid freshness is none.
    ["max-age='3600'", { maxAgeS: 0 }],
    ['max-age=-3600', { maxAgeS: 0 }],
    ['max-age=3600.0', { maxAgeS: 0 }],
    ['max-age=a3600', { maxAgeS: 0 }],
    ['max-age=3600a', { maxAgeS: 0 }],
    ['max-age', { maxAgeS: 0 }],
    ['max-age=', { maxAgeS: 0 }],
    ['max-age =3600', { maxAgeS: 0 }],
    ['max-age= 3600', { maxAgeS: 0 }],
    ['max-age=1e3', { maxAgeS: 0 }],
    // §4.2.1: of two, the first.
    ['max-age=1, max-age=1800', { maxAgeS: 1 }],
    ['max-age=1800, max-age=1', { maxAgeS: 1800 }],
    ['extension="max-age=3600", max-age=1', { maxAgeS: 1 }],
    ['max-age=1, extension="a, max-age=3600"', { maxAgeS: 1 }],
    ['extension="\\", no-store, \\""', {}],
    // An unclosed quote hides nothing.
    ['extension="a, no-store', { noStore: true }],
    [' , ,No-StOrE,', { noStore: true }],
    ['no-store=1', { noStore: true }],
    ['no-store =1', { noStore: true }],
    ['xno-store', {}],
    ['private', { isPrivate: true }],
    ['private="Set-Cookie, X-A"', { privateFields: ['set-cookie', 'x-a'] }],
    ['private=""', { isPrivate: true }],
    ['private=","', { isPrivate: true }],
    [`private="${'a,'.repeat(33)}"`, { isPrivate: true }],
    ['no-cache', { noCache: true }],
    ['no-cache="a", no-cache="b"', { noCacheFields: ['a', 'b'] }],
    ['no-cache=a', { noCacheFields: ['a'] }],
    ['no-cache="a", no-cache', { noCache: true, noCacheFields: ['a'] }],
    [
      'public, must-revalidate, proxy-revalidate, must-understand, no-transform, immutable, only-if-cached',
      {
        isPublic: true,
        mustRevalidate: true,
        proxyRevalidate: true,
        mustUnderstand: true,
        noTransform: true,
        immutable: true,
        onlyIfCached: true,
      },
    ],
    [
      's-maxage=1, stale-while-revalidate=2, stale-if-error=3, min-fresh=4, max-stale=5',
      { sMaxAgeS: 1, staleWhileRevalidateS: 2, staleIfErrorS: 3, minFreshS: 4, maxStaleS: 5 },
    ],
    ['max-stale', { maxStaleS: Number.POSITIVE_INFINITY }],
    ['max-stale=x', { maxStaleS: 0 }],
    ['toString, __proto__=1, constructor', {}],
  ]
  for (const [list, expected] of cases) {
    test(list.length > 60 ? `${list.slice(0, 60)}…` : `"${list}"`, () =>
      says(parseCacheControl(list), expected),
    )
  }

  test('a field too long, or of too many directives, forbids storing', () => {
    assert.ok(parseCacheControl(`x="${'a'.repeat(9000)}"`).noStore)
    assert.ok(parseCacheControl('a,'.repeat(200)).noStore)
  })
})

describe('CDN-Cache-Control (RFC 9213)', () => {
  const cases: readonly [list: string, expected: Partial<Directives> | undefined][] = [
    ['max-age=3600', { maxAgeS: 3600 }],
    ['foobar, max-age=3600', { maxAgeS: 3600 }],
    ['max-age=99999999999', { maxAgeS: MOST }],
    ['max-age=1, max-age=2', { maxAgeS: 2 }],
    ['max-age=60;x=1;y, no-store;a="b"', { maxAgeS: 60, noStore: true }],
    ['no-store=?0', {}],
    ['private="a, b", no-cache', { privateFields: ['a', 'b'], noCache: true }],
    ['a=(1 "b" c), b=:YQ==:, c=@1, d=1.5, e=?1, f=*tok, max-age=1', { maxAgeS: 1 }],
    ['  max-age=1  ', { maxAgeS: 1 }],
    // Invalid: ignored as a whole, so that Cache-Control holds.
    ['', undefined],
    ['max-age=10000, &&&&&', undefined],
    ['max-age="10000"', undefined],
    ['max-age=1.0', undefined],
    ['max-age=-1', undefined],
    ['max-age', undefined],
    ['MaX-aGe=3600', undefined],
    ['max-age =100', undefined],
    ['max-age= 100', undefined],
    ['max-age=1,', undefined],
    ['max-age=1 no-store', undefined],
    ['max-age=1234567890123456', undefined],
    ['a=(1"b")', undefined],
    ['a=(1', undefined],
    ['a="b', undefined],
    ['a="\u00e9"', undefined],
    ['no-store=1', undefined],
    ['private=1', undefined],
    [`a="${'b'.repeat(9000)}"`, undefined],
  ]
  for (const [list, expected] of cases) {
    test(list.length > 60 ? `${list.slice(0, 60)}…` : `"${list}"`, () =>
      expected === undefined
        ? assert.equal(parseTargeted(list), undefined)
        : says(parseTargeted(list), expected),
    )
  }
})

describe('Surrogate-Control', () => {
  const cases: readonly [list: string, expected: Partial<Directives> | undefined][] = [
    ['max-age=3600', { maxAgeS: 3600 }],
    ['MaX-aGe=3600;digue, content="ESI/1.0"', { maxAgeS: 3600 }],
    ['max-age=600+30', { maxAgeS: 600, staleWhileRevalidateS: 30 }],
    ['max-age =100', undefined],
    ['max-age= 100', { maxAgeS: 0 }],
    ['no-store', { noStore: true }],
    ['max-age=3600;not-for-you', undefined],
    ['content="ESI/1.0"', undefined],
    ['foo', undefined],
  ]
  for (const [list, expected] of cases) {
    test(`"${list}"`, () =>
      expected === undefined
        ? assert.equal(parseSurrogateControl(list), undefined)
        : says(parseSurrogateControl(list), expected))
  }
})

describe('whatever an origin sends', () => {
  const pieces = fc.constantFrom(
    'max-age',
    'no-store',
    'private',
    '=',
    '"',
    '\\',
    ',',
    ';',
    ' ',
    '1',
    '9'.repeat(30),
    'a',
    '(',
    ')',
    ':',
    '@',
    '?',
    '\u00ff',
  )
  const lists = fc.array(pieces, { maxLength: 400 }).map((parts) => parts.join(''))

  test('nothing throws, and members hold no comma outside quotes', () => {
    fc.assert(
      fc.property(lists, (list) => {
        parseCacheControl(list)
        parseTargeted(list)
        parseSurrogateControl(list)
        for (const member of listMembers(list)) {
          assert.notEqual(member, '')
          assert.ok(list.includes(member))
        }
      }),
      { seed: 9111, numRuns: 2000 },
    )
  })

  test('a no-store between commas is never overlooked where no quote is open', () => {
    fc.assert(
      fc.property(lists, (list) => {
        const before = list.replaceAll('"', '')
        assert.ok(parseCacheControl(`${before}, no-store`).noStore)
      }),
      { seed: 9111 },
    )
  })

  test('work grows with the length: quotes that never close are looked for once', () => {
    const list = '"a,'.repeat(2730)
    let count = 0
    for (const member of listMembers(list)) count += member.length > 0 ? 1 : 0
    assert.ok(count > 0)
  })
})
