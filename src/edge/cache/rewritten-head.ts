import { type FieldLines, type RequestHead, storeFieldsOf } from '#http'

/** What a client asked for, with another target: its fields are read when somebody asks for them, as its own are. */
export class RewrittenHead implements RequestHead {
  readonly target: string
  readonly #head: RequestHead

  constructor(head: RequestHead, target: string) {
    this.#head = head
    this.target = target
  }
  get method(): string {
    return this.#head.method
  }
  get version(): RequestHead['version'] {
    return this.#head.version
  }
  get host(): string {
    return this.#head.host
  }
  get fields(): FieldLines {
    return this.#head.fields
  }
  get storeFields(): FieldLines {
    return storeFieldsOf(this.#head)
  }
}
