/**
 * Which pages could have been stored, as far as a log tells: asked for often, by many, and the same each time.
 *
 * A log shows neither Cache-Control nor Set-Cookie, and hardly ever whether a request had cookies. So this is a list
 * of candidates: GET without a query, answered with 200 or 304, of like size. `digue cache check` asks the site itself.
 */
import type { LogClient, LogTarget } from './log-words.ts'

export interface PageFigures {
  readonly path: string
  readonly requests: number
  /** Answered with 200 or 304. */
  readonly goodShare: number
  /** Distinct clients, at most about 250 can be told apart. */
  readonly clients: number
  /** Share of the 200s with the size of the one before. */
  readonly alikeShare: number
  /** Undefined when the log does not say. */
  readonly withCookiesShare: number | undefined
}

interface Page {
  requests: number
  good: number
  full: number
  alike: number
  bytes: number
  withCookies: number
  cookiesKnown: number
  /** Linear counting (Whang et al. 1990) in 64 bits. */
  seenLow: number
  seenHigh: number
}

const CAPACITY = 4096
const LEAST_REQUESTS = 20
const LEAST_CLIENTS = 10
const LEAST_GOOD = 0.95

export class StoredPages {
  #pages = new Map<string, Page>()

  add(target: LogTarget, status: number, bytes: number, client: LogClient, cookies: number): void {
    let page = this.#pages.get(target.path)
    if (page === undefined) {
      if (this.#pages.size >= 2 * CAPACITY) this.#halve()
      page = {
        requests: 0,
        good: 0,
        full: 0,
        alike: 0,
        bytes: -1,
        withCookies: 0,
        cookiesKnown: 0,
        seenLow: 0,
        seenHigh: 0,
      }
      this.#pages.set(target.path, page)
    }
    page.requests++
    const bit = client.hash & 63
    if (bit < 32) page.seenLow |= 1 << bit
    else page.seenHigh |= 1 << (bit - 32)
    if (cookies > 0) page.cookiesKnown++
    if (cookies === 2) page.withCookies++
    if (status === 200) {
      page.good++
      page.full++
      if (page.bytes === bytes) page.alike++
      page.bytes = bytes
    } else if (status === 304) page.good++
  }

  /** The most asked for first. */
  candidates(count: number): PageFigures[] {
    const found: PageFigures[] = []
    for (const [path, page] of this.#pages) {
      if (page.requests < LEAST_REQUESTS || page.good < LEAST_GOOD * page.requests) continue
      const clients = distinct(page)
      if (clients < LEAST_CLIENTS) continue
      found.push({
        path,
        requests: page.requests,
        goodShare: page.good / page.requests,
        clients,
        alikeShare: page.full < 2 ? 1 : page.alike / (page.full - 1),
        withCookiesShare: page.cookiesKnown === 0 ? undefined : page.withCookies / page.cookiesKnown,
      })
    }
    return found.sort((a, b) => b.requests - a.requests).slice(0, count)
  }

  /** Whether a path is one of the candidates so far; for counting what the store would have answered. */
  isCandidate(path: string): boolean {
    const page = this.#pages.get(path)
    return (
      page !== undefined &&
      page.requests >= LEAST_REQUESTS &&
      page.good >= LEAST_GOOD * page.requests &&
      distinct(page) >= LEAST_CLIENTS
    )
  }

  #halve(): void {
    const kept = [...this.#pages].sort((a, b) => b[1].requests - a[1].requests).slice(0, CAPACITY)
    this.#pages = new Map(kept)
  }
}

function distinct({ seenLow, seenHigh }: Page): number {
  const zeros = 64 - ones(seenLow) - ones(seenHigh)
  return Math.round(64 * Math.log(64 / Math.max(1, zeros)))
}

function ones(word: number): number {
  let count = 0
  for (let rest = word; rest !== 0; rest &= rest - 1) count++
  return count
}
