/**
 * Which signature does a request fit? Asked for each request of a strained site, with up to some dozens
 * of signatures in force.
 *
 * A signature is filed under one of its terms with a value, by trait and value, so that a request meets only
 * those of which it shows that value: one look-up in a map per trait that any is filed under.
 * Those whose terms are all UNFAMILIAR stand in a list of their own.
 */
import { hash } from 'node:crypto'
import { CONTRADICTIONS } from './contradiction.ts'
import { EFFECTS, type Signature, type SiteSignatures, type Term, UNFAMILIAR } from './signature.ts'
import { TRAITS, type TraitName, type Traits } from './traits.ts'

const PLACE: Readonly<Record<string, number>> = Object.fromEntries(TRAITS.map(({ name }, i) => [name, i]))

interface Compiled {
  readonly signature: Signature
  readonly hardness: number
  /** Values that must be there, by place in the traits. */
  readonly exact: readonly (readonly [place: number, value: string])[]
  /** Traits whose value must not be among these. */
  readonly unfamiliar: readonly (readonly [place: number, familiar: ReadonlySet<string>])[]
}

export class SignatureMatcher {
  /** What a request has to show for `match` to tell: no other trait is looked at. */
  readonly needs: ReadonlySet<TraitName>
  /** By place of the trait. */
  readonly #filed: readonly (readonly [place: number, byValue: ReadonlyMap<string, readonly Compiled[]>])[]
  readonly #unfiled: readonly Compiled[]

  /** Expects a policy of the brain's own making: what it cannot fit (an unknown trait) fits nobody. */
  constructor(site: SiteSignatures) {
    const familiar = new Map<TraitName, ReadonlySet<string>>()
    const needs = new Set<TraitName>()
    const filed = new Map<number, Map<string, Compiled[]>>()
    const unfiled: Compiled[] = []
    for (const signature of site.signatures) {
      const one = compile(signature, site, familiar)
      if (one === undefined) continue
      for (const { trait } of signature.terms) needs.add(trait)
      const [first] = one.exact
      if (first === undefined) {
        unfiled.push(one)
        continue
      }
      let byValue = filed.get(first[0])
      if (byValue === undefined) filed.set(first[0], (byValue = new Map()))
      const beside = byValue.get(first[1])
      if (beside === undefined) byValue.set(first[1], [one])
      else beside.push(one)
    }
    this.needs = needs
    this.#filed = [...filed]
    this.#unfiled = unfiled
  }

  /** The signature with the hardest effect that fits; of several, the one published first. */
  match(traits: Traits): Signature | undefined {
    let best: Compiled | undefined
    for (const [place, byValue] of this.#filed) {
      const candidates = byValue.get(traits[place]!)
      if (candidates !== undefined)
        for (const one of candidates) if (isHarder(one, best) && fits(one, traits)) best = one
    }
    for (const one of this.#unfiled) if (isHarder(one, best) && fits(one, traits)) best = one
    return best?.signature
  }
}

function isHarder(one: Compiled, best: Compiled | undefined): boolean {
  if (best === undefined || one.hardness !== best.hardness)
    return best === undefined || one.hardness > best.hardness
  return one.signature.publishedAtMs < best.signature.publishedAtMs
}

function fits({ exact, unfamiliar }: Compiled, traits: Traits): boolean {
  for (const [place, value] of exact) if (traits[place] !== value) return false
  for (const [place, familiar] of unfamiliar) {
    const value = traits[place]!
    // What is absent or not known is not a value that calm weather did not show.
    if (value === '' || familiar.has(value)) return false
  }
  return true
}

function compile(
  signature: Signature,
  site: SiteSignatures,
  sets: Map<TraitName, ReadonlySet<string>>,
): Compiled | undefined {
  const exact: [number, string][] = []
  const unfamiliar: [number, ReadonlySet<string>][] = []
  if (signature.terms.length === 0) return undefined
  for (const { trait, value } of signature.terms) {
    const place = PLACE[trait]
    if (place === undefined) return undefined
    if (value !== UNFAMILIAR) {
      exact.push([place, value])
      continue
    }
    const values = site.familiar[trait]
    // Without knowing what is familiar, everybody would be unfamiliar.
    if (values === undefined) return undefined
    let set = sets.get(trait)
    if (set === undefined) sets.set(trait, (set = new Set(values)))
    unfamiliar.push([place, set])
  }
  // A term of the client comes first in TRAITS and is the rarer one: a flood's path may be everybody's.
  return { signature, hardness: EFFECTS.indexOf(signature.effect), exact, unfamiliar }
}

/** Of the terms alone, whatever their order: `s` and ten hexadecimal digits. */
export function signatureId(terms: readonly Term[]): string {
  const ordered = [...terms].sort((a, b) => (PLACE[a.trait] ?? 0) - (PLACE[b.trait] ?? 0))
  const text = JSON.stringify(ordered.map(({ trait, value }) => [trait, value]))
  return `s${hash('sha256', text, 'hex').slice(0, 10)}`
}

/** What clients do who fit, in words to follow "clients": "speak TLS like t13d1516h2_…". */
export function describeTerm({ trait, value }: Term): string {
  if (value === UNFAMILIAR) return UNFAMILIAR_WORDS[trait]
  if (value === '') return ABSENT_WORDS[trait]
  switch (trait) {
    case 'tls':
      return `speak TLS like ${value}`
    case 'h2':
      return `open HTTP/2 like ${value}`
    case 'order':
      return `send their fields in the order ${value}`
    case 'agent':
      return value.startsWith('bot:') ? `call themselves the robot ${value.slice(4)}` : `claim to be ${value}`
    case 'contradiction':
      return (CONTRADICTIONS as Readonly<Record<string, string>>)[value] ?? `contradict themselves (${value})`
    case 'network':
      return `come from ${value}`
    case 'cookies':
      return value === 'none'
        ? 'bring no cookies'
        : value === 'own'
          ? 'bring a cookie of Digue'
          : 'bring cookies'
    case 'clearance':
      return value === 'none' ? 'have shown neither history nor effort' : `come with the clearance "${value}"`
    case 'method':
      return `ask with ${value}`
    case 'path':
      return `ask for ${value}`
    case 'query':
      return value === '-' ? 'ask with an empty query' : `ask with the query keys ${value}`
    case 'language':
      return `accept the languages ${value}`
    case 'referrer':
      return value === 'self' ? 'come from a page of the site' : `say they come from ${value}`
    default:
      return trait satisfies never
  }
}

const ABSENT_WORDS: Readonly<Record<TraitName, string>> = {
  tls: 'do not speak TLS',
  h2: 'do not speak HTTP/2',
  order: 'send fields in no known order',
  agent: 'name no user agent',
  contradiction: 'do not contradict themselves',
  network: 'come from a network that is not known',
  cookies: 'bring no cookies',
  clearance: 'have shown neither history nor effort',
  method: 'ask with no method',
  path: 'ask for no path',
  query: 'ask without a query',
  language: 'accept no language',
  referrer: 'name no referrer',
}

const UNFAMILIAR_WORDS: Readonly<Record<TraitName, string>> = {
  tls: 'speak TLS like nobody in calm weather',
  h2: 'open HTTP/2 like nobody in calm weather',
  order: 'send their fields in an order that nobody had in calm weather',
  agent: 'claim to be what nobody was in calm weather',
  contradiction: 'contradict themselves like nobody in calm weather',
  network: 'come from networks that sent nobody in calm weather',
  cookies: 'bring cookies like nobody in calm weather',
  clearance: 'come with a clearance that nobody had in calm weather',
  method: 'ask with a method that nobody used in calm weather',
  path: 'ask for what nobody asked for in calm weather',
  query: 'ask with query keys that nobody used in calm weather',
  language: 'accept languages that nobody accepted in calm weather',
  referrer: 'say they come from where nobody came from in calm weather',
}
