/** What the main side and an edge thread say to each other. Plain data and shared memory. */
import type { MessagePort } from 'node:worker_threads'
import type { CapacityMemory, RouteCostRows, WeightMemory } from '#admission'
import type { LineMemory, MeterMemory, PricesMemory } from '#challenge'
import type { Config } from '#config'
import type { EdgeReport, Policy } from '#control'
import type { CacheStart } from './cache/thread-cache.ts'
import type { EdgeEvent } from './edge.ts'
import type { TicketKeySet } from './listen/ticket-keys.ts'
import type { SiteCertificate } from './listen/types.ts'

/** What the threads share for a site. */
export interface SiteMemory {
  /** The site's first host. */
  readonly name: string
  /** Its place in the shared capacity. */
  readonly slot: number
  readonly weights: WeightMemory
  /** Its waiting room. */
  readonly line: LineMemory
}

/** All that depends on the configuration. */
export interface Setup {
  /** Ports are those in use: 0 only on the first thread's first start. */
  readonly config: Config
  readonly sites: readonly SiteMemory[]
  readonly certificates: readonly SiteCertificate[]
}

/** Lists of networks, and what is done to who is on them. */
export interface Lists {
  /** A `NetworkSet`'s; undefined for an empty one. */
  readonly memory: SharedArrayBuffer | undefined
  /** By number of the list. */
  readonly names: readonly string[]
}

export const NO_LISTS: Lists = { memory: undefined, names: [] }

/** `workerData`. */
export interface ThreadStart {
  readonly setup: Setup
  readonly policy: Policy
  readonly thread: number
  readonly threads: number
  /** Several threads listen on each port. */
  readonly reusePort: boolean
  readonly capacity: CapacityMemory
  /** Shares over all sites: connections and handshakes come before a site is known. */
  readonly weights: WeightMemory
  /** By site: what its routes take in calm weather, as far as it is known. */
  readonly routes: ReadonlyMap<string, RouteCostRows>
  readonly lists: Lists
  /** The table of networks. */
  readonly networks: SharedArrayBuffer
  readonly openByThread: Int32Array<SharedArrayBuffer>
  readonly ticketKeys: TicketKeySet
  /** The secret from which the keys of all tokens are made. */
  readonly master: Uint8Array
  /** What each token has spent, and what is asked for now. */
  readonly meter: MeterMemory
  readonly prices: PricesMemory
  /** Absent: no site keeps answers. */
  readonly cache?: CacheStart
}

export type ToThread =
  | { readonly type: 'policy'; readonly policy: Policy }
  | { readonly type: 'setup'; readonly id: number; readonly setup: Setup }
  | { readonly type: 'lists'; readonly lists: Lists }
  | { readonly type: 'ticket-keys'; readonly keys: TicketKeySet }
  | { readonly type: 'drain'; readonly deadlineMs: number }
  /** To the library of stored responses, which was started again. */
  | { readonly type: 'library'; readonly port: MessagePort }

export type FromThread =
  | { readonly type: 'ready'; readonly ports: readonly number[] }
  | { readonly type: 'report'; readonly report: EdgeReport }
  | { readonly type: 'event'; readonly event: EdgeEvent }
  /** There is something to keep. */
  | { readonly type: 'library-wanted' }
  /** `fault` is '' when the setup is in force. */
  | {
      readonly type: 'setup-done'
      readonly id: number
      readonly fault: string
      readonly ports: readonly number[]
    }
  | { readonly type: 'drained'; readonly left: number }
