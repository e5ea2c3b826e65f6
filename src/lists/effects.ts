/** What a list does to who is on it, in the order of #recognise's EFFECTS: a set of networks holds the index. */
import type { Effect } from '#recognise'

export const EFFECTS = ['allow', 'weight', 'price', 'wait', 'refuse'] as const satisfies readonly Effect[]

export function effectIndex(effect: Effect): number {
  return EFFECTS.indexOf(effect)
}
