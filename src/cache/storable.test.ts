import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseResponseHead } from '#http'
import { asking, get, HOUR_MS, RULES, START_MS } from './cache.fixture.ts'
import { formatHttpDate } from './http-date.ts'
import { REFUSALS, storability } from './storable.ts'

const TIMES = { requestedAtMs: START_MS - 20, receivedAtMs: START_MS }
const YESTERDAY = formatHttpDate(START_MS - 24 * HOUR_MS)
const NOW = formatHttpDate(START_MS)
const TOMORROW = formatHttpDate(START_MS + 24 * HOUR_MS)

/** "reuse", "emergency", or the code of a refusal. */
function outcome(
  request: ReturnType<typeof get>,
  fields: readonly string[],
  status = 200,
  rules = RULES,
): string {
  const may = storability(request, { status, fields }, TIMES, rules)
  return may.store ? may.purpose : may.reason
}

const cases: readonly [
  why: string,
  fields: readonly string[],
  outcome: string,
  request?: ReturnType<typeof get>,
  status?: number,
][] = [
  // RFC 9111 §3
  ['§3: an explicit lifetime', ['Cache-Control', 'max-age=60'], 'reuse'],
  ['§3: Expires in the future', ['Expires', TOMORROW], 'reuse'],
  ['§3: s-maxage', ['Cache-Control', 's-maxage=60'], 'reuse'],
  ['§3: nothing at all', [], 'no-freshness'],
  ['§3: public alone gives no lifetime', ['Cache-Control', 'public'], 'no-freshness'],
  ['§3: POST', ['Cache-Control', 'max-age=60'], 'method', asking('POST', '/page')],
  ['§3: HEAD', ['Cache-Control', 'max-age=60'], 'method', asking('HEAD', '/page')],
  ['§3: 206', ['Cache-Control', 'max-age=60'], 'status', get(), 206],
  ['§3: 304', ['Cache-Control', 'max-age=60'], 'status', get(), 304],
  ['§3: 103', ['Cache-Control', 'max-age=60'], 'status', get(), 103],
  ['§3: any final status with a lifetime', ['Cache-Control', 'max-age=60'], 'reuse', get(), 503],
  [
    '§5.2.2.3: must-understand and not understood',
    ['Cache-Control', 'max-age=60, must-understand'],
    'must-understand',
    get(),
    599,
  ],
  [
    '§5.2.2.3: must-understand lifts no-store',
    ['Cache-Control', 'max-age=60, must-understand, no-store'],
    'reuse',
  ],
  ['§5.2.2.5: no-store', ['Cache-Control', 'max-age=60', 'cache-control', 'No-Store'], 'no-store'],
  ['§5.2.2.7: private', ['Cache-Control', 'private, max-age=60'], 'private'],
  [
    '§5.2.1.5: no-store of the client',
    ['Cache-Control', 'max-age=60'],
    'request-no-store',
    get('/page', 'Cache-Control', 'no-store'),
  ],
  // Lifetimes that are none
  ['§5.3: Expires: 0, without validator, may stand in', ['Expires', '0'], 'reuse'],
  [
    '§5.3: Expires: 0 and must-revalidate, without validator',
    ['Expires', '0', 'Cache-Control', 'must-revalidate'],
    'no-use',
  ],
  ['§5.2.2.4: no-cache with an ETag', ['Cache-Control', 'no-cache', 'ETag', '"a"'], 'reuse'],
  ['§5.2.2.4: no-cache with nothing to validate by', ['Cache-Control', 'no-cache'], 'no-use'],
  ['max-age=0 with an ETag', ['Cache-Control', 'max-age=0', 'ETag', '"a"'], 'reuse'],
  [
    'older than its lifetime, nothing to do with it',
    ['Cache-Control', 'max-age=60, must-revalidate', 'Age', '90'],
    'no-use',
  ],
  // §4.2.2
  ['§4.2.2: a tenth of the time since Last-Modified', ['Last-Modified', YESTERDAY, 'Date', NOW], 'reuse'],
  ['§4.2.2: not for 403', ['Last-Modified', YESTERDAY], 'no-freshness', get(), 403],
  [
    '§4.2.2: for any status that is public',
    ['Last-Modified', YESTERDAY, 'Cache-Control', 'public'],
    'reuse',
    get(),
    599,
  ],
  ['§4.2.2: not with cookies', ['Last-Modified', YESTERDAY], 'no-freshness', get('/page', 'Cookie', 'a=b')],
  ['§4.2.2: not with a Set-Cookie', ['Last-Modified', YESTERDAY, 'Set-Cookie', 'a=b'], 'no-freshness'],
  ['§4.2.2: a Last-Modified in the future', ['Last-Modified', TOMORROW], 'no-freshness'],
  // §3.5
  [
    '§3.5: credentials',
    ['Cache-Control', 'max-age=60'],
    'authorization',
    get('/page', 'Authorization', 'Basic eA=='),
  ],
  [
    '§3.5: credentials, and public',
    ['Cache-Control', 'max-age=60, public'],
    'reuse',
    get('/page', 'Authorization', 'Basic eA=='),
  ],
  [
    '§3.5: credentials, and must-revalidate',
    ['Cache-Control', 'max-age=60, must-revalidate'],
    'reuse',
    get('/page', 'Authorization', 'Basic eA=='),
  ],
  [
    '§3.5: credentials, and s-maxage',
    ['Cache-Control', 's-maxage=60'],
    'reuse',
    get('/page', 'Authorization', 'Basic eA=='),
  ],
  // Cookies
  [
    'cookies and an explicit lifetime',
    ['Cache-Control', 'max-age=60'],
    'reuse',
    get('/page', 'Cookie', 'a=b'),
  ],
  [
    'cookies and no lifetime',
    ['Cache-Control', 'max-age=0', 'ETag', '"a"'],
    'cookie-not-fresh',
    get('/page', 'Cookie', 'a=b'),
  ],
  [
    '§7.3: a small cookie with a lifetime',
    ['Cache-Control', 'max-age=60', 'Set-Cookie', 'lang=fr; Path=/'],
    'reuse',
  ],
  [
    'a session cookie on a public page',
    ['Cache-Control', 'public, max-age=60', 'Set-Cookie', 'sid=0123456789abcdef; Path=/'],
    'set-cookie',
  ],
  [
    'a cookie that scripts may not see',
    ['Cache-Control', 'max-age=60', 'Set-Cookie', 'a=b; HttpOnly'],
    'set-cookie',
  ],
  [
    'a session cookie beside a small one',
    ['Cache-Control', 'max-age=60', 'Set-Cookie', 'a=b', 'Set-Cookie', 's=0123456789abcdef0'],
    'set-cookie',
  ],
  [
    'a session cookie that no-cache names',
    ['Cache-Control', 'max-age=60, no-cache="Set-Cookie"', 'Set-Cookie', 's=0123456789abcdef0'],
    'reuse',
  ],
  [
    'a session cookie that private names',
    ['Cache-Control', 'max-age=60, private="set-cookie"', 'Set-Cookie', 's=0123456789abcdef0'],
    'reuse',
  ],
  // RFC 9213
  [
    'RFC 9213: CDN-Cache-Control over no-store',
    ['Cache-Control', 'no-store', 'CDN-Cache-Control', 'max-age=60'],
    'reuse',
  ],
  [
    'RFC 9213: CDN-Cache-Control: private',
    ['Cache-Control', 'max-age=60', 'CDN-Cache-Control', 'private'],
    'private',
  ],
  [
    'RFC 9213: silent about lifetimes, and Expires does not count',
    ['Expires', TOMORROW, 'CDN-Cache-Control', 'public'],
    'no-freshness',
  ],
  [
    'RFC 9213: malformed, so Cache-Control counts',
    ['Cache-Control', 'no-store', 'CDN-Cache-Control', 'max-age="60"'],
    'no-store',
  ],
  [
    'Surrogate-Control over no-store',
    ['Cache-Control', 'no-store', 'Surrogate-Control', 'max-age=60'],
    'reuse',
  ],
  [
    'Surrogate-Control for others',
    ['Cache-Control', 'no-store', 'Surrogate-Control', 'max-age=60;akamai'],
    'no-store',
  ],
  // §4.1
  ['§4.1: Vary: *', ['Cache-Control', 'max-age=60', 'Vary', 'Accept', 'Vary', ', *'], 'vary'],
  [
    '§4.1: 33 names',
    ['Cache-Control', 'max-age=60', 'Vary', Array.from({ length: 33 }, (_, i) => `a${i}`).join()],
    'vary',
  ],
  [
    '§4.1: 32 names',
    ['Cache-Control', 'max-age=60', 'Vary', Array.from({ length: 32 }, (_, i) => `a${i}`).join()],
    'reuse',
  ],
  ["Vary on the client's address", ['Cache-Control', 'max-age=60', 'Vary', 'X-Forwarded-For'], 'vary'],
  ['Vary on what the key holds', ['Cache-Control', 'max-age=60', 'Vary', 'Host, X-Forwarded-Proto'], 'reuse'],
  [
    'a nominated field of 5 kB',
    ['Cache-Control', 'max-age=60', 'Vary', 'X-A'],
    'vary-long',
    get('/page', 'X-A', 'a'.repeat(5000)),
  ],
  // Bad input
  [
    'a body that is announced as too large',
    ['Cache-Control', 'max-age=60', 'Content-Length', '1000001'],
    'too-large',
  ],
  [
    'a path in X-Original-URL',
    ['Cache-Control', 'max-age=60'],
    'unkeyed-field',
    get('/page', 'X-Original-URL', '/admin'),
  ],
  [
    'a path in X_Rewrite_URL',
    ['Cache-Control', 'max-age=60'],
    'unkeyed-field',
    get('/page', 'X_Rewrite_URL', '/admin'),
  ],
  // Emergency copies
  ['a public page that gives nothing', [], 'emergency', get('/news')],
  ['its 404', [], 'no-freshness', get('/news'), 404],
  ['with cookies', [], 'no-freshness', get('/news', 'Cookie', 'a=b')],
  ['with credentials', [], 'authorization', get('/news', 'Authorization', 'Basic eA==')],
  ['that sets a cookie', ['Set-Cookie', 'a=b'], 'no-freshness', get('/news')],
  ['that sets a session', ['Set-Cookie', 'a=0123456789abcdef'], 'set-cookie', get('/news')],
  ['that is private', ['Cache-Control', 'private'], 'private', get('/news')],
  ['that forbids staleness', ['Cache-Control', 'must-revalidate'], 'no-freshness', get('/news')],
  ['that forbids staleness in proxies', ['Cache-Control', 'proxy-revalidate'], 'no-freshness', get('/news')],
  ['that is no-cache', ['Cache-Control', 'no-cache'], 'no-use', get('/news')],
  ['that is no-cache in HTTP/1.0', ['Pragma', 'no-cache'], 'no-freshness', get('/news')],
  ['that says Expires: 0 is of use without being an emergency copy', ['Expires', '0'], 'reuse', get('/news')],
]

function saysHowLong(status: number, fields: readonly string[]): boolean {
  let text = `HTTP/1.1 ${status} OK\r\n`
  for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`
  const head = parseResponseHead(Buffer.from(`${text}\r\n`), 0, text.length + 2, false)
  return typeof head === 'object' && head.saysHowLong
}

describe('may be stored', () => {
  for (const [why, fields, expected, request = get(), status = 200] of cases) {
    test(`${why}: ${expected}`, () => {
      assert.equal(outcome(request, fields, status), expected)
      // The fast path asks no further about an answer whose fields say nothing of it.
      if (expected === 'reuse') assert.ok(saysHowLong(status, fields))
    })
  }

  test('each refusal has a sentence', () => {
    for (const [, , expected] of cases)
      if (expected !== 'reuse' && expected !== 'emergency') assert.ok(expected in REFUSALS, expected)
  })

  test('RFC 9110 §9.3.3: an answer to POST that is the page itself', () => {
    const post = asking('POST', '/page')
    assert.equal(outcome(post, ['Cache-Control', 'max-age=60', 'Content-Location', '/page']), 'reuse')
    assert.equal(
      outcome(post, ['Cache-Control', 'max-age=60', 'Content-Location', 'http://www.example.org/page']),
      'reuse',
    )
    assert.equal(outcome(post, ['Cache-Control', 'max-age=60', 'Content-Location', '/other']), 'method')
    assert.equal(
      outcome(post, ['Cache-Control', 'max-age=60', 'Content-Location', 'http://example.net/page']),
      'method',
    )
  })

  test('§3.1: what is stored is without fields of the connection, of proxies, and those that may not be', () => {
    const fields = [
      'Connection',
      'X-Hop, close',
      'X-Hop',
      '1',
      'Keep-Alive',
      '5',
      'Proxy-Authenticate',
      'Basic',
      'Proxy-Authentication-Info',
      'a',
      'Trailer',
      'x',
      'Content-Length',
      '10',
      'Transfer-Encoding',
      'chunked',
      'Cache-Control',
      'max-age=60, no-cache="A", private="b, Set-Cookie"',
      'A',
      '1',
      'B',
      '2',
      'Set-Cookie',
      'sid=1',
      'C',
      '3',
      'Age',
      '7',
    ]
    const may = storability(get(), { status: 200, fields }, TIMES, RULES)
    assert.ok(may.store)
    assert.deepEqual(may.fields, [
      'Cache-Control',
      'max-age=60, no-cache="A", private="b, Set-Cookie"',
      'C',
      '3',
      'Age',
      '7',
    ])
  })

  test('§3.3: a part is stored if it says which one it is, and for how long', () => {
    const part = (fields: readonly string[], ...asked: string[]) =>
      outcome(get('/page', ...asked), ['Content-Range', 'bytes 0-1/10', ...fields], 206)
    const fresh = ['Cache-Control', 'max-age=60']
    assert.equal(part(fresh, 'Range', 'bytes=0-1'), 'reuse')
    assert.equal(part(fresh, 'Range', 'bytes=0-1', 'Range', 'bytes=2-3'), 'status')
    assert.equal(part(fresh, 'Range', 'bytes=0-1', 'If-Range', '"a"'), 'status')
    assert.equal(part(['Cache-Control', 'max-age=0', 'ETag', '"a"'], 'Range', 'bytes=0-1'), 'status')
    assert.equal(part(['Cache-Control', 'no-cache', 'ETag', '"a"'], 'Range', 'bytes=0-1'), 'status')
    assert.equal(part([], 'Range', 'bytes=0-1'), 'no-freshness')
    for (const range of ['bytes 1-0/10', 'bytes 0-10/10', 'bytes */10', 'lines 0-1/10', 'bytes 0-1', ''])
      assert.equal(
        outcome(get('/page', 'Range', 'bytes=0-1'), [...fresh, 'Content-Range', range], 206),
        'status',
      )
    assert.equal(part(fresh, 'Range', `bytes=0-${'0'.repeat(64)}1`), 'status')
    const many = ['Cache-Control', 'max-age=60', 'Content-Type', 'multipart/byteranges; boundary=x']
    assert.equal(outcome(get('/page', 'Range', 'bytes=0-1,3-4'), many, 206), 'status')
  })

  test('no page is stored for guessing where the operator allows none', () => {
    assert.equal(
      outcome(get(), ['Last-Modified', YESTERDAY], 200, { ...RULES, heuristicMs: 0 }),
      'no-freshness',
    )
  })
})
