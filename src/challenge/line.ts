/**
 * The waiting room's line, for those who cannot or will not pay with effort.
 *
 * Problem. Somebody without JavaScript must get in while bots take 4,000 tickets a second. One line
 * for all is as long as the flood; a number per ticket makes 120,000 places in half a minute. And
 * nothing may be kept per ticket, nor may a ticket that is copied to ten thousand addresses let all
 * of them in.
 *
 *   address ──▶ its prefix's line (hash of /24 or /48, 65,536 lines)
 *           └─▶ its subscriber's place: joined at t                    (shared table, bounded)
 *
 *   line        ··|▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒|        called when  calledUpTo ≥ end of second t
 *                 ▲ calledUpTo    ▲ now
 *
 * One line per source prefix: whoever brings many addresses of a network lengthens his own line.
 * Lines are called by weight (line-turns.ts); the weight of a prefix known from calm weather is many
 * times that of one never seen (`weightInLine`).
 *
 * One place per subscriber and stay, however many tickets he takes: 4,000 tickets/s from 2,000
 * addresses are 2,000 places. People behind one carrier's address share a place and are let in
 * together. A turn is good for two requests within half a minute; what is asked beyond that needs
 * another.
 *
 * A place is counted where it is first seen. A ticket says since when its holder waits, not where he
 * stands; with it somebody keeps his turn over a restart, on another machine, or when his phone
 * changes networks. But only a place that was counted is ever called: a copied ticket gives each who
 * shows it a place of his own, in his own network's line. Of a ticket whose time has been called
 * already nothing is left but the place at the end.
 *
 * Polling early begins the wait anew. It moves the place and adds none.
 *
 * Time is the main thread's (`CLOCK`), so a wall clock that is set moves nobody; only what is written
 * on tickets follows it. While the main thread stands still nobody is called.
 *
 * Rejected: place numbers on tickets (another machine's numbers mean nothing, after a restart none
 * do); one line per ASN (visitors cluster in a few ASNs, and bots in the same ones would stand before
 * them); a list of who waits (grows with the flood). What can happen in memory that is bounded: when
 * the table is full of subscribers its oldest entry of eight goes, and counts twice when it comes back,
 * in its own line.
 */
import { type HashKey, hash32 } from '#kit'
import {
  ACTIVE_WEIGHT,
  ASKED_AT,
  BUCKETS,
  CALLED_RATE,
  CLOCK,
  CLOCK_SET,
  EVICTED,
  HASH,
  JOINED,
  type LineMemory,
  LineViews,
  LOG_HEAD,
  LOG_JOINED,
  LOG_LEAVES,
  LOG_LINE,
  LOG_PRESENT,
  LOG_TAIL,
  LOG_USES,
  LOG_WEIGHT,
  LOG_WORDS,
  LOST,
  MOST_REQUESTS,
  ORIGIN,
  REQUESTS,
  SHOWN,
  SHOWN_AT,
  SUBSCRIBER_WORDS,
  TICKS_PER_S,
  WAITING,
} from './line-memory.ts'
import type { Ticket } from './ticket.ts'

/** Who waits. */
export interface Waiter {
  readonly prefix: string
  readonly subscriber: string
  /** See `weightInLine`. */
  readonly weight: number
}

export type Range = readonly [from: number, to: number]

/** Where somebody stands. `joinedS` belongs on the next ticket. */
export type Standing = { readonly admitted: true; readonly joinedS: number } | Waiting

export interface Waiting {
  readonly admitted: false
  readonly joinedS: number
  /** How many of its own line are called before. */
  readonly ahead: Range
  /** Until it is let in, if it polls when told. */
  readonly waitS: Range
  readonly pollS: number
}

/** Who comes so much before being due has polled early. */
const EARLY_S = 2
/** How long a turn lasts for others who poll from the same address. */
const TOGETHER_S = 30
/**
 * A turn is tried once in so long: it is counted when it is let in, and meanwhile a hundred requests could
 * ask with it.
 */
const ASKED_EVERY_S = 2
/** Whoever joined so long ago, was called and did not come is not waited for. */
const MOST_ABSENT_S = 2 * 3600
/** A place that the line should know of by now. */
const KNOWN_AFTER_S = 5
/** The youngest bucket is not called before it is over. */
const BUCKET_OVER_S = 2
/** While tickets carry the times of a clock that was set, nobody is early. */
const CLOCK_SET_FOR_S = 60
const PROBES = 8
const LEAST_POLL_S = 5
const MOST_POLL_S = 30

const UNKNOWN_WEIGHT = 1e-4
const KNOWN_WEIGHT = 1e-3
const ASN_WEIGHT = 2e-3

/**
 * How much a prefix's line weighs, from calm-weather shares (0 to 1). A known prefix weighs eleven
 * times an unknown one at least; an unknown one in a network that visitors come from, up to twenty times.
 */
export function weightInLine(asnShare: number, prefixShare: number): number {
  return UNKNOWN_WEIGHT + asnShare * ASN_WEIGHT + (prefixShare > 0 ? KNOWN_WEIGHT + prefixShare : 0)
}

/** One site's line as an edge thread has it; `LineTurns` is the main thread's half. */
export class WaitingLine {
  readonly memory: LineMemory
  readonly #views: LineViews
  readonly #prefixKey: HashKey
  readonly #subscriberKey: HashKey

  constructor(memory: LineMemory) {
    this.memory = memory
    this.#views = new LineViews(memory)
    const { k0, k1 } = memory.key
    this.#prefixKey = { k0, k1: k1 ^ 0x6c }
    this.#subscriberKey = { k0, k1: k1 ^ 0x73 }
  }

  /**
   * Where this one stands now; joins the line if it has no place yet.
   * `ticket`: what it showed, undefined without a valid one. `random`: from 0 to 1, so that polls spread.
   */
  stand(
    who: Waiter,
    ticket: Pick<Ticket, 'joinedS' | 'dueS'> | undefined,
    options: { readonly nowS: number; readonly random: number },
  ): Standing {
    const { words, subscribers } = this.#views
    const clock = Atomics.load(words, CLOCK)
    const origin = Atomics.load(words, ORIGIN)
    const line = hash32(who.prefix, this.#prefixKey) & (this.memory.lines - 1)
    const hash = this.#hashOf(who.subscriber)
    const early = ticket !== undefined && options.nowS < ticket.dueS - EARLY_S && !this.#clockWasSet(clock)
    const entry = this.#find(hash, clock)
    let joined: number
    if (entry < 0) {
      joined = ticket === undefined || ticket.joinedS === 0 || early ? clock : ticket.joinedS - origin
      joined = Math.max(1, Math.min(joined, clock))
      if (this.#views.isCalled(line, joined)) joined = clock
      this.#enter(hash, line, joined)
      this.#tell(line, joined, who.weight)
    } else {
      joined = subscribers[entry + JOINED]!
      if (subscribers[entry + SHOWN_AT] !== 0 || this.#views.isCalled(line, joined)) {
        const { random } = options
        if (clock - subscribers[entry + ASKED_AT]! < ASKED_EVERY_S)
          return { admitted: false, joinedS: joined + origin, ...soon(random) }
        subscribers[entry + ASKED_AT] = clock
        return { admitted: true, joinedS: joined + origin }
      }
      if (early && joined < clock) {
        this.#tell(line | LOG_LEAVES, joined, 0)
        joined = clock
        subscribers[entry + JOINED] = joined
        this.#tell(line, joined, who.weight)
      } else if (clock - joined >= KNOWN_AFTER_S && this.#count(line, clock + 1)[1] === 0) {
        // Its entry in the log found no room, or was read as somebody else's.
        this.#tell(line, joined, who.weight)
      }
    }
    const place = { joined, weight: who.weight, random: options.random }
    return { admitted: false, joinedS: joined + origin, ...this.#estimate(line, place) }
  }

  /** A request of somebody whose turn had come was really let in. */
  shown(subscriber: string): void {
    const { words, subscribers } = this.#views
    const clock = Atomics.load(words, CLOCK)
    const entry = this.#find(this.#hashOf(subscriber), clock)
    if (entry < 0) return
    Atomics.compareExchange(subscribers, entry + SHOWN_AT, 0, clock)
    Atomics.add(words, SHOWN, 1)
    const before = Atomics.add(subscribers, entry + REQUESTS, 1)
    if ((before & 0xffff) > 0) this.#tell((before >>> 16) | LOG_USES, clock, 0)
  }

  #clockWasSet(clock: number): boolean {
    const setAt = Atomics.load(this.#views.words, CLOCK_SET)
    return setAt !== 0 && clock - setAt < CLOCK_SET_FOR_S
  }

  #hashOf(subscriber: string): number {
    const hash = hash32(subscriber, this.#subscriberKey) | 0
    return hash === 0 ? 1 : hash
  }

  /** Offset of a subscriber's entry while its stay lasts, -1 without one. */
  #find(hash: number, clock: number): number {
    const { subscribers } = this.#views
    for (let probe = 0; probe < PROBES; probe++) {
      const at = this.#slot(hash, probe)
      const found = Atomics.load(subscribers, at + HASH)
      if (found === hash) return this.#isOver(at, clock) ? -1 : at
      if (found === 0) return -1
    }
    return -1
  }

  #enter(hash: number, line: number, joined: number): void {
    const { subscribers, words } = this.#views
    const clock = Atomics.load(words, CLOCK)
    let best = -1
    let bestJoined = Number.POSITIVE_INFINITY
    let isFree = false
    for (let probe = 0; probe < PROBES; probe++) {
      const at = this.#slot(hash, probe)
      const found = Atomics.load(subscribers, at + HASH)
      if (found === hash || found === 0) {
        // Its own of an earlier stay goes before any other: the same hash twice would hide one.
        best = at
        isFree = true
        break
      }
      if (isFree) continue
      if (this.#isOver(at, clock)) {
        best = at
        isFree = true
      } else if (subscribers[at + JOINED]! < bestJoined) {
        best = at
        bestJoined = subscribers[at + JOINED]!
      }
    }
    if (!isFree) Atomics.add(words, EVICTED, 1)
    // Racy by design: two threads that enter at the same place make one of them be counted twice.
    Atomics.store(subscribers, best + HASH, hash)
    Atomics.store(subscribers, best + JOINED, joined)
    Atomics.store(subscribers, best + SHOWN_AT, 0)
    Atomics.store(subscribers, best + REQUESTS, line << 16)
    Atomics.store(subscribers, best + ASKED_AT, 0)
  }

  #slot(hash: number, probe: number): number {
    return ((hash + probe) & (this.memory.subscribers - 1)) * SUBSCRIBER_WORDS
  }

  #isOver(at: number, clock: number): boolean {
    const { subscribers } = this.#views
    const shownAt = subscribers[at + SHOWN_AT]!
    if (shownAt !== 0 && clock - shownAt > TOGETHER_S) return true
    const joined = subscribers[at + JOINED]!
    const requests = subscribers[at + REQUESTS]!
    if ((requests & 0xffff) >= MOST_REQUESTS) return true
    return clock - joined > MOST_ABSENT_S && this.#views.isCalled(requests >>> 16, joined)
  }

  /** Tells the main thread. */
  #tell(line: number, joined: number, weight: number): void {
    const { words, log, logFloats } = this.#views
    const size = this.memory.log
    if (((Atomics.load(words, LOG_HEAD) - Atomics.load(words, LOG_TAIL)) | 0) >= size) {
      Atomics.add(words, LOST, 1)
      return
    }
    const at = (Atomics.add(words, LOG_HEAD, 1) & (size - 1)) * LOG_WORDS
    log[at + LOG_JOINED] = joined
    logFloats[at + LOG_WEIGHT] = weight
    Atomics.store(log, at + LOG_LINE, line | LOG_PRESENT)
  }

  /** How many of the line joined before this second: those certainly, and with those of its bucket. */
  #count(line: number, joined: number): Range {
    const { buckets, oldest } = this.#views
    const width = this.#views.widthOf(line)
    const first = Math.floor(oldest[line]! / width)
    const own = Math.floor((joined * TICKS_PER_S) / width)
    let before = 0
    let upTo = 0
    for (let i = 0; i < BUCKETS; i++) {
      const count = buckets[line * BUCKETS + ((first + i) & (BUCKETS - 1))]!
      if (first + i < own) before += count
      if (first + i <= own) upTo += count
    }
    return [before, upTo]
  }

  #estimate(
    line: number,
    place: { readonly joined: number; readonly weight: number; readonly random: number },
  ): Omit<Waiting, 'admitted' | 'joinedS'> {
    const { words, floats } = this.#views
    const [before, withOwn] = this.#count(line, place.joined)
    const ahead: Range = [before, Math.max(before, withOwn - 1)]
    const rate = Math.max(1e-3, floats[CALLED_RATE]!)
    const weight = Math.max(place.weight, this.#views.weight[line]!)
    const share = weight / Math.max(weight, floats[ACTIVE_WEIGHT]!)
    // No longer than until everybody who waits now has been called.
    const allS = (Atomics.load(words, WAITING) + 1) / rate
    const turnS = (places: number) => Math.min(allS, (places + 1) / (rate * share))
    const fromS = turnS(ahead[0]) / 2
    const toS = turnS(ahead[1]) * 1.5 + BUCKET_OVER_S
    const pollS = spread((fromS + toS) / 2, place.random)
    // It is let in when it polls, not when it is called.
    const waitS: Range = [
      Math.max(pollS, Math.floor(fromS)),
      Math.ceil(toS <= pollS ? pollS : toS + MOST_POLL_S),
    ]
    return { ahead, waitS, pollS }
  }
}

function soon(random: number): Omit<Waiting, 'admitted' | 'joinedS'> {
  const pollS = spread(LEAST_POLL_S, random)
  return { ahead: [0, 0], waitS: [pollS, 2 * pollS], pollS }
}

/** Within the bounds of polls, and up to a quarter more or less, so that who came together comes back apart. */
function spread(s: number, random: number): number {
  const least = Math.max(LEAST_POLL_S, Math.min(MOST_POLL_S / 1.25, s))
  return Math.round(least * (1 + random / 4))
}
