/** What the listening side of an edge thread needs from the others, and what it gives them. */
import type { Weights } from '#admission'
import type { LimitsConfig, ListenConfig } from '#config'
import type { ClientAddress } from '#networks'
import type { Connection } from '../connection.ts'
import type { TicketKeySet } from './ticket-keys.ts'

/** What ALPN chose; plain connections speak HTTP/1.1. */
export type Protocol = 'http/1.1' | 'h2'

/** A site as far as TLS is concerned: PEM text, read and checked by the main side. */
export interface SiteCertificate {
  /** Exact names, "*.name", or "*". */
  readonly hosts: readonly string[]
  readonly certificate: string
  readonly key: string
}

/** `ja4` is reckoned when it is asked for. */
export type IsMarked = (client: ClientAddress, serverName: string, ja4: () => string) => boolean

/** Something that went wrong on a listener and that the operator should read. */
export interface ListenEvent {
  readonly level: 'info' | 'warn' | 'error'
  /** "accept-failed", "certificate-broken", … */
  readonly code: string
  readonly message: string
}

export interface ListenersOptions {
  readonly listen: readonly ListenConfig[]
  readonly limits: LimitsConfig
  /** Several threads listen on one port. */
  readonly reusePort: boolean
  /** Needed when a listener has `tls`. */
  readonly certificates: readonly SiteCertificate[]
  /** Needed when a listener has `tls`; `newTicketKeySet()` will do for one thread. */
  readonly ticketKeys: TicketKeySet
  /** The address as the rest of Digue knows it. Called once per connection. */
  readonly describe: (address: string) => ClientAddress
  /** A dropped network is closed before a byte is read. `isPeer`: it is the socket's own peer, not one that a PROXY header named. */
  readonly isDropped: (client: ClientAddress, isPeer: boolean) => boolean
  /** The client of a handshake shows a flood's handwriting, as far as its hello and its network tell. Absent: nobody does. */
  readonly isMarked?: IsMarked
  /** Calm-weather shares, by which room and handshakes are shared out. */
  readonly weights: Weights
  /** One slot per thread, shared, so that the budget holds for the process. Absent: this thread is alone. */
  readonly openByThread?: Int32Array<SharedArrayBuffer>
  readonly thread?: number
  readonly count: (counter: string, by?: number) => void
  /** A connection after PROXY protocol and TLS. No HTTP byte was consumed; the socket is not flowing. */
  readonly onConnection: (connection: Connection, protocol: Protocol) => void
  readonly onEvent?: (event: ListenEvent) => void
  /** Milliseconds this thread was busy so far; the event loop's own figure when absent. */
  readonly busyMs?: () => number
  /** Monotonic milliseconds; `performance.now` when absent. */
  readonly now?: () => number
}

export interface Listeners {
  /** The port of each listener, in the order of `listen`. */
  readonly ports: readonly number[]
  /** Opens what is new and closes what is gone; connections that are open stay. Rejects with nothing changed. */
  reload(change: {
    readonly listen: readonly ListenConfig[]
    readonly limits: LimitsConfig
    readonly certificates: readonly SiteCertificate[]
  }): Promise<void>
  setTicketKeys(keys: TicketKeySet): void
  /** Open connections by state, handshake cost and queue, for the report. */
  gauges(): Record<string, number>
  /** Stops listening after what the kernel had queued was accepted. Open connections stay. */
  stop(): Promise<void>
  /** Closes every connection at once, then stops. */
  close(): Promise<void>
}
