/**
 * The gate of one site on one edge thread: fair queue before, shared capacity behind.
 *
 * In calm weather `ask` is one permit taken and four tags moved. Once somebody waits, on whatever
 * thread, everybody stands in line: a newcomer must not overtake. Nothing here keeps time or wakes
 * itself: the caller passes the time, calls `tick` every 10 ms and after each `SharedCapacity.woken`.
 */
import { assert, Heap } from '#kit'
import type { Claim, Gate, Outcome, ShedReason, Verdict } from './claim.ts'
import { type Entry, FairQueue, type FairQueueOptions } from './fair-queue.ts'
import type { RouteCosts } from './route-costs.ts'
import type { SharedCapacity } from './shared-capacity.ts'
import type { Weights } from './weights.ts'

/** One aggregate's calm-weather origin time since the last report. */
export interface CalmUse {
  readonly asn: number
  readonly prefix: string
  readonly subscriber: string
  originMs: number
}

/** What a gate knows for a SiteReport, since the last one. */
export interface GateReport {
  /** Mean over all decided requests; one that was shed counts as the longest wait there is. */
  readonly queueDelayMs: number
  readonly queueDelayMaxMs: number
  readonly waiting: number
  readonly inFlight: number
  readonly calm: readonly CalmUse[]
  readonly calmLost: number
}

export interface GateOptions {
  readonly capacity: SharedCapacity
  /** Slots in the shared capacity. */
  readonly site: number
  readonly thread: number
  readonly weights: Weights
  readonly costs: RouteCosts
  readonly settings?: Pick<
    FairQueueOptions,
    'maxWaiting' | 'maxPerSubscriber' | 'maxWaitMs' | 'maxNodes' | 'laneShares'
  >
  readonly count?: (counter: string, by?: number) => void
}

/** A claim's way: waiting → admitted → over, or waiting → over. */
class Ticket {
  readonly claim: Claim
  entry: Entry<Ticket> | undefined = undefined
  state: 'waiting' | 'admitted' | 'over' = 'waiting'
  admittedAtMs = 0
  firstByteMs = -1
  /** The origin was half empty when it was admitted: what it takes is the calm-weather cost. */
  metCalm = false

  constructor(claim: Claim) {
    this.claim = claim
  }
}

const ADMIT: Verdict = { action: 'admit' }
const QUEUE: Verdict = { action: 'queue' }
const RETRY_AFTER_S: Readonly<Record<ShedReason, readonly [from: number, to: number]>> = {
  'over-share': [4, 12],
  'queue-timeout': [2, 8],
  'client-queue-full': [1, 3],
  'no-waiting': [1, 3],
  hammering: [10, 30],
  signature: [2, 8],
  rule: [2, 8],
  list: [2, 8],
  'client-gone': [1, 1],
}
const MAX_CALM_ROWS = 512
const TICK_MS = 10
const QUIET_MS = 200
/**
 * Places in line for each request that the origin can serve while one may wait: who stands further back is shed
 * in the end, and until then is copied with every collection of garbage.
 */
const PLACES_PER_SERVED = 2
/** A page with its pictures, for a dozen visitors. */
const LEAST_PLACES = 256
const PLACES_MS = 250
/** Evictions for one newcomer while the line is longer than it may be. */
const MOST_EVICTED = 4
const MAX_ABANDONED_MS = 2000

/** Prebuilt verdicts of a reason whose Retry-After differs, so that the shed do not return as one wave. */
function shedVerdicts(reason: ShedReason): readonly Verdict[] {
  const [from, to] = RETRY_AFTER_S[reason]
  return Array.from({ length: to - from + 1 }, (_, i) => ({ action: 'shed', reason, retryAfterS: from + i }))
}
const OVER_SHARE = shedVerdicts('over-share')
const QUEUE_TIMEOUT = shedVerdicts('queue-timeout')
const NO_WAITING = shedVerdicts('no-waiting')
const CLIENT_QUEUE_FULL = shedVerdicts('client-queue-full')

export function createGate(options: GateOptions): SiteGate {
  return new SiteGate(options)
}

export class SiteGate implements Gate {
  /** The site's posture is calm: costs and shares may be learned. */
  learning = true
  /** Calm-weather shares, as the line uses them. */
  readonly weights: Weights
  readonly #capacity: SharedCapacity
  readonly #site: number
  readonly #thread: number
  readonly #costs: RouteCosts
  readonly #queue: FairQueue<Ticket>
  readonly #count: (counter: string, by?: number) => void
  #dispatching = false
  #turn = 0
  #inFlight = 0
  /** When the permits of abandoned requests come back; one entry each, so no more than permits. */
  readonly #abandoned = new Heap<number>(() => {})
  #tickedAtMs = Number.NEGATIVE_INFINITY
  readonly #mostPlaces: number
  #placesAtMs = Number.NEGATIVE_INFINITY
  /** How much later than asked this thread's loop turns, a running mean. */
  #lagMs = 0
  #published = 0
  #publishedTag = Number.POSITIVE_INFINITY
  #delays = 0
  #delaySumMs = 0
  #delayMaxMs = 0
  #calm = new Map<string, CalmUse>()
  #calmLost = 0

  constructor(options: GateOptions) {
    this.weights = options.weights
    this.#capacity = options.capacity
    this.#site = options.site
    this.#thread = options.thread
    this.#costs = options.costs
    this.#count = options.count ?? (() => {})
    this.#queue = new FairQueue<Ticket>({ ...options.settings, weights: options.weights, count: this.#count })
    this.#mostPlaces = this.#queue.maxWaiting
  }

  /** Origin milliseconds of an ordinary request in calm weather. */
  get typicalCostMs(): number {
    return this.#costs.typicalMs
  }

  /** The same of a route class; undefined when calm weather has not shown it. */
  calmMs(route: string): number | undefined {
    return this.#costs.calmMs(route)
  }

  ask(claim: Claim, nowMs: number, mayWait = true): Verdict {
    const ticket = new Ticket(claim)
    claim.ticket = ticket
    const cost = this.#costs.expected(claim.route)
    const queue = this.#queue
    const capacity = this.#capacity
    if (queue.size === 0) {
      if (capacity.isIdle(this.#site) && capacity.take(this.#site, this.#thread)) {
        ticket.entry = queue.pass(ticket, claim, cost, nowMs)
        this.#admitted(ticket, nowMs, 0)
        return ADMIT
      }
      queue.lift(capacity.smallestTagElsewhere(this.#site, this.#thread))
    }
    if (!mayWait) {
      ticket.state = 'over'
      this.#delayed(queue.maxWaitMs)
      return NO_WAITING[this.#turn++ % NO_WAITING.length]!
    }
    ticket.entry = queue.enqueue(ticket, claim, cost, nowMs)
    if (ticket.entry === undefined) {
      ticket.state = 'over'
      return CLIENT_QUEUE_FULL[this.#turn++ % CLIENT_QUEUE_FULL.length]!
    }
    for (let i = 0; i < MOST_EVICTED && queue.size > queue.maxWaiting; i++) {
      const victim = queue.evict()!.item
      this.#delayed(queue.maxWaitMs)
      const verdict = OVER_SHARE[this.#turn++ % OVER_SHARE.length]!
      victim.state = 'over'
      if (victim === ticket) return verdict
      victim.claim.decided(verdict)
    }
    this.#dispatch(nowMs, false, ticket)
    // Read anew: dispatching may have admitted it.
    return (ticket as { state: string }).state === 'admitted' ? ADMIT : QUEUE
  }

  pass(claim: Claim, nowMs: number): void {
    const ticket = new Ticket(claim)
    claim.ticket = ticket
    this.#capacity.force(this.#site, this.#thread)
    ticket.entry = this.#queue.pass(ticket, claim, this.#costs.expected(claim.route), nowMs)
    this.#admitted(ticket, nowMs, 0)
  }

  withdraw(claim: Claim, nowMs: number): void {
    const ticket = claim.ticket
    if (!(ticket instanceof Ticket) || ticket.state !== 'waiting') return
    ticket.state = 'over'
    this.#queue.withdraw(ticket.entry!)
    this.#dispatch(nowMs, false)
  }

  responded(claim: Claim, nowMs: number): void {
    const ticket = claim.ticket
    if (!(ticket instanceof Ticket) || ticket.state !== 'admitted' || ticket.firstByteMs >= 0) return
    ticket.firstByteMs = nowMs - ticket.admittedAtMs
    // What this thread's own loop took is not the origin's slowness.
    const originMs = Math.max(ticket.firstByteMs / 4, ticket.firstByteMs - this.#lagMs)
    this.#capacity.sample(this.#site, this.#costs.ratio(claim.route, originMs, nowMs))
  }

  settle(claim: Claim, outcome: Outcome, nowMs: number): void {
    const ticket = claim.ticket
    if (!(ticket instanceof Ticket) || ticket.state !== 'admitted') return
    if (outcome === 'abandoned' && ticket.firstByteMs < 0) {
      this.#abandon(ticket, nowMs)
      return
    }
    if (outcome === 'failed') this.#capacity.failure(this.#site)
    else if (outcome === 'answered' && this.learning) this.#learn(ticket, nowMs)
    this.#giveBack(ticket, nowMs)
  }

  detach(claim: Claim, nowMs: number): void {
    const ticket = claim.ticket
    if (ticket instanceof Ticket && ticket.state === 'admitted') this.#giveBack(ticket, nowMs)
  }

  tick(nowMs: number): void {
    const sinceMs = nowMs - this.#tickedAtMs
    this.#tickedAtMs = nowMs
    // Longer pauses are a quiet site's, not a busy thread's.
    if (sinceMs < QUIET_MS) this.#lagMs += 0.2 * (Math.max(0, sinceMs - TICK_MS) - this.#lagMs)
    this.#endAbandoned(nowMs)
    if (nowMs - this.#placesAtMs >= PLACES_MS) this.#measureLine(nowMs)
    for (let entry = this.#queue.expire(nowMs); entry; entry = this.#queue.expire(nowMs)) {
      this.#delayed(this.#queue.maxWaitMs)
      entry.item.state = 'over'
      entry.item.claim.decided(QUEUE_TIMEOUT[this.#turn++ % QUEUE_TIMEOUT.length]!)
    }
    this.#dispatch(nowMs, true)
  }

  /** The line is as long as what the origin can serve within the longest wait, with some to spare. */
  #measureLine(nowMs: number): void {
    this.#placesAtMs = nowMs
    const { limit } = this.#capacity.state(this.#site)
    const served = (limit * this.#queue.maxWaitMs) / Math.max(1, this.#costs.typicalMs)
    const places = Math.max(LEAST_PLACES, Math.ceil(PLACES_PER_SERVED * served))
    this.#queue.maxWaiting = Math.min(this.#mostPlaces, places)
  }

  /** A permit was freed for this thread by another: see `SharedCapacity.woken`. */
  woken(nowMs: number): void {
    this.#dispatch(nowMs, false)
  }

  /** What happened since the last report. */
  report(): GateReport {
    const report: GateReport = {
      queueDelayMs: this.#delays === 0 ? 0 : this.#delaySumMs / this.#delays,
      queueDelayMaxMs: this.#delayMaxMs,
      waiting: this.#queue.size,
      inFlight: this.#inFlight,
      calm: [...this.#calm.values()],
      calmLost: this.#calmLost,
    }
    this.#delays = this.#delaySumMs = this.#delayMaxMs = this.#calmLost = 0
    this.#calm.clear()
    return report
  }

  /** Hands out permits in fair order; `greedy` ignores whose turn it is among the threads. */
  #dispatch(nowMs: number, greedy: boolean, newcomer?: Ticket): void {
    // A claim that is decided may settle at once and come back here: the loop below goes on for it.
    if (this.#dispatching) return
    this.#dispatching = true
    const queue = this.#queue
    const capacity = this.#capacity
    try {
      while (queue.size > 0) {
        if (!greedy && capacity.smallestTagElsewhere(this.#site, this.#thread) < queue.nextTag) {
          capacity.offer(this.#site, this.#thread)
          break
        }
        if (!capacity.take(this.#site, this.#thread)) break
        const entry = queue.dequeue()!
        this.#admitted(entry.item, nowMs, nowMs - entry.enqueuedAtMs)
        if (entry.item !== newcomer) entry.item.claim.decided(ADMIT)
      }
    } finally {
      this.#dispatching = false
    }
    if (queue.size !== this.#published || queue.nextTag !== this.#publishedTag) {
      this.#published = queue.size
      this.#publishedTag = queue.nextTag
      capacity.publish(this.#site, this.#thread, this.#published, this.#publishedTag)
    }
  }

  #admitted(ticket: Ticket, nowMs: number, delayMs: number): void {
    ticket.state = 'admitted'
    ticket.admittedAtMs = nowMs
    ticket.metCalm = this.learning && delayMs === 0 && this.#capacity.isHalfEmpty(this.#site)
    this.#inFlight++
    this.#delayed(delayMs)
  }

  #delayed(delayMs: number): void {
    this.#delays++
    this.#delaySumMs += delayMs
    if (delayMs > this.#delayMaxMs) this.#delayMaxMs = delayMs
  }

  #giveBack(ticket: Ticket, nowMs: number): void {
    ticket.state = 'over'
    this.#queue.charge(ticket.entry!, Math.max(0, nowMs - ticket.admittedAtMs))
    this.#returnPermit(nowMs)
  }

  #returnPermit(nowMs: number): void {
    assert(this.#inFlight > 0, 'returnPermit: nothing is in flight')
    this.#inFlight--
    this.#capacity.release(this.#site, this.#thread)
    if (this.#queue.size > 0) this.#dispatch(nowMs, false)
  }

  /**
   * The client left before the answer began. The origin works on, most likely: until the expected
   * time is over the permit stays out, and its payer owes all of it. Otherwise whoever asks for dear
   * pages and hangs up at once would have as many of them worked on as he likes, nearly for free.
   */
  #abandon(ticket: Ticket, nowMs: number): void {
    ticket.state = 'over'
    const { cost } = ticket.entry!
    const heldMs = Math.max(0, nowMs - ticket.admittedAtMs)
    this.#queue.charge(ticket.entry!, Math.max(heldMs, cost))
    const endsAtMs = ticket.admittedAtMs + Math.min(cost, MAX_ABANDONED_MS)
    if (endsAtMs > nowMs) this.#abandoned.push(endsAtMs, endsAtMs)
    else this.#returnPermit(nowMs)
  }

  #endAbandoned(nowMs: number): void {
    while (this.#abandoned.minKey <= nowMs) {
      this.#abandoned.pop()
      this.#returnPermit(nowMs)
    }
  }

  #learn(ticket: Ticket, nowMs: number): void {
    const claim = ticket.claim
    // A handwriting can be pinned in calm weather: whoever shows it earns no share there.
    if (claim.marked === true) return
    const originMs = Math.max(0, nowMs - ticket.admittedAtMs)
    if (ticket.metCalm && ticket.firstByteMs >= 0)
      this.#costs.learn(claim.route, originMs, ticket.firstByteMs)
    const use = this.#calm.get(claim.subscriber)
    if (use) use.originMs += originMs
    else if (this.#calm.size < MAX_CALM_ROWS)
      this.#calm.set(claim.subscriber, {
        asn: claim.asn,
        prefix: claim.prefix,
        subscriber: claim.subscriber,
        originMs,
      })
    else this.#calmLost++
  }
}
