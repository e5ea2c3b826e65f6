/**
 * The main side of the library: starts its thread, hands out the ports that edge threads speak to it
 * through, and asks it to forget and to report.
 *
 * With one edge thread it starts when there is something to keep, or to be found on disk: a site that stores nothing
 * does not pay for it, some 30 MB. A library that dies is started again, after a wait that doubles while it keeps dying. Until then the
 * edges serve from their own shelves; then each gets a new port, and tells the new library what it holds.
 */
import { mkdirSync, readdirSync } from 'node:fs'
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import type { Purge } from '#cache'
import { KeySummary } from './key-summary.ts'
import type {
  LibraryEvent,
  LibraryReport,
  LibraryStart,
  LibraryToMain,
  MainToLibrary,
} from './library-protocol.ts'

const RESPAWN_MIN_MS = 100
const RESPAWN_MAX_MS = 10_000
/** A library that lived so long starts with a short wait again. */
const SETTLED_MS = 60_000
/** Bodies lie outside its heap; what it makes is short-lived. */
const YOUNG_MB = 12
/** Purges and reports that wait for an answer. */
const MOST_ASKED = 256
const CLOSE_MS = 5000

export interface LibraryOptions {
  /** Folder for what is on disk; undefined: memory only. */
  readonly directory: string | undefined
  /** Edge threads: several hear of each other through the library, so that it is there from the start. */
  readonly threads: number
  readonly memoryBytes: number
  readonly diskBytes: number
  readonly onEvent: (event: LibraryEvent) => void
  /** The library was started again: a new port for a thread that has one. */
  readonly onPort: (thread: number, port: MessagePort) => void
}

/** The library cannot answer. */
export class LibraryError extends Error {
  readonly code = 'DIGUE_CACHE_LIBRARY'
}

/** Something lies on disk; or nothing can, which the library is to say. The folder is made. */
function hasSomethingToDo(directory: string | undefined): boolean {
  if (directory === undefined) return false
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    return readdirSync(directory).length > 0
  } catch {
    return true
  }
}

const NOTHING_KEPT: LibraryReport = {
  responses: 0,
  memoryBytes: 0,
  evicted: 0,
  notAdmitted: 0,
  variantsDropped: 0,
  outdated: 0,
  compressed: 0,
  compressionsSkipped: 0,
  disk: undefined,
}

interface Asked {
  readonly message: MainToLibrary
  readonly resolve: (answer: LibraryToMain) => void
  readonly reject: (error: Error) => void
}

export class Library {
  /** Which keys may be on disk; read by `KeySummary`. */
  readonly summary = KeySummary.memory()
  readonly #options: LibraryOptions
  /** Threads that have a port, with the library's end of it while no library has taken it. */
  readonly #threads = new Map<number, MessagePort | undefined>()
  readonly #asked = new Map<number, Asked>()
  #worker: Worker | undefined
  #startedAtMs = 0
  #deaths = 0
  #respawn: NodeJS.Timeout | undefined
  #ids = 0
  #isAwake = false
  #isClosing = false

  static start(options: LibraryOptions): Library {
    const library = new Library(options)
    if (options.threads > 1 || hasSomethingToDo(options.directory)) library.wake()
    else new KeySummary(library.summary).complete()
    return library
  }

  /** It has begun, or is about to begin again. */
  get isAwake(): boolean {
    return this.#isAwake
  }

  /** There is something to keep. */
  wake(): void {
    if (this.#isAwake || this.#isClosing) return
    this.#isAwake = true
    this.#spawn()
  }

  private constructor(options: LibraryOptions) {
    this.#options = options
  }

  /** A port for an edge thread, in place of the one it had before. */
  attach(thread: number): MessagePort {
    const { port1, port2 } = new MessageChannel()
    this.#threads.get(thread)?.close()
    this.#threads.set(thread, port2)
    this.#handOver()
    return port1
  }

  /** Forgets in memory and on disk; resolves to how many responses. */
  async purge(what: Purge): Promise<number> {
    if (!this.#isAwake) return 0
    const answer = await this.#ask((id) => ({ type: 'purge', id, what }))
    return answer.type === 'purged' ? answer.removed : 0
  }

  async report(): Promise<LibraryReport> {
    if (!this.#isAwake) return NOTHING_KEPT
    const answer = await this.#ask((id) => ({ type: 'report', id }))
    if (answer.type !== 'reported') throw new LibraryError('the library gave another answer than a report')
    return answer.report
  }

  /** Ends the library once it has written what it can in a few seconds. */
  async close(): Promise<void> {
    if (this.#isClosing) return
    this.#isClosing = true
    clearTimeout(this.#respawn)
    const worker = this.#worker
    if (worker !== undefined) {
      const ended = new Promise((resolve) => worker.once('exit', resolve))
      const limit = setTimeout(() => void worker.terminate(), CLOSE_MS)
      worker.postMessage({ type: 'close', id: 0 } satisfies MainToLibrary)
      await ended
      clearTimeout(limit)
    }
    this.#refuseAll('the library is closed')
  }

  /** Ends the library's thread as a fault would; it is started again. For tests. */
  kill(): void {
    void this.#worker?.terminate()
  }

  #spawn(): void {
    const { directory, memoryBytes, diskBytes } = this.#options
    const start: LibraryStart = { directory, memoryBytes, diskBytes, summary: this.summary }
    // tsc rewrites imports, but not this: the built file has the other ending.
    const entry = import.meta.url.endsWith('.ts') ? './library-worker.ts' : './library-worker.js'
    const worker = new Worker(new URL(entry, import.meta.url), {
      workerData: start,
      name: 'library',
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    })
    this.#worker = worker
    this.#startedAtMs = performance.now()
    let fault: Error | undefined
    worker.on('message', (message: LibraryToMain) => this.#received(message))
    worker.on('error', (error: Error) => {
      fault = error
    })
    worker.on('exit', () => this.#exited(fault))
    // Purges first: what the edges offer again must not bring back what is to be forgotten.
    for (const { message } of this.#asked.values()) worker.postMessage(message)
    this.#handOver()
  }

  #exited(fault: Error | undefined): void {
    this.#worker = undefined
    if (this.#isClosing) return
    const deaths = performance.now() - this.#startedAtMs > SETTLED_MS ? 0 : this.#deaths
    this.#deaths = Math.min(deaths + 1, 10)
    const waitMs = Math.min(RESPAWN_MAX_MS, RESPAWN_MIN_MS * 2 ** deaths)
    this.#options.onEvent({
      level: 'error',
      code: 'cache-library-died',
      message: `the library of stored responses died (${fault?.message ?? 'no reason given'}); a new one starts in ${waitMs} ms`,
    })
    this.#respawn = setTimeout(() => {
      const orphaned = [...this.#threads].filter(([, port]) => port === undefined)
      this.#spawn()
      for (const [thread] of orphaned) this.#options.onPort(thread, this.attach(thread))
      this.#options.onEvent({
        level: 'info',
        code: 'cache-library-restarted',
        message: 'the library of stored responses was started again',
      })
    }, waitMs)
  }

  /** Gives the library its ends of ports. */
  #handOver(): void {
    const worker = this.#worker
    if (worker === undefined) return
    for (const [thread, port] of this.#threads) {
      if (port === undefined) continue
      worker.postMessage({ type: 'attach', thread, port } satisfies MainToLibrary, [port])
      this.#threads.set(thread, undefined)
    }
  }

  #received(message: LibraryToMain): void {
    if (message.type === 'event') {
      this.#options.onEvent(message.event)
      return
    }
    this.#asked.get(message.id)?.resolve(message)
    this.#asked.delete(message.id)
  }

  /** A library that dies meanwhile is asked again when it was started again. */
  #ask(question: (id: number) => MainToLibrary): Promise<LibraryToMain> {
    if (this.#isClosing) return Promise.reject(new LibraryError('the library is closed'))
    if (this.#asked.size >= MOST_ASKED)
      return Promise.reject(new LibraryError(`${MOST_ASKED} questions wait for the library already`))
    return new Promise((resolve, reject) => {
      const id = ++this.#ids
      const message = question(id)
      this.#asked.set(id, { message, resolve, reject })
      this.#worker?.postMessage(message)
    })
  }

  #refuseAll(reason: string): void {
    for (const { reject } of this.#asked.values()) reject(new LibraryError(reason))
    this.#asked.clear()
  }
}
