import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkParts } from '#challenge'
import { effortMs, MS_PER_PART } from './effort.ts'
import { bodyText, readChallenge, readOffer, readProofAnswer } from './offer.ts'
import { type Fetched, pay } from './payment.ts'
import { forgedChallenge, junkTarget, Proof, RealDifficultyError } from './puzzle.ts'
import { seeded } from './random.ts'

const MAC = Buffer.from('0123456789abcdef')
const OFFER = {
  challenge: `1.z.cHJlZml4.${MAC.toString('base64url')}`,
  bits: 3,
  price: 4,
  isStatic: false,
}

const answer = (status: number, body: object): Fetched => ({ status, head: '', body: JSON.stringify(body) })
const PAID = answer(200, { status: 'paid', effort: 4 })
const FAULT = answer(400, { status: 'fault', fault: 'expired' })
const RENEWED = answer(200, { challenge: OFFER.challenge, bits: 3, price: 5 })

/** Pays where `answers` are what it is told, one after another; resolves with the end and what was sent. */
async function paying(answers: (Fetched | undefined)[], isIdle = () => false) {
  const sent: URL[] = []
  const slept: number[] = []
  const end = await pay(OFFER, {
    random: seeded(1),
    msPerPart: 15,
    isIdle,
    sleep: async (ms) => slept.push(ms),
    fetch: async (target) => {
      sent.push(new URL(target, 'http://x'))
      return answers.shift()
    },
  })
  return { end, sent, slept, left: answers.length }
}

const part = (url: URL, name: string) => Buffer.from(url.searchParams.get(name)!, 'base64url')

test('what is sent is a proof of the price', async () => {
  const { end, sent } = await paying([PAID])
  assert.equal(end, 'paid')
  assert.equal(sent[0]!.pathname, '/.well-known/digue/proof')
  assert.equal(sent[0]!.searchParams.get('challenge'), OFFER.challenge)
  assert.equal(checkParts(MAC, part(sent[0]!, 'seed'), part(sent[0]!, 'nonces'), OFFER.bits), 4)
})

test('a higher price is worked for under the same seed, and all parts are sent again', async () => {
  const raised = answer(202, { status: 'price', price: 9 })
  const { end, sent } = await paying([raised, raised, PAID])
  assert.equal(end, 'paid')
  const nonces = sent.map((url) => part(url, 'nonces'))
  // A quarter of nine more each time.
  assert.deepEqual(
    nonces.map((bytes) => bytes.length / 4),
    [4, 7, 9],
  )
  assert.equal(new Set(sent.map((url) => url.searchParams.get('seed'))).size, 1)
  assert.deepEqual(nonces[2]!.subarray(0, 28), nonces[1])
  assert.equal(checkParts(MAC, part(sent[2]!, 'seed'), nonces[2]!, OFFER.bits), 9)
})

test('a fault means a new challenge, three of them mean help', async () => {
  const once = await paying([FAULT, RENEWED, PAID])
  assert.equal(once.end, 'paid')
  assert.equal(once.sent[1]!.pathname, '/.well-known/digue/challenge')
  assert.equal(part(once.sent[2]!, 'nonces').length, 20)
  assert.notDeepEqual(part(once.sent[0]!, 'seed'), part(once.sent[2]!, 'seed'))
  const thrice = await paying([FAULT, RENEWED, FAULT, RENEWED, FAULT, RENEWED])
  assert.equal(thrice.end, 'help')
  assert.equal(thrice.left, 1)
  assert.equal((await paying([FAULT, undefined, answer(503, {}), RENEWED, PAID])).end, 'paid')
})

test('a busy server is asked again with the same proof, and a server that asks for ever is given up', async () => {
  const busy = answer(503, { status: 'busy', retryAfterS: 2 })
  const { end, sent, slept } = await paying([busy, PAID])
  assert.equal(end, 'paid')
  assert.equal(sent[0]!.href, sent[1]!.href)
  assert.equal(slept.at(-1), 2000)
  const again = answer(202, { status: 'price', price: 4 })
  const lost = await paying([again, undefined, answer(502, {}), again, undefined, again, PAID])
  assert.equal(lost.end, 'help')
  assert.deepEqual(lost.slept.slice(1), [2000, 4000, 8000, 16_000, 32_000])
})

test('who has no page waiting stops working', async () => {
  const { end, sent } = await paying([], () => true)
  assert.equal(end, 'left')
  assert.equal(sent.length, 0)
})

test('the real difficulty is not solved here', () => {
  assert.throws(() => new Proof({ ...OFFER, bits: 18 }, seeded(1)), RealDifficultyError)
})

test('junk has the shape of a proof, and a forged challenge that of a challenge', () => {
  const url = new URL(junkTarget(OFFER.challenge, 16, seeded(3)), 'http://x')
  assert.equal(part(url, 'nonces').length, 64)
  assert.equal(part(url, 'seed').length, 16)
  const forged = forgedChallenge(OFFER.challenge, seeded(3))
  assert.equal(forged.length, OFFER.challenge.length)
  assert.notEqual(forged, OFFER.challenge)
})

test('the time of n parts has the mean of n parts and the spread of their sum', () => {
  const random = seeded(5)
  for (const [parts, p99] of [
    [1, 4.6],
    [16, 1.7],
  ] as const) {
    const times = Array.from({ length: 20_000 }, () => effortMs(random, parts, 15)).sort((a, b) => a - b)
    const mean = times.reduce((a, b) => a + b, 0) / times.length
    assert.ok(Math.abs(mean / (15 * parts) - 1) < 0.03, String(mean))
    assert.ok(Math.abs(times[Math.floor(0.99 * times.length)]! / mean / p99 - 1) < 0.1)
  }
  assert.equal(MS_PER_PART.phone, 10 * MS_PER_PART.desktop!)
})

test('pages and answers are read whatever a server says', () => {
  const html = `<html data-kind="static"><body data-challenge="1.a.b.c" data-bits="4" data-price="1">`
  assert.deepEqual(readOffer(html), { challenge: '1.a.b.c', bits: 4, price: 1, isStatic: true })
  const bare = '<a id=go href="/" data-challenge="1.a.b.c" data-bits=18 data-price=16 data-poll=30>'
  assert.deepEqual(readOffer(bare), { challenge: '1.a.b.c', bits: 18, price: 16, isStatic: false })
  assert.equal(readOffer('<body data-challenge="1.a.b.c" data-bits="4">'), undefined)
  assert.equal(readOffer('<body data-challenge="" data-bits="4" data-price="3">'), undefined)
  assert.deepEqual(readProofAnswer(503, '<html>'), { kind: 'busy', afterMs: 1000 })
  assert.deepEqual(readProofAnswer(502, ''), { kind: 'other' })
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 599 }), fc.json(), fc.string(), (status, body, text) => {
      readProofAnswer(status, body)
      readChallenge(status, body)
      readOffer(text)
      bodyText('\r\ncontent-encoding: gzip', text)
    }),
  )
})
