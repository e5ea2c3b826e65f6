import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { chooseLanguage, languageNamed } from './choose-language.ts'
import { CATALOGUES } from './languages/all.ts'

describe('the language of a page', () => {
  const cases: readonly (readonly [line: string | undefined, expected: string])[] = [
    [undefined, 'fr'],
    ['', 'fr'],
    ['de', 'de'],
    ['de-AT', 'de'],
    ['de-AT-1996-x-private', 'de'],
    ['fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5', 'fr'],
    ['en;q=0.2, es;q=0.8', 'es'],
    ['pt-BR, en;q=0.8', 'en'],
    ['ja', 'fr'],
    ['ja, *', 'fr'],
    ['ru,uk', 'ru'],
    ['uk;q=1.0, ru;q=0.999', 'uk'],
    ['zh', 'zh-Hans'],
    ['zh-CN', 'zh-Hans'],
    ['zh-SG', 'zh-Hans'],
    ['zh-TW', 'zh-Hant'],
    ['zh-HK', 'zh-Hant'],
    ['zh-Hant-HK', 'zh-Hant'],
    ['zh-Hans-TW', 'zh-Hans'],
    ['ZH-hant', 'zh-Hant'],
    ['az-Latn-AZ', 'az'],
    ['ar-u-nu-latn', 'ar'],
    ['fr;q=0, de;q=0.1', 'de'],
    ['fr;q=0, *', 'en'],
    ['fr;q=0', 'en'],
    ['en;q=0.3, *;q=0.9', 'en'],
    [' \tes \t;\tq=0.5\t', 'es'],
    // Malformed ranges are left out, the others count.
    ['en;q=2, de;q=0.5', 'de'],
    ['en;q=, de', 'de'],
    ['-en, de;x=1, az', 'az'],
    [',,, uk ,,', 'uk'],
    ['<script>, ar', 'ar'],
  ]
  for (const [line, expected] of cases)
    test(`${line ?? 'no field'}: ${expected}`, () => assert.equal(chooseLanguage(line, 'fr'), expected))

  test('the fallback is the operator’s', () => {
    assert.equal(chooseLanguage('ja', 'zh-hant'), 'zh-Hant')
    assert.equal(chooseLanguage('ja', 'de-CH'), 'de')
    assert.equal(chooseLanguage('ja', 'tlh'), 'fr')
  })

  test('of a long line only the beginning counts', () => {
    assert.equal(chooseLanguage(`${'ja,'.repeat(16)}de`), 'fr')
    assert.equal(chooseLanguage(`${' '.repeat(600)}de`), 'fr')
  })

  test('any line gives one of our languages', () => {
    const tags = CATALOGUES.map(({ tag }) => tag)
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (line, fallback) => {
        assert.ok(tags.includes(chooseLanguage(line, fallback)))
      }),
    )
  })

  test('every language is found by its own tag', () => {
    for (const { tag } of CATALOGUES) assert.equal(languageNamed(tag.toUpperCase()), tag)
  })
})
