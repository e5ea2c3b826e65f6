/**
 * A site in virtual time, for tests and benches: clients, real gates and capacity, and an origin with
 * a number of servers and a queue of its own. Deterministic for a seed.
 */
import { Heap } from '#kit'
import type { Claim, Lane, Outcome, Verdict } from './claim.ts'
import type { GradientLimitOptions } from './gradient-limit.ts'
import { RouteCosts } from './route-costs.ts'
import { SharedCapacity } from './shared-capacity.ts'
import { type GateOptions, SiteGate } from './site-gate.ts'
import { FLAT_WEIGHTS, type Weights } from './weights.ts'

export interface Asker {
  readonly asn: number
  readonly prefix: string
  readonly subscriber: string
  readonly marked?: boolean
}

export interface Source {
  readonly name: string
  readonly perSecond: number
  /** Who asks the n-th time. */
  client(n: number, random: () => number): Asker
  readonly route?: string
  readonly lane?: Lane
  readonly fromMs?: number
  readonly untilMs?: number
  /** Requests that follow each served one at once, as a page's assets do. */
  readonly assets?: number
}

export interface SimulationOptions {
  /** Requests the origin works on at once; others queue there. */
  readonly servers: number
  /** Mean service time by route at a moment. */
  serviceMs(route: string, atMs: number): number
  /** Part of the service time that is random (exponential); half by default. */
  readonly spread?: number
  /** Answers that fail. */
  fails?(route: string, random: () => number): boolean
  readonly weights?: Weights
  readonly threads?: number
  readonly limit?: GradientLimitOptions
  readonly seed?: number
  readonly settings?: GateOptions['settings']
}

export interface Tally {
  asked: number
  served: number
  shed: number
  originMs: number
  delaySumMs: number
  /** From ask to answer, of each that was served. */
  timesMs: number[]
  /** Visits all of whose requests were served, and others. */
  pages: number
  brokenPages: number
}

interface Event {
  index: number
  run: () => void
}

class SimulatedClaim implements Claim {
  ticket: unknown = undefined
  readonly effort = 0
  readonly asn: number
  readonly prefix: string
  readonly subscriber: string
  readonly lane: Lane
  readonly route: string
  readonly marked: boolean
  onDecided: (verdict: Verdict) => void = () => {}

  constructor(who: Asker, lane: Lane, route: string) {
    this.asn = who.asn
    this.prefix = who.prefix
    this.subscriber = who.subscriber
    this.lane = lane
    this.route = route
    this.marked = who.marked === true
  }

  decided(verdict: Verdict): void {
    this.onDecided(verdict)
  }
}

export class Simulation {
  nowMs = 0
  readonly capacity: SharedCapacity
  readonly gates: SiteGate[]
  readonly costs = new RouteCosts()
  readonly tallies = new Map<string, Tally>()
  /** Requests waiting inside the origin. */
  readonly #backlog: (() => void)[] = []
  #busy = 0
  readonly #events = new Heap<Event>((event, index) => {
    event.index = index
  })
  readonly #options: SimulationOptions
  #random: number
  #turn = 0

  constructor(options: SimulationOptions) {
    this.#options = options
    this.#random = options.seed ?? 1
    const threads = options.threads ?? 1
    this.capacity = SharedCapacity.create({ sites: 1, threads })
    if (options.limit) this.capacity.configure(0, options.limit)
    this.gates = Array.from({ length: threads }, (_, thread) => {
      const shared = {
        capacity: this.capacity,
        site: 0,
        thread,
        weights: options.weights ?? FLAT_WEIGHTS,
        costs: this.costs,
      }
      return new SiteGate({ ...shared, ...(options.settings ? { settings: options.settings } : {}) })
    })
    this.#every(10, () => {
      for (const gate of this.gates) gate.tick(this.nowMs)
    })
    this.#every(100, () => this.capacity.updateLimits(this.nowMs))
  }

  /** Mulberry32. */
  readonly random = (): number => {
    let t = (this.#random = (this.#random + 0x6d2b79f5) | 0)
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }

  set learning(learning: boolean) {
    for (const gate of this.gates) gate.learning = learning
  }

  add(source: Source): void {
    let n = 0
    const next = (): void => {
      if (this.nowMs < (source.untilMs ?? Number.POSITIVE_INFINITY)) {
        this.#visit(source, n++)
        this.#after(this.#exponential(1000 / source.perSecond), next)
      }
    }
    this.#after((source.fromMs ?? 0) - this.nowMs + this.#exponential(1000 / source.perSecond), next)
  }

  /** Runs up to a moment. */
  runUntil(untilMs: number): void {
    while (this.#events.minKey <= untilMs) {
      this.nowMs = this.#events.minKey
      this.#events.pop()!.run()
    }
    this.nowMs = untilMs
  }

  /** Forgets what was counted so far. */
  resetTallies(): void {
    this.tallies.clear()
  }

  tally(name: string): Tally {
    let tally = this.tallies.get(name)
    if (!tally)
      this.tallies.set(
        name,
        (tally = {
          asked: 0,
          served: 0,
          shed: 0,
          originMs: 0,
          delaySumMs: 0,
          timesMs: [],
          pages: 0,
          brokenPages: 0,
        }),
      )
    return tally
  }

  /** Part of a source's visits all of whose requests were served. */
  pageShare(name: string): number {
    const { pages, brokenPages } = this.tally(name)
    return pages / Math.max(1, pages + brokenPages)
  }

  /** A quantile of a source's times from ask to answer. */
  timeMs(name: string, quantile: number): number {
    const times = this.tally(name).timesMs.toSorted((a, b) => a - b)
    return times[Math.min(times.length - 1, Math.floor(quantile * times.length))] ?? 0
  }

  /** Part of a source's decided requests that were served. */
  servedShare(name: string): number {
    const { served, shed } = this.tally(name)
    return served / Math.max(1, served + shed)
  }

  /** A visit: a request, and those that follow its answer, on one connection. */
  #visit(source: Source, n: number): void {
    const who = source.client(n, this.random)
    const gate = this.gates[this.#turn++ % this.gates.length]!
    const assets = source.assets ?? 0
    let left = 1 + assets
    let broken = false
    const over = (served: boolean): void => {
      if (!served) broken = true
      if (--left > 0 && !(broken && left === assets)) return
      if (broken) this.tally(source.name).brokenPages++
      else this.tally(source.name).pages++
    }
    this.#ask(source, who, gate, (served) => {
      over(served)
      if (served) for (let i = 0; i < assets; i++) this.#ask(source, who, gate, over)
    })
  }

  #ask(source: Source, who: Asker, gate: SiteGate, over: (served: boolean) => void): void {
    const claim = new SimulatedClaim(who, source.lane ?? 'unproven', source.route ?? 'GET /')
    const askedAt = this.nowMs
    const answered = (served: boolean): void => {
      if (served) this.tally(source.name).timesMs.push(this.nowMs - askedAt)
      over(served)
    }
    this.tally(source.name).asked++
    const act = (verdict: Verdict): void => {
      const tally = this.tally(source.name)
      if (verdict.action === 'shed') {
        tally.shed++
        over(false)
      } else if (verdict.action === 'admit') {
        tally.delaySumMs += this.nowMs - askedAt
        this.#work(gate, claim, source.name, answered)
      }
    }
    claim.onDecided = act
    const verdict = gate.ask(claim, this.nowMs)
    if (verdict.action !== 'queue') act(verdict)
  }

  #work(gate: SiteGate, claim: SimulatedClaim, name: string, over: (served: boolean) => void): void {
    const start = (): void => {
      this.#busy++
      const meanMs = this.#options.serviceMs(claim.route, this.nowMs)
      const randomMs = meanMs * (this.#options.spread ?? 0.5)
      const serviceMs = meanMs - randomMs + this.#exponential(randomMs)
      this.#after(serviceMs, () => {
        this.#busy--
        this.#backlog.shift()?.()
        const failed = this.#options.fails?.(claim.route, this.random) ?? false
        const outcome: Outcome = failed ? 'failed' : 'answered'
        if (!failed) gate.responded(claim, this.nowMs)
        gate.settle(claim, outcome, this.nowMs)
        const tally = this.tally(name)
        tally.served++
        tally.originMs += serviceMs
        over(true)
        for (const other of this.gates) if (other !== gate) other.woken(this.nowMs)
      })
    }
    if (this.#busy < this.#options.servers) start()
    else this.#backlog.push(start)
  }

  #exponential(mean: number): number {
    return -Math.log(1 - this.random()) * mean
  }

  #after(ms: number, run: () => void): void {
    this.#events.push({ index: -1, run }, this.nowMs + Math.max(0, ms))
  }

  #every(ms: number, run: () => void): void {
    const again = (): void => {
      run()
      this.#after(ms, again)
    }
    this.#after(ms, again)
  }
}

/** Clients of a network: `hosts` addresses, 200 to a prefix, each asking in random turn. */
export function network(asn: number, hosts: number): Source['client'] {
  return (_n, random) => {
    const host = Math.floor(random() * hosts)
    const prefix = `net ${asn}.${Math.floor(host / 200)}`
    return { asn, prefix, subscriber: `${prefix}.${host % 200}` }
  }
}

/** Clients spread over several networks with given shares. */
export function networks(
  shares: readonly (readonly [asn: number, share: number])[],
  hosts: number,
): Source['client'] {
  return (n, random) => {
    let left = random()
    for (const [asn, share] of shares) {
      left -= share
      if (left <= 0) return network(asn, Math.ceil(hosts * share))(n, random)
    }
    return network(shares.at(-1)![0], hosts)(n, random)
  }
}
