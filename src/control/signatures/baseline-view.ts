/**
 * The calm baseline as mining asks it: how many of its clients fit these terms.
 *
 * What calm weather did not show has no frequency of its own, but a share all the same: the next client may
 * bring a value that none before had. Good and Turing's estimate of it is the share of vectors whose
 * value no other client shows (leave one out). So a signature may say "an order of fields that nobody had", and
 * its baseline is that share, alone or together with other terms.
 */
import { type Term, TRAITS, type TraitName, UNFAMILIAR } from '#recognise'
import { BitSet } from './bit-set.ts'
import { poissonAtMost } from './statistics.ts'
import type { CalmVector } from './trait-baseline.ts'
import { COLUMN } from './trait-columns.ts'

/** Edges hold the familiar values of a trait as a set; beyond this, a trait has no unfamiliar ones. */
const MOST_FAMILIAR = 512
/** Below this a value that nobody showed may still be one in fifty's: with a hundred, a seeded test touched 3.5 % of visitors. */
export const LEAST_CALM_CLIENTS = 200

/** Vectors that fit are told apart by client up to so many. */
const COUNTED = 128

export interface CalmShare {
  /** Vectors that fit. */
  readonly fits: number
  /** Vectors of which all terms' traits are known. */
  readonly of: number
  /** The clients behind those, a client with several vectors counting once; and those of them that fit. */
  readonly clients: number
  readonly fittingClients: number
  /** fits / of; 0 when nothing is known. */
  readonly share: number
  /** Upper bound of the share at 95 %; 1 when nothing is known. */
  readonly atMost: number
}

export class BaselineView {
  readonly size: number
  /** Distinct clients. */
  readonly clients: number
  readonly #vectors: readonly CalmVector[]
  readonly #byValue: readonly ReadonlyMap<string, readonly number[]>[]
  readonly #unfamiliar: readonly BitSet[]
  readonly #known: readonly BitSet[]
  readonly #clientsPerVector: number

  constructor(vectors: readonly CalmVector[]) {
    this.#vectors = vectors
    this.size = vectors.length
    this.clients = new Set(vectors.map(({ client }) => client)).size
    // Vectors of one client say the same: the bound must not take them for as many clients.
    this.#clientsPerVector = this.clients / Math.max(1, this.size)
    const postings = TRAITS.map(() => new Map<string, number[]>())
    this.#known = TRAITS.map(() => new BitSet(this.size))
    for (const [i, { traits, unknown }] of vectors.entries())
      for (let column = 0; column < TRAITS.length; column++) {
        if ((unknown >>> column) & 1) continue
        this.#known[column]!.add(i)
        const value = traits[column]!
        const posting = postings[column]!.get(value)
        if (posting === undefined) postings[column]!.set(value, [i])
        else posting.push(i)
      }
    this.#unfamiliar = postings.map((values) => {
      const alone = new BitSet(this.size)
      for (const [value, posting] of values) {
        const { client } = vectors[posting[0]!]!
        if (value !== '' && posting.every((i) => vectors[i]!.client === client))
          for (const i of posting) alone.add(i)
      }
      return alone
    })
    this.#byValue = postings
  }

  get isReady(): boolean {
    return this.clients >= LEAST_CALM_CLIENTS
  }

  /** Values that calm weather showed, '' among them; undefined when they are too many to tell edges. */
  familiar(trait: TraitName): readonly string[] | undefined {
    const values = this.#byValue[COLUMN[trait]]!
    if (!this.canBeUnfamiliar(COLUMN[trait])) return undefined
    // What is not there may be what nobody knows: it is never called unfamiliar.
    return values.has('') ? [...values.keys()] : ['', ...values.keys()]
  }

  canBeUnfamiliar(column: number): boolean {
    return this.#byValue[column]!.size <= MOST_FAMILIAR && this.#known[column]!.count > 0
  }

  isFamiliar(column: number, value: string): boolean {
    return value === '' || this.#byValue[column]!.has(value)
  }

  /** The smallest upper bound that so much calm weather can give: of what nobody showed. */
  get leastShare(): number {
    return poissonAtMost(0) / Math.max(1, this.clients)
  }

  /** How common these terms are in calm weather, all together. */
  share(terms: readonly Term[]): CalmShare {
    let fitting: BitSet | undefined
    let known: BitSet | undefined
    for (const { trait, value } of terms) {
      const column = COLUMN[trait]
      const knows = this.#known[column]!
      known = known?.and(knows) ?? knows
      const here = value === UNFAMILIAR ? this.#unfamiliar[column]! : this.#bitsOf(column, value)
      fitting = fitting?.and(here) ?? here
    }
    const of = known?.count ?? 0
    if (fitting === undefined || known === undefined || of === 0)
      return { fits: 0, of: 0, clients: 0, fittingClients: 0, share: 0, atMost: 1 }
    const both = fitting.and(known)
    const fits = both.count
    const clients = of * this.#clientsPerVector
    // Exactly where it decides; what is common is common either way.
    const fittingClients =
      fits > COUNTED
        ? fits * this.#clientsPerVector
        : new Set([...both].map((i) => this.#vectors[i]!.client)).size
    return {
      fits,
      of,
      clients,
      fittingClients,
      share: fits / of,
      atMost: Math.min(1, poissonAtMost(fittingClients) / clients),
    }
  }

  #bitsOf(column: number, value: string): BitSet {
    const bits = new BitSet(this.size)
    for (const i of this.#byValue[column]!.get(value) ?? []) bits.add(i)
    return bits
  }

  /** The most common values of a trait with their share of those that show it, for people to read. */
  common(trait: TraitName, count: number): { readonly value: string; readonly share: number }[] {
    const of = Math.max(1, this.#known[COLUMN[trait]]!.count)
    return Array.from(this.#byValue[COLUMN[trait]]!, ([value, posting]) => ({
      value,
      share: posting.length / of,
    }))
      .sort((a, b) => b.share - a.share)
      .slice(0, count)
  }

  /** Hours of the newest and of the oldest vector, ms since the epoch; undefined when there is none. */
  get spanMs(): readonly [from: number, to: number] | undefined {
    if (this.size === 0) return undefined
    let from = Number.POSITIVE_INFINITY
    let to = Number.NEGATIVE_INFINITY
    for (const { atMs } of this.#vectors) {
      from = Math.min(from, atMs)
      to = Math.max(to, atMs)
    }
    return [from, to]
  }
}
