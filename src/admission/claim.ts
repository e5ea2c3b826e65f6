/**
 * One request's claim on an origin, from ask to settle.
 *
 *   asked ──admit──▶ admitted ──settle──▶ settled
 *     │                 └──detach──▶ detached (long-lived: a download, an event stream, a WebSocket)
 *     ├──queue──▶ waiting ──▶ admitted | shed
 *     └──shed
 */

/**
 * Lanes in order of what their clients have shown: `operator` (health checks, the operator's allow
 * list), `known` (a token earned in calm weather), `paid` (proof of work), `waiting` (their turn in the
 * waiting room has come), `unproven` (everybody else).
 */
export const LANES = ['operator', 'known', 'paid', 'waiting', 'unproven'] as const
export type Lane = (typeof LANES)[number]

/** Why a request was not admitted. These words are in logs, metrics and the Digue-Mitigated field. */
export const SHED_REASONS = [
  /** Its aggregate was the most over its share when the line was full. */
  'over-share',
  /** It waited as long as anyone may. */
  'queue-timeout',
  /** Its address already has as many requests in line as one client may. */
  'client-queue-full',
  /** Others of its network waited in vain just now: it is told another way in at once instead of after a second. */
  'no-waiting',
  /** It goes on at a high rate although it was shed again and again. */
  'hammering',
  /** It shows a handwriting for which the operator wants a price or a turn in the waiting room. */
  'signature',
  /** A rule of the operator's wants the same of it. */
  'rule',
  /** So does a list of networks. */
  'list',
  /** Its client left while it was waiting. */
  'client-gone',
] as const
export type ShedReason = (typeof SHED_REASONS)[number]

export type Verdict =
  | { readonly action: 'admit' }
  | { readonly action: 'queue' }
  | { readonly action: 'shed'; readonly reason: ShedReason; readonly retryAfterS: number }

/** What came of an admitted request, as the limit must see it. */
export type Outcome =
  /** The origin answered; its time counts. */
  | 'answered'
  /** The origin failed or was too slow (5xx, reset, timeout): the limit falls. */
  | 'failed'
  /** The client left first: says nothing about the origin. */
  | 'abandoned'

/** The aggregates a request is charged to, and what it is expected to cost. */
export interface Applicant {
  /** Autonomous system number, 0 when unknown. */
  readonly asn: number
  /** CIDR text of the /24 or /48. */
  readonly prefix: string
  /** What one subscriber holds: v4 address or v6 /64. */
  readonly subscriber: string
  /** Who pays below the prefix: the id of a token, so that those behind one address are several; else the subscriber. */
  readonly account?: string
  readonly lane: Lane
  /** Route class: method and path template, such as "GET /article/{n}". */
  readonly route: string
  /** Proved effort, 0 for none. */
  readonly effort: number
  /** It shows a flood's handwriting: while unproven it has a tenth of its network's weight. */
  readonly marked?: boolean
}

export interface Claim extends Applicant {
  /** The gate's own note on this claim; its maker sets it to undefined and leaves it alone. */
  ticket: unknown
  /** Called once, only after a `queue` verdict, with `admit` or `shed`. */
  decided(verdict: Verdict): void
}

/**
 * Who reaches one origin now. One gate per site and edge thread; the capacity behind it is shared by
 * all threads. Holds no socket and no timer: the caller passes the time and calls `tick`.
 */
export interface Gate {
  /** `mayWait` false: it is admitted at once or not at all, and counts as one that waited in vain. */
  ask(claim: Claim, nowMs: number, mayWait?: boolean): Verdict
  /**
   * Admits whatever the limit says, and still counts, charges and measures: for bypass, `attack off`
   * and `observe` (there: `ask` first; after `queue`, `withdraw` and then `pass`).
   */
  pass(claim: Claim, nowMs: number): void
  /** The client of a waiting claim has gone; `decided` will not be called. */
  withdraw(claim: Claim, nowMs: number): void
  /** The origin's first byte for an admitted claim; the sample the limit lives on. */
  responded(claim: Claim, nowMs: number): void
  /** The permit comes back. Charges the claim's aggregates the origin milliseconds it held. */
  settle(claim: Claim, outcome: Outcome, nowMs: number): void
  /** The exchange goes on as a long-lived one: its permit comes back, and it never feeds the limit. */
  detach(claim: Claim, nowMs: number): void
  /** Expires waiters and hands out capacity freed by other threads; call about every 10 ms. */
  tick(nowMs: number): void
}
