/**
 * Who has his proof checked now: a bound on the CPU that checking takes, and a fair order before it.
 *
 * Problem: to send a proof that proves nothing costs its sender nothing, to find that out costs a hash. At full
 * rate junk would take the edge's thread, and visitors' proofs would wait behind it.
 *
 *   shape, challenge, price ──▶ offer ──▶ the order ──▶ next ──▶ paid | wrong-part | busy
 *   refused before any hash      full: busy     when there is CPU to spend
 *
 * The bound is a bucket of CPU milliseconds that fills with a fifth of the thread's time and holds ten of
 * them, so one turn of the event loop is never held up for longer than that and one proof. What
 * a check took is measured, not assumed: a proof of 255 good parts and one bad one, sent again for ever,
 * costs anything between one hash and 256.
 *
 * The order is admission's fair queue, network → prefix → subscriber, with every proof equal in it: what
 * a proof says of its effort is not known before it is checked. A proof is charged what it cost; a wrong one
 * what it claimed to be, so whoever sends junk that fails at once still falls behind.
 *
 * A proof that was good already is not checked again: whoever knows challenge and seed could as well show the
 * clearance. So a valid proof replayed for ever costs a look into a map.
 *
 * Rejected: an order of its own (least recently served prefix first): in a flood from cold prefixes
 * nearly everybody was never served, and admission's pool of fresh ones has solved that.
 */
import type { Entry, FairQueue, Payer } from '#admission'
import { BoundedMap } from '#kit'
import { NONCE_BYTES } from './proof.ts'
import { checkParts } from './puzzle.ts'

/** Of a thread's time. */
const CPU_SHARE = 0.2
const MOST_SAVED_MS = 10
/** Good proofs remembered, about 200 bytes each. */
const REMEMBERED = 4096
/** Beside its parts: parsing, queueing, answering. */
const PROOF_MS = 0.004
/** Until the first check has been measured. */
const FIRST_PART_MS = 0.001
/** Of a new measurement in the mean; the first one of a cold thread is many times too high. */
const SMOOTHING = 1 / 16

/** What is to be checked. */
export interface ProofWork {
  readonly mac: Uint8Array
  readonly seed: Uint8Array
  readonly nonces: Uint8Array
  readonly bits: number
}

export interface Waiting<T> {
  readonly item: T
  readonly work: ProofWork
}

/** A FairQueue, which the caller makes: rooms that decide do not make each other's things. */
export type ProofOrder<T> = Pick<
  FairQueue<Waiting<T>>,
  'size' | 'isFull' | 'enqueue' | 'dequeue' | 'charge' | 'evict' | 'expire'
>

export interface ProofDeskOptions<T> {
  /** With `maxWaiting` 1,024, `maxPerSubscriber` 4 and `maxWaitMs` 2,000, say. */
  readonly order: ProofOrder<T>
  /** Milliseconds of whatever origin, to measure what a check takes. */
  readonly clockMs: () => number
  /** True when nobody waits for the answer any more. */
  readonly isGone?: (item: T) => boolean
  readonly check?: typeof checkParts
  /** In [0, 1). */
  readonly random?: () => number
  readonly cpuShare?: number
  readonly count?: (counter: string, by?: number) => void
}

/** What became of a proof: the parts proved, or why none are. `busy`: send it again. */
export interface Judged<T> {
  readonly item: T
  readonly effort: number | 'wrong-part' | 'busy'
}

export class ProofDesk<T> {
  readonly #options: ProofDeskOptions<T>
  readonly #order: ProofOrder<T>
  readonly #check: typeof checkParts
  readonly #random: () => number
  readonly #cpuShare: number
  readonly #count: (counter: string, by?: number) => void
  /** Challenge and seed to the parts proved under them. */
  readonly #proved = new BoundedMap<string, number>(REMEMBERED)
  /** Evicted by somebody's offer, to be answered by `next`: never more than offers since it was called. */
  readonly #turnedAway: T[] = []
  #savedMs = MOST_SAVED_MS
  #filledMs = Number.NEGATIVE_INFINITY
  #partMs = FIRST_PART_MS

  constructor(options: ProofDeskOptions<T>) {
    this.#options = options
    this.#order = options.order
    this.#check = options.check ?? checkParts
    this.#random = options.random ?? Math.random
    this.#cpuShare = options.cpuShare ?? CPU_SHARE
    this.#count = options.count ?? (() => {})
  }

  get waiting(): number {
    return this.#order.size
  }

  /** What one part has taken to check, smoothed, ms. */
  get partMs(): number {
    return this.#partMs
  }

  /**
   * Takes a proof whose shape, challenge and price have been found good; `next` will give it back. False
   * when there is no room for it: busy.
   */
  offer(
    item: T,
    work: ProofWork,
    client: Pick<Payer, 'asn' | 'prefix' | 'subscriber'>,
    nowMs: number,
  ): boolean {
    const waiting: Waiting<T> = { item, work }
    const { asn, prefix, subscriber } = client
    const payer: Payer = { asn, prefix, subscriber, lane: 'unproven', effort: 0 }
    const isFull = this.#order.isFull
    if (this.#order.enqueue(waiting, payer, this.#claimedMs(work), nowMs) === undefined) {
      this.#count('proofTurnedAway')
      return false
    }
    if (!isFull) return true
    // The most over-share one goes, which may be this one.
    const victim = this.#order.evict()!.item
    this.#count('proofTurnedAway')
    if (victim === waiting) return false
    this.#turnedAway.push(victim.item)
    return true
  }

  /** The next proof that something became of; undefined when none waits or no CPU is left for now. */
  next(nowMs: number): Judged<T> | undefined {
    const turnedAway = this.#turnedAway.pop()
    if (turnedAway !== undefined) return { item: turnedAway, effort: 'busy' }
    const expired = this.#order.expire(nowMs)
    if (expired !== undefined) {
      this.#count('proofTurnedAway')
      return { item: expired.item.item, effort: 'busy' }
    }
    this.#fill(nowMs)
    while (this.#savedMs > 0) {
      const entry = this.#order.dequeue()
      if (entry === undefined) return undefined
      const { item } = entry.item
      if (this.#options.isGone?.(item)) {
        this.#order.charge(entry, 0)
        continue
      }
      return { item, effort: this.#judge(entry) }
    }
    if (this.#order.size > 0) this.#count('proofCpuSpent')
    return undefined
  }

  /** Milliseconds until `next` is worth calling again; Infinity while nobody waits. */
  dueMs(nowMs: number): number {
    if (this.#turnedAway.length > 0) return 0
    if (this.#order.size === 0) return Number.POSITIVE_INFINITY
    this.#fill(nowMs)
    return this.#savedMs > 0 ? 0 : -this.#savedMs / this.#cpuShare + 1
  }

  #judge(entry: Entry<Waiting<T>>): number | 'wrong-part' {
    const { work } = entry.item
    const parts = work.nonces.length / NONCE_BYTES
    const name = Buffer.concat([work.mac, work.seed]).toString('latin1')
    const proved = this.#proved.get(name) ?? 0
    if (proved >= parts) {
      this.#savedMs -= PROOF_MS
      this.#order.charge(entry, PROOF_MS)
      return proved
    }
    const startedMs = this.#options.clockMs()
    const first = Math.floor(this.#random() * parts)
    const effort = this.#check(work.mac, work.seed, work.nonces, work.bits, first)
    const tookMs = Math.max(0, this.#options.clockMs() - startedMs)
    this.#savedMs -= tookMs + PROOF_MS
    if (effort === 'wrong-part') {
      this.#count('proofWrong')
      this.#order.charge(entry, Math.max(tookMs, this.#claimedMs(work)))
      return effort
    }
    this.#partMs += (tookMs / parts - this.#partMs) * SMOOTHING
    this.#proved.set(name, parts)
    this.#count('proofGood')
    this.#order.charge(entry, tookMs + PROOF_MS)
    return effort
  }

  #claimedMs(work: ProofWork): number {
    return (work.nonces.length / NONCE_BYTES) * this.#partMs + PROOF_MS
  }

  #fill(nowMs: number): void {
    const elapsedMs = nowMs - this.#filledMs
    if (elapsedMs <= 0) return
    this.#filledMs = nowMs
    this.#savedMs = Math.min(MOST_SAVED_MS, this.#savedMs + elapsedMs * this.#cpuShare)
  }
}
