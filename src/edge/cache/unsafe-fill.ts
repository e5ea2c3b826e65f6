/** Requests that change something at the origin, and what that means for what is stored. */
import { invalidated } from '#cache'
import type { FieldLines, RequestHead } from '#http'
import type { Fill, Filling } from './filling.ts'

/**
 * An unsafe request: if it succeeds, what is stored of its target is of yesterday (RFC 9111 §4.4). The answer to a
 * POST may itself be the page of today, if it says so.
 */
export class UnsafeFill implements Fill {
  readonly target = undefined
  readonly conditions = undefined
  readonly instead = undefined
  readonly ownFields: FieldLines = []
  readonly #head: RequestHead
  readonly #secure: boolean
  readonly #forget: (key: string) => void
  readonly #page: Filling | undefined
  #isCopying = false

  constructor(head: RequestHead, secure: boolean, forget: (key: string) => void, page: Filling | undefined) {
    this.#head = head
    this.#secure = secure
    this.#forget = forget
    this.#page = page
  }

  answered(status: number, fields: () => FieldLines): 'pass' | 'copy' {
    if (status >= 400) return 'pass'
    const lines = fields()
    const wish = this.#page?.answered(status, () => lines) === 'copy' ? 'copy' : 'pass'
    // What takes its place is younger than any request for it.
    for (const key of invalidated(this.#head, this.#secure, { status, fields: lines }))
      if (wish === 'pass' || key !== this.#page!.plan.key) this.#forget(key)
    this.#isCopying = wish === 'copy'
    return wish
  }

  data(bytes: Uint8Array): void {
    this.#page?.data(bytes)
    this.#settle()
  }

  completed(): void {
    this.#page?.completed()
    this.#settle()
  }

  startOver(): void {}

  abandoned(): void {
    this.#page?.abandoned()
    this.#settle()
  }

  /** Nothing came to take the place of what is of yesterday. */
  #settle(): void {
    if (!this.#isCopying || !this.#page!.isOver) return
    this.#isCopying = false
    if (this.#page!.outcome !== 'stored') this.#forget(this.#page!.plan.key)
  }

  standIn(): undefined {}
}
