/**
 * Who gets a whole page while the site is flooded: one budget of bytes per thread.
 *
 * Problem. A page that explains, asks for effort and counts down is 7 kB compressed and 20 kB plain. Sent
 * to every request of a flood of 4,000 a second it is 640 Mb/s: the shield becomes the amplifier. Sent to
 * whoever comes first it never reaches a person. So there is a *moment page* of some 450 bytes for those
 * who are refused here; its refresh brings back a ticket, which most bots do not follow.
 *
 *   budget      refills with max(256 kB, 250 B × mitigated requests) per second, holds two seconds of it
 *   strangers   without a ticket: max(64 kB, 40 B × mitigated requests) per second of that
 *
 * so a flood that does not come back costs at most 450 + 40 bytes per request however large it is, and
 * strangers, were they given half of everything, would cost 450 + 125. Measured in the model (bytes per
 * request): page-budget.test.ts.
 *
 * Fair by network (ASN, or prefix where that is unknown). Each has a decayed sum of the bytes it had, over
 * four seconds or so, and a share: its weight of the budget. While the bucket is more than half full
 * nobody asks for shares (what visitors do not use, bots may have); below that only those within their
 * share, and networks that had nothing lately, get a page; below a quarter only those within their share.
 * So there is always a reserve for the networks that calm weather knows, whatever the others want.
 * Shares are absolute, not relative to who asks now: else a flood that is alone for a moment would
 * be within its share with everything, and the reserve gone when a visitor comes.
 *
 * A subscriber gets a page every second or two, with its ticket, and one in half a minute to a minute without; an
 * address behind which calm weather knew many people, or from which somebody paid of late, more: ten
 * people behind a carrier's address come all at once, and three of them had a page in six seconds.
 */
import { CountMin, type HashKey, hash32, randomHashKey } from '#kit'

export interface PageAsker {
  readonly asn: number
  readonly prefix: string
  readonly subscriber: string
  /** Share of its network in calm weather (0 to 1) plus what every network gets. */
  readonly weight: number
  /** Share of the subscriber itself in calm weather; 0 or absent when not known. */
  readonly subscriberShare?: number
}

export interface PageBudgetOptions {
  readonly key?: HashKey
  /** Counts refusals: `page-subscriber`, `page-network`, `page-strangers`, `page-budget`; and `page-given`. */
  readonly count?: (counter: string, by?: number) => void
}

const BURST_S = 2
const ALL: Refill = { leastPerS: 256_000, perMitigated: 250 }
const STRANGERS: Refill = { leastPerS: 64_000, perMitigated: 40 }
const EASY = 1 / 2
const SHORT = 1 / 4

const SLOTS = 1024
const DECAY_S = 4
/** A network that had less than this part of a page lately had nothing. */
const NOTHING = 1 / 10

/** Two windows of six seconds: six pages in them are one in a second or two. */
const RETURNING = { windowMs: 6000, pages: 6, width: 8192 } as const
const STRANGER = { windowMs: 30_000, pages: 1, width: 4096 } as const
/** A hundredth of the site's calm-weather use behind one address is worth four pages more. */
const PAGES_PER_SHARE = 400
const MOST_EXTRA_PAGES = 20

export class PageBudget {
  readonly #key: HashKey
  readonly #count: (counter: string, by?: number) => void
  readonly #all: Bucket
  readonly #strangers: Bucket
  readonly #returningPages: CountMin
  readonly #strangerPages: CountMin
  readonly #rate = new Rate()

  constructor(options: PageBudgetOptions = {}) {
    this.#key = options.key ?? randomHashKey()
    this.#count = options.count ?? (() => {})
    this.#all = new Bucket(ALL)
    this.#strangers = new Bucket(STRANGERS)
    const key = { k0: this.#key.k0, k1: this.#key.k1 ^ 0x70 }
    this.#returningPages = new CountMin({ ...RETURNING, key })
    this.#strangerPages = new CountMin({ ...STRANGER, key })
  }

  /** A request was not let in, whatever it gets. */
  mitigated(nowMs: number): void {
    this.#rate.add(nowMs)
  }

  /** Whether this one may have a page of `bytes`; if so it is charged. `hasTicket`: it came back with one. */
  mayHavePage(asker: PageAsker, bytes: number, hasTicket: boolean, nowMs: number): boolean {
    const refusal = this.#refusal(asker, bytes, hasTicket, nowMs)
    this.#count(refusal ?? 'page-given')
    return refusal === undefined
  }

  #refusal(asker: PageAsker, bytes: number, hasTicket: boolean, nowMs: number): string | undefined {
    const { subscriber, asn, prefix, weight } = asker
    const pages = hasTicket ? this.#returningPages : this.#strangerPages
    const extra = Math.min(MOST_EXTRA_PAGES, Math.floor((asker.subscriberShare ?? 0) * PAGES_PER_SHARE))
    const most = (hasTicket ? RETURNING.pages : STRANGER.pages) + extra
    if (pages.estimate(subscriber, nowMs) >= most) return 'page-subscriber'
    const perSecond = this.#rate.perSecond(nowMs)
    this.#all.refill(perSecond, nowMs)
    this.#strangers.refill(perSecond, nowMs)
    const slot = hash32(asn > 0 ? `AS${asn}` : prefix, this.#key) & (SLOTS - 1)
    if (hasTicket) {
      const refused = this.#all.refuses(slot, weight, bytes)
      if (refused !== undefined) return refused === 'empty' ? 'page-budget' : 'page-network'
    } else {
      const refused = this.#strangers.refuses(slot, weight, bytes)
      if (refused !== undefined) return refused === 'empty' ? 'page-strangers' : 'page-network'
      // The lower half is for those who came back.
      if (this.#all.fullness < EASY) return 'page-strangers'
      this.#strangers.take(slot, weight, bytes)
    }
    if (hasTicket) this.#all.take(slot, weight, bytes)
    else this.#all.drain(bytes)
    pages.add(subscriber, 1, nowMs)
    return undefined
  }
}

interface Refill {
  /** Bytes per second, and per mitigated request, whichever is more. */
  readonly leastPerS: number
  readonly perMitigated: number
}

/** A token bucket of bytes with the sums of what each network had of it. */
class Bucket {
  readonly #shape: Refill
  #perSecond: number
  #level: number
  #refilledAtMs = Number.NaN
  /** Bytes by network, shrunk once a second. */
  readonly #used = new Float64Array(SLOTS)
  readonly #weights = new Float64Array(SLOTS)
  #shrunkAtMs = Number.NaN
  #activeWeight = 0

  constructor(shape: Refill) {
    this.#shape = shape
    this.#perSecond = shape.leastPerS
    this.#level = shape.leastPerS * BURST_S
  }

  /** 0 when empty, 1 when full. */
  get fullness(): number {
    return this.#level / (this.#perSecond * BURST_S)
  }

  refill(mitigatedPerSecond: number, nowMs: number): void {
    if (Number.isNaN(this.#refilledAtMs)) this.#refilledAtMs = this.#shrunkAtMs = nowMs
    const sinceS = Math.max(0, nowMs - this.#refilledAtMs) / 1000
    this.#refilledAtMs = Math.max(nowMs, this.#refilledAtMs)
    const { leastPerS, perMitigated } = this.#shape
    this.#perSecond = Math.max(leastPerS, perMitigated * mitigatedPerSecond)
    this.#level = Math.min(this.#perSecond * BURST_S, this.#level + this.#perSecond * sinceS)
    const shrunkS = (nowMs - this.#shrunkAtMs) / 1000
    if (shrunkS >= 1) this.#shrink(shrunkS, nowMs)
  }

  refuses(slot: number, weight: number, bytes: number): 'empty' | 'over-share' | undefined {
    if (this.#level < bytes) return 'empty'
    const { fullness } = this
    if (fullness >= EASY) return undefined
    const used = this.#used[slot]!
    if (fullness >= SHORT && used < bytes * NOTHING) return undefined
    const others = this.#activeWeight - this.#weights[slot]!
    const share = weight / Math.max(1, others + weight)
    return used + bytes > this.#perSecond * DECAY_S * share ? 'over-share' : undefined
  }

  take(slot: number, weight: number, bytes: number): void {
    this.drain(bytes)
    this.#used[slot]! += bytes
    this.#activeWeight += weight - this.#weights[slot]!
    this.#weights[slot] = weight
  }

  drain(bytes: number): void {
    this.#level = Math.max(0, this.#level - bytes)
  }

  /** Once a second: all sums shrink, and whoever had nothing lately no longer counts among those who ask. */
  #shrink(sinceS: number, nowMs: number): void {
    const factor = Math.exp(-sinceS / DECAY_S)
    this.#shrunkAtMs = nowMs
    this.#activeWeight = 0
    for (let slot = 0; slot < SLOTS; slot++) {
      const left = this.#used[slot]! * factor
      this.#used[slot] = left < 1 ? 0 : left
      if (left < 1) this.#weights[slot] = 0
      this.#activeWeight += this.#weights[slot]!
    }
  }
}

/** Events per second, halving what it knew every second. */
class Rate {
  #events = 0
  #sinceMs = Number.NaN
  #perSecond = 0

  add(nowMs: number): void {
    this.perSecond(nowMs)
    this.#events++
  }

  perSecond(nowMs: number): number {
    if (Number.isNaN(this.#sinceMs)) this.#sinceMs = nowMs
    const forMs = nowMs - this.#sinceMs
    if (forMs >= 1000) {
      this.#perSecond += (this.#events / (forMs / 1000) - this.#perSecond) * (1 - 0.5 ** (forMs / 1000))
      this.#events = 0
      this.#sinceMs = nowMs
    }
    return this.#perSecond
  }
}
