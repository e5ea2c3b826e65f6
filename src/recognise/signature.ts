/** What many of a flood's clients share and hardly a visitor shows: up to three traits that are all there. */
import type { TraitName } from './traits.ts'

/** The value of a term that stands for every value that calm weather did not show (`SiteSignatures.familiar`). */
export const UNFAMILIAR = '*'

export interface Term {
  readonly trait: TraitName
  /** A value of the trait, '' for one that is absent, or `UNFAMILIAR`. */
  readonly value: string
}

/**
 * What is done to those who fit, in order of hardness. `weight`: a tenth of their network's share. `price` and
 * `wait`: only who has paid, or whose turn in the waiting room has come, gets in. `refuse`: 403.
 */
export const EFFECTS = ['allow', 'weight', 'price', 'wait', 'refuse'] as const
export type Effect = (typeof EFFECTS)[number]

export interface Signature {
  /** Of its terms alone: the same handwriting has the same id on every day. */
  readonly id: string
  /** One to three, in the order of `TRAITS`. */
  readonly terms: readonly Term[]
  /** Those that are mined only ever have `weight`; an operator may choose another. */
  readonly effect: Exclude<Effect, 'allow'>
  readonly isPinned: boolean
  readonly publishedAtMs: number
  /** Milliseconds since the epoch; every signature ends by itself. */
  readonly expiresAtMs: number
  /** Share of the distinct clients that show it now, 0 to 1. */
  readonly support: number
  /** The same in calm weather, and how sure: an upper bound at 95 %. */
  readonly baseline: number
  readonly baselineAtMost: number
  /** `support` by `baseline`, the latter not taken for less than one client. */
  readonly lift: number
  /** Share of calm weather's clients that it would touch, an estimate of the visitors it hits. */
  readonly visitors: number
  /** In words, for the operator. */
  readonly reason: string
}

/** Of one site, as edges need it. */
export interface SiteSignatures {
  readonly signatures: readonly Signature[]
  /** Values that calm weather showed, for traits that a signature calls unfamiliar. */
  readonly familiar: Readonly<Partial<Record<TraitName, readonly string[]>>>
}
