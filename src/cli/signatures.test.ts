import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { orThrow, readConfigText } from '#config'
import { SIGNATURE_EXPORTS, type SiteSignaturesStatus } from '#control'
import { identify } from '#networks'
import { type Signature, SignatureMatcher, type Term, TRAITS, type Traits, UNFAMILIAR } from '#recognise'
import { RuleSet } from '#rules'
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

/** What `export --format rules` writes, read by Digue as a configuration that has an origin besides. */
function rulesOf(signatures: readonly Signature[]) {
  const { render } = SIGNATURE_EXPORTS.find(({ name }) => name === 'rules')!
  const text = render([site({ published: signatures.map((one) => ({ ...published, ...one })) })], nowMs)
  const whole = text.replace('    rules:', '    origin: http://127.0.0.1:3000\n    rules:')
  const [only] = orThrow(readConfigText(whole, { environment: { HOME: 'secret' } })).sites
  return { text, rules: only!.rules }
}

const traitsWith = (terms: readonly Term[]): Traits =>
  TRAITS.map(({ name }) => terms.find(({ trait }) => trait === name)?.value ?? 'something else')

function decides(rules: ReturnType<typeof rulesOf>['rules'], traits: Traits, posture = 'flooded'): boolean {
  const head = { method: 'GET', target: '/', version: '1.1', host: 'www.example.org', fields: [] } as const
  const client = { ...identify('192.0.2.7'), asn: 64496 }
  return RuleSet.compile(rules).decide({ head, isSecure: true, client, posture, traits, nowMs }) !== undefined
}

test('a signature that became a rule fits what the signature fits, whatever strangers put into it', () => {
  const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code))
  const value = fc.oneof(
    fc.string({ unit: byte, maxLength: 40 }),
    fc.string({ unit: byte, minLength: 120, maxLength: 120 }),
    fc.constantFrom('', '"', '" || true || "', '\\', '${HOME}', '$${HOME}', '\n- name: x', '# x', ': ', "'"),
  )
  const names = TRAITS.map(({ name }) => name)
  const terms = fc
    .tuple(fc.subarray(names, { minLength: 1, maxLength: 3 }), fc.tuple(value, value, value))
    .map(([traits, values]) => traits.map((trait, i): Term => ({ trait, value: values[i]! })))
    .filter((all) => all.every((term) => term.value !== UNFAMILIAR))
  fc.assert(
    fc.property(terms, value, (all, reason) => {
      const signature: Signature = { ...published, terms: all, reason: `because ${reason}` }
      const { text, rules } = rulesOf([signature])
      if (text.includes('no rule can say it')) return assert.deepEqual(rules, [])
      assert.equal(rules.length, 1)
      assert.doesNotMatch(rules[0]!.note!, /secret/)
      const matcher = new SignatureMatcher({ signatures: [signature], familiar: {} })
      const other = all.map((term) => ({ ...term, value: `${term.value}x` }))
      for (const traits of [traitsWith(all), traitsWith(all.slice(1)), traitsWith(other)])
        assert.equal(decides(rules, traits), matcher.match(traits) !== undefined)
      assert.equal(decides(rules, traitsWith(all), 'calm'), false)
    }),
    { numRuns: 100 },
  )
})

test('a rule ends by itself, and with `refuse` spares known visitors as the signature does', () => {
  const curl: readonly Term[] = [{ trait: 'agent', value: 'curl' }]
  const { rules } = rulesOf([{ ...published, terms: curl, effect: 'refuse' }])
  assert.equal(rules[0]!.then, 'refuse')
  assert.equal(rules[0]!.until, '2027-01-29')
  assert.equal(decides(rules, traitsWith(curl)), true)
  assert.equal(decides(rules, traitsWith([...curl, { trait: 'clearance', value: 'known' }])), false)
})

test('what no rule can say is a comment with the reason', () => {
  const { text, rules } = rulesOf([{ ...published, terms: [{ trait: 'order', value: UNFAMILIAR }] }])
  assert.deepEqual(rules, [])
  assert.match(text, /# {3}no rule can say it: it tells the order apart by all that calm weather showed/)
})
