/** What the brain can say of itself, and the one sentence that explains each site. */
import type { Policy, Posture, SiteReport } from './policy.ts'
import { OVERLOAD_DELAY_MS } from './posture.ts'
import type { SignaturesSummary } from './signatures/signature-book.ts'
import type { MinuteFigures } from './totals.ts'

/** A network among the recorded requests of the last half to full minute. Relays, not authors. */
export interface SourceNetwork {
  /** 0: no network data knows the address. */
  readonly asn: number
  readonly shareRatio: number
  readonly calmShareRatio: number
}

export interface SiteStatus {
  readonly name: string
  readonly posture: Posture
  readonly postureSinceMs: number
  /** One sentence for an operator. */
  readonly why: string
  readonly lastMinute: MinuteFigures
  readonly waiting: number
  readonly longLived: number
  readonly queueDelayMs: number
  readonly limit: number
  readonly inFlight: number
  readonly origins: SiteReport['origins']
  readonly networks: readonly SourceNetwork[]
  /** Requests the baseline was learned from. */
  readonly baselineRequests: number
  readonly hasBaseline: boolean
  readonly signatures: SignaturesSummary
}

export interface BrainStatus {
  readonly attack: Policy['attack']
  readonly bypass: boolean
  readonly armed?: Policy['armed']
  readonly decisions: number
  readonly recordsLost: number
  readonly sites: readonly SiteStatus[]
}

export interface Facts {
  readonly posture: Posture
  readonly attack: Policy['attack']
  readonly bypass: boolean
  readonly lastMinute: MinuteFigures
  readonly queueDelayMs: number
  readonly hasBaseline: boolean
}

export function sentence(facts: Facts): string {
  const { posture, lastMinute } = facts
  if (facts.bypass) return 'Bypass: everything passes, Digue decides nothing, until `digue bypass off`.'
  if (facts.attack === 'off')
    return 'Attack off: everything passes because an operator said so; `digue attack auto` gives the decision back.'
  if (facts.attack === 'on')
    return 'Attack on: treated as flooded because an operator said so; nothing is learned.'
  const shed = lastMinute.requests === 0 ? 0 : Math.round((100 * lastMinute.shed) / lastMinute.requests)
  const delay = Math.round(facts.queueDelayMs)
  const shares = facts.hasBaseline ? '' : ' No calm-weather baseline is known, so all networks count alike.'
  switch (posture) {
    case 'calm':
      return 'Calm: nobody waits for the origin.'
    case 'strained':
      return `Strained: requests wait ${delay} ms for the origin (more than ${OVERLOAD_DELAY_MS} ms); ${shed} % of the last minute's were shed.${shares}`
    case 'flooded':
      return `Flooded: more is asked than the origin can serve; ${shed} % of the last minute's ${lastMinute.requests} requests were shed.${shares}`
    case 'recovering':
      return 'Recovering: hardly anybody waits any more; calm after 10 s of that.'
    default:
      posture satisfies never
      return ''
  }
}
