/** How long an address is silenced: a minute, twice as long each time it comes back to the same, ten minutes at most. */
import { BoundedMap } from '#kit'

const FIRST_S = 60
export const LONGEST_S = 600
/** Whoever kept away as long as this after the silence begins anew. */
const FORGET_MS = 600_000

interface Offence {
  readonly seconds: number
  readonly endsAtMs: number
}

export class Escalation {
  readonly #offences: BoundedMap<string, Offence>

  constructor(capacity: number) {
    this.#offences = new BoundedMap(capacity)
  }

  /** The same while a silence lasts: reports that cross each other are one offence. */
  secondsFor(address: string, nowMs: number): number {
    const last = this.#offences.get(address)
    if (last !== undefined && nowMs < last.endsAtMs) return last.seconds
    const isRepeated = last !== undefined && nowMs < last.endsAtMs + FORGET_MS
    const seconds = isRepeated ? Math.min(LONGEST_S, 2 * last.seconds) : FIRST_S
    this.#offences.set(address, { seconds, endsAtMs: nowMs + seconds * 1000 })
    return seconds
  }
}
