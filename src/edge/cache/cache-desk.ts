/**
 * What an edge thread does with stored responses: serves them, sees to it that a page is asked for once
 * however many want it, and brings forward what is stored when the origin cannot answer.
 *
 *   look ─┬─ fresh ─▶ served
 *         ├─ stale, and the origin is full or down ─▶ served, and refreshed behind its back
 *         ├─ somebody asks for it already ─▶ follows: looks again when that one has landed
 *         └─ nothing, or to be validated ─▶ a plan: the gate is asked; admitted, it leads
 */
import {
  type CacheRules,
  type Choice,
  cacheKey,
  choose,
  type Flights,
  isSafe,
  type Parameters,
  type Purge,
  placed,
  type Stored,
  type StoredResponse,
  uriKey,
  type Warming,
  type WarmingState,
} from '#cache'
import { type RequestHead, storeFieldsOf } from '#http'
import { BoundedMap } from '#kit'
import type { Exchange } from '../exchange.ts'
import { isConditional, isPersonal } from '../forwarding.ts'
import type { SiteRuntime } from '../house.ts'
import { Collapsing } from './collapsing.ts'
import { type Fill, Filling, type Fillings, type Instead, type Landing, type Plan } from './filling.ts'
import type { LibraryHandlers, LibraryPort } from './library-port.ts'
import { Refreshing } from './refreshing.ts'
import { RewrittenHead } from './rewritten-head.ts'
import type { Shelf } from './shelf.ts'
import { Sights } from './sights.ts'
import { StoredAnswer } from './stored-answer.ts'
import { UnsafeFill } from './unsafe-fill.ts'

type Validation = Extract<Choice, { action: 'validate' }>
/** Parameters of Cache-Status. */
type Hit = 'hit' | 'hit; detail=stale'

/** What the desk needs of the pipeline. */
export interface CacheHost {
  /** Sends it and ends the exchange. */
  serveStored(exchange: Exchange, instead: Instead): void
  /** Is decided about again, from the look at what is stored on. */
  decideAgain(exchange: Exchange): void
  /** Its claim leaves the gate's line. */
  leaveLine(exchange: Exchange): void
  /** Its permit goes back unused. */
  returnPermit(exchange: Exchange): void
}

/** What a thread knows of a site's pages. */
export interface SiteCache {
  readonly rules: CacheRules
  readonly parameters: Parameters
  readonly warming: Warming
}

export type LibraryLine = Pick<LibraryPort, 'want' | 'stored' | 'used' | 'invalidated' | 'landed' | 'seen'>

export interface CacheDeskOptions {
  readonly host: CacheHost
  readonly shelf: Shelf
  readonly library: LibraryLine
  readonly flights: Flights
  /** A response with this key may be on disk. */
  readonly mayBeOnDisk: (key: string) => boolean
  readonly siteOf: (site: SiteRuntime) => SiteCache
  readonly count: (counter: string) => void
  /** Wall clock, as Date and Age are; and monotonic, as the gate's. */
  readonly nowMs: () => number
  readonly monotonicMs: () => number
}

/** Copies under way in one thread. */
const MOST_COPY_BYTES = 64 * 1024 * 1024
/** Keys whose answers may not be stored: nobody waits for them in vain. */
const REJECTED_KEPT = 8192
const REJECTED_MS = 600_000
/** In line on this thread: posture will know within a second or two, and by then thousands have asked. */
const CROWD = 64
/** Until then it is taken for one, however short the line has become because of it. */
const CROWDED_MS = 5000
/** The origin could not give a page: so long what is stored serves before it is asked again. */
const FAILED_KEPT = 4096
const FAILED_MS = 1000
/** Keys that were changed: answers may be on their way that do not know of it. */
const OUTDATED_KEPT = 4096
/** RFC 9111 §5.2.1.7: what was asked for is not stored. */
const ONLY_IF_CACHED: Instead = {
  served: {
    status: 504,
    fields: ['content-length', '0', 'cache-status', 'Digue; fwd=uri-miss; detail=only-if-cached'],
    body: new Uint8Array(0),
  },
  reason: '',
}

export class CacheDesk implements Fillings, Omit<LibraryHandlers, 'landed' | 'seen' | 'learned'> {
  readonly #options: CacheDeskOptions
  readonly #collapsing: Collapsing
  readonly #refreshing: Refreshing
  readonly #sights: Sights
  readonly #rejected = new BoundedMap<string, number>(REJECTED_KEPT)
  readonly #failed = new BoundedMap<string, number>(FAILED_KEPT)
  readonly #outdatedAtMs = new BoundedMap<string, number>(OUTDATED_KEPT)
  readonly #crowdedUntilMs = new WeakMap<SiteRuntime, number>()
  #copyBytes = 0

  constructor(options: CacheDeskOptions) {
    this.#options = options
    const { host, library, flights, nowMs, count } = options
    this.#collapsing = new Collapsing({
      flights,
      announce: (key) => library.landed(key),
      again: (exchange) => host.decideAgain(exchange),
      leaveLine: (exchange) => host.leaveLine(exchange),
      count,
      nowMs,
    })
    this.#refreshing = new Refreshing({
      shelf: options.shelf,
      siteOf: options.siteOf,
      begin: (key) => this.#collapsing.begin(key),
      fillings: this,
      count,
      nowMs,
      monotonicMs: options.monotonicMs,
    })
    this.#sights = new Sights({
      parametersOf: (site) => options.siteOf(site).parameters,
      tell: (sight) => library.seen(sight),
      nowMs,
    })
  }

  // What the pipeline asks and tells.

  /** True: answered, or it waits for another's answer. False: the gate is to be asked. */
  take(exchange: Exchange): boolean {
    const { head, site } = exchange
    exchange.fill = undefined
    if (exchange.carrier.serve === undefined) return false
    if (!isOn(site)) return false
    if (!isSafe(head.method)) {
      exchange.fill = this.#unsafe(exchange)
      return false
    }
    // A GET with a body means something that its target does not tell.
    const key = exchange.carrier.hasBody === true ? undefined : cacheKey(head, exchange.secure)
    return key !== undefined && this.#look(exchange, key, head)
  }

  /** It stands in the gate's line: what it wants may land meanwhile. */
  queued(exchange: Exchange): void {
    exchange.head.release?.()
    const plan = leaderPlan(exchange)
    if (plan !== undefined) this.#collapsing.queued(exchange, plan.key)
  }

  /** It left the gate's line, however. */
  unqueued(exchange: Exchange): void {
    const plan = leaderPlan(exchange)
    if (plan !== undefined) this.#collapsing.unqueued(exchange, plan.key)
  }

  /** It holds a permit. False: it needs none any more, and gave it back. */
  admitted(exchange: Exchange): boolean {
    const { fill } = exchange
    if (!(fill instanceof Filling) || !fill.plan.leads) return true
    const { host } = this.#options
    const { key } = fill.plan
    // While it stood in line what it wants may have come.
    if (this.#isFresh(fill.plan)) {
      host.returnPermit(exchange)
      host.decideAgain(exchange)
      return false
    }
    fill.flight = this.#collapsing.begin(key)
    if (fill.flight !== undefined || !this.#collapsing.mayFollow(exchange)) return true
    host.returnPermit(exchange)
    // Landed in this very moment, in another thread.
    if (!this.#follow(exchange, key)) host.decideAgain(exchange)
    return false
  }

  /** Refreshes what visitors will want next: about once a second, in one thread. */
  warm(site: SiteRuntime, state: WarmingState): void {
    if (isOn(site)) this.#refreshing.warm(site, state)
  }

  tick(): void {
    this.#collapsing.tick()
    this.#refreshing.tick()
  }

  // What the library tells.

  kept(response: StoredResponse): void {
    this.#options.shelf.put(response)
  }

  dropped(ids: readonly string[]): void {
    for (const id of ids) {
      const end = id.indexOf('\n')
      this.#options.shelf.drop(id.slice(0, end), id.slice(end + 1))
    }
  }

  found(_key: string, responses: readonly StoredResponse[]): void {
    for (const response of responses) this.#options.shelf.put(response)
  }

  shelf(): Iterable<StoredResponse> {
    return this.#options.shelf.responses()
  }

  invalidated(keys: readonly string[]): void {
    for (const key of keys) {
      this.#options.shelf.remove(key)
      this.#outdated(key)
    }
  }

  purged(what: Purge): void {
    this.#options.shelf.purge(what)
  }

  landedElsewhere(key: string): void {
    this.#collapsing.landedElsewhere(key, this.#options.shelf.get(key).length > 0)
  }

  configured(): void {
    this.#options.shelf.configured()
  }

  // What fillings ask and tell.

  nowMs(): number {
    return this.#options.nowMs()
  }

  count(counter: string): void {
    this.#options.count(counter)
  }

  reserve(bytes: number): boolean {
    if (this.#copyBytes + bytes > MOST_COPY_BYTES) return false
    this.#copyBytes += bytes
    return true
  }

  release(bytes: number): void {
    this.#copyBytes -= bytes
  }

  keep(came: StoredResponse, rules: CacheRules): Stored | undefined {
    const outdatedAtMs = this.#outdatedAtMs.get(came.key) ?? 0
    // In the future: the clock was set back.
    if (came.requestedAtMs <= outdatedAtMs && outdatedAtMs <= this.nowMs()) return undefined
    const { shelf, library } = this.#options
    const response = came.status === 206 ? placed(shelf.get(came.key), came, rules) : came
    const stored = shelf.put(response)
    if (stored?.response === response) library.stored(response)
    return stored
  }

  forget(key: string): void {
    this.#options.shelf.remove(key)
    this.#options.library.invalidated([key])
  }

  saw({ plan }: Filling, status: number, response?: StoredResponse): void {
    this.#sights.answered(plan, status, response)
  }

  copying({ flight }: Filling): void {
    if (flight !== undefined) this.#collapsing.copying(flight)
  }

  landed({ plan, flight }: Filling, how: Landing): void {
    const { key } = plan
    const now = this.nowMs()
    if (how === 'rejected' && plan.leads)
      this.#rejected.set(isPersonal(storeFieldsOf(plan.request)) ? personally(key) : key, now + REJECTED_MS)
    else if (how === 'failed') this.#failed.set(key, now + FAILED_MS)
    else if (how === 'stored') this.#rejected.delete(key)
    if (flight !== undefined) this.#collapsing.landed(flight, how === 'stored')
  }

  /** `head`: what it asks for, but for parameters that are passed over. */
  #look(exchange: Exchange, key: string, head: RequestHead): boolean {
    const { site } = exchange
    const { shelf, host } = this.#options
    const { rules } = this.#options.siteOf(site)
    const choice = choose(shelf.get(key), head, this.nowMs(), rules.objectBytes)
    switch (choice.action) {
      case 'serve':
        this.#refreshing.asked(head, choice)
        this.#serve(exchange, head, choice.stored, 'hit')
        return true
      case 'refuse':
        host.serveStored(exchange, ONLY_IF_CACHED)
        return true
      case 'validate':
        return this.#validate(exchange, head, key, choice)
      case 'miss':
        break
      default:
        choice satisfies never
    }
    if (head === exchange.head && this.#isCrowded(site)) {
      const plainer = this.#withoutParameters(exchange)
      if (plainer !== undefined) return this.#look(exchange, cacheKey(plainer, exchange.secure)!, plainer)
    }
    if (!exchange.wasSought && this.#options.mayBeOnDisk(key)) {
      exchange.wasSought = true
      this.#options.library.want(key, () => {
        if (!exchange.ended) host.decideAgain(exchange)
      })
      return true
    }
    const { why, emergency, completes } = choice
    const mayLead =
      head.method === 'GET' &&
      why !== 'bypass' &&
      !isConditional(storeFieldsOf(head)) &&
      !this.#wasRejected(key, head)
    if (mayLead && this.#follow(exchange, key)) return true
    this.#plan(exchange, {
      key,
      site,
      request: head,
      isRewritten: head !== exchange.head,
      rules,
      forwarded: why,
      leads: mayLead,
      ...(completes === undefined || !mayLead
        ? {}
        : { completes: completes.stored, conditions: completes.conditions }),
      ...(emergency === undefined ? {} : { emergency }),
    })
    return false
  }

  #unsafe({ head, site, secure }: Exchange): Fill {
    const key = head.method === 'POST' ? uriKey(head, secure) : undefined
    const { rules } = this.#options.siteOf(site)
    const page =
      key === undefined
        ? undefined
        : new Filling({ key, site, request: head, rules, forwarded: 'method', leads: false }, this)
    return new UnsafeFill(head, secure, (stale) => this.#change(stale), page)
  }

  /** An unsafe request has changed it. */
  #change(key: string): void {
    this.forget(key)
    this.#outdated(key)
  }

  /** What the origin was asked for until now is of yesterday, also where its answer is still on its way. */
  #outdated(key: string): void {
    this.#outdatedAtMs.set(key, this.nowMs())
    this.#collapsing.outdated(key)
  }

  #validate(exchange: Exchange, head: RequestHead, key: string, choice: Validation): boolean {
    const { site } = exchange
    const { stored, conditions, ifError } = choice
    const plan: Plan = {
      key,
      site,
      request: head,
      isRewritten: head !== exchange.head,
      rules: this.#options.siteOf(site).rules,
      forwarded: choice.why,
      validates: stored,
      conditions,
      leads: head.method === 'GET' && !this.#wasRejected(key, head),
      ...(ifError ? { stale: stored } : {}),
    }
    const hasFailed = this.#hasFailed(key)
    if (choice.whileRevalidate || (ifError && (hasFailed || isOverloaded(site)))) {
      if (!hasFailed) this.#refreshing.start(plan, exchange.route)
      this.#serve(exchange, head, stored, 'hit; detail=stale')
      return true
    }
    if (plan.leads && this.#follow(exchange, key)) return true
    this.#plan(exchange, plan)
    return false
  }

  #follow(exchange: Exchange, key: string): boolean {
    if (!this.#collapsing.follow(exchange, key)) return false
    exchange.head.release?.()
    return true
  }

  #isCrowded(site: SiteRuntime): boolean {
    if (isOverloaded(site)) return true
    const nowMs = this.#options.monotonicMs()
    if (site.tally.waiting >= CROWD) this.#crowdedUntilMs.set(site, nowMs + CROWDED_MS)
    return (this.#crowdedUntilMs.get(site) ?? 0) > nowMs
  }

  #plan(exchange: Exchange, plan: Plan): void {
    exchange.fill = new Filling(plan, this)
  }

  #serve(exchange: Exchange, head: RequestHead, stored: Stored, status: Hit): void {
    this.#options.library.used(stored.response)
    const { site } = exchange
    const nowMs = this.nowMs()
    this.#options.siteOf(site).warming.used(stored.response.key, nowMs)
    if (status === 'hit') this.#sights.served(site, head, stored.response)
    const reason = status === 'hit' ? '' : 'stale'
    this.#options.host.serveStored(exchange, new StoredAnswer({ stored, head, nowMs, status }, reason))
  }

  /**
   * The request without parameters that change nothing, as far as calm weather showed: so the origin is asked, and
   * what is stored under it is the page without them. Logs, and pages of Digue's own, keep what the client asked for.
   */
  #withoutParameters({ head, site }: Exchange): RequestHead | undefined {
    const target = this.#options.siteOf(site).parameters.stripped(head.target)
    if (target === undefined) return undefined
    this.count('cache-parameters-passed-over')
    return new RewrittenHead(head, target)
  }

  #isFresh({ key, request }: Plan): boolean {
    const variants = this.#options.shelf.get(key)
    return variants.length > 0 && choose(variants, request, this.nowMs()).action === 'serve'
  }

  #wasRejected(key: string, head: RequestHead): boolean {
    const nowMs = this.nowMs()
    if ((this.#rejected.get(key) ?? 0) > nowMs) return true
    return isPersonal(storeFieldsOf(head)) && (this.#rejected.get(personally(key)) ?? 0) > nowMs
  }

  #hasFailed(key: string): boolean {
    return (this.#failed.get(key) ?? 0) > this.nowMs()
  }
}

/** Of a page that cannot be stored for whoever brings cookies or credentials: strangers may share it all the same. */
function personally(key: string): string {
  return `${key}\n`
}

function isOn({ config }: SiteRuntime): boolean {
  return config.cache.enabled && config.mode !== 'observe'
}

function leaderPlan({ fill }: Exchange): Plan | undefined {
  return fill instanceof Filling && fill.plan.leads ? fill.plan : undefined
}

/**
 * Its origin has more to do than it can, as posture has it: a short line in calm weather is none. Who is shed before
 * posture knows gets what is stored all the same.
 */
function isOverloaded(site: SiteRuntime): boolean {
  return !site.gate.learning
}
