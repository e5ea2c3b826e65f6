/** Fields as strangers send them: every byte in a name, thousands of names, names that hash alike. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FieldScan } from './field-scan.ts'
import { orderOf } from './header-order.ts'

const scan = new FieldScan()
function order(fields: readonly string[], isDirect = true): string {
  scan.read(fields)
  return orderOf(scan, false, isDirect)
}
const ORDER = /^[12]c?f?p?x?-\d{1,2}-[0-9a-f]{12}$/

test('a name of any bytes changes nothing but that strange ones are counted', () => {
  const base = ['Host', 'a', 'User-Agent', 'b', 'Accept', 'c']
  const before = order(base)
  for (let c = 0; c < 256; c++) {
    const name = String.fromCharCode(c)
    assert.equal(order([...base, name, 'x']), before, `0x${c.toString(16)}`)
    assert.equal(order([...base, `${name}Host`, 'x']), before, `0x${c.toString(16)} before a known name`)
    assert.equal(order([...base, `sec-${name}`, 'x']), before)
  }
  assert.equal(order([...base, 'x'.repeat(8000), 'x', '', 'x', '__proto__', 'x']), before)
  assert.notEqual(order([...base, 'a1', '', 'b2', '', 'c3', '', '__proto__', '']), before)
})

test('order and case of the skeleton make the text; nothing else does', () => {
  const skeleton = ['Host', 'Connection', 'User-Agent', 'Accept', 'Accept-Encoding', 'Accept-Language']
  const varying = [
    'Cookie',
    'Content-Length',
    'Content-Type',
    'Authorization',
    'Referer',
    'Origin',
    'If-None-Match',
    'If-Modified-Since',
    'If-Range',
    'Range',
    'Cache-Control',
    'Pragma',
    'Sec-Fetch-Dest',
    'Sec-Fetch-User',
    'sec-ch-ua-mobile',
    'Sec-GPC',
    'DNT',
    'Priority',
    'TE',
    'X-Requested-With',
    'Upgrade-Insecure-Requests',
  ]
  const expected = order(skeleton.flatMap((name) => [name, 'x']))
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(...varying), fc.nat(skeleton.length)), { maxLength: 30 }),
      fc.string(),
      (additions, value) => {
        const names: string[] = [...skeleton]
        for (const [name, at] of additions) names.splice(at, 0, name)
        assert.equal(order(names.flatMap((name) => [name, value])), expected)
      },
    ),
    { seed: 1 },
  )
  const texts = new Set([
    expected,
    order(skeleton.toReversed().flatMap((name) => [name, 'x'])),
    order(skeleton.flatMap((name) => [name.toLowerCase(), 'x'])),
    order(skeleton.slice(1).flatMap((name) => [name, 'x'])),
    order([...skeleton, 'Accept'].flatMap((name) => [name, 'x'])),
  ])
  assert.equal(texts.size, 5)
})

test('a flood that draws names for each request has one handwriting', () => {
  const texts = new Set<string>()
  fc.assert(
    fc.property(
      fc.array(fc.stringMatching(/^X-[A-Za-z]{8,20}$/), { minLength: 4, maxLength: 20 }),
      (drawn) => {
        texts.add(
          order(['Host', 'a', ...drawn.flatMap((name) => [name, 'x']), 'User-Agent', 'b', 'Accept', 'c']),
        )
      },
    ),
    { seed: 2 },
  )
  assert.equal(texts.size, 1)
  assert.match([...texts][0]!, /^1x-3-/)
})

test('fields that proxies add are marked, unless a proxy of ours added them', () => {
  const fields = ['Host', 'a', 'X-Forwarded-For', '192.0.2.1', 'Via', '1.1 x']
  assert.match(order(fields), /^1p-1-/)
  assert.match(order(fields, false), /^1-1-/)
})

test('hostile fields never throw and are read as what they were', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          fc.oneof(
            fc.string({ unit: 'binary', maxLength: 60 }),
            fc.constantFrom(
              'User-Agent',
              'user-agent',
              'accept',
              'sec-ch-ua',
              'sec-fetch-site',
              'cookie',
              'if-',
              'sec-',
            ),
          ),
          fc.string({ unit: 'binary' }),
        ),
        { maxLength: 100 },
      ),
      (lines) => {
        const fields = lines.flat()
        assert.match(order(fields), ORDER)
        const first = lines.find(([name]) => name.toLowerCase() === 'user-agent')
        scan.read(fields)
        assert.equal(scan.agent, first?.[1])
        assert.equal(
          scan.hasCookie,
          lines.some(([name]) => name.toLowerCase() === 'cookie'),
        )
      },
    ),
    { numRuns: 500, seed: 3 },
  )
  assert.match(order(['odd']), ORDER)
})
