import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parseAddress } from './address.ts'
import { crc32c, parseProxyHeader, V2_LONGEST } from './proxy-protocol.ts'

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')

/** A version 2 header; `length` overrides the true one. */
function v2(command: number, kind: number, payload: Uint8Array, length = payload.length): Buffer {
  const fixed = Buffer.from([command, kind, length >> 8, length & 255])
  return Buffer.concat([SIGNATURE, fixed, payload])
}

const TCP4 = Buffer.from([192, 0, 2, 7, 198, 51, 100, 1, 0xc8, 0x22, 0x01, 0xbb])
const DONE4 = {
  state: 'done',
  source: { address: '192.0.2.7', port: 51234 },
  destination: { address: '198.51.100.1', port: 443 },
}

function withChecksum(): Buffer {
  const header = v2(0x21, 0x11, Buffer.concat([TCP4, Buffer.from([0x03, 0, 4, 0, 0, 0, 0])]))
  header.writeUInt32BE(crc32c(header), header.length - 4)
  return header
}

const WELL_FORMED: [string, Buffer, object][] = [
  ['v1 TCP4', Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 51234 443\r\n'), DONE4],
  [
    'v1 TCP6',
    Buffer.from('PROXY TCP6 2001:DB8::7 2001:db8::1 51234 443\r\n'),
    {
      state: 'done',
      source: { address: '2001:db8::7', port: 51234 },
      destination: { address: '2001:db8::1', port: 443 },
    },
  ],
  [
    'v1 longest',
    Buffer.from(`PROXY UNKNOWN ${'ffff:'.repeat(14)}ffff:ffff 65535 65535`.slice(0, 105).concat('\r\n')),
    { state: 'done' },
  ],
  ['v1 UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n'), { state: 'done' }],
  ['v2 TCP4', v2(0x21, 0x11, TCP4), DONE4],
  [
    'v2 TCP4 with TLVs',
    v2(0x21, 0x11, Buffer.concat([TCP4, Buffer.from([0x04, 0, 3, 1, 2, 3, 0x01, 0, 0])])),
    DONE4,
  ],
  ['v2 TCP4 with checksum', withChecksum(), DONE4],
  [
    'v2 TCP6',
    v2(
      0x21,
      0x21,
      Buffer.from('20010db800000000000000000000000720010db8000000000000000000000001c82201bb', 'hex'),
    ),
    {
      state: 'done',
      source: { address: '2001:db8::7', port: 51234 },
      destination: { address: '2001:db8::1', port: 443 },
    },
  ],
  ['v2 LOCAL', v2(0x20, 0x00, Buffer.alloc(0)), { state: 'done' }],
  ['v2 LOCAL with addresses', v2(0x20, 0x11, TCP4), { state: 'done' }],
  ['v2 UNSPEC with junk', v2(0x21, 0x00, Buffer.from('junk')), { state: 'done' }],
  ['v2 UNIX', v2(0x21, 0x31, Buffer.alloc(216)), { state: 'done' }],
  ['v2 UDP', v2(0x21, 0x12, TCP4), { state: 'done' }],
]

const MALFORMED: [string, Buffer][] = [
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
  ['POST, which begins with the same letter', Buffer.from('POST / HTTP/1.1\r\n')],
  ['h2 preface', Buffer.from('PRI * HTTP/2.0\r\n')],
  ['TLS', Buffer.from([0x16, 3, 1])],
  ['CRLF that is no signature', Buffer.from('\r\n\r\nx')],
  ['v1 bare LF', Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n')],
  ['v1 too long', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(100)}`)],
  ['v1 no ports', Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1\r\n')],
  ['v1 two spaces', Buffer.from('PROXY TCP4  192.0.2.7 198.51.100.1 1 2\r\n')],
  ['v1 port too big', Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 65536 2\r\n')],
  ['v1 port with a zero before it', Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n')],
  ['v1 family of the other address', Buffer.from('PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n')],
  ['v1 lower case', Buffer.from('proxy TCP4 192.0.2.7 198.51.100.1 1 2\r\n')],
  ['v1 UDP', Buffer.from('PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n')],
  ['v2 version 1', v2(0x11, 0x11, TCP4)],
  ['v2 command 2', v2(0x22, 0x11, TCP4)],
  ['v2 family 4', v2(0x21, 0x41, TCP4)],
  ['v2 transport 3', v2(0x21, 0x13, TCP4)],
  ['v2 addresses cut off', v2(0x21, 0x11, TCP4.subarray(0, 11))],
  ['v2 TLV cut off in its head', v2(0x21, 0x11, Buffer.concat([TCP4, Buffer.from([1, 0])]))],
  ['v2 TLV cut off in its value', v2(0x21, 0x11, Buffer.concat([TCP4, Buffer.from([1, 0, 2, 9])]))],
  ['v2 longer than its bound', v2(0x21, 0x11, TCP4, V2_LONGEST + 1)],
  [
    'v2 wrong checksum',
    Buffer.concat([withChecksum().subarray(0, -1), Buffer.from([withChecksum().at(-1)! ^ 1])]),
  ],
]

describe('parseProxyHeader', () => {
  for (const [name, bytes, expected] of WELL_FORMED) {
    test(`reads ${name}, whole, in pieces, and with the request behind it`, () => {
      const done = { ...expected, length: bytes.length }
      assert.deepEqual(parseProxyHeader(bytes), done)
      assert.deepEqual(parseProxyHeader(Buffer.concat([bytes, Buffer.from('GET / HTTP/1.1\r\n')])), done)
      for (let cut = 0; cut < bytes.length; cut++)
        assert.deepEqual(parseProxyHeader(bytes.subarray(0, cut)), { state: 'more' }, `cut at ${cut}`)
    })
  }

  for (const [name, bytes] of MALFORMED) {
    test(`refuses ${name}`, () => {
      assert.equal(parseProxyHeader(bytes).state, 'malformed')
    })
  }

  test('never waits for more than its bound', () => {
    const filler = Buffer.alloc(V2_LONGEST + 16, 0x20)
    const starts = [
      ...WELL_FORMED.map(([, bytes]) => bytes),
      Buffer.from('PROXY '),
      v2(0x21, 0x11, TCP4, V2_LONGEST),
    ]
    fc.assert(
      fc.property(fc.constantFrom(...starts), fc.nat(60), (start, keep) => {
        assert.notEqual(parseProxyHeader(Buffer.concat([start.subarray(0, keep), filler])).state, 'more')
      }),
    )
  })

  test('no bytes make it throw, and what it names is an address', () => {
    const mutated = fc
      .tuple(
        fc.constantFrom(...WELL_FORMED.map(([, bytes]) => bytes)),
        fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 4 }),
      )
      .map(([bytes, changes]) => {
        const copy = Buffer.from(bytes)
        for (const [at, value] of changes) if (at < copy.length) copy[at] = value
        return copy
      })
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 300 })), (bytes) => {
        const header = parseProxyHeader(bytes)
        if (header.state !== 'done') return
        assert.ok(header.length <= bytes.length)
        if (header.source !== undefined) assert.ok(parseAddress(header.source.address))
      }),
      { numRuns: 3000 },
    )
  })

  test('the checksum is CRC-32C: the check value of its definition', () => {
    assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
  })
})
