/** A made-up site with its baseline and its book, and what comes to it, second by second. */
import { SignatureMatcher } from '#recognise'
import type { TraitSample } from '../policy.ts'
import { SignatureBook } from './signature-book.ts'
import { TraitBaseline } from './trait-baseline.ts'
import { type Random, seeded, type Visitor, visit, visitor } from './visitors.fixture.ts'

export const HOUR_MS = 3_600_000
const key = { k0: 1, k1: 2 }

export class Weather {
  readonly random: Random
  readonly baseline: TraitBaseline
  readonly book: SignatureBook
  nowMs: number
  #visitors = 0
  /** Who is here now: visitors stay for some pages. */
  here: Visitor[] = []

  constructor(seed: number, startMs = 1_800_000_000_000) {
    this.random = seeded(seed)
    this.baseline = new TraitBaseline({ key, random: this.random })
    this.book = new SignatureBook(this.baseline, this.random)
    this.nowMs = startMs
  }

  /** Calm hours of so many visitors each. */
  calm(hours: number, perHour: number, also: (hour: number) => TraitSample[] = () => []): void {
    for (let hour = 0; hour < hours; hour++) {
      const samples = Array.from({ length: perHour }, () => this.visitor()).flatMap((one) => [
        visit(one, this.random),
        visit(one, this.random),
      ])
      for (const sample of [...samples, ...also(hour)])
        if (sample.lane !== 'operator') this.baseline.add(sample, this.nowMs)
      this.nowMs += HOUR_MS
    }
  }

  visitor(): Visitor {
    return visitor(String(this.#visitors++), this.random)
  }

  /** A quarter of a second: visitors' requests, and what else comes. Returns who is under a signature. */
  tick(options: {
    readonly perSecond: number
    readonly others?: readonly TraitSample[]
    readonly strained?: boolean
    readonly page?: string
    readonly make?: (visitor: Visitor, random: Random) => TraitSample
  }): {
    readonly visitors: number
    readonly touched: number
    readonly bots: number
    readonly caught: number
  } {
    const { perSecond, others = [], strained = true, page } = options
    const make = options.make ?? ((one, random) => visit(one, random, page))
    while (this.here.length < perSecond * 3) this.here.push(this.visitor())
    const samples: TraitSample[] = []
    for (let i = 0; i < perSecond / 4; i++) {
      const at = Math.floor(this.random() * this.here.length)
      samples.push(make(this.here[at]!, this.random))
      if (this.random() < 0.1) this.here[at] = this.visitor()
    }
    const matcher = new SignatureMatcher(this.book.published)
    const marked = (list: readonly TraitSample[]) =>
      list.filter(({ traits }) => matcher.match(traits) !== undefined).length
    const figures = {
      visitors: samples.length,
      touched: marked(samples),
      bots: others.length,
      caught: marked(others),
    }
    this.book.take([...samples, ...others], this.nowMs)
    this.book.tick(this.nowMs, strained)
    this.nowMs += 250
    return figures
  }
}
