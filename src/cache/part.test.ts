import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type FieldLines, fieldValue } from '#http'
import { serve } from './answer.ts'
import { asking, field, get, type OriginAnswer, PureCache, RULES, START_MS } from './cache.fixture.ts'
import { completed, completedBody, completionOf, placed } from './part.ts'
import { partOf } from './range.ts'
import { choose } from './reuse.ts'
import { storability } from './storable.ts'
import { Stored } from './stored.ts'

const KEY = 'http://www.example.org/page'
const times = { requestedAtMs: START_MS, receivedAtMs: START_MS }

/** A part as it comes to be stored. */
function came(contentRange: string, body: string, fields: FieldLines = ['ETag', '"a"'], range = 'bytes=0-') {
  const all = ['Cache-Control', 'max-age=60', 'Content-Range', contentRange, ...fields]
  const may = storability(get('/page', 'Range', range), { status: 206, fields: all }, times, RULES)
  assert.ok(may.store)
  const { purpose, vary, variant, fields: kept } = may
  return { key: KEY, purpose, vary, variant, fields: kept, status: 206, body: Buffer.from(body), ...times }
}

const part = (...given: Parameters<typeof came>) => new Stored(came(...given), RULES)
const range = ({ fields }: { fields: FieldLines }) => fieldValue(fields, 'content-range')
const text = ({ body }: { body: Uint8Array }) => Buffer.from(body).toString()

test('Content-Range (RFC 9110 §14.4)', () => {
  assert.deepEqual(partOf('bytes 2-4/10'), { from: 2, to: 5, length: 10 })
  assert.deepEqual(partOf('Bytes 2-4/*'), { from: 2, to: 5, length: undefined })
  for (const bad of [
    'bytes 4-2/10',
    'bytes 0-10/10',
    'bytes */10',
    'bytes 0-1',
    'bytes=0-1/2',
    'bytes 0-1/2, 3-4/5',
  ])
    assert.equal(partOf(bad), undefined, bad)
})

describe('a part that came', () => {
  test('is joined with those it touches, in place of one of them', () => {
    const first = part('bytes 0-3/10', '0123', undefined, 'bytes=0-3')
    const third = part('bytes 6-8/10', '678', undefined, 'bytes=6-8')
    const joined = placed([first, third], came('bytes 3-6/10', '3456', undefined, 'bytes=3-6'), RULES)
    assert.equal(`${joined.status} ${range(joined)} ${text(joined)}`, '206 bytes 0-8/10 012345678')
    assert.equal(joined.variant, third.response.variant)
    assert.ok(joined.body.buffer instanceof SharedArrayBuffer)
  })

  test('makes the whole when nothing is missing any more, with the fields of the younger', () => {
    const first = part('bytes 0-3/10', '0123', ['ETag', '"a"', 'A', '1', 'B', '1'])
    const whole = placed([first], came('bytes 4-9/10', '456789', ['ETag', '"a"', 'A', '2']), RULES)
    assert.equal(
      `${whole.status} ${range(whole)} ${text(whole)} ${whole.variant}`,
      '200 undefined 0123456789 ',
    )
    assert.equal(`${fieldValue(whole.fields, 'a')} ${fieldValue(whole.fields, 'b')}`, '2 1')
    assert.equal(
      field(serve(new Stored(whole, RULES), get(), START_MS, { status: 'hit' }), 'content-length'),
      '10',
    )
  })

  const alone: [string, Stored, ReturnType<typeof came>][] = [
    ['another entity tag', part('bytes 0-3/10', '0123', ['ETag', '"b"']), came('bytes 4-9/10', '456789')],
    [
      'a weak entity tag',
      part('bytes 0-3/10', '0123', ['ETag', 'W/"a"']),
      came('bytes 4-9/10', '456789', ['ETag', 'W/"a"']),
    ],
    [
      'none, though the dates agree',
      part('bytes 0-3/10', '0123', ['Last-Modified', 'Tue, 24 Nov 2020 12:00:00 GMT']),
      came('bytes 4-9/10', '456789', ['Last-Modified', 'Tue, 24 Nov 2020 12:00:00 GMT']),
    ],
    ['another length', part('bytes 0-3/10', '0123'), came('bytes 4-9/11', '456789')],
    ['no length', part('bytes 0-3/*', '0123'), came('bytes 4-9/10', '456789')],
    [
      'another coding',
      part('bytes 0-3/10', '0123', ['ETag', '"a"', 'Content-Encoding', 'gzip']),
      came('bytes 4-9/10', '456789'),
    ],
    [
      'another Vary',
      part('bytes 0-3/10', '0123', ['ETag', '"a"', 'Vary', 'Foo']),
      came('bytes 4-9/10', '456789'),
    ],
    ['a gap between', part('bytes 0-2/10', '012'), came('bytes 4-9/10', '456789')],
    ['fewer bytes than it says', part('bytes 0-3/10', '012'), came('bytes 4-9/10', '456789')],
    ['fewer bytes than it says now', part('bytes 0-3/10', '0123'), came('bytes 4-9/10', '45678')],
    ['a byte more of a hundred', part('bytes 0-98/1000', 'x'.repeat(99)), came('bytes 99-99/1000', 'x')],
  ]
  for (const [why, there, added] of alone)
    test(`stays by itself: ${why}`, () => assert.deepEqual(placed([there], added, RULES), added))

  test('stays by itself where the whole would be too large', () => {
    const rules = { ...RULES, objectBytes: 9 }
    const added = came('bytes 4-9/10', '456789')
    assert.deepEqual(placed([part('bytes 0-3/10', '0123')], added, rules), added)
  })

  test('takes the place of the oldest where there are eight, and of another version first', () => {
    let all: Stored[] = []
    const add = (from: number, etag: string, receivedAtMs: number) => {
      const range = `bytes=${from}-${from}`
      const response = { ...came(`bytes ${from}-${from}/1000`, 'x', ['ETag', etag], range), receivedAtMs }
      const stored = new Stored(placed(all, response, RULES), RULES)
      all = [...all.filter((one) => one.response.variant !== stored.response.variant), stored]
    }
    for (let n = 0; n < 8; n++) add(10 * n, n === 5 ? '"old"' : '"a"', START_MS + n)
    const left = () => all.map((one) => one.part!.from).sort((a, b) => a - b)
    add(500, '"a"', START_MS + 8)
    assert.deepEqual(left(), [0, 10, 20, 30, 40, 60, 70, 500])
    add(600, '"a"', START_MS + 9)
    assert.deepEqual(left(), [10, 20, 30, 40, 60, 70, 500, 600])
    // Under whatever name, it serves what it holds.
    const choice = choose(all, get('/page', 'Range', 'bytes=600-600'), START_MS + 10)
    assert.equal(choice.action === 'serve' && choice.stored.part!.from, 600)
    assert.equal(choose(all, get('/page', 'Range', 'bytes=0-0'), START_MS + 10).action, 'miss')
  })

  test('within one that is there makes it younger, without a copy', () => {
    const there = part('bytes 0-8/10', '012345678')
    const joined = placed([there], { ...came('bytes 4-4/10', '4'), receivedAtMs: START_MS + 9 }, RULES)
    assert.equal(joined.body, there.response.body)
    assert.equal(joined.receivedAtMs, START_MS + 9)
  })

  test('with more bytes than it says is not stored', () => {
    assert.equal(part('bytes 0-1/10', '012').isStorable, false)
  })
})

describe('the rest of a part', () => {
  test('is asked for with If-Range, where one piece is missing and most is there', () => {
    const conditions = (...given: Parameters<typeof came>) => completionOf(part(...given), 100)
    assert.deepEqual(conditions('bytes 0-4/10', '01234'), ['Range', 'bytes=5-', 'If-Range', '"a"'])
    assert.deepEqual(conditions('bytes 4-9/10', '456789'), ['Range', 'bytes=0-3', 'If-Range', '"a"'])
    assert.equal(conditions('bytes 0-3/10', '0123'), undefined)
    assert.equal(conditions('bytes 1-8/10', '12345678'), undefined)
    assert.equal(conditions('bytes 0-4/*', '01234'), undefined)
    assert.equal(conditions('bytes 0-4/10', '0123'), undefined)
    assert.equal(conditions('bytes 0-4/10', '01234', ['ETag', 'W/"a"']), undefined)
    assert.equal(conditions('bytes 0-4/10', '01234', []), undefined)
    assert.equal(conditions('bytes 0-99/101', 'x'.repeat(100)), undefined)
  })

  test('only for who wants the whole', () => {
    const there = [part('bytes 0-8/10', '012345678')]
    const completes = (request = get()) => {
      const choice = choose(there, request, START_MS, 100)
      return choice.action === 'miss' && choice.completes !== undefined
    }
    assert.ok(completes())
    assert.ok(!completes(get('/page', 'Range', 'bytes=5-')))
    assert.ok(!completes(asking('HEAD', '/page')))
  })

  const there = part('bytes 0-4/10', '01234')
  const answer = (status: number, ...fields: string[]) =>
    completed(there, get(), { status, fields }, { times, rules: RULES })
  const fitting = ['Cache-Control', 'max-age=60', 'Content-Range', 'bytes 5-9/10', 'ETag', '"a"']

  test('must be that of the same representation', () => {
    assert.ok(answer(206, ...fitting))
    assert.equal(answer(200, ...fitting), undefined)
    assert.equal(answer(416, 'Content-Range', 'bytes */3'), undefined)
    for (const [from, to] of [
      ['"a"', '"b"'],
      ['"a"', 'W/"a"'],
      ['5-9/10', '5-8/10'],
      ['5-9/10', '4-9/10'],
      ['5-9/10', '5-9/11'],
      ['max-age=60', 'private'],
      ['max-age=60', 'no-store'],
    ] as const)
      assert.equal(answer(206, ...fitting.map((one) => one.replace(from, to))), undefined, to)
    assert.equal(answer(206, ...fitting, 'Content-Encoding', 'gzip'), undefined)
    assert.equal(
      answer(206, ...fitting, 'Set-Cookie', 'session=0123456789')?.fields.includes('Set-Cookie'),
      false,
    )
  })

  test('must be as long as it says', () => {
    const body = (...pieces: string[]) =>
      completedBody(
        there,
        pieces.map((piece) => Buffer.from(piece)),
      )
    assert.equal(Buffer.from(body('56', '789')!).toString(), '0123456789')
    assert.equal(body('5678'), undefined)
    assert.equal(body('567890'), undefined)
  })
})

/** An origin that knows ranges and If-Range; the page changes now and then. */
function origin(state: { body: string; version: number }, isHonest: () => boolean) {
  return (request: { fields: FieldLines }): OriginAnswer => {
    const etag = `"${state.version}"`
    const ifRange = fieldValue(request.fields, 'if-range')
    const asked =
      ifRange === undefined || ifRange === etag || !isHonest()
        ? fieldValue(request.fields, 'range')
        : undefined
    const all = ['Cache-Control', 'max-age=60', 'ETag', etag]
    const match = asked === undefined ? null : /^bytes=(\d+)-(\d*)$/.exec(asked)
    const from = Number(match?.[1])
    const to = Math.min(state.body.length, match?.[2] ? Number(match[2]) + 1 : state.body.length)
    if (match === null || from >= to) return { status: 200, fields: all, body: Buffer.from(state.body) }
    const said = ['Content-Range', `bytes ${from}-${to - 1}/${state.body.length}`]
    return { status: 206, fields: [...all, ...said], body: Buffer.from(state.body.slice(from, to)) }
  }
}

test('whatever is asked in whatever order, every byte is of the version that its entity tag says', () => {
  const step = fc.record({
    from: fc.nat(39),
    length: fc.nat(40),
    kind: fc.constantFrom('range', 'range', 'range', 'whole', 'reload', 'change', 'wait'),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.boolean(), (steps, isHonest) => {
      const cache = new PureCache()
      const bodies = new Map<number, string>()
      const state = { body: '', version: 0 }
      const change = () => {
        state.version++
        // Sometimes of another length.
        state.body = `${state.version % 10}abcdefghi`.repeat(state.version % 3 === 0 ? 3 : 4)
        bodies.set(state.version, state.body)
      }
      change()
      for (const { kind, from, length } of steps) {
        if (kind === 'change') change()
        else if (kind === 'wait') cache.nowMs += 40_000
        else {
          const asked = kind === 'range' ? ['Range', `bytes=${from}-${from + length}`] : []
          const wishes = kind === 'reload' ? ['Cache-Control', 'no-cache'] : []
          const served = cache.exchange(
            get('/page', ...asked, ...wishes),
            origin(state, () => isHonest),
          )
          if (served.status === 416) continue
          const body = bodies.get(Number(field(served, 'etag')!.replaceAll('"', '')))!
          const said = partOf(field(served, 'content-range') ?? '')
          if (served.status === 206) {
            assert.equal(text(served), body.slice(said!.from, said!.to))
            assert.equal(said!.length, body.length)
            assert.ok(said!.from === from && said!.to <= from + length + 1)
          } else if (served.status === 200) assert.equal(text(served), body)
          else assert.fail(`status ${served.status}`)
        }
      }
    }),
    { seed: 9111, numRuns: 1500 },
  )
})
