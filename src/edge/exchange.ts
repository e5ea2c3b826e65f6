import type { Claim, Lane, Outcome, Verdict } from '#admission'
import type { RequestHead } from '#http'
import type { ClientAddress } from '#networks'
import type { Action } from '#record'
import type { Answer } from './answers.ts'
import type { Connection } from './connection.ts'
import type { SiteRuntime } from './house.ts'

/** What the three transports do for a request once it is decided. */
export interface Carrier {
  /**
   * Sends a complete answer. The transport adds framing, and closes the connection when `close` is
   * set or when the request's body was not read to its end.
   */
  answer(exchange: Exchange, answer: Answer, close: boolean): void
  /**
   * Sends the request to an origin and the response to the client. It must call
   * `exchange.firstByte` on the origin's final response head and `exchange.end` exactly once.
   */
  relay(exchange: Exchange): void
  /** Closes without an answer (HTTP/2: resets the stream; the connection too when `all`). */
  drop(exchange: Exchange): void
}

/**
 * One request and what became of it. Made by a transport when the head is complete and framing is
 * unambiguous, then handed to `Pipeline.receive`, which decides and calls the carrier.
 */
export interface Exchange extends Claim {
  readonly head: RequestHead
  readonly connection: Connection
  readonly carrier: Carrier
  readonly secure: boolean
  /** Set by the pipeline's steps, in this order. */
  client: ClientAddress
  site: SiteRuntime
  lane: Lane
  route: string
  /** Monotonic, when the head was complete. */
  readonly startedAtMs: number
  /** The fields to send to the origin that are not the client's own: Forwarded and X-Forwarded-*. */
  readonly forwarding: readonly string[]

  /** The origin's final response head has come. */
  firstByte(status: number): void
  /**
   * The exchange is over, however it ended: gives the permit back, records. `status` is what the
   * client got (0 for none), `bytes` the body bytes sent to it.
   */
  end(result: { readonly action: Action; readonly reason: string; readonly status: number; readonly bytes: number; readonly outcome: Outcome }): void
  /** The client has gone: withdraws a waiting claim. The carrier aborts a running relay itself. */
  clientGone(): void
  decided(verdict: Verdict): void
}
