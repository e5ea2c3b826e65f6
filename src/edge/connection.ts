import type { Socket } from 'node:net'
import type { ClientAddress } from '#networks'

/** A client's connection after accept, PROXY protocol and TLS: what a transport serves. */
export interface Connection {
  /** A `TLSSocket` when `secure`. */
  readonly socket: Socket
  /** The direct peer, or whom the PROXY protocol named. Forwarding fields are judged per request. */
  readonly peer: ClientAddress
  readonly secure: boolean
  /** JA4 of the ClientHello, '' on plain connections. */
  readonly ja4: string
  /** `peer` was named by a PROXY header: it is not the socket's own peer. */
  readonly viaProxy: boolean
  /** Server name asked for by SNI, '' when none. */
  readonly serverName: string
  /** How it opened HTTP/2 (`h2FingerprintOf`), '' before its first request and for HTTP/1. */
  h2: string
  /** Requests received so far. */
  requests: number
  /** Exchanges that have not ended. A connection without any is idle and may be closed for room. */
  active: number
  /** An exchange of this connection was admitted: it closes after the unproven ones. */
  proven: boolean
  /** Monotonic time since which `active` has been 0. */
  idleSinceMs: number
}

/** A way of speaking HTTP on a connection: `fast` (own HTTP/1.1), `node` (http), `h2`. */
export interface Transport {
  serve(connection: Connection): void
  /** Stop taking new requests; finish and close what is open. */
  drain(): void
}
