/** What one edge thread knows: its sites with their gates and origins, the policy, the counters. */
import type { Gate } from '#admission'
import type { Config, SiteConfig } from '#config'
import type { Policy } from '#control'
import type { Ring } from '#kit'
import type { ExchangeRecord } from '#record'

/** One origin server of a site. */
export interface Origin {
  readonly url: string
  readonly secure: boolean
  /** Either a host and port, or a Unix socket path. */
  readonly hostname: string
  readonly port: number
  readonly socketPath: string
}

/** The site's origins; hands out a healthy one and learns from what came of it. */
export interface OriginSet {
  /** A healthy origin with the fewest exchanges in flight; the least bad one when none is healthy. */
  pick(): Origin
  /** Report of an exchange: it returned a response head / it failed before one. */
  succeeded(origin: Origin): void
  failed(origin: Origin, reason: string): void
}

export interface SiteRuntime {
  /** The first of its hosts: its name in logs and metrics. */
  readonly name: string
  readonly config: SiteConfig
  readonly gate: Gate
  readonly origins: OriginSet
}

export interface House {
  readonly config: Config
  policy: Policy
  /** Exact host, then the longest wildcard, then "*". */
  findSite(host: string): SiteRuntime | undefined
  readonly records: Ring<ExchangeRecord>
  /** Adds one to a counter of this thread; names are in counters.ts. */
  count(counter: string, by?: number): void
}
