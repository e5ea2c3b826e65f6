/**
 * Which entries stand in the kernel's sets, and until when.
 *
 * The kernel forgets each by itself; the ledger says what is there without asking it (a listing of
 * 65,000 entries takes nft half a second), folds what comes twice, holds the cap, and can fill the sets
 * anew when somebody flushed them. An entry that is there keeps its end: who is silenced is not heard,
 * so nothing new can have been learned of him.
 */
import type { Entry } from './entry.ts'

export interface Standing extends Entry {
  readonly endsAtMs: number
}

/** The kernel counts down from when the batch arrives, which is a little later than when it was written down. */
const SLACK_MS = 1000

export class Ledger {
  readonly capacity: number
  readonly #entries = new Map<string, Standing>()
  #ofVersion = { 4: 0, 6: 0 }

  constructor(capacity: number) {
    this.capacity = capacity
  }

  get size(): number {
    return this.#entries.size
  }

  count(version: 4 | 6): number {
    return this.#ofVersion[version]
  }

  add(entry: Entry, options: { nowMs: number; forMs: number }): 'added' | 'known' | 'full' {
    const standing = this.#entries.get(entry.text)
    if (standing !== undefined && standing.endsAtMs + SLACK_MS > options.nowMs) return 'known'
    if (standing === undefined) {
      if (this.#entries.size >= this.capacity) return 'full'
      this.#ofVersion[entry.version]++
    }
    this.#entries.set(entry.text, { ...entry, endsAtMs: options.nowMs + options.forMs })
    return 'added'
  }

  remove(text: string): boolean {
    const standing = this.#entries.get(text)
    if (standing === undefined) return false
    this.#entries.delete(text)
    this.#ofVersion[standing.version]--
    return true
  }

  /** Forgets those that have ended. */
  sweep(nowMs: number): void {
    for (const { text, endsAtMs } of this.#entries.values())
      if (endsAtMs + SLACK_MS <= nowMs) this.remove(text)
  }

  clear(): void {
    this.#entries.clear()
    this.#ofVersion = { 4: 0, 6: 0 }
  }

  standing(): IterableIterator<Standing> {
    return this.#entries.values()
  }
}
