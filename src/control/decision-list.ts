/** What operators decided: bounded, and every entry ends by itself. */
import type { Decision } from './policy.ts'

export type DecisionWish = Omit<Decision, 'id' | 'expiresAtMs'> & { readonly forMs: number }

/** Each edge thread looks all of them up for each request. */
export const MAX_DECISIONS = 1000

export class TooManyDecisionsError extends Error {
  readonly code = 'DIGUE_TOO_MANY_DECISIONS'

  constructor() {
    super(`decisions: expected at most ${MAX_DECISIONS}; delete one, or let one expire`)
  }
}

export class DecisionList {
  #entries: Decision[] = []
  #next = 1

  /** Oldest first. */
  list(): readonly Decision[] {
    return this.#entries
  }

  /** Throws TooManyDecisionsError when full: an operator must know that his word did not count. */
  add(wish: DecisionWish, nowMs: number): Decision {
    this.expire(nowMs)
    if (this.#entries.length >= MAX_DECISIONS) throw new TooManyDecisionsError()
    const { forMs, ...rest } = wish
    const decision: Decision = { ...rest, id: `d${this.#next++}`, expiresAtMs: nowMs + forMs }
    this.#entries = [...this.#entries, decision]
    return decision
  }

  /** False when there is none with this id. */
  delete(id: string): boolean {
    const before = this.#entries.length
    this.#entries = this.#entries.filter((decision) => decision.id !== id)
    return this.#entries.length < before
  }

  /** True when something had to go. */
  expire(nowMs: number): boolean {
    if (this.#entries.every((decision) => decision.expiresAtMs > nowMs)) return false
    this.#entries = this.#entries.filter((decision) => decision.expiresAtMs > nowMs)
    return true
  }

  /** Takes over what was kept; entries that are not decisions are left out. */
  restore(kept: unknown, nowMs: number): void {
    if (!Array.isArray(kept)) return
    this.#entries = kept.filter(isDecision).slice(0, MAX_DECISIONS)
    for (const { id } of this.#entries) this.#next = Math.max(this.#next, (Number(id.slice(1)) || 0) + 1)
    this.expire(nowMs)
  }
}

function isDecision(value: unknown): value is Decision {
  if (typeof value !== 'object' || value === null) return false
  const { id, effect, cidr, asn, path, host, expiresAtMs, note } = value as Partial<Record<string, unknown>>
  const about =
    [cidr, path, host].filter((text) => typeof text === 'string').length + (typeof asn === 'number' ? 1 : 0)
  return (
    typeof id === 'string' &&
    (effect === 'allow' || effect === 'refuse') &&
    about === 1 &&
    typeof note === 'string' &&
    Number.isFinite(expiresAtMs)
  )
}
