/**
 * The slowest pace at which a client may send a body or read an answer. Only time in which Digue
 * waits for the client counts: a slow origin, or a quiet event stream, is nobody's slowness.
 */
export const BODY_WINDOW_MS = 5000
/** Reading an answer: first verdict after grace and window, as kernels take bytes in gulps. One rule for all transports. */
export const READ_GRACE_MS = 5000
export const READ_WINDOW_MS = 15_000

/** One direction of one exchange. Of `graceMs` only the bytes count, not the time. */
export class Pace {
  readonly #windowMs: number
  readonly #graceMs: number
  #waitedMs: number
  #bytes = 0

  constructor(windowMs = BODY_WINDOW_MS, graceMs = 0) {
    this.#windowMs = windowMs
    this.#graceMs = graceMs
    this.#waitedMs = -graceMs
  }

  /** Nothing waits for the client: the next time begins with a grace. */
  rest(): void {
    this.#waitedMs = -this.#graceMs
    this.#bytes = 0
  }

  /** Bytes that have moved; they pay for the waiting. */
  moved(bytes: number): void {
    this.#bytes += bytes
  }

  /** `waitedMs` more were spent waiting for the client. True: it is too slow. */
  waited(waitedMs: number, minBytesPerSecond: number): boolean {
    this.#waitedMs += waitedMs
    if (this.#waitedMs < this.#windowMs) return false
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

/** What may wait for slow readers on a thread's way, fast or not, before every origin waits as soon as its client is behind. */
export const MOST_BUFFERED_IN_ALL = 64 << 20

/** All exchanges of a thread whose bodies are moving. */
export class PaceWatch {
  readonly #all = new Set<Paced>()
  /** Bytes of their answers that wait for clients. */
  buffered = 0

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
