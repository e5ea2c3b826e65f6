/**
 * One request and what became of it.
 *
 *   received ──▶ (waiting) ──▶ relaying ──▶ ended        permit:  none ▶ waiting ▶ held ▶ returned
 *      │             │            └ 2 s after the first byte          └▶ long-lived ▶ returned
 *      └─────────────┴──▶ answered, or served from the store ──▶ ended
 *
 * The permit is given back at the origin's last byte (`originEnded`), which may be before the client
 * has read the answer, and at the latest by `end`.
 */
import type { Claim, Lane, Outcome, Verdict } from '#admission'
import type { FieldLines, RequestHead } from '#http'
import type { ClientAddress } from '#networks'
import { type Kind, kindOf, type Traits, traitsOf } from '#recognise'
import type { Action } from '#record'
import type { Answer } from './answers.ts'
import type { Fill, Instead } from './cache/filling.ts'
import type { Connection } from './connection.ts'
import type { Credentials } from './entrance/credentials.ts'
import type { SiteRuntime } from './house.ts'

/** What a transport does for a request once it is decided. One per connection or one per exchange. */
export interface Carrier {
  /**
   * Reads a request body, or its first 64 kB, into memory before a permit is asked, so that who sends slowly
   * never holds the origin. True: it is reading, and will call `exchange.bodyRead()`. Absent or false:
   * there is no body, or no room for it.
   */
  collect?(exchange: Exchange): boolean
  /**
   * Sends a complete answer; the caller ends the exchange. The transport adds framing, and closes the connection when `close` is
   * set or when the request's body was not read to its end.
   */
  answer(exchange: Exchange, answer: Answer, close: boolean): void
  /**
   * Sends the request, as `exchange.head` has it, to an origin and the response to the client, with the
   * field lines of `exchange.ownFields` added. It must call `exchange.firstByte` on the origin's final
   * response head and `exchange.end` exactly once.
   */
  relay(exchange: Exchange): void
  /**
   * Sends what was stored, whose fields say how long it is, and ends the exchange once the client has it. Absent: the request is none that something stored could answer.
   */
  serve?(exchange: Exchange, instead: Instead): void
  /** The request has a body, of whatever length. Absent or false: none. */
  readonly hasBody?: boolean
  /** The collected body, when it is complete and small; undefined when there is none or it streams. */
  readonly collected?: Buffer | undefined
  /** `body` goes to the origin in place of what the client sent. */
  substitute?(body: Buffer): void
  /** Closes without an answer, before or during a relay (HTTP/2: resets the stream). Calls `end` if relaying. */
  drop(exchange: Exchange): void
}

/** What an exchange tells the thread; the pipeline implements it. */
export interface Desk {
  nowMs(): number
  /** A waiting exchange was admitted or shed by its gate. */
  decided(exchange: Exchange, verdict: Verdict): void
  bodyRead(exchange: Exchange): void
  longLived(exchange: Exchange): void
  firstByte(exchange: Exchange): void
  /** What is added to the origin's answer for its client: a token earned, or a renewed one. */
  ownFields(exchange: Exchange, status: number, answered: () => FieldLines): FieldLines
  failedAnswer(exchange: Exchange, status: 502 | 504, reason: string): Answer
  count(counter: string): void
  /** Answers with what is wrong with the request, and ends. */
  fault(exchange: Exchange, status: number, reason: string): void
  /** The permit is to be given back, or the waiting claim withdrawn. */
  release(exchange: Exchange, outcome: Outcome): void
  ended(exchange: Exchange, result: EndResult): void
}

export interface EndResult {
  readonly action: Action
  /** Reason code, '' for none. */
  readonly reason: string
  /** What the client got, 0 for nothing. */
  readonly status: number
  /** Body bytes sent to the client. */
  readonly bytes: number
  readonly outcome: Outcome
}

export type PermitState = 'none' | 'waiting' | 'held' | 'long-lived' | 'returned'

const NO_FIELDS: FieldLines = []

export class Exchange implements Claim {
  /** The request as the origin is to see it: Digue's own cookies and parameter are taken out of it. */
  head: RequestHead
  readonly connection: Connection
  readonly carrier: Carrier
  /** Monotonic, when the head was complete. */
  readonly startedAtMs: number
  readonly #desk: Desk

  /** Set by the pipeline's steps, in this order. */
  client: ClientAddress
  /** The client came over HTTPS, as far as its direct peer may say so. */
  secure: boolean
  /** The direct peer is a proxy that the operator trusts. */
  peerTrusted = false
  site!: SiteRuntime
  lane: Lane = 'unproven'
  route = ''
  effort = 0
  /** Reference number, made when it is first told to somebody. */
  ray = ''
  /** What the client showed; undefined for strangers. */
  credentials: Credentials | undefined = undefined
  /** A key of the operator's or a search engine: no handwriting speaks against it. */
  isVouched = false
  /** It pays from the share of those who show a flood's handwriting. */
  marked = false
  /** What it has to show to get in, '' for nothing, and what asks for it. */
  demand: '' | 'price' | 'wait' = ''
  demandedBy: 'rule' | 'list' | 'signature' = 'signature'
  /** Id of the signature it fits, names of the operator's rule and list that speak of it; '' for none. */
  signature = ''
  rule = ''
  list = ''
  /** Times it stood in line again. */
  rounds = 0
  /** Its answer may bring a new token to the client. */
  mayEarn = false
  /** What the cache wants of the origin's answer; undefined for nothing. */
  fill: Fill | undefined = undefined
  /** Times it waited for the answer to somebody else's request, and whether the disk was asked for what it wants. */
  follows = 0
  wasSought = false
  #traits: Traits | undefined = undefined
  /** The gate's. */
  ticket: unknown = undefined
  /** What observe mode would have done, or '' */
  observed = ''
  permit: PermitState = 'none'
  relaying = false
  ended = false
  admittedAtMs = 0
  firstByteAtMs = 0
  originMs = 0
  /** Links of the thread's list of exchanges that have had their first byte. */
  lingerNext: Exchange | undefined
  lingerPrevious: Exchange | undefined

  constructor(desk: Desk, carrier: Carrier, connection: Connection, head: RequestHead) {
    this.#desk = desk
    this.carrier = carrier
    this.connection = connection
    this.head = head
    this.client = connection.peer
    this.secure = connection.secure
    this.startedAtMs = desk.nowMs()
  }

  get asn(): number {
    return this.client.asn
  }

  get prefix(): string {
    return this.client.prefix
  }

  get subscriber(): string {
    return this.client.subscriber
  }

  get account(): string {
    return this.credentials?.account ?? this.client.subscriber
  }

  /** What the request is for, as far as its own fields say. */
  get kind(): Kind {
    const { head } = this
    // `fields` is made when it is asked for.
    return kindOf(head.method, head.kindFields ?? head.fields)
  }

  /** What the request and its client look like; asked for once its lane is known. */
  get traits(): Traits {
    if (this.#traits !== undefined) return this.#traits
    const { head, connection, credentials } = this
    this.#traits = traitsOf({
      method: head.method,
      target: head.target,
      host: head.host,
      fields: head.fields,
      secure: this.secure,
      httpVersion: head.version === '2.0' ? '2' : head.version,
      isDirect: !this.peerTrusted,
      ja4: connection.ja4,
      h2: connection.h2,
      asn: this.client.asn,
      lane: this.lane,
      hasOwnCookie: credentials?.hasCookies === true,
      route: this.route,
    })
    return this.#traits
  }

  /** By the gate, after a `queue` verdict. */
  decided(verdict: Verdict): void {
    this.#desk.decided(this, verdict)
  }

  /** By the carrier, when the body it collects is complete. */
  bodyRead(): void {
    if (!this.ended) this.#desk.bodyRead(this)
  }

  /** The origin's final response head has come. */
  firstByte(_status: number): void {
    if (this.firstByteAtMs !== 0) return
    this.firstByteAtMs = this.#desk.nowMs()
    this.#desk.firstByte(this)
  }

  /** The origin's last byte has come: its permit goes to the next, the client may still be reading. */
  originEnded(outcome: Outcome): void {
    this.#desk.release(this, outcome)
  }

  /** By the carrier, before a response head was sent: what is wrong with the request. The connection closes. */
  fault(status: number, reason: string): void {
    if (!this.ended) this.#desk.fault(this, status, reason)
  }

  /** Field lines that Digue adds to the origin's answer: name, value, … */
  ownFields(status: number, answered: () => FieldLines): FieldLines {
    const fields = this.fill === undefined ? NO_FIELDS : this.fill.ownFields
    return this.mayEarn ? [...fields, ...this.#desk.ownFields(this, status, answered)] : fields
  }

  /** What the client gets when the origin could not answer: 502 or 504. */
  failedAnswer(status: 502 | 504, reason: string): Answer {
    return this.#desk.failedAnswer(this, status, reason)
  }

  /** A bound of the edge that this exchange met. */
  count(counter: string): void {
    this.#desk.count(counter)
  }

  /** It will last (101 Switching Protocols): its permit goes to the next at once. */
  goLongLived(): void {
    this.#desk.longLived(this)
  }

  /** The exchange is over, however it ended. Later calls do nothing. */
  end(result: EndResult): void {
    if (this.ended) return
    this.ended = true
    this.fill?.abandoned()
    this.#desk.release(this, result.outcome)
    this.#desk.ended(this, result)
  }

  /**
   * The client left before anything was relayed: withdraws a waiting claim and ends. A carrier whose
   * relay is running aborts it and calls `end` itself.
   */
  clientGone(): void {
    if (this.relaying) return
    this.end({ action: 'shed', reason: 'client-gone', status: 0, bytes: 0, outcome: 'abandoned' })
  }
}
