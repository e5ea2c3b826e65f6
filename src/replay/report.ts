/** What came of a replay, as plain data: the text, the JSON and the page are all made from it. */
import type { CalmFigures } from './calm-figures.ts'
import type { PageFigures } from './stored-pages.ts'
import type { TimelineSteps } from './timeline.ts'
import type { Reason, Verdict } from './verdict.ts'

/** How often a name was seen. */
export interface Named {
  readonly name: string
  readonly requests: number
  /** Of all requests there. */
  readonly share: number
  /** In calm weather; undefined when there was none to compare with. */
  readonly calmShare?: number
}

export interface FileFigures {
  readonly path: string
  readonly lines: number
  readonly badLines: number
  readonly tooLong: number
  readonly examples: readonly { readonly number: number; readonly text: string }[]
  readonly formats: Readonly<Record<string, number>>
  /** It was put in order first. */
  readonly wasSorted: boolean
  readonly fault?: string
}

export interface SignatureFigures {
  readonly id: string
  readonly terms: readonly { readonly trait: string; readonly value: string }[]
  /** In words. */
  readonly reason: string
  readonly firstAtMs: number
  readonly secondsAfterOnset: number
  readonly support: number
  readonly baseline: number
  readonly lift: number
  /** Share of calm weather's clients that it would touch. */
  readonly visitors: number
  /** Share of the requests looked at while any signature was in force. */
  readonly coveredShare: number
}

export interface HammeringFigures {
  readonly address: string
  readonly asn: number
  readonly requests: number
  /** Mean over the incident. */
  readonly perSecond: number
}

export interface IncidentFigures {
  readonly onsetMs: number
  /** The beginning is known to this many seconds. */
  readonly precisionS: number
  readonly endMs: number
  readonly durationS: number
  readonly waves: number
  readonly requests: number
  readonly bytes: number
  readonly peakPerSecond: number
  readonly peakAtMs: number
  readonly meanPerSecond: number
  /** Requests per second of half of calm weather's seconds, at its beginning. */
  readonly calmPerSecond: number
  readonly clients: number
  /** Relative standard error of `clients`; 0 when it is exact. */
  readonly clientsError: number
  /** Share of the clients that were here in calm weather. */
  readonly knownClientsShare: number
  readonly strainedAtMs?: number
  readonly floodedAtMs?: number
  readonly networks: readonly (Named & { readonly asn: number; readonly operator: string })[]
  readonly prefixes: readonly Named[]
  /** By clients, of a sample of them. */
  readonly countries: readonly {
    readonly country: string
    readonly share: number
    readonly calmShare?: number
  }[]
  readonly routes: readonly Named[]
  readonly agents: readonly Named[]
  /** As sent; the most frequent. */
  readonly agentTexts: readonly Named[]
  /** Other sites; shares are of the requests that name one. */
  readonly referrers: readonly Named[]
  readonly statuses: readonly Named[]
  readonly hammering: readonly HammeringFigures[]
  readonly signatures: readonly SignatureFigures[]
  readonly signaturesLeftOut: number
  /** Share of the requests under a signature, from the first one's beginning; 0 without signatures. */
  readonly signedShare: number
  /** Requests of clients known from calm weather: how many of those were under a signature. */
  readonly knownTouchedShare: number
  readonly knownLookedAt: number
  /** Share of the requests for pages that could have been stored. */
  readonly storableShare: number
  readonly looksLike: Verdict
  readonly reasons: readonly Reason[]
  readonly timeline: TimelineSteps
  /** A name's count may lack this many: bounded counters. */
  readonly lacking: number
}

export interface TroubleFigures {
  readonly fromMs: number
  readonly toMs: number
  readonly seconds: number
  readonly requests: number
  readonly overloadedShare: number
}

export interface SiteFigures {
  readonly name: string
  readonly requests: number
  readonly firstAtMs: number
  readonly lastAtMs: number
  /** What the queue was modelled with; undefined when too little of the log is calm. */
  readonly capacity?: number
  readonly capacityIsGiven: boolean
  readonly calm: CalmFigures
  readonly incidents: readonly IncidentFigures[]
  readonly incidentsLeftOut: number
  readonly burstSeconds: number
  readonly troubles: readonly TroubleFigures[]
  readonly pages: readonly PageFigures[]
  readonly storableShare: number
  readonly timeline: TimelineSteps
}

export interface ReplayReport {
  readonly format: 'digue-replay'
  readonly version: 1
  readonly madeAtMs: number
  readonly timeZone: string
  readonly files: readonly FileFigures[]
  readonly requests: number
  readonly outside: number
  readonly noAddress: number
  readonly late: number
  readonly stray: number
  readonly hurried: number
  readonly hostsLeftOut: number
  readonly networks: 'operator' | 'bundled' | 'none'
  readonly sites: readonly SiteFigures[]
  /** What no conclusion can be drawn from, in sentences. */
  readonly limits: readonly string[]
}
