/**
 * The signatures of one site: found, published, renewed, withdrawn, and what the operator said of them.
 *
 *   mined ──▶ in force ──60 s without support──▶ gone
 *               │  ├── touches > 1 % of proven requests ──▶ withdrawn, for ten minutes
 *               │  └── forbid ──▶ never again, nor other words for the same clients, until released
 *               └─ pin ──▶ pinned: stays for 24 h (pin again to renew), may price, make wait or refuse
 *
 * Told the time like the brain; give it each report's samples (`take`) and tallies (`weigh`), and call `tick`
 * twice a second. It mines only while the site is strained or worse. What is in force is renewed for ten minutes of calm
 * too, or a flood that a signature has tamed would come back every minute; but no longer, or visitors' new browser
 * that was taken for a flood's would stay under it for ever: nothing is learned while a signature acts.
 */

import { BoundedMap } from '#kit'
import {
  type Effect,
  type Signature,
  SignatureMatcher,
  type SiteSignatures,
  signatureId,
  type Term,
  TRAITS,
  type Traits,
  UNFAMILIAR,
} from '#recognise'
import type { SignatureTally, TraitSample } from '../policy.ts'
import { type CurrentClient, CurrentWindow, SAMPLES_PER_TICK } from './current.ts'
import {
  type FoundSet,
  type HeldBackSet,
  type HeldBackWhy,
  LEAST_FITTING,
  LEAST_SUPPORT,
  MOST_HELD_BACK,
  MOST_SIGNATURES,
  MOST_VISITORS_IN_ALL,
  mine,
  speaksAgainst,
  witnessesSpeakAgainst,
} from './mine.ts'
import { TraitBaseline } from './trait-baseline.ts'
import { CAN_BE_ABSENT, COLUMN } from './trait-columns.ts'
import { heldBackText, percent, reasonText, termsText } from './words.ts'

export const MINE_EVERY_MS = 500
export const EXPIRY_MS = 60_000
const RENEW_EVERY_MS = 5000
const RENEWED_IN_CALM_MS = 600_000
export const PIN_MS = 24 * 3_600_000
export const MAX_PINNED = 32
export const MAX_FORBIDDEN = 1000
const WITHDRAWN_MS = 600_000
const MAX_WITHDRAWN = 256
/** Proven requests under a signature are weighed over so long, and not before there are so many. */
const WEIGH_MS = 5000
const LEAST_PROVEN = 5
const LONGEST_NOTE = 500

/** A set that stands out and is not published. */
export interface HeldBack {
  readonly id: string
  readonly terms: readonly Term[]
  readonly why: HeldBackWhy
  readonly support: number
  readonly baseline: number
  readonly lift: number
  readonly reason: string
}

export interface Forbidden {
  readonly id: string
  readonly terms: readonly Term[]
  readonly note: string
  /** When it was forbidden, ms since the epoch. */
  readonly atMs: number
}

export interface PublishedSignature extends Signature {
  /** Requests that fitted it since it was published, and those of them that had shown effort or history. */
  readonly requests: number
  readonly proven: number
}

export interface SignaturesSummary {
  /** The widest first. */
  readonly published: readonly PublishedSignature[]
  readonly heldBack: readonly HeldBack[]
  readonly forbidden: number
  /** Vectors and distinct clients of the calm baseline, and whether that is enough to mine with. */
  readonly calmVectors: number
  readonly calmClients: number
  readonly isReady: boolean
  /** Since the start: signatures withdrawn, sets that were too many to look at, samples without room. */
  readonly withdrawn: number
  readonly leftOut: number
  readonly samplesLost: number
}

/** All that an operator can see of a site's signatures. */
export interface SignaturesStatus extends Omit<SignaturesSummary, 'forbidden'> {
  readonly forbidden: readonly Forbidden[]
}

export interface SiteSignaturesStatus extends SignaturesStatus {
  readonly site: string
}

/** What an operator wants of a signature; on all sites that have it, unless one is named. */
export type SignatureWish = { readonly id: string; readonly site?: string } & (
  | { readonly change: 'pin' | 'release' }
  | { readonly change: 'forbid'; readonly note: string }
  | { readonly change: 'effect'; readonly effect: Signature['effect'] }
)

/** What became of it on a site: as it is now in force, or that it is forbidden; neither when it was released. */
export interface SignatureChange {
  readonly site: string
  readonly signature?: Signature
  readonly forbidden?: Forbidden
}

export interface SignatureBookState {
  readonly pinned: readonly Signature[]
  readonly forbidden: readonly Forbidden[]
}

/** Why a wish of the operator was not granted; the message says what to do. */
export class SignatureWishError extends Error {
  readonly code = 'DIGUE_SIGNATURE'
}

interface Entry {
  signature: Signature
  requests: number
  proven: number
  /** In this stretch of WEIGH_MS. */
  requestsNow: number
  provenNow: number
  /** When clients were last asked whether they fit. */
  seenAtMs: number
  /** When it ends unless clients go on showing it; edges are told twice a minute. */
  untilMs: number
}

export class SignatureBook {
  baseline: TraitBaseline
  readonly #window: CurrentWindow
  readonly #entries = new Map<string, Entry>()
  readonly #withdrawn = new BoundedMap<string, { readonly terms: readonly Term[]; readonly untilMs: number }>(
    MAX_WITHDRAWN,
  )
  readonly #forbidden = new Map<string, Forbidden>()
  #heldBack: HeldBack[] = []
  #heldBackAtMs = Number.NEGATIVE_INFINITY
  #minedAtMs = Number.NEGATIVE_INFINITY
  #strainedAtMs = Number.NEGATIVE_INFINITY
  #weighedAtMs = Number.NEGATIVE_INFINITY
  #askedAtMs = Number.NEGATIVE_INFINITY
  #provenNow = 0
  #published: SiteSignatures = { signatures: [], familiar: {} }
  #matcher = new SignatureMatcher(this.#published)
  #withdrawals = 0
  #leftOut = 0

  constructor(
    baseline: TraitBaseline,
    random: () => number = Math.random,
    { samplesPerTick = SAMPLES_PER_TICK }: { readonly samplesPerTick?: number } = {},
  ) {
    this.baseline = baseline
    this.#window = new CurrentWindow(random, samplesPerTick)
  }

  /** In force: what edges need. The same object until something changes. */
  get published(): SiteSignatures {
    return this.#published
  }

  /** Something that was mined is in force: what calm there is may be its doing, and is not to be learned from. */
  get isActing(): boolean {
    for (const { signature } of this.#entries.values()) if (!signature.isPinned) return true
    return false
  }

  /** When it mined last, ms since the epoch. */
  get minedAtMs(): number {
    return this.#minedAtMs
  }

  /** It fits a signature in force: a visitor's, as far as one can tell, it is not. */
  isMarked(traits: Traits): boolean {
    return this.#matcher.match(traits) !== undefined
  }

  /** Samples of what is here now, in any weather. */
  take(samples: readonly TraitSample[], nowMs: number): void {
    this.#window.add(samples, nowMs)
  }

  /** A report's tallies; `proven`: all its requests of those who have shown effort or history. True when one was withdrawn. */
  weigh(tallies: readonly SignatureTally[], proven: number, nowMs: number): boolean {
    const sinceMs = nowMs - this.#weighedAtMs
    if (sinceMs >= WEIGH_MS || sinceMs < 0) {
      this.#weighedAtMs = nowMs
      this.#provenNow = 0
      for (const entry of this.#entries.values()) entry.provenNow = entry.requestsNow = 0
    }
    this.#provenNow += proven
    let clients: readonly CurrentClient[] | undefined
    let withdrew = false
    for (const tally of tallies) {
      const entry = this.#entries.get(tally.id)
      if (entry === undefined) continue
      entry.requests += tally.requests
      entry.proven += tally.proven
      entry.provenNow += tally.proven
      entry.requestsNow += tally.requests
      // The operator knows what he pinned; he is shown what it touches.
      if (entry.signature.isPinned || entry.provenNow < LEAST_PROVEN) continue
      if (!speaksAgainst(entry.provenNow, this.#provenNow, entry.requestsNow)) continue
      // Requests are cheap for one of the flood's who has paid once: prefixes have to say the same.
      clients ??= this.#clientsToAsk(nowMs)
      if (!this.#areVisitors(entry.signature.terms, clients)) continue
      this.#withdraw(tally.id, nowMs)
      withdrew = true
    }
    if (withdrew) this.#publish()
    return withdrew
  }

  /** Mines when it is time and `mayMine` gives it leave; true when what is in force changed. */
  tick(nowMs: number, isStrained: boolean, mayMine = true): boolean {
    const expired = this.#expire(nowMs)
    if (isStrained || nowMs < this.#strainedAtMs) this.#strainedAtMs = nowMs
    const heldBackSinceMs = nowMs - this.#heldBackAtMs
    if (heldBackSinceMs >= EXPIRY_MS || heldBackSinceMs < 0) this.#heldBack = []
    const sinceMs = nowMs - this.#minedAtMs
    // A clock that was set back must not stop it.
    const isDue = sinceMs >= MINE_EVERY_MS || sinceMs < 0
    if (!isDue || !mayMine || (!isStrained && this.#entries.size === 0)) {
      if (expired) this.#publish()
      return expired
    }
    this.#minedAtMs = nowMs
    const clients = this.#window.clients(nowMs)
    const found = isStrained && this.#mine(clients, nowMs)
    const renewed = this.#renew(clients, nowMs)
    if (expired || renewed || found) this.#publish()
    return expired || renewed || found
  }

  /** Keeps it in force for 24 h whatever happens; again to renew. Throws SignatureWishError. */
  pin(id: string, nowMs: number): Signature {
    const entry = this.#entries.get(id)
    if (entry === undefined) return this.#pinHeldBack(id, nowMs)
    if (!entry.signature.isPinned) this.#needRoomForPin()
    entry.untilMs = nowMs + PIN_MS
    entry.signature = { ...entry.signature, isPinned: true, expiresAtMs: entry.untilMs }
    this.#publish()
    return entry.signature
  }

  /** Ends it and never publishes it again. Throws SignatureWishError when nobody knows the id, or too many are forbidden. */
  forbid(id: string, note: string, nowMs: number): Forbidden {
    const terms =
      this.#entries.get(id)?.signature.terms ?? this.#heldBack.find((held) => held.id === id)?.terms
    if (terms === undefined && !this.#forbidden.has(id)) throw unknownSignature(id)
    if (!this.#forbidden.has(id) && this.#forbidden.size >= MAX_FORBIDDEN)
      throw new SignatureWishError(
        `at most ${MAX_FORBIDDEN} signatures can be forbidden; release one with \`digue signatures release\``,
      )
    const forbidden: Forbidden = {
      id,
      terms: terms ?? this.#forbidden.get(id)!.terms,
      note: note.slice(0, LONGEST_NOTE),
      atMs: nowMs,
    }
    this.#forbidden.set(id, forbidden)
    this.#heldBack = this.#heldBack.filter((held) => held.id !== id)
    if (this.#entries.delete(id)) this.#publish()
    return forbidden
  }

  /** What is done to those who fit. Throws SignatureWishError: all but `weight` is for pinned ones. */
  setEffect(id: string, effect: Signature['effect']): Signature {
    const entry = this.#entries.get(id)
    if (entry === undefined) throw unknownSignature(id)
    if (effect !== 'weight' && !entry.signature.isPinned)
      throw new SignatureWishError(
        `${id} ends by itself and may come again by itself: pin it first (\`digue signatures pin ${id}\`), then it may ${effect}`,
      )
    entry.signature = { ...entry.signature, effect }
    this.#publish()
    return entry.signature
  }

  /** Takes back a pin or a prohibition; what was pinned goes on as if it had just been found. False when there is neither. */
  release(id: string, nowMs: number): boolean {
    const wasForbidden = this.#forbidden.delete(id)
    const entry = this.#entries.get(id)
    if (entry?.signature.isPinned !== true) return wasForbidden
    entry.untilMs = nowMs + EXPIRY_MS
    entry.signature = {
      ...entry.signature,
      isPinned: false,
      effect: 'weight',
      expiresAtMs: entry.untilMs,
    }
    this.#publish()
    return true
  }

  has(id: string): boolean {
    return this.#entries.has(id) || this.#forbidden.has(id) || this.#heldBack.some((held) => held.id === id)
  }

  /** The operator has said something that must survive a restart. */
  get hasWishes(): boolean {
    return this.#forbidden.size > 0 || [...this.#entries.values()].some(({ signature }) => signature.isPinned)
  }

  summary(): SignaturesSummary {
    return {
      published: Array.from(this.#entries.values(), ({ signature, requests, proven }) => ({
        ...signature,
        requests,
        proven,
      })).sort((a, b) => b.support - a.support),
      heldBack: this.#heldBack,
      forbidden: this.#forbidden.size,
      calmVectors: this.baseline.size,
      calmClients: this.baseline.clients,
      isReady: this.baseline.isReady,
      withdrawn: this.#withdrawals,
      leftOut: this.#leftOut,
      samplesLost: this.#window.lost + this.baseline.lost,
    }
  }

  status(): SignaturesStatus {
    return { ...this.summary(), forbidden: [...this.#forbidden.values()] }
  }

  toState(): SignatureBookState {
    return {
      pinned: [...this.#entries.values()]
        .map(({ signature }) => signature)
        .filter(({ isPinned }) => isPinned),
      forbidden: [...this.#forbidden.values()],
    }
  }

  /** Takes over what was learned before a restart; false when it is not understood. */
  restoreBaseline(kept: unknown): boolean {
    const baseline = TraitBaseline.fromState(kept, { capacity: this.baseline.capacity })
    if (baseline !== undefined) this.baseline = baseline
    return baseline !== undefined
  }

  /** Takes over what the operator said before a restart; what is not understood is left out. */
  restore(kept: unknown, nowMs: number): void {
    if (typeof kept !== 'object' || kept === null) return
    const { pinned, forbidden } = kept as Partial<Record<string, unknown>>
    for (const one of Array.isArray(forbidden) ? forbidden.slice(0, MAX_FORBIDDEN) : [])
      if (isForbidden(one)) this.#forbidden.set(one.id, one)
    for (const one of Array.isArray(pinned) ? pinned.slice(0, MAX_PINNED) : [])
      if (isPinned(one) && one.expiresAtMs > nowMs) this.#entries.set(one.id, newEntry(one, nowMs))
    this.#publish()
  }

  #needRoomForPin(): void {
    let pinned = 0
    for (const { signature } of this.#entries.values()) if (signature.isPinned) pinned++
    if (pinned >= MAX_PINNED)
      throw new SignatureWishError(
        `at most ${MAX_PINNED} signatures of a site can be pinned; release one with \`digue signatures release\``,
      )
  }

  /** The operator may overrule what Digue held back, knowing what it would touch. */
  #pinHeldBack(id: string, nowMs: number): Signature {
    if (this.#forbidden.has(id))
      throw new SignatureWishError(
        `${id} is forbidden; \`digue signatures release ${id}\` lifts that, then it can be pinned once it is seen`,
      )
    const held = this.#heldBack.find((one) => one.id === id)
    if (held === undefined) throw unknownSignature(id)
    this.#needRoomForPin()
    const signature: Signature = {
      id,
      terms: held.terms,
      effect: 'weight',
      isPinned: true,
      publishedAtMs: nowMs,
      expiresAtMs: nowMs + PIN_MS,
      support: held.support,
      baseline: held.baseline,
      baselineAtMost: this.baseline.view().share(held.terms).atMost,
      lift: held.lift,
      visitors: held.baseline,
      reason: `Pinned by you although it was held back. ${held.reason}`,
    }
    this.#entries.set(id, newEntry(signature, nowMs))
    this.#withdrawn.delete(id)
    this.#heldBack = this.#heldBack.filter((one) => one !== held)
    this.#publish()
    return signature
  }

  #expire(nowMs: number): boolean {
    let changed = false
    for (const [id, { untilMs }] of this.#entries)
      if (untilMs <= nowMs) changed = this.#entries.delete(id) || changed
    return changed
  }

  /** Those that enough clients still show stay. True when edges should hear of a later end. */
  #renew(clients: readonly CurrentClient[], nowMs: number): boolean {
    let changed = false
    const least = Math.max(LEAST_FITTING, Math.ceil(clients.length * LEAST_SUPPORT))
    for (const entry of this.#entries.values()) {
      const sinceMs = nowMs - entry.seenAtMs
      if (sinceMs >= RENEW_EVERY_MS || sinceMs < 0) {
        entry.seenAtMs = nowMs
        const { terms, isPinned } = entry.signature
        const fits = clients.filter((client) => this.#fits(terms, client)).length
        entry.signature = { ...entry.signature, support: fits / Math.max(1, clients.length) }
        const mayRenew = nowMs - this.#strainedAtMs < RENEWED_IN_CALM_MS
        if (mayRenew && fits >= least && !isPinned) entry.untilMs = nowMs + EXPIRY_MS
      }
      const { signature, untilMs } = entry
      if (signature.expiresAtMs >= untilMs || signature.expiresAtMs - nowMs >= EXPIRY_MS / 2) continue
      entry.signature = { ...signature, expiresAtMs: untilMs }
      changed = true
    }
    return changed
  }

  /** Who is here, for `weigh`; nobody when that was asked just now: looking at all of them takes milliseconds. */
  #clientsToAsk(nowMs: number): readonly CurrentClient[] {
    const sinceMs = nowMs - this.#askedAtMs
    if (sinceMs >= 0 && sinceMs < MINE_EVERY_MS) return []
    this.#askedAtMs = nowMs
    return this.#window.clients(nowMs)
  }

  /** Those who fit are visitors, by the prefixes of whoever has shown effort or history. */
  #areVisitors(terms: readonly Term[], clients: readonly CurrentClient[]): boolean {
    const proven = new Set<string>()
    const fitting = new Set<string>()
    let fits = 0
    for (const client of clients) {
      const isFitting = this.#fits(terms, client)
      if (isFitting) fits++
      if (!client.isProven) continue
      proven.add(client.prefix)
      if (isFitting) fitting.add(client.prefix)
    }
    return witnessesSpeakAgainst(fitting.size, proven.size, fits)
  }

  #fits(terms: readonly Term[], { traits }: CurrentClient): boolean {
    const view = this.baseline.view()
    return terms.every(({ trait, value }) => {
      const column = COLUMN[trait]
      const shown = traits[column] ?? ''
      if (value !== UNFAMILIAR) return shown === value && (value !== '' || CAN_BE_ABSENT[column]!)
      return view.canBeUnfamiliar(column) && !view.isFamiliar(column, shown)
    })
  }

  #mine(clients: readonly CurrentClient[], nowMs: number): boolean {
    const forbidden = this.#fitting([...this.#forbidden.values()].map(({ terms }) => terms))
    const withdrawn = this.#fitting(
      [...this.#withdrawn.values()].filter(({ untilMs }) => untilMs > nowMs).map(({ terms }) => terms),
    )
    // Whom the operator wants left alone is no part of any flood, by whatever words.
    const others = clients.filter((client) => !forbidden(client))
    const mined = mine(others, this.baseline.view(), {
      isRegular: (client) => this.baseline.isRegular(client),
      isWithdrawn: withdrawn,
      isInForce: (terms) => this.#entries.has(signatureId(terms)),
    })
    this.#leftOut += mined.leftOut
    const together: HeldBack[] = []
    let changed = false
    for (const terms of mined.refuted) {
      const id = signatureId(terms)
      if (this.#entries.get(id)?.signature.isPinned !== false) continue
      this.#withdraw(id, nowMs)
      changed = true
    }
    for (const found of mined.found) {
      const id = signatureId(found.terms)
      const entry = this.#entries.get(id)
      if (entry?.signature.isPinned) continue
      if (entry !== undefined) {
        const { publishedAtMs, expiresAtMs } = entry.signature
        entry.signature = { ...signatureOf(id, found, publishedAtMs, nowMs), expiresAtMs }
        entry.seenAtMs = nowMs
        entry.untilMs = nowMs + EXPIRY_MS
        continue
      }
      const { share } = found.calm
      if (share > 0 && this.#touchedByMined() + share > MOST_VISITORS_IN_ALL) {
        together.push(heldBackOf({ ...found, why: 'together', witnesses: 0, witnessesOf: 0 }))
        continue
      }
      this.#makeRoom()
      this.#entries.set(id, newEntry(signatureOf(id, found, nowMs, nowMs), nowMs))
      changed = true
    }
    this.#heldBack = [...together, ...mined.heldBack.map(heldBackOf)].slice(0, MOST_HELD_BACK)
    this.#heldBackAtMs = nowMs
    return changed
  }

  /** Share of calm weather's clients that those in force touch at most; what is pinned is the operator's. */
  #touchedByMined(): number {
    let share = 0
    for (const { signature } of this.#entries.values()) if (!signature.isPinned) share += signature.baseline
    return share
  }

  /** Whether a client fits one of several sets. */
  #fitting(sets: readonly (readonly Term[])[]): (client: CurrentClient) => boolean {
    if (sets.length === 0) return () => false
    const view = this.baseline.view()
    const familiar: Partial<Record<string, readonly string[]>> = {}
    for (const { name } of TRAITS) {
      const values = view.familiar(name)
      // Too many to tell: then nobody is unfamiliar, as with what is in force, and not everybody.
      if (values !== undefined) familiar[name] = values
    }
    const matcher = new SignatureMatcher({
      signatures: sets.map((terms) => ({ ...NO_FIGURES, id: '', terms })),
      familiar,
    })
    return ({ traits }) => matcher.match(traits) !== undefined
  }

  #withdraw(id: string, nowMs: number): void {
    const { terms } = this.#entries.get(id)!.signature
    this.#entries.delete(id)
    this.#withdrawn.set(id, { terms, untilMs: nowMs + WITHDRAWN_MS })
    this.#withdrawals++
  }

  /** Sixteen that were mined; the one that is nearest to its end goes for a newer. */
  #makeRoom(): void {
    const mined = [...this.#entries.values()].filter(({ signature }) => !signature.isPinned)
    if (mined.length < MOST_SIGNATURES) return
    const oldest = mined.reduce((a, b) => (a.untilMs <= b.untilMs ? a : b))
    this.#entries.delete(oldest.signature.id)
  }

  #publish(): void {
    const signatures = Array.from(this.#entries.values(), ({ signature }) => signature)
    const familiar: Partial<Record<string, readonly string[]>> = {}
    for (const { name } of TRAITS) {
      if (
        !signatures.some(({ terms }) =>
          terms.some((term) => term.trait === name && term.value === UNFAMILIAR),
        )
      )
        continue
      const values = this.baseline.view().familiar(name)
      if (values !== undefined) familiar[name] = values
    }
    this.#published = { signatures, familiar }
    this.#matcher = new SignatureMatcher(this.#published)
  }
}

/** Nobody knows the id. */
export function unknownSignature(id: string): SignatureWishError {
  return new SignatureWishError(
    `there is no signature ${id.slice(0, 40)}; \`digue signatures\` shows those there are`,
  )
}

const NO_FIGURES: Omit<Signature, 'id' | 'terms'> = {
  effect: 'weight',
  isPinned: false,
  publishedAtMs: 0,
  expiresAtMs: 0,
  support: 0,
  baseline: 0,
  baselineAtMost: 0,
  lift: 0,
  visitors: 0,
  reason: '',
}

function newEntry(signature: Signature, nowMs: number): Entry {
  return {
    signature,
    requests: 0,
    proven: 0,
    requestsNow: 0,
    provenNow: 0,
    seenAtMs: nowMs,
    untilMs: signature.expiresAtMs,
  }
}

function signatureOf(id: string, found: FoundSet, publishedAtMs: number, nowMs: number): Signature {
  const { terms, support, calm, lift, provenFits, proven } = found
  return {
    id,
    terms,
    effect: 'weight',
    isPinned: false,
    publishedAtMs,
    expiresAtMs: nowMs + EXPIRY_MS,
    support,
    baseline: calm.share,
    baselineAtMost: calm.atMost,
    lift,
    // Few of those who have proved anything now say less than many of calm weather.
    visitors: Math.max(calm.share, proven >= 100 ? provenFits / proven : 0),
    reason: reasonText(found),
  }
}

function heldBackOf(held: HeldBackSet): HeldBack {
  const { terms, why, support, calm, lift } = held
  return {
    id: signatureId(terms),
    terms,
    why,
    support,
    baseline: calm.share,
    lift,
    reason: `${percent(support)} of the clients now ${termsText(terms)}. ${heldBackText(held)}`,
  }
}

const NAMES = new Set<unknown>(TRAITS.map(({ name }) => name))
const PIN_EFFECTS = new Set<unknown>(['weight', 'price', 'wait', 'refuse'] satisfies Effect[])

function areTerms(value: unknown): value is readonly Term[] {
  return (
    Array.isArray(value) &&
    value.length >= 1 &&
    value.length <= 3 &&
    value.every(
      (term) =>
        typeof term === 'object' && term !== null && NAMES.has(term.trait) && typeof term.value === 'string',
    )
  )
}

function isForbidden(value: unknown): value is Forbidden {
  if (typeof value !== 'object' || value === null) return false
  const { id, terms, note, atMs } = value as Partial<Record<string, unknown>>
  return areTerms(terms) && id === signatureId(terms) && typeof note === 'string' && Number.isFinite(atMs)
}

function isPinned(value: unknown): value is Signature {
  if (typeof value !== 'object' || value === null) return false
  const one = value as Partial<Record<keyof Signature, unknown>>
  const figures = [
    one.publishedAtMs,
    one.expiresAtMs,
    one.support,
    one.baseline,
    one.baselineAtMost,
    one.lift,
    one.visitors,
  ]
  return (
    areTerms(one.terms) &&
    one.id === signatureId(one.terms) &&
    one.isPinned === true &&
    PIN_EFFECTS.has(one.effect) &&
    typeof one.reason === 'string' &&
    figures.every(Number.isFinite)
  )
}
