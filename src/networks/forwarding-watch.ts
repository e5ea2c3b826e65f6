/**
 * Finds the proxy the operator forgot to list: a peer that nobody trusts and that sends most of the
 * requests with forwarding fields. To Digue such a proxy is one client with everybody's traffic,
 * so it must be named to the operator, and neither dropped nor merged into one bucket meanwhile.
 *
 * Heavy hitters by Misra and Gries (1982): with k counters, any peer with more than 1/(k+1) of the
 * notes has one. Counts are halved now and then, so that the answer is about the last minutes.
 */
import type { ClientAddress } from './client-address.ts'

const COUNTERS = 32
/** Fewer notes than this say nothing. */
const FEWEST = 100
const HALVE_AT = 20_000

export class ForwardingWatch {
  readonly #counts = new Map<string, number>()
  #notes = 0

  /** A request from `peer` carried forwarding fields that were ignored. */
  note(peer: ClientAddress): void {
    if (++this.#notes >= HALVE_AT) this.#halve()
    const count = this.#counts.get(peer.text)
    if (count !== undefined) this.#counts.set(peer.text, count + 1)
    else if (this.#counts.size < COUNTERS) this.#counts.set(peer.text, 1)
    else this.#decrementAll()
  }

  /** The peer that sent most of the notes, and at least what share of them; undefined when there is none. */
  suspect(): { readonly peer: string; readonly share: number } | undefined {
    if (this.#notes < FEWEST) return undefined
    for (const [peer, count] of this.#counts) {
      const share = count / this.#notes
      if (share > 0.5) return { peer, share }
    }
    return undefined
  }

  isSuspect(peer: ClientAddress): boolean {
    const count = this.#counts.get(peer.text)
    return count !== undefined && this.#notes >= FEWEST && count > this.#notes / 2
  }

  #decrementAll(): void {
    for (const [peer, count] of this.#counts) {
      if (count > 1) this.#counts.set(peer, count - 1)
      else this.#counts.delete(peer)
    }
  }

  #halve(): void {
    this.#notes = Math.floor(this.#notes / 2)
    for (const [peer, count] of this.#counts) {
      if (count > 1) this.#counts.set(peer, Math.floor(count / 2))
      else this.#counts.delete(peer)
    }
  }
}
