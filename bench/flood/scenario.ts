/** What a scenario of the flood bench is. */
import type { BehaviourPlan, Cohort } from '../load/plan.ts'
import type { OriginPlan } from '../origin/origin.ts'

export interface Attack {
  readonly sources: readonly string[]
  /** Of each source. `handshakes`: this many times the measured handshake rate of the server's core, in all. */
  readonly perSecond: number | { readonly handshakes: number }
  readonly connection?: 'keep' | 'new'
  readonly tls?: boolean
  readonly path?: 'page' | 'search'
  readonly pulse?: { readonly onS: number; readonly offS: number }
  /** Made when it is needed: it may hold thousands of tokens. */
  readonly behaviour?: (peer: string) => BehaviourPlan
}

export interface Timing {
  readonly calmS: number
  readonly floodS: number
}

/** What Digue should reach; a goal of a cohort where one is named, else of all visitors. */
export type Goal =
  | { readonly cohort?: string; readonly served: number }
  /** p99 in the flood as a multiple of the same cohort's in calm weather. */
  | { readonly cohort: string; readonly p99OfCalm: number }
  /** Bytes sent to attackers per request of theirs that got no page, in the mean. */
  | { readonly bytesPerRefusal: number }

export const GROUPS = ['fairness', 'cohorts', 'farms'] as const
export type Group = (typeof GROUPS)[number]

export interface Scenario {
  readonly name: string
  readonly group: Group
  readonly question: string
  readonly goals: readonly Goal[]
  readonly origin?: Partial<OriginPlan>
  cohorts(timing: Timing): Cohort[]
  readonly attack?: Attack
  /** Others who attack at the same time. */
  readonly also?: readonly Attack[]
  /** The first second of the flood counts like the others. */
  readonly fromOnset?: boolean
  /** The origin becomes this many times slower when the flood would begin. */
  readonly slower?: number
  readonly streams?: number
  readonly downloads?: number
  /** The peer is started only in the middle of the flood. */
  readonly lateStart?: boolean
  /** nginx and HAProxy are shown at the best of several settings. */
  readonly sweep?: boolean
  /** A page is 21 requests at once: without a sweep the peers' last, widest setting is used. */
  readonly loose?: boolean
  /** Share of capacity that went to visitors is the measure, not the share of visitors served. */
  readonly byCapacity?: boolean
  readonly peers?: readonly string[]
  /** Cores of the attackers' solver farm, and whose networks it lends its clearances to. */
  readonly farm?: { readonly cores: number; readonly from: string }
}
