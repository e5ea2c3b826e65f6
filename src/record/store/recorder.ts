/**
 * What the main thread holds of the record: a bounded queue to the writer's thread, and nothing that waits.
 *
 * Of each report's records a part goes on, evenly chosen, and each says for how many requests it stands: a
 * report may hold 512 records of 5,000 requests, and copying them all to another thread costs the brain
 * more than the rest of a report. Distinct clients are counted over all records that came.
 */
import { createHmac } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import { type HashKey, hash32 } from '#kit'
import { identify } from '#networks'
import type { ExchangeRecord } from '../exchange-record.ts'
import type { RecorderReport, SiteDelta, WeighedExchange } from './open-period.ts'
import type { FromWriter, ToWriter, WriterStart } from './protocol.ts'
import type { RecordedEvent, RecorderStatus, RecordSettings, SiteFigures } from './recorded.ts'
import type { WriterNews } from './writer.ts'

/** What an edge's report must have to be recorded: `EdgeReport` does. */
export interface Recordable {
  readonly thread: number
  readonly sites: Readonly<Record<string, SiteFigures>>
  readonly records: readonly ExchangeRecord[]
  readonly recordsLost: number
}

export interface RecorderOptions {
  readonly file: string
  readonly settings: RecordSettings
  /** From which the keys of hashed addresses and of the sketches are made. */
  readonly secret: Uint8Array
  /** Route class of an exchange, such as "GET /article/{n}". */
  readonly routeOf: (method: string, target: string) => string
  /** Now, for the gauges. */
  readonly capacityOf?: (site: string) => { readonly inFlight: number; readonly limit: number } | undefined
  readonly onNews?: (news: WriterNews) => void
}

/** Records that go on, of each report, of relayed and of other exchanges each. */
const PART = 64
/** Messages that the writer may be behind: at 8 reports a second it may stand still for half a minute. */
const QUEUE = 256
const CLOSE_MS = 5000
const RESPAWN_MS = 10_000
/** Gauges of threads are forgotten after this many reports, lest those of a dead one stand for ever. */
const GAUGE_REPORTS = 200

export class Recorder {
  readonly #options: RecorderOptions
  readonly #clientKey: HashKey
  readonly #markKey: Uint8Array
  readonly #taken = new SharedArrayBuffer(4)
  readonly #takenCount = new Int32Array(this.#taken)
  #settings: RecordSettings
  #worker: Worker | undefined
  #sent = 0
  #status: RecorderStatus
  /** Of what was lost, what the writer was not told yet. */
  #untold = { requests: 0, events: 0 }
  #lostBefore = { requests: 0, events: 0 }
  #waiting = new Map<string, Map<number, { waiting: number; longLived: number }>>()
  #reports = 0
  #respawn: NodeJS.Timeout | undefined
  #isClosed = false
  #onClosed: (() => void) | undefined

  constructor(options: RecorderOptions) {
    this.#options = options
    this.#settings = options.settings
    const derived = createHmac('sha256', options.secret).update('digue record clients').digest()
    this.#clientKey = { k0: derived.readInt32LE(0), k1: derived.readInt32LE(4) }
    this.#markKey = createHmac('sha256', options.secret).update('digue record marks').digest()
    this.#status = {
      file: options.file,
      state: 'opening',
      fault: '',
      bytes: 0,
      requestsLost: 0,
      eventsLost: 0,
      segments: 0,
      head: '',
      writtenAtMs: 0,
      writerCpuMs: 0,
    }
    this.#spawn()
  }

  get file(): string {
    return this.#options.file
  }

  take(report: Recordable): void {
    if (!this.#hasRoom()) {
      this.#untold.requests += requestsIn(report.sites)
      return
    }
    const message: RecorderReport = {
      sites: this.#sitesOf(report),
      exchanges: this.#part(report),
    }
    if (Object.keys(message.sites).length > 0 || message.exchanges.length > 0)
      this.#send({ kind: 'report', report: message })
  }

  event(event: RecordedEvent): void {
    if (this.#hasRoom()) this.#send({ kind: 'event', event })
    else this.#untold.events++
  }

  configure(settings: RecordSettings): void {
    this.#settings = settings
    this.#send({ kind: 'settings', settings })
  }

  /** As the writer told within the last second. */
  status(): RecorderStatus {
    const { requestsLost, eventsLost } = this.#status
    return {
      ...this.#status,
      requestsLost: requestsLost + this.#lostBefore.requests + this.#untold.requests,
      eventsLost: eventsLost + this.#lostBefore.events + this.#untold.events,
    }
  }

  /** Writes what there is. Resolves when the file is closed, or after 5 s. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    clearTimeout(this.#respawn)
    const worker = this.#worker
    if (worker === undefined) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#onClosed = resolve
    const timer = setTimeout(resolve, CLOSE_MS)
    this.#send({ kind: 'close' })
    await promise
    clearTimeout(timer)
    await worker.terminate()
  }

  /** Ends the writer as a fault would; it is started again. For tests. */
  kill(): void {
    void this.#worker?.terminate()
  }

  #hasRoom(): boolean {
    return this.#worker !== undefined && ((this.#sent - Atomics.load(this.#takenCount, 0)) | 0) < QUEUE
  }

  #send(message: ToWriter): void {
    if (this.#worker === undefined) return
    if (this.#untold.requests > 0 || this.#untold.events > 0) {
      const untold: ToWriter = { kind: 'lost', ...this.#untold }
      this.#untold = { requests: 0, events: 0 }
      this.#sent = (this.#sent + 1) | 0
      this.#worker.postMessage(untold)
    }
    this.#sent = (this.#sent + 1) | 0
    this.#worker.postMessage(message)
  }

  #sitesOf(report: Recordable): Record<string, SiteDelta> {
    if (++this.#reports % GAUGE_REPORTS === 0) this.#waiting.clear()
    const clients = this.#clientsOf(report)
    const sites: Record<string, SiteDelta> = {}
    for (const [name, figures] of Object.entries(report.sites)) {
      const hashes = clients.get(name)
      if (figures.tallies.length === 0 && figures.longLived === 0 && hashes === undefined) continue
      const { tallies, queueDelayMs, queueDelayMaxMs, waiting, longLived, latency, signatures } = figures
      sites[name] = {
        tallies,
        queueDelayMs,
        queueDelayMaxMs,
        waiting,
        longLived,
        latency,
        ...(signatures ? { signatures } : {}),
        gauges: this.#gaugesOf(name, report.thread, figures),
        clients: new Uint32Array(hashes ?? []),
        hasAllClients: report.recordsLost === 0,
      }
    }
    return sites
  }

  /** Of all threads together, as of the newest report of each. */
  #gaugesOf(site: string, thread: number, { waiting, longLived }: SiteFigures): SiteDelta['gauges'] {
    let threads = this.#waiting.get(site)
    if (threads === undefined) this.#waiting.set(site, (threads = new Map()))
    threads.set(thread, { waiting, longLived })
    const sum = { waiting: 0, longLived: 0 }
    for (const one of threads.values()) {
      sum.waiting += one.waiting
      sum.longLived += one.longLived
    }
    const capacity = this.#options.capacityOf?.(site)
    return { ...sum, inFlight: capacity?.inFlight ?? 0, limit: capacity?.limit ?? 0 }
  }

  #clientsOf({ records }: Recordable): Map<string, number[]> {
    const bySite = new Map<string, number[]>()
    for (const { site, client } of records) {
      let hashes = bySite.get(site)
      if (hashes === undefined) bySite.set(site, (hashes = []))
      hashes.push(hash32(client.includes(':') ? identify(client).subscriber : client, this.#clientKey))
    }
    return bySite
  }

  /** Evenly chosen records, and what each stands for. */
  #part({ records, sites }: Recordable): WeighedExchange[] {
    const groups = new Map<string, ExchangeRecord[]>()
    for (const record of records) {
      const key = groupOf(record.site, record.action)
      const group = groups.get(key)
      if (group === undefined) groups.set(key, [record])
      else group.push(record)
    }
    const requests = new Map<string, number>()
    for (const [site, { tallies }] of Object.entries(sites))
      for (const { action, count } of tallies) {
        const key = groupOf(site, action)
        requests.set(key, (requests.get(key) ?? 0) + count)
      }
    const room = Math.max(1, Math.floor((2 * PART) / groups.size))
    return [...groups].flatMap(([key, group]) => {
      const step = Math.max(1, group.length / Math.max(PART / 4, room))
      const count = Math.ceil(group.length / step)
      const weight = Math.max(1, (requests.get(key) ?? group.length) / count)
      return Array.from({ length: count }, (_, i): WeighedExchange => {
        const { look: _look, ...record } = group[Math.floor(i * step)]!
        return { record, route: this.#options.routeOf(record.method, record.target), weight }
      })
    })
  }

  #spawn(): void {
    const { file } = this.#options
    const start: WriterStart = {
      file,
      settings: this.#settings,
      markKey: this.#markKey,
      taken: this.#taken,
    }
    // tsc rewrites imports, but not this: the built file has the other ending.
    const entry = import.meta.url.endsWith('.ts') ? './writer-thread.ts' : './writer-thread.js'
    Atomics.store(this.#takenCount, 0, 0)
    this.#sent = 0
    const worker = new Worker(new URL(entry, import.meta.url), {
      workerData: start,
      name: 'record-writer',
      resourceLimits: { maxOldGenerationSizeMb: 512 },
    })
    this.#worker = worker
    let fault = 'its thread ended'
    worker.on('message', (message: FromWriter) => this.#received(message))
    worker.on('error', (error: Error) => {
      fault = error.message
    })
    worker.on('exit', () => this.#ended(worker, fault))
  }

  #received(message: FromWriter): void {
    switch (message.kind) {
      case 'news':
        this.#options.onNews?.(message.news)
        break
      case 'status':
        this.#status = { file: this.file, ...message.status, writerCpuMs: message.cpuMs }
        break
      case 'closed':
        this.#onClosed?.()
        break
      default:
        message satisfies never
    }
  }

  /** A writer that died is started again; what it had in memory is in the journal but for the last second. */
  #ended(worker: Worker, fault: string): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    this.#onClosed?.()
    // It was told to end, and has said how it ended.
    if (this.#isClosed && this.#status.state === 'closed') return
    const { requestsLost, eventsLost } = this.#status
    this.#lostBefore.requests += requestsLost
    this.#lostBefore.events += eventsLost
    this.#status = { ...this.#status, requestsLost: 0, eventsLost: 0, state: 'failing', fault }
    if (this.#isClosed) return
    this.#options.onNews?.({ kind: 'failing', fault: 'other', message: `the recorder ended: ${fault}` })
    this.#respawn = setTimeout(() => this.#spawn(), RESPAWN_MS)
    this.#respawn.unref()
  }
}

/** Relayed exchanges have a budget of records apart from all others, so they are weighed apart. */
function groupOf(site: string, action: string): string {
  return `${action === 'relay' || action === 'store' ? 'r' : 'o'} ${site}`
}

function requestsIn(sites: Recordable['sites']): number {
  let sum = 0
  for (const { tallies } of Object.values(sites)) for (const { count } of tallies) sum += count
  return sum
}
