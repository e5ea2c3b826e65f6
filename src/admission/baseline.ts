/**
 * Who uses the site in calm weather: shares of origin time by network, prefix and subscriber.
 *
 * Each use adds its milliseconds to three sums; sums halve every three days, so that a new visitor
 * counts the same evening and a network that left fades within weeks. Decay is forward: what is added
 * grows by 2^(t / half-life) instead of everything else shrinking (Cormode et al. 2009), so that
 * learning touches three entries and not eighty thousand.
 *
 * Bounded: when a table is a quarter over its bound, the lightest are forgotten and counted.
 * Subscribers are kept only as keyed hashes. It learns nothing by itself: the brain feeds it in calm
 * weather only, some seconds late, so that the first seconds of an attack are not learned either.
 *
 * What it cannot do: an attacker who uses the site for days as visitors do gets a visitor's share.
 * One address is never worth more than 2 %, one prefix never more than 10 % for that reason.
 */
import { BoundedMap, type HashKey, hash32, randomHashKey } from '#kit'
import type { CalmUse } from './site-gate.ts'
import { type WeightTable, weightKeys } from './weights.ts'

export interface BaselineOptions {
  readonly key?: HashKey
  readonly halfLifeMs?: number
  readonly maxAsns?: number
  readonly maxPrefixes?: number
  readonly maxSubscribers?: number
}

/** As kept in the state directory. Masses are relative to each other. */
export interface BaselineState {
  readonly key: HashKey
  readonly atMs: number
  readonly uses: number
  readonly asns: readonly (readonly [number, number])[]
  readonly prefixes: readonly (readonly [string, number])[]
  readonly subscribers: readonly (readonly [number, number])[]
}

const MAX_SUBSCRIBER_SHARE = 0.02
const MAX_PREFIX_SHARE = 0.1
/** Fewer than this say nothing about shares. A visit is one use or two, of however many requests. */
const MIN_USES = 100
const MIN_SUBSCRIBERS = 20

export class Baseline {
  readonly key: HashKey
  readonly #subscriberKey: HashKey
  readonly #halfLifeMs: number
  readonly #asns: DecayedSums<number>
  readonly #prefixes: DecayedSums<string>
  readonly #subscribers: DecayedSums<number>
  #originMs = Number.NaN
  #atMs = 0
  #total = 0
  #uses = 0

  constructor(options: BaselineOptions = {}) {
    this.key = options.key ?? randomHashKey()
    this.#subscriberKey = weightKeys(this.key)[2]
    this.#halfLifeMs = options.halfLifeMs ?? 3 * 86_400_000
    this.#asns = new DecayedSums(options.maxAsns ?? 4096)
    this.#prefixes = new DecayedSums(options.maxPrefixes ?? 16_384)
    this.#subscribers = new DecayedSums(options.maxSubscribers ?? 65_536)
  }

  /** Requests learned from; at least one per subscriber and report. */
  get uses(): number {
    return this.#uses
  }

  /** Enough was seen to divide by it. */
  get isReady(): boolean {
    return this.#uses >= MIN_USES && this.#subscribers.size >= MIN_SUBSCRIBERS
  }

  /** Entries forgotten for want of room. */
  get forgotten(): number {
    return this.#asns.forgotten + this.#prefixes.forgotten + this.#subscribers.forgotten
  }

  /** `requests`: how many stand behind the uses, when it is known. */
  learn(uses: Iterable<Readonly<CalmUse>>, atMs: number, requests = 0): void {
    if (Number.isNaN(this.#originMs)) this.#originMs = atMs
    this.#atMs = Math.max(this.#atMs, atMs)
    // A clock that was set back must not make what is new count less than what is old.
    let growth = 2 ** ((this.#atMs - this.#originMs) / this.#halfLifeMs)
    if (growth > 2 ** 40) {
      this.#rescale(1 / growth)
      this.#originMs = this.#atMs
      growth = 1
    }
    let learned = 0
    for (const use of uses) {
      const mass = Math.max(0.01, use.originMs) * growth
      learned++
      this.#total += mass
      this.#asns.add(use.asn, mass)
      this.#prefixes.add(use.prefix, mass)
      this.#subscribers.add(hash32(use.subscriber, this.#subscriberKey), mass)
    }
    this.#uses += Math.max(learned, requests)
  }

  /** A network's share of calm-weather origin time. */
  asnShare(asn: number): number {
    return this.#total === 0 ? 0 : this.#asns.get(asn) / this.#total
  }

  /** The largest networks. */
  topAsns(count: number): { asn: number; share: number }[] {
    return this.#asns.heaviest(count).map(([asn, mass]) => ({ asn, share: mass / this.#total }))
  }

  /** Puts the shares in force; nothing when too little is known. The table must have this baseline's key. */
  publish(table: WeightTable): boolean {
    if (!this.isReady) return false
    table.publish(this.shares())
    return true
  }

  /** What `WeightTable.publish` takes, the weightiest first; nothing when too little is known. */
  shares(): [hash: number, share: number][] {
    if (!this.isReady) return []
    const [asnKey, prefixKey] = weightKeys(this.key)
    const total = this.#total
    const entries: [number, number][] = []
    for (const [asn, mass] of this.#asns.entries()) entries.push([hash32(String(asn), asnKey), mass / total])
    for (const [prefix, mass] of this.#prefixes.entries())
      entries.push([hash32(prefix, prefixKey), Math.min(MAX_PREFIX_SHARE, mass / total)])
    for (const [hash, mass] of this.#subscribers.entries())
      entries.push([hash, Math.min(MAX_SUBSCRIBER_SHARE, mass / total)])
    return entries.sort((a, b) => b[1] - a[1])
  }

  toState(): BaselineState {
    return {
      key: this.key,
      atMs: this.#atMs,
      uses: this.#uses,
      asns: this.#asns.relative(this.#total),
      prefixes: this.#prefixes.relative(this.#total),
      subscribers: this.#subscribers.relative(this.#total),
    }
  }

  /** The baseline kept in `state`; undefined when it is not one. */
  static fromState(state: unknown, options: Omit<BaselineOptions, 'key'> = {}): Baseline | undefined {
    if (!isBaselineState(state)) return undefined
    const baseline = new Baseline({ ...options, key: state.key })
    baseline.#originMs = baseline.#atMs = state.atMs
    baseline.#uses = state.uses
    for (const [asn, mass] of state.asns) {
      baseline.#asns.add(asn, mass)
      // Every use has one network: their sum is the whole.
      baseline.#total += mass
    }
    for (const [prefix, mass] of state.prefixes) baseline.#prefixes.add(prefix, mass)
    for (const [hash, mass] of state.subscribers) baseline.#subscribers.add(hash, mass)
    return baseline
  }

  #rescale(by: number): void {
    this.#total *= by
    this.#asns.rescale(by)
    this.#prefixes.rescale(by)
    this.#subscribers.rescale(by)
  }
}

function isBaselineState(state: unknown): state is BaselineState {
  if (typeof state !== 'object' || state === null) return false
  const { key, atMs, uses, asns, prefixes, subscribers } = state as Partial<Record<string, unknown>>
  const isPairs = (list: unknown, name: 'number' | 'string'): boolean =>
    Array.isArray(list) &&
    list.every(
      (pair) => Array.isArray(pair) && typeof pair[0] === name && Number.isFinite(pair[1]) && pair[1] >= 0,
    )
  const { k0, k1 } = (key ?? {}) as Partial<HashKey>
  return (
    Number.isInteger(k0) &&
    Number.isInteger(k1) &&
    Number.isFinite(atMs) &&
    Number.isFinite(uses) &&
    isPairs(asns, 'number') &&
    isPairs(prefixes, 'string') &&
    isPairs(subscribers, 'number')
  )
}

/** Sums by key; the lightest go when there are a quarter too many. */
class DecayedSums<K> {
  readonly #capacity: number
  #sums = new Map<K, number>()
  forgotten = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#sums.size
  }

  get(key: K): number {
    return this.#sums.get(key) ?? 0
  }

  entries(): IterableIterator<[K, number]> {
    return this.#sums.entries()
  }

  add(key: K, mass: number): void {
    this.#sums.set(key, (this.#sums.get(key) ?? 0) + mass)
    if (this.#sums.size <= this.#capacity * 1.25) return
    this.forgotten += this.#sums.size - this.#capacity
    this.#sums = new Map(this.heaviest(this.#capacity))
  }

  heaviest(count: number): [K, number][] {
    return [...this.#sums].sort((a, b) => b[1] - a[1]).slice(0, count)
  }

  rescale(by: number): void {
    for (const [key, mass] of this.#sums) this.#sums.set(key, mass * by)
  }

  relative(total: number): [K, number][] {
    return this.heaviest(this.#capacity).map(([key, mass]) => [
      key,
      Number((mass / Math.max(1e-9, total)).toPrecision(6)),
    ])
  }
}

/** One line of an old access log, with its client found in the networks. */
export interface LoggedUse {
  readonly atMs: number
  readonly asn: number
  readonly prefix: string
  readonly subscriber: string
  readonly status: number
}

const SLOT_MS = 600_000
const SLOTS_KEPT = 4096
const MAX_SLOT_SUBSCRIBERS = 100_000

/**
 * Learns a baseline from a site's old access log, line by line in the order of time.
 *
 * The log may hold an old attack. Ten-minute slots with more than five times the requests of the
 * median slot before them are left out, and of failed answers nothing is learned. Cost is not in the
 * log: each request counts one.
 */
export class LogBaseline {
  readonly baseline: Baseline
  /** Requests that were left out: in busy slots, or failed. */
  leftOut = 0
  #slot = Number.NaN
  #slotRequests = 0
  #uses = new Map<string, CalmUse>()
  /** Requests of the slots learned, by number of the slot. */
  readonly #slots = new BoundedMap<number, number>(SLOTS_KEPT)

  constructor(baseline: Baseline) {
    this.baseline = baseline
  }

  add(line: LoggedUse): void {
    const slot = Math.floor(line.atMs / SLOT_MS)
    if (slot !== this.#slot) {
      this.finish()
      this.#slot = slot
    }
    this.#slotRequests++
    if (line.status >= 400 || line.status < 100) {
      this.leftOut++
      return
    }
    const use = this.#uses.get(line.subscriber)
    if (use) use.originMs++
    else if (this.#uses.size < MAX_SLOT_SUBSCRIBERS)
      this.#uses.set(line.subscriber, {
        asn: line.asn,
        prefix: line.prefix,
        subscriber: line.subscriber,
        originMs: 1,
      })
    else this.leftOut++
  }

  /** Learns the last slot; call at the end of the log. */
  finish(): void {
    if (this.#slotRequests === 0) return
    const counts = [...this.#slots.values()].sort((a, b) => a - b)
    const median = counts[counts.length >> 1]
    if (median !== undefined && counts.length >= 6 && this.#slotRequests > 5 * Math.max(20, median))
      this.leftOut += this.#slotRequests
    else {
      this.baseline.learn(this.#uses.values(), this.#slot * SLOT_MS, this.#slotRequests)
      this.#slots.set(this.#slot, this.#slotRequests)
    }
    this.#slotRequests = 0
    this.#uses = new Map()
  }
}
