/**
 * How people get in while a site is overloaded: one per thread, for all its sites.
 *
 * What a client shows decides its lane (`place`); what it spends of the origin's time is metered by
 * the token that brought it there (`spent`); in calm weather an answer that no shared cache may store brings it
 * the token of a known visitor, and a clearance that runs out is renewed (`ownFields`). What those get
 * who are not let in is in visitor-answers.ts; Digue's own paths are in own-paths.ts.
 */
import type { Lane } from '#admission'
import {
  CLEARANCE_COOKIE,
  type Clearance,
  dayOf,
  earn,
  type KeyRing,
  KNOWN_COOKIE,
  KNOWN_S,
  KnownQuota,
  LEAST_PRICE,
  type Meter,
  meteredUntilS,
  type Prices,
  renewed,
  type Standing,
  sealForm,
  setCookie,
  type WaitingLine,
  weightInLine,
  writeClearance,
  writeKnown,
} from '#challenge'
import { type FieldLines, fieldList, isKeptFromSharedCaches, type RequestHead } from '#http'
import { BoundedMap } from '#kit'
import type { ClientAddress } from '#networks'
import type { LoginCookie } from '#recognise'
import type { Exchange } from '../exchange.ts'
import type { SiteRuntime } from '../house.ts'
import { type Credentials, opensKnown, readShown, stranger } from './credentials.ts'
import { type SiteEntrance, siteEntrance } from './site-entrance.ts'

/** Ordinary pages that a proof pays for, and that a known visitor may have in an hour. */
const PAGES_PAID = 32
const PAGES_KNOWN = 600
/** A page's price in origin milliseconds, whatever calm weather has shown. */
const LEAST_PAGE_MS = 5
/** Of a new page in the running mean. */
const PAGE_WEIGHT = 0.02
const MOST_OVERCHARGE = 2
const MOST_PAGE_MS = 1000
const HOUR_S = 3600
const PROVEN_S = 600
/** Share of a network's waits in vain from which on nobody of it is made to wait. */
const IN_VAIN = 0.5
const MOST_PROVEN = 16_384
/** Pictures and styles of a page whose turn in the waiting room came. */
const PARTS_OF_PAGE = 30
const PARTS_S = 30
const MOST_LET_IN = 4096
const NO_FIELDS: FieldLines = []

export interface EntranceOptions {
  readonly keys: KeyRing
  readonly meter: Meter
  readonly prices: Prices
  /** A site's waiting room, shared by the threads. */
  readonly lineOf: (site: SiteRuntime) => WaitingLine
  /** Threads that share the quota of known visitors' tokens. */
  readonly threads: number
  readonly count: (counter: string, by?: number) => void
  readonly random8: () => string
  /** From 0 to 1. */
  readonly random: () => number
  /** Whole seconds since the epoch. */
  readonly nowS?: () => number
  /** Asks DNS who an address is, where the operator wishes it. */
  readonly crawlerByName?: (client: ClientAddress, userAgent: string) => string | undefined
}

export class Entrance {
  readonly keys: KeyRing
  readonly meter: Meter
  readonly prices: Prices
  readonly count: (counter: string, by?: number) => void
  readonly nowS: () => number
  readonly #options: EntranceOptions
  readonly #quota: KnownQuota
  /** Those whose turn in the waiting room came of late. */
  readonly #letIn = new BoundedMap<string, { readonly untilS: number; left: number }>(MOST_LET_IN)
  /** Addresses from which a token came that was believed, and when. */
  readonly #proven = new BoundedMap<string, number>(MOST_PROVEN)
  #sites = new WeakMap<
    SiteRuntime,
    { readonly config: SiteRuntime['config']; readonly entrance: SiteEntrance }
  >()

  constructor(options: EntranceOptions) {
    this.#options = options
    this.keys = options.keys
    this.meter = options.meter
    this.prices = options.prices
    this.count = options.count
    this.nowS = options.nowS ?? (() => Math.floor(Date.now() / 1000))
    this.#quota = new KnownQuota({ threads: options.threads, count: options.count })
  }

  site(site: SiteRuntime): SiteEntrance {
    const compiled = this.#sites.get(site)
    // A reload gives the site another configuration.
    if (compiled !== undefined && compiled.config === site.config) return compiled.entrance
    const entrance = siteEntrance(site.config, site.gate.typicalCostMs, this.nowS())
    this.#sites.set(site, { config: site.config, entrance })
    return entrance
  }

  line(site: SiteRuntime): WaitingLine {
    return this.#options.lineOf(site)
  }

  /** Takes out of the request what is Digue's own in it, and keeps what it says of the client. */
  read(exchange: Exchange): void {
    const shown = readShown(exchange.head, this.keys, exchange.site.name, this.nowS())
    if (shown === undefined) return
    exchange.head = shown.head
    exchange.credentials = shown.credentials
    if (shown.credentials.fault !== undefined) this.count(`token-${shown.credentials.fault}`)
  }

  /** The lane that the client's credentials open. */
  place(exchange: Exchange): void {
    const { credentials, head, site } = exchange
    const entrance = this.site(site)
    const nowS = this.nowS()
    exchange.mayEarn = this.#mayEarn(exchange, entrance, nowS)
    const token = entrance.tokens?.find(head.fields)
    if (token !== undefined) {
      exchange.isVouched = true
      this.#open(exchange, token.lane, `key ${token.name}`, 0)
      return
    }
    if (credentials !== undefined && entrance.knowsVisitors && opensKnown(credentials, nowS)) {
      if (this.#know(exchange, credentials.known!.id, nowS)) return
    }
    const login = entrance.login === undefined ? undefined : this.#loginOf(exchange, entrance.login, nowS)
    if (login !== undefined && this.#know(exchange, login, nowS)) return
    if (credentials?.clearance !== undefined && this.#pay(exchange, credentials, nowS)) return
    if (this.#isCrawler(exchange, entrance)) {
      exchange.lane = 'paid'
      exchange.effort = LEAST_PRICE
      exchange.isVouched = true
      return
    }
    this.#takeTurn(exchange, nowS)
  }

  /** Who has paid, where only a turn in the waiting room counts: true when he has come to it. */
  waitInstead(exchange: Exchange): boolean {
    this.#takeTurn(exchange, this.nowS())
    return exchange.lane === 'waiting'
  }

  /** Into the lane of those who waited, if its turn has come. */
  #takeTurn(exchange: Exchange, nowS: number): void {
    const { credentials } = exchange
    if (credentials?.ticket === undefined) return
    // Only a page's own request is a poll: its pictures carry the ticket too, and come with it.
    if (exchange.kind !== 'navigation') {
      if (this.#isPartOfPage(exchange.client.subscriber, nowS)) exchange.lane = 'waiting'
      return
    }
    credentials.standing = this.stand(exchange)
    if (credentials.standing.admitted) exchange.lane = 'waiting'
  }

  /** Where somebody stands in the site's waiting line. */
  stand(exchange: Exchange): Standing {
    const { client, credentials, site } = exchange
    const { prefix, subscriber, asn } = client
    const { weights } = site.gate
    const weight = weightInLine(weights.asn(asn), weights.prefix(prefix))
    const now = { nowS: this.nowS(), random: this.#options.random() }
    return this.line(site).stand({ prefix, subscriber, weight }, credentials?.ticket, now)
  }

  /**
   * People come from this address, whatever else does: one showed a token of late, or calm weather knows
   * it. It is neither silenced nor left without a page because somebody behind it hammers.
   */
  isPeoples(client: ClientAddress, site?: SiteRuntime): boolean {
    const seenS = this.#proven.get(client.subscriber)
    if (seenS !== undefined && this.nowS() - seenS < PROVEN_S) return true
    return site !== undefined && site.gate.weights.subscriber(client.subscriber) > 0
  }

  /** A known visitor whose lane was full, but who has paid as well: true when he goes with the payers now. */
  payInstead(exchange: Exchange): boolean {
    const { credentials, lane } = exchange
    if (lane !== 'known' || credentials?.clearance === undefined) return false
    return this.#pay(exchange, credentials, this.nowS())
  }

  /** What a new proof is worth, origin ms. */
  budgetMs(site: SiteRuntime): number {
    return Math.round(PAGES_PAID * this.#pageMs(site))
  }

  /**
   * The origin has worked `originMs` for it. In overload that is mostly the origin's own line, which is not the
   * fault of who paid: a token is charged what the route takes in calm weather, twice at most.
   */
  spent(exchange: Exchange, originMs: number): void {
    const { credentials, route, site } = exchange
    if (site.gate.learning && exchange.kind === 'navigation') {
      const { pageMs } = this.site(site)
      pageMs.mean += PAGE_WEIGHT * (originMs - pageMs.mean)
    }
    if (credentials === undefined || credentials.meteredUntilS === 0) return
    const calmMs = site.gate.calmMs(route)
    const charged = calmMs === undefined ? originMs : Math.min(originMs, MOST_OVERCHARGE * calmMs)
    this.meter.spend(credentials.account!, charged, credentials.meteredUntilS, this.nowS())
  }

  /**
   * A stranger who navigates need not stand in a line in which most of his network stand in vain: there
   * is a page for him that leads on. Whose networks the flood leaves alone wait their turn, a second at
   * most, and never see a page.
   */
  mayWait(exchange: Exchange, nowMs: number): boolean {
    const { lane, site } = exchange
    if (lane !== 'unproven' || this.site(site).vain.ratio(lineOf(exchange), nowMs) < IN_VAIN) return true
    return exchange.kind !== 'navigation'
  }

  /** Somebody of its network was shed after all. */
  waitedInVain(exchange: Exchange, nowMs: number): void {
    if (exchange.lane === 'unproven') this.site(exchange.site).vain.note(lineOf(exchange), 1, nowMs)
  }

  admitted(exchange: Exchange, nowMs: number): void {
    const { lane, site } = exchange
    if (lane === 'unproven') this.site(site).vain.note(lineOf(exchange), 0, nowMs)
    else if (lane === 'paid') this.prices.dispatched(aggregateOf(exchange.client), exchange.effort)
    else if (lane === 'waiting' && exchange.kind === 'navigation') {
      const { subscriber } = exchange.client
      this.line(site).shown(subscriber)
      this.#letIn.set(subscriber, { untilS: this.nowS() + PARTS_S, left: PARTS_OF_PAGE })
    }
  }

  /** What belongs to a page whose turn came: so many requests, soon after it. */
  #isPartOfPage(subscriber: string, nowS: number): boolean {
    const letIn = this.#letIn.get(subscriber)
    if (letIn === undefined || letIn.untilS < nowS || letIn.left === 0) return false
    letIn.left--
    return true
  }

  /** Set-Cookie lines for the origin's answer, which must be one that no shared cache may store. */
  ownFields(exchange: Exchange, status: number, answered: () => FieldLines): FieldLines {
    if (status >= 400) return NO_FIELDS
    if (!isKeptFromSharedCaches(answered())) return NO_FIELDS
    const lines: string[] = []
    const nowS = this.nowS()
    const { credentials, site, secure } = exchange
    // Only where it paid for this very exchange: one that is spent would outlive its meter in another lane.
    const paid = credentials?.clearance?.id === credentials?.account ? credentials?.clearance : undefined
    const again = paid === undefined ? undefined : renewed(paid, nowS)
    if (again !== undefined) lines.push('set-cookie', this.clearanceCookie(site, again, secure))
    const entrance = this.site(site)
    if (site.gate.learning && entrance.knowsVisitors) {
      const cookie = fieldList(exchange.head.fields, 'cookie')
      const vouched = cookie !== undefined && entrance.login?.isPresent(cookie) === true
      const earned = earn(credentials?.known, nowS, this.#options.random8(), vouched)
      if (earned !== undefined && this.#quota.mayGive(exchange.client, nowS)) {
        const text = writeKnown(this.keys, site.name, earned)
        lines.push('set-cookie', setCookie(KNOWN_COOKIE, text, { secure, maxAgeS: KNOWN_S }))
      }
    }
    return lines
  }

  /** A form as text for a page; it comes back to `OwnPaths.openForm`. */
  seal(site: SiteRuntime, head: RequestHead, body: Buffer): string {
    const form = { target: head.target, fields: head.fields, body }
    return sealForm(this.keys, site.name, form, this.nowS())
  }

  clearanceCookie(site: SiteRuntime, clearance: Clearance, secure: boolean): string {
    const nowS = this.nowS()
    return setCookie(CLEARANCE_COOKIE, writeClearance(this.keys, site.name, clearance), {
      secure,
      maxAgeS: Math.max(1, clearance.expiresS - nowS),
    })
  }

  #open(exchange: Exchange, lane: Lane, account: string, meteredUntilS: number): void {
    exchange.lane = lane
    exchange.credentials ??= stranger()
    exchange.credentials.account = account
    exchange.credentials.meteredUntilS = meteredUntilS
    this.#proven.set(exchange.client.subscriber, this.nowS())
  }

  #know(exchange: Exchange, id: string, nowS: number): boolean {
    const untilS = (Math.floor(nowS / HOUR_S) + 1) * HOUR_S
    const budgetMs = PAGES_KNOWN * this.#pageMs(exchange.site)
    if (!this.#hasLeft(id, budgetMs, untilS, nowS, 'known-spent')) return false
    this.#open(exchange, 'known', id, untilS)
    return true
  }

  #pay(exchange: Exchange, credentials: Credentials, nowS: number): boolean {
    const clearance = credentials.clearance!
    const untilS = meteredUntilS(clearance, nowS)
    if (!this.#hasLeft(clearance.id, clearance.budgetMs, untilS, nowS, 'clearance-spent')) return false
    this.#open(exchange, 'paid', clearance.id, untilS)
    exchange.effort = clearance.effort
    return true
  }

  /** Whoever finds no room in the meter pays nothing and so gets nothing. */
  #hasLeft(id: string, budgetMs: number, untilS: number, nowS: number, counter: string): boolean {
    const spentMs = this.meter.spentMs(id, nowS)
    if (spentMs >= budgetMs) {
      this.count(counter)
      return false
    }
    if (spentMs > 0 || this.meter.spend(id, 0, untilS, nowS)) return true
    this.count('meter-full')
    return false
  }

  #loginOf(exchange: Exchange, login: LoginCookie, nowS: number): string | undefined {
    const cookie = fieldList(exchange.head.fields, 'cookie')
    return cookie === undefined ? undefined : login.accountOf(cookie, nowS)
  }

  /** What an ordinary page takes, within reason. */
  #pageMs(site: SiteRuntime): number {
    return Math.min(MOST_PAGE_MS, Math.max(LEAST_PAGE_MS, this.site(site).pageMs.mean))
  }

  #isCrawler(exchange: Exchange, entrance: SiteEntrance): boolean {
    const { client, head } = exchange
    if (entrance.crawlers === undefined) return false
    if (entrance.crawlers.engineOf(client.text) !== undefined) return true
    if (!entrance.asksDns) return false
    const agent = fieldList(head.fields, 'user-agent') ?? ''
    return this.#options.crawlerByName?.(client, agent) !== undefined
  }

  #mayEarn(exchange: Exchange, entrance: SiteEntrance, nowS: number): boolean {
    const { credentials, site } = exchange
    if (credentials?.clearance !== undefined && renewed(credentials.clearance, nowS) !== undefined)
      return true
    if (!entrance.knowsVisitors || !site.gate.learning) return false
    const today = dayOf(nowS)
    const known = credentials?.known
    if (known !== undefined && known.lastDay >= today && (known.login || entrance.login === undefined))
      return false
    return exchange.kind === 'navigation'
  }
}

/** In whose line a stranger stands: those of a network who show a flood's handwriting have their own. */
function lineOf({ client, marked }: Exchange): string {
  const aggregate = aggregateOf(client)
  return marked ? `marked ${aggregate}` : aggregate
}

/** Whose bids compete: a network's, or a prefix's where its network is unknown. */
export function aggregateOf(client: ClientAddress): string {
  return client.asn > 0 ? `AS${client.asn}` : client.prefix
}
