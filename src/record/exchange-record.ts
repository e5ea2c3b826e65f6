/** What is kept of one exchange: the source of the log line, the access log and, later, the store. */
export interface ExchangeRecord {
  /** Wall clock, milliseconds since the epoch, when the head was complete. */
  readonly atMs: number
  /** Reference number: what a visitor may quote. */
  readonly ray: string
  readonly site: string
  readonly client: string
  readonly asn: number
  readonly method: string
  readonly target: string
  readonly version: string
  readonly userAgent: string
  readonly referer: string
  readonly action: Action
  /** Reason code; '' for an ordinary admission. */
  readonly reason: string
  readonly lane: string
  readonly ja4: string
  readonly status: number
  /** Body bytes sent to the client. */
  readonly bytes: number
  readonly durationMs: number
  /** Time the origin was held, 0 when it was not asked. */
  readonly originMs: number
  /** Id of the signature that it fitted, '' for none. */
  readonly signature?: string
  /** Names of the operator's rule and of the list of networks that spoke of it, '' for none. */
  readonly rule?: string
  readonly list?: string
  /** Only while somebody tries a rule out (`Policy.wantsLooks`). */
  readonly look?: RequestLook
}

/** What a request looked like, to try a rule on it. */
export interface RequestLook {
  readonly host: string
  readonly isSecure: boolean
  /** In the order of `TRAITS`. */
  readonly traits: readonly string[]
  /** Names and values in turn. */
  readonly fields: readonly string[]
  /** Of `fields`, in lower case, those whose values are secret (cookies, credentials), and were left out. */
  readonly secret: readonly string[]
  /** False: there were more fields than a record holds. */
  readonly isWhole: boolean
}

/**
 * `store`: served with what was stored. `answer`: Digue answered itself by configuration (redirect, ACME).
 * `fail`: the origin could not.
 */
export const ACTIONS = ['relay', 'store', 'answer', 'shed', 'refuse', 'drop', 'fail'] as const
export type Action = (typeof ACTIONS)[number]

/** Upper bounds of the buckets in which durations are counted. Here, because edge and brain must agree on them. */
export const LATENCY_BUCKETS_MS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000,
] as const
