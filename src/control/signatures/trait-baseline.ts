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
import { type HashKey, Heap, hash32, randomHashKey } from '#kit'
import { LONGEST_TRAIT, TRAITS, type TraitName, type Traits } from '#recognise'
import { BaselineView, LEAST_CALM_CLIENTS } from './baseline-view.ts'
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
/** Clients told apart within an hour, for each vector that there is room for: sites share memory. */
const HOUR_CLIENTS = 8
/** Clients that are remembered with their handwriting; the last to be here stay. */
const REGULARS = 16_384
/** Texts held once, for each vector. */
const MOST_TEXTS = 4
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
  /** In the heap of its part of the day. */
  place: number
}

export class TraitBaseline {
  readonly key: HashKey
  readonly #random: () => number
  readonly capacity: number
  readonly #vectors = new Set<CalmVector>()
  readonly #byClient = new Map<number, CalmVector[]>()
  readonly #byPrefix = new Map<number, CalmVector[]>()
  readonly #byAsn = new Map<number, CalmVector[]>()
  /** By part of the day, the worst first. */
  readonly #parts = Array.from(
    { length: PARTS_OF_DAY },
    () => new Heap<CalmVector>((vector, place) => (vector.place = place)),
  )
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
    return this.#vectors.size
  }

  /** Distinct clients among them. */
  get clients(): number {
    return this.#byClient.size
  }

  /** Enough to say of what nobody showed that hardly anybody does. */
  get isReady(): boolean {
    return this.clients >= LEAST_CALM_CLIENTS
  }

  /** Vectors of one network, for tests and for who wants to know. */
  vectorsOf(asn: number): number {
    return this.#byAsn.get(asn)?.length ?? 0
  }

  /**
   * Learns one request of calm weather. `known`: the traits that its source can show, all unless it is a
   * log; what is not known never counts as absent.
   */
  add(sample: CalmSample, atMs: number, known?: ReadonlySet<TraitName>): void {
    const hour = Math.floor(atMs / HOUR_MS)
    // A line of a log that comes late belongs to the hour before, and is no new one; a clock set back is.
    if (!(hour <= this.#hour && hour >= this.#hour - 1)) this.#turn(hour, atMs)
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
    if (this.#hourClients.size >= HOUR_CLIENTS * this.capacity) {
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
      place: -1,
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
    this.#view ??= new BaselineView([...this.#vectors])
    return this.#view
  }

  /** While little has changed, the state made before: making one takes some milliseconds. */
  toState(): TraitBaselineState {
    if (this.#state === undefined || this.#changes > this.size / WORTH_KEEPING) {
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
      baseline.#insert({
        traits: vector,
        unknown,
        asn,
        prefix,
        client,
        atMs: minute * MINUTE_MS,
        rank,
        place: -1,
      })
    }
    return baseline
  }

  /** Takes over what another one learned, such as from a log; both must have been made with one key. */
  adopt(other: TraitBaseline): void {
    for (const vector of other.#vectors) if (this.#makeRoom(vector)) this.#insert({ ...vector })
  }

  #insert(vector: CalmVector): void {
    this.#vectors.add(vector)
    for (const [groups, of] of this.#groupsOf(vector)) {
      const group = groups.get(of)
      if (group === undefined) groups.set(of, [vector])
      else group.push(vector)
    }
    this.#parts[partOf(vector)]!.push(vector, -vector.rank)
    this.#view = undefined
    this.#changes++
  }

  #remove(vector: CalmVector): void {
    this.#vectors.delete(vector)
    for (const [groups, of] of this.#groupsOf(vector)) {
      const group = groups.get(of)!
      if (group.length === 1) groups.delete(of)
      else {
        group[group.indexOf(vector)] = group.at(-1)!
        group.pop()
      }
    }
    this.#parts[partOf(vector)]!.removeAt(vector.place)
    this.#view = undefined
  }

  #groupsOf({ client, prefix, asn }: CalmVector): [groups: Map<number, CalmVector[]>, of: number][] {
    return [
      [this.#byClient, client],
      [this.#byPrefix, prefix],
      [this.#byAsn, asn],
    ]
  }

  /** Lets the worst of a group that has its share go for a better one; false when the newcomer is the worst. */
  #makeRoom(newcomer: CalmVector): boolean {
    const full = this.#fullGroup(newcomer)
    if (full !== undefined) return this.#replace(worstOf(full), newcomer)
    if (this.size < this.capacity) return true
    const largest = this.#parts.reduce((a, b) => (b.size > a.size ? b : a))
    const worst = largest.peek()!
    if (largest === this.#parts[partOf(newcomer)]) return this.#replace(worst, newcomer)
    this.#remove(worst)
    return true
  }

  #fullGroup({ client, prefix, asn }: CalmVector): readonly CalmVector[] | undefined {
    const ofClient = this.#byClient.get(client)
    if (ofClient !== undefined && ofClient.length >= MOST_PER_CLIENT) return ofClient
    const ofPrefix = this.#byPrefix.get(prefix)
    if (ofPrefix !== undefined && ofPrefix.length >= mostPerPrefix(this.size)) return ofPrefix
    // Without network data every client is of network 0.
    const ofAsn = asn === 0 ? undefined : this.#byAsn.get(asn)
    return ofAsn !== undefined && ofAsn.length >= mostPerAsn(this.size) ? ofAsn : undefined
  }

  #replace(worst: CalmVector, newcomer: CalmVector): boolean {
    if (newcomer.rank >= worst.rank) return false
    this.#remove(worst)
    return true
  }

  /** A new hour: everybody may come again, what is too old goes, and groups that outgrew their share shrink. */
  #turn(hour: number, nowMs: number): void {
    this.#hour = hour
    this.#hourClients = new Map()
    this.#interned = new Map()
    for (const vector of this.#vectors) if (nowMs - vector.atMs >= LONGEST_MS) this.#remove(vector)
    for (const group of this.#byPrefix.values()) this.#shrink(group, mostPerPrefix(this.size))
    for (const [asn, group] of this.#byAsn) if (asn !== 0) this.#shrink(group, mostPerAsn(this.size))
  }

  #shrink(group: readonly CalmVector[], most: number): void {
    while (group.length > most) this.#remove(worstOf(group))
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
      if (this.#interned.size < MOST_TEXTS * this.capacity) this.#interned.set(value, value)
      return value
    })
  }
}

function partOf({ atMs }: { readonly atMs: number }): number {
  const hour = Math.floor(atMs / HOUR_MS) % 24
  return Math.floor((((hour + 24) % 24) * PARTS_OF_DAY) / 24)
}

function worstOf(group: readonly CalmVector[]): CalmVector {
  return group.reduce((a, b) => (b.rank > a.rank ? b : a))
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
