import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { EFFECTS, type Signature, type SiteSignatures, type Term, UNFAMILIAR } from './signature.ts'
import { describeTerm, SignatureMatcher, signatureId } from './signature-match.ts'
import { TRAITS, type TraitName, type Traits } from './traits.ts'

type Values = Partial<Record<TraitName, string>>
const NAMES = TRAITS.map(({ name }) => name)
const traitsOf = (values: Values): Traits => NAMES.map((name) => values[name] ?? '')

function signature(values: Values, changes: Partial<Signature> = {}): Signature {
  const terms = NAMES.filter((name) => values[name] !== undefined).map((trait) => ({
    trait,
    value: values[trait]!,
  }))
  return {
    id: signatureId(terms),
    terms,
    effect: 'weight',
    isPinned: false,
    publishedAtMs: 0,
    expiresAtMs: 1e15,
    support: 0.5,
    baseline: 0,
    baselineAtMost: 0.001,
    lift: 500,
    visitors: 0,
    reason: '',
    ...changes,
  }
}

const matcher = (signatures: readonly Signature[], familiar: SiteSignatures['familiar'] = {}) =>
  new SignatureMatcher({ signatures, familiar })

describe('which signature a request fits', () => {
  test('all terms have to be there', () => {
    const one = signature({ tls: 'a', agent: 'curl', path: '/x' })
    const { match } = bound(matcher([one]))
    assert.equal(match({ tls: 'a', agent: 'curl', path: '/x', query: 'q' }), one)
    assert.equal(match({ tls: 'a', agent: 'curl', path: '/y' }), undefined)
    assert.equal(match({ tls: 'a', path: '/x' }), undefined)
  })

  test('an absent value is a term like any', () => {
    const { match } = bound(matcher([signature({ agent: '', language: '' })]))
    assert.ok(match({}))
    assert.equal(match({ agent: 'curl' }), undefined)
  })

  test('unfamiliar is what calm weather did not show, but never what is absent', () => {
    const one = signature({ order: UNFAMILIAR, agent: 'Chrome/Windows' })
    const { match } = bound(matcher([one], { order: ['1-6-a', '1-6-b'] }))
    assert.equal(match({ order: '1-6-c', agent: 'Chrome/Windows' }), one)
    assert.equal(match({ order: '1-6-a', agent: 'Chrome/Windows' }), undefined)
    assert.equal(match({ order: '', agent: 'Chrome/Windows' }), undefined)
    const { match: alone } = bound(matcher([signature({ agent: UNFAMILIAR })], { agent: [] }))
    assert.ok(alone({ agent: 'x' }))
    assert.equal(alone({ agent: '' }), undefined)
  })

  test('without a list of familiar values nobody is unfamiliar', () => {
    const { match } = bound(matcher([signature({ agent: UNFAMILIAR })]))
    assert.equal(match({ agent: 'x' }), undefined)
  })

  test('a value that is called "*" by a client is no wildcard', () => {
    const { match } = bound(matcher([signature({ language: UNFAMILIAR, tls: 'a' })], { language: ['*'] }))
    assert.equal(match({ language: '*', tls: 'a' }), undefined)
  })

  test('the hardest effect wins, then the older', () => {
    const weight = signature({ agent: 'curl' })
    const refuse = signature({ path: '/x' }, { effect: 'refuse' })
    const price = signature({ tls: 'a' }, { effect: 'price' })
    const older = signature({ method: 'GET' }, { publishedAtMs: -1 })
    const { match } = bound(matcher([weight, refuse, price, older]))
    assert.equal(match({ agent: 'curl', path: '/x', tls: 'a' }), refuse)
    assert.equal(match({ agent: 'curl', tls: 'a' }), price)
    assert.equal(match({ agent: 'curl', method: 'GET' }), older)
  })

  test('no terms fit nobody, and a trait of another version neither', () => {
    const { match } = bound(matcher([signature({}), signature({ ['nothing' as TraitName]: 'x' })]))
    assert.equal(match({}), undefined)
    const odd = { ...signature({ agent: 'x' }), terms: [{ trait: 'nothing' as TraitName, value: 'x' }] }
    assert.equal(bound(matcher([odd])).match({ agent: 'x' }), undefined)
  })

  test('it says which traits it needs', () => {
    const needs = matcher([signature({ tls: 'a', path: '/' }), signature({ order: UNFAMILIAR })], {
      order: [],
    }).needs
    assert.deepEqual([...needs].sort(), ['order', 'path', 'tls'])
    assert.equal(matcher([]).needs.size, 0)
  })

  test('it fits exactly whom the terms say, whatever else is in force', () => {
    const value = fc.constantFrom('', 'a', 'b', 'c')
    const vector = fc.array(value, { minLength: NAMES.length, maxLength: NAMES.length })
    const term = fc.record({
      trait: fc.constantFrom(...NAMES.slice(0, 4)),
      value: fc.constantFrom('', 'a', 'b', UNFAMILIAR),
    })
    const set = fc.uniqueArray(term, { minLength: 1, maxLength: 3, selector: ({ trait }) => trait })
    const familiar = { tls: ['a'], order: ['a', 'b'], h2: [] }
    fc.assert(
      fc.property(
        vector,
        fc.array(fc.tuple(set, fc.constantFrom(...EFFECTS.slice(1))), { maxLength: 64 }),
        (traits, sets) => {
          const all = sets.map(([terms, effect], i) =>
            signature(Object.fromEntries(terms.map((one) => [one.trait, one.value])) as Values, {
              effect: effect as Signature['effect'],
              publishedAtMs: i,
            }),
          )
          const fitting = all.filter(({ terms }) =>
            terms.every(({ trait, value: wanted }) => {
              const shown = traits[NAMES.indexOf(trait)]!
              if (wanted !== UNFAMILIAR) return shown === wanted
              const known = (familiar as SiteSignatures['familiar'])[trait]
              return shown !== '' && known !== undefined && !known.includes(shown)
            }),
          )
          const hardness = ({ effect }: Signature) => EFFECTS.indexOf(effect)
          fitting.sort((a, b) => hardness(b) - hardness(a) || a.publishedAtMs - b.publishedAtMs)
          assert.equal(matcher(all, familiar).match(traits), fitting[0])
        },
      ),
      { numRuns: 500, seed: 7 },
    )
  })
})

describe('a signature in words', () => {
  test('its id is of its terms, in any order, and of nothing else', () => {
    const terms: Term[] = [
      { trait: 'tls', value: 'a' },
      { trait: 'path', value: '/x' },
    ]
    assert.match(signatureId(terms), /^s[0-9a-f]{10}$/)
    assert.equal(signatureId(terms), signatureId(terms.toReversed()))
    assert.notEqual(signatureId(terms), signatureId([{ trait: 'tls', value: 'a' }]))
    assert.notEqual(
      signatureId([{ trait: 'tls', value: 'a","path' }]),
      signatureId([
        { trait: 'tls', value: 'a' },
        { trait: 'path', value: '' },
      ]),
    )
  })

  test('every trait has words for a value, for none and for an unfamiliar one', () => {
    const all = NAMES.flatMap((trait) =>
      ['value', '', UNFAMILIAR].map((value) => describeTerm({ trait, value })),
    )
    for (const words of all) assert.match(words, /^[a-z].{8,}[^.]$/)
    assert.equal(new Set(all).size >= all.length - 1, true)
    assert.equal(
      describeTerm({ trait: 'contradiction', value: 'chrome-without-hints' }),
      'claim to be Chrome and send no client hints',
    )
    assert.equal(
      describeTerm({ trait: 'agent', value: 'bot:Googlebot' }),
      'call themselves the robot Googlebot',
    )
  })
})

/** `match` over traits by name. */
function bound(of: SignatureMatcher): { match: (values: Values) => Signature | undefined } {
  return { match: (values) => of.match(traitsOf(values)) }
}
