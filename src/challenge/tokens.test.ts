import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { KeyRing } from './keys.ts'
import {
  base64urlBytes,
  cutBase64url,
  isBase64url,
  isSigned,
  readBase36,
  sameText,
  sign,
  splitToken,
} from './tokens.ts'

test('every byte string has one spelling in base64url', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.base64String(), (bytes, text) => {
      const spelled = Buffer.from(bytes).toString('base64url')
      assert.ok(isBase64url(spelled, bytes.length))
      assert.equal(base64urlBytes(spelled), bytes.length)
      const decoded = Buffer.from(text, 'base64url')
      assert.equal(isBase64url(text, decoded.length), decoded.toString('base64url') === text)
    }),
  )
  assert.ok(!isBase64url('AB', 1), 'spare bits')
  assert.ok(!isBase64url('A', 0))
  for (const text of ['AA=', 'A A', 'é', 'AA+', 'Ā', 'A\n']) assert.equal(base64urlBytes(text), -1, text)
})

test('cutting base64url is cutting bytes', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.integer({ min: 1, max: 31 }),
      (bytes, n) => {
        const text = Buffer.from(bytes).toString('base64url')
        assert.equal(cutBase64url(text, n), Buffer.from(bytes.subarray(0, n)).toString('base64url'))
      },
    ),
  )
})

test('numbers are read as they are written, and in no other spelling', () => {
  fc.assert(
    fc.property(fc.nat({ max: 36 ** 10 - 1 }), (value) => {
      const text = value.toString(36)
      assert.equal(readBase36(text), value)
      for (const other of [`0${text}`, `+${text}`, ` ${text}`, `${text} `, `${text}.`, `-${text}`])
        assert.equal(readBase36(other), -1)
      if (text.toUpperCase() !== text) assert.equal(readBase36(text.toUpperCase()), -1)
    }),
  )
  for (const text of ['', '00', 'zzzzzzzzzzz', 'é', '１', '1e3.0']) assert.equal(readBase36(text), -1, text)
})

test('a token has its version, its fields and a MAC, and nothing more', () => {
  const mac = 'A'.repeat(22)
  assert.deepEqual(splitToken(`1.a.b.${mac}`, 2, 64), ['a', 'b', mac])
  for (const text of [
    '',
    '1',
    `2.a.b.${mac}`,
    `1.a.${mac}`,
    `1.a.b.c.${mac}`,
    `1.a.b.${mac}.`,
    `1.a.b.${mac.slice(1)}`,
    `1.a.b.${mac.slice(1)}B`,
    `.a.b.${mac}`,
    `1.a.b.${'x'.repeat(70)}`,
    `1.${'.'.repeat(65_536)}`,
  ])
    assert.equal(splitToken(text, 2, 64), undefined, text.slice(0, 80))
})

test('a signature is for one site, one purpose and one text', () => {
  const keys = new KeyRing(Buffer.alloc(32, 1))
  const token = sign(keys, 'known', 'example.org', '1.a.b', 3)
  assert.ok(isSigned(keys, 'known', 'example.org', token, 3))
  assert.ok(!isSigned(keys, 'known', 'example.com', token, 3))
  assert.ok(!isSigned(keys, 'ticket', 'example.org', token, 3))
  assert.ok(!isSigned(keys, 'known', 'example.org', token, 4))
  assert.ok(!isSigned(keys, 'known', 'example.org', token.replace('a', 'b'), 3))
})

test('texts are the same when they are equal', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (one, other) => {
      assert.equal(sameText(one, other), one === other)
      assert.ok(sameText(one, `${one}`))
    }),
  )
})
