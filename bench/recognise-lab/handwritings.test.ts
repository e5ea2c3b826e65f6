import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TRAITS, type TraitName, traitsOf } from '#recognise'
import { fieldsNow } from '../load/fields-now.ts'
import type { Handwriting } from '../load/plan.ts'
import { FLOODS } from './floods.ts'
import { mostCommon, visitorsHandwritings } from './handwritings.ts'
import { connectionOf } from './virtual.ts'

function traitOf(trait: TraitName, writing: Handwriting, secure: boolean): string {
  const connection = connectionOf(writing)
  const moment = { host: 'example.org', cookie: '', referrer: '' }
  const traits = traitsOf({
    method: 'GET',
    target: '/',
    host: 'example.org',
    fields: [...fieldsNow(writing.navigation, moment)].flat(),
    secure,
    httpVersion: connection.h2 === '' ? '1.1' : '2',
    isDirect: true,
    ...connection,
    asn: 0,
    lane: 'unproven',
    hasOwnCookie: false,
  })
  return traits[TRAITS.findIndex(({ name }) => name === trait)]!
}

test('no visitor of the lab contradicts himself: what is held against floods is not their recorder’s mistake', () => {
  for (const secure of [false, true])
    for (const writing of visitorsHandwritings(secure, 1000))
      assert.equal(traitOf('contradiction', writing, secure), '', writing.name)
})

test('a first visit and a later one are of one program: cookie and referrer stand where they were recorded', () => {
  for (const secure of [false, true]) {
    const writing = visitorsHandwritings(secure, 1)[0]!
    const names = [
      ...fieldsNow(writing.navigation, { host: 'a', cookie: 'b=c', referrer: 'https://a/' }),
    ].map(([name]) => name.toLowerCase())
    assert.ok(names.includes('cookie') && names.includes('referer'))
    assert.ok(names.indexOf('accept') < names.indexOf('referer'))
    assert.ok(names.indexOf('referer') < names.indexOf('accept-encoding'))
    assert.ok(names.indexOf('accept-language') < names.indexOf('cookie'))
  }
})

test('visitors over HTTPS show the TLS and HTTP/2 that were recorded of Chromium', () => {
  const chrome = visitorsHandwritings(true, 10).find(({ name }) => name.startsWith('Chrome'))!
  assert.equal(traitOf('tls', chrome, true), 't13d1517h2_8daaf6152771_cb7bf5808d99')
  assert.equal(traitOf('h2', chrome, true), '1:65536;2:0;4:6291456;6:262144|15663105|m,a,s,p')
})

test('of a thousand visitors six are programs, and each kind of person is there more than once', () => {
  const names = visitorsHandwritings(false, 1000).map(({ name }) => name.replace(/ .*(?=\/)|[\d.]+$/g, ''))
  const count = (pattern: RegExp) => names.filter((name) => pattern.test(name)).length
  assert.equal(count(/^(curl|python|Wget)/), 6)
  for (const kind of [/^Chrome\/Windows/, /^Chrome\/Android/, /^Safari\/iOS/, /^Firefox/])
    assert.ok(count(kind) > 30)
})

test('the imitator sends exactly what the most common visitor sends', () => {
  const { heads } = FLOODS.find(({ name }) => name === 'imitator')!.writing!(1).tools[0]!
  const fields = [
    ...fieldsNow(mostCommon(false).navigation, { host: 'bench.example.org', cookie: '', referrer: '' }),
  ]
  assert.deepEqual(heads, [fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')])
})
