import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { codingsOf, cookiesOf, languages, variantOf, varyOf } from './vary.ts'

const variant = (vary: string, ...fields: string[]) => variantOf(varyOf(['Vary', vary])!, fields)

describe('Vary (RFC 9111 §4.1)', () => {
  test('names are sorted, each once, in lower case', () => {
    assert.deepEqual(varyOf(['Vary', 'Foo, bar,', 'vary', 'FOO']), ['bar', 'foo'])
    assert.deepEqual(varyOf([]), [])
    assert.deepEqual(varyOf(['Vary', '']), [])
  })

  test('"*" anywhere, and more than can be kept, is more than can be known', () => {
    for (const list of ['*', ', *', 'Foo, *', '*, Foo', `${','.repeat(300)}*`, `${','.repeat(5000)}`])
      assert.equal(varyOf(['Vary', list]), undefined, list.slice(0, 20))
    assert.equal(varyOf(['Vary', '', 'Vary', '*']), undefined)
  })

  test('blanks around commas, and the lines that a list stands on, make no difference', () => {
    assert.equal(variant('Foo', 'Foo', '1, 2'), variant('Foo', 'Foo', '1', 'foo', '2'))
    assert.equal(variant('Foo', 'Foo', ' 1 ,2'), variant('Foo', 'Foo', '1,2'))
    assert.notEqual(variant('Foo', 'Foo', 'a b'), variant('Foo', 'Foo', 'ab'))
    assert.notEqual(variant('Foo', 'Foo', '1, 2'), variant('Foo', 'Foo', '2, 1'))
    assert.notEqual(variant('Foo', 'Foo', ''), variant('Foo'))
  })

  test('Accept-Encoding is the set of codings in use that are accepted', () => {
    const set = (list: string) => codingsOf(['Accept-Encoding', list]).text
    assert.equal(set('gzip, deflate, br, zstd'), 'br,gzip,identity,zstd')
    assert.equal(set('br;q=0.1,GZIP ; q=1.0'), 'br,gzip,identity')
    assert.equal(set('x-gzip, br;q=0, identity;q=0'), 'gzip')
    assert.equal(set('*;q=0, br'), 'br')
    assert.equal(set('*'), 'br,gzip,identity,zstd')
    assert.equal(set(''), 'identity')
    assert.equal(codingsOf([]).text, 'identity')
    assert.equal(codingsOf(['accept-encoding', 'br', 'Accept-Encoding', 'gzip']).text, 'br,gzip,identity')
    assert.notEqual(variant('Accept-Encoding'), variant('Accept-Encoding', 'Accept-Encoding', ''))
  })

  test('Accept-Language is ordered by weight, and among equals by name', () => {
    const order = (list: string) =>
      languages(list)
        .map(({ tag }) => tag)
        .join()
    assert.equal(order('en, de'), 'de,en')
    assert.equal(order('fr;q=0.5, DE;q=1.0'), 'de,fr')
    assert.equal(order('fr-FR,fr;q=0.9,en;q=0.8'), 'fr-fr,fr,en')
    assert.notEqual(
      variant('Accept-Language', 'Accept-Language', 'fr, en;q=0.5'),
      variant('Accept-Language', 'Accept-Language', 'en, fr;q=0.5'),
    )
    assert.equal(order('fr;q=x, en'), 'en,fr')
  })

  test('cookies on several lines are one list', () => {
    assert.equal(cookiesOf(['Cookie', 'a=b', 'cookie', 'c=d']), 'a=b; c=d')
  })

  test('whatever is sent, a variant is bounded and the same again', () => {
    const pieces = fc.constantFrom(
      'gzip',
      'br',
      ';q=',
      '0',
      '1.0',
      ',',
      ' ',
      '*',
      'fr',
      '-',
      '"',
      'digue_',
      '=',
      ';',
      '\t',
    )
    const values = fc.array(pieces, { maxLength: 300 }).map((parts) => parts.join(''))
    const names = ['accept-encoding', 'accept-language', 'cookie', 'foo']
    fc.assert(
      fc.property(values, values, (a, b) => {
        const fields = ['Accept-Encoding', a, 'Accept-Language', b, 'Cookie', a, 'Foo', b]
        const once = variantOf(names, fields)
        assert.equal(variantOf(names, fields), once)
        assert.ok(once === undefined || once.length <= 4096)
        varyOf(['Vary', a])
      }),
      { seed: 9111 },
    )
  })
})
