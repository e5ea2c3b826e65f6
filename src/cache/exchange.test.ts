/** Whole stories, played with a cache without sockets: what visitors get, and what the origin is asked. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fieldValue, type RequestHead } from '#http'
import { field, get, HOUR_MS, type Origin, type OriginAnswer, PureCache } from './cache.fixture.ts'

const answer = (body: string, ...fields: string[]): OriginAnswer => ({
  status: 200,
  fields,
  body: Buffer.from(body),
})

/** An origin that counts what it is asked. */
function counting(give: (request: RequestHead) => OriginAnswer | 'dead') {
  const asked: RequestHead[] = []
  const origin: Origin = (request) => {
    asked.push(request)
    return give(request)
  }
  return { asked, origin }
}

const text = (served: { body: Uint8Array }) => Buffer.from(served.body).toString()

describe('poisoning', () => {
  // An origin that lets fields choose what it says, without saying so in Vary.
  const gullible = counting((request) => {
    const path = fieldValue(request.fields, 'x-original-url') ?? request.target
    const method = fieldValue(request.fields, 'x-http-method-override') ?? request.method
    const host = fieldValue(request.fields, 'x-host') ?? 'www.example.org'
    return answer(`${method} ${host}${path}`, 'Cache-Control', 'max-age=60')
  })
  const honest = 'GET www.example.org/page'

  for (const [name, value] of [
    ['X-Original-URL', '/admin'],
    ['X-HTTP-Method-Override', 'DELETE'],
    ['X-Host', 'evil.example.net'],
  ] as const) {
    test(`what ${name} made of a page is given to nobody else`, () => {
      const cache = new PureCache()
      assert.notEqual(text(cache.exchange(get('/page', name, value), gullible.origin)), honest)
      assert.equal(text(cache.exchange(get('/page'), gullible.origin)), honest)
    })
  }

  test('a page that was made for one visitor is given to nobody else', () => {
    for (const fields of [
      ['Cache-Control', 'private'],
      ['Cache-Control', 'no-store'],
      ['Cache-Control', 'max-age=60', 'Vary', '*'],
      ['Cache-Control', 'max-age=60', 'Set-Cookie', 'sid=0123456789abcdef'],
      ['Cache-Control', 'max-age=60', 'Vary', 'Cookie'],
      ['Cache-Control', 'max-age=0'],
      [],
    ]) {
      const cache = new PureCache()
      const { origin } = counting((request) =>
        answer(`for ${fieldValue(request.fields, 'cookie')}`, ...fields),
      )
      cache.exchange(get('/news', 'Cookie', 'who=alice'), origin)
      assert.equal(text(cache.exchange(get('/news', 'Cookie', 'who=bob'), origin)), 'for who=bob')
      const dead = cache.exchange(get('/news', 'Cookie', 'who=carol'), () => 'dead')
      assert.equal(dead.status, 502, fields.join())
    }
  })
})

describe('an origin that dies', () => {
  test('is stood in for by what is stored, for as long as it may be', () => {
    const cache = new PureCache()
    cache.exchange(get('/page'), () => answer('page', 'Cache-Control', 'max-age=60'))
    cache.nowMs += 23 * HOUR_MS
    const served = cache.exchange(get('/page'), () => 'dead')
    assert.equal(
      `${served.status} ${text(served)} ${field(served, 'cache-status')}`,
      '200 page Digue; hit; detail=stale',
    )
    assert.equal(field(served, 'age'), String((23 * HOUR_MS) / 1000))
    cache.nowMs += 2 * HOUR_MS
    assert.equal(cache.exchange(get('/page'), () => 'dead').status, 502)
  })

  test('and by an emergency copy of a page that gives no lifetime, while nobody gets that from a living one', () => {
    const cache = new PureCache()
    const { asked, origin } = counting(() => answer(`news ${asked.length}`))
    cache.exchange(get('/news'), origin)
    assert.equal(text(cache.exchange(get('/news'), origin)), 'news 2')
    assert.equal(text(cache.exchange(get('/news', 'Cookie', 'a=b'), () => 'dead')), 'news 2')
    assert.equal(cache.exchange(get('/page'), () => 'dead').status, 502)
  })

  test('an answer of 503 without a copy is passed on', () => {
    const cache = new PureCache()
    assert.equal(
      cache.exchange(get(), () => ({ status: 503, fields: [], body: Buffer.from('') })).status,
      503,
    )
  })
})

describe('validation', () => {
  test('a 304 makes it fresh again; a 200 replaces it; a page that turned private is forgotten', () => {
    const cache = new PureCache()
    let version = 'a'
    let control = 'max-age=60'
    const { asked, origin } = counting((request) =>
      fieldValue(request.fields, 'if-none-match') === version
        ? { status: 304, fields: ['ETag', version, 'Cache-Control', control], body: Buffer.from('') }
        : answer(`version ${version}`, 'ETag', version, 'Cache-Control', control),
    )
    const read = () => {
      cache.nowMs += 61_000
      return text(cache.exchange(get(), origin))
    }
    assert.equal(read(), 'version a')
    assert.equal(read(), 'version a')
    assert.equal(text(cache.exchange(get(), origin)), 'version a')
    assert.equal(asked.length, 2)
    version = 'b'
    assert.equal(read(), 'version b')
    control = 'private'
    assert.equal(read(), 'version b')
    version = 'c'
    assert.equal(read(), 'version c')
    assert.equal(cache.variants('http://www.example.org/page').length, 0)
  })

  test("the client's own conditions are answered from what was validated", () => {
    const cache = new PureCache()
    const { asked, origin } = counting((request) =>
      fieldValue(request.fields, 'if-none-match') === '"a"'
        ? { status: 304, fields: [], body: Buffer.from('') }
        : answer('page', 'ETag', '"a"', 'Cache-Control', 'max-age=60'),
    )
    cache.exchange(get(), origin)
    cache.nowMs += 61_000
    const served = cache.exchange(get('/page', 'If-None-Match', '"old"', 'Range', 'bytes=0-1'), origin)
    assert.equal(fieldValue(asked[1]!.fields, 'if-none-match'), '"a"')
    assert.equal(fieldValue(asked[1]!.fields, 'range'), undefined)
    assert.equal(`${served.status} ${text(served)}`, '206 pa')
  })
})
