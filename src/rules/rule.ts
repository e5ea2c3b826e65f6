/** What an operator writes, what a request shows him, and what is wrong with a rule. */
import type { RequestHead } from '#http'
import type { ClientAddress } from '#networks'
import type { Effect, Traits } from '#recognise'

export interface RuleConfig {
  /** Of its site alone. */
  readonly name: string
  /** An expression of CEL that gives true or false. */
  readonly when: string
  readonly then: Effect
  /** "2026-12-31" (to the end of that day, UTC) or a time such as "2026-12-31T18:00:00+01:00". */
  readonly until?: string | undefined
  /** Why: whoever finds it later will ask. */
  readonly note?: string | undefined
}

/**
 * One request. Nothing in it is read before a rule looks at it, so members that cost something may be getters;
 * each is asked for once at most.
 */
export interface RuleInput {
  readonly head: RequestHead
  /** The client came by HTTPS. */
  readonly isSecure: boolean
  readonly client: ClientAddress
  /** Of the site: calm, strained, flooded or recovering. */
  readonly posture: string
  readonly traits: Traits
  readonly nowMs: number
  /**
   * True for what the source of this request (a log) does not show: "traits.tls", "headers.accept". A rule that
   * needs it is `unknown`. Absent: everything is known.
   */
  unknown?(fact: string): boolean
}

/** What a rule says of a request. `fault`: it could not be evaluated, which counts as not fitting. */
export type RuleVerdict = 'fits' | 'not' | 'unknown' | 'fault'

/** A rule that may not start. */
export class RuleError extends Error {
  readonly code = 'DIGUE_RULE'
  /** Index in the list that was given. */
  readonly index: number
  readonly field: keyof RuleConfig
  /** From 1, in the expression; 0 where there is no position. */
  readonly line: number
  readonly column: number

  constructor(
    message: string,
    at: { index: number; field: keyof RuleConfig; line?: number; column?: number },
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.index = at.index
    this.field = at.field
    this.line = at.line ?? 0
    this.column = at.column ?? 0
  }
}

/** Bounds on one rule. */
export const MOST_RULES = 64
export const LONGEST_EXPRESSION = 2048
