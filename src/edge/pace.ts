/**
 * The slowest pace at which a client may send a body or read an answer. Only time in which Digue
 * waits for the client counts: a slow origin, or a quiet event stream, is nobody's slowness.
 */
export const GRACE_MS = 5000

/** One direction of one exchange. */
export class Pace {
  #waitedMs = 0
  #bytes = 0

  /** Bytes that have moved; they pay for the waiting. */
  moved(bytes: number): void {
    this.#bytes += bytes
  }

  /** `waitedMs` more were spent waiting for the client. True: it is too slow. */
  waited(waitedMs: number, minBytesPerSecond: number): boolean {
    this.#waitedMs += waitedMs
    if (this.#waitedMs < GRACE_MS) return false
    const tooSlow = this.#bytes * 1000 < minBytesPerSecond * this.#waitedMs
    this.#waitedMs = 0
    this.#bytes = 0
    return tooSlow
  }
}

export interface Paced {
  /** Called about every second; ends what is too slow. */
  checkPace(elapsedMs: number, minBytesPerSecond: number): void
}

/** All exchanges of a thread whose bodies are moving. */
export class PaceWatch {
  readonly #all = new Set<Paced>()

  add(paced: Paced): void {
    this.#all.add(paced)
  }

  delete(paced: Paced): void {
    this.#all.delete(paced)
  }

  check(elapsedMs: number, minBytesPerSecond: number): void {
    for (const paced of this.#all) paced.checkPace(elapsedMs, minBytesPerSecond)
  }
}
