import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { challengeIssuedS, issueChallenge, readChallenge } from './challenge.ts'
import { KeyRing, PERIOD_S } from './keys.ts'
import { EPOCH_S } from './protocol.ts'
import { hostileSpellings } from './tokens.fixture.ts'

const keys = new KeyRing(Buffer.alloc(32, 1))
const now = 1_800_000_000
const site = 'www.example.org'

test('a challenge is good for its own minute and the two after it, in any prefix', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 4e9 }),
      fc.constantFrom('192.0.2.0/24', '2001:db8:1::/48', ''),
      (s, prefix) => {
        const text = issueChallenge(keys, site, prefix, s)
        const start = Math.floor(s / EPOCH_S) * EPOCH_S
        assert.equal(challengeIssuedS(text), start)
        for (const at of [start - 30, start, s, start + 179]) {
          const challenge = readChallenge(keys, site, text, at)
          assert.ok(typeof challenge === 'object', `${at}: ${challenge}`)
          assert.equal(challenge.prefix, prefix)
          assert.equal(challenge.mac.length, 16)
        }
        assert.equal(readChallenge(keys, site, text, start + 180), 'expired')
        assert.equal(readChallenge(keys, site, text, start - 31), 'future')
      },
    ),
  )
})

test('it stays good when keys change within its life', () => {
  const edge = (keys.period(now) + 1) * PERIOD_S
  for (const issued of [edge - 1, edge - 60, edge]) {
    const text = issueChallenge(keys, site, '192.0.2.0/24', issued)
    assert.equal(typeof readChallenge(keys, site, text, issued + 60), 'object')
  }
})

test('everybody of a prefix gets the same one within a minute, and nobody else does', () => {
  const one = issueChallenge(keys, site, '192.0.2.0/24', now)
  assert.equal(issueChallenge(keys, site, '192.0.2.0/24', now + EPOCH_S - 1 - (now % EPOCH_S)), one)
  assert.notEqual(issueChallenge(keys, site, '192.0.2.0/24', now + EPOCH_S), one)
  assert.notEqual(issueChallenge(keys, site, '198.51.100.0/24', now), one)
  assert.notEqual(issueChallenge(keys, 'example.com', '192.0.2.0/24', now), one)
})

test('a challenge of another site, another master or another prefix is forged', () => {
  const text = issueChallenge(keys, site, '192.0.2.0/24', now)
  assert.equal(readChallenge(keys, 'example.com', text, now), 'forged')
  assert.equal(readChallenge(new KeyRing(Buffer.alloc(32, 2)), site, text, now), 'forged')
  const other = issueChallenge(keys, site, '198.51.100.0/24', now)
  const [version, epoch, , mac] = text.split('.')
  assert.equal(readChallenge(keys, site, [version, epoch, other.split('.')[2], mac].join('.'), now), 'forged')
})

test('every other spelling of a challenge is refused, and nothing throws', () => {
  const text = issueChallenge(keys, site, '192.0.2.0/24', now)
  for (const other of hostileSpellings(text)) {
    const read = readChallenge(keys, site, other, now)
    assert.ok(typeof read === 'string', other.slice(0, 100))
  }
})
