/**
 * Merges the edges' reports into one policy: posture, baseline, operator's word, decisions.
 *
 * Pure: it is told the time (milliseconds since the epoch) and holds no socket, timer or file. Call
 * `receive` for each report and `tick` every 250 ms; hysteresis counts ticks, so that a clock that is
 * set does not end an attack. Everything is bounded by the configuration's sites.
 */
import { Baseline, type CalmUse, type CapacityState, type RouteCostRows, WeightTable } from '#admission'
import { type HashKey, randomHashKey, SpaceSaving } from '#kit'
import type { SiteSignatures } from '#recognise'
import { armedFor, type DangerousDate } from './calendar.ts'
import { DecisionList, type DecisionWish } from './decision-list.ts'
import { KeptRoutes } from './kept-routes.ts'
import { OverallWeights, PUBLISH_EVERY_MS, PUBLISH_SOONEST_MS } from './overall-weights.ts'
import type { CalmShare, Decision, EdgeReport, Policy, Posture, SiteReport, TraitSample } from './policy.ts'
import { PostureMachine } from './posture.ts'
import { SAMPLES_PER_TICK } from './signatures/current.ts'
import {
  SignatureBook,
  type SignatureChange,
  type SignaturesSummary,
  type SignatureWish,
  SignatureWishError,
  type SiteSignaturesStatus,
  unknownSignature,
} from './signatures/signature-book.ts'
import { MAX_VECTORS, TraitBaseline } from './signatures/trait-baseline.ts'
import { type BrainStatus, type SiteStatus, type SourceNetwork, sentence } from './status.ts'
import { SiteTotals } from './totals.ts'

export interface BrainOptions {
  /** Names of the sites (the first host of each). */
  readonly sites: readonly string[]
  readonly key?: HashKey
}

/** What survives a restart. */
export interface BrainState {
  readonly attack: Policy['attack']
  readonly bypass: boolean
  readonly decisions: readonly Decision[]
  readonly baselines: Readonly<Record<string, unknown>>
  readonly routes: Readonly<Record<string, RouteCostRows>>
  /** What clients look like in calm weather, and what the operator said of signatures. */
  readonly traits: Readonly<Record<string, unknown>>
  readonly signatures: Readonly<Record<string, unknown>>
}

/** Calm traffic is learned this much later, and not at all if the calm ended in between. */
const LEARN_DELAY_TICKS = 20
/** Slots of all weight tables together: 64 MB. */
const ALL_SLOTS = 4_194_304
const FULL_SLOTS = 131_072
/** Trait vectors and samples of all sites together: some 50 MB each when full. */
const ALL_VECTORS = 131_072
const ALL_SAMPLES_PER_TICK = 8192
/** Calm samples held per tick and site, whatever the number of threads. */
const MAX_PENDING_TRAITS = 128
/** Sites mined in one tick, some ms each: those that waited longest. */
const MOST_MINED_PER_TICK = 2
const MAX_THREADS = 1024
const THREAD_SILENT_MS = 10_000
const NETWORKS_TRACKED = 256
const NETWORK_WINDOW_TICKS = 120

class Site {
  readonly name: string
  readonly machine = new PostureMachine()
  readonly totals = new SiteTotals()
  baseline: Baseline
  readonly weights: WeightTable
  postureSinceMs: number
  /** Since the last tick. */
  queueDelayMs = 0
  requests = 0
  shed = 0
  /** Newest report of each thread. */
  readonly threads = new Map<number, { readonly atMs: number; readonly figures: SiteReport }>()
  /** Calm uses not yet learned, one list per tick. */
  pending: CalmUse[][] = []
  arriving: CalmUse[] = []
  publishedAtMs = 0
  publishedUses = 0
  calmLost = 0
  readonly routes = new KeptRoutes()
  /** Recorded requests by network: this half minute and the one before. */
  networks = new SpaceSaving(NETWORKS_TRACKED)
  networksBefore = new SpaceSaving(NETWORKS_TRACKED)
  lastDelayMs = 0
  readonly book: SignatureBook
  /** Calm samples not yet learned, one list per tick. */
  pendingTraits: TraitSample[][] = []
  arrivingTraits: TraitSample[] = []

  constructor(name: string, baseline: Baseline, slots: number, book: SignatureBook, nowMs: number) {
    this.name = name
    this.book = book
    this.baseline = baseline
    this.weights = WeightTable.create({ slots, key: baseline.key })
    this.postureSinceMs = nowMs
  }
}

export class Brain {
  readonly #key: HashKey
  readonly #sites = new Map<string, Site>()
  readonly #overall: OverallWeights
  readonly #decisions = new DecisionList()
  #attack: Policy['attack'] = 'auto'
  #bypass = false
  #calendar: readonly DangerousDate[] = []
  #armed: DangerousDate | undefined
  #serial = 1
  #ticks = 0
  #reports = 0
  #policy: Policy
  readonly #counters = new Map<string, number>()
  #recordsLost = 0

  constructor(options: BrainOptions, nowMs: number) {
    this.#key = options.key ?? randomHashKey()
    this.#overall = new OverallWeights(this.#key, FULL_SLOTS)
    this.configure(options.sites, nowMs)
    this.#policy = this.#makePolicy()
  }

  /** The sites have changed; those that stay keep what was learned. */
  configure(sites: readonly string[], nowMs: number): void {
    for (const name of this.#sites.keys()) if (!sites.includes(name)) this.#sites.delete(name)
    const slots = Math.max(1024, Math.min(FULL_SLOTS, Math.floor(ALL_SLOTS / Math.max(1, sites.length))))
    for (const name of sites)
      if (!this.#sites.has(name))
        this.#sites.set(
          name,
          new Site(
            name,
            new Baseline({ key: this.#key, ...bounds(slots) }),
            slots,
            this.#newBook(sites.length),
            nowMs,
          ),
        )
    this.#overall.keepOnly(sites)
    this.#changed()
  }

  /** The same over all sites, for connections and handshakes. */
  get overallWeights(): WeightTable {
    return this.#overall.table
  }

  /** The table a site's gates read: pass its `memory` to the threads. */
  weights(site: string): WeightTable | undefined {
    return this.#sites.get(site)?.weights
  }

  /** What a site's routes take in calm weather: where a new edge thread begins. */
  routeCosts(site: string): RouteCostRows {
    return this.#sites.get(site)?.routes.rows() ?? []
  }

  /** The policy in force. */
  get policy(): Policy {
    return this.#policy
  }

  /** Counters of all edges since the start. */
  get counters(): ReadonlyMap<string, number> {
    return this.#counters
  }

  receive(report: EdgeReport, nowMs: number): void {
    this.#reports++
    this.#recordsLost += report.recordsLost
    for (const [name, by] of Object.entries(report.counters)) {
      // Names are the edges' own; the bound is against mistakes.
      if (this.#counters.has(name) || this.#counters.size < 1000)
        this.#counters.set(name, (this.#counters.get(name) ?? 0) + by)
    }
    for (const [name, figures] of Object.entries(report.sites)) {
      const site = this.#sites.get(name)
      if (site === undefined) continue
      if (site.threads.size < MAX_THREADS) site.threads.set(report.thread, { atMs: nowMs, figures })
      site.totals.add(figures.tallies)
      site.queueDelayMs = Math.max(site.queueDelayMs, figures.queueDelayMs)
      let shed = 0
      for (const { action, reason, count } of figures.tallies) {
        site.requests += count
        if (action === 'shed' && reason !== 'client-gone' && reason !== 'hammering') shed += count
      }
      site.shed += shed
      site.calmLost += figures.calmLost
      if (figures.routes !== undefined) site.routes.take(figures.routes)
      const isCalm = shed === 0 && this.#policy.postures[name] === 'calm'
      if (isCalm) addCalm(site, figures.calm)
      if (figures.traits !== undefined) {
        site.book.take(figures.traits, nowMs)
        if (isCalm) addCalmTraits(site, figures.traits)
      }
      if (site.book.weigh(figures.signatures ?? [], provenIn(figures), nowMs)) this.#changed()
    }
    for (const record of report.records) this.#sites.get(record.site)?.networks.add(String(record.asn))
  }

  /** Once every 250 ms. Returns the policy, whose serial tells whether it is a new one. */
  tick(nowMs: number): Policy {
    this.#ticks++
    if (this.#ticks % 20 === 0) this.#forgetSilentThreads(nowMs)
    if (this.#decisions.expire(nowMs)) this.#changed()
    this.#lookAtCalendar(nowMs)
    for (const site of this.#sites.values()) {
      // No news is not good news: without any report the posture stays as it is.
      if (this.#reports > 0) this.#judge(site, nowMs)
      this.#learn(site, nowMs)
      site.totals.turn()
      if (this.#ticks % NETWORK_WINDOW_TICKS === 0) {
        const spent = site.networksBefore
        spent.clear()
        site.networksBefore = site.networks
        site.networks = spent
      }
    }
    this.#mine(nowMs)
    this.#overall.tick(nowMs)
    this.#reports = 0
    return this.#policy
  }

  attack(mode: Policy['attack']): void {
    if (mode === this.#attack) return
    this.#attack = mode
    this.#changed()
  }

  bypass(on: boolean): void {
    if (on === this.#bypass) return
    this.#bypass = on
    this.#changed()
  }

  /** From the next tick on. */
  setCalendar(dates: readonly DangerousDate[]): void {
    this.#calendar = dates
  }

  decisions(): readonly Decision[] {
    return this.#decisions.list()
  }

  /** Throws TooManyDecisionsError. */
  addDecision(wish: DecisionWish, nowMs: number): Decision {
    const decision = this.#decisions.add(wish, nowMs)
    this.#changed()
    return decision
  }

  deleteDecision(id: string): boolean {
    const deleted = this.#decisions.delete(id)
    if (deleted) this.#changed()
    return deleted
  }

  /** What the operator wants of a signature, on each site that knows it. Throws SignatureWishError. */
  changeSignature(wish: SignatureWish, nowMs: number): readonly SignatureChange[] {
    const { id, site: only } = wish
    const sites = [...this.#sites.values()].filter(({ name }) => only === undefined || name === only)
    if (sites.length === 0) throw new SignatureWishError(`there is no site ${only?.slice(0, 253)}`)
    const knowing = sites.filter(({ book }) => book.has(id))
    if (knowing.length === 0) throw unknownSignature(id)
    const changes = knowing.flatMap(({ name, book }): SignatureChange[] => {
      switch (wish.change) {
        case 'pin':
          return [{ site: name, signature: book.pin(id, nowMs) }]
        case 'forbid':
          return [{ site: name, forbidden: book.forbid(id, wish.note, nowMs) }]
        case 'effect':
          return [{ site: name, signature: book.setEffect(id, wish.effect) }]
        case 'release':
          return book.release(id, nowMs) ? [{ site: name }] : []
        default:
          return wish satisfies never
      }
    })
    if (changes.length === 0)
      throw new SignatureWishError(
        `${id} is neither pinned nor forbidden; a signature that was found ends by itself`,
      )
    this.#changed()
    return changes
  }

  /** An empty baseline of traits to learn into from a log, for `adoptTraits`. */
  newTraitBaseline(site: string): TraitBaseline | undefined {
    const book = this.#sites.get(site)?.book
    return book && new TraitBaseline({ key: book.baseline.key })
  }

  /** Adds what a log taught to what is known of a site's clients. */
  adoptTraits(site: string, learned: TraitBaseline): boolean {
    const book = this.#sites.get(site)?.book
    if (book === undefined || book.baseline.key !== learned.key) return false
    book.baseline.adopt(learned)
    return true
  }

  /** Puts a baseline made elsewhere (an old access log) in force. It must have been made with `newBaseline`. */
  adoptBaseline(name: string, baseline: Baseline, nowMs: number): boolean {
    const site = this.#sites.get(name)
    if (site === undefined || baseline.key !== this.#key) return false
    site.baseline = baseline
    const isReady = this.#putInForce(site, nowMs)
    this.#overall.tick(nowMs)
    return isReady
  }

  /** An empty baseline with this brain's secret and bounds. */
  newBaseline(): Baseline {
    return new Baseline({
      key: this.#key,
      ...bounds(this.#sites.values().next().value?.weights.memory.slots ?? FULL_SLOTS),
    })
  }

  posture(site: string): Posture | undefined {
    return this.#policy.postures[site]
  }

  /** What /metrics shows of a site. */
  totals(site: string): SiteTotals | undefined {
    return this.#sites.get(site)?.totals
  }

  /** All that is known of signatures, by site; of the one named, or of all. Empty when there is no such site. */
  signatures(only?: string): SiteSignaturesStatus[] {
    return [...this.#sites.values()]
      .filter(({ name }) => only === undefined || name === only)
      .map(({ name, book }) => ({ site: name, ...book.status() }))
  }

  /** In short, for /metrics. */
  signatureSummary(site: string): SignaturesSummary | undefined {
    return this.#sites.get(site)?.book.summary()
  }

  status(capacity: (site: string) => CapacityState | undefined = () => undefined): BrainStatus {
    return {
      attack: this.#attack,
      bypass: this.#bypass,
      ...(this.#policy.armed && { armed: this.#policy.armed }),
      decisions: this.#decisions.list().length,
      recordsLost: this.#recordsLost,
      sites: [...this.#sites.values()].map((site) => this.#siteStatus(site, capacity(site.name))),
    }
  }

  toState(): BrainState {
    const baselines: Record<string, unknown> = {}
    const routes: Record<string, RouteCostRows> = {}
    const traits: Record<string, unknown> = {}
    const signatures: Record<string, unknown> = {}
    for (const site of this.#sites.values()) {
      if (site.book.baseline.size > 0) traits[site.name] = site.book.baseline.toState()
      if (site.book.hasWishes) signatures[site.name] = site.book.toState()
      if (site.baseline.uses > 0) baselines[site.name] = site.baseline.toState()
      const rows = site.routes.rows()
      if (rows.length > 0) routes[site.name] = rows
    }
    return {
      attack: this.#attack,
      bypass: this.#bypass,
      decisions: this.#decisions.list(),
      baselines,
      routes,
      traits,
      signatures,
    }
  }

  /**
   * A brain that goes on from what was kept. What is not understood is left out. Bypass and `attack`
   * are taken over: a restart must not silently undo what an operator said.
   */
  static fromState(kept: unknown, options: BrainOptions, nowMs: number): Brain {
    const state = (typeof kept === 'object' && kept !== null ? kept : {}) as Partial<
      Record<keyof BrainState, unknown>
    >
    const bySite = (kept: unknown) =>
      (typeof kept === 'object' && kept !== null ? kept : {}) as Record<string, unknown>
    const baselines = bySite(state.baselines)
    const routes = bySite(state.routes)
    const traits = bySite(state.traits)
    const signatures = bySite(state.signatures)
    let key = options.key
    const found = new Map<string, Baseline>()
    for (const name of options.sites) {
      const baseline = Object.hasOwn(baselines, name) ? Baseline.fromState(baselines[name]) : undefined
      if (baseline) found.set(name, baseline)
      key ??= baseline?.key
    }
    const brain = new Brain({ sites: options.sites, ...(key ? { key } : {}) }, nowMs)
    for (const [name, site] of brain.#sites) {
      if (Object.hasOwn(routes, name)) site.routes.restore(routes[name])
      if (Object.hasOwn(traits, name)) site.book.restoreBaseline(traits[name])
      if (Object.hasOwn(signatures, name)) site.book.restore(signatures[name], nowMs)
    }
    for (const [name, baseline] of found) {
      const site = brain.#sites.get(name)!
      if (baseline.key.k0 !== brain.#key.k0 || baseline.key.k1 !== brain.#key.k1) continue
      site.baseline = baseline
      brain.#putInForce(site, nowMs)
    }
    brain.#overall.tick(nowMs)
    if (state.attack === 'on' || state.attack === 'off') brain.#attack = state.attack
    brain.#bypass = state.bypass === true
    brain.#decisions.restore(state.decisions, nowMs)
    brain.#changed()
    return brain
  }

  #lookAtCalendar(nowMs: number): void {
    const armed = armedFor(this.#calendar, nowMs)
    if (armed === this.#armed) return
    this.#armed = armed
    this.#changed()
  }

  #judge(site: Site, nowMs: number): void {
    const wasCalm = site.machine.posture === 'calm'
    const figures = { queueDelayMs: site.queueDelayMs, requests: site.requests, shed: site.shed }
    site.lastDelayMs = site.queueDelayMs
    site.queueDelayMs = site.requests = site.shed = 0
    if (!site.machine.tick(figures, this.#armed !== undefined)) return
    site.postureSinceMs = nowMs
    if (wasCalm) this.#publish(site, nowMs)
    this.#changed()
  }

  /** Learns what is old enough, if the calm has lasted until now. */
  #learn(site: Site, nowMs: number): void {
    // What passes because somebody said so is not calm weather, nor is a calm that a signature brought.
    const isCalm = this.#policy.postures[site.name] === 'calm' && !site.book.isActing
    if (!isCalm || this.#attack !== 'auto' || this.#bypass) {
      site.pending = []
      site.arriving = []
      site.pendingTraits = []
      site.arrivingTraits = []
      return
    }
    site.pending.push(site.arriving)
    site.arriving = []
    site.pendingTraits.push(site.arrivingTraits)
    site.arrivingTraits = []
    if (site.pending.length <= LEARN_DELAY_TICKS) return
    for (const sample of site.pendingTraits.shift() ?? [])
      if (!site.book.isMarked(sample.traits)) site.book.baseline.add(sample, nowMs)
    site.baseline.learn(site.pending.shift()!, nowMs)
    const sinceMs = nowMs - site.publishedAtMs
    const grown = site.baseline.uses > site.publishedUses * 1.25
    if (sinceMs < 0 || sinceMs >= PUBLISH_EVERY_MS || (grown && sinceMs >= PUBLISH_SOONEST_MS))
      this.#publish(site, nowMs)
  }

  /** Strained sites, and those where something is in force, in the order of how long they have waited. */
  #mine(nowMs: number): void {
    const acts = !this.#bypass && this.#attack !== 'off'
    let room = MOST_MINED_PER_TICK
    const longestFirst = [...this.#sites.values()].sort((a, b) => a.book.minedAtMs - b.book.minedAtMs)
    for (const { name, book } of longestFirst) {
      const posture = this.#policy.postures[name]
      const isStrained = acts && (posture === 'strained' || posture === 'flooded')
      const before = book.minedAtMs
      if (book.tick(nowMs, isStrained, room > 0)) this.#changed()
      if (book.minedAtMs !== before) room--
    }
  }

  #newBook(siteCount: number): SignatureBook {
    const capacity = Math.max(1024, Math.min(MAX_VECTORS, Math.floor(ALL_VECTORS / siteCount)))
    const samplesPerTick = Math.max(
      64,
      Math.min(SAMPLES_PER_TICK, Math.floor(ALL_SAMPLES_PER_TICK / siteCount)),
    )
    return new SignatureBook(new TraitBaseline({ capacity }), Math.random, { samplesPerTick })
  }

  #publish(site: Site, nowMs: number): void {
    if (site.baseline.uses !== site.publishedUses && site.baseline.isReady) this.#putInForce(site, nowMs)
  }

  #putInForce(site: Site, nowMs: number): boolean {
    const { baseline } = site
    site.publishedAtMs = nowMs
    site.publishedUses = baseline.uses
    if (!baseline.isReady) return false
    const shares = baseline.shares()
    site.weights.publish(shares)
    this.#overall.put(site.name, shares, baseline.uses, this.#sites.size)
    return true
  }

  #siteStatus(site: Site, capacity: CapacityState | undefined): SiteStatus {
    const lastMinute = site.totals.lastMinute()
    let waiting = 0
    let longLived = 0
    const origins = new Map<string, SiteReport['origins'][number]>()
    for (const { figures: report } of site.threads.values()) {
      waiting += report.waiting
      longLived += report.longLived
      // Sick is what any thread finds sick.
      for (const origin of report.origins)
        if (!origins.has(origin.url) || !origin.healthy) origins.set(origin.url, origin)
    }
    const posture = this.#policy.postures[site.name] ?? 'calm'
    const facts = {
      posture,
      attack: this.#attack,
      bypass: this.#bypass,
      lastMinute,
      queueDelayMs: site.lastDelayMs,
      hasBaseline: site.weights.hasBaseline,
    }
    return {
      name: site.name,
      posture,
      postureSinceMs: site.postureSinceMs,
      why: sentence(facts),
      lastMinute,
      waiting,
      longLived,
      queueDelayMs: site.lastDelayMs,
      limit: capacity?.limit ?? 0,
      inFlight: capacity?.inFlight ?? 0,
      origins: [...origins.values()],
      networks: topNetworks(site),
      baselineRequests: site.baseline.uses,
      hasBaseline: site.weights.hasBaseline,
      signatures: site.book.summary(),
    }
  }

  /** Gauges of a thread that died must not stand for ever. */
  #forgetSilentThreads(nowMs: number): void {
    for (const site of this.#sites.values())
      for (const [thread, { atMs }] of site.threads)
        if (nowMs - atMs > THREAD_SILENT_MS) site.threads.delete(thread)
  }

  #changed(): void {
    this.#serial++
    this.#policy = this.#makePolicy()
  }

  #makePolicy(): Policy {
    const postures: Record<string, Posture> = {}
    for (const site of this.#sites.values())
      postures[site.name] = this.#attack === 'on' ? 'flooded' : site.machine.posture
    const signatures: Record<string, SiteSignatures> = {}
    for (const { name, book } of this.#sites.values())
      if (book.published.signatures.length > 0) signatures[name] = book.published
    return {
      serial: this.#serial,
      bypass: this.#bypass,
      attack: this.#attack,
      postures,
      decisions: this.#decisions.list(),
      ...(this.#armed && { armed: { name: this.#armed.name, until: this.#armed.until } }),
      signatures,
    }
  }
}

/** Calm uses held per tick and site, whatever the number of threads. */
const MAX_PENDING = 4096

function addCalm(site: Site, calm: readonly CalmShare[]): void {
  for (const use of calm) {
    if (site.arriving.length < MAX_PENDING) site.arriving.push(use)
    else site.calmLost++
  }
}

function addCalmTraits(site: Site, samples: readonly TraitSample[]): void {
  for (const sample of samples) {
    // Whom the operator lets in no signature touches.
    if (sample.lane === 'operator') continue
    if (site.arrivingTraits.length < MAX_PENDING_TRAITS) site.arrivingTraits.push(sample)
    else site.calmLost++
  }
}

/** Requests of those who have shown effort, history or patience. */
function provenIn({ tallies }: SiteReport): number {
  let proven = 0
  for (const { lane, count } of tallies) if (lane !== 'unproven' && lane !== 'operator') proven += count
  return proven
}

function bounds(slots: number): { maxAsns: number; maxPrefixes: number; maxSubscribers: number } {
  return { maxAsns: slots >> 5, maxPrefixes: slots >> 3, maxSubscribers: slots >> 1 }
}

function topNetworks(site: Site): SourceNetwork[] {
  const counts = new Map<string, number>()
  for (const sketch of [site.networks, site.networksBefore])
    for (const { name, count } of sketch.top(20)) counts.set(name, (counts.get(name) ?? 0) + count)
  const total = Math.max(1, site.networks.total + site.networksBefore.total)
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 10)
    .map(([asn, count]) => ({
      asn: Number(asn),
      shareRatio: Math.min(1, count / total),
      calmShareRatio: site.baseline.asnShare(Number(asn)),
    }))
}
