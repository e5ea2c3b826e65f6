/**
 * Asks a record, one question at a time, in a thread of its own with a limit on the time for each.
 *
 * node:sqlite has no way to interrupt a statement, so a question that takes longer costs the thread: it is
 * ended, and started again for the next. WAL lets questions and the writer go on side by side.
 */
import { Worker } from 'node:worker_threads'
import type { FromReader, ToReader } from './protocol.ts'
import type {
  EventsQuery,
  GaugePoint,
  Questions,
  RecordSummary,
  SamplesQuery,
  Series,
  SeriesQuery,
  Top,
} from './queries.ts'
import type { RecordedEvent, Sample } from './recorded.ts'

/** Why there is no answer. */
export class RecordQueryError extends Error {
  readonly code: 'DIGUE_RECORD_TIMEOUT' | 'DIGUE_RECORD_BUSY' | 'DIGUE_RECORD_QUERY' | 'DIGUE_RECORD_CLOSED'

  constructor(code: RecordQueryError['code'], message: string) {
    super(message)
    this.code = code
  }
}

export interface RecordReaderOptions {
  /** For each question, from when it begins. */
  readonly limitMs?: number
  /** Questions that may wait. */
  readonly room?: number
}

interface Waiting {
  readonly message: ToReader
  resolve(answer: unknown): void
  reject(error: RecordQueryError): void
}

export class RecordReader {
  readonly #file: string
  readonly #limitMs: number
  readonly #room: number
  #worker: Worker | undefined
  #waiting: Waiting[] = []
  #asked: Waiting | undefined
  #timer: NodeJS.Timeout | undefined
  #nextId = 1
  #isClosed = false

  constructor(file: string, options: RecordReaderOptions = {}) {
    this.#file = file
    this.#limitMs = options.limitMs ?? 5000
    this.#room = options.room ?? 64
  }

  /** Requests by step and lane, action or reason. */
  series(ask: SeriesQuery): Promise<Series> {
    return this.#ask('series', ask)
  }

  /** Gauges, latency and distinct clients by step. */
  gauges(ask: Questions['gauges']['ask']): Promise<readonly GaugePoint[]> {
    return this.#ask('gauges', ask)
  }

  /** The heaviest networks, paths or signatures. */
  top(ask: Questions['top']['ask']): Promise<Top> {
    return this.#ask('top', ask)
  }

  samples(ask: SamplesQuery): Promise<readonly Sample[]> {
    return this.#ask('samples', ask)
  }

  events(ask: EventsQuery): Promise<readonly RecordedEvent[]> {
    return this.#ask('events', ask)
  }

  summary(nowMs: number): Promise<RecordSummary> {
    return this.#ask('summary', { nowMs })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    const left = this.#asked === undefined ? this.#waiting : [this.#asked, ...this.#waiting]
    this.#asked = undefined
    this.#waiting = []
    for (const { reject } of left) reject(new RecordQueryError('DIGUE_RECORD_CLOSED', 'the record is closed'))
    await this.#worker?.terminate()
  }

  #ask<Name extends keyof Questions>(
    name: Name,
    ask: Questions[Name]['ask'],
  ): Promise<Questions[Name]['answer']> {
    if (this.#isClosed)
      return Promise.reject(new RecordQueryError('DIGUE_RECORD_CLOSED', 'the record is closed'))
    if (this.#waiting.length >= this.#room)
      return Promise.reject(
        new RecordQueryError(
          'DIGUE_RECORD_BUSY',
          `${this.#room} questions are waiting already; try again in a moment`,
        ),
      )
    const { promise, resolve, reject } = Promise.withResolvers<Questions[Name]['answer']>()
    this.#waiting.push({
      message: { id: this.#nextId++, name, ask },
      resolve: resolve as (answer: unknown) => void,
      reject,
    })
    this.#next()
    return promise
  }

  #next(): void {
    if (this.#asked !== undefined || this.#isClosed) return
    this.#asked = this.#waiting.shift()
    if (this.#asked === undefined) return
    const worker = (this.#worker ??= this.#spawn())
    this.#timer = setTimeout(() => {
      const limit = `no answer within ${this.#limitMs} ms; ask about a shorter time`
      this.#end(worker, new RecordQueryError('DIGUE_RECORD_TIMEOUT', limit))
    }, this.#limitMs)
    worker.postMessage(this.#asked.message)
  }

  #spawn(): Worker {
    // tsc rewrites imports, but not this: the built file has the other ending.
    const entry = import.meta.url.endsWith('.ts') ? './reader-thread.ts' : './reader-thread.js'
    const worker = new Worker(new URL(entry, import.meta.url), {
      workerData: { file: this.#file },
      name: 'record-reader',
      resourceLimits: { maxOldGenerationSizeMb: 256 },
    })
    worker.unref()
    worker.on('message', (message: FromReader) => {
      if (this.#worker === worker) this.#answered(message)
    })
    const died = (error?: unknown) => {
      if (this.#worker !== worker) return
      const why = error instanceof Error ? error.message : 'its thread ended'
      this.#end(worker, new RecordQueryError('DIGUE_RECORD_QUERY', why))
    }
    worker.on('error', died)
    worker.on('exit', () => died())
    return worker
  }

  #answered(message: FromReader): void {
    const asked = this.#asked
    if (asked === undefined || message.id !== asked.message.id) return
    clearTimeout(this.#timer)
    this.#asked = undefined
    if ('answer' in message) asked.resolve(message.answer)
    else asked.reject(new RecordQueryError('DIGUE_RECORD_QUERY', message.message))
    this.#next()
  }

  #end(worker: Worker, error: RecordQueryError): void {
    clearTimeout(this.#timer)
    const asked = this.#asked
    this.#asked = undefined
    this.#worker = undefined
    void worker.terminate()
    asked?.reject(error)
    this.#next()
  }
}
