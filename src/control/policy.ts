/**
 * The only protocol between the brain and an edge: policy goes down, reports come up every 250 ms.
 * Plain data, so that it survives structured cloning and, between machines, JSON.
 */
import type { Lane, RouteCostRows, ShedReason } from '#admission'
import type { SiteSignatures, Traits } from '#recognise'
import type { Action, ExchangeRecord } from '#record'

export { LATENCY_BUCKETS_MS } from '#record'

export const POSTURES = ['calm', 'strained', 'flooded', 'recovering'] as const
export type Posture = (typeof POSTURES)[number]

/** What an operator decided about a network, address, path or host. Allow beats refuse. */
export interface Decision {
  readonly id: string
  readonly effect: 'allow' | 'refuse'
  /** Exactly one of these four says what it is about. */
  readonly cidr?: string
  readonly asn?: number
  /** Path prefix, such as "/search". */
  readonly path?: string
  readonly host?: string
  /** Milliseconds since the epoch; every decision ends by itself. */
  readonly expiresAtMs: number
  readonly note: string
}

export interface Policy {
  readonly serial: number
  /** Everything passes: for when Digue itself is suspected. */
  readonly bypass: boolean
  /** The operator's word over the posture; `auto` lets Digue decide. */
  readonly attack: 'on' | 'off' | 'auto'
  /** Posture by site name (its first host). */
  readonly postures: Readonly<Record<string, Posture>>
  readonly decisions: readonly Decision[]
  /** The dangerous date that Digue is armed for; absent: none is near. */
  readonly armed?: { readonly name: string; readonly until: number }
  /** By site name; a site that is not there has none. */
  readonly signatures?: Readonly<Record<string, SiteSignatures>>
  /** Somebody tries a rule out: records say what requests looked like (`ExchangeRecord.look`). */
  readonly wantsLooks?: boolean
}

/** One request of a sample: who, by what right, and what it looked like. */
export interface TraitSample {
  readonly asn: number
  readonly prefix: string
  readonly subscriber: string
  readonly lane: Lane
  readonly traits: Traits
}

/** How often a signature fitted since the last report. */
export interface SignatureTally {
  readonly id: string
  readonly requests: number
  /** Those of them that had shown effort or history: visitors, as far as one can tell. */
  readonly proven: number
}

/** How often one of the operator's rules decided, and could not be evaluated, since the last report. */
export interface RuleTally {
  readonly name: string
  readonly fitted: number
  readonly failed: number
}

/** One aggregate's calm-weather traffic since the last report. */
export interface CalmShare {
  readonly asn: number
  readonly prefix: string
  readonly subscriber: string
  readonly originMs: number
}

export interface SiteReport {
  /** Requests by outcome since the last report. */
  readonly tallies: readonly {
    lane: Lane
    action: Action
    reason: ShedReason | string
    count: number
    originMs: number
  }[]
  /**
   * Mean and worst queue delay of the requests decided since the last report, ms; 0 when none waited.
   * One that was shed counts as the longest wait: newest-first dispatch alone would hide a flood.
   */
  readonly queueDelayMs: number
  readonly queueDelayMaxMs: number
  /** Gauges, now. */
  readonly waiting: number
  readonly longLived: number
  /** Bounded; what did not fit is in `calmLost`. Empty unless the posture is calm. */
  readonly calm: readonly CalmShare[]
  readonly calmLost: number
  /** A sample of the requests since the last report, at most one per client; bounded. */
  readonly traits?: readonly TraitSample[]
  readonly signatures?: readonly SignatureTally[]
  /** Those of the site's rules that did something. */
  readonly rules?: readonly RuleTally[]
  /** Requests of which something was beyond a bound of what rules see. */
  readonly rulesCut?: number
  /** Calm-weather costs by route class: once a minute and at the end, the most asked for. */
  readonly routes?: RouteCostRows
  /** Time from head to last byte for relayed exchanges: counts per bucket of LATENCY_BUCKETS_MS. */
  readonly latency: readonly number[]
  /** State of each origin, in the order of the configuration. */
  readonly origins: readonly { readonly url: string; readonly healthy: boolean; readonly reason: string }[]
}

export interface EdgeReport {
  readonly thread: number
  readonly atMs: number
  readonly sites: Readonly<Record<string, SiteReport>>
  /** Gauges of this thread: connections open by state, descriptors, event-loop utilisation. */
  readonly gauges: Readonly<Record<string, number>>
  /** How often each bound was hit, and other counters, since the last report. */
  readonly counters: Readonly<Record<string, number>>
  readonly records: readonly ExchangeRecord[]
  readonly recordsLost: number
  /**
   * Direct peers, as addresses, that went on connecting after they had been dropped, since the last report:
   * what the kernel may silence. None that people share, that pass requests on, or that an operator allowed. Bounded.
   */
  readonly offenders?: readonly string[]
}
