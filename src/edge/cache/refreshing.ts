/**
 * What is stored is refreshed before visitors have to wait for it: behind the back of those who are served with it
 * meanwhile, and ahead of time where many will want it.
 */
import type { Stored, WarmingState } from '#cache'
import type { RequestHead } from '#http'
import { BoundedMap } from '#kit'
import { routeOf } from '#recognise'
import { impersonal, ownRequestFields } from '../forwarding.ts'
import type { SiteRuntime } from '../house.ts'
import type { SiteCache } from './cache-desk.ts'
import type { Flight } from './collapsing.ts'
import { Filling, type Fillings, type Plan } from './filling.ts'
import { Refresher } from './refresher.ts'
import type { Shelf } from './shelf.ts'

/** Twice what `Warming` knows. */
const ASKED_KEPT = 512
/** A page that is fresh for less is looked at so often, before `Warming` takes it for due. */
const SOON_MS = 10_000
const SOON_SHARE = 0.3
const ASKED_AGAIN_MS = 2000

export interface RefreshingOptions {
  readonly shelf: Shelf
  readonly siteOf: (site: SiteRuntime) => SiteCache
  /** Undefined when somebody asks for this key already. */
  readonly begin: (key: string) => Flight | undefined
  readonly fillings: Fillings
  readonly count: (counter: string) => void
  /** Wall clock; and monotonic, as the gate's. */
  readonly nowMs: () => number
  readonly monotonicMs: () => number
}

export class Refreshing {
  readonly #options: RefreshingOptions
  readonly #refresher: Refresher
  /** How pages were asked for that may be refreshed ahead. */
  readonly #asked = new BoundedMap<string, RequestHead>(ASKED_KEPT)
  readonly #askedAtMs = new WeakMap<Stored, number>()

  constructor(options: RefreshingOptions) {
    this.#options = options
    this.#refresher = new Refresher({ nowMs: options.monotonicMs, count: options.count })
  }

  /**
   * It served. It may be due soon: asked for as a visitor does now. Not as whoever brought it here, which may have been another
   * thread, or somebody whose odd fields would come to the origin again and again.
   */
  asked(head: RequestHead, { stored, ttlMs }: { stored: Stored; ttlMs: number }): void {
    if (ttlMs >= Math.max(SOON_MS, SOON_SHARE * stored.lifetime.ms)) return
    const nowMs = this.#options.nowMs()
    if (nowMs - (this.#askedAtMs.get(stored) ?? 0) < ASKED_AGAIN_MS) return
    this.#askedAtMs.set(stored, nowMs)
    this.#asked.set(stored.response.key, impersonalHead(head))
  }

  /** Behind the back of whoever is served meanwhile, or ahead of time. */
  start(plan: Plan, route: string): void {
    const { vary } = plan.validates!.response
    // What is somebody's own is not asked for on nobody's behalf.
    if (vary.includes('cookie') || vary.includes('authorization')) return
    if (!this.#refresher.hasRoom) return
    const flight = this.#options.begin(plan.key)
    if (flight === undefined) return
    const { site } = plan
    const request = impersonalHead(plan.request)
    const fields = ownRequestFields(request, site.config, plan.key.startsWith('https:'))
    const filling = new Filling({ ...plan, request, leads: true }, this.#options.fillings)
    filling.flight = flight
    this.#refresher.start({ site, target: request.target, route, fields }, filling)
  }

  /** Refreshes what visitors will want next: about once a second, in one thread. */
  warm(site: SiteRuntime, state: WarmingState): void {
    const { rules, warming } = this.#options.siteOf(site)
    const nowMs = this.#options.nowMs()
    const newestOf = (key: string) =>
      this.#options.shelf.get(key).findLast(({ response }) => response.status !== 206)
    const freshnessOf = (key: string) => {
      const stored = newestOf(key)
      return stored && { leftMs: stored.ttlMs(nowMs), lifetimeMs: stored.lifetime.ms }
    }
    for (const key of warming.due(nowMs, freshnessOf, state)) {
      const request = this.#asked.get(key)
      const stored = newestOf(key)!
      // Asked for by nobody since it is due: whose request would it be?
      if (request === undefined || stored.response.purpose !== 'reuse') continue
      this.#options.count('cache-warmed')
      const { conditions } = stored
      const plan = {
        key,
        site,
        request,
        rules,
        forwarded: 'stale',
        validates: stored,
        conditions,
        leads: true,
      }
      this.start(plan, routeOf('GET', request.target))
    }
  }

  tick(): void {
    this.#refresher.tick()
  }
}

function impersonalHead({ target, version, host, fields }: RequestHead): RequestHead {
  return { method: 'GET', target, version, host, fields: impersonal(fields) }
}
