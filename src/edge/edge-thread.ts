/** One edge thread put together: listeners, transports, pipeline, and its side of the protocol. */
import { randomBytes } from 'node:crypto'
import { createGate, Hammering, RouteCosts, SharedCapacity, WeightTable } from '#admission'
import { KeyRing, Meter, PageBudget, Prices, WaitingLine } from '#challenge'
import type { ListenConfig } from '#config'
import type { EdgeReport, SiteReport } from '#control'
import { AddressBook, NetworkTable } from '#networks'
import type { CacheDesk, CacheHost } from './cache/cache-desk.ts'
import { type CacheStart, ThreadCache } from './cache/thread-cache.ts'
import { CrawlerDns, systemLookups } from './crawler-dns.ts'
import { Deadlines } from './deadlines.ts'
import type { EdgeEvent } from './edge.ts'
import { Entrance } from './entrance/entrance.ts'
import { FastTransport } from './fast/downstream.ts'
import { Http2 } from './h2.ts'
import { EdgeHouse, type SiteParts, type SiteRuntime } from './house.ts'
import { openListeners } from './listen/listeners.ts'
import type { Listeners } from './listen/types.ts'
import type { FromThread, Setup, SiteMemory, ThreadStart, ToThread } from './messages.ts'
import { NodeHttp } from './node-http.ts'
import { Origins } from './origins.ts'
import { PaceWatch } from './pace.ts'
import { Pipeline } from './pipeline.ts'
import { SumDeltas } from './sum-deltas.ts'

const TICK_MS = 10
const REPORT_MS = 250
const PACE_MS = 1000
const WARM_MS = 1000
/** Reports between two that tell route costs. */
const ROUTES_EVERY = 240
/** With more sites than this only those where something happened are in a report. */
const ALWAYS_REPORTED = 64

export class EdgeThread {
  readonly #start: ThreadStart
  readonly #post: (message: FromThread) => void
  readonly #capacity: SharedCapacity
  readonly #house: EdgeHouse
  readonly #pipeline: Pipeline
  readonly #deadlines = new Deadlines()
  readonly #fast: FastTransport
  readonly #node: NodeHttp
  readonly #h2: Http2
  readonly #watch = new PaceWatch()
  readonly #timers: NodeJS.Timeout[] = []
  #memory: ReadonlyMap<string, SiteMemory>
  #listeners: Listeners | undefined
  #loop = performance.eventLoopUtilization()
  /** Of each site that is there. */
  readonly #costs = new WeakMap<object, RouteCosts>()
  readonly #lines = new WeakMap<SiteRuntime, WaitingLine>()
  /** Asks nobody before a site wants it. */
  readonly #crawlers = new CrawlerDns(systemLookups())
  readonly #crawlerSums = new SumDeltas('crawler-dns-')
  #cache: ThreadCache | undefined
  #reports = 0
  #draining = false
  /** The forgotten proxy that was told last. */
  #suspect = ''
  /** Places whose port the system chose here: for the listeners they still are port 0. */
  readonly #chosen = new Set<string>()

  constructor(start: ThreadStart, post: (message: FromThread) => void) {
    this.#start = start
    this.#post = post
    this.#capacity = new SharedCapacity(start.capacity)
    this.#memory = byName(start.setup.sites)
    const count = (counter: string, by?: number) => this.#house.count(counter, by)
    const parts: SiteParts = {
      gate: (_site, name) => {
        const memory = this.#memory.get(name)!
        const costs = new RouteCosts()
        costs.restore(start.routes.get(name) ?? [])
        const gate = createGate({
          capacity: this.#capacity,
          site: memory.slot,
          thread: start.thread,
          weights: new WeightTable(memory.weights),
          costs,
          count,
        })
        this.#costs.set(gate, costs)
        return gate
      },
      origins: (site) =>
        new Origins(site, { onChange: (change) => this.#originChanged(site.hosts[0]!, change) }),
    }
    this.#house = new EdgeHouse(start.setup.config, start.policy, parts)
    const entrance = new Entrance({
      keys: new KeyRing(start.master),
      meter: new Meter(start.meter),
      prices: new Prices(start.prices),
      threads: start.threads,
      lineOf: (site) => this.#lineOf(site),
      count,
      random: Math.random,
      crawlerByName: (client, agent) => this.#crawlers.engineOf(client.text, agent, performance.now()),
      random8: () => randomBytes(8).toString('base64url'),
    })
    this.#pipeline = new Pipeline({
      house: this.#house,
      entrance,
      pageBudget: new PageBudget({ count }),
      weights: new WeightTable(start.weights),
      book: new AddressBook(new NetworkTable(start.networks)),
      hammering: new Hammering({ count }),
      thread: start.thread,
      threads: start.threads,
      ...(start.cache && { cache: (host) => this.#openCache(start.cache!, host) }),
    })
    this.#pipeline.setLists(start.lists)
    this.#node = new NodeHttp(this.#pipeline, this.#watch)
    this.#h2 = new Http2(this.#pipeline, this.#watch)
    this.#fast = new FastTransport({
      house: this.#house,
      reception: this.#pipeline,
      deadlines: this.#deadlines,
      handOver: (connection, bytes) => {
        connection.socket.unshift(bytes)
        this.#node.serve(connection)
      },
    })
  }

  #warm(): void {
    if (this.#cache === undefined) return
    const isArmed = this.#house.policy.armed !== undefined
    for (const site of this.#house.sites.values()) {
      const { limit, inFlight } = this.#capacity.state(this.#memory.get(site.name)!.slot)
      this.#cache.desk.warm(site, { isArmed, spareRatio: 1 - inFlight / Math.max(1, limit) })
    }
  }

  #openCache(start: CacheStart, host: CacheHost): CacheDesk {
    const wake = () => this.#post({ type: 'library-wanted' })
    this.#cache = new ThreadCache(start, this.#start.thread, this.#house, host, wake)
    return this.#cache.desk
  }

  #lineOf(site: SiteRuntime): WaitingLine {
    let line = this.#lines.get(site)
    if (line === undefined) this.#lines.set(site, (line = new WaitingLine(this.#memory.get(site.name)!.line)))
    return line
  }

  async open(): Promise<void> {
    const { setup, reusePort, ticketKeys, openByThread, thread, weights } = this.#start
    const { book, hammering, forwardingWatch } = this.#pipeline
    this.#listeners = await openListeners({
      listen: setup.config.listen,
      limits: setup.config.limits,
      reusePort,
      certificates: setup.certificates,
      ticketKeys,
      openByThread,
      thread,
      weights: new WeightTable(weights),
      describe: (address) => book.identify(address),
      isDropped: (client, isPeer) => {
        if (hammering.state(client.subscriber, performance.now()) !== 'drop') return false
        if (forwardingWatch.isSuspect(client) || this.#pipeline.entrance.isPeoples(client)) return false
        if (isPeer) this.#pipeline.droppedAgain(client)
        return true
      },
      isMarked: (client, serverName, ja4) => this.#pipeline.isMarked(client, serverName, ja4),
      count: (counter, by) => this.#house.count(counter, by),
      onConnection: (connection, protocol) => {
        if (protocol === 'h2') this.#h2.serve(connection)
        else this.#fast.serve(connection)
      },
      onEvent: (event) => this.#event(event),
    })
    this.#noteChosen(setup.config.listen)
    this.#deadlines.start()
    this.#every(TICK_MS, () => this.#pipeline.tick())
    this.#every(REPORT_MS, () => this.#report())
    this.#every(PACE_MS, () => this.#crawlers.tick(performance.now()))
    // One thread sees enough of what is wanted, and all get what it refreshes.
    if (thread === 0) this.#every(WARM_MS, () => this.#warm())
    this.#every(PACE_MS, () => this.#watch.check(PACE_MS, this.#house.config.limits.minBytesPerSecond))
    void this.#wake()
    this.#post({ type: 'ready', ports: this.#listeners.ports })
  }

  handle(message: ToThread): void {
    switch (message.type) {
      case 'policy':
        this.#house.policy = message.policy
        this.#pipeline.policyChanged()
        break
      case 'setup':
        void this.#reload(message.id, message.setup)
        break
      case 'lists':
        this.#pipeline.setLists(message.lists)
        break
      case 'ticket-keys':
        this.#listeners?.setTicketKeys(message.keys)
        break
      case 'drain':
        void this.#drain(message.deadlineMs)
        break
      case 'library':
        this.#cache?.replacePort(message.port)
        break
      default:
        message satisfies never
    }
  }

  async #reload(id: number, setup: Setup): Promise<void> {
    const { config, certificates } = setup
    let fault = ''
    try {
      // The only part that can fail comes first: nothing has changed when it does.
      const listen = config.listen.map((door) =>
        this.#chosen.has(`${door.address} ${door.port}`) ? { ...door, port: 0 } : door,
      )
      await this.#listeners!.reload({ listen, limits: config.limits, certificates })
      this.#noteChosen(listen)
      this.#memory = byName(setup.sites)
      this.#house.configure(config)
      this.#pipeline.configured()
      this.#pipeline.policyChanged()
      this.#node.configured()
    } catch (error) {
      fault = error instanceof Error ? error.message : String(error)
    }
    this.#post({ type: 'setup-done', id, fault, ports: this.#listeners?.ports ?? [] })
  }

  #noteChosen(listen: readonly ListenConfig[]): void {
    listen.forEach((door, i) => {
      if (door.port === 0) this.#chosen.add(`${door.address} ${this.#listeners!.ports[i]}`)
    })
  }

  async #drain(deadlineMs: number): Promise<void> {
    if (this.#draining) return
    this.#draining = true
    const endMs = performance.now() + deadlineMs
    await this.#listeners?.stop()
    this.#fast.drain()
    this.#node.drain()
    this.#h2.drain()
    while (this.#pipeline.active > 0 && performance.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const left = this.#pipeline.active
    this.#report(true)
    for (const timer of this.#timers) clearInterval(timer)
    await this.#listeners?.close()
    this.#deadlines.stop()
    this.#fast.close()
    this.#node.close()
    this.#h2.close()
    this.#cache?.close()
    this.#house.close()
    this.#post({ type: 'drained', left })
  }

  /** A permit that another thread freed is for one of our waiters. */
  async #wake(): Promise<void> {
    while (!this.#draining) {
      await this.#capacity.woken(this.#start.thread)
      this.#pipeline.woken()
    }
  }

  #report(isLast = false): void {
    const house = this.#house
    const sites: Record<string, SiteReport> = {}
    const all = house.sites.size <= ALWAYS_REPORTED
    const tellsRoutes = isLast || ++this.#reports % ROUTES_EVERY === 0
    for (const site of house.sites.values()) {
      const gate = site.gate.report()
      if (!all && site.tally.isEmpty && gate.waiting === 0) continue
      const figures = { ...site.tally.drain(gate, site.origins.states), ...site.recognition.drain() }
      const costs = tellsRoutes ? this.#costs.get(site.gate) : undefined
      sites[site.name] = costs === undefined ? figures : { ...figures, routes: costs.rows() }
    }
    const loop = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(loop, this.#loop)
    this.#loop = loop
    const { records, lost } = this.#pipeline.recorder.drain()
    const suspect = this.#pipeline.forwardingWatch.suspect()
    if (suspect !== undefined) {
      house.count('untrusted-proxy-suspected')
      if (suspect.peer !== this.#suspect) {
        this.#suspect = suspect.peer
        this.#event({
          level: 'warn',
          code: 'untrusted-proxy',
          message: `${suspect.peer} sends most requests with forwarding fields and is not in trustedProxies: its visitors look like one client`,
          subject: suspect.peer,
        })
      }
    }
    const offenders = this.#pipeline.offenders.drain()
    const report: EdgeReport = {
      thread: this.#start.thread,
      atMs: Date.now(),
      sites,
      gauges: { ...this.#listeners?.gauges(), active: this.#pipeline.active, eventLoopRatio: utilization },
      counters: {
        ...house.drainCounters(),
        ...this.#crawlerSums.take({ ...this.#crawlers.counters }),
        ...this.#cache?.takeCounters(),
      },
      records,
      recordsLost: lost,
      ...(offenders && { offenders }),
    }
    this.#post({ type: 'report', report })
  }

  #originChanged(site: string, change: { url: string; healthy: boolean; reason: string }): void {
    this.#event({
      level: change.healthy ? 'info' : 'warn',
      code: change.healthy ? 'origin-up' : 'origin-down',
      message: `${site}: origin ${change.url} ${change.healthy ? 'answers again' : `rests (${change.reason})`}`,
    })
  }

  #event(event: Omit<EdgeEvent, 'thread'>): void {
    this.#post({ type: 'event', event: { ...event, thread: this.#start.thread } })
  }

  #every(ms: number, task: () => void): void {
    this.#timers.push(setInterval(task, ms))
  }
}

function byName(sites: readonly SiteMemory[]): ReadonlyMap<string, SiteMemory> {
  return new Map(sites.map((site) => [site.name, site]))
}
