/** One list: what it holds, where it stands, and what can be told of it. */
import { buildNetworkSet, NetworkSet, type PackedRanges } from '#networks'
import { CrowdSecDecisions } from './crowdsec-decisions.ts'
import { effectIndex } from './effects.ts'
import type { KeptContent, KeptVerdict } from './kept-copies.ts'
import type { ListSettings, ListStatus, Standing } from './list-types.ts'
import { readList } from './read-list.ts'

const DEFAULT_REFRESH_MS = { url: 3_600_000, file: 10_000, crowdsec: 10_000 } as const
const GROWN_FACTOR = 10
const GROWN_FROM = 1000
/** Addresses, or v6 /64s, that a list of friends may grow by unasked: a v4 /16. */
const GROWN_EXTENT_FROM = 65_536
const HIT_BUCKETS = 6
const HIT_BUCKET_MS = 10_000

/** What a look at a source gave. */
export interface Content
  extends Pick<ListStatus, 'networks' | 'wrong' | 'examples' | 'local' | 'wide' | 'leftOut' | 'ignored'> {
  readonly memory: SharedArrayBuffer
  /** Addresses and /64s that it covers, nested ones twice. */
  readonly extent: number
}

export class List {
  readonly settings: ListSettings
  readonly source: 'file' | 'url' | 'crowdsec'
  readonly decisions: CrowdSecDecisions | undefined
  content: Content | undefined
  set = NetworkSet.EMPTY
  kept: KeptContent | undefined
  keptVerdict: KeptVerdict | undefined
  releasedShare: number | undefined
  standing: Standing = 'loading'
  share: number | undefined
  clients = 0
  /** A copy that is far larger than what is in force, until the operator has seen it. */
  waiting: { readonly content: Content; readonly kept: KeptContent; readonly bytes: Buffer } | undefined
  updatedAtMs = 0
  checkedAtMs = 0
  nextAtMs = 0
  verdictKeptAtMs = 0
  fault = ''
  failures = 0
  /** mtime, size and inode of the file that was read. */
  stamp = ''
  /** CrowdSec is to be asked for everything again. */
  isWhole = true
  refreshing: Promise<void> | undefined
  /** Ends what is under way when the list is taken out. */
  readonly #abort = new AbortController()
  /** There is no more room for its networks. */
  isLeftOut = false
  readonly #hits = new Array<number>(HIT_BUCKETS).fill(0)
  #hitBucket = 0

  constructor(settings: ListSettings) {
    this.settings = settings
    this.source = settings.file !== undefined ? 'file' : settings.url !== undefined ? 'url' : 'crowdsec'
    this.decisions = this.source === 'crowdsec' ? new CrowdSecDecisions(settings.then) : undefined
  }

  get name(): string {
    return this.settings.name
  }

  /** Undefined: each decision has its own. */
  get effect(): ListSettings['then'] {
    return this.settings.then ?? (this.source === 'crowdsec' ? undefined : 'weight')
  }

  get refreshMs(): number {
    return this.settings.refresh ?? DEFAULT_REFRESH_MS[this.source]
  }

  get isGone(): boolean {
    return this.#abort.signal.aborted
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  end(): void {
    this.#abort.abort()
  }

  hit(count: number): void {
    this.#hits[this.#hitBucket]! += count
  }

  turnHits(nowMs: number): void {
    const bucket = Math.floor(nowMs / HIT_BUCKET_MS) % HIT_BUCKETS
    if (bucket === this.#hitBucket) return
    this.#hitBucket = bucket
    this.#hits[bucket] = 0
  }

  status(): ListStatus {
    const { settings, content } = this
    return {
      name: this.name,
      source: this.source,
      from: settings.file ?? settings.crowdsec?.url ?? settings.url!.replace(/\?.*$/s, ''),
      effect: this.effect,
      standing: this.isLeftOut && this.standing !== 'held' ? 'left-out' : this.standing,
      networks: content?.networks ?? 0,
      updatedAtMs: this.updatedAtMs,
      checkedAtMs: this.checkedAtMs,
      nextAtMs: Math.round(this.nextAtMs),
      fault: this.fault,
      wrong: content?.wrong ?? 0,
      examples: content?.examples ?? [],
      local: content?.local ?? 0,
      wide: content?.wide ?? 0,
      leftOut: content?.leftOut ?? 0,
      ignored: content?.ignored ?? 0,
      share: this.share,
      clients: this.clients,
      isReleased: this.releasedShare !== undefined,
      waiting: this.waiting?.content.networks,
      hitsPerMinute: this.#hits.reduce((sum, count) => sum + count, 0),
      isRefreshing: this.refreshing !== undefined,
    }
  }
}

/** What bytes from a file or an address hold. */
export function contentOf(list: List, bytes: Buffer): Content | { readonly fault: string } {
  const effect = list.effect ?? 'weight'
  const isFriends = effect === 'allow'
  const read = readList(bytes, {
    format: list.settings.format,
    keepsLocal: isFriends && list.source === 'file',
    widensV6: !isFriends,
  })
  if ('fault' in read) return read
  const memory = buildNetworkSet([{ effect: effectIndex(effect), list: 0, ranges: read.ranges }])
  const { ranges, ...counts } = read
  return { ...counts, memory, leftOut: 0, ignored: 0, extent: extentOf(ranges) }
}

function extentOf({ v4, v6 }: PackedRanges): number {
  let extent = 0
  for (let i = 0; i < v4.length; i += 2) extent += v4[i + 1]! - v4[i]! + 1
  for (let i = 0; i < v6.length; i += 8)
    extent += (v6[i + 4]! - v6[i]!) * 2 ** 32 + (v6[i + 5]! - v6[i + 1]!) + 1
  return extent
}

/** Tenfold: more likely a mistake, or another's hand, than news. For friends the addresses count, not the lines. */
export function hasGrown(list: List, before: Content, after: Content): boolean {
  if (after.networks > GROWN_FROM && after.networks > GROWN_FACTOR * before.networks) return true
  return (
    list.effect === 'allow' && after.extent > GROWN_EXTENT_FROM && after.extent > GROWN_FACTOR * before.extent
  )
}
