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

interface Flight {
  readonly followers: Exchange[]
  /** Nobody waits longer. */
  untilMs: number
  /** Other threads know of it. */
  readonly isShared: boolean
}

/** For the head of the answer; then for its body, since the leader may be reading slowly. */
const HEAD_PATIENCE_MS = 30_000
const BODY_PATIENCE_MS = 2000
/** Times a request waits for somebody else's answer before it asks by itself. */
const MOST_FOLLOWS = 2

export class Collapsing {
  readonly #options: CollapsingOptions
  readonly #flying = new Map<string, Flight>()
  /** Who stands in the gate's line, by what it wants. */
  readonly #inLine = new Map<string, Set<Exchange>>()

  constructor(options: CollapsingOptions) {
    this.#options = options
  }

  /** `leads`, or `alone`: ask the origin, and say `landed` in the end. `flies`: somebody else does. */
  begin(key: string): 'leads' | 'flies' | 'alone' {
    if (this.#flying.has(key)) return 'flies'
    const { flights, nowMs } = this.#options
    const now = nowMs()
    const begun = flights.begin(key, now, HEAD_PATIENCE_MS)
    if (begun !== 'flies') this.#depart(key, now, begun === 'leads')
    return begun
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
      flight = this.#depart(key, nowMs(), false)
    }
    exchange.follows++
    flight.followers.push(exchange)
    return true
  }

  /** It stands in the gate's line for this. */
  queued(exchange: Exchange, key: string): void {
    const others = this.#inLine.get(key)
    if (others === undefined) this.#inLine.set(key, new Set([exchange]))
    else others.add(exchange)
  }

  unqueued(exchange: Exchange, key: string): void {
    const others = this.#inLine.get(key)
    if (others?.delete(exchange) === true && others.size === 0) this.#inLine.delete(key)
  }

  /** The head of its answer has come, and the body will be stored. */
  copying(key: string): void {
    const flight = this.#flying.get(key)
    if (flight !== undefined)
      flight.untilMs = Math.min(flight.untilMs, this.#options.nowMs() + BODY_PATIENCE_MS)
  }

  /** A flight that began here is over. */
  landed(key: string, isStored: boolean): void {
    const flight = this.#flying.get(key)
    this.#flying.delete(key)
    if (flight?.isShared === true && this.#options.flights.end(key)) this.#options.announce(key)
    if (flight !== undefined) this.#release(flight)
    if (isStored) this.#serveLine(key)
  }

  landedElsewhere(key: string): void {
    const flight = this.#flying.get(key)
    if (flight === undefined || flight.isShared) return
    this.#flying.delete(key)
    this.#release(flight)
    this.#serveLine(key)
  }

  /** Leaders may be slow, and threads die: called every now and then. */
  tick(): void {
    const now = this.#options.nowMs()
    for (const [key, flight] of this.#flying) {
      if (now < flight.untilMs) continue
      this.#options.count('cache-flight-late')
      // Its leader lands all the same, with nobody behind it.
      this.#flying.delete(key)
      if (flight.isShared && this.#options.flights.end(key)) this.#options.announce(key)
      this.#release(flight)
    }
  }

  #depart(key: string, nowMs: number, isShared: boolean): Flight {
    const flight: Flight = { followers: [], untilMs: nowMs + HEAD_PATIENCE_MS, isShared }
    this.#flying.set(key, flight)
    return flight
  }

  #release(flight: Flight): void {
    for (const follower of flight.followers) if (!follower.ended) this.#options.again(follower)
  }

  #serveLine(key: string): void {
    const waiting = this.#inLine.get(key)
    if (waiting === undefined) return
    for (const exchange of [...waiting]) {
      this.#options.leaveLine(exchange)
      if (!exchange.ended) this.#options.again(exchange)
    }
  }
}
