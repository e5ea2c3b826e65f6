/** What goes into the lists, and what they tell. */
import type { Effect } from '#recognise'
import type { ListFormat } from './read-list.ts'

/** One list as the operator wrote it; exactly one of `file`, `url` and `crowdsec` is there. */
export interface ListSettings {
  readonly name: string
  readonly file?: string | undefined
  readonly url?: string | undefined
  readonly crowdsec?: { readonly url: string; readonly keyFile: string } | undefined
  readonly then?: Effect | undefined
  /** Milliseconds. */
  readonly refresh?: number | undefined
  readonly format: ListFormat
}

/** Something the operator should read in the log. */
export interface ListEvent {
  readonly level: 'info' | 'warn'
  /**
   * `list-loaded`, `list-failing`, `list-recovered`, `list-held`, `list-weight`, `list-acting`, `list-grown`,
   * `list-left-out`, `lists-died`.
   */
  readonly code: string
  readonly list: string
  readonly message: string
}

/**
 * How far a list acts. `weight`: too little is known of calm weather to judge it, so it weighs at most.
 * `held`: it would touch too many visitors. `left-out`: there is no more room for its networks.
 */
export type Standing = 'loading' | 'acting' | 'weight' | 'held' | 'left-out'

export interface ListStatus {
  readonly name: string
  readonly source: 'file' | 'url' | 'crowdsec'
  /** The file, or the address without its query, which may hold a key. */
  readonly from: string
  /** Undefined: as each decision of CrowdSec's says. */
  readonly effect: Effect | undefined
  readonly standing: Standing
  readonly networks: number
  /** Milliseconds since the epoch; 0 for never. When the networks came, when they were last looked for, when next. */
  readonly updatedAtMs: number
  readonly checkedAtMs: number
  readonly nextAtMs: number
  /** Why the last look failed; '' when it did not. What came before stays in force. */
  readonly fault: string
  /** Lines or decisions that could not be read, and up to three of them. */
  readonly wrong: number
  readonly examples: readonly string[]
  /** Networks left out, wholly or in part: private ones, those wider than /6, those beyond a bound. */
  readonly local: number
  readonly wide: number
  readonly leftOut: number
  /** Decisions about something else than addresses, or only simulated. */
  readonly ignored: number
  /** Share of calm weather's clients that are on it, 0 to 1; undefined when it is not known. */
  readonly share: number | undefined
  /** Clients that `share` is of. */
  readonly clients: number
  /** The operator let it act although it was held back. */
  readonly isReleased: boolean
  /** Networks of a new copy that is far larger, and waits for the operator. */
  readonly waiting: number | undefined
  /** Requests of the last minute that it decided, or would have. */
  readonly hitsPerMinute: number
  readonly isRefreshing: boolean
}
