/** What one edge thread knows: its sites with their gates and origins, the policy, the counters. */

import type { Dispatcher } from 'undici'
import type { Gate, Weights } from '#admission'
import type { Config, SiteConfig } from '#config'
import type { Policy } from '#control'
import { Ring } from '#kit'
import type { ExchangeRecord } from '#record'
import { SiteRecognition } from './recognition/site-recognition.ts'
import { type GateReport, SiteTally } from './site-tally.ts'

/** One origin server of a site. */
export interface Origin {
  readonly url: string
  readonly secure: boolean
  /** Either a host and port, or a Unix socket path. */
  readonly hostname: string
  readonly port: number
  readonly socketPath: string
  readonly verify: boolean
  /** Its keep-alive connections. */
  readonly pool: Dispatcher
}

/** The site's origins; hands out a healthy one and learns from what came of it. */
export interface OriginSet {
  /**
   * A healthy origin with the fewest exchanges in flight; the least bad one when none is healthy.
   * Each pick is followed by one `succeeded`, `failed` or `returned`. `not`: one that just refused.
   */
  pick(not?: Origin): Origin
  /** Report of an exchange: it returned a response head / it failed before one. */
  succeeded(origin: Origin): void
  failed(origin: Origin, reason: string): void
  /** The exchange ended without saying anything about the origin: its client left. */
  returned(origin: Origin): void
  readonly states: readonly { readonly url: string; readonly healthy: boolean; readonly reason: string }[]
}

/** A gate that also reports: what admission's createGate makes. */
export interface SiteGate extends Gate {
  /** The site is calm: its traffic is the baseline. */
  learning: boolean
  /** Shares of calm weather. */
  readonly weights: Weights
  /** Origin milliseconds of an ordinary request in calm weather. */
  readonly typicalCostMs: number
  /** The same of a route class; undefined when calm weather has not shown it. */
  calmMs(route: string): number | undefined
  /** A permit that another thread freed may be for a claim here. */
  woken(nowMs: number): void
  report(): GateReport
}

export interface SiteRuntime {
  /** The first of its hosts: its name in logs and metrics. */
  readonly name: string
  config: SiteConfig
  readonly gate: SiteGate
  origins: OriginSet
  readonly tally: SiteTally
  readonly recognition: SiteRecognition
}

export interface House {
  readonly config: Config
  policy: Policy
  /** Exact host, then the longest wildcard, then "*". */
  findSite(host: string): SiteRuntime | undefined
  readonly records: Ring<ExchangeRecord>
  /** Adds one to a counter of this thread; README.md lists the names. */
  count(counter: string, by?: number): void
}

/** Makes what a site needs; kept apart so that tests may give a gate of their own. */
export interface SiteParts {
  gate(site: SiteConfig, name: string): SiteGate
  origins(site: SiteConfig): OriginSet & { close(): void }
}

/** Records per report: what a thread may hold when nothing takes them. */
const RECORDS = 4096

export class EdgeHouse implements House {
  config: Config
  policy: Policy
  readonly records = new Ring<ExchangeRecord>(RECORDS)
  readonly #parts: SiteParts
  #exact = new Map<string, SiteRuntime>()
  #below = new Map<string, SiteRuntime>()
  #any: SiteRuntime | undefined
  #sites = new Map<string, SiteRuntime>()
  #counters = new Map<string, number>()

  constructor(config: Config, policy: Policy, parts: SiteParts) {
    this.config = config
    this.policy = policy
    this.#parts = parts
    this.configure(config)
  }

  get sites(): ReadonlyMap<string, SiteRuntime> {
    return this.#sites
  }

  /** Puts a configuration in force. A site that stays keeps its gate, so that it keeps what it learned. */
  configure(config: Config): void {
    const before = this.#sites
    const sites = new Map<string, SiteRuntime>()
    const exact = new Map<string, SiteRuntime>()
    const below = new Map<string, SiteRuntime>()
    let any: SiteRuntime | undefined
    for (const siteConfig of config.sites) {
      const name = siteConfig.hosts[0]!
      const old = before.get(name)
      let site: SiteRuntime
      if (old === undefined) {
        site = {
          name,
          config: siteConfig,
          gate: this.#parts.gate(siteConfig, name),
          origins: this.#parts.origins(siteConfig),
          tally: new SiteTally(),
          recognition: new SiteRecognition(siteConfig),
        }
      } else {
        site = old
        if (!sameOrigins(old.config, siteConfig)) {
          const retired = old.origins as OriginSet & { close(): void }
          old.origins = this.#parts.origins(siteConfig)
          retired.close()
        }
        old.config = siteConfig
        old.recognition.configure(siteConfig)
      }
      sites.set(name, site)
      for (const host of siteConfig.hosts) {
        if (host === '*') any = site
        else if (host.startsWith('*.')) below.set(host.slice(2), site)
        else exact.set(host, site)
      }
    }
    for (const [name, site] of before) {
      if (!sites.has(name)) (site.origins as OriginSet & { close(): void }).close()
    }
    this.config = config
    this.#sites = sites
    this.#exact = exact
    this.#below = below
    this.#any = any
  }

  findSite(host: string): SiteRuntime | undefined {
    const site = this.#exact.get(host)
    if (site !== undefined) return site
    if (this.#below.size > 0) {
      for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) {
        const wild = this.#below.get(host.slice(dot + 1))
        if (wild !== undefined) return wild
      }
    }
    return this.#any
  }

  count(counter: string, by = 1): void {
    this.#counters.set(counter, (this.#counters.get(counter) ?? 0) + by)
  }

  drainCounters(): Record<string, number> {
    const counters = Object.fromEntries(this.#counters)
    this.#counters.clear()
    return counters
  }

  close(): void {
    for (const site of this.#sites.values()) (site.origins as OriginSet & { close(): void }).close()
  }
}

function sameOrigins(a: SiteConfig, b: SiteConfig): boolean {
  return (
    a.origins.join(' ') === b.origins.join(' ') &&
    a.verifyOrigin === b.verifyOrigin &&
    a.originTimeout === b.originTimeout &&
    JSON.stringify(a.healthCheck) === JSON.stringify(b.healthCheck)
  )
}
