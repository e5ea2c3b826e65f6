/** A request as the operator's rules see it: what costs something is read when a rule looks at it. */
import type { RequestHead } from '#http'
import type { ClientAddress } from '#networks'
import type { Traits } from '#recognise'
import type { RuleInput } from '#rules'
import type { Exchange } from '../exchange.ts'

export class RuleView implements RuleInput {
  readonly #exchange: Exchange
  /** Wall clock: rules end on a date. */
  readonly nowMs = Date.now()

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  get head(): RequestHead {
    return this.#exchange.head
  }

  get isSecure(): boolean {
    return this.#exchange.secure
  }

  get client(): ClientAddress {
    return this.#exchange.client
  }

  get posture(): string {
    return this.#exchange.site.recognition.posture
  }

  get traits(): Traits {
    return this.#exchange.traits
  }
}
