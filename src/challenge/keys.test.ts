import assert from 'node:assert/strict'
import { hash, hkdfSync } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { KeyRing, newMaster, PERIOD_S, PURPOSES } from './keys.ts'

const master = Buffer.alloc(32, 7)
const now = 1_800_000_000

test('two machines with one master agree, two masters do not', () => {
  const [one, other, stranger] = [new KeyRing(master), new KeyRing(master), new KeyRing(newMaster())]
  const period = one.period(now)
  const mac = one.mac('challenge', 'text', period)
  assert.equal(mac.length, 16)
  assert.ok(other.isMac('challenge', 'text', period, mac))
  assert.ok(!stranger.isMac('challenge', 'text', period, mac))
  const sealed = one.seal(Buffer.from('plain'), 'here', now)
  assert.equal(other.open(sealed, 'here', now)?.toString(), 'plain')
  assert.equal(stranger.open(sealed, 'here', now), undefined)
})

test('a MAC is SHA3-256 of the derived key in hexadecimal digits and the text, cut to 16 bytes', () => {
  const keys = new KeyRing(master)
  const key = Buffer.from(hkdfSync('sha256', master, '', 'digue 1 known 12', 32)).toString('hex')
  const expected = hash('sha3-256', `${key}text`, 'buffer').subarray(0, 16)
  assert.deepEqual(keys.mac('known', 'text', 12), expected)
  assert.equal(keys.macText('known', 'text', 12), expected.toString('base64url'))
})

test('a MAC says nothing for another purpose, period or text, and nothing when a bit is wrong', () => {
  const keys = new KeyRing(master)
  const mac = keys.mac('clearance', 'text', 700)
  for (const purpose of PURPOSES) assert.equal(keys.isMac(purpose, 'text', 700, mac), purpose === 'clearance')
  assert.ok(!keys.isMac('clearance', 'text', 701, mac))
  assert.ok(!keys.isMac('clearance', 'text ', 700, mac))
  assert.ok(!keys.isMac('clearance', 'text', 700, mac.subarray(0, 15)))
  assert.ok(!keys.isMac('clearance', 'text', 700, Buffer.alloc(0)))
  for (let bit = 0; bit < 128; bit++) {
    const wrong = Buffer.from(mac)
    wrong[bit >> 3]! ^= 1 << (bit & 7)
    assert.ok(!keys.isMac('clearance', 'text', 700, wrong))
  }
})

test('what was sealed opens in its context only, in its period and the next one', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), fc.nat(PERIOD_S), (plain, context, ageS) => {
      const keys = new KeyRing(master)
      const sealed = keys.seal(plain, context, now)
      assert.deepEqual(keys.open(sealed, context, now + ageS), Buffer.from(plain))
      assert.equal(keys.open(sealed, `${context}x`, now), undefined)
    }),
  )
  const keys = new KeyRing(master)
  const sealed = keys.seal(Buffer.from('old'), '', now)
  assert.equal(keys.open(sealed, '', now + 2 * PERIOD_S), undefined)
  // Periods are told apart by their low byte: 256 of them later it is the same one.
  assert.equal(keys.open(sealed, '', now + 256 * PERIOD_S), undefined)
})

test('a machine whose clock is a little ahead may have sealed in the next period', () => {
  const keys = new KeyRing(master)
  const edge = (keys.period(now) + 1) * PERIOD_S
  const sealed = keys.seal(Buffer.from('ahead'), '', edge)
  assert.equal(keys.open(sealed, '', edge - 20)?.toString(), 'ahead')
  assert.equal(keys.open(sealed, '', edge - 40), undefined)
})

test('forged, cut and oversized seals open to nothing and throw nothing', () => {
  const keys = new KeyRing(master)
  const sealed = keys.seal(Buffer.from('plain text'), 'here', now)
  for (let at = 0; at < sealed.length; at++) {
    const wrong = Buffer.from(sealed)
    wrong[at]! ^= 1
    assert.equal(keys.open(wrong, 'here', now), undefined)
    assert.equal(keys.open(sealed.subarray(0, at), 'here', now), undefined)
  }
  assert.equal(keys.open(Buffer.alloc(1 << 20), 'here', now), undefined)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      assert.equal(keys.open(bytes, 'here', now), undefined)
    }),
  )
})

test('a master of another length is a bug', () => {
  assert.throws(() => new KeyRing(Buffer.alloc(31)), { code: 'DIGUE_INVARIANT' })
})
