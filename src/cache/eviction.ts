/**
 * Which stored responses stay when there is room for so many bytes.
 *
 * Problem: in a flood every address asks for things nobody asks for twice. A least-recently-used list
 * lets them push out the home page. So: W-TinyLFU (Einziger, Friedman, Manes 2017), as in Caffeine.
 *
 *   new → window 1 % ──oldest──▶ contest ─won─▶ probation ──used──▶ protected, up to 80 % of the rest
 *                                   │               ▲                    │
 *                                 lost: out         └────── oldest ──────┘
 *
 * The window takes whatever comes, so that something suddenly wanted has time to show it. Who leaves it,
 * when the rest is full, meets those who would have to go for it: the oldest on probation, then the
 * oldest protected. Sizes differ by a thousand, so one is weighed against all that it displaces
 * ("aggregated victims", Einziger, Eytan, Friedman, Manes: "Lightweight Robust Size Aware Cache
 * Management", 2021): it stays only if it was asked for more often than all of them together. A large
 * file does not push out a hundred small pages that somebody reads.
 *
 * Rejected: plain LRU (the test beside this file: 100,000 keys asked for once leave nothing of the
 * fifty hottest pages, and on a Zipf trace it hits less); a window that adapts itself by hill climbing (an
 * attacker's requests would steer it).
 */
import { assert, type HashKey, randomHashKey } from '#kit'
import { Frequency } from './frequency.ts'

const WINDOW_SHARE = 0.01
const PROTECTED_SHARE = 0.8
/** For the sketch's width only. */
const USUAL_BYTES = 4096
const MOST_NAMES = 2 ** 20
/** One contest looks at no more; whoever needs the place of more is not kept. */
const MOST_VICTIMS = 4096

const WINDOW = 0
const PROBATION = 1
const PROTECTED = 2
type Segment = typeof WINDOW | typeof PROBATION | typeof PROTECTED

/** An entry of a list, or the list itself: a ring closed by its own head. */
interface Link {
  newer: Link
  older: Link
}

interface Entry extends Link {
  readonly id: string
  readonly hash: number
  bytes: number
  segment: Segment
}

class List {
  readonly ring: Link
  bytes = 0

  constructor() {
    const ring = {} as Link
    ring.newer = ring
    ring.older = ring
    this.ring = ring
  }

  /** The oldest; undefined when empty. */
  get oldest(): Entry | undefined {
    return this.before(this.ring)
  }

  /** The next newer than `link`; undefined at the newest. */
  before(link: Link): Entry | undefined {
    return link.newer === this.ring ? undefined : (link.newer as Entry)
  }

  push(entry: Entry): void {
    const ring = this.ring
    entry.older = ring.older
    entry.newer = ring
    ring.older.newer = entry
    ring.older = entry
    this.bytes += entry.bytes
  }

  remove(entry: Entry): void {
    entry.older.newer = entry.newer
    entry.newer.older = entry.older
    this.bytes -= entry.bytes
  }
}

export interface Added {
  /** False: it is not kept, and what was kept under its id before is not kept any more either. */
  readonly admitted: boolean
  /** Others that had to go. */
  readonly evicted: readonly string[]
}

export class Eviction {
  readonly maxBytes: number
  readonly #windowBytes: number
  readonly #mainBytes: number
  readonly #protectedBytes: number
  readonly #frequency: Frequency
  readonly #entries = new Map<string, Entry>()
  readonly #lists: readonly [List, List, List] = [new List(), new List(), new List()]

  /** `key` is for tests; by default nobody knows it. `names`: how many are kept at once, if not pages. */
  constructor(maxBytes: number, options: { readonly key?: HashKey; readonly names?: number } = {}) {
    this.maxBytes = maxBytes
    this.#windowBytes = Math.floor(maxBytes * WINDOW_SHARE)
    this.#mainBytes = maxBytes - this.#windowBytes
    this.#protectedBytes = Math.floor(this.#mainBytes * PROTECTED_SHARE)
    const names = options.names ?? Math.min(MOST_NAMES, maxBytes / USUAL_BYTES)
    this.#frequency = new Frequency(names, options.key ?? randomHashKey())
  }

  /** Bytes of all that is kept: never above `maxBytes`. */
  get bytes(): number {
    return this.#lists[WINDOW].bytes + this.#mainUsed()
  }

  get size(): number {
    return this.#entries.size
  }

  has(id: string): boolean {
    return this.#entries.has(id)
  }

  /** Something new, or the same with another size. Counts as a use. */
  add(id: string, bytes: number): Added {
    assert(bytes > 0 && Number.isFinite(bytes), 'a stored response has a size')
    const kept = this.#entries.get(id)
    const hash = kept?.hash ?? this.#frequency.hash(id)
    this.#frequency.add(hash)
    const evicted: string[] = []
    if (kept !== undefined) {
      const list = this.#lists[kept.segment]
      const room =
        kept.segment === WINDOW ? this.#windowBytes - list.bytes : this.#mainBytes - this.#mainUsed()
      if (bytes - kept.bytes <= room) {
        list.bytes += bytes - kept.bytes
        kept.bytes = bytes
        this.#touch(kept)
        return { admitted: true, evicted }
      }
      this.remove(id)
    }
    const entry = { id, hash, bytes, segment: WINDOW } as Entry
    const window = this.#lists[WINDOW]
    // What is larger than the window would only empty it on its way through.
    if (bytes > this.#windowBytes) {
      if (!this.#contest(entry, evicted)) return { admitted: false, evicted }
      this.#entries.set(id, entry)
      return { admitted: true, evicted }
    }
    window.push(entry)
    this.#entries.set(id, entry)
    while (window.bytes > this.#windowBytes) {
      const candidate = window.oldest!
      window.remove(candidate)
      if (this.#contest(candidate, evicted)) continue
      this.#entries.delete(candidate.id)
      evicted.push(candidate.id)
    }
    return { admitted: true, evicted }
  }

  /** Asked for again; what is not kept is counted too, and has it easier to come back. */
  used(id: string, times = 1): void {
    const entry = this.#entries.get(id)
    this.#frequency.add(entry?.hash ?? this.#frequency.hash(id), times)
    if (entry !== undefined) this.#touch(entry)
  }

  remove(id: string): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    this.#entries.delete(id)
    this.#lists[entry.segment].remove(entry)
  }

  #mainUsed(): number {
    return this.#lists[PROBATION].bytes + this.#lists[PROTECTED].bytes
  }

  #touch(entry: Entry): void {
    this.#lists[entry.segment].remove(entry)
    if (entry.segment === PROBATION && entry.bytes <= this.#protectedBytes) entry.segment = PROTECTED
    this.#lists[entry.segment].push(entry)
    const safe = this.#lists[PROTECTED]
    while (safe.bytes > this.#protectedBytes) {
      const demoted = safe.oldest!
      safe.remove(demoted)
      demoted.segment = PROBATION
      this.#lists[PROBATION].push(demoted)
    }
  }

  /** Puts the candidate on probation if there is room, or if it is worth more than those in its place. */
  #contest(candidate: Entry, evicted: string[]): boolean {
    if (candidate.bytes > this.#mainBytes) return false
    const probation = this.#lists[PROBATION]
    let missing = this.#mainUsed() + candidate.bytes - this.#mainBytes
    if (missing > 0) {
      const worth = this.#frequency.of(candidate.hash)
      const victims: Entry[] = []
      let theirs = 0
      let list = probation
      let victim = list.oldest
      while (missing > 0) {
        if (victim === undefined) {
          // Together they hold what is missing, so the second list cannot end before.
          list = this.#lists[PROTECTED]
          victim = list.oldest!
        }
        theirs += this.#frequency.of(victim.hash)
        // A draw goes to who is there: else a flood of names asked for once would turn everything over.
        if (theirs >= worth || victims.length === MOST_VICTIMS) return false
        victims.push(victim)
        missing -= victim.bytes
        victim = list.before(victim)
      }
      for (const { id } of victims) {
        this.remove(id)
        evicted.push(id)
      }
    }
    candidate.segment = PROBATION
    probation.push(candidate)
    return true
  }
}
