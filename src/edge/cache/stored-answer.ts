/** A stored response on its way to a client. */
import { codingsOf, isPlain, type Served, type Stored, serve } from '#cache'
import { type RequestHead, storeFieldsOf } from '#http'
import type { Instead, Lines, Written } from './filling.ts'

/** What was stored, made into an answer when it is asked for in that form. */
export class StoredAnswer implements Instead {
  readonly reason: Instead['reason']
  readonly #of: { stored: Stored; head: RequestHead; nowMs: number; status: string }

  constructor(
    of: { stored: Stored; head: RequestHead; nowMs: number; status: string },
    reason: Instead['reason'],
  ) {
    this.#of = of
    this.reason = reason
  }

  get written(): Written | undefined {
    const { stored, head, nowMs, status } = this.#of
    if (!isPlain(head)) return undefined
    const form = stored.formFor(codingsOf(storeFieldsOf(head)))
    return {
      status: stored.response.status,
      head: stored.headIn(form),
      tail: `${stored.ageS(nowMs)}\r\nCache-Status: Digue; ${status}\r\n`,
      body: stored.bodyIn(form),
    }
  }

  get lines(): Lines | undefined {
    const { stored, head, nowMs, status } = this.#of
    if (!isPlain(head)) return undefined
    const form = stored.formFor(codingsOf(storeFieldsOf(head)))
    return {
      status: stored.response.status,
      fields: [
        ...stored.linesIn(form),
        'age',
        String(stored.ageS(nowMs)),
        'cache-status',
        `Digue; ${status}`,
      ],
      body: stored.bodyIn(form),
    }
  }

  get served(): Served {
    const { stored, head, nowMs, status } = this.#of
    return serve(stored, head, nowMs, { status })
  }
}
