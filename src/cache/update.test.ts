import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HOUR_MS, RULES, START_MS, stored } from './cache.fixture.ts'
import { formatHttpDate } from './http-date.ts'
import { Stored } from './stored.ts'
import { refresh } from './update.ts'

const LATER = { requestedAtMs: START_MS + 9_990, receivedAtMs: START_MS + 10_000 }
const MODIFIED = formatHttpDate(START_MS - HOUR_MS)

const page = stored([
  'Date',
  formatHttpDate(START_MS),
  'Age',
  '30',
  'Cache-Control',
  'max-age=60',
  'ETag',
  '"a"',
  'Last-Modified',
  MODIFIED,
  'Content-Type',
  'text/plain',
  'Content-Encoding',
  'gzip',
  'X',
  '1',
  'X',
  '2',
])

describe('a 304 (RFC 9111 §3.2, §4.3.4)', () => {
  test('replaces the fields that it brings, keeps the others, and what is said of the body', () => {
    const fields = [
      'Cache-Control',
      'max-age=5',
      'Content-Type',
      'text/html',
      'Content-Encoding',
      'br',
      'Content-Length',
      '99',
      'Content-MD5',
      'x',
      'Content-Range',
      'x',
      'ETag',
      'W/"a"',
      'X',
      '3',
      'Connection',
      'Y',
      'Y',
      '1',
      'Vary',
      'Foo',
    ]
    const fresh = refresh(page, { status: 304, fields }, LATER)!
    assert.deepEqual(fresh.fields, [
      'ETag',
      '"a"',
      'Last-Modified',
      MODIFIED,
      'Content-Encoding',
      'gzip',
      'Cache-Control',
      'max-age=5',
      'Content-Type',
      'text/html',
      'X',
      '3',
    ])
    assert.equal(fresh.body, page.response.body)
    assert.equal(fresh.key, page.response.key)
  })

  test('makes it as young as the 304 is, whatever Age and Date were', () => {
    const fresh = new Stored(refresh(page, { status: 304, fields: [] }, LATER)!, RULES)
    assert.equal(fresh.ageS(LATER.receivedAtMs), 0)
    const aged = new Stored(refresh(page, { status: 304, fields: ['Age', '7'] }, LATER)!, RULES)
    assert.equal(aged.ageS(LATER.receivedAtMs), 7)
  })

  test('of another change is about something else', () => {
    const about = (...fields: string[]) => refresh(page, { status: 304, fields }, LATER) !== undefined
    assert.ok(about('ETag', '"a"'))
    assert.ok(about('ETag', '"b"'), 'it has just matched ours')
    assert.ok(about('ETag', '"b"', 'Last-Modified', MODIFIED))
    assert.ok(!about('ETag', '"b"', 'Last-Modified', formatHttpDate(START_MS)))
  })

  test('that forbids storing leaves what serves this once', () => {
    const storable = (control: string) =>
      new Stored(refresh(page, { status: 304, fields: ['Cache-Control', control] }, LATER)!, RULES).isStorable
    assert.ok(storable('max-age=1'))
    assert.ok(!storable('no-store'))
    assert.ok(!storable('private'))
  })

  test("brings no visitor's own cookie to everybody", () => {
    const cookie = (line: string) =>
      refresh(page, { status: 304, fields: ['Set-Cookie', line] }, LATER)!.fields.includes(line)
    assert.ok(cookie('a=b'))
    assert.ok(!cookie('sid=0123456789abcdef'))
  })
})

describe('the answer to a HEAD (§4.3.5)', () => {
  const about = (status: number, ...fields: string[]) =>
    refresh(page, { status, fields }, LATER) !== undefined

  test('updates what it describes, and nothing else', () => {
    const same = ['ETag', '"a"', 'Last-Modified', MODIFIED]
    assert.ok(about(200, ...same))
    assert.ok(about(200, ...same, 'Content-Length', '10'))
    assert.ok(!about(200, ...same, 'Content-Length', '11'))
    assert.ok(!about(200, 'ETag', '"b"', 'Last-Modified', MODIFIED))
    assert.ok(!about(200, 'ETag', '"a"', 'Last-Modified', formatHttpDate(START_MS)))
    assert.ok(!about(200))
    assert.ok(!about(410, ...same))
  })
})
