import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  CHUNKED_MALFORMED,
  CHUNKED_MORE,
  ChunkedScanner,
  MOST_EXTENSION_BYTES,
  MOST_TRAILER_BYTES,
} from './chunked.ts'

/** Feeds `text` in pieces of `sizes`; where the body ended in the whole, or the last answer. */
function scan(text: string, sizes: readonly number[] = []): { end: number; data: string } {
  const bytes = Buffer.from(text, 'latin1')
  const scanner = new ChunkedScanner()
  let data = ''
  let at = 0
  let turn = 0
  while (at < bytes.length) {
    const size = sizes.length === 0 ? bytes.length : sizes[turn++ % sizes.length]!
    const stop = Math.min(bytes.length, at + size)
    const end = scanner.feed(bytes, at, stop, (part, from, to) => (data += part.toString('latin1', from, to)))
    if (end !== CHUNKED_MORE) return { end, data }
    at = stop
  }
  return { end: CHUNKED_MORE, data }
}

test('whatever was put into chunks comes out, however the bytes are cut, and what follows is left alone', () => {
  const chunk = fc.record({
    data: fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
    extension: fc.constantFrom('', ';a', ';a="b c"'),
  })
  fc.assert(
    fc.property(
      fc.array(chunk),
      fc.constantFrom('', 'X-T: 1\r\n', 'a:\r\nb: c\r\n'),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
      (chunks, trailers, sizes) => {
        const latin = chunks.map(({ data, extension }) => ({
          data: Buffer.from(data).toString('latin1'),
          extension,
        }))
        const body = `${latin.map(({ data, extension }) => `${data.length.toString(16)}${extension}\r\n${data}\r\n`).join('')}0\r\n${trailers}\r\n`
        const { end, data } = scan(`${body}HTTP/1.1 200 OK`, sizes)
        assert.equal(end, body.length)
        assert.equal(data, latin.map((each) => each.data).join(''))
      },
    ),
  )
})

for (const [name, text] of [
  ['no size', '\r\n'],
  ['a sign', '+5\r\n'],
  ['hex with a prefix', '0x5\r\n'],
  ['blanks before the size', ' 5\r\nhello\r\n'],
  ['blanks behind the size', '5 \r\nhello\r\n'],
  ['a bare LF', '5\nhello\r\n'],
  ['a bare CR', '5\rhello\r\n'],
  ['a bare LF in an extension', '5;a\nhello\r\n'],
  ['NUL in an extension', '5;\x00\r\nhello\r\n'],
  ['too much data', '3\r\nhello\r\n'],
  ['a size beyond measure', 'ffffffffffffff\r\n'],
  ['a nameless trailer', '0\r\n: a\r\n\r\n'],
  ['a folded trailer', '0\r\na: b\r\n c\r\n\r\n'],
  ['a blank in a trailer name', '0\r\na : b\r\n\r\n'],
  ['LF ends', '0\r\n\n'],
  ['extensions without end', `1;${'x'.repeat(MOST_EXTENSION_BYTES + 1)}`],
  ['extensions without end over many chunks', '1;xxxxxxxxx\r\na\r\n'.repeat(2000)],
  ['trailers without end', `0\r\n${'a: b\r\n'.repeat(MOST_TRAILER_BYTES / 2)}`],
] as const) {
  test(`${name} is no chunked body`, () => {
    assert.equal(scan(text).end, CHUNKED_MALFORMED)
    assert.equal(scan(text, [1]).end, CHUNKED_MALFORMED)
  })
}
