/** What the main thread holds of the edge: its threads as one. */
import type { CapacityState, RouteCostRows, WeightTable } from '#admission'
import type { Purge } from '#cache'
import type { LineState } from '#challenge'
import type { Config } from '#config'
import type { EdgeReport, Policy } from '#control'
import type { LibraryReport } from './cache/library-protocol.ts'

/** Something the operator should read in the log. */
export interface EdgeEvent {
  readonly level: 'info' | 'warn' | 'error'
  /** Stable: "thread-died", "thread-restarted", "origin-down", "origin-up", … */
  readonly code: string
  readonly message: string
  readonly thread: number
  /** What it is about, where that is one thing: a peer's address. */
  readonly subject?: string
}

export interface EdgeOptions {
  /** The policy each thread starts with; a thread goes on with its last one when no new one comes. */
  readonly policy: Policy
  /** Secret of 32 bytes from which the keys of all tokens are made; a new one when there is none. */
  readonly master?: Uint8Array
  /** Folder of its own for stored responses; kept in memory only when there is none. */
  readonly cacheDirectory?: string
  /** Each thread's report, every 250 ms. */
  readonly onReport: (report: EdgeReport) => void
  readonly onEvent?: (event: EdgeEvent) => void
  /** The table of calm-weather shares that a site's gates read; one of the edge's own when there is none. */
  readonly weightsOf?: (site: string) => WeightTable | undefined
  /** The same over all sites, for connections and handshakes. */
  readonly weights?: WeightTable
  /** What a site's routes took in calm weather before, for threads that begin. */
  readonly routeCostsOf?: (site: string) => RouteCostRows
}

export interface Edge {
  /** The port of each listener, in the order of `config.listen`. */
  readonly ports: readonly number[]
  /** Number of threads that serve. */
  readonly threads: number
  /** Calm-weather shares over all sites, for connections and handshakes; the brain publishes into it. */
  readonly weights: WeightTable
  /** The same of one site, by its first host. */
  weightsOf(site: string): WeightTable | undefined
  /** A site's limit and what is in flight. */
  capacityOf(site: string): CapacityState | undefined
  /** Who waits in a site's waiting room. */
  waitingRoomOf(site: string): LineState | undefined
  /** The dearest price asked for now, in parts, and tokens that found no room in the meter since the start. */
  readonly entrance: { readonly mostPrice: number; readonly meterRefused: number }
  /** Forgets stored responses; resolves to how many. */
  purge(what: Purge): Promise<number>
  /** What is stored; undefined where nothing may be. */
  cacheReport(): Promise<LibraryReport | undefined>
  setPolicy(policy: Policy): void
  /** `memory`: what `buildNetworkSet` or `layNetworkSets` made, undefined for nothing; `names` by number of the list. */
  setLists(memory: SharedArrayBuffer | undefined, names: readonly string[]): void
  /**
   * Puts a validated configuration in force without closing a connection: sites, origins,
   * certificates, limits, and the listeners that changed. Rejects, with the old one still in force,
   * when it cannot be (a port is taken, a certificate cannot be read).
   */
  reload(config: Config): Promise<void>
  /** Takes no new connection, lets what is open finish, and closes what is left after `deadlineMs`. */
  drain(deadlineMs: number): Promise<void>
  /** Ends a thread as a fault would; it is replaced. For tests. */
  killThread(thread: number): void
  /** Stops at once. */
  close(): Promise<void>
}
