/**
 * What the main thread holds of the lists: a thread of their own, which is there only while there are lists.
 * One that dies is started again, and meanwhile the edges go on with the set they have.
 */
import { Worker } from 'node:worker_threads'
import { buildNetworkSet } from '#networks'
import type { ListEvent, ListSettings, ListStatus } from './list-types.ts'
import { ListError } from './network-lists.ts'
import type { FromLists, ListsCommand, ListsStart, ToLists } from './protocol.ts'

export interface ListsOptions {
  /** Where copies are kept; made when it is not there. */
  readonly folder: string
  /** "digue/1.2.3": those who publish lists, and CrowdSec, want to know who asks. */
  readonly userAgent: string
  /** A new set for the edges: `find` gives an index into `names`. */
  readonly onChange: (memory: SharedArrayBuffer, names: readonly string[]) => void
  readonly onEvent: (event: ListEvent) => void
}

export interface Lists {
  /** Begins with these lists, or goes on with them; those that stay as they were keep what they have. */
  configure(lists: readonly ListSettings[]): void
  /** Subscribers (`ClientAddress.subscriber`) that came while every site was calm. */
  calm(subscribers: readonly string[]): void
  /** A site is calm no more: what has just come does not count. */
  storm(): void
  /** Requests since the last call that lists decided, by name. */
  hits(counts: Readonly<Record<string, number>>): void
  status(): Promise<readonly ListStatus[]>
  /** Looks now; rejects with a ListError when there is no such list. */
  refresh(name?: string): Promise<readonly ListStatus[]>
  /** Lets a list act that was held back; rejects with a ListError when it was not. */
  release(name: string): Promise<ListStatus>
  /** Ends the thread as a fault would; it is started again. For tests. */
  kill(): void
  close(): Promise<void>
}

const RESPAWN_MIN_MS = 1000
const RESPAWN_MAX_MS = 60_000
const SETTLED_MS = 60_000
const MOST_ASKED = 64
/** Room for a file of 64 MB as text, its networks, and the same again. */
const HEAP_MB = 1024

export function startLists(options: ListsOptions): Lists {
  return new ListsHost(options)
}

class ListsHost implements Lists {
  readonly #options: ListsOptions
  #lists: readonly ListSettings[] = []
  #worker: Worker | undefined
  #startedAtMs = 0
  #deaths = 0
  #respawn: NodeJS.Timeout | undefined
  #isClosed = false
  #isInForce = false
  #nextId = 1
  readonly #asked = new Map<
    number,
    { resolve(lists: readonly ListStatus[]): void; reject(error: Error): void }
  >()

  constructor(options: ListsOptions) {
    this.#options = options
  }

  configure(lists: readonly ListSettings[]): void {
    const had = this.#lists.length > 0
    this.#lists = lists
    if (lists.length > 0) {
      if (this.#worker === undefined && this.#respawn === undefined) this.#spawn()
      else this.#send({ kind: 'configure', lists })
    } else if (had) {
      void this.#end()
      this.#isInForce = false
      this.#options.onChange(buildNetworkSet([]), [])
    }
  }

  calm(subscribers: readonly string[]): void {
    if (subscribers.length > 0) this.#send({ kind: 'calm', subscribers })
  }

  storm(): void {
    this.#send({ kind: 'storm' })
  }

  hits(counts: Readonly<Record<string, number>>): void {
    this.#send({ kind: 'hits', counts })
  }

  async status(): Promise<readonly ListStatus[]> {
    return this.#lists.length === 0 ? [] : this.#ask({ command: 'status' })
  }

  async refresh(name?: string): Promise<readonly ListStatus[]> {
    return this.#ask({ command: 'refresh', name })
  }

  async release(name: string): Promise<ListStatus> {
    const [list] = await this.#ask({ command: 'release', name })
    return list!
  }

  kill(): void {
    void this.#worker?.terminate()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#end()
  }

  #ask(what: ListsCommand): Promise<readonly ListStatus[]> {
    if (this.#lists.length === 0)
      return Promise.reject(new ListError('there are no lists; add some under `lists` in the configuration'))
    if (this.#worker === undefined || this.#asked.size >= MOST_ASKED)
      return Promise.reject(new ListError('the lists are just being started again; try again in a moment'))
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject })
      this.#send({ kind: 'ask', id, what })
    })
  }

  #send(message: ToLists): void {
    this.#worker?.postMessage(message)
  }

  #spawn(): void {
    this.#respawn = undefined
    const { folder, userAgent } = this.#options
    const start: ListsStart = { folder, userAgent, isSuccessor: this.#isInForce }
    // tsc rewrites imports, but not this: the built file has the other ending.
    const entry = import.meta.url.endsWith('.ts') ? './lists-thread.ts' : './lists-thread.js'
    const worker = new Worker(new URL(entry, import.meta.url), {
      workerData: start,
      name: 'lists',
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    })
    this.#worker = worker
    this.#startedAtMs = performance.now()
    let fault: Error | undefined
    worker.on('message', (message: FromLists) => {
      if (this.#worker === worker) this.#received(message)
    })
    worker.on('error', (error: Error) => {
      fault = error
    })
    worker.on('exit', () => {
      if (this.#worker === worker) this.#died(fault)
    })
    this.#send({ kind: 'configure', lists: this.#lists })
  }

  #received(message: FromLists): void {
    switch (message.kind) {
      case 'networks':
        this.#isInForce = true
        this.#options.onChange(message.memory, message.names)
        break
      case 'event':
        this.#options.onEvent(message.event)
        break
      case 'answer':
        this.#asked.get(message.id)?.resolve(message.lists)
        this.#asked.delete(message.id)
        break
      case 'refused':
        this.#asked.get(message.id)?.reject(new ListError(message.message))
        this.#asked.delete(message.id)
        break
      default:
        message satisfies never
    }
  }

  #died(fault: Error | undefined): void {
    this.#worker = undefined
    this.#refuseAll()
    if (this.#isClosed || this.#lists.length === 0) return
    const deaths = performance.now() - this.#startedAtMs > SETTLED_MS ? 0 : this.#deaths
    this.#deaths = Math.min(deaths + 1, 10)
    const waitMs = Math.min(RESPAWN_MAX_MS, RESPAWN_MIN_MS * 2 ** deaths)
    this.#options.onEvent({
      level: 'warn',
      code: 'lists-died',
      list: '',
      message: `the thread of the lists died (${fault?.message ?? 'no reason given'}); a new one starts in ${waitMs / 1000} s, and what was in force stays so`,
    })
    this.#respawn = setTimeout(() => this.#spawn(), waitMs)
  }

  async #end(): Promise<void> {
    clearTimeout(this.#respawn)
    this.#respawn = undefined
    const worker = this.#worker
    this.#worker = undefined
    this.#refuseAll()
    await worker?.terminate()
  }

  #refuseAll(): void {
    for (const { reject } of this.#asked.values()) reject(new ListError('the lists ended meanwhile'))
    this.#asked.clear()
  }
}
