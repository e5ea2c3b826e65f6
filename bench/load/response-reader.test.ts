import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ResponseReader } from './response-reader.ts'

const STREAM = Buffer.from(
  [
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
    'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n',
    'HTTP/1.1 204 No Content\r\n\r\n',
    'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n',
  ].join(''),
)
const EXPECTED = [
  [200, 'hello'],
  [200, 'abc0123456789'],
  [204, ''],
  [503, ''],
]

function readIn(pieces: Buffer[]): { seen: unknown[]; closing: boolean } {
  const seen: unknown[] = []
  const reader = new ResponseReader({ response: (status, _head, body) => seen.push([status, body]) }, true)
  for (const piece of pieces) reader.feed(piece, piece.length)
  return { seen, closing: reader.closing }
}

test('responses are the same however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: STREAM.length - 1 }), { maxLength: 12 }), (cuts) => {
      const at = [0, ...[...new Set(cuts)].sort((a, b) => a - b), STREAM.length]
      const pieces = at.slice(1).map((end, i) => STREAM.subarray(at[i], end))
      const { seen, closing } = readIn(pieces)
      assert.deepEqual(seen, EXPECTED)
      assert.equal(closing, true)
    }),
  )
})

test('bytes are those of head and content, of each response alone', () => {
  const seen: number[] = []
  const reader = new ResponseReader({ response: () => seen.push(reader.bytes) }, false)
  for (let at = 0; at < STREAM.length; at += 7) {
    const piece = STREAM.subarray(at, at + 7)
    reader.feed(piece, piece.length)
  }
  // The interim response belongs to the one it precedes; what chunks add is not counted.
  assert.equal(
    seen.reduce((sum, bytes) => sum + bytes, 0),
    STREAM.length - '3\r\n\r\na\r\n\r\n0\r\n\r\n'.length,
  )
  assert.deepEqual(seen[0], 43)
})

test('a response without framing ends with the connection', () => {
  const seen: string[] = []
  const reader = new ResponseReader({ response: (_s, _h, body) => seen.push(body) }, true)
  const bytes = Buffer.from('HTTP/1.1 200 OK\r\n\r\nall of it')
  reader.feed(bytes, bytes.length)
  assert.deepEqual(seen, [])
  reader.end()
  assert.deepEqual(seen, ['all of it'])
})
