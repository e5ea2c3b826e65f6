/**
 * The visitors of a run: cohorts of browsers whose arrivals are open-loop. They come when they come,
 * and latency counts from the arrival, also when the visitor's six connections are busy or his
 * device is still at work on an earlier page.
 */
import { connect, type Socket } from 'node:net'
import { quantile } from '../lib/stats.ts'
import { Accounting, type Rows } from './accounting.ts'
import { AGENTS, type Ask, Browser, forwarded, source } from './browser.ts'
import { loopback } from './loopback-only.ts'
import { networkOf } from './networks.ts'
import { MOST_TRIES, type PaymentEnd } from './payment.ts'
import type { Cohort, VisitorPlan } from './plan.ts'
import { below, exponential, type Random, seeded } from './random.ts'

export interface VisitorProgress {
  readonly arrived: number
  /** Requests whose fate was decided: served, or not. */
  readonly decided: number
  readonly served: number
  /** Of those served; NaN when none was. */
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface VisitorResult {
  readonly role: 'visitors'
  readonly rows: Rows
  /** How the payments of visitors ended. */
  readonly payments: Readonly<Record<PaymentEnd, number>>
  /** CPU of the generator's process over its run, as a share of one core. */
  readonly cpuShare: number
  readonly streams: {
    readonly wanted: number
    readonly open: number
    readonly events: number
    readonly eventsWanted: number
  }
  readonly downloads: {
    readonly wanted: number
    readonly whole: number
    readonly broken: number
    readonly bytes: number
  }
}

/** Where one visitor at a time stays. */
interface Place {
  browser: Browser
  leavesMs: number
  /** How many have been here. */
  count: number
}

interface Group {
  readonly cohort: Cohort
  readonly random: Random
  readonly perMs: number
  readonly deadlineMs: number
  readonly places: Place[]
  /** In order of arrival, so that the oldest is always first to expire. */
  asks: Ask[]
  head: number
  nextMs: number
}

export class VisitorLoad {
  readonly plan: VisitorPlan
  readonly accounting = new Accounting()
  readonly t0: number
  readonly #groups: Group[]
  /** Not the arrivals' own: how long solving takes must not change who comes when. */
  readonly #luck: Random
  readonly #payments: Record<PaymentEnd, number> = { paid: 0, help: 0, left: 0 }
  #arrived = 0
  #decided = 0
  #latencies: number[] = []
  #stopped = false
  #streams: { open: boolean; events: number }[] = []
  #downloads = { whole: 0, broken: 0, bytes: 0 }

  constructor(plan: VisitorPlan) {
    loopback(plan.target.address)
    this.plan = plan
    this.t0 = plan.startAtMs - Date.now() + performance.now()
    this.#luck = seeded(plan.seed * 1000 + 999)
    this.#groups = plan.cohorts.map((cohort, index) => {
      for (const address of cohort.addresses) loopback(address)
      // Each its own: one stream for all would make the arrivals depend on how ticks fall.
      const random = seeded(plan.seed * 1000 + index)
      const people = cohort.stays?.people ?? cohort.addresses.length
      const perMs = (cohort.perSecond * people) / 1000
      const deadlineMs = cohort.deadlineMs ?? plan.deadlineMs
      const fromMs = this.t0 + cohort.fromS * 1000
      return {
        cohort,
        random,
        perMs,
        deadlineMs,
        places: Array.from({ length: people }, (_, i) => ({
          browser: this.#browser(cohort, i, deadlineMs),
          // Those who are there at first have come at different times.
          leavesMs: cohort.stays ? fromMs + random() * cohort.stays.stayS * 1000 : Number.POSITIVE_INFINITY,
          count: 1,
        })),
        asks: [],
        head: 0,
        nextMs: fromMs + exponential(random, perMs),
      }
    })
  }

  /** What happened since the last look: for live displays. */
  progress(): VisitorProgress {
    const seen = {
      arrived: this.#arrived,
      decided: this.#decided,
      served: this.#latencies.length,
      p50Ms: quantile(this.#latencies, 0.5),
      p99Ms: quantile(this.#latencies, 0.99),
    }
    this.#arrived = 0
    this.#decided = 0
    this.#latencies = []
    return seen
  }

  run(): Promise<VisitorResult> {
    for (const address of this.plan.streams) this.#hold(loopback(address), '/events')
    for (const address of this.plan.downloads) this.#hold(loopback(address), '/download')
    const cpuBefore = process.cpuUsage()
    const began = performance.now()
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        const now = performance.now()
        this.#arrive(now)
        for (const group of this.#groups) this.#expire(group, now)
        const done =
          now > this.t0 + this.plan.seconds * 1000 && this.#groups.every((group) => this.#isDecided(group))
        if (!done) return
        clearInterval(timer)
        const { user, system } = process.cpuUsage(cpuBefore)
        resolve(this.#finish((user + system) / 1000 / (now - began)))
      }, 2)
    })
  }

  #browser(cohort: Cohort, index: number, deadlineMs: number): Browser {
    const at = index % cohort.addresses.length
    return new Browser({
      target: this.plan.target,
      cohort,
      address: cohort.addresses[at]!,
      cookie: cohort.cookies?.[at],
      index,
      deadlineMs,
      random: this.#luck,
      over: (ask, fate, costMs) => this.#over(ask, fate, costMs),
      paid: (end) => {
        this.#payments[end]++
      },
    })
  }

  #over(ask: Ask, fate: string, costMs: number): void {
    const latencyMs = performance.now() - ask.arrivedMs
    this.#decided++
    if (fate === 'served') this.#latencies.push(latencyMs)
    const { cohort, address } = ask.browser.options
    this.accounting.add({
      cohort: cohort.name,
      network: networkOf(address),
      atS: (ask.arrivedMs - this.t0) / 1000,
      latencyMs,
      costMs,
      fate,
    })
  }

  #arrive(now: number): void {
    for (const group of this.#groups) {
      const { cohort, random } = group
      const until = cohort.lingers ? Number.POSITIVE_INFINITY : this.t0 + cohort.untilS * 1000
      while (group.nextMs <= now && group.nextMs < until) {
        // Poisson per visitor is one Poisson process whose events pick a visitor evenly.
        const at = below(random, group.places.length)
        const dear = random() < cohort.searchShare
        const n = below(random, 50)
        const path = cohort.link
          ? cohort.link.page
          : dear
            ? `/search?q=word${n}`
            : n === 0
              ? '/'
              : `/article/${n}`
        group.asks.push(this.#at(group, at).ask(path, group.nextMs))
        this.#arrived++
        group.nextMs += exponential(random, group.perMs)
      }
    }
  }

  /** Who is at a place now. */
  #at(group: Group, index: number): Browser {
    const place = group.places[index]!
    const { stays } = group.cohort
    if (stays && group.nextMs >= place.leavesMs) {
      place.browser.retire()
      const stayMs = stays.stayS * 1000
      // A stay of nothing: for each page somebody else.
      if (stayMs > 0) place.leavesMs += stayMs * (1 + Math.floor((group.nextMs - place.leavesMs) / stayMs))
      place.browser = this.#browser(group.cohort, index + place.count * stays.people, group.deadlineMs)
      place.count++
    }
    return place.browser
  }

  #expire(group: Group, now: number): void {
    const oldest = now - group.deadlineMs
    while (group.head < group.asks.length) {
      const ask = group.asks[group.head]!
      if (!ask.isOver) {
        if (ask.arrivedMs > oldest) break
        ask.over(ask.tries >= MOST_TRIES ? 'help' : 'timeout', 0)
      }
      group.head++
    }
    if (group.head > 4096) {
      group.asks = group.asks.slice(group.head)
      group.head = 0
    }
  }

  /** Whether the fate of all is known who came in time. */
  #isDecided(group: Group): boolean {
    const first = group.asks[group.head]
    return !first || first.arrivedMs >= this.t0 + group.cohort.untilS * 1000
  }

  /** A long-lived exchange; a broken download begins again, a broken stream stays broken. */
  #hold(address: string, path: string): void {
    const { target } = this.plan
    const state = { open: false, events: 0 }
    if (path === '/events') this.#streams.push(state)
    const socket = connect({
      host: target.address,
      port: target.port,
      ...source(address, target.forwardedFor),
    })
    let bytes = 0
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${target.host}\r\nUser-Agent: ${AGENTS[0]}\r\nAccept: */*\r\n${forwarded(address, target.forwardedFor)}\r\n`,
    )
    socket.on('data', (data) => {
      bytes += data.length
      if (path === '/events') {
        state.open = true
        state.events += data.toString('latin1').split('data: ').length - 1
      } else {
        this.#downloads.bytes += data.length
        if (bytes > 64 * 64_000) {
          this.#downloads.whole++
          socket.destroy()
          if (!this.#stopped) this.#hold(address, path)
        }
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      state.open = false
      if (path === '/download' && !this.#stopped && bytes <= 64 * 64_000) {
        this.#downloads.broken++
        if (this.#downloads.broken < 1000) setTimeout(() => this.#stopped || this.#hold(address, path), 1000)
      }
    })
    this.#held.push(socket)
  }
  readonly #held: Socket[] = []

  #finish(cpuShare: number): VisitorResult {
    const open = this.#streams.filter((s) => s.open).length
    this.#stopped = true
    for (const group of this.#groups) {
      // Whom nobody counts has no fate, but his connections end like the others'.
      for (const ask of group.asks.slice(group.head)) ask.browser.leave()
      for (const place of group.places) place.browser.leave()
    }
    for (const socket of this.#held) socket.destroy()
    return {
      role: 'visitors',
      rows: this.accounting.rows(),
      payments: { ...this.#payments },
      cpuShare,
      streams: {
        wanted: this.plan.streams.length,
        open,
        events: this.#streams.reduce((sum, s) => sum + s.events, 0),
        eventsWanted: this.plan.streams.length * this.plan.seconds,
      },
      downloads: { wanted: this.plan.downloads.length, ...this.#downloads },
    }
  }
}
