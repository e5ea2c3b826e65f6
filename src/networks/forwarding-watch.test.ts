import assert from 'node:assert/strict'
import { test } from 'node:test'
import { identify } from './client-address.ts'
import { ForwardingWatch } from './forwarding-watch.ts'

const PROXY = identify('198.51.100.1')

test('one peer with most of the forwarding fields is named', () => {
  const watch = new ForwardingWatch()
  for (let i = 0; i < 1000; i++) {
    watch.note(PROXY)
    if (i % 3 === 0) watch.note(identify(`192.0.2.${i % 250}`))
  }
  const suspect = watch.suspect()
  assert.equal(suspect?.peer, '198.51.100.1')
  assert.ok(suspect.share > 0.5 && suspect.share <= 0.75)
  assert.ok(watch.isSuspect(PROXY))
  assert.ok(!watch.isSuspect(identify('192.0.2.0')))
})

test('many peers with forged fields name nobody', () => {
  const watch = new ForwardingWatch()
  for (let i = 0; i < 50_000; i++) watch.note(identify(`10.${i & 255}.${(i >> 8) & 255}.1`))
  assert.equal(watch.suspect(), undefined)
})

test('a few notes say nothing', () => {
  const watch = new ForwardingWatch()
  for (let i = 0; i < 50; i++) watch.note(PROXY)
  assert.equal(watch.suspect(), undefined)
  assert.ok(!watch.isSuspect(PROXY))
})

test('a proxy that was listed meanwhile is forgotten', () => {
  const watch = new ForwardingWatch()
  for (let i = 0; i < 15_000; i++) watch.note(PROXY)
  for (let i = 0; i < 60_000; i++) watch.note(identify(`10.${i & 255}.${(i >> 8) & 255}.1`))
  assert.equal(watch.suspect(), undefined)
})
