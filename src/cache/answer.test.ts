import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isPlain, serve } from './answer.ts'
import { asking, field, get, HOUR_MS, START_MS, stored } from './cache.fixture.ts'
import { formatHttpDate } from './http-date.ts'
import { rangesOf } from './range.ts'
import type { Stored } from './stored.ts'

const MODIFIED = formatHttpDate(START_MS - HOUR_MS)
const BEFORE = formatHttpDate(START_MS - 2 * HOUR_MS)
const NOW = formatHttpDate(START_MS)
const HIT = { status: 'hit' }

const page = (...fields: string[]) =>
  stored(['Content-Type', 'text/plain', 'ETag', '"a"', 'Last-Modified', MODIFIED, 'Date', NOW, ...fields])
const ask = (one: Stored, ...fields: string[]) => serve(one, get('/page', ...fields), START_MS + 2500, HIT)
const text = (served: { body: Uint8Array }) => Buffer.from(served.body).toString()

describe('the whole', () => {
  test('§4, §5.1: carries the stored fields, Age, Cache-Status and its length', () => {
    const served = ask(page('Age', '30', 'X', '1', 'Cache-Status', 'Inner; hit'))
    assert.equal(served.status, 200)
    assert.equal(text(served), '0123456789')
    assert.deepEqual(served.fields, [
      'Content-Type',
      'text/plain',
      'ETag',
      '"a"',
      'Last-Modified',
      MODIFIED,
      'Date',
      NOW,
      'X',
      '1',
      'Cache-Status',
      'Inner; hit',
      'Content-Length',
      '10',
      'Age',
      '32',
      'Cache-Status',
      'Digue; hit',
    ])
  })

  test('RFC 9110 §6.6.1: a response without a valid Date gets the time when it came', () => {
    for (const fields of [[], ['Date', 'foo'], ['Date', 'foo', 'Date', 'bar']])
      assert.equal(field(ask(stored(fields)), 'date'), NOW)
  })

  test('HEAD gets the head', () => {
    const served = serve(page(), asking('HEAD', '/page'), START_MS, HIT)
    assert.equal(served.body.byteLength, 0)
    assert.equal(field(served, 'content-length'), '10')
  })

  test('204 has no length', () => {
    assert.equal(
      field(ask(stored([], { status: 204, body: new Uint8Array(0) })), 'content-length'),
      undefined,
    )
  })

  test('its head in bytes ends where the Age goes', () => {
    const one = stored(['Content-Type', 'text/html', 'X', '\u00e9', 'Date', NOW], { status: 404 })
    const head = `HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nX: \u00e9\r\nDate: ${NOW}\r\nContent-Length: 10\r\nAge: `
    assert.equal(one.headIn('origin').toString('latin1'), head)
    assert.equal(
      stored([], { status: 599 }).headIn('origin').toString().startsWith('HTTP/1.1 599 \r\n'),
      true,
    )
  })

  test('is what a request without conditions and ranges is for', () => {
    assert.ok(
      isPlain(get('/page', 'Accept', '*/*', 'Cookie', 'a=b', 'Cache-Control', 'no-cache', 'X-Ray', '1')),
    )
    for (const name of ['Range', 'rAnge', 'If-None-Match', 'If-Modified-Since'])
      assert.ok(!isPlain(get('/page', name, 'x')), name)
    assert.ok(!isPlain(asking('HEAD', '/page')))
  })
})

describe('not modified (§4.3.2)', () => {
  const is304 = (one: Stored, ...fields: string[]) => ask(one, ...fields).status === 304

  test('If-None-Match is compared weakly, with each of a list', () => {
    for (const list of ['"a"', 'W/"a"', '"x", "a"', '"x","a","y"', '*', ' * ', '"x,y", W/"a"'])
      assert.ok(is304(page(), 'If-None-Match', list), list)
    for (const list of ['"b"', '"A"', '', ',', '"a', '"x,"a"'])
      assert.ok(!is304(page(), 'If-None-Match', list), list)
    assert.ok(is304(page(), 'If-None-Match', '"x"', 'If-None-Match', '"a"'))
    assert.ok(is304(stored(['ETag', 'W/"a,b"']), 'If-None-Match', '"x", "a,b"'))
    assert.ok(is304(stored(['ETag', 'abc']), 'If-None-Match', 'abc'))
    assert.ok(!is304(stored([]), 'If-None-Match', '"a"'))
  })

  test('If-Modified-Since counts only without If-None-Match, in any form of date', () => {
    assert.ok(is304(page(), 'If-Modified-Since', MODIFIED))
    assert.ok(is304(page(), 'If-Modified-Since', NOW))
    assert.ok(!is304(page(), 'If-Modified-Since', BEFORE))
    assert.ok(!is304(page(), 'If-Modified-Since', 'yesterday'))
    assert.ok(!is304(page(), 'If-None-Match', '"b"', 'If-Modified-Since', MODIFIED))
    assert.ok(is304(page(), 'If-None-Match', '"a"', 'If-Modified-Since', BEFORE))
  })

  test('without Last-Modified it is held against Date', () => {
    assert.ok(is304(stored(['Date', NOW]), 'If-Modified-Since', NOW))
    assert.ok(!is304(stored(['Date', NOW]), 'If-Modified-Since', BEFORE))
  })

  test('other statuses than 2xx are sent as they are', () => {
    assert.equal(ask(stored(['ETag', '"a"'], { status: 404 }), 'If-None-Match', '"a"').status, 404)
  })

  test('RFC 9110 §15.4.5: says nothing of the body, and everything else', () => {
    const served = ask(
      page('Vary', 'Foo', 'Content-Security-Policy', 'x', 'Content-Language', 'fr', 'Content-Location', '/a'),
      'If-None-Match',
      '"a"',
    )
    const names = served.fields.filter((_, i) => i % 2 === 0)
    assert.deepEqual(names, [
      'ETag',
      'Last-Modified',
      'Date',
      'Vary',
      'Content-Security-Policy',
      'Content-Location',
      'Age',
      'Cache-Status',
    ])
    assert.equal(served.body.byteLength, 0)
  })
})

describe('parts (RFC 9110 §14)', () => {
  const cases: readonly [range: string, status: number, body: string, contentRange?: string][] = [
    ['bytes=0-1', 206, '01', 'bytes 0-1/10'],
    ['bytes=1-', 206, '123456789', 'bytes 1-9/10'],
    ['bytes=-1', 206, '9', 'bytes 9-9/10'],
    ['bytes=-99', 206, '0123456789', 'bytes 0-9/10'],
    ['BYTES=8-99', 206, '89', 'bytes 8-9/10'],
    ['bytes=0-0,', 206, '0', 'bytes 0-0/10'],
    ['bytes=20-, 3-4', 206, '34', 'bytes 3-4/10'],
    ['bytes=10-', 416, '', 'bytes */10'],
    ['bytes=-0', 416, '', 'bytes */10'],
    // Ignored
    ['bytes=4-3', 200, '0123456789'],
    ['bytes=a-b', 200, '0123456789'],
    ['bytes=-', 200, '0123456789'],
    ['bytes=', 200, '0123456789'],
    ['lines=0-1', 200, '0123456789'],
    ['bytes=0-9,0-9', 200, '0123456789'],
    ['bytes=0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0', 200, '0123456789'],
    [`bytes=${'0-0,'.repeat(200)}`, 200, '0123456789'],
  ]
  for (const [range, status, body, contentRange] of cases) {
    test(`${range.slice(0, 40)}: ${status}`, () => {
      const served = ask(page(), 'Range', range)
      assert.equal(served.status, status)
      assert.equal(text(served), body)
      assert.equal(field(served, 'content-range'), contentRange)
      assert.equal(field(served, 'content-length'), String(body.length))
    })
  }

  test('several are sent as multipart/byteranges', () => {
    const served = ask(page(), 'Range', 'bytes=0-1, 8-')
    const boundary = /^multipart\/byteranges; boundary=(\S+)$/.exec(field(served, 'content-type')!)![1]!
    const part = (range: string, body: string) =>
      `\r\n--${boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes ${range}/10\r\n\r\n${body}`
    assert.equal(text(served), `${part('0-1', '01')}${part('8-9', '89')}\r\n--${boundary}--\r\n`)
    assert.equal(field(served, 'content-length'), String(served.body.byteLength))
    assert.equal(field(served, 'content-range'), undefined)
  })

  test('§13.1.5: If-Range is compared strongly', () => {
    const part = (one: Stored, value: string) =>
      ask(one, 'Range', 'bytes=0-1', 'If-Range', value).status === 206
    assert.ok(part(page(), '"a"'))
    assert.ok(part(page(), MODIFIED))
    for (const value of ['"b"', 'W/"a"', BEFORE, NOW, 'foo']) assert.ok(!part(page(), value), value)
    assert.ok(!part(stored(['ETag', 'W/"a"']), 'W/"a"'))
    assert.ok(
      !part(stored(['Last-Modified', NOW, 'Date', NOW]), NOW),
      'it may have changed within the second',
    )
  })

  test('conditions come first, and HEAD, other statuses and two Range lines have no parts', () => {
    assert.equal(ask(page(), 'Range', 'bytes=0-1', 'If-None-Match', '"a"').status, 304)
    assert.equal(serve(page(), asking('HEAD', '/page', 'Range', 'bytes=0-1'), START_MS, HIT).status, 200)
    assert.equal(ask(stored([], { status: 404 }), 'Range', 'bytes=0-1').status, 404)
    assert.equal(ask(page(), 'Range', 'bytes=0-1', 'Range', 'bytes=2-3').status, 200)
    assert.equal(ask(stored([], { body: new Uint8Array(0) }), 'Range', 'bytes=0-').status, 200)
  })

  test('whatever is asked, parts lie within the body and are together no more than it', () => {
    const pieces = fc.constantFrom('bytes=', '0', '9', '10', '-', ',', ' ', '999999999999999', 'x', '=')
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 80 }), fc.nat(50), (parts, length) => {
        let total = 0
        for (const { from, to } of rangesOf(`bytes=${parts.join('')}`, length) ?? []) {
          assert.ok(from >= 0 && from < to && to <= length)
          total += to - from
        }
        assert.ok(total <= length)
      }),
      { seed: 9110, numRuns: 2000 },
    )
  })
})

describe('compressed by Digue', () => {
  const encodings = { br: Buffer.from('br'), gzip: Buffer.from('gz!') }
  const both = stored(
    ['Content-Type', 'text/html', 'ETag', '"a"', 'Accept-Ranges', 'bytes', 'Repr-Digest', 'x'],
    { encodings },
  )

  test('the smallest form that the client accepts, said in its fields', () => {
    const form = (one: Stored, accept: string) => {
      const served = ask(one, 'Accept-Encoding', accept)
      return `${field(served, 'content-encoding')} ${text(served)} ${field(served, 'etag')} ${field(served, 'vary')} ${field(served, 'content-length')}`
    }
    assert.equal(form(both, 'gzip, deflate, br, zstd'), 'br br W/"a" Accept-Encoding 2')
    assert.equal(form(both, 'gzip;q=1, br;q=0'), 'gzip gz! W/"a" Accept-Encoding 3')
    assert.equal(form(both, 'deflate'), 'undefined 0123456789 "a" Accept-Encoding 10')
    assert.equal(form(both, '*'), 'br br W/"a" Accept-Encoding 2')
    assert.equal(form(both, 'br;q=2'), 'undefined 0123456789 "a" Accept-Encoding 10')
    assert.equal(
      form(stored(['Vary', 'foo, accept-encoding'], { encodings }), 'br'),
      'br br undefined foo, accept-encoding 2',
    )
    assert.equal(form(stored([], { encodings: { gzip: encodings.gzip } }), 'br, gzip').split(' ')[0], 'gzip')
    assert.equal(field(ask(both), 'content-encoding'), undefined)
  })

  test('what was said of the very bytes is left out', () => {
    const served = ask(both, 'Accept-Encoding', 'br')
    assert.equal(field(served, 'accept-ranges'), undefined)
    assert.equal(field(served, 'repr-digest'), undefined)
    assert.equal(field(ask(both), 'repr-digest'), 'x')
  })

  test('its weak entity tag is recognised, and gets no parts', () => {
    assert.equal(ask(both, 'Accept-Encoding', 'br', 'If-None-Match', 'W/"a"').status, 304)
    assert.equal(ask(both, 'Accept-Encoding', 'br', 'Range', 'bytes=0-1', 'If-Range', 'W/"a"').status, 200)
    const part = ask(both, 'Accept-Encoding', 'br', 'Range', 'bytes=0-1')
    assert.equal(`${part.status} ${text(part)} ${field(part, 'content-encoding')}`, '206 01 undefined')
  })
})
