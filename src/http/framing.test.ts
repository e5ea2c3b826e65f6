import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FAULTS, type Fault, parseHost, parseLength, readRequest, readRequestH2 } from './framing.ts'

const H = ['Host', 'a.example']

const REFUSED: readonly [fault: Fault, method: string, target: string, version: string, fields: string[]][] =
  [
    ['version-unsupported', 'GET', '/', '0.9', H],
    ['version-unsupported', 'GET', '/', '2.0', H],
    ['method-syntax', 'G T', '/', '1.1', H],
    ['method-syntax', '', '/', '1.1', H],
    ['method-connect', 'CONNECT', 'a:80', '1.1', H],
    ['target-syntax', 'GET', '/a b', '1.1', H],
    ['target-syntax', 'GET', '/a#b', '1.1', H],
    ['target-syntax', 'GET', '/\u00e9', '1.1', H],
    ['target-syntax', 'GET', '/\u0100', '1.1', H],
    ['target-syntax', 'GET', '/\x00', '1.1', H],
    ['target-syntax', 'GET', '', '1.1', H],
    ['target-syntax', 'GET', 'a', '1.1', H],
    ['target-scheme', 'GET', 'ftp://a.example/', '1.1', H],
    ['target-host-differs', 'GET', 'http://b.example/', '1.1', H],
    ['target-host-differs', 'GET', 'http://u@a.example/', '1.1', H],
    ['target-host-differs', 'GET', 'http://a.example:81/', '1.1', H],
    ['target-asterisk', 'GET', '*', '1.1', H],
    ['host-missing', 'GET', '/', '1.1', []],
    ['host-missing', 'GET', '/', '1.0', []],
    ['host-repeated', 'GET', '/', '1.1', [...H, 'hOST', 'a.example']],
    ['host-syntax', 'GET', '/', '1.1', ['Host', 'a/../b']],
    ['host-syntax', 'GET', '/', '1.1', ['Host', 'a, b']],
    ['host-syntax', 'GET', '/', '1.1', ['Host', '']],
    ['host-syntax', 'GET', '/', '1.1', ['Host', 'u@a']],
    ['field-name-syntax', 'GET', '/', '1.1', [...H, 'X ', 'a']],
    ['field-name-syntax', 'GET', '/', '1.1', [...H, '', 'a']],
    ['field-value-syntax', 'GET', '/', '1.1', [...H, 'X', 'a\r\nb']],
    ['field-value-syntax', 'GET', '/', '1.1', [...H, 'X', 'a\x00']],
    ['field-value-syntax', 'GET', '/', '1.1', [...H, 'X', 'a\x7f']],
    ['transfer-encoding-unknown', 'POST', '/', '1.1', [...H, 'Transfer-Encoding', ',chunked']],
    ['transfer-encoding-unknown', 'POST', '/', '1.1', [...H, 'Transfer-Encoding', 'identity, chunked']],
    ['transfer-encoding-unknown', 'POST', '/', '1.1', [...H, 'Transfer-Encoding', 'gzip']],
    ['transfer-encoding-unknown', 'POST', '/', '1.1', [...H, 'Transfer-Encoding', '']],
    [
      'transfer-encoding-repeated',
      'POST',
      '/',
      '1.1',
      [...H, 'Transfer-Encoding', 'chunked', 'transfer-encoding', 'chunked'],
    ],
    ['transfer-encoding-in-1.0', 'POST', '/', '1.0', [...H, 'Transfer-Encoding', 'chunked']],
    ['both-lengths', 'POST', '/', '1.1', [...H, 'Transfer-Encoding', 'chunked', 'Content-Length', '3']],
    ['content-length-syntax', 'POST', '/', '1.1', [...H, 'Content-Length', '+3']],
    ['content-length-syntax', 'POST', '/', '1.1', [...H, 'Content-Length', '3, 3']],
    ['content-length-syntax', 'POST', '/', '1.1', [...H, 'Content-Length', '0x3']],
    ['content-length-syntax', 'POST', '/', '1.1', [...H, 'Content-Length', '99999999999999999999']],
    ['content-length-repeated', 'POST', '/', '1.1', [...H, 'Content-Length', '3', 'content-length', '3']],
  ]
for (const [fault, method, target, version, fields] of REFUSED) {
  test(`${fault}: ${method} ${JSON.stringify(target)} ${JSON.stringify(fields.slice(fields[0] === 'Host' ? 2 : 0))} is refused`, () => {
    assert.equal(readRequest(method, target, version, fields), fault)
  })
}

const P = [':method', 'GET', ':path', '/', ':scheme', 'https', ':authority', 'a.example']
const REFUSED_H2: readonly [fault: Fault, fields: string[]][] = [
  ['h2-connection-field', [...P, 'connection', 'close']],
  ['h2-connection-field', [...P, 'transfer-encoding', 'chunked']],
  ['h2-connection-field', [...P, 'upgrade', 'x']],
  ['h2-connection-field', [...P, 'te', 'gzip']],
  ['h2-pseudo-fields', [...P, ':path', '/b']],
  ['h2-pseudo-fields', [...P, ':protocol', 'websocket']],
  ['h2-pseudo-fields', [':method', 'GET', 'x', 'y', ':path', '/']],
  ['h2-pseudo-fields', [':method', 'GET', ':path', '/', ':scheme', 'ftp', ':authority', 'a']],
  ['h2-authority-differs', [...P, 'host', 'b.example']],
  ['host-missing', P.slice(0, 6)],
  ['host-syntax', [...P.slice(0, 6), ':authority', 'u@a']],
  ['target-syntax', [':method', 'GET', ':path', 'a', ':scheme', 'https', ':authority', 'a']],
  ['field-name-syntax', [...P, 'X', 'y']],
  ['field-value-syntax', [...P, 'x', 'a\nb']],
  ['content-length-repeated', [...P, 'content-length', '1', 'content-length', '1']],
  ['method-connect', [':method', 'CONNECT', ':authority', 'a']],
]
for (const [fault, fields] of REFUSED_H2) {
  test(`HTTP/2 ${fault}: ${fields.slice(-2).join(' ')} is refused`, () => {
    assert.equal(readRequestH2(fields), fault)
  })
}

test('every fault is explained, and met by a case above', () => {
  const met = new Set<string>([...REFUSED.map(([fault]) => fault), ...REFUSED_H2.map(([fault]) => fault)])
  assert.deepEqual(
    Object.keys(FAULTS).filter((fault) => !met.has(fault)),
    [],
  )
})

test('what is unambiguous is read: origin form, absolute form of the same host, asterisk, port, final dot', () => {
  const read = (target: string, host: string, method = 'GET') => {
    const head = readRequest(method, target, '1.1', ['Host', host])
    return typeof head === 'string' ? head : [head.target, head.host]
  }
  assert.deepEqual(read('/a?b', 'A.example:80'), ['/a?b', 'a.example'])
  assert.deepEqual(read('HTTP://A.EXAMPLE/x', 'a.example'), ['/x', 'a.example'])
  assert.deepEqual(read('https://a.example?q', 'a.example'), ['/?q', 'a.example'])
  assert.deepEqual(read('*', 'a.example.', 'OPTIONS'), ['*', 'a.example'])
  assert.deepEqual(read('/', '[2001:DB8::1]:8080'), ['/', '[2001:db8::1]'])
})

test('HTTP/2: authority becomes host, cookie crumbs become one field, order stays', () => {
  const head = readRequestH2([...P, 'cookie', 'a=1', 'x', 'y', 'cookie', 'b=2', 'te', 'trailers'])
  assert.deepEqual(typeof head === 'string' ? head : head.fields, [
    'host',
    'a.example',
    'cookie',
    'a=1; b=2',
    'x',
    'y',
    'te',
    'trailers',
  ])
})

test('no host that is read holds anything but a name, and reading it again changes nothing', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[A-Za-z0-9.:[\]@/ -]{0,20}$/)), (value) => {
      const host = parseHost(value)
      if (host === undefined) return
      assert.match(host, /^([a-z0-9._-]+|\[[0-9a-f:.]+\])$/)
      assert.equal(parseHost(host.endsWith('.') ? 'x' : host) ?? '', host.endsWith('.') ? 'x' : host)
    }),
  )
})

test('a length is digits only', () => {
  fc.assert(
    fc.property(fc.string(), (text) =>
      assert.equal(
        parseLength(text) !== undefined,
        /^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text)),
      ),
    ),
  )
  fc.assert(fc.property(fc.maxSafeNat(), (n) => assert.equal(parseLength(String(n)), n)))
})
