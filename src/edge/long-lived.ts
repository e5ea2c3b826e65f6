/**
 * Exchanges that go on after their first byte.
 *
 * `Linger` is the list of those that still hold a permit, oldest first byte first: the wait is the
 * same for all, so the due ones are at its head, and looking costs nothing however many there are.
 * An intrusive doubly linked list: leaving it is two assignments, no search and no timer.
 *
 * `LongLived` is the budget of those that gave their permit back (downloads, event streams,
 * WebSockets). When it is full the newcomer stays and the prefix that holds most loses its oldest:
 * whoever opens thousands of streams pays with their own.
 */
import type { Exchange } from './exchange.ts'

/** A permit is held this long after the origin's first byte, at most. */
export const LINGER_MS = 2000

export class Linger {
  #first: Exchange | undefined
  #last: Exchange | undefined

  add(exchange: Exchange): void {
    exchange.lingerPrevious = this.#last
    if (this.#last === undefined) this.#first = exchange
    else this.#last.lingerNext = exchange
    this.#last = exchange
  }

  remove(exchange: Exchange): void {
    const { lingerNext: next, lingerPrevious: previous } = exchange
    if (next === undefined && previous === undefined && this.#first !== exchange) return
    if (previous === undefined) this.#first = next
    else previous.lingerNext = next
    if (next === undefined) this.#last = previous
    else next.lingerPrevious = previous
    exchange.lingerNext = exchange.lingerPrevious = undefined
  }

  /** The oldest one if its time is over; it is removed. */
  takeDue(nowMs: number): Exchange | undefined {
    const first = this.#first
    if (first === undefined || first.firstByteAtMs + LINGER_MS > nowMs) return undefined
    this.remove(first)
    return first
  }
}

export class LongLived {
  readonly #byPrefix = new Map<string, Set<Exchange>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Takes `exchange` in. Returns the exchange that has to end, if the budget is full. */
  enter(exchange: Exchange, budget: number): Exchange | undefined {
    let same = this.#byPrefix.get(exchange.prefix)
    if (same === undefined) this.#byPrefix.set(exchange.prefix, (same = new Set()))
    same.add(exchange)
    this.#size++
    if (this.#size <= budget) return undefined
    // Linear in the prefixes, which the budget bounds; only when it is full.
    let most: Set<Exchange> = same
    for (const some of this.#byPrefix.values()) if (some.size > most.size) most = some
    return most.values().next().value
  }

  leave(exchange: Exchange): void {
    const same = this.#byPrefix.get(exchange.prefix)
    if (same === undefined || !same.delete(exchange)) return
    if (same.size === 0) this.#byPrefix.delete(exchange.prefix)
    this.#size--
  }
}
