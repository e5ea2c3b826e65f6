/**
 * A solver farm: machines that really pay, with native code, and lend what they bought to thousands of
 * addresses.
 *
 *   work     cores / msPerPart parts come in per millisecond, at most MOST_SAVED_MS of them saved
 *   bid      the price, or as much more as still buys enough clearances for all requests
 *   spend    every request of every address carries the next clearance of the pool
 *
 * The parts are solved at the bench's difficulty and paid for, in the farm's work, at the real one. A
 * farm does not wait while it is poor: requests without a clearance are sent like any flood's, since
 * they keep the site in overload, and overload is what makes others pay.
 */
import type { Behaviour, Circumstances, Message } from './behaviours.ts'
import { type Offer, readChallenge, readProofAnswer } from './offer.ts'
import type { FarmPlan } from './plan.ts'
import { CHALLENGE_TARGET, MOST_PARTS, Proof } from './puzzle.ts'

/** Pages that a clearance is good for, about. */
const PAGES_PER_CLEARANCE = 32
/** Clearances held at most. */
const MOST_HELD = 1024
/** Work that a farm has in hand when the flood begins, and saves while it has nothing to buy. */
const MOST_SAVED_MS = 5000
/** A challenge is good for two epochs at least; prices change sooner. */
const CHALLENGE_MS = 20_000
const PATIENCE_MS = 5000
/**
 * Refusals in a row after which a clearance counts as spent: soon when it has brought about what it is good
 * for, late when it was perhaps only outbid.
 */
const MOST_REFUSALS = { used: 4, unused: 16 }

interface Clearance {
  readonly cookie: string
  pages: number
  refusals: number
}

type Terms = Omit<Offer, 'price'> & { price: number; readonly untilMs: number }

/** A proof whose answer asked for more. */
interface Unfinished {
  readonly proof: Proof
  readonly price: number
}

export class Farm implements Behaviour {
  readonly readsBodies = true
  readonly #plan: FarmPlan
  readonly #at: Circumstances
  readonly #partsPerMs: number
  /** Clearances wanted at any time. */
  readonly #stock: number
  #work: number
  #workAtMs = Number.NaN
  #terms: Terms | undefined
  #nextAskMs = 0
  #unfinished: Unfinished[] = []
  #pending = 0
  #pool: Clearance[] = []
  #turn = 0
  #counts = { parts: 0, proofs: 0, clearances: 0, raised: 0, faults: 0, busy: 0, spent: 0, paidPages: 0 }

  constructor(plan: FarmPlan, at: Circumstances) {
    this.#plan = plan
    this.#at = at
    this.#partsPerMs = plan.cores / plan.msPerPart
    this.#work = this.#partsPerMs * MOST_SAVED_MS
    // Who bids to raise the price buys whatever the work is worth, needed or not.
    this.#stock = plan.bid
      ? MOST_HELD
      : plan.sharedBy
        ? Math.max(1, Math.round(at.sources.length / plan.sharedBy))
        : Math.ceil((2 * at.perSecond) / PAGES_PER_CLEARANCE)
  }

  message(source: number, nowMs: number): Message {
    this.#earn(nowMs)
    const terms = this.#terms
    if ((!terms || nowMs > terms.untilMs) && nowMs >= this.#nextAskMs) {
      this.#nextAskMs = nowMs + PATIENCE_MS
      return { target: CHALLENGE_TARGET, isFetch: true, about: 'challenge' }
    }
    const proof = terms && this.#proof(terms)
    if (proof) {
      this.#counts.proofs++
      this.#pending++
      return { target: proof.target(), isFetch: true, about: proof }
    }
    const clearance = this.#clearance(source)
    return clearance
      ? { target: this.#at.page(), cookie: clearance.cookie, about: clearance }
      : { target: this.#at.page() }
  }

  answered(_source: number, message: Message, status: number, head: string, body: string): void {
    const { about } = message
    if (about === undefined) return
    if (about === 'challenge') {
      const offer = readChallenge(status, body)
      if (offer) this.#terms = { ...offer, untilMs: performance.now() + CHALLENGE_MS }
    } else if (about instanceof Proof) this.#bought(about, status, head, body)
    else this.#used(about as Clearance, status)
  }

  lost(message: Message): void {
    if (!(message.about instanceof Proof)) return
    this.#pending = Math.max(0, this.#pending - 1)
    this.#sendAgain(message.about, message.about.parts)
  }

  deeds() {
    return { ...this.#counts }
  }

  #sendAgain(proof: Proof, price: number): void {
    if (this.#unfinished.length < 1024) this.#unfinished.push({ proof, price })
  }

  #earn(nowMs: number): void {
    if (!Number.isNaN(this.#workAtMs)) {
      this.#work = Math.min(
        this.#partsPerMs * MOST_SAVED_MS,
        this.#work + (nowMs - this.#workAtMs) * this.#partsPerMs,
      )
    }
    this.#workAtMs = nowMs
  }

  /** The next proof to send, when one is wanted and there is work for it. */
  #proof(terms: Terms): Proof | undefined {
    const raised = this.#unfinished[0]
    if (raised) {
      if (this.#work < raised.price - raised.proof.parts) return undefined
      this.#unfinished.shift()
      this.#solve(raised.proof, raised.price)
      return raised.proof
    }
    if (this.#pool.length + this.#pending >= this.#stock) return undefined
    const bid = this.#bid(terms.price)
    if (this.#work < bid) return undefined
    const proof = new Proof(terms, this.#at.random)
    this.#solve(proof, bid)
    return proof
  }

  #bid(price: number): number {
    const affordable = (this.#partsPerMs * 1000) / (this.#at.perSecond / PAGES_PER_CLEARANCE)
    return Math.min(MOST_PARTS, this.#plan.bid ?? Math.max(price, Math.floor(affordable)))
  }

  #solve(proof: Proof, parts: number): void {
    const more = parts - proof.parts
    this.#work -= more
    this.#counts.parts += more
    proof.solve(parts)
  }

  #bought(proof: Proof, status: number, head: string, body: string): void {
    this.#pending = Math.max(0, this.#pending - 1)
    const answer = readProofAnswer(status, body)
    switch (answer.kind) {
      case 'paid': {
        const cookie = /\r\nset-cookie: *([^;\r]*)/i.exec(head)?.[1]
        if (!cookie) return
        this.#counts.clearances++
        this.#pool.push({ cookie, pages: 0, refusals: 0 })
        return
      }
      case 'price':
        this.#counts.raised++
        if (this.#terms) this.#terms.price = answer.price
        if (answer.price > proof.parts && answer.price <= MOST_PARTS) this.#sendAgain(proof, answer.price)
        return
      case 'busy':
        // Solved and still good: sent again in its turn.
        this.#counts.busy++
        this.#sendAgain(proof, proof.parts)
        return
      default:
        this.#counts.faults++
        this.#nextAskMs = 0
        this.#terms = undefined
    }
  }

  #clearance(source: number): Clearance | undefined {
    if (this.#pool.length === 0) return undefined
    const turn = this.#plan.sharedBy ? source : this.#turn++
    return this.#pool[turn % this.#pool.length]!
  }

  #used(clearance: Clearance, status: number): void {
    if (status === 200) {
      this.#counts.paidPages++
      clearance.pages++
      clearance.refusals = 0
      return
    }
    const isUsed = clearance.pages > 0.75 * PAGES_PER_CLEARANCE
    if (++clearance.refusals < (isUsed ? MOST_REFUSALS.used : MOST_REFUSALS.unused)) return
    const at = this.#pool.indexOf(clearance)
    if (at === -1) return
    this.#counts.spent++
    this.#pool[at] = this.#pool.at(-1)!
    this.#pool.pop()
  }
}
