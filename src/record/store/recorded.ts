/** What the recorder is fed, and what it gives back: plain data, for it crosses threads. */
import type { Action } from '../exchange-record.ts'

/** Lengths of the periods that are summed up, in seconds; each is made of the one before it. */
export const LEVELS = [10, 60, 3600, 86_400] as const
export type Level = (typeof LEVELS)[number]

/** What the heaviest names are kept of. */
export const DIMENSIONS = ['network', 'path', 'signature'] as const
export type Dimension = (typeof DIMENSIONS)[number]

export interface Tally {
  readonly lane: string
  readonly action: string
  readonly reason: string
  readonly count: number
  readonly originMs: number
}

/** A site's figures since the last report: the members of `SiteReport` that are kept. */
export interface SiteFigures {
  readonly tallies: readonly Tally[]
  readonly queueDelayMs: number
  readonly queueDelayMaxMs: number
  readonly waiting: number
  readonly longLived: number
  readonly latency: readonly number[]
  readonly signatures?: readonly { readonly id: string; readonly requests: number }[]
}

/** What is kept of one exchange of a sample. Texts are bounded, see `TEXT_BOUNDS`. */
export interface Sample {
  /** Wall clock, ms since the epoch. */
  readonly atMs: number
  readonly site: string
  readonly ray: string
  readonly action: Action
  readonly reason: string
  readonly lane: string
  readonly asn: number
  /** The client's /24 or /48. */
  readonly prefix: string
  readonly method: string
  readonly path: string
  readonly route: string
  readonly version: string
  readonly userAgent: string
  readonly ja4: string
  readonly status: number
  readonly bytes: number
  readonly durationMs: number
  readonly originMs: number
  readonly signature: string
  readonly rule: string
  readonly list: string
  /** For how many requests this one stands. */
  readonly weight: number
  /** Keyed hash of the client's address: the same client, without saying who. '' once it was removed. */
  readonly mark: string
  /** Address, query of the target and referrer: undefined once they were removed. */
  readonly client: string | undefined
  readonly query: string | undefined
  readonly referer: string | undefined
}

export const EVENT_KINDS = [
  'posture',
  'signature',
  'signature-ended',
  'operator',
  'configuration',
  'edge',
  'hold',
  'clock',
  'recorder',
  'start',
  'end',
] as const
export type EventKind = (typeof EVENT_KINDS)[number]

export interface RecordedEvent {
  readonly atMs: number
  readonly kind: EventKind
  /** '' when it concerns all sites. */
  readonly site: string
  /** JSON of at most 16,384 characters. */
  readonly data: unknown
}

/** An exemption from removal. */
export interface Hold {
  readonly id: number
  /** '' for all sites. */
  readonly site: string
  readonly fromMs: number
  readonly toMs: number
  readonly reason: string
  /** It ends then by itself. */
  readonly expiresAtMs: number
  readonly madeAtMs: number
}

export interface RecordSettings {
  /** Bound on the file, bytes; the journal beside it takes some MB more. */
  readonly bytes: number
  /** How long periods of each level are kept, ms. */
  readonly keepMs: Readonly<Record<Level, number>>
  /** How long samples are kept, ms. */
  readonly samplesMs: number
  /** After this, addresses, queries and referrers of samples are removed, ms. */
  readonly addressesMs: number
  /** What stays of an address then: a keyed hash, or only its network. */
  readonly addressesBecome: 'hashed' | 'truncated'
}

/** Why nothing is recorded just now. */
export type StoreFault =
  | 'full'
  | 'read-only'
  | 'forbidden'
  | 'damaged'
  | 'foreign'
  | 'newer'
  | 'busy'
  | 'other'

export interface RecorderStatus {
  readonly file: string
  readonly state: 'opening' | 'recording' | 'failing' | 'closed'
  /** '' while all is well. */
  readonly fault: string
  readonly bytes: number
  /** Requests counted in reports that found no room in the queue, or no disk, since the start. */
  readonly requestsLost: number
  readonly eventsLost: number
  readonly segments: number
  /** SHA-256 of the newest sealed segment; '' before the first. */
  readonly head: string
  readonly writtenAtMs: number
  /** CPU time of the writer's thread, ms since it started. */
  readonly writerCpuMs: number
}
