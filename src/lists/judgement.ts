/**
 * How far a list may act: a question of how many visitors it would hit.
 *
 * A list is somebody else's opinion. More than one in a hundred clients of calm weather on it, and it is either
 * wrong about this site, or right about an attacker who visited for days to have it held: both are for the
 * operator, who sees it held back, and may release it. While too few clients are known it weighs at most,
 * which takes nothing from anybody in calm weather and nine tenths of a share in overload.
 */
import type { Effect } from '#recognise'
import type { KeptVerdict } from './kept-copies.ts'
import type { Standing } from './list-types.ts'

/** Below it a share means nothing. */
export const FEWEST_CLIENTS = 200
const HOLD_ABOVE = 0.01
/** Held until well below, or one visitor more or less would switch it. */
const RELEASE_BELOW = 0.005
/** What the operator let pass may grow so much before it is held again. */
const RELEASED_FACTOR = 2
/** What was known before a restart. */
const LONGEST_VERDICT_MS = 7 * 86_400_000
const VERDICT_FACTOR = 2

export interface Evidence {
  readonly effect: Effect | undefined
  /** Clients of calm weather, and those of them that are on the list. */
  readonly clients: number
  readonly touched: number
  readonly networks: number
  readonly wasHeld: boolean
  readonly releasedShare: number | undefined
  /** From before a restart, for as long as too few clients are known. */
  readonly kept: KeptVerdict | undefined
  readonly nowMs: number
}

export interface Judgement {
  readonly standing: Extract<Standing, 'acting' | 'weight' | 'held'>
  readonly share: number | undefined
  readonly clients: number
}

export function judge(evidence: Evidence): Judgement {
  const { effect, clients, touched, kept, releasedShare, nowMs, networks } = evidence
  // Whoever is let in loses nothing by it.
  if (effect === 'allow') return { standing: 'acting', share: undefined, clients }
  const isKnown = clients >= FEWEST_CLIENTS
  const isKeptGood =
    kept !== undefined &&
    nowMs - kept.atMs <= LONGEST_VERDICT_MS &&
    networks <= VERDICT_FACTOR * Math.max(kept.networks, 1)
  if (!isKnown && !isKeptGood)
    return {
      standing: effect === 'weight' || releasedShare !== undefined ? 'acting' : 'weight',
      share: undefined,
      clients,
    }
  const share = isKnown ? touched / clients : kept!.share
  const bound = Math.max(
    evidence.wasHeld ? RELEASE_BELOW : HOLD_ABOVE,
    releasedShare === undefined ? 0 : RELEASED_FACTOR * Math.max(releasedShare, HOLD_ABOVE),
  )
  return { standing: share > bound ? 'held' : 'acting', share, clients: isKnown ? clients : kept!.clients }
}
