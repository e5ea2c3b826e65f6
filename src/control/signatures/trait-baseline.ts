/**
 * What a site's clients look like in calm weather: a reservoir of whole trait vectors.
 *
 * Shares of single values would not do: "Firefox" and "a Chromium's TLS" are both common, together they
 * are a lie, and only whole vectors know. So of each distinct client one request per hour may come in, and at
 * most 4,096 of them are kept, chosen at random with forward decay (Efraimidis, Spirakis 2006: smallest
 * −ln(u) / w; w = 2^(t / half-life), taken as logarithms), so that what is new counts more and days ago still
 * counts. When it is full, the largest of eight parts of the day gives way: a night with few clients stays
 * represented, or every night's crawlers would be news.
 *
 * Whoever uses the site for days before an attack gets his handwriting in here, and then it is no
 * signature any more. What bounds it: a client counts once an hour and has three vectors at most, a prefix
 * 32 (0.8 %, so no single one reaches the 1 % that would protect a handwriting), a network a quarter. Who has
 * addresses in hundreds of networks and uses the site daily with a hundredth of its clients does get one
 * handwriting in, and has to keep to it. The test shows how far each gets.
 *
 * It learns nothing by itself: it is fed in calm weather only, seconds late. Clients and prefixes are kept as
 * keyed hashes.
 */
import { BoundedMap, type HashKey, hash32, randomHashKey } from '#kit'
import { LONGEST_TRAIT, TRAITS, type TraitName, type Traits } from '#recognise'
import { BaselineView, LEAST_CLIENTS } from './baseline-view.ts'
import { CAN_BE_ABSENT, handwritingOf } from './trait-columns.ts'

export const MAX_VECTORS = 4096
const HALF_LIFE_MS = 3 * 86_400_000
const LONGEST_MS = 28 * 86_400_000
const HOUR_MS = 3_600_000
const PARTS_OF_DAY = 8
const MOST_PER_CLIENT = 3
/** Until there are this many, a site may be all in one prefix or network. */
const SMALL = 1024
const MOST_PER_PREFIX = 32
const MOST_PER_PREFIX_SMALL = 256
const MOST_PER_ASN = 512
const MOST_ASN_SHARE = 0.25
/** Clients told apart within an hour. */
const MAX_HOUR_CLIENTS = 32_768
/** Clients that are remembered with their handwriting; the last to be here stay. */
const REGULARS = 16_384
const MAX_INTERNED = 16_384
/** All values together in a kept state, characters. */
const MAX_STATE_CHARACTERS = 2_000_000
/** One in so many vectors is new: the state is made anew. */
const WORTH_KEEPING = 64
const MINUTE_MS = 60_000

/** One client's request in calm weather. */
export interface CalmSample {
  readonly asn: number
  readonly prefix: string
  readonly subscriber: string
  readonly traits: Traits
}

export interface TraitBaselineOptions {
  readonly key?: HashKey
  /** 0 to 1; Math.random unless a test gives its own. */
  readonly random?: () => number
  /** Most vectors; `MAX_VECTORS` unless many sites share the room. */
  readonly capacity?: number
}

/** As kept in the state directory. */
export interface TraitBaselineState {
  readonly key: HashKey
  /** Names of the traits, so that a later version finds its own. */
  readonly traits: readonly string[]
  /** All values once. */
  readonly values: readonly string[]
  /** Place in `values` for each trait, -1 for one that is unknown; then asn, prefix, client, minute, rank. */
  readonly vectors: readonly (readonly number[])[]
}

export interface CalmVector {
  traits: Traits
  /** Bit i: trait i is not known, as in a log that does not show it. */
  unknown: number
  readonly asn: number
  readonly prefix: number
  readonly client: number
  readonly atMs: number
  /** The smallest stay. */
  readonly rank: number
}

export class TraitBaseline {
  readonly key: HashKey
  readonly #random: () => number
  readonly capacity: number
  #vectors: CalmVector[] = []
  readonly #byClient = new Map<number, number>()
  readonly #byPrefix = new Map<number, number>()
  readonly #byAsn = new Map<number, number>()
  readonly #byPart = new Array<number>(PARTS_OF_DAY).fill(0)
  /** Upper bounds of the largest rank in a group that was found full: most newcomers need no search. */
  readonly #worst = new BoundedMap<string, number>(4096)
  #hour = Number.NaN
  /** Requests of each client in this hour. */
  #hourClients = new Map<number, { requests: number; vector: CalmVector | undefined }>()
  readonly #regulars = new Uint32Array(REGULARS)
  #interned = new Map<string, string>()
  #view: BaselineView | undefined
  #state: TraitBaselineState | undefined
  /** Vectors that are not in `#state`. */
  #changes = 0
  /** Clients that an hour had no room for. */
  lost = 0

  constructor(options: TraitBaselineOptions = {}) {
    this.key = options.key ?? randomHashKey()
    this.#random = options.random ?? Math.random
    this.capacity = Math.min(MAX_VECTORS, options.capacity ?? MAX_VECTORS)
  }

  get size(): number {
    return this.#vectors.length
  }

  /** Distinct clients among them. */
  get clients(): number {
    return this.#byClient.size
  }

  /** Enough to say of what nobody showed that hardly anybody does. */
  get isReady(): boolean {
    return this.clients >= LEAST_CLIENTS
  }

  /** Vectors of one network, for tests and for who wants to know. */
  vectorsOf(asn: number): number {
    return this.#byAsn.get(asn) ?? 0
  }

  /**
   * Learns one request of calm weather. `known`: the traits that its source can show, all unless it is a
   * log; what is not known never counts as absent.
   */
  add(sample: CalmSample, atMs: number, known?: ReadonlySet<TraitName>): void {
    const hour = Math.floor(atMs / HOUR_MS)
    if (hour !== this.#hour) this.#turn(hour, atMs)
    const client = hash32(sample.subscriber, this.key)
    if (known === undefined) this.#remember(sample)
    const before = this.#hourClients.get(client)
    if (before !== undefined) {
      // Any of its requests of this hour, each as likely.
      before.requests++
      if (before.vector !== undefined && this.#random() * before.requests < 1) {
        before.vector.traits = this.#intern(sample.traits)
        before.vector.unknown = unknownIn(sample.traits, known)
        this.#view = undefined
      }
      return
    }
    if (this.#hourClients.size >= MAX_HOUR_CLIENTS) {
      this.lost++
      return
    }
    const entry: { requests: number; vector: CalmVector | undefined } = { requests: 1, vector: undefined }
    this.#hourClients.set(client, entry)
    // Neither 0 nor 1, whose logarithms have no place among the others.
    const drawn = 1e-9 + this.#random() * (1 - 2e-9)
    const rank = Math.log(-Math.log(drawn)) - (atMs / HALF_LIFE_MS) * Math.LN2
    const vector: CalmVector = {
      traits: sample.traits,
      unknown: unknownIn(sample.traits, known),
      asn: sample.asn,
      prefix: hash32(sample.prefix, this.key),
      client,
      atMs,
      rank,
    }
    if (!this.#makeRoom(vector)) return
    vector.traits = this.#intern(sample.traits)
    entry.vector = vector
    this.#insert(vector)
  }

  /** This client was here in calm weather with the same program: hardly part of a flood that began just now. */
  isRegular(sample: CalmSample): boolean {
    const hash = hash32(handwritingOf(sample), this.key) || 1
    return this.#regulars[hash % REGULARS] === hash
  }

  /** What mining asks; made anew when something was learned since. */
  view(): BaselineView {
    this.#view ??= new BaselineView(this.#vectors)
    return this.#view
  }

  /** While little has changed, the state made before: making one takes some milliseconds. */
  toState(): TraitBaselineState {
    if (this.#state === undefined || this.#changes > this.#vectors.length / WORTH_KEEPING) {
      this.#state = this.#makeState()
      this.#changes = 0
    }
    return this.#state
  }

  #makeState(): TraitBaselineState {
    const places = new Map<string, number>()
    const values: string[] = []
    let characters = 0
    const placeOf = (value: string): number => {
      let place = places.get(value)
      if (place === undefined) {
        places.set(value, (place = values.length))
        values.push(value)
        characters += value.length
      }
      return place
    }
    const vectors: number[][] = []
    // The best ranks first, so that the bound cuts what would be the next to go.
    for (const vector of [...this.#vectors].sort((a, b) => a.rank - b.rank)) {
      if (characters > MAX_STATE_CHARACTERS) break
      const { traits, unknown, asn, prefix, client, atMs, rank } = vector
      vectors.push([
        ...traits.map((value, i) => ((unknown >>> i) & 1 ? -1 : placeOf(value))),
        asn,
        prefix,
        client,
        Math.floor(atMs / MINUTE_MS),
        Number(rank.toFixed(4)),
      ])
    }
    return { key: this.key, traits: TRAITS.map(({ name }) => name), values, vectors }
  }

  /** The baseline kept in `state`; undefined when it is not one. Vectors that are none are left out. */
  static fromState(
    state: unknown,
    options: Omit<TraitBaselineOptions, 'key'> = {},
  ): TraitBaseline | undefined {
    if (typeof state !== 'object' || state === null) return undefined
    const { key, traits, values, vectors } = state as Partial<Record<string, unknown>>
    const { k0, k1 } = (key ?? {}) as Partial<HashKey>
    if (!Number.isInteger(k0) || !Number.isInteger(k1)) return undefined
    if (!isTexts(traits) || !isTexts(values) || !Array.isArray(vectors)) return undefined
    const baseline = new TraitBaseline({ ...options, key: { k0: k0!, k1: k1! } })
    // A trait that this version has and the state has not is unknown.
    const columns = TRAITS.map(({ name }) => traits.indexOf(name))
    for (const row of vectors.slice(0, baseline.capacity) as unknown[]) {
      if (!Array.isArray(row) || row.length !== traits.length + 5 || !row.every(Number.isFinite)) continue
      const numbers = row as number[]
      const [asn, prefix, client, minute, rank] = numbers.slice(-5) as [
        number,
        number,
        number,
        number,
        number,
      ]
      let unknown = 0
      const vector = columns.map((column, i) => {
        const value = column === -1 ? undefined : values[numbers[column]!]
        if (value === undefined || value.length > LONGEST_TRAIT) unknown |= 1 << i
        return value?.slice(0, LONGEST_TRAIT) ?? ''
      })
      baseline.#insert({ traits: vector, unknown, asn, prefix, client, atMs: minute * MINUTE_MS, rank })
    }
    return baseline
  }

  /** Takes over what another one learned, such as from a log; both must have been made with one key. */
  adopt(other: TraitBaseline): void {
    for (const vector of other.#vectors) if (this.#makeRoom(vector)) this.#insert({ ...vector })
  }

  #insert(vector: CalmVector): void {
    this.#vectors.push(vector)
    this.#count(vector, 1)
    this.#view = undefined
    this.#changes++
  }

  #count(vector: CalmVector, by: 1 | -1): void {
    const change = (counts: Map<number, number>, of: number) => {
      const count = (counts.get(of) ?? 0) + by
      if (count > 0) counts.set(of, count)
      else counts.delete(of)
    }
    change(this.#byClient, vector.client)
    change(this.#byPrefix, vector.prefix)
    change(this.#byAsn, vector.asn)
    this.#byPart[partOf(vector)]! += by
  }

  /** Lets the worst of a group that has its share go for a better one; false when the newcomer is the worst. */
  #makeRoom(newcomer: CalmVector): boolean {
    const { client, prefix, asn } = newcomer
    if ((this.#byClient.get(client) ?? 0) >= MOST_PER_CLIENT)
      return this.#replaceWorst(`c${client}`, newcomer, (vector) => vector.client === client)
    if ((this.#byPrefix.get(prefix) ?? 0) >= mostPerPrefix(this.size))
      return this.#replaceWorst(`p${prefix}`, newcomer, (vector) => vector.prefix === prefix)
    // Without network data every client is of network 0.
    if (asn !== 0 && (this.#byAsn.get(asn) ?? 0) >= mostPerAsn(this.size))
      return this.#replaceWorst(`a${asn}`, newcomer, (vector) => vector.asn === asn)
    if (this.size < this.capacity) return true
    const part = this.#byPart.indexOf(Math.max(...this.#byPart))
    if (part === partOf(newcomer))
      return this.#replaceWorst(`t${part}`, newcomer, (vector) => partOf(vector) === part)
    return this.#replaceWorst('', undefined, (vector) => partOf(vector) === part)
  }

  #replaceWorst(
    group: string,
    newcomer: CalmVector | undefined,
    isOf: (vector: CalmVector) => boolean,
  ): boolean {
    if (newcomer !== undefined && newcomer.rank >= (this.#worst.get(group) ?? Number.POSITIVE_INFINITY))
      return false
    let worst = -1
    for (let i = 0; i < this.#vectors.length; i++) {
      const vector = this.#vectors[i]!
      if (isOf(vector) && (worst === -1 || vector.rank > this.#vectors[worst]!.rank)) worst = i
    }
    if (worst === -1) return true
    const leaving = this.#vectors[worst]!
    if (newcomer !== undefined) {
      // Whoever comes in is better than the worst, so this bound holds until the group gets room again.
      this.#worst.set(group, leaving.rank)
      if (newcomer.rank >= leaving.rank) return false
    }
    this.#vectors[worst] = this.#vectors.at(-1)!
    this.#vectors.pop()
    this.#count(leaving, -1)
    return true
  }

  /** A new hour: everybody may come again, what is too old goes, and groups that outgrew their share shrink. */
  #turn(hour: number, nowMs: number): void {
    this.#hour = hour
    this.#hourClients = new Map()
    this.#worst.clear()
    this.#interned = new Map()
    const kept: CalmVector[] = []
    const perPrefix = mostPerPrefix(this.size)
    const perAsn = mostPerAsn(this.size)
    const sorted = this.#vectors
      .filter(({ atMs }) => nowMs - atMs < LONGEST_MS)
      .sort((a, b) => a.rank - b.rank)
    for (const counts of [this.#byClient, this.#byPrefix, this.#byAsn]) counts.clear()
    this.#byPart.fill(0)
    for (const vector of sorted) {
      if ((this.#byPrefix.get(vector.prefix) ?? 0) >= perPrefix) continue
      if (vector.asn !== 0 && (this.#byAsn.get(vector.asn) ?? 0) >= perAsn) continue
      kept.push(vector)
      this.#count(vector, 1)
    }
    if (kept.length < this.#vectors.length) this.#view = undefined
    this.#vectors = kept
  }

  #remember(sample: CalmSample): void {
    const hash = hash32(handwritingOf(sample), this.key) || 1
    this.#regulars[hash % REGULARS] = hash
  }

  /** Each text once in memory, whatever message it came with. */
  #intern(traits: Traits): Traits {
    return traits.map((value) => {
      const known = this.#interned.get(value)
      if (known !== undefined) return known
      if (this.#interned.size < MAX_INTERNED) this.#interned.set(value, value)
      return value
    })
  }
}

function partOf({ atMs }: { readonly atMs: number }): number {
  return Math.floor((((atMs / HOUR_MS) % 24) * PARTS_OF_DAY) / 24)
}

function mostPerPrefix(size: number): number {
  return size < SMALL ? MOST_PER_PREFIX_SMALL : MOST_PER_PREFIX
}

function mostPerAsn(size: number): number {
  return Math.max(MOST_PER_ASN, Math.floor(size * MOST_ASN_SHARE))
}

function unknownIn(traits: Traits, known: ReadonlySet<TraitName> | undefined): number {
  let unknown = 0
  for (let i = 0; i < TRAITS.length; i++) {
    const { name } = TRAITS[i]!
    if ((known !== undefined && !known.has(name)) || traits[i] === undefined) unknown |= 1 << i
    else if (traits[i] === '' && !CAN_BE_ABSENT[i]) unknown |= 1 << i
  }
  return unknown
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string')
}
