import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SiteSignaturesStatus } from '#control'
import { signaturesText } from './signatures.ts'

const nowMs = 1_800_000_000_000

function site(changes: Partial<SiteSignaturesStatus> = {}): SiteSignaturesStatus {
  return {
    site: 'www.example.org',
    published: [],
    heldBack: [],
    forbidden: [],
    calmVectors: 4096,
    calmClients: 3874,
    isReady: true,
    withdrawn: 0,
    leftOut: 0,
    samplesLost: 0,
    ...changes,
  }
}

const published = {
  id: 's3f2a91c07b',
  terms: [{ trait: 'agent', value: 'curl' }],
  effect: 'weight',
  isPinned: false,
  publishedAtMs: nowMs,
  expiresAtMs: nowMs + 52_000,
  support: 0.62,
  baseline: 0,
  baselineAtMost: 0.0007,
  lift: 2540,
  visitors: 0,
  reason: '62 % of the clients now claim to be curl.',
  requests: 184_021,
  proven: 0,
} as const

test('what is in force is shown with its reason, and what is held back with why', () => {
  const heldBack = {
    id: 's81d0c22e9a',
    terms: [],
    why: 'visitors',
    support: 0.1,
    baseline: 0.02,
    lift: 5,
    reason: 'Too common.',
  } as const
  const text = signaturesText(
    [
      site({
        published: [published, { ...published, id: 's0000000000', isPinned: true, effect: 'refuse' }],
        heldBack: [heldBack],
        forbidden: [{ id: 's1111111111', terms: [], note: 'our app', atMs: nowMs - 7_200_000 }],
      }),
    ],
    nowMs,
  )
  assert.match(
    text,
    /^www\.example\.org: 2 in force\. Calm weather is known by 4096 requests of 3874 clients\./,
  )
  assert.match(text, /s3f2a91c07b +weight +62 % +< 0\.1 % +184021 +0 +52 s left\n {2}62 % of the clients/)
  assert.match(text, /s0000000000 +refuse .*52 s left, pinned/)
  assert.match(text, /Held back:\n {2}s81d0c22e9a {2}Too common\./)
  assert.match(text, /Forbidden by you:\n {2}s1111111111 {2}2 h ago {2}our app/)
})

test('a site that knows too little says so, and quiet sites are only counted', () => {
  assert.match(signaturesText([site({ isReady: false, calmClients: 57 })], nowMs), /57 of 200 clients/)
  const text = signaturesText([site(), site({ site: 'b.example', published: [published] })], nowMs)
  assert.match(text, /^b\.example: 1 in force/)
  assert.match(text, /No signatures on 1 site\.\n$/)
})

test('nothing that a client wrote steers the terminal', () => {
  const reason = 'a\u001b[2Jb\nc\u202ed'
  const text = signaturesText([site({ published: [{ ...published, reason }] })], nowMs)
  assert.doesNotMatch(text, /[\u001b\u202e]/)
  assert.equal(text.split('\n').length, 5)
})
