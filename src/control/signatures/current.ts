/**
 * Who is here now: the edges' samples of the last five seconds, one request for each client.
 *
 * A client with twenty requests would show twenty paths, one in the calm baseline only the one that was
 * drawn: compared with each other, all that pages do now and then would stand out. So both sides keep one
 * request per client, each of its requests as likely as another. Bounded by a share for each tick: what
 * comes beyond it takes the place of another sample of the tick with the probability it should have.
 */
import type { Traits } from '#recognise'
import type { TraitSample } from '../policy.ts'

export const WINDOW_MS = 5000
const TICK_MS = 250
/** Some 5,000 clients in 5 s, however many threads. */
export const SAMPLES_PER_TICK = 512
/** Texts held for comparing, for each sample of a tick; beyond this they are gathered anew. */
const MOST_TEXTS = 128

/** One client as it is now. */
export interface CurrentClient {
  readonly asn: number
  readonly prefix: string
  readonly subscriber: string
  readonly traits: Traits
  /** It has shown effort or history: a visitor, as far as one can tell. */
  readonly isProven: boolean
}

interface Tick {
  readonly number: number
  readonly samples: TraitSample[]
  seen: number
}

export class CurrentWindow {
  readonly #random: () => number
  #ticks: Tick[] = []
  /** Each text once: what is compared with it again and again is then the same object, and need not be read. */
  #interned = new Map<string, string>()
  /** Samples that found no room. */
  lost = 0

  readonly #perTick: number

  constructor(random: () => number = Math.random, samplesPerTick = SAMPLES_PER_TICK) {
    this.#random = random
    this.#perTick = samplesPerTick
  }

  add(samples: readonly TraitSample[], nowMs: number): void {
    const number = Math.floor(nowMs / TICK_MS)
    let tick = this.#ticks.at(-1)
    if (tick === undefined || tick.number !== number) {
      tick = { number, samples: [], seen: 0 }
      this.#ticks.push(tick)
      this.#forget(number)
    }
    for (const sample of samples) {
      // Whom the operator lets in no signature touches.
      if (sample.lane === 'operator') continue
      tick.seen++
      if (tick.samples.length < this.#perTick) tick.samples.push(this.#intern(sample))
      else {
        this.lost++
        const at = Math.floor(this.#random() * tick.seen)
        if (at < this.#perTick) tick.samples[at] = this.#intern(sample)
      }
    }
  }

  /** The distinct clients of the last five seconds. */
  clients(nowMs: number): CurrentClient[] {
    this.#forget(Math.floor(nowMs / TICK_MS))
    const seen = new Map<string, { chosen: TraitSample; requests: number; isProven: boolean }>()
    for (const { samples } of this.#ticks)
      for (const sample of samples) {
        const isProven = sample.lane === 'known' || sample.lane === 'paid'
        const client = seen.get(sample.subscriber)
        if (client === undefined) seen.set(sample.subscriber, { chosen: sample, requests: 1, isProven })
        else {
          client.requests++
          if (this.#random() * client.requests < 1) client.chosen = sample
          client.isProven ||= isProven
        }
      }
    return Array.from(seen.values(), ({ chosen: { asn, prefix, subscriber, traits }, isProven }) => ({
      asn,
      prefix,
      subscriber,
      traits,
      isProven,
    }))
  }

  #intern(sample: TraitSample): TraitSample {
    if (this.#interned.size > MOST_TEXTS * this.#perTick) this.#interned = new Map()
    const textOf = (text: string): string => {
      const known = this.#interned.get(text)
      if (known === undefined) this.#interned.set(text, text)
      return known ?? text
    }
    return { ...sample, subscriber: textOf(sample.subscriber), traits: sample.traits.map(textOf) }
  }

  #forget(number: number): void {
    const first = number - WINDOW_MS / TICK_MS
    // A clock that was set back leaves ticks of the future behind: they go too.
    if (this.#ticks.some((tick) => tick.number <= first || tick.number > number))
      this.#ticks = this.#ticks.filter((tick) => tick.number > first && tick.number <= number)
  }
}
