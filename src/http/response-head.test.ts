import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OriginHead, parseResponseHead, RESPONSE_FAULTS, type ResponseFault } from './response-head.ts'

function parse(text: string, toHead = false): OriginHead | ResponseFault | undefined {
  const bytes = Buffer.from(text, 'latin1')
  return parseResponseHead(bytes, 0, bytes.length, toHead)
}
function head(text: string, toHead = false): OriginHead {
  const parsed = parse(text, toHead)
  assert.ok(parsed instanceof OriginHead, `${parsed}`)
  return parsed
}
function written(parsed: OriginHead): string {
  const out = Buffer.alloc(parsed.mostBytes)
  return out.toString('latin1', 0, parsed.writeTo(out, 0))
}

const FRAMINGS: readonly [
  head: string,
  toHead: boolean,
  framing: string,
  length: number,
  reusable: boolean,
][] = [
  ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', false, 'length', 5, true],
  ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', true, 'none', 0, true],
  ['HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n', false, 'chunked', 0, true],
  ['HTTP/1.1 200 OK\r\n\r\n', false, 'close', 0, false],
  ['HTTP/1.1 204 No Content\r\n\r\n', false, 'none', 0, true],
  ['HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', false, 'none', 0, true],
  ['HTTP/1.1 100 Continue\r\n\r\n', false, 'none', 0, true],
  ['HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n', false, 'length', 1, false],
  ['HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n', false, 'length', 1, false],
  ['HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: Keep-Alive\r\n\r\n', false, 'length', 1, true],
]
for (const [text, toHead, framing, length, reusable] of FRAMINGS) {
  test(`${JSON.stringify(text)}${toHead ? ' to HEAD' : ''}: framing ${framing}${reusable ? ', kept' : ''}`, () => {
    const parsed = head(text, toHead)
    assert.deepEqual(
      [parsed.framing, parsed.length, parsed.reusable, parsed.end],
      [framing, length, reusable, text.length],
    )
  })
}

const FAULTY: readonly [fault: ResponseFault, text: string][] = [
  ['origin-status-line', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['origin-status-line', 'HTTP/1.1 2000 OK\r\n\r\n'],
  ['origin-status-line', 'HTTP/1.1 099 OK\r\n\r\n'],
  ['origin-status-line', 'HTTP/1.1 600 OK\r\n\r\n'],
  ['origin-status-line', 'HTTP/1.1  200 OK\r\n\r\n'],
  ['origin-status-line', 'HTTP/1.1 200 OK\n\n'],
  ['origin-status-line', 'ICY 200 OK\r\n\r\n'],
  ['origin-field-syntax', 'HTTP/1.1 200 OK\r\nA : b\r\n\r\n'],
  ['origin-field-syntax', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n'],
  ['origin-field-syntax', 'HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n'],
  ['origin-field-syntax', 'HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n'],
  ['origin-field-syntax', 'HTTP/1.1 200 OK\r\nA\r\n\r\n'],
  ['origin-both-lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['origin-length', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n'],
  ['origin-length', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'],
  ['origin-length', 'HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n'],
  ['origin-coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
  ['origin-coding', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['origin-coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['origin-upgrade', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'],
]
for (const [fault, text] of FAULTY) {
  test(`${JSON.stringify(text)} is refused: ${fault}`, () => assert.equal(parse(text), fault))
}

test('every fault is met by a case above', () => {
  const met = new Set<string>(FAULTY.map(([fault]) => fault))
  assert.deepEqual(
    Object.keys(RESPONSE_FAULTS).filter((fault) => !met.has(fault)),
    [],
  )
})

test('what goes on: the status line as HTTP/1.1, end-to-end lines untouched and in order', () => {
  const parsed = head(
    'HTTP/1.0 404 N\xf6t  here\r\nA:1\r\nConnection: X-Hop, close\r\nb:  two \r\nX-Hop: 3\r\nKeep-Alive: x\r\nContent-Length: 7\r\nB: \xa0\r\n\r\n',
  )
  assert.equal(
    written(parsed),
    'HTTP/1.1 404 N\xf6t  here\r\nA:1\r\nb:  two \r\nContent-Length: 7\r\nB: \xa0\r\n',
  )
  assert.deepEqual(parsed.fields, ['A', '1', 'b', 'two', 'Content-Length', '7', 'B', '\xa0'])
  assert.equal(parsed.reason, 'N\xf6t  here')
  assert.equal(written(head('HTTP/1.1 204\r\nContent-Length: 0\r\n\r\n')), 'HTTP/1.1 204 \r\n')
})

test('cut anywhere a good head is unfinished, and any bytes give an answer within them', () => {
  const text = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\nX: y\r\n\r\n'
  for (let end = 0; end < text.length; end++) assert.equal(parse(text.slice(0, end)), undefined)
  const parts = fc.array(
    fc.constantFrom(
      'HTTP/1.1 ',
      '200',
      ' ',
      'OK',
      '\r\n',
      '\n',
      ':',
      'Content-Length',
      '5',
      'Transfer-Encoding: chunked',
      'Connection: a',
      'a: b',
      '\0',
      'x',
    ),
    { maxLength: 20 },
  )
  fc.assert(
    fc.property(parts, (words) => {
      const bytes = words.join('')
      const parsed = parse(bytes)
      if (!(parsed instanceof OriginHead)) return
      assert.ok(parsed.end <= bytes.length && bytes.slice(0, parsed.end).endsWith('\r\n\r\n'))
      assert.ok(written(parsed).length <= parsed.mostBytes)
      // What is sent on reads the same again.
      const again = head(
        `${written(parsed)}${parsed.framing === 'chunked' ? 'Transfer-Encoding: chunked\r\n' : ''}\r\n`,
      )
      assert.deepEqual(
        [again.status, again.framing, again.length, again.fields],
        [parsed.status, parsed.framing, parsed.length, parsed.fields],
      )
    }),
    { numRuns: 2000 },
  )
})
