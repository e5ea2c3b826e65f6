/**
 * What a set of requests looks like: sums, and the most frequent of everything a log names.
 *
 * Sums count every request. Names are looked up for at most some thousand requests of a second, every n-th of
 * a larger number, each counting n times: which network is a tenth of a flood can be told from those as well.
 */
import { type LogClient, METHODS } from './log-words.ts'
import { TopCounts } from './top-counts.ts'

export class Shape {
  requests = 0
  assets = 0
  withReferrer = 0
  fromElsewhere = 0
  withQuery = 0
  /** 4xx, 5xx and no answer at all. */
  refused = 0
  failed = 0
  bytes = 0
  durationMs = 0
  timed = 0
  readonly asns = new TopCounts<number>(1024)
  /** What they claim to be. */
  readonly agents = new TopCounts<string>(512)
  readonly routes = new TopCounts<string>(512)
  /** By index in METHODS. */
  readonly methods = new Array<number>(METHODS.length).fill(0)
  readonly referrers = new TopCounts<string>(256)
  readonly agentTexts: TopCounts<string> | undefined
  readonly addresses: TopCounts<LogClient> | undefined
  readonly prefixes: TopCounts<string> | undefined

  /** `withAddresses`: of whom it was, too. */
  constructor(options: { readonly withAddresses: boolean }) {
    if (!options.withAddresses) return
    this.agentTexts = new TopCounts<string>(512)
    this.addresses = new TopCounts<LogClient>(1024)
    this.prefixes = new TopCounts<string>(1024)
  }

  /** Share of the requests, 0 when there are none. */
  share(of: 'assets' | 'withReferrer' | 'fromElsewhere' | 'withQuery' | 'refused' | 'failed'): number {
    return this.requests === 0 ? 0 : this[of] / this.requests
  }
}

/** How much of one distribution is in the other: the sum of the smaller shares, 0 to 1. */
export function overlap<K>(now: TopCounts<K>, before: TopCounts<K>): number {
  let sum = 0
  for (const { key, count } of now.top(1024)) sum += Math.min(count / now.total, before.shareOf(key))
  return sum
}
