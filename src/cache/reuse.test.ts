import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { asking, get, HOUR_MS, START_MS, stored } from './cache.fixture.ts'
import { formatHttpDate } from './http-date.ts'
import { choose } from './reuse.ts'
import type { Stored } from './stored.ts'
import { variantOf } from './vary.ts'

const at = (s: number) => START_MS + 1000 * s

/** A stored response that varies, as the request that brought it selects it. */
function variant(vary: readonly string[], request: ReturnType<typeof get>, ...fields: string[]): Stored {
  return stored(['Cache-Control', 'max-age=60', ...fields], {
    vary,
    variant: variantOf(vary, request.fields)!,
  })
}

/** "serve", "refuse", "miss why", or "validate why" and what is allowed meanwhile. */
function outcome(one: Stored | readonly Stored[], request: ReturnType<typeof get>, nowMs: number): string {
  const choice = choose(Array.isArray(one) ? one : [one as Stored], request, nowMs)
  switch (choice.action) {
    case 'miss':
      return `miss ${choice.why}${choice.emergency === undefined ? '' : ' emergency'}`
    case 'validate':
      return `validate ${choice.why}${choice.whileRevalidate ? ' revalidate' : ''}${choice.ifError ? ' error' : ''}`
    default:
      return choice.action
  }
}

describe('what is stored, asked for again', () => {
  const cases: readonly [
    why: string,
    control: string,
    afterS: number,
    outcome: string,
    ...request: string[],
  ][] = [
    ['§4.2: fresh', 'max-age=60', 59, 'serve'],
    ['§4.2: stale', 'max-age=60', 60, 'validate stale error'],
    ['§4.2.4: stale beyond what the operator allows', 'max-age=60', 60 + 86_400, 'validate stale'],
    ['§5.2.2.4: no-cache', 'no-cache, max-age=60', 1, 'validate stale'],
    ['§5.2.2.4: no-cache for a field is another matter', 'no-cache="a", max-age=60', 1, 'serve'],
    ['§5.2.2.2: must-revalidate', 'max-age=60, must-revalidate', 61, 'validate stale'],
    ['§5.2.2.8: proxy-revalidate', 'max-age=60, proxy-revalidate', 61, 'validate stale'],
    ['§5.2.2.10: s-maxage counts as proxy-revalidate', 's-maxage=60', 61, 'validate stale'],
    ['§5.2.2.10: s-maxage over max-age', 's-maxage=60, max-age=1', 2, 'serve'],
    [
      'RFC 5861 §3: within stale-while-revalidate',
      'max-age=60, stale-while-revalidate=30',
      89,
      'validate stale revalidate error',
    ],
    ['RFC 5861 §3: after it', 'max-age=60, stale-while-revalidate=30', 90, 'validate stale error'],
    [
      'RFC 5861 §3: beside s-maxage',
      's-maxage=60, stale-while-revalidate=30',
      89,
      'validate stale revalidate error',
    ],
    [
      'RFC 5861 §3: and not with must-revalidate',
      'max-age=60, must-revalidate, stale-while-revalidate=30',
      61,
      'validate stale',
    ],
    ['RFC 5861 §4: within stale-if-error', 'max-age=60, stale-if-error=30', 89, 'validate stale error'],
    ['RFC 5861 §4: after it', 'max-age=60, stale-if-error=30', 90, 'validate stale'],
    ['RFC 5861 §4: stale-if-error=0', 'max-age=60, stale-if-error=0', 61, 'validate stale'],
    [
      'RFC 5861 §4: longer than the operator says',
      'max-age=60, stale-if-error=864000',
      800_000,
      'validate stale error',
    ],
    // §5.2.1
    [
      '§5.2.1.1: max-age of the client',
      'max-age=60',
      11,
      'validate request error',
      'Cache-Control',
      'max-age=10',
    ],
    ['§5.2.1.1: young enough', 'max-age=60', 9, 'serve', 'Cache-Control', 'max-age=10'],
    ['§5.2.1.1: a reload', 'max-age=60', 0, 'validate request error', 'Cache-Control', 'max-age=0'],
    [
      'RFC 8246 §2.1: a reload of what is immutable',
      'max-age=60, immutable',
      1,
      'serve',
      'Cache-Control',
      'max-age=0',
    ],
    [
      'RFC 8246 §2.1: a forced reload',
      'max-age=60, immutable',
      1,
      'validate request error',
      'Cache-Control',
      'no-cache',
    ],
    [
      'RFC 8246 §2: stale and immutable',
      'max-age=60, immutable',
      61,
      'validate stale error',
      'Cache-Control',
      'max-age=0',
    ],
    ['§5.2.1.2: max-stale', 'max-age=60', 100, 'serve', 'Cache-Control', 'max-stale=100'],
    [
      '§5.2.1.2: staler than that',
      'max-age=60',
      161,
      'validate stale error',
      'Cache-Control',
      'max-stale=100',
    ],
    ['§5.2.1.2: max-stale without a number', 'max-age=60', 86_000, 'serve', 'Cache-Control', 'max-stale'],
    [
      '§5.2.1.2: max-stale against must-revalidate',
      'max-age=60, must-revalidate',
      61,
      'validate stale',
      'Cache-Control',
      'max-stale',
    ],
    [
      '§5.2.1.2: max-stale against s-maxage',
      's-maxage=60',
      61,
      'validate stale',
      'Cache-Control',
      'max-stale',
    ],
    ['§5.2.1.3: min-fresh', 'max-age=60', 40, 'validate request error', 'Cache-Control', 'min-fresh=30'],
    ['§5.2.1.3: fresh for long enough', 'max-age=60', 20, 'serve', 'Cache-Control', 'min-fresh=30'],
    [
      '§5.2.1.4: no-cache of the client',
      'max-age=60',
      1,
      'validate request error',
      'Cache-Control',
      'no-cache',
    ],
    [
      '§5.2.1.4: and stale',
      'max-age=60, stale-while-revalidate=30',
      61,
      'validate stale error',
      'Cache-Control',
      'no-cache',
    ],
    [
      '§5.2.1.5: no-store of the client forbids storing only',
      'max-age=60',
      1,
      'serve',
      'Cache-Control',
      'no-store',
    ],
    ['§5.2.1.7: only-if-cached, fresh', 'max-age=60', 1, 'serve', 'Cache-Control', 'only-if-cached'],
    ['§5.2.1.7: only-if-cached, stale', 'max-age=60', 61, 'refuse', 'Cache-Control', 'only-if-cached'],
    ['§5.4: Pragma says nothing', 'max-age=60', 1, 'serve', 'Pragma', 'no-cache'],
    ['nonsense in Cache-Control', 'max-age=60', 1, 'serve', 'Cache-Control', 'nothing-to-see-here'],
    ['§4.3.2: If-Match is for the origin', 'max-age=60', 1, 'miss bypass', 'If-Match', '"a"'],
    [
      '§4.3.2: If-Unmodified-Since is for the origin',
      'max-age=60',
      1,
      'miss bypass',
      'If-Unmodified-Since',
      'x',
    ],
    ['a cookie is no reason', 'max-age=60', 1, 'serve', 'Cookie', 'a=b'],
  ]
  for (const [why, control, afterS, expected, ...request] of cases) {
    test(`${why}: ${expected}`, () => {
      assert.equal(
        outcome(stored(['Cache-Control', control]), get('/page', ...request), at(afterS)),
        expected,
      )
    })
  }

  test('HEAD is answered by what GET brought', () => {
    assert.equal(outcome(stored(['Cache-Control', 'max-age=60']), asking('HEAD', '/page'), at(1)), 'serve')
  })

  test('§4.3.1: the origin is asked with both validators; a date that is none is not sent', () => {
    const modified = formatHttpDate(START_MS - HOUR_MS)
    const ask = (...fields: string[]) => {
      const choice = choose([stored(['Cache-Control', 'max-age=1', ...fields])], get(), at(2))
      return choice.action === 'validate' ? choice.conditions : undefined
    }
    assert.deepEqual(ask('ETag', 'W/"a"', 'Last-Modified', modified), [
      'If-None-Match',
      'W/"a"',
      'If-Modified-Since',
      modified,
    ])
    assert.deepEqual(ask('Last-Modified', 'yesterday'), [])
  })
})

describe('age (§4.2.3)', () => {
  const age = (s: number, ...fields: string[]) => stored(fields).ageS(at(s))

  test('is the time since it came, and the Age it came with', () => {
    assert.equal(age(5), 5)
    assert.equal(age(5, 'Age', '30'), 35)
    assert.equal(age(5, 'Date', formatHttpDate(at(-20))), 25)
    assert.equal(age(5, 'Date', formatHttpDate(at(-20)), 'Age', '30'), 35)
    assert.equal(age(5, 'Date', formatHttpDate(at(20)), 'Age', '30'), 35)
  })

  test('holds the time for which the origin kept us waiting, when it came with an Age', () => {
    assert.equal(stored(['Age', '30'], { requestedAtMs: at(-4) }).ageS(at(1)), 35)
  })

  test('§5.1: of several the first counts, an invalid one not at all', () => {
    assert.equal(age(0, 'Age', '7200, 0'), 7200)
    assert.equal(age(0, 'Age', '0', 'Age', '7200'), 0)
    for (const invalid of ['abc', '-1', '7200.0', '7200;a=b', ''])
      assert.equal(age(0, 'Age', invalid), 0, invalid)
    assert.equal(age(0, 'Age', '99999999999'), 2_147_483_648)
  })

  test('is never less than when it came, though the clock is put back', () => {
    assert.equal(stored(['Age', '30']).ageS(at(-3600)), 30)
  })
})

describe('lifetime (§4.2.1)', () => {
  const lifetime = (...fields: string[]) => stored(fields).lifetime

  test('a fault is served again for a moment only, and never stands in: one that was provoked is forgotten soon', () => {
    const fields = ['Cache-Control', 'max-age=3600']
    for (const status of [400, 403, 429, 500, 503]) {
      const fault = stored(fields, { status })
      assert.equal(fault.lifetime.ms, 10_000)
      assert.equal(fault.leeway.errorMs, 0)
    }
    for (const status of [404, 410]) assert.equal(stored(fields, { status }).lifetime.ms, 3_600_000)
  })

  test('Expires counts from Date, which may be wrong for both', () => {
    assert.deepEqual(lifetime('Date', formatHttpDate(at(100)), 'Expires', formatHttpDate(at(160))), {
      ms: 60_000,
      from: 'Expires',
    })
    assert.deepEqual(lifetime('Date', 'foo', 'Expires', formatHttpDate(at(60))), {
      ms: 60_000,
      from: 'Expires',
    })
    assert.equal(lifetime('Date', formatHttpDate(at(400)), 'Expires', formatHttpDate(at(300))).ms, 0)
    for (const invalid of ['0', '-1', 'never'])
      assert.deepEqual(lifetime('Expires', invalid), { ms: 0, from: 'Expires' })
  })

  test('max-age silences Expires, and s-maxage max-age', () => {
    assert.equal(lifetime('Cache-Control', 'max-age=60', 'Expires', '0').ms, 60_000)
    assert.equal(lifetime('Cache-Control', 'max-age=0', 'Expires', formatHttpDate(at(60))).ms, 0)
    assert.equal(lifetime('Cache-Control', 'max-age=60', 'Cache-Control', 's-maxage=1').ms, 1000)
  })

  test('§4.2.2: a guess is a tenth of the time since Last-Modified, up to the bound', () => {
    assert.deepEqual(lifetime('Last-Modified', formatHttpDate(START_MS - HOUR_MS)), {
      ms: 360_000,
      from: 'heuristic',
    })
    assert.equal(lifetime('Last-Modified', formatHttpDate(0)).ms, 24 * HOUR_MS)
  })
})

describe('selecting by Vary (§4.1)', () => {
  const one = get('/page', 'Foo', '1')

  test('the fields must match, and be absent where they were absent', () => {
    const foo = variant(['foo'], one)
    assert.equal(outcome(foo, one, at(1)), 'serve')
    assert.equal(outcome(foo, get('/page', 'foo', ' 1 '), at(1)), 'serve')
    assert.equal(outcome(foo, get('/page', 'Foo', '2'), at(1)), 'miss vary-miss')
    assert.equal(outcome(foo, get('/page'), at(1)), 'miss vary-miss')
    assert.equal(outcome(variant(['foo'], get()), one, at(1)), 'miss vary-miss')
    assert.equal(outcome([], one, at(1)), 'miss uri-miss')
    assert.equal(
      outcome(variant(['foo', 'other'], one), get('/page', 'Foo', '1', 'Third', '3'), at(1)),
      'serve',
    )
  })

  test('a value cannot be moved from one field to the next', () => {
    const both = variant(['a', 'b'], get('/page', 'A', 'x', 'B', 'y'))
    assert.equal(outcome(both, get('/page', 'A', 'x,b:y'), at(1)), 'miss vary-miss')
  })

  test('of several the newest is taken, and one without Vary not before those with', () => {
    const dated = (s: number) => ['Date', formatHttpDate(at(s))]
    const old = variant(['foo'], one, ...dated(-20))
    const plain = variant([], one, ...dated(-10))
    const fresh = variant(['bar'], one, ...dated(-5))
    const chosen = (...all: Stored[]) => {
      const choice = choose(all, one, at(1))
      return choice.action === 'serve' ? choice.stored : undefined
    }
    assert.equal(chosen(old, fresh), fresh)
    assert.equal(chosen(fresh, old), fresh)
    assert.equal(chosen(old, plain), plain)
    assert.equal(chosen(plain, variant(['foo'], get('/page', 'Foo', '2'), ...dated(-5))), undefined)
  })

  test('a coding that the client does not accept is not sent, though the sets are the same', () => {
    const zstd = variant(
      ['accept-encoding'],
      get('/page', 'Accept-Encoding', 'deflate'),
      'Content-Encoding',
      'deflate',
    )
    assert.equal(outcome(zstd, get('/page', 'Accept-Encoding', 'identity'), at(1)), 'miss vary-miss')
  })

  test('a language that is wanted most, and was kept for somebody with other second choices', () => {
    const german = variant(
      ['accept-language', 'foo'],
      get('/page', 'Accept-Language', 'en, de', 'Foo', '1'),
      'Content-Language',
      'de',
    )
    const ask = (languages: string, foo = '1') =>
      outcome(german, get('/page', 'Accept-Language', languages, 'Foo', foo), at(1))
    assert.equal(ask('fr;q=0.5, DE;q=1.0'), 'serve')
    assert.equal(ask('de'), 'serve')
    assert.equal(ask('de', '2'), 'miss vary-miss')
    assert.equal(ask('fr, de;q=0.9'), 'miss vary-miss')
    assert.equal(ask('de, fr'), 'miss vary-miss')
    assert.equal(ask('de;q=0'), 'miss vary-miss')
    assert.equal(ask('de-AT'), 'miss vary-miss')
  })
})

describe('stored parts (§3.3)', () => {
  const range = ['Range', 'bytes=2-5']
  const fields = ['Cache-Control', 'max-age=60', 'ETag', '"a"', 'Content-Range', 'bytes 2-5/10']
  const part = stored(fields, { status: 206, body: Buffer.from('2345'), variant: '(bytes=2-5)\n' })

  test('serve those who ask for what lies in them, while fresh', () => {
    for (const asked of ['bytes=2-5', 'bytes=3-4', 'bytes=5-5'])
      assert.equal(outcome(part, get('/page', 'Range', asked), at(1)), 'serve', asked)
    assert.equal(outcome(part, get('/page', ...range, 'If-Range', '"a"'), at(1)), 'serve')
    assert.equal(outcome(part, get('/page', ...range, 'If-Range', '"b"'), at(1)), 'miss partial')
    assert.equal(outcome(part, get('/page', ...range, 'Cache-Control', 'no-cache'), at(1)), 'miss partial')
    assert.equal(outcome(part, get('/page', ...range), at(61)), 'miss partial')
    for (const asked of ['bytes=2-', 'bytes=1-3', 'bytes=-4', 'bytes=2-6', 'bytes=2-3,4-5', 'lines=2-5'])
      assert.equal(outcome(part, get('/page', 'Range', asked), at(1)), 'miss partial', asked)
    assert.equal(outcome(part, get('/page', ...range, 'Range', 'bytes=0-1'), at(1)), 'miss partial')
    assert.equal(outcome(part, get('/page'), at(1)), 'miss partial')
    assert.equal(outcome(part, asking('HEAD', '/page', ...range), at(1)), 'miss uri-miss')
    assert.equal(outcome(part, get('/page', 'Cache-Control', 'only-if-cached'), at(1)), 'refuse')
  })

  test('of a variant serve nobody else', () => {
    const french = stored([...fields, 'Vary', 'Accept-Language'], {
      status: 206,
      body: Buffer.from('2345'),
      vary: ['accept-language'],
      variant: 'accept-language:fr;1\n(bytes=2-5)\n',
    })
    assert.equal(outcome(french, get('/page', ...range, 'Accept-Language', 'fr'), at(1)), 'serve')
    assert.equal(outcome(french, get('/page', ...range, 'Accept-Language', 'en'), at(1)), 'miss uri-miss')
  })

  test('kept by an earlier Digue serve who asks with the same words', () => {
    const old = stored(fields, {
      status: 206,
      body: Buffer.from('2345'),
      vary: ['range'],
      variant: variantOf(['range'], range)!,
    })
    assert.equal(outcome(old, get('/page', ...range), at(1)), 'serve')
    assert.equal(outcome(old, get('/page', 'Range', 'bytes=3-4'), at(1)), 'miss uri-miss')
  })

  test('do not stand in the way of the whole', () => {
    const whole = stored(['Cache-Control', 'max-age=60', 'Date', formatHttpDate(at(-10))])
    const choice = choose([part, whole], get('/page', ...range), at(1))
    assert.equal(choice.action === 'serve' && choice.stored, whole)
  })
})

describe('emergency copies', () => {
  const copy = stored(['Content-Type', 'text/html'], { purpose: 'emergency' })

  test('are never served or validated, only offered', () => {
    assert.equal(outcome(copy, get(), at(1)), 'miss uri-miss emergency')
    assert.equal(outcome(copy, get(), at(86_401)), 'miss uri-miss')
    assert.equal(outcome(copy, get('/page', 'Cache-Control', 'max-stale'), at(1)), 'miss uri-miss emergency')
    assert.equal(outcome(copy, get('/page', 'Cache-Control', 'only-if-cached'), at(1)), 'refuse')
  })

  test('are of the same variant, as anything else', () => {
    const french = stored([], {
      purpose: 'emergency',
      vary: ['accept-language'],
      variant: 'accept-language:fr;1\n',
    })
    assert.equal(outcome(french, get('/page', 'Accept-Language', 'fr'), at(1)), 'miss uri-miss emergency')
    assert.equal(outcome(french, get('/page', 'Accept-Language', 'en'), at(1)), 'miss uri-miss')
  })
})
