/**
 * What one edge thread knows of a site's floods: the signatures in force, how often each fitted, the sample of clients
 * that the brain mines them from, and the operator's rules.
 *
 * Traits are read for the few requests of the sample, and for every request only while a signature is in force; a
 * rule reads those that it names. Without any of them a request costs a countdown.
 */
import type { SiteConfig } from '#config'
import type { Posture, SignatureTally, SiteReport, TraitSample } from '#control'
import { type Signature, SignatureMatcher, type SiteSignatures, TRAITS, type TraitName } from '#recognise'
import { RuleSet } from '#rules'
import type { Exchange } from '../exchange.ts'
import { TraitSampler } from './trait-sampler.ts'

/** What is known of a client before its handshake. */
const BEFORE_HANDSHAKE: ReadonlySet<TraitName> = new Set(['tls', 'network'])
const TLS = TRAITS.findIndex(({ name }) => name === 'tls')
const NETWORK = TRAITS.findIndex(({ name }) => name === 'network')

interface Tally {
  requests: number
  proven: number
}

export class SiteRecognition {
  readonly #sampler = new TraitSampler<TraitSample>()
  #config: SiteConfig
  rules: RuleSet
  posture: Posture = 'calm'
  #matcher: SignatureMatcher | undefined
  /** Of the signatures that say nothing but what is known before a handshake. */
  #helloMatcher: SignatureMatcher | undefined
  /** By signature in force. */
  #tallies = new Map<string, Tally>()

  constructor(config: SiteConfig) {
    this.#config = config
    this.rules = RuleSet.compile(config.rules)
  }

  /** The site's configuration has changed. */
  configure(config: SiteConfig): void {
    const isSame = JSON.stringify(config.rules) === JSON.stringify(this.#config.rules)
    // The same rules go on counting.
    if (!isSame) this.rules = RuleSet.compile(config.rules)
    this.#config = config
    if (!config.signatures) this.#force([], {})
  }

  /** A new policy, or one of which something has expired. The first expiry of what is in force now, wall clock. */
  setPolicy(posture: Posture, published: SiteSignatures | undefined, wallMs: number): number {
    this.posture = posture
    this.#sampler.isFull = posture !== 'calm'
    if (published === undefined || !this.#config.signatures) {
      if (this.#matcher !== undefined) this.#force([], {})
      return Number.POSITIVE_INFINITY
    }
    const live = published.signatures.filter(({ expiresAtMs }) => expiresAtMs > wallMs)
    this.#force(live, published.familiar)
    return live.reduce((first, { expiresAtMs }) => Math.min(first, expiresAtMs), Number.POSITIVE_INFINITY)
  }

  /** Takes the request into the brain's sample, when it is its turn. */
  sample(exchange: Exchange): void {
    const { client, lane } = exchange
    if (!this.#config.signatures || !this.#sampler.wants(client.subscriber)) return
    const { asn, prefix, subscriber } = client
    this.#sampler.keep(subscriber, { asn, prefix, subscriber, lane, traits: exchange.traits })
  }

  /** The signature that the request fits, the hardest first; counted. */
  match(exchange: Exchange): Signature | undefined {
    const signature = this.#matcher?.match(exchange.traits)
    if (signature === undefined) return undefined
    const tally = this.#tallies.get(signature.id)!
    tally.requests++
    if (exchange.lane !== 'unproven') tally.proven++
    return signature
  }

  /** Whether what is known before a handshake is a signature by itself. */
  isMarked(ja4: () => string, asn: number): boolean {
    if (this.#helloMatcher === undefined) return false
    const traits = new Array<string>(TRAITS.length).fill('')
    traits[TLS] = ja4()
    traits[NETWORK] = asn === 0 ? '' : `AS${asn}`
    return this.#helloMatcher.match(traits) !== undefined
  }

  /** What happened since the last call, for the report; what there is nothing of is left out. */
  drain(): Pick<SiteReport, 'traits' | 'signatures' | 'rules' | 'rulesCut'> {
    const traits = this.#sampler.drain()
    const signatures: SignatureTally[] = []
    for (const [id, tally] of this.#tallies) {
      if (tally.requests > 0) signatures.push({ id, ...tally })
      tally.requests = tally.proven = 0
    }
    const { rules, cutRequests } = this.rules.drain()
    return {
      ...(traits.length > 0 && { traits }),
      ...(signatures.length > 0 && { signatures }),
      ...(rules.length > 0 && { rules }),
      ...(cutRequests > 0 && { rulesCut: cutRequests }),
    }
  }

  #force(signatures: readonly Signature[], familiar: SiteSignatures['familiar']): void {
    this.#matcher = matcherOf(signatures, familiar)
    const ofHello = signatures.filter(({ terms }) => terms.every(({ trait }) => BEFORE_HANDSHAKE.has(trait)))
    this.#helloMatcher = matcherOf(ofHello, familiar)
    const before = this.#tallies
    this.#tallies = new Map(signatures.map(({ id }) => [id, before.get(id) ?? { requests: 0, proven: 0 }]))
  }
}

function matcherOf(
  signatures: readonly Signature[],
  familiar: SiteSignatures['familiar'],
): SignatureMatcher | undefined {
  return signatures.length === 0 ? undefined : new SignatureMatcher({ signatures, familiar })
}
