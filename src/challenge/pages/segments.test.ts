import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { joinGzip, joinPlain, type Part, segment } from './segments.ts'

describe('a page out of segments', () => {
  test('gunzip gives the plain bytes, whatever the parts', () => {
    const part = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 3000 }),
      fc.string({ unit: 'grapheme' }).map((text) => segment(text.repeat(20))),
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 9 }), (parts) => {
        const plain = joinPlain(parts)
        assert.deepEqual(gunzipSync(joinGzip(parts)), plain)
        assert.equal(
          plain.toString(),
          Buffer.concat(parts.map((p) => (typeof p === 'string' ? Buffer.from(p) : p.plain))).toString(),
        )
      }),
    )
  })

  test('a fact longer than a stored block may be is stored in several', () => {
    for (const length of [65_535, 65_536, 200_000]) {
      const parts: Part[] = [segment('<p>'), 'é'.repeat(length), segment('</p>')]
      assert.deepEqual(gunzipSync(joinGzip(parts)), joinPlain(parts))
    }
  })

  test('no part at all is an empty page', () => {
    assert.equal(gunzipSync(joinGzip([])).length, 0)
    assert.equal(joinPlain([]).length, 0)
  })

  test('a static part is deflated once, and small', () => {
    const text = 'We are receiving far more requests than usual. '.repeat(100)
    const one = segment(text)
    assert.ok(one.deflated.length < 200)
    assert.ok(joinGzip([one, 'ray', one]).length < 2 * one.deflated.length + 40)
  })
})
