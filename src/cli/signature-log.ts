/** Lines about signatures: each when it begins and when it has ended, a bounded number of them a minute. */
import type { Logger } from 'pino'
import type { Policy } from '#control'

/** A flood that changes its handwriting twice a second would otherwise fill a disk. */
const MOST_PER_MINUTE = 120
const MINUTE_MS = 60_000

export class SignatureLog {
  readonly #log: Pick<Logger, 'info' | 'warn'>
  readonly #onLeftOut: (count: number) => void
  /** Those in force that were told, by site and id. */
  #told = new Map<string, string>()
  #minuteEndsMs = 0
  #written = 0

  constructor(log: Pick<Logger, 'info' | 'warn'>, onLeftOut: (count: number) => void) {
    this.#log = log
    this.#onLeftOut = onLeftOut
  }

  /** Told what is in force whenever it may have changed. */
  tell(signatures: Policy['signatures'], nowMs: number): void {
    const now = new Map<string, string>()
    for (const [site, { signatures: inForce }] of Object.entries(signatures ?? {}))
      for (const { id, reason } of inForce) {
        const name = `${site} ${id}`
        now.set(name, id)
        if (!this.#told.has(name) && this.#hasRoom(nowMs))
          this.#log.warn({ code: 'signature', site, signature: id }, `a flood is recognised: ${reason}`)
      }
    for (const [name, id] of this.#told)
      if (!now.has(name) && this.#hasRoom(nowMs))
        this.#log.info(
          { code: 'signature-ended', site: name.slice(0, name.indexOf(' ')), signature: id },
          'a signature has ended',
        )
    this.#told = now
  }

  #hasRoom(nowMs: number): boolean {
    if (nowMs >= this.#minuteEndsMs || nowMs < this.#minuteEndsMs - MINUTE_MS) {
      this.#minuteEndsMs = nowMs + MINUTE_MS
      this.#written = 0
    }
    const hasRoom = this.#written++ < MOST_PER_MINUTE
    if (!hasRoom) this.#onLeftOut(1)
    return hasRoom
  }
}
