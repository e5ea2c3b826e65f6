import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { KeyRing } from './keys.ts'
import {
  dayOf,
  earn,
  isKnown,
  KNOWN_DAYS,
  KnownQuota,
  type KnownToken,
  QUOTA_ASN,
  QUOTA_PREFIX,
  readKnown,
  writeKnown,
} from './known.ts'
import { hostileSpellings } from './tokens.fixture.ts'

const keys = new KeyRing(Buffer.alloc(32, 1))
const site = 'www.example.org'
const DAY_S = 86_400
const now = 20_000 * DAY_S + 12 * 3600
const random8 = () => randomBytes(8).toString('base64url')

/** The token of somebody who came on these days, counted from today. */
function visits(...days: number[]): KnownToken | undefined {
  let token: KnownToken | undefined
  for (const day of days) token = earn(token, now + day * DAY_S, random8()) ?? token
  return token
}

test('who came on two different days is known for sixty days after the last', () => {
  assert.ok(!isKnown(visits(0)!, now))
  assert.ok(!isKnown(visits(0, 0, 0)!, now))
  assert.ok(isKnown(visits(-1, 0)!, now))
  const token = visits(-30, -1)!
  assert.ok(isKnown(token, now + (KNOWN_DAYS - 1) * DAY_S))
  assert.ok(!isKnown(token, now + KNOWN_DAYS * DAY_S))
})

test('a day brings one new token with an id of its own; the second visit brings nothing', () => {
  const first = earn(undefined, now, random8())!
  assert.equal(earn(first, now + 3600, random8()), undefined)
  const second = earn(first, now + DAY_S, random8())!
  assert.notEqual(second.id, first.id)
  assert.deepEqual(
    { ...second, id: '' },
    { id: '', firstDay: first.firstDay, lastDay: first.lastDay + 1, days: 2, login: false },
  )
})

test('who stays away for longer than sixty days begins anew', () => {
  const token = visits(-3, -2, -1)!
  assert.equal(earn(token, now + 59 * DAY_S, random8())?.days, 4)
  assert.deepEqual(earn(token, now + 60 * DAY_S, 'AAAAAAAAAAA'), {
    id: 'AAAAAAAAAAA',
    firstDay: dayOf(now) + 60,
    lastDay: dayOf(now) + 60,
    days: 1,
    login: false,
  })
})

test('days are counted up to sixty', () => {
  const token = visits(...Array.from({ length: 200 }, (_, i) => i - 199))!
  assert.equal(token.days, KNOWN_DAYS)
  assert.deepEqual(readKnown(keys, site, writeKnown(keys, site, token), now), token)
})

test("the operator's login makes one known at once, without another meter, and stays", () => {
  const token = earn(undefined, now, random8(), true)!
  assert.ok(isKnown(token, now))
  const plain = earn(undefined, now, random8())!
  assert.deepEqual(earn(plain, now, random8(), true), { ...plain, login: true })
  assert.equal(earn(token, now, random8(), true), undefined)
  assert.ok(earn(token, now + DAY_S, random8())!.login)
  assert.ok(!isKnown(token, now + 61 * DAY_S))
})

test('what is written is read for sixty days, over changes of keys', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 8, maxLength: 8 }),
      fc.integer({ min: 1, max: 60_000 }),
      fc.nat(59),
      fc.nat(20_000),
      fc.boolean(),
      (id, lastDay, more, before, login) => {
        const token: KnownToken = {
          id: Buffer.from(id).toString('base64url'),
          firstDay: Math.max(0, lastDay - before - more),
          lastDay,
          days: Math.min(more, lastDay - Math.max(0, lastDay - before - more)) + 1,
          login,
        }
        const text = writeKnown(keys, site, token)
        assert.ok(text.length <= 64, text)
        for (const at of [lastDay * DAY_S, (lastDay + 61) * DAY_S - 1, lastDay * DAY_S - 30])
          assert.deepEqual(readKnown(keys, site, text, at), token)
        assert.equal(readKnown(keys, site, text, (lastDay + 61) * DAY_S), 'expired')
        assert.equal(readKnown(keys, site, text, lastDay * DAY_S - 31), 'future')
      },
    ),
  )
})

test('a token of another site, another master or another purpose is forged', () => {
  const text = writeKnown(keys, site, visits(-1, 0)!)
  assert.equal(readKnown(keys, 'example.com', text, now), 'forged')
  assert.equal(readKnown(new KeyRing(Buffer.alloc(32, 2)), site, text, now), 'forged')
  const once = writeKnown(keys, site, visits(0)!)
  assert.equal(readKnown(keys, site, once.replace('.0.1.0.', '.0.1.1.'), now), 'forged')
})

test('days that cannot be are malformed, whoever signed them', () => {
  const token = visits(-1, 0)!
  for (const wrong of [{ days: 3 }, { days: 0 }, { days: 61, firstDay: 19_000 }, { firstDay: 20_001 }]) {
    const text = writeKnown(keys, site, { ...token, ...wrong })
    assert.equal(readKnown(keys, site, text, now), 'malformed', JSON.stringify(wrong))
  }
})

test('every other spelling of a token is refused, and nothing throws', () => {
  for (const other of hostileSpellings(writeKnown(keys, site, visits(-1, 0)!)))
    assert.equal(typeof readKnown(keys, site, other, now), 'string', other.slice(0, 100))
})

test('a clock that went ahead and came back leaves a token of the future: another one is earned', () => {
  const ahead = writeKnown(keys, site, visits(5)!)
  assert.equal(readKnown(keys, site, ahead, now), 'future')
})

test('a prefix is given so many tokens a day and no more, and others are not touched', () => {
  const refused: string[] = []
  const quota = new KnownQuota({ count: (counter) => refused.push(counter) })
  const client = { asn: 64_500, prefix: '192.0.2.0/24' }
  let given = 0
  for (let i = 0; i < 1000; i++) if (quota.mayGive(client, now)) given++
  assert.equal(given, QUOTA_PREFIX)
  assert.equal(refused.length, 1000 - QUOTA_PREFIX)
  assert.ok(quota.mayGive({ asn: 64_500, prefix: '198.51.100.0/24' }, now))
  assert.ok(!quota.mayGive(client, now + 3600))
  assert.ok(quota.mayGive(client, now + DAY_S))
})

test('a network is given so many over all its prefixes; an unknown network has no such bound', () => {
  const quota = new KnownQuota({ key: { k0: 1, k1: 2 } })
  const unknown = new KnownQuota({ key: { k0: 1, k1: 2 } })
  let given = 0
  let givenUnknown = 0
  for (let i = 0; i < 3 * QUOTA_ASN; i++) {
    const prefix = `10.${i >> 8}.${i & 255}.0/24`
    if (quota.mayGive({ asn: 64_500, prefix }, now)) given++
    if (unknown.mayGive({ asn: 0, prefix }, now)) givenUnknown++
  }
  assert.equal(given, QUOTA_ASN)
  assert.equal(givenUnknown, 3 * QUOTA_ASN)
  assert.ok(quota.mayGive({ asn: 64_501, prefix: '192.0.2.0/24' }, now))
})

test('threads share the quota', () => {
  const quotas = Array.from({ length: 4 }, () => new KnownQuota({ threads: 4 }))
  let given = 0
  for (let i = 0; i < 1000; i++) if (quotas[i % 4]!.mayGive({ asn: 1, prefix: '192.0.2.0/24' }, now)) given++
  assert.equal(given, QUOTA_PREFIX)
})

test('one token shown by ten thousand bots of one network tomorrow: ten thousand known without the quota, few with it', () => {
  const harvested = earn(undefined, now - DAY_S, random8())!
  const quota = new KnownQuota()
  const bot = { asn: 64_500, prefix: '192.0.2.0/24' }
  const without = new Set<string>()
  const withQuota = new Set<string>()
  for (let i = 0; i < 10_000; i++) {
    const token = earn(harvested, now, random8())!
    if (!isKnown(token, now)) continue
    without.add(token.id)
    if (quota.mayGive(bot, now)) withQuota.add(token.id)
  }
  assert.equal(without.size, 10_000)
  assert.equal(withQuota.size, QUOTA_PREFIX)
})
