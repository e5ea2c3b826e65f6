/**
 * An old log through the deciders of today: tells what Digue would have seen and done.
 *
 * One pass, since a log may come through a pipe and may have fifty million lines: a second is judged with what
 * was known before it, as it would have been live. Bounded everywhere: sites, incidents, names, rows.
 */
import type { NetworkTable } from '#networks'
import { LocalTimes, type LogLine } from '#record'
import type { LearnedSite } from './learned.ts'
import { HELD_S, LATE_S, LogWindow } from './log-window.ts'
import { LogWords, methodCode } from './log-words.ts'
import { type OnCalm, SiteReplay } from './site-replay.ts'

export interface ReplayOptions {
  readonly networks: NetworkTable
  /** For hours and weekdays; the machine's when not given. */
  readonly times?: LocalTimes
  /** Requests per second that a site's origin can do, when the operator knows it. */
  readonly capacity?: number
  readonly sinceMs?: number
  readonly untilMs?: number
  /**
   * Site that a host belongs to ('' when a line names none), undefined for none. Without it each host is a site.
   * At most 256 of them are kept.
   */
  readonly siteOf?: (host: string) => string | undefined
  /** Calm weather as it is learned, some seconds late: requests that were answered well, outside of incidents. */
  readonly onCalm?: OnCalm
  /** What was learned of a site before. */
  readonly learned?: (site: string) => LearnedSite | undefined
  readonly random?: () => number
  readonly rows?: number
}

export interface ReplayCounters {
  /** Requests that were used. */
  requests: number
  /** Left out: before `sinceMs` or after `untilMs`, or of other sites. */
  outside: number
  /** Their client is no address. */
  noAddress: number
  /** So late that their second was judged; counted, not judged. */
  late: number
  /** Alone far ahead of all others: a clock that was wrong. Left out. */
  stray: number
  /** Seconds judged early, since the window was full. */
  hurried: number
}

/** A line so far ahead may be one with a wrong time: it waits until others follow. */
const JUMP_S = 3600
const MOST_WAITING = 16
const MOST_SITES = 32
const EARLY_SITES = 8
const MOST_GIVEN_SITES = 256
/** Good answers by which a host earns a place of its own: anybody can send made-up Host fields. */
const EARNED = 200
const OTHER_HOSTS = '(other hosts)'
export const NO_HOST = '(no host in the log)'

export class Replay {
  readonly counters: ReplayCounters = {
    requests: 0,
    outside: 0,
    noAddress: 0,
    late: 0,
    stray: 0,
    hurried: 0,
  }
  readonly sites = new Map<string, SiteReplay>()
  /** Hosts that had no place of their own, at least. */
  hostsLeftOut = 0
  readonly #options: ReplayOptions
  readonly #times: LocalTimes
  readonly #words: LogWords
  readonly #window: LogWindow<SiteReplay>
  readonly #candidates = new Map<string, number>()
  #newest = Number.NaN
  #judged = Number.NaN
  #accounted = Number.NaN
  /** The latest second that has rows: beyond it the ring is empty. */
  #filled = Number.NaN
  /** Rows far ahead, with their seconds. */
  #waiting: { row: number; second: number }[] = []
  readonly #touched: SiteReplay[] = []

  constructor(options: ReplayOptions) {
    this.#options = options
    this.#times = options.times ?? new LocalTimes()
    this.#words = new LogWords(options.networks)
    this.#window = new LogWindow(options.rows)
  }

  add(line: LogLine): void {
    const { sinceMs, untilMs } = this.#options
    const { atMs, status } = line
    if ((sinceMs !== undefined && atMs < sinceMs) || (untilMs !== undefined && atMs >= untilMs)) {
      this.counters.outside++
      return
    }
    const host = this.#words.host(line)
    const site = this.#siteOf(host, status)
    if (site === undefined) {
      this.counters.outside++
      return
    }
    const client = this.#words.client(line)
    if (client === undefined) {
      this.counters.noAddress++
      return
    }
    const window = this.#window
    if (window.isFull) this.#makeRoom()
    const row = window.take()
    window.atMs[row] = atMs
    window.site[row] = site
    window.client[row] = client
    window.target[row] = this.#words.target(line)
    window.agent[row] = this.#words.agent(line)
    window.referrer[row] = this.#words.referrer(line)
    window.status[row] = status
    window.bytes[row] = line.bytes
    window.durationMs[row] = line.durationMs
    window.method[row] = methodCode(line)
    window.cookies[row] = line.hasCookies === undefined ? 0 : line.hasCookies ? 2 : 1
    this.#place(row, Math.floor(atMs / 1000))
  }

  /** Judges and accounts what is still in the window. */
  end(): void {
    // Nothing followed them: the log simply has so few lines.
    for (const { row, second } of this.#waiting.splice(0)) this.#insert(row, second)
    if (!Number.isNaN(this.#newest)) this.#advance(this.#newest + LATE_S + HELD_S + 1)
    for (const site of this.sites.values()) site.end()
  }

  #place(row: number, second: number): void {
    const isJump = !Number.isNaN(this.#newest) && second > this.#newest + JUMP_S
    if (isJump) {
      this.#waiting.push({ row, second })
      if (this.#waiting.length < MOST_WAITING) return
      for (const one of this.#waiting.splice(0).sort((a, b) => a.second - b.second))
        this.#insert(one.row, one.second)
      return
    }
    for (const one of this.#waiting.splice(0)) {
      this.counters.stray++
      this.#window.release(one.row)
    }
    this.#insert(row, second)
  }

  #insert(row: number, second: number): void {
    const window = this.#window
    this.counters.requests++
    if (Number.isNaN(this.#newest)) {
      this.#newest = second
      this.#judged = this.#accounted = second - 1 - LATE_S
    } else if (second > this.#newest) {
      this.#newest = second
      this.#advance(second)
    }
    if (second <= this.#judged) {
      this.counters.late++
      window.site[row]!.account(window, row, second)
      window.release(row)
      return
    }
    window.site[row]!.count(second, window.status[row]!, window.target[row]!.isAsset, window.durationMs[row]!)
    window.put(row, second)
    if (!(second <= this.#filled)) this.#filled = second
  }

  /** Judges up to LATE_S and accounts up to HELD_S behind the newest. */
  #advance(newest: number): void {
    this.#judgeUpTo(newest - LATE_S - 1)
    this.#accountUpTo(newest - LATE_S - HELD_S - 1)
  }

  #judgeUpTo(second: number): void {
    for (let s = this.#judged + 1; s <= Math.min(second, this.#filled); s++) {
      if (this.#window.first(s) === -1) continue
      this.#touch(s)
      for (const site of this.#touched) site.judge(s, this.#accounted)
    }
    if (second > this.#judged) this.#judged = second
  }

  #accountUpTo(second: number): void {
    const window = this.#window
    for (let s = this.#accounted + 1; s <= Math.min(second, this.#filled); s++) {
      if (window.first(s) === -1) continue
      this.#touch(s)
      for (let row = window.first(s); row !== -1; row = window.after(row))
        window.site[row]!.account(window, row, s)
      for (const site of this.#touched) site.endSecond(s)
      window.clear(s)
    }
    if (second > this.#accounted) this.#accounted = second
  }

  /** The sites that have requests in a second, each once. */
  #touch(second: number): void {
    this.#touched.length = 0
    let last: SiteReplay | undefined
    for (let row = this.#window.first(second); row !== -1; row = this.#window.after(row)) {
      const site = this.#window.site[row]!
      if (site === last) continue
      last = site
      if (!this.#touched.includes(site)) this.#touched.push(site)
    }
  }

  /** A flood with more requests in the window than it has rows: its oldest second goes early. */
  #makeRoom(): void {
    for (const { row } of this.#waiting.splice(0)) {
      this.counters.stray++
      this.#window.release(row)
    }
    while (this.#window.isFull) {
      this.counters.hurried++
      const second = this.#accounted + 1
      if (second > this.#judged) this.#judgeUpTo(second)
      this.#accountUpTo(second)
    }
  }

  #siteOf(host: string, status: number): SiteReplay | undefined {
    const { siteOf } = this.#options
    const name = siteOf === undefined ? host || NO_HOST : siteOf(host)
    if (name === undefined) return undefined
    const known = this.sites.get(name)
    if (known !== undefined) return known
    if (siteOf !== undefined) return this.sites.size < MOST_GIVEN_SITES ? this.#make(name) : undefined
    if (this.sites.size < EARLY_SITES) return this.#make(name)
    if (this.sites.size < MOST_SITES) {
      const good = (this.#candidates.get(name) ?? 0) + (status >= 200 && status < 400 ? 1 : 0)
      if (good >= EARNED) {
        this.#candidates.delete(name)
        return this.#make(name)
      }
      if (this.#candidates.has(name) || this.#candidates.size < 1024) this.#candidates.set(name, good)
    }
    const others = this.sites.get(OTHER_HOSTS)
    if (others === undefined) this.hostsLeftOut++
    return others ?? this.#make(OTHER_HOSTS)
  }

  #make(name: string): SiteReplay {
    const { capacity, random, learned, onCalm } = this.#options
    const site = new SiteReplay(name, {
      zoneOffsetMs: (atMs) => this.#times.offsetMs(atMs),
      capacity,
      onCalm,
      ...(random ? { random } : {}),
    })
    const before = learned?.(name)
    if (before !== undefined) site.recall(before, { client: (address) => this.#words.clientNamed(address) })
    this.sites.set(name, site)
    return site
  }
}
