/**
 * Room for open client connections, shared out by network.
 *
 * Problem: connections cost memory and descriptors whether or not anybody speaks on them, and a cap
 * per address binds only hot addresses. So there is one total for the process, and when it is used
 * up somebody must go for a newcomer: the worst kind of connection first, and within a kind the
 * holder that is most over its calm-weather share (FairQueue's eviction), its oldest first.
 *
 *   slow     no complete request head 3 s after accept: slow loris, idle sockets
 *   idle     no exchange open, none was ever admitted
 *   resting  no exchange open, one was admitted: a visitor's keep-alive connection
 *   busy     an exchange is open; only unproven ones that have been busy for 10 s may be closed
 *            (slow readers), or every newcomer would break somebody's page
 *
 * When nobody may be closed the newcomer is refused. Transports change `active`, `proven` and
 * `requests` without telling us; a seat's kind is looked up when it matters and corrected then, and
 * by `tick` once the budget is nearly used. Until then nobody stands in line at all: a place in the
 * queue's tree costs every connection some 4 µs and 2 kB, for a question that is rarely asked.
 */
import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { type Entry, FairQueue, type Payer, type Weights } from '#admission'
import type { ClientAddress } from '#networks'
import type { Connection } from '../connection.ts'

/** A connection's place in the budget, from accept to close. */
export interface Seat {
  readonly sinceMs: number
  /** Present once a transport serves it. */
  connection: Connection | undefined
  /** Closes the connection; `leave` follows by itself. */
  readonly close: () => void
}

const SLOW = 0
const IDLE = 1
const RESTING = 2
const BUSY = 3
const KIND_COUNTERS = [
  'connection-evicted-slow',
  'connection-evicted-idle',
  'connection-evicted-resting',
  'connection-evicted-busy',
] as const
const SLOW_AFTER_MS = 3000
const BUSY_AFTER_MS = 10_000
/** Part of the budget from which on seats stand in line and their kinds are kept right. */
const NEARLY_USED = 0.8
/** Seats looked at to find one to close: bounds the work a newcomer can cause. */
const MOST_LOOKS = 16

class Place implements Seat {
  readonly sinceMs: number
  readonly close: () => void
  connection: Connection | undefined = undefined
  payer: Payer
  kind = IDLE
  kindSinceMs: number
  entry: Entry<Place> | undefined = undefined

  constructor(payer: Payer, close: () => void, nowMs: number) {
    this.payer = payer
    this.close = close
    this.sinceMs = nowMs
    this.kindSinceMs = nowMs
  }
}

export interface ConnectionBudgetOptions {
  readonly limit: number
  readonly weights: Weights
  readonly count: (counter: string, by?: number) => void
  /** One slot per thread. */
  readonly openByThread: Int32Array
  readonly thread: number
}

export class ConnectionBudget {
  readonly #options: ConnectionBudgetOptions
  /** Seats that came while there was room enough, and those that stand in line since there is not. */
  readonly #apart = new Set<Place>()
  readonly #inLine = new Set<Place>()
  readonly #queues: readonly FairQueue<Place>[]
  #limit: number

  constructor(options: ConnectionBudgetOptions) {
    this.#options = options
    this.#limit = options.limit
    const queue = () =>
      new FairQueue<Place>({
        weights: options.weights,
        maxWaiting: Number.POSITIVE_INFINITY,
        maxPerSubscriber: Number.POSITIVE_INFINITY,
        maxNodes: 65_536,
        count: options.count,
      })
    this.#queues = [queue(), queue(), queue(), queue()]
    this.#publish()
  }

  /** Open connections of this thread. */
  get open(): number {
    return this.#apart.size + this.#inLine.size
  }

  get limit(): number {
    return this.#limit
  }

  set limit(limit: number) {
    this.#limit = limit
  }

  /** Makes room if there is none. Undefined: the newcomer is refused, and it was counted. */
  take(client: ClientAddress, close: () => void, nowMs: number): Seat | undefined {
    const total = this.#total()
    const nearlyUsed = total >= this.#limit * NEARLY_USED
    if (nearlyUsed) this.#lineUp(nowMs)
    if (total >= this.#limit && !this.#makeRoom(nowMs)) {
      this.#options.count('connection-refused')
      return undefined
    }
    const place = new Place(payerOf(client), close, nowMs)
    if (nearlyUsed) {
      this.#inLine.add(place)
      this.#enqueue(place, IDLE, nowMs)
    } else this.#apart.add(place)
    this.#publish()
    return place
  }

  /** The PROXY protocol named somebody else than the peer. */
  rename(seat: Seat, client: ClientAddress, nowMs: number): void {
    const place = seat as Place
    const stands = this.#inLine.has(place)
    if (stands) this.#dequeue(place)
    place.payer = payerOf(client)
    if (stands) this.#enqueue(place, place.kind, nowMs)
  }

  leave(seat: Seat): void {
    const place = seat as Place
    if (this.#inLine.delete(place)) this.#dequeue(place)
    else if (!this.#apart.delete(place)) return
    this.#publish()
  }

  /** Puts every seat with its kind, when that will soon be asked for. Call about every 250 ms. */
  tick(nowMs: number): void {
    if (this.#total() < this.#limit * NEARLY_USED) return
    this.#lineUp(nowMs)
    for (const place of this.#inLine) this.#sort(place, nowMs)
  }

  /** Closes everything. */
  closeAll(): void {
    for (const place of [...this.#apart, ...this.#inLine]) place.close()
  }

  #total(): number {
    const open = this.#options.openByThread
    let total = 0
    // Other threads' slots may be a connection behind: a hint, not an invariant.
    for (let i = 0; i < open.length; i++) total += Atomics.load(open, i)
    return total
  }

  #publish(): void {
    Atomics.store(this.#options.openByThread, this.#options.thread, this.open)
  }

  #lineUp(nowMs: number): void {
    for (const place of this.#apart) {
      this.#inLine.add(place)
      this.#enqueue(place, kindOf(place, nowMs), nowMs)
    }
    this.#apart.clear()
  }

  #makeRoom(nowMs: number): boolean {
    let looks = 0
    for (let kind = SLOW; kind <= RESTING; kind++) {
      const queue = this.#queues[kind]!
      while (looks++ < MOST_LOOKS) {
        const place = queue.evict()?.item
        if (place === undefined) break
        place.entry = undefined
        const actual = kindOf(place, nowMs)
        if (actual === kind || actual < kind) {
          this.#close(place, actual)
          return true
        }
        this.#enqueue(place, actual, nowMs)
      }
    }
    return this.#closeBusy(nowMs)
  }

  #closeBusy(nowMs: number): boolean {
    const spared: Place[] = []
    let found: Place | undefined
    while (spared.length < MOST_LOOKS && found === undefined) {
      const place = this.#queues[BUSY]!.evict()?.item
      if (place === undefined) break
      place.entry = undefined
      const actual = kindOf(place, nowMs)
      const tooLong = place.connection?.proven === false && nowMs - place.kindSinceMs >= BUSY_AFTER_MS
      if (actual !== BUSY || tooLong) found = place
      else spared.push(place)
    }
    for (const place of spared) this.#enqueue(place, BUSY, nowMs)
    if (found === undefined) return false
    this.#close(found, kindOf(found, nowMs))
    return true
  }

  #close(place: Place, kind: number): void {
    this.#options.count(KIND_COUNTERS[kind]!)
    this.leave(place)
    place.close()
  }

  #sort(place: Place, nowMs: number): void {
    const kind = kindOf(place, nowMs)
    if (kind === place.kind) return
    this.#dequeue(place)
    this.#enqueue(place, kind, nowMs)
  }

  #enqueue(place: Place, kind: number, nowMs: number): void {
    if (kind !== place.kind) {
      place.kind = kind
      place.kindSinceMs = nowMs
    }
    place.entry = this.#queues[kind]!.enqueue(place, place.payer, 1, nowMs)
  }

  #dequeue(place: Place): void {
    if (place.entry !== undefined) this.#queues[place.kind]!.withdraw(place.entry)
    place.entry = undefined
  }
}

function kindOf(place: Place, nowMs: number): number {
  const connection = place.connection
  if (connection === undefined || connection.requests === 0) {
    return nowMs - place.sinceMs >= SLOW_AFTER_MS ? SLOW : IDLE
  }
  if (connection.active > 0) return BUSY
  return connection.proven ? RESTING : IDLE
}

function payerOf(client: ClientAddress): Payer {
  return {
    asn: client.asn,
    prefix: client.prefix,
    subscriber: client.subscriber,
    lane: 'unproven',
    effort: 0,
  }
}

/** Descriptors this process may hold; undefined where /proc does not say. */
export function descriptorLimit(limitsFile = '/proc/self/limits'): number | undefined {
  try {
    const match = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync(limitsFile, 'utf8'))
    if (match === null) return undefined
    return match[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(match[1])
  } catch {
    return undefined
  }
}

/** What a TLS connection holds, measured: docs/decisions/tls.md. */
const BYTES_PER_CONNECTION = 50_000
const OWN_DESCRIPTORS = 256

/**
 * The total for `limits.connections`. "auto": two thirds of the descriptors (an exchange needs a
 * second one towards the origin), and no more than fit into a quarter of the memory.
 */
export function connectionLimit(
  configured: number | 'auto',
  descriptors: number = descriptorLimit() ?? 1024,
  memoryBytes: number = process.constrainedMemory() || totalmem(),
): number {
  if (configured !== 'auto') return configured
  const byDescriptors = Math.floor(Math.max(descriptors - OWN_DESCRIPTORS, descriptors / 2) * (2 / 3))
  // Unlimited memory is reported as a number near 2^64.
  const byMemory = Math.floor(Math.min(memoryBytes, totalmem()) / 4 / BYTES_PER_CONNECTION)
  return Math.max(64, Math.min(byDescriptors, byMemory))
}
