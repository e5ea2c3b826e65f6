/**
 * The flood of `bench/load` on the home page: made-up parameters, so that a cache which keys by the whole
 * target stores nothing of use. Browsers' fields, with random agents and languages; every second source
 * has a cookie.
 */
import { AttackLoad } from '../load/attackers.ts'
import type { Behaviour, Message } from '../load/behaviours.ts'
import type { AttackPlan } from '../load/plan.ts'
import { seeded } from '../load/random.ts'

class RandomQueries implements Behaviour {
  readonly readsBodies = false
  readonly #random = seeded(11)

  message(source: number): Message {
    const word = Math.floor(this.#random() * 2 ** 48).toString(36)
    const target = `/?${word.slice(0, 3)}=${word}`
    return source % 2 === 0 ? { target } : { target, cookie: `visit=${source}` }
  }

  deeds() {
    return {}
  }
}

/** Any plan with a behaviour: it is what makes a flood write browsers' fields. */
export class HomeFlood extends AttackLoad {
  override readonly behaviour: Behaviour = new RandomQueries()
}

export const homeFloodPlan = (plan: Omit<AttackPlan, 'behaviour'>): AttackPlan => ({
  ...plan,
  behaviour: { does: 'cookies', cookies: [''] },
})
