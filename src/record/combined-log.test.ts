import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatCombined, parseCombined } from './combined-log.ts'
import type { ExchangeRecord } from './exchange-record.ts'

const RECORD: ExchangeRecord = {
  atMs: Date.UTC(2026, 0, 2, 15, 4, 5),
  ray: 'r',
  site: 'example.org',
  client: '203.0.113.7',
  asn: 64496,
  method: 'GET',
  target: '/a?b=1',
  version: '1.1',
  userAgent: 'Mozilla/5.0 (X11)',
  referer: 'https://example.org/',
  action: 'relay',
  reason: '',
  lane: 'unproven',
  ja4: '',
  status: 200,
  bytes: 2326,
  durationMs: 3,
  originMs: 2,
}

/** Any text a client could send in a field, and any that it could not. */
const anyText = fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), latin1())

function latin1() {
  return fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
}

describe('formatCombined', () => {
  test('writes what Apache writes', () => {
    assert.equal(
      formatCombined(RECORD),
      '203.0.113.7 - - [02/Jan/2026:15:04:05 +0000] "GET /a?b=1 HTTP/1.1" 200 2326 "https://example.org/" "Mozilla/5.0 (X11)"\n',
    )
  })

  test('writes "-" for what is empty', () => {
    const line = formatCombined({ ...RECORD, status: 0, bytes: 0, referer: '', userAgent: '' })
    assert.match(line, /HTTP\/1\.1" - - "-" "-"\n$/)
  })

  test('escapes quotes, line ends and terminal codes', () => {
    const line = formatCombined({ ...RECORD, userAgent: '"\\\r\n\t\x1b[31m\x7f\xe9' })
    assert.ok(line.endsWith('"\\"\\\\\\r\\n\\t\\x1b[31m\\x7f\\xe9"\n'), line)
  })

  test('no request can end, forge or colour a line', () => {
    fc.assert(
      fc.property(anyText, anyText, anyText, anyText, (method, target, referer, userAgent) => {
        const line = formatCombined({ ...RECORD, method, target, referer, userAgent, client: referer })
        assert.match(line, /^[ -~]*\n$/)
        assert.equal(line.replace(/\\./g, '').split('"').length, 7, 'three quoted fields, no more')
      }),
    )
  })

  test('a line has a bound', () => {
    const long = '\xff'.repeat(1_000_000)
    const line = formatCombined({ ...RECORD, method: long, target: long, referer: long, userAgent: long })
    assert.ok(line.length < 5 * 4 * 4096)
  })
})

describe('parseCombined', () => {
  test('reads back every field it wrote', () => {
    const word = latin1().map((text) => text.replaceAll(' ', '_'))
    const notDash = (text: string) => (text === '-' ? '' : text)
    fc.assert(
      fc.property(
        word,
        latin1(),
        latin1(),
        fc.nat(599),
        fc.nat(),
        fc.integer({ min: 0, max: 4e9 }),
        (path, referer, userAgent, status, bytes, s) => {
          const record = {
            ...RECORD,
            target: `/${path}`,
            referer,
            userAgent,
            status: 100 + (status % 500),
            bytes,
            atMs: s * 1000,
          }
          const parsed = parseCombined(formatCombined(record).slice(0, -1))
          assert.ok(parsed)
          assert.equal(parsed.target, record.target)
          assert.equal(parsed.referer, notDash(referer))
          assert.equal(parsed.userAgent, notDash(userAgent))
          assert.deepEqual([parsed.status, parsed.bytes, parsed.atMs], [record.status, bytes, record.atMs])
          assert.deepEqual([parsed.client, parsed.method, parsed.version], [RECORD.client, 'GET', '1.1'])
        },
      ),
    )
  })

  test('reads common format, without referer and user agent', () => {
    const parsed = parseCombined(
      '192.0.2.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326',
    )
    assert.equal(parsed?.atMs, Date.UTC(2000, 9, 10, 20, 55, 36))
    assert.equal(parsed?.target, '/apache_pb.gif')
    assert.equal(parsed?.userAgent, '')
  })

  test('reads IPv6 clients, virtual hosts, users with spaces and extra fields', () => {
    const v6 = parseCombined(
      '2001:db8::7 - a [b] [10/Oct/2000:13:55:36 +0000] "GET / HTTP/2.0" 304 - "-" "x" rt=0.1 "more"',
    )
    assert.equal(v6?.client, '2001:db8::7')
    assert.equal(v6?.version, '2.0')
    assert.equal(v6?.referer, '')
    const vhost = parseCombined(
      'WWW.example.org:443 192.0.2.9 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 5 "-" "-"',
    )
    assert.equal(vhost?.site, 'www.example.org')
    assert.equal(vhost?.client, '192.0.2.9')
  })

  test('keeps a line whose request the old server could not read, without a method', () => {
    for (const request of ['-', '\\x16\\x03\\x01', '']) {
      const parsed = parseCombined(`192.0.2.1 - - [10/Oct/2000:13:55:36 +0000] "${request}" 400 0`)
      assert.equal(parsed?.method, '', request)
      assert.equal(parsed?.status, 400)
    }
  })

  test('refuses what is no log line', () => {
    const bad = [
      '',
      'hello',
      'proxy.example.org - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 1',
      '192.0.2.1 - - [10/Zzz/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 1',
      '192.0.2.1 - - [99/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 1',
      '192.0.2.1 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1 200 1',
      '192.0.2.1 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 2000 1',
      '192.0.2.1 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 12x',
      '{"client":"192.0.2.1"}',
    ]
    for (const line of bad) assert.equal(parseCombined(line), undefined, line)
  })

  test('no line makes it throw', () => {
    const line = '192.0.2.1 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 1 "-" "-"'
    const mutated = fc
      .tuple(fc.nat(line.length), fc.nat(6), anyText)
      .map(([at, cut, text]) => line.slice(0, at) + text + line.slice(at + cut))
    fc.assert(fc.property(fc.oneof(mutated, anyText), (text) => void parseCombined(text)))
  })
})
