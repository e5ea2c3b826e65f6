/**
 * Request collapsing (RFC 9111 §4): however many want a page that is not stored, the origin is asked once.
 *
 * A *flight* is a request to the origin whose answer others wait for, its followers; it begins when its leader
 * is admitted, not when it asks: a stranger in a long line must not keep a known visitor waiting. Who stands
 * in the gate's line for the same page meanwhile is served from there when it lands.
 */
import type { Flights } from '#cache'
import type { Exchange } from '../exchange.ts'

export interface CollapsingOptions {
  /** Shared by all threads. */
  readonly flights: Flights
  /** Tells the other threads that a flight of ours has landed for which they wait. */
  readonly announce: (key: string) => void
  /** A follower is to look again. */
  readonly again: (exchange: Exchange) => void
  /** It leaves the gate's line, to look again. */
  readonly leaveLine: (exchange: Exchange) => void
  readonly count: (counter: string) => void
  /** Wall clock. */
  readonly nowMs: () => number
}

/** A request to the origin that others may wait for. */
export interface Flight {
  readonly key: string
  followers: Exchange[]
  /** Of followers: beyond it those who left are looked for. */
  room: number
  /** Nobody waits longer. */
  untilMs: number
  /** Its leader is here; otherwise it is another thread's that some here wait for. */
  readonly isOurs: boolean
  /** Other threads know of it. */
  readonly isShared: boolean
  /** Another thread's that is not in the air any more: word of its landing is under way, unless that thread died. */
  isMissed: boolean
}

/** For the head of the answer; then for its body, since the leader may be reading slowly. */
const HEAD_PATIENCE_MS = 5000
const BODY_PATIENCE_MS = 2000
/** Times a request waits for somebody else's answer before it asks by itself. */
const MOST_FOLLOWS = 2
const FOLLOWERS = 64
/** Between two looks at the flights of other threads. */
const LOOK_MS = 500

export class Collapsing {
  readonly #options: CollapsingOptions
  readonly #flying = new Map<string, Flight>()
  /** Who stands in the gate's line, by what it wants. */
  readonly #inLine = new Map<string, Exchange | Set<Exchange>>()
  #lookedAtMs = 0

  constructor(options: CollapsingOptions) {
    this.#options = options
  }

  /** The flight that takes off, to be told about until it lands; undefined when somebody asks for this already. */
  begin(key: string): Flight | undefined {
    if (this.#flying.has(key)) return undefined
    const { flights, nowMs } = this.#options
    const now = nowMs()
    const begun = flights.begin(key, now, HEAD_PATIENCE_MS)
    return begun === 'flies'
      ? undefined
      : this.#depart(key, now, { isOurs: true, isShared: begun === 'leads' })
  }

  /** It has not waited in vain too often. */
  mayFollow(exchange: Exchange): boolean {
    return exchange.follows < MOST_FOLLOWS
  }

  /** True: it follows a flight, and is told when to look again. */
  follow(exchange: Exchange, key: string): boolean {
    if (!this.mayFollow(exchange)) return false
    let flight = this.#flying.get(key)
    if (flight === undefined) {
      const { flights, nowMs } = this.#options
      if (!flights.wait(key)) return false
      flight = this.#depart(key, nowMs(), { isOurs: false, isShared: false })
    }
    exchange.follows++
    if (flight.followers.push(exchange) > flight.room) prune(flight)
    return true
  }

  /** It stands in the gate's line for this. */
  queued(exchange: Exchange, key: string): void {
    const others = this.#inLine.get(key)
    // In a flood of random targets there is one for each, and a set would be larger than what is in it.
    if (others === undefined) this.#inLine.set(key, exchange)
    else if (others instanceof Set) others.add(exchange)
    else this.#inLine.set(key, new Set([others, exchange]))
  }

  unqueued(exchange: Exchange, key: string): void {
    const others = this.#inLine.get(key)
    if (others === exchange || (others instanceof Set && others.delete(exchange) && others.size === 0))
      this.#inLine.delete(key)
  }

  /** The head of its answer has come, and the body will be stored. */
  copying(flight: Flight): void {
    flight.untilMs = Math.min(flight.untilMs, this.#options.nowMs() + BODY_PATIENCE_MS)
  }

  /** A flight that began here is over. */
  landed(flight: Flight, isStored: boolean): void {
    // A late one has been given up: what flies now under its key is somebody else's.
    if (this.#flying.get(flight.key) === flight) this.#end(flight)
    if (isStored) this.#serveLine(flight.key)
  }

  /** What is on its way is of yesterday: who comes from now on does not wait for it. */
  outdated(key: string): void {
    const flight = this.#flying.get(key)
    if (flight !== undefined) this.#end(flight)
  }

  /** Another thread's has landed, one that some wait for. */
  landedElsewhere(key: string, isStored: boolean): void {
    const flight = this.#flying.get(key)
    if (flight !== undefined && !flight.isOurs) this.#end(flight)
    if (isStored) this.#serveLine(key)
  }

  /** Leaders may be slow, and threads die: called every now and then. */
  tick(): void {
    const now = this.#options.nowMs()
    const looks = Math.abs(now - this.#lookedAtMs) >= LOOK_MS
    if (looks) this.#lookedAtMs = now
    for (const flight of this.#flying.values()) {
      const leftMs = flight.untilMs - now
      // The clock may have been set back.
      if (leftMs <= 0 || leftMs > HEAD_PATIENCE_MS) {
        this.#options.count('cache-flight-late')
        // Its leader lands all the same, with nobody behind it.
        this.#end(flight)
      } else if (looks && !flight.isOurs && this.#isLost(flight)) {
        this.#options.count('cache-flight-lost')
        this.#end(flight)
      }
    }
  }

  /** Its thread died, or word of its landing was lost: it was gone the last time as well. */
  #isLost(flight: Flight): boolean {
    if (this.#options.flights.wait(flight.key)) return (flight.isMissed = false)
    if (flight.isMissed) return true
    flight.isMissed = true
    return false
  }

  #depart(key: string, nowMs: number, whose: Pick<Flight, 'isOurs' | 'isShared'>): Flight {
    const untilMs = nowMs + HEAD_PATIENCE_MS
    const flight: Flight = { key, followers: [], room: FOLLOWERS, untilMs, ...whose, isMissed: false }
    this.#flying.set(key, flight)
    return flight
  }

  #end({ key, isShared, followers }: Flight): void {
    this.#flying.delete(key)
    if (isShared && this.#options.flights.end(key)) this.#options.announce(key)
    for (const follower of followers) if (!follower.ended) this.#options.again(follower)
  }

  #serveLine(key: string): void {
    const waiting = this.#inLine.get(key)
    if (waiting === undefined) return
    for (const exchange of waiting instanceof Set ? [...waiting] : [waiting]) {
      // Whoever leaves the line may make room for the next, who is then admitted and in it no more.
      if (waiting instanceof Set && !waiting.has(exchange)) continue
      this.#options.leaveLine(exchange)
      if (!exchange.ended) this.#options.again(exchange)
    }
  }
}

/** A client that left is not waited for; without this a flight would hold as many as come and go meanwhile. */
function prune(flight: Flight): void {
  flight.followers = flight.followers.filter(({ ended }) => !ended)
  flight.room = Math.max(FOLLOWERS, 2 * flight.followers.length)
}
