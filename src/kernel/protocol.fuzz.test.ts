import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Lines, MOST_ADDRESSES, MOST_LINE, readRequest } from './protocol.ts'

test('requests are read', () => {
  assert.deepEqual(readRequest('{"id":1,"drop":["192.0.2.1"],"seconds":60}'), {
    id: 1,
    drop: ['192.0.2.1'],
    seconds: 60,
  })
  assert.deepEqual(readRequest('{"id":2,"release":"all"}'), { id: 2, release: 'all' })
  assert.deepEqual(readRequest('{"id":3,"status":true}'), { id: 3, status: true })
})

test('whatever is not a request is told what is wrong with it', () => {
  const many = JSON.stringify(Array.from({ length: MOST_ADDRESSES + 1 }, () => '192.0.2.1'))
  for (const [line, message] of [
    ['', /JSON/],
    ['null', /object/],
    ['[]', /id/],
    ['{"id":1}', /expected drop/],
    ['{"id":"1","status":true}', /id/],
    ['{"id":1,"drop":"192.0.2.1","seconds":60}', /drop/],
    [`{"id":1,"drop":${many},"seconds":60}`, /drop/],
    [`{"id":1,"drop":["${'1'.repeat(100)}"],"seconds":60}`, /drop/],
    ['{"id":1,"drop":["192.0.2.1"]}', /seconds/],
    ['{"id":1,"drop":["192.0.2.1"],"seconds":1e9}', /seconds/],
    ['{"id":1,"drop":["192.0.2.1"],"seconds":0.5}', /seconds/],
    ['{"id":1,"release":[1]}', /release/],
    ['{"id":1,"status":"yes"}', /expected drop/],
  ] as const) {
    const answer = readRequest(line)
    assert.ok(typeof answer === 'string')
    assert.match(answer, message, line)
  }
})

test('nothing that comes throws, and what passes has the shape it should have', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.anything().map((value) => String(JSON.stringify(value))),
      ),
      (line) => {
        const request = readRequest(line)
        if (typeof request === 'string' || !('drop' in request)) return
        assert.ok(request.drop.length <= MOST_ADDRESSES && request.seconds >= 1 && request.seconds <= 900)
      },
    ),
  )
})

test('lines come out whole however they were cut, and one without an end is given up', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string().map((text) => text.replaceAll('\n', ''))),
      fc.integer({ min: 1, max: 7 }),
      (texts, size) => {
        const lines = new Lines()
        const whole = texts.map((text) => `${text}\n`).join('')
        const out: string[] = []
        for (let i = 0; i < whole.length; i += size) out.push(...lines.push(whole.slice(i, i + size))!)
        assert.deepEqual(out, texts)
      },
    ),
  )
  assert.equal(new Lines().push('x'.repeat(MOST_LINE + 1)), undefined)
  assert.equal(new Lines().push(`${'x'.repeat(MOST_LINE + 1)}\n`), undefined)
})
