/**
 * Which TLS handshakes are done now.
 *
 * Problem: a new handshake costs about a millisecond of this thread, a thousand times what reading
 * the ClientHello costs. A flood that opens a connection per request makes every visitor wait behind
 * handshakes for strangers, the connected ones too, whose requests share the thread.
 *
 * So handshakes draw on a budget of CPU milliseconds (a token bucket), at their measured price:
 *
 *   refill = max(share · elapsed, elapsed − what else kept the thread busy)
 *
 * The second term makes the budget work-conserving: an idle thread may spend nearly all of itself on
 * a crowd of new visitors; once the thread is full, `share` is what is left.
 * Who finds the bucket empty waits at most a second in a fair queue by calm-weather network weights;
 * when the line is full, the most over-share network's waiter is closed. Charged when begun: a client
 * that aborts has cost the same.
 *
 * A ticket that we sealed in calm weather (ticket-keys.ts) puts its holder into the *known* lane. A
 * ticket can be copied, so it counts for a few handshakes per window only, and within the lane the
 * same network weights hold. Without one, a hello that is a flood's by itself (a signature of nothing but TLS
 * and network) is *marked*: its handshakes are paid from a tenth of its network's share (admission/fair-queue.ts).
 *
 * Accepting a connection, reading its hello and closing it again costs a tenth of a handshake, which at
 * ten times as many connections is all there is. So who is of a prefix most of whose connections were
 * refused within the last seconds may be refused before a socket is made for it (`mayArrive`): more often the
 * more of them were in vain, and never all.
 *
 * Rejected: a cap on handshakes per address (cold addresses do one each); the thread's CPU clock for
 * the price (`process.threadCpuUsage`). Linux may bring it up to date only at ticks: over stretches of
 * 0.5 ms it read 0 in a quarter of them and 1.1 ms or more in a twentieth. `measured` settles near the
 * lower quarter, so the price would go to 0. Wall time errs on the careful side when the core is shared.
 */
import { type Entry, FairQueue, type Lane, type Weights } from '#admission'
import { BoundedMap } from '#kit'
import type { ClientAddress } from '#networks'
import type { ClientHello } from '#recognise'
import { sealedBy, type TicketKeySet } from './ticket-keys.ts'

export interface Waiter {
  readonly client: ClientAddress
  readonly hello: ClientHello
  /** Its hello and its network are a flood's, as far as they tell. */
  readonly marked?: boolean
  /** Called once, when it is its turn. */
  begin(): void
  /** Called instead of `begin` when it has to go. */
  refuse(): void
}

export interface HandshakeGateOptions {
  readonly share: number
  readonly weights: Weights
  readonly ticketKeys: TicketKeySet
  readonly count: (counter: string, by?: number) => void
  /** Milliseconds of this thread that were busy so far; absent: the budget is `share` alone. */
  readonly busyMs?: () => number
  readonly maxWaiting?: number
  readonly maxWaitMs?: number
  readonly random?: () => number
}

/** Until measured. */
const FIRST_GUESS_MS = 1
/** A pause may be made up for with this much at once; more would be felt by those connected. */
const BURST_MS = 25
/** Never all of the thread. */
const MOST_SHARE = 0.92
/** From this share of busy time on a thread counts as full. */
const FULL = 0.97
const TICKET_WINDOW_MS = 10_000
/** A browser opens up to six connections to an HTTP/1.1 site at once. */
const USES_PER_TICKET = 6
/** Prefixes of which is remembered what became of their connections, and for how long half of it counts. */
const FATES_KEPT = 8192
const FATES_HALVED_MS = 1000
/** Before so many were refused nothing is concluded. */
const LEAST_REFUSED = 4
/** Of those who would be refused as a rule so many arrive all the same: that is how a better time shows. */
const ARRIVE_ANYWAY = 0.1
/** HMACs per hello. */
const MOST_TICKETS_CHECKED = 2

export class HandshakeGate {
  readonly #options: HandshakeGateOptions
  readonly #queue: FairQueue<Waiter>
  readonly #entries = new Map<Waiter, Entry<Waiter>>()
  readonly #ticketUses = new BoundedMap<string, { count: number; sinceMs: number }>(8192)
  readonly #fates = new BoundedMap<string, { begun: number; refused: number; atMs: number }>(FATES_KEPT)
  readonly #random: () => number
  #keys: TicketKeySet
  #share: number
  #tokensMs = BURST_MS
  #refilledAtMs = Number.NEGATIVE_INFINITY
  #busyAtMs = 0
  #spentMs = 0
  #costMs = FIRST_GUESS_MS
  /** Smoothed share of the thread that handshakes may have, between `share` and MOST_SHARE. */
  #rate: number

  constructor(options: HandshakeGateOptions) {
    this.#options = options
    this.#keys = options.ticketKeys
    this.#random = options.random ?? Math.random
    this.#share = options.share
    this.#rate = options.share
    this.#queue = new FairQueue<Waiter>({
      weights: options.weights,
      maxWaiting: options.maxWaiting ?? 1024,
      maxWaitMs: options.maxWaitMs ?? 1000,
      // One subscriber may be a carrier's NAT.
      maxPerSubscriber: 16,
      count: options.count,
    })
  }

  /** Handshakes waiting. */
  get waiting(): number {
    return this.#queue.size
  }

  /** Measured price of one new handshake. */
  get costMs(): number {
    return this.#costMs
  }

  setTicketKeys(keys: TicketKeySet): void {
    this.#keys = keys
  }

  setShare(share: number): void {
    this.#share = share
  }

  /** A socket is to be made for a newcomer: false where it would most likely be refused behind its hello. */
  mayArrive(client: ClientAddress, nowMs: number): boolean {
    // A line that is half empty has room for anybody.
    if (this.#queue.size * 2 < this.#queue.maxWaiting) return true
    const fate = this.#fates.get(client.prefix)
    if (fate === undefined) return true
    fade(fate, nowMs)
    if (fate.refused < LEAST_REFUSED) return true
    return this.#random() < ARRIVE_ANYWAY + (2 * fate.begun) / (fate.begun + fate.refused)
  }

  /** Begins, refuses or keeps `waiter`; its `begin` or `refuse` may be called before this returns. */
  ask(waiter: Waiter, nowMs: number): void {
    this.#refill(nowMs)
    if (this.#queue.size === 0 && this.#tokensMs > 0) {
      const payer = payerOf(waiter, 'unproven')
      this.#begin(this.#queue.pass(waiter, payer, this.#costMs, nowMs))
      return
    }
    const lane = this.#isKnown(waiter.hello, nowMs) ? 'known' : 'unproven'
    const entry = this.#queue.enqueue(waiter, payerOf(waiter, lane), this.#costMs, nowMs)
    if (entry === undefined) {
      this.#options.count('handshake-refused-client')
      this.#remember(waiter, 'refused', nowMs)
      waiter.refuse()
      return
    }
    this.#entries.set(waiter, entry)
    this.#options.count('handshake-queued')
    // The newcomer is in line first, so that it may be the one that goes.
    if (this.#queue.size > this.#queue.maxWaiting)
      this.#refuse(this.#queue.evict()!, 'handshake-refused-over-share', nowMs)
  }

  /** The client of a waiting handshake has gone. */
  withdraw(waiter: Waiter): void {
    const entry = this.#entries.get(waiter)
    if (entry === undefined) return
    this.#entries.delete(waiter)
    this.#queue.withdraw(entry)
  }

  /** Begins what there is budget for, refuses who waited too long; call every few milliseconds while `waiting`. */
  tick(nowMs: number): void {
    this.#refill(nowMs)
    for (let entry = this.#queue.expire(nowMs); entry; entry = this.#queue.expire(nowMs)) {
      this.#refuse(entry, 'handshake-refused-timeout', nowMs)
    }
    while (this.#tokensMs > 0) {
      const entry = this.#queue.dequeue()
      if (entry === undefined) return
      this.#entries.delete(entry.item)
      this.#remember(entry.item, 'begun', nowMs)
      this.#begin(entry)
    }
  }

  /** What a handshake really cost, measured by whoever did it. */
  measured(costMs: number): void {
    // One preempted handshake must not triple the price.
    const sample = Math.min(costMs, this.#costMs * 4, 50)
    // Being preempted only ever adds: settle near the lower quarter of what is seen.
    this.#costMs += (sample < this.#costMs ? 0.09 : 0.03) * (sample - this.#costMs)
  }

  #begin(entry: Entry<Waiter>): void {
    this.#tokensMs -= this.#costMs
    this.#spentMs += this.#costMs
    this.#queue.charge(entry, entry.cost)
    entry.item.begin()
  }

  #refuse(entry: Entry<Waiter>, counter: string, nowMs: number): void {
    this.#entries.delete(entry.item)
    this.#remember(entry.item, 'refused', nowMs)
    this.#options.count(counter)
    entry.item.refuse()
  }

  #remember({ client: { prefix } }: Waiter, fate: 'begun' | 'refused', nowMs: number): void {
    let fates = this.#fates.get(prefix)
    if (fates === undefined) this.#fates.set(prefix, (fates = { begun: 0, refused: 0, atMs: nowMs }))
    else fade(fates, nowMs)
    fates[fate]++
  }

  #refill(nowMs: number): void {
    if (this.#refilledAtMs === Number.NEGATIVE_INFINITY) {
      this.#refilledAtMs = nowMs
      this.#busyAtMs = this.#options.busyMs?.() ?? 0
      return
    }
    const elapsed = nowMs - this.#refilledAtMs
    if (elapsed < 2) return
    let rate = this.#share
    if (this.#options.busyMs) {
      const busy = this.#options.busyMs()
      const spent = busy - this.#busyAtMs
      const other = Math.max(0, spent - this.#spentMs)
      this.#busyAtMs = busy
      // A full thread may be full of handshakes that keep requests waiting: back to the share, and
      // up again when that has made it idle.
      if (spent < FULL * elapsed) rate = Math.min(MOST_SHARE, Math.max(this.#share, 1 - other / elapsed))
    }
    this.#spentMs = 0
    // Over about 100 ms: one slow callback is no reason to turn visitors away.
    const weight = Math.min(1, elapsed / 100)
    this.#rate = Math.max(this.#share, this.#rate + weight * (rate - this.#rate))
    this.#refilledAtMs = nowMs
    this.#tokensMs = Math.min(BURST_MS, this.#tokensMs + elapsed * this.#rate)
  }

  #isKnown(hello: ClientHello, nowMs: number): boolean {
    let checked = 0
    for (const ticket of hello.tickets) {
      if (checked++ === MOST_TICKETS_CHECKED) return false
      const key = sealedBy(ticket, this.#keys)
      if (key === undefined) continue
      if (!key.calm) {
        this.#options.count('ticket-from-flood')
        return false
      }
      // The last bytes are the HMAC: as good as a hash of the ticket.
      const id = Buffer.from(ticket.buffer, ticket.byteOffset + ticket.length - 12, 12).toString('latin1')
      const uses = this.#ticketUses.get(id)
      if (uses === undefined || nowMs - uses.sinceMs >= TICKET_WINDOW_MS) {
        this.#ticketUses.set(id, { count: 1, sinceMs: nowMs })
        return true
      }
      if (uses.count >= USES_PER_TICKET) {
        this.#options.count('ticket-overused')
        return false
      }
      uses.count++
      return true
    }
    return false
  }
}

function fade(fate: { begun: number; refused: number; atMs: number }, nowMs: number): void {
  const kept = 0.5 ** ((nowMs - fate.atMs) / FATES_HALVED_MS)
  fate.begun *= kept
  fate.refused *= kept
  fate.atMs = nowMs
}

function payerOf(waiter: Waiter, lane: Lane) {
  const { asn, prefix, subscriber } = waiter.client
  // Whoever holds a ticket of calm weather is not asked.
  const marked = lane === 'unproven' && waiter.marked === true
  return { asn, prefix, subscriber, lane, effort: 0, marked }
}
