/**
 * Whom the kernel may silence: direct peers that go on connecting or asking after they were dropped.
 *
 *   dropped (admission/hammering) ──20 more tries within 10 s──▶ reported
 *
 * Only what was measured leads here: 500 refusals with nothing completed, and then twenty tries more that
 * nobody answered. No signature, list or rule does by itself. What is silenced in the kernel is silenced for everybody behind
 * an address, so whoever may speak for others is left out: `isSpared` says who. After a report it begins anew, so
 * that one who is not silenced after all is told of again.
 */
import { BoundedMap } from '#kit'
import type { ClientAddress } from '#networks'

const TRIES = 20
const WINDOW_MS = 10_000
/** Subscribers whose tries are counted, as many as may be dropped at once. */
const MOST_COUNTED = 8192
/** Per report. */
export const MOST_OFFENDERS = 4096

export interface OffendersOptions {
  /** Asked when one has tried often enough. */
  readonly isSpared: (peer: ClientAddress) => boolean
  readonly count: (counter: string) => void
}

export class Offenders {
  readonly #options: OffendersOptions
  readonly #tries = new BoundedMap<string, { count: number; sinceMs: number }>(MOST_COUNTED)
  #found = new Set<string>()

  constructor(options: OffendersOptions) {
    this.#options = options
  }

  /** A direct peer that is dropped has tried again. */
  tried(peer: ClientAddress, nowMs: number): void {
    let tries = this.#tries.get(peer.subscriber)
    if (tries === undefined || nowMs - tries.sinceMs >= WINDOW_MS) {
      tries = { count: 0, sinceMs: nowMs }
      this.#tries.set(peer.subscriber, tries)
    }
    if (++tries.count < TRIES) return
    this.#tries.delete(peer.subscriber)
    if (this.#options.isSpared(peer)) return
    if (this.#found.size < MOST_OFFENDERS) this.#found.add(peer.text)
    else this.#options.count('offenders-left-out')
  }

  /** Those found since the last call; undefined for nobody. */
  drain(): readonly string[] | undefined {
    if (this.#found.size === 0) return undefined
    const found = [...this.#found]
    this.#found = new Set()
    return found
  }
}
