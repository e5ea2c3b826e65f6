import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { challengeIssuedS, issueChallenge } from './challenge.ts'
import {
  type Clearance,
  clearanceId,
  grantClearance,
  meteredUntilS,
  readClearance,
  renewed,
  writeClearance,
} from './clearance.ts'
import { KeyRing, PERIOD_S } from './keys.ts'
import { CLEARANCE_MOST_S, CLEARANCE_S } from './protocol.ts'
import { hostileSpellings } from './tokens.fixture.ts'

const keys = new KeyRing(Buffer.alloc(32, 1))
const site = 'www.example.org'
const now = 1_800_000_000
const clearance: Clearance = {
  id: 'AAECAwQFBgc',
  effort: 16,
  budgetMs: 3200,
  issuedS: now,
  expiresS: now + CLEARANCE_S,
}

test('what is written is read until it expires', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 8, maxLength: 8 }),
      fc.nat(256),
      fc.nat(2 ** 31 - 1),
      fc.nat(4_000_000_000),
      fc.integer({ min: 1, max: CLEARANCE_MOST_S }),
      (id, effort, budgetMs, issuedS, lifeS) => {
        const written: Clearance = {
          id: Buffer.from(id).toString('base64url'),
          effort,
          budgetMs,
          issuedS,
          expiresS: issuedS + lifeS,
        }
        const text = writeClearance(keys, site, written)
        assert.ok(text.length <= 64, text)
        for (const at of [issuedS, issuedS + lifeS - 1, issuedS - 30])
          assert.deepEqual(readClearance(keys, site, text, at), written)
        assert.equal(readClearance(keys, site, text, issuedS + lifeS), 'expired')
        assert.equal(readClearance(keys, site, text, issuedS - 31), 'future')
      },
    ),
  )
})

test('a clearance of another site, another master or another purpose is forged', () => {
  const text = writeClearance(keys, site, clearance)
  assert.equal(readClearance(keys, 'example.com', text, now), 'forged')
  assert.equal(readClearance(new KeyRing(Buffer.alloc(32, 2)), site, text, now), 'forged')
  const dearer = text.replace('.g.', '.z.')
  assert.notEqual(dearer, text)
  assert.equal(readClearance(keys, site, dearer, now), 'forged')
})

test('a life longer than any we give is malformed, whoever signed it', () => {
  const text = writeClearance(keys, site, { ...clearance, expiresS: now + CLEARANCE_MOST_S + 1 })
  assert.equal(readClearance(keys, site, text, now), 'malformed')
})

test('every other spelling of a clearance is refused, and nothing throws', () => {
  for (const other of hostileSpellings(writeClearance(keys, site, clearance)))
    assert.equal(typeof readClearance(keys, site, other, now), 'string', other.slice(0, 100))
})

test('it outlives a change of keys', () => {
  const edge = (keys.period(now) + 1) * PERIOD_S
  const text = writeClearance(keys, site, { ...clearance, issuedS: edge - 10, expiresS: edge + 1000 })
  assert.equal(typeof readClearance(keys, site, text, edge + 900), 'object')
})

test('the same proof, sent later or with more parts, buys the same id and no more time', () => {
  const proof = {
    challenge: issueChallenge(keys, site, '192.0.2.0/24', now),
    seed: randomBytes(16),
    nonces: randomBytes(64),
  }
  const first = grantClearance(keys, site, proof, { effort: 16, budgetMs: 3200 })
  const more = { ...proof, nonces: randomBytes(128) }
  const again = grantClearance(new KeyRing(Buffer.alloc(32, 1)), site, more, { effort: 32, budgetMs: 3200 })
  assert.deepEqual(again, { ...first, effort: 32 })
  assert.equal(first.issuedS, challengeIssuedS(proof.challenge))
  assert.ok(first.issuedS <= now && first.expiresS > now + CLEARANCE_S - 60)
  assert.deepEqual(readClearance(keys, site, writeClearance(keys, site, first), now), first)
})

test('another seed, challenge or site is another id', () => {
  const proof = { challenge: issueChallenge(keys, site, '192.0.2.0/24', now), seed: randomBytes(16) }
  const ids = new Set([
    clearanceId(keys, site, proof),
    clearanceId(keys, 'example.com', proof),
    clearanceId(keys, site, { ...proof, seed: randomBytes(16) }),
    clearanceId(keys, site, { ...proof, challenge: issueChallenge(keys, site, '192.0.2.0/24', now + 60) }),
  ])
  assert.equal(ids.size, 4)
})

test('it is renewed in the last third of its life, and never beyond three hours after the proof', () => {
  assert.equal(renewed(clearance, now + CLEARANCE_S - 600), undefined)
  const later = renewed(clearance, now + CLEARANCE_S - 599)
  assert.deepEqual(later, { ...clearance, expiresS: now + 2 * CLEARANCE_S - 599 })
  assert.equal(renewed(clearance, now + CLEARANCE_S), undefined, 'an expired one is gone')
  let last = clearance
  let renewals = 0
  for (let s = now; s < now + 5 * CLEARANCE_MOST_S; s += 7) {
    const next = renewed(last, s)
    if (next === undefined) continue
    renewals++
    assert.ok(next.expiresS > last.expiresS && next.issuedS === now && next.id === last.id)
    last = next
  }
  assert.equal(last.expiresS, now + CLEARANCE_MOST_S)
  assert.ok(renewals <= 10, `${renewals} renewals`)
})

test('its meter is kept at least as long as any clearance that its exchange leads to', () => {
  fc.assert(
    fc.property(fc.nat(CLEARANCE_S - 1), fc.nat(110), (ageS, tookS) => {
      const until = meteredUntilS(clearance, now + ageS)
      const next = renewed(clearance, now + ageS + tookS)
      assert.ok(until >= clearance.expiresS && until >= (next?.expiresS ?? 0))
    }),
  )
  assert.equal(meteredUntilS(clearance, now + 1000), clearance.expiresS)
  const last = { ...clearance, expiresS: now + CLEARANCE_MOST_S }
  assert.equal(meteredUntilS(last, now + CLEARANCE_MOST_S - 1), now + CLEARANCE_MOST_S)
})
