/** One question of the cache's bench. */
import type { Parsed } from '../lib/options.ts'
import type { Peer } from '../peers/peer.ts'

export interface PartContext {
  readonly chosen: Parsed
  readonly isQuick: boolean
  /** Whether `--peer` leaves it in. */
  readonly isWanted: (peer: Peer) => boolean
  readonly say: (text: string) => void
}

export interface Part {
  readonly name: string
  readonly question: string
  /** Debian packages by program. */
  readonly needs: Readonly<Record<string, string>>
  /** Prints its table, and returns the raw results. */
  run(context: PartContext): Promise<object>
}
