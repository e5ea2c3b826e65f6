/**
 * The main side of the edge: worker threads that listen on the same ports, and what they share.
 *
 * A thread that dies is replaced, after a wait that doubles while it keeps dying; its permits go back
 * to the shared capacity, and the others go on. Threads ask the main side for nothing while they
 * serve: when it is busy or silent they go on with the last policy.
 */
import { availableParallelism } from 'node:os'
import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import { type CapacityState, LANE_SHARES, SharedCapacity, WeightTable } from '#admission'
import { Flights, type Purge } from '#cache'
import {
  createLineMemory,
  type LineMemory,
  type LineSizes,
  type LineState,
  LineTurns,
  Meter,
  newMaster,
  PRICE_TICK_MS,
  Prices,
} from '#challenge'
import type { Config, ListenConfig } from '#config'
import type { EdgeReport, Policy } from '#control'
import { randomHashKey } from '#kit'
import { openNetworks } from '#networks'
import { Library } from './cache/library.ts'
import type { LibraryReport } from './cache/library-protocol.ts'
import type { CacheStart } from './cache/thread-cache.ts'
import { certificateStamp, readCertificates, renewCertificates } from './certificates.ts'
import type { Edge, EdgeEvent, EdgeOptions } from './edge.ts'
import { newTicketKeySet, rotateTicketKeys } from './listen/ticket-keys.ts'
import {
  type FromThread,
  type Lists,
  NO_LISTS,
  type Setup,
  type SiteMemory,
  type ThreadStart,
  type ToThread,
} from './messages.ts'
import { hasReusePort } from './reuse-port.ts'

const LIMITS_MS = 100
const CERTIFICATES_MS = 5000
const TICKET_KEYS_MS = 6 * 3_600_000
const RESPAWN_MIN_MS = 100
const RESPAWN_MAX_MS = 10_000
/**
 * V8 sizes its heaps for throughput on a machine of its own, with an old generation that may double
 * before it is swept: a flood of new addresses doubled the process without one table growing.
 *
 * The young generation (three half spaces of 16 MB at most, as V8 counts) must be several times what waits
 * in line: 2,048 requests are some 3 MB. When it held little more than that (5 MB), every collection
 * copied the whole line, and most of a flood grew old before it was shed and was left to the marker.
 */
const YOUNG_MB = 48
/** How far the old generation may grow over what was alive at the last sweep. */
const GROWTH_PERCENT = 25
/** A thread that lived so long starts with a short wait again. */
const SETTLED_MS = 60_000
/** Words of weight tables for all sites together (16 bytes a slot): 64 MB at most. */
const WEIGHT_SLOTS = 4_194_304
/** Sites of which each has a waiting room of full size; more share the memory. */
const ROOMY_SITES = 8
const LINES_MS = 500

/** The edge could not start, or a new configuration could not be put in force. */
export class EdgeError extends Error {
  readonly code = 'DIGUE_EDGE'
}

interface Slot {
  readonly thread: number
  worker: Worker
  startedAtMs: number
  deaths: number
  ready: boolean
}

export async function startEdge(config: Config, options: EdgeOptions): Promise<Edge> {
  const edge = new Threads(config, options)
  await edge.start()
  return edge
}

class Threads implements Edge {
  readonly #options: EdgeOptions
  readonly #count: number
  readonly #reusePort: boolean
  readonly #capacity: SharedCapacity
  readonly #openByThread: Int32Array<SharedArrayBuffer>
  readonly #tables = new Map<string, WeightTable>()
  readonly #lines = new Map<string, { readonly memory: LineMemory; readonly turns: LineTurns }>()
  /** Requests that origins answered since the lines were last looked at, and a running mean per second. */
  readonly #answered = new Map<string, { count: number; perSecond: number }>()
  readonly #meter = Meter.create()
  readonly #prices = Prices.create({ key: randomHashKey() })
  readonly #flights = Flights.memory()
  readonly #library: Library | undefined
  readonly #slots = new Map<string, number>()
  readonly #maxima = new Map<string, number | undefined>()
  readonly weights: WeightTable
  #config: Config
  #policy: Policy
  #lists: Lists = NO_LISTS
  #setup!: Setup
  #networks!: SharedArrayBuffer
  #ticketKeys = newTicketKeySet()
  readonly #master: Uint8Array
  #calm: boolean
  #threads: Slot[] = []
  #ports: readonly number[] = []
  #timers: NodeJS.Timeout[] = []
  #certificateStamp = ''
  #setups = 0
  readonly #setupDone = new Map<string, (fault: string) => void>()
  readonly #drained = new Map<number, () => void>()
  #closing = false
  #reloading: Promise<unknown> = Promise.resolve()

  constructor(config: Config, options: EdgeOptions) {
    this.#config = config
    this.#options = options
    this.#policy = options.policy
    this.#master = options.master ?? newMaster()
    this.weights = options.weights ?? WeightTable.create()
    this.#calm = isCalm(options.policy)
    this.#reusePort = hasReusePort()
    const wanted = config.threads === 'auto' ? availableParallelism() : config.threads
    this.#count = this.#reusePort ? wanted : 1
    if (this.#count < wanted && config.threads !== 'auto') {
      this.#event(
        'warn',
        'one-thread',
        'this system cannot share a port among threads: one thread listens',
        0,
      )
    }
    // Room for sites that a reload brings.
    this.#capacity = SharedCapacity.create({ sites: config.sites.length * 2 + 64, threads: this.#count })
    this.#openByThread = new Int32Array(new SharedArrayBuffer(this.#count * 4))
    this.#library = config.sites.some(({ cache }) => cache.enabled) ? this.#openLibrary() : undefined
  }

  #openLibrary(): Library {
    const { memory, disk } = this.#config.cache
    return Library.start({
      directory: disk === 0 ? undefined : this.#options.cacheDirectory,
      threads: this.#count,
      memoryBytes: memory,
      diskBytes: disk,
      onEvent: ({ level, code, message }) => this.#event(level, code, message, 0),
      onPort: (thread, port) => this.#threads[thread]?.worker.postMessage({ type: 'library', port }, [port]),
    })
  }

  get ports(): readonly number[] {
    return this.#ports
  }

  get threads(): number {
    return this.#count
  }

  async start(): Promise<void> {
    // Holds for heaps of this process from now on; a V8 that does not know it goes on as usual.
    setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`)
    const networks = await openNetworks(this.#config.networks)
    for (const fault of networks.faults) this.#event('warn', 'networks', fault, 0)
    this.#networks = networks.table.buffer
    this.#certificateStamp = await certificateStamp(this.#config)
    const certificates = await readCertificates(this.#config)
    this.#setup = { config: this.#config, sites: this.#sitesOf(this.#config), certificates }
    try {
      // The first thread alone: it finds the ports where the system may choose them.
      this.#ports = await this.#spawn(0)
      this.#setup = { ...this.#setup, config: withPorts(this.#config, this.#config, this.#ports) }
      await Promise.all(Array.from({ length: this.#count - 1 }, (_, i) => this.#spawn(i + 1)))
    } catch (error) {
      await this.close()
      throw error
    }
    this.#every(LIMITS_MS, () => this.#capacity.updateLimits(performance.now()))
    this.#every(LINES_MS, () => this.#moveLines())
    this.#every(PRICE_TICK_MS, () => this.#prices.tick(performance.now()))
    this.#every(CERTIFICATES_MS, () => void this.#lookAtCertificates())
    this.#every(TICKET_KEYS_MS, () => this.#rotateTicketKeys())
  }

  setLists(memory: SharedArrayBuffer | undefined, names: readonly string[]): void {
    this.#lists = { memory, names }
    this.#broadcast({ type: 'lists', lists: this.#lists })
  }

  setPolicy(policy: Policy): void {
    this.#policy = policy
    this.#broadcast({ type: 'policy', policy })
    const calm = isCalm(policy)
    if (calm === this.#calm) return
    this.#calm = calm
    // Tickets of calm weather vouch for their holders in a flood; those given out in it do not.
    this.#rotateTicketKeys()
  }

  reload(config: Config): Promise<void> {
    const done = this.#reloading.then(() => this.#reload(config))
    this.#reloading = done.catch(() => {})
    return done
  }

  async drain(deadlineMs: number): Promise<void> {
    this.#closing = true
    await Promise.all(
      this.#threads.map(async ({ thread, worker }) => {
        // A thread that hangs must not hold the others' end.
        const limit = AbortSignal.timeout(deadlineMs + 2000)
        await new Promise<void>((resolve) => {
          this.#drained.set(thread, resolve)
          limit.addEventListener('abort', () => resolve())
          worker.postMessage({ type: 'drain', deadlineMs } satisfies ToThread)
        })
      }),
    )
    await this.close()
  }

  async close(): Promise<void> {
    this.#closing = true
    for (const timer of this.#timers) clearInterval(timer)
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()))
    await this.#library?.close()
  }

  async purge(what: Purge): Promise<number> {
    return this.#library === undefined ? 0 : this.#library.purge(what)
  }

  async cacheReport(): Promise<LibraryReport | undefined> {
    return this.#library?.report()
  }

  weightsOf(site: string): WeightTable | undefined {
    return this.#tables.get(site)
  }

  capacityOf(site: string): CapacityState | undefined {
    const slot = this.#slots.get(site)
    return slot === undefined ? undefined : this.#capacity.state(slot)
  }

  waitingRoomOf(site: string): LineState | undefined {
    return this.#lines.get(site)?.turns.state()
  }

  get entrance(): { mostPrice: number; meterRefused: number } {
    return { mostPrice: this.#prices.raised.most, meterRefused: this.#meter.refused }
  }

  /** For tests of what happens then. */
  killThread(thread: number): void {
    void this.#threads[thread]?.worker.terminate()
  }

  async #reload(config: Config): Promise<void> {
    const certificates = await readCertificates(config)
    const stamp = await certificateStamp(config)
    const before = this.#setup
    const setup: Setup = {
      config: withPorts(config, this.#config, this.#ports),
      sites: this.#sitesOf(config),
      certificates,
    }
    await this.#apply(setup, before)
    this.#config = config
    this.#certificateStamp = stamp
  }

  /** Everywhere or nowhere: threads that took the new setup take the old one again when one could not. */
  async #apply(setup: Setup, before: Setup): Promise<void> {
    this.#setup = setup
    const faults = await this.#sendSetup(setup)
    const fault = faults.find((text) => text !== '')
    if (fault === undefined) return
    this.#setup = before
    await this.#sendSetup(before)
    throw new EdgeError(fault)
  }

  #sendSetup(setup: Setup): Promise<string[]> {
    const id = ++this.#setups
    return Promise.all(
      this.#threads
        .filter((slot) => slot.ready)
        .map(
          ({ thread, worker }) =>
            new Promise<string>((resolve) => {
              this.#setupDone.set(`${id} ${thread}`, resolve)
              worker.postMessage({ type: 'setup', id, setup } satisfies ToThread)
            }),
        ),
    )
  }

  #sitesOf(config: Config): SiteMemory[] {
    const names = new Set(config.sites.map((site) => site.hosts[0]!))
    for (const bySite of [this.#slots, this.#lines, this.#answered])
      for (const name of bySite.keys()) if (!names.has(name)) bySite.delete(name)
    return config.sites.map((site) => {
      const name = site.hosts[0]!
      let slot = this.#slots.get(name)
      if (slot === undefined) {
        const taken = new Set(this.#slots.values())
        slot = 0
        while (taken.has(slot)) slot++
        if (slot >= this.#capacity.memory.sites)
          throw new EdgeError('too many new sites for a reload: restart Digue')
        this.#slots.set(name, slot)
        this.#maxima.delete(name)
      }
      // Only when it changed: the limit begins to learn anew.
      if (!this.#maxima.has(name) || this.#maxima.get(name) !== site.maxInFlight) {
        this.#maxima.set(name, site.maxInFlight)
        this.#capacity.configure(
          slot,
          site.maxInFlight === undefined ? {} : { max: site.maxInFlight, min: Math.min(2, site.maxInFlight) },
        )
      }
      let table = this.#options.weightsOf?.(name) ?? this.#tables.get(name)
      if (table === undefined) {
        const slots = Math.min(131_072, Math.max(256, WEIGHT_SLOTS / config.sites.length))
        table = WeightTable.create({ slots })
      }
      this.#tables.set(name, table)
      let line = this.#lines.get(name)
      if (line === undefined) {
        const memory = createLineMemory(lineSizes(config.sites.length))
        this.#lines.set(name, (line = { memory, turns: new LineTurns(memory) }))
      }
      return { name, slot, weights: table.memory, line: line.memory }
    })
  }

  /** What an origin answers in a second is what it can: the waiting room's share of it is let in. */
  #moveLines(): void {
    const nowS = Math.floor(Date.now() / 1000)
    for (const [site, { turns }] of this.#lines) {
      const answered = this.#answered.get(site)
      if (answered === undefined) continue
      answered.perSecond += (answered.count / (LINES_MS / 1000) - answered.perSecond) / 4
      answered.count = 0
      turns.tick(performance.now(), nowS, Math.max(1, answered.perSecond * LANE_SHARES.waiting))
    }
  }

  #countAnswers(report: EdgeReport): void {
    for (const [site, { tallies }] of Object.entries(report.sites)) {
      let answered = this.#answered.get(site)
      if (answered === undefined) this.#answered.set(site, (answered = { count: 0, perSecond: 0 }))
      for (const { action, count } of tallies) if (action === 'relay') answered.count += count
    }
  }

  #spawn(thread: number, deaths = 0): Promise<readonly number[]> {
    const start: ThreadStart = {
      setup: this.#setup,
      policy: this.#policy,
      thread,
      threads: this.#count,
      reusePort: this.#reusePort,
      capacity: this.#capacity.memory,
      weights: this.weights.memory,
      routes: new Map(this.#setup.sites.map(({ name }) => [name, this.#options.routeCostsOf?.(name) ?? []])),
      lists: this.#lists,
      networks: this.#networks,
      openByThread: this.#openByThread,
      ticketKeys: this.#ticketKeys,
      master: this.#master,
      meter: this.#meter.memory,
      prices: this.#prices.memory,
      ...(this.#library && { cache: this.#cacheStart(this.#library, thread) }),
    }
    // tsc rewrites imports, but not this: the built file has the other ending.
    const entry = new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url)
    const worker = new Worker(entry, {
      workerData: start,
      transferList: start.cache === undefined ? [] : [start.cache.port],
      name: `edge ${thread}`,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    })
    const slot: Slot = { thread, worker, startedAtMs: performance.now(), deaths, ready: false }
    this.#threads[thread] = slot
    return new Promise((resolve, reject) => {
      let fault: Error | undefined
      worker.on('message', (message: FromThread) => {
        if (message.type === 'ready') {
          slot.ready = true
          resolve(message.ports)
        } else this.#received(thread, message)
      })
      worker.on('error', (error: Error) => {
        fault = error
        if (slot.ready)
          this.#event('error', 'thread-fault', `thread ${thread}: ${error.stack ?? error.message}`, thread)
      })
      worker.on('exit', (code) => {
        reject(
          new EdgeError(fault?.message ?? `thread ${thread} ended with ${code} before it was ready`, {
            cause: fault,
          }),
        )
        this.#exited(slot, fault)
      })
    })
  }

  #cacheStart({ summary, isAwake }: Library, thread: number): CacheStart {
    const port = this.#library!.attach(thread)
    return { port, summary, flights: this.#flights, memoryBytes: this.#config.cache.memory, isAwake }
  }

  #received(thread: number, message: Exclude<FromThread, { type: 'ready' }>): void {
    switch (message.type) {
      case 'report':
        this.#countAnswers(message.report)
        this.#options.onReport(message.report)
        break
      case 'event':
        this.#options.onEvent?.(message.event)
        break
      case 'library-wanted':
        this.#library?.wake()
        break
      case 'setup-done': {
        const key = `${message.id} ${thread}`
        this.#setupDone.get(key)?.(message.fault)
        this.#setupDone.delete(key)
        if (thread === 0 && message.fault === '') this.#ports = message.ports
        break
      }
      case 'drained':
        this.#drained.get(thread)?.()
        break
      default:
        message satisfies never
    }
  }

  #exited(slot: Slot, fault: Error | undefined): void {
    const { thread } = slot
    slot.ready = false
    this.#capacity.returnPermitsOf(thread)
    Atomics.store(this.#openByThread, thread, 0)
    Flights.release(this.#flights, thread)
    for (const [key, resolve] of this.#setupDone) {
      // Its successor starts with the new setup.
      if (key.endsWith(` ${thread}`)) {
        this.#setupDone.delete(key)
        resolve('')
      }
    }
    this.#drained.get(thread)?.()
    if (this.#closing || this.#ports.length === 0) return
    const deaths = performance.now() - slot.startedAtMs > SETTLED_MS ? 0 : slot.deaths
    const waitMs = Math.min(RESPAWN_MAX_MS, RESPAWN_MIN_MS * 2 ** deaths)
    this.#event(
      'error',
      'thread-died',
      `thread ${thread} died (${fault?.message ?? 'no reason given'}); a new one starts in ${waitMs} ms`,
      thread,
    )
    const timer = setTimeout(() => {
      if (this.#closing) return
      this.#spawn(thread, Math.min(deaths + 1, 10)).then(
        () => this.#event('info', 'thread-restarted', `thread ${thread} serves again`, thread),
        // Its exit has started the next attempt.
        () => {},
      )
    }, waitMs)
    this.#timers.push(timer)
  }

  async #lookAtCertificates(): Promise<void> {
    const stamp = await certificateStamp(this.#config)
    if (stamp === this.#certificateStamp || this.#closing) return
    this.#certificateStamp = stamp
    const change = this.#reloading.then(async () => {
      const read = await renewCertificates(this.#config, this.#setup.certificates)
      // A renewal writes two files, one after the other: the next look finds them both.
      for (const fault of read.faults) this.#certificatesWrong(fault)
      if (!read.changed) return
      await this.#apply({ ...this.#setup, certificates: read.certificates }, this.#setup)
      this.#event('info', 'certificates-renewed', 'certificates were read again', 0)
    })
    this.#reloading = change.catch((error: Error) => this.#certificatesWrong(error.message))
  }

  #certificatesWrong(fault: string): void {
    this.#event('warn', 'certificates-wrong', `${fault}; the old one stays in force`, 0)
  }

  #rotateTicketKeys(): void {
    this.#ticketKeys = rotateTicketKeys(this.#ticketKeys, this.#calm)
    this.#broadcast({ type: 'ticket-keys', keys: this.#ticketKeys })
  }

  #broadcast(message: ToThread): void {
    for (const slot of this.#threads) slot.worker.postMessage(message)
  }

  #event(level: EdgeEvent['level'], code: string, message: string, thread: number): void {
    this.#options.onEvent?.({ level, code, message, thread })
  }

  #every(ms: number, task: () => void): void {
    const timer = setInterval(task, ms)
    timer.unref()
    this.#timers.push(timer)
  }
}

/** A waiting room of full size takes 4 MB. */
function lineSizes(sites: number): LineSizes {
  if (sites <= ROOMY_SITES) return {}
  const part = Math.max(64, (65_536 * ROOMY_SITES) / sites)
  return { lines: part, subscribers: part, log: Math.max(64, part / 8) }
}

function isCalm(policy: Policy): boolean {
  return Object.values(policy.postures).every((posture) => posture === 'calm')
}

/** `config` with the ports that `before`'s listeners got where the system chose them. */
function withPorts(config: Config, before: Config, ports: readonly number[]): Config {
  const known = new Map(before.listen.map((listen, i) => [placeOf(listen), ports[i]]))
  return {
    ...config,
    listen: config.listen.map((listen) =>
      listen.port === 0 ? { ...listen, port: known.get(placeOf(listen)) ?? 0 } : listen,
    ),
  }
}

function placeOf(listen: ListenConfig): string {
  return `${listen.address} ${listen.port}`
}
