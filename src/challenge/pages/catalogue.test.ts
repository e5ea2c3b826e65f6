import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import type { Catalogue } from './catalogue.ts'
import { languageNamed } from './choose-language.ts'
import { CATALOGUES } from './languages/all.ts'
import { en } from './languages/en.ts'
import { momentPage } from './moment.ts'

const entries = Object.keys(en) as (keyof Catalogue)[]
const slotsOf = (text: string) => text.match(/\{\w*\}/g) ?? []

describe('catalogues', () => {
  test('every file is in the list', () => {
    const files = readdirSync(path.join(import.meta.dirname, 'languages')).filter((file) => file !== 'all.ts')
    assert.deepEqual(CATALOGUES.map(({ tag }) => `${tag.toLowerCase()}.ts`).sort(), files.sort())
  })

  for (const catalogue of CATALOGUES) {
    test(`${catalogue.tag} says everything, with the same slots and without markup`, () => {
      assert.deepEqual(Object.keys(catalogue).sort(), [...entries].sort())
      for (const entry of entries) {
        const text = catalogue[entry]
        assert.ok(text.trim() === text && text !== '', `${entry}: expected a text without blanks around it`)
        assert.deepEqual(slotsOf(text), slotsOf(en[entry]), entry)
        assert.doesNotMatch(text, /[<>&"'`]| {2}|\.\.\./, entry)
        assert.ok(text.isWellFormed() && text === text.normalize('NFC'), `${entry}: expected NFC`)
      }
    })

    test(`${catalogue.tag} is a language that browsers know, and not English left over`, () => {
      assert.equal(Intl.getCanonicalLocales(catalogue.tag)[0], catalogue.tag)
      assert.equal(languageNamed(catalogue.tag), catalogue.tag)
      assert.deepEqual(Intl.NumberFormat.supportedLocalesOf(catalogue.tag), [catalogue.tag])
      if (catalogue !== en)
        assert.deepEqual(
          entries.filter((entry) => entry !== 'direction' && catalogue[entry] === en[entry]),
          [],
        )
    })

    test(`${catalogue.tag} has a moment page of at most 150 bytes, in its direction`, () => {
      const page = momentPage(catalogue.tag)
      assert.ok(Buffer.byteLength(page) <= 150)
      assert.ok(
        page.includes(`<html lang=${catalogue.tag}${catalogue.direction === 'rtl' ? ' dir=rtl' : ''}>`),
      )
      assert.ok(page.includes('<a href="">'))
      const afterForm = momentPage(catalogue.tag, 'form')
      assert.ok(Buffer.byteLength(afterForm) <= 600)
      assert.ok(afterForm.endsWith(catalogue.resendHow))
    })
  }

  test('Chinese has no half-width punctuation between its characters', () => {
    for (const catalogue of CATALOGUES.filter(({ tag }) => tag.startsWith('zh')))
      for (const entry of entries)
        assert.doesNotMatch(catalogue[entry], /\p{Script=Han}[,:;?!.]|[,:;?!]\p{Script=Han}/u)
  })

  test('French keeps its colons and semicolons on the line', () => {
    const french = CATALOGUES.find(({ tag }) => tag === 'fr')!
    for (const entry of entries) assert.doesNotMatch(french[entry], /[^\u00a0][:;?!]/)
  })

  test('a moment page in no language of ours is French', () => {
    assert.equal(momentPage('tlh'), momentPage('fr'))
    assert.equal(momentPage('zh-HK'), momentPage('zh-Hant'))
  })
})
