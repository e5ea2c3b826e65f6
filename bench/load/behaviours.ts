/**
 * What attackers do with the answers they get. The generator (`attackers.ts`) says when an address
 * sends; a behaviour says what, and hears of the answer.
 *
 *   cookies       each address sends a cookie of its own: known tokens harvested before the attack
 *   junk-proofs   a challenge per address and epoch, then proofs of random nonces as fast as can be
 *   pages         follow one ticket to the whole page, and take that again and again
 *   tickets       take tickets, and come back with each when it says so
 *   farm          real proofs at the rate of so many cores; what they buy is spent on pages (`farm.ts`)
 *
 * Each is as strong as it can be made without one core of load becoming the bottleneck: they wait for
 * nobody, obey exactly what makes them believed, and ignore the rest.
 */
import { Farm } from './farm.ts'
import { readChallenge } from './offer.ts'
import type { BehaviourPlan } from './plan.ts'
import { CHALLENGE_TARGET, forgedChallenge, junkTarget } from './puzzle.ts'
import { below, type Random } from './random.ts'
import { refreshStep } from './real-page.ts'

export interface Message {
  readonly target: string
  /** Value of the Cookie field. */
  readonly cookie?: string
  /** A request of a script, not a navigation. */
  readonly isFetch?: boolean
  /** Handed back with the answer. */
  readonly about?: unknown
}

export interface Behaviour {
  /** Whether bodies are kept for `answered`. */
  readonly readsBodies: boolean
  /** What the source sends now. */
  message(source: number, nowMs: number): Message
  answered?(source: number, message: Message, status: number, head: string, body: string): void
  /** The connection ended before the answer came. */
  lost?(message: Message): void
  deeds(): Readonly<Record<string, number>>
}

export interface Circumstances {
  readonly sources: readonly string[]
  /** Of all sources together. */
  readonly perSecond: number
  readonly random: Random
  /** A page nobody has asked for before. */
  readonly page: () => string
}

export function behaviourOf(plan: BehaviourPlan, at: Circumstances): Behaviour {
  switch (plan.does) {
    case 'cookies':
      return new WithCookies(plan.cookies, at)
    case 'junk-proofs':
      return new JunkProofs(plan, at)
    case 'pages':
      return new WholePages(at)
    case 'tickets':
      return new Tickets(at)
    case 'farm':
      return new Farm(plan, at)
    default:
      return plan satisfies never
  }
}

class WithCookies implements Behaviour {
  readonly readsBodies = false
  readonly #cookies: readonly string[]
  readonly #at: Circumstances

  constructor(cookies: readonly string[], at: Circumstances) {
    this.#cookies = cookies
    this.#at = at
  }

  message(source: number): Message {
    return { target: this.#at.page(), cookie: this.#cookies[source % this.#cookies.length]! }
  }

  deeds() {
    return { tokens: this.#cookies.length }
  }
}

/** A challenge is asked for anew after this long, as often as the epochs of the protocol pass. */
const EPOCH_MS = 60_000
/** A question not answered in this time is asked again. */
const PATIENCE_MS = 5000

class JunkProofs implements Behaviour {
  readonly readsBodies = true
  readonly #plan: { readonly forgedShare: number; readonly parts: number }
  readonly #at: Circumstances
  readonly #challenges: (string | undefined)[] = []
  readonly #nextAskMs: number[] = []
  /** Of anybody: what forgeries look like. */
  #like = ''
  #counts = { challenges: 0, junk: 0, forged: 0, believed: 0 }

  constructor(plan: { readonly forgedShare: number; readonly parts: number }, at: Circumstances) {
    this.#plan = plan
    this.#at = at
  }

  message(source: number, nowMs: number): Message {
    if (nowMs >= (this.#nextAskMs[source] ?? 0)) {
      this.#nextAskMs[source] = nowMs + PATIENCE_MS
      return { target: CHALLENGE_TARGET, isFetch: true, about: 'challenge' }
    }
    const { random } = this.#at
    const own = this.#challenges[source]
    const forges = own === undefined || random() < this.#plan.forgedShare
    if (forges && this.#like === '') return { target: this.#at.page() }
    if (forges) this.#counts.forged++
    else this.#counts.junk++
    const challenge = forges ? forgedChallenge(this.#like, random) : own
    return { target: junkTarget(challenge, this.#plan.parts, random), isFetch: true }
  }

  answered(source: number, message: Message, status: number, head: string, body: string): void {
    if (message.about !== 'challenge') {
      if (/\r\nset-cookie: *digue_c=/i.test(head)) this.#counts.believed++
      return
    }
    const offer = readChallenge(status, body)
    if (!offer) return
    this.#counts.challenges++
    this.#challenges[source] = offer.challenge
    this.#like = offer.challenge
    this.#nextAskMs[source] = performance.now() + EPOCH_MS
  }

  deeds() {
    return { ...this.#counts }
  }
}

class WholePages implements Behaviour {
  readonly readsBodies = false
  readonly #at: Circumstances
  readonly #targets: (string | undefined)[] = []
  #counts = { tickets: 0, returns: 0 }

  constructor(at: Circumstances) {
    this.#at = at
  }

  message(source: number): Message {
    const target = this.#targets[source]
    if (target === undefined) return { target: this.#at.page() }
    this.#counts.returns++
    return { target }
  }

  answered(source: number, message: Message, status: number, head: string): void {
    const onward = status === 503 ? refreshStep(head, '') : undefined
    if (this.#targets[source] === undefined && onward && onward.path !== '') {
      this.#targets[source] = onward.path
      this.#counts.tickets++
    }
    // A ticket that leads nowhere any more is worth nothing.
    if (status !== 503 && message.target === this.#targets[source]) this.#targets[source] = undefined
  }

  deeds() {
    return { ...this.#counts }
  }
}

/** Tickets that one address keeps at most. */
const MOST_TICKETS = 64

class Tickets implements Behaviour {
  readonly readsBodies = false
  readonly #at: Circumstances
  readonly #held: { readonly target: string; readonly cookie: string; readonly dueMs: number }[][]
  #counts = { tickets: 0, polls: 0, pages: 0 }

  constructor(at: Circumstances) {
    this.#at = at
    this.#held = at.sources.map(() => [])
  }

  message(source: number, nowMs: number): Message {
    const held = this.#held[source]!
    const due = held.findIndex((ticket) => ticket.dueMs <= nowMs)
    if (due === -1) return { target: this.#at.page() }
    const [ticket] = held.splice(due, 1)
    this.#counts.polls++
    return { ...ticket!, about: 'poll' }
  }

  answered(source: number, message: Message, status: number, head: string): void {
    if (message.about === 'poll' && status === 200) this.#counts.pages++
    const onward = refreshStep(head, message.target)
    const held = this.#held[source]!
    if (status !== 503 || !onward || held.length >= MOST_TICKETS) return
    if (message.about !== 'poll') this.#counts.tickets++
    held.push({
      target: onward.path,
      cookie: /\r\nset-cookie: *(digue_w=[^;\r]*)/i.exec(head)?.[1] ?? message.cookie ?? '',
      // A little late rather than early: who comes early waits anew.
      dueMs: performance.now() + onward.afterMs + 50 + below(this.#at.random, 100),
    })
  }

  deeds() {
    return { ...this.#counts }
  }
}
