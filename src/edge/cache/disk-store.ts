/**
 * Stored responses on disk: what memory cannot hold, and what survives a restart.
 *
 *   offer → queue (bounded) → room made → bodies written → row set      one after the other
 *   get   → queue, rows → bodies read and checked                       a few at once
 *
 * Nothing waits for the disk: what finds the queue full is not kept and counted. Nothing here rejects
 * or throws for what a disk does: a response that cannot be read, or is not what was written, is not
 * there. A system that refuses to write is left alone for a while, a broken index is moved aside and
 * begun anew with no bodies.
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { type Purge, purges, type StoredResponse, storedBytes } from '#cache'
import { BodyFiles, hashOf } from './body-files.ts'
import { DiskIndex, type FileName, type IndexedResponse, isCorrupt, type NewRow } from './disk-index.ts'
import type { KeySummary } from './key-summary.ts'
import { type DiskReport, type Learned, type LibraryEvent, responseId, type Use } from './library-protocol.ts'

/** Bodies that wait to be written. */
const QUEUE_BYTES = 32 * 2 ** 20
const QUEUE_ENTRIES = 8192
/** A response may take this share of the disk's room. */
const LARGEST_SHARE = 1 / 8
const LONGEST_KEY = 16_384
const LONGEST_FIELDS = 131_072
const READS_AT_ONCE = 8
const READS_WAITING = 2048
/** Rows removed or files unlinked in one go. */
const SLICE = 64
/** Rows that a purge looks at in one go: 10 ms, and 50 ms if it removes them all. */
const PURGE_SLICE = 500
/** After the system refused. */
const REST_MS = 5000
const REOPEN_MS = 10_000
/** Nobody asked for it so long. */
const UNUSED_MS = 7 * 86_400_000
const BODY_FOLDERS = 256
/** Looked at for what belongs in memory. */
const MOST_HOTTEST = 50_000

export interface DiskOptions {
  readonly directory: string
  readonly maxBytes: number
  readonly summary: KeySummary
  readonly onEvent: (event: LibraryEvent) => void
  /** Wall clock, ms. */
  readonly now?: () => number
}

export class DiskStore {
  readonly #options: DiskOptions
  readonly #now: () => number
  readonly #bodies: BodyFiles
  #index: DiskIndex | undefined
  readonly #queue = new Map<string, StoredResponse>()
  #queuedBytes = 0
  #writing: { readonly response: StoredResponse; isUnwanted: boolean } | undefined
  #work: Promise<void> | undefined
  #calls = 0
  #reading = 0
  readonly #readers: (() => void)[] = []
  #sweptFolders = 0
  #isSweepDue = false
  #restUntilMs = 0
  #reopenAtMs = 0
  #isRefused = false
  #isClosed = false
  /** What SQLite found while the index was in use; opening it again might find nothing. */
  #broken: unknown
  readonly #counted = { reads: 0, writes: 0, evicted: 0, faults: 0, failures: 0, writesDropped: 0, unfit: 0 }

  constructor(options: DiskOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#bodies = new BodyFiles(path.join(options.directory, 'bodies'))
  }

  /** Once it resolves, the store is as it will be; it may be closed to all, and tries again later. */
  async open(): Promise<void> {
    const file = path.join(this.#options.directory, 'index.sqlite')
    try {
      await mkdir(this.#options.directory, { recursive: true, mode: 0o700 })
      let index: DiskIndex
      try {
        if (this.#broken !== undefined) throw this.#broken
        index = new DiskIndex(file, this.#options.summary)
      } catch (error) {
        if (!isCorrupt(error)) throw error
        await this.#moveAside(file, error)
        this.#broken = undefined
        index = new DiskIndex(file, this.#options.summary)
      }
      try {
        await this.#bodies.open()
      } catch (error) {
        index.close()
        throw error
      }
      this.#index = index
      this.#sweptFolders = 0
      this.#accepted()
    } catch (error) {
      this.#reopenAtMs = this.#now() + REOPEN_MS
      this.#refused(error)
    }
    // Closed, it holds nothing.
    if (this.#index === undefined) {
      this.#options.summary.reset()
      this.#options.summary.complete()
    }
  }

  /** True: it is written soon, unless the disk refuses. */
  offer(response: StoredResponse): boolean {
    const id = responseId(response.key, response.variant)
    const bytes = storedBytes(response)
    const before = this.#queue.get(id)
    const queued = this.#queuedBytes - (before === undefined ? 0 : storedBytes(before))
    if (this.#isClosed || this.#index === undefined || this.#now() < this.#restUntilMs) {
      this.#counted.writesDropped++
      return false
    }
    if (queued + bytes > QUEUE_BYTES && this.#queue.size > 0) {
      this.#counted.writesDropped++
      return false
    }
    if (before === undefined && this.#queue.size >= QUEUE_ENTRIES) {
      this.#counted.writesDropped++
      return false
    }
    this.#queue.set(id, response)
    this.#queuedBytes = queued + bytes
    this.#start()
    return true
  }

  /** What else would have to wait or be dropped. */
  get hasRoom(): boolean {
    return (
      this.#index !== undefined &&
      this.#now() >= this.#restUntilMs &&
      this.#queuedBytes < QUEUE_BYTES / 2 &&
      this.#queue.size < QUEUE_ENTRIES / 2
    )
  }

  /** All variants under a key that are whole; what only waits to be written is among them. */
  async get(key: string): Promise<StoredResponse[]> {
    const found = this.#unwritten(key)
    const variants = new Set(found.map(({ variant }) => variant))
    const rows = this.#guarded((index) => {
      const { found, damaged } = index.find(key)
      this.#counted.faults += damaged
      return found
    })
    for (const row of rows ?? []) {
      if (variants.has(row.head.variant)) continue
      const response = await this.#load(row)
      if (response !== undefined) found.push(response)
    }
    return found
  }

  /** What was asked for most lately, as much as fits in `maxBytes`, hottest first, read one after the other. */
  async *hottest(maxBytes: number): AsyncGenerator<StoredResponse, void> {
    let left = maxBytes
    for (const id of this.#guarded((index) => index.hottest(MOST_HOTTEST)) ?? []) {
      const [row] = this.#guarded((index) => index.row(id).found) ?? []
      if (row === undefined || row.body.bytes > left) continue
      const response = await this.#load(row)
      if (response === undefined) continue
      left -= storedBytes(response)
      if (left < 0) return
      yield response
    }
  }

  used(uses: readonly Use[]): void {
    for (let i = 0; i < uses.length; i += 500)
      this.#guarded((index) => index.touch(uses.slice(i, i + 500), this.#now()))
  }

  /** Learned of a site. */
  learn(learned: Learned): void {
    if (this.#now() >= this.#restUntilMs) this.#guarded((index) => index.learn(learned, this.#now()))
  }

  /** What was learned before the start. */
  learned(): readonly Learned[] {
    return this.#guarded((index) => index.learned(this.#now())) ?? []
  }

  /** An unsafe request made all variants under these keys doubtful (RFC 9111 §4.4). */
  invalidate(keys: readonly string[]): void {
    const gone = new Set(keys)
    this.#unwant((response) => gone.has(response.key))
    for (const key of keys) this.#guarded((index) => index.removeKey(key))
    this.#start()
  }

  /** Forgets; resolves to how many were removed beside those in `counted`. */
  async purge(what: Purge, counted: ReadonlySet<string>): Promise<number> {
    let removed = 0
    this.#unwant((response) => {
      if (!purges(what, response)) return false
      if (!counted.has(responseId(response.key, response.variant))) removed++
      return true
    })
    let afterId: number | undefined = 0
    while (afterId !== undefined) {
      const from: number = afterId
      const slice = this.#guarded((index) => index.purge(what, from, PURGE_SLICE))
      for (const id of slice?.removed ?? []) if (!counted.has(id)) removed++
      afterId = slice?.next
      if (afterId !== undefined) await new Promise((resolve) => setImmediate(resolve))
    }
    this.#start()
    return removed
  }

  /** A step of what is done in between: the unused go, files that nobody knows go, a closed store tries again. */
  tick(): void {
    if (this.#index === undefined && this.#now() < this.#reopenAtMs) return
    this.#isSweepDue = true
    this.#start()
  }

  report(): DiskReport {
    return { responses: this.#index?.rows ?? 0, bytes: this.#index?.bytes ?? 0, ...this.#counted }
  }

  /** Resolves when nothing is left to do for now. */
  async idle(): Promise<void> {
    while (this.#work !== undefined) await this.#work
  }

  /** Writes what waits, for at most `patienceMs`. */
  async close(patienceMs = 3000): Promise<void> {
    this.#isClosed = true
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#dropQueue()
        resolve()
      }, patienceMs)
    })
    await Promise.race([this.#work ?? Promise.resolve(), patience])
    clearTimeout(timer)
    const index = this.#index
    this.#index = undefined
    if (index !== undefined) closeQuietly(index)
  }

  /** Everything that changes files happens here, one thing at a time. */
  #start(): void {
    this.#calls++
    this.#work ??= this.#toil()
  }

  async #toil(): Promise<void> {
    // Whoever offers several finds them all in the queue.
    await undefined
    for (let calls = -1; calls !== this.#calls; ) {
      calls = this.#calls
      while (await this.#step());
    }
    // Without another turn between: who offers now must find that nobody works.
    this.#work = undefined
  }

  /** Does what is most pressing; false when there was nothing. */
  async #step(): Promise<boolean> {
    if (this.#index === undefined) {
      if (this.#isClosed || this.#now() < this.#reopenAtMs) return false
      await this.open()
      return true
    }
    if (this.#now() < this.#restUntilMs) this.#dropQueue()
    const [first] = this.#queue
    if (first !== undefined) {
      const [id, response] = first
      this.#queue.delete(id)
      this.#queuedBytes -= storedBytes(response)
      await this.#write(response)
      return true
    }
    if (await this.#removeUnused()) return true
    if (!this.#isSweepDue) return false
    this.#isSweepDue = false
    await this.#sweep()
    return true
  }

  async #write(response: StoredResponse): Promise<void> {
    const writing = { response, isUnwanted: false }
    this.#writing = writing
    const fresh: FileName[] = []
    try {
      const { row, contents } = rowOf(response)
      if (!isFit(row, this.#options.maxBytes)) {
        this.#counted.unfit++
        return
      }
      if (!(await this.#makeRoom(row))) return
      for (const [file, content] of contents) {
        if (this.#index?.hasFile(file.hash) !== false) continue
        await this.#bodies.write(file.hash, content)
        fresh.push(file)
      }
      if (writing.isUnwanted) {
        for (const file of fresh) this.#index?.addUnused(file)
        return
      }
      this.#index?.put(row, this.#now())
      this.#counted.writes++
      this.#accepted()
    } catch (error) {
      for (const file of fresh) this.#guarded((index) => index.addUnused(file))
      this.#failed(error)
    } finally {
      this.#writing = undefined
    }
  }

  async #makeRoom(row: NewRow): Promise<boolean> {
    const { maxBytes } = this.#options
    while (this.#index !== undefined) {
      const index = this.#index
      const missing = index.bytes + index.bytesOf(row) - maxBytes
      if (missing <= 0) return true
      // One at a time where one may do: a single download may be worth a thousand pages.
      const oldest = index.removeOldest(missing > maxBytes / 64 ? SLICE : 4)
      this.#counted.evicted += oldest
      const removed = await this.#removeUnused()
      if (oldest === 0 && !removed) {
        this.#counted.writesDropped++
        return false
      }
    }
    return false
  }

  /** A slice of the files that no row needs; false when there were none, or none could be removed. */
  async #removeUnused(): Promise<boolean> {
    const files = this.#guarded((index) => index.unused(SLICE)) ?? []
    let removed = 0
    for (const { hash } of files) {
      try {
        await this.#bodies.remove(hash)
        this.#index?.forget(hash)
        removed++
      } catch (error) {
        this.#failed(error)
        break
      }
    }
    return removed > 0
  }

  async #sweep(): Promise<void> {
    const beforeMs = this.#now() - UNUSED_MS
    this.#guarded((index) => index.removeOldest(SLICE, beforeMs))
    if (this.#sweptFolders >= BODY_FOLDERS) return
    try {
      await this.#bodies.removeStrangers(
        this.#sweptFolders++,
        (hash) => this.#guarded((index) => index.knows(hash)) ?? true,
      )
    } catch (error) {
      this.#failed(error)
    }
  }

  async #load(row: IndexedResponse): Promise<StoredResponse | undefined> {
    if (!(await this.#mayRead())) return undefined
    try {
      const contents: Partial<Record<'body' | 'br' | 'gzip', Uint8Array>> = {}
      for (const name of ['body', 'br', 'gzip'] as const) {
        const file = row[name]
        if (file === undefined) continue
        const content = await this.#bodies.read(file.hash, file.bytes)
        if (typeof content === 'string') {
          this.#damaged(row, file)
          return undefined
        }
        contents[name] = content
      }
      this.#counted.reads++
      // It may have been purged while it was read.
      if (this.#guarded((index) => index.has(row)) !== true) return undefined
      const { body, ...encodings } = contents
      return { ...row.head, body: body!, ...(row.br || row.gzip ? { encodings } : {}) }
    } catch (error) {
      this.#failed(error)
      return undefined
    } finally {
      this.#reading--
      this.#readers.shift()?.()
    }
  }

  async #mayRead(): Promise<boolean> {
    if (this.#reading >= READS_AT_ONCE) {
      if (this.#readers.length >= READS_WAITING) return false
      await new Promise<void>((resolve) => this.#readers.push(resolve))
    }
    this.#reading++
    return true
  }

  #damaged(row: IndexedResponse, file: FileName): void {
    this.#guarded((index) => {
      // Else it was replaced or purged, and its file with it.
      if (!index.has(row)) return
      this.#counted.faults++
      index.markBad(file.hash)
      index.remove(row.id)
    })
    this.#start()
  }

  #unwritten(key: string): StoredResponse[] {
    const found: StoredResponse[] = []
    for (const response of this.#queue.values()) if (response.key === key) found.push(response)
    const { response, isUnwanted } = this.#writing ?? { isUnwanted: true }
    if (response?.key === key && !isUnwanted && !this.#queue.has(responseId(key, response.variant)))
      found.push(response)
    return found
  }

  #dropQueue(): void {
    this.#counted.writesDropped += this.#queue.size
    this.#queue.clear()
    this.#queuedBytes = 0
  }

  /** Takes back what is not written yet. */
  #unwant(isUnwanted: (response: StoredResponse) => boolean): void {
    for (const [id, response] of this.#queue) {
      if (!isUnwanted(response)) continue
      this.#queue.delete(id)
      this.#queuedBytes -= storedBytes(response)
    }
    const writing = this.#writing
    if (writing !== undefined && !writing.isUnwanted) writing.isUnwanted = isUnwanted(writing.response)
  }

  /** Undefined when the store is closed or the index failed. */
  #guarded<T>(ask: (index: DiskIndex) => T): T | undefined {
    if (this.#index === undefined) return undefined
    try {
      return ask(this.#index)
    } catch (error) {
      this.#failed(error)
      return undefined
    }
  }

  #failed(error: unknown): void {
    if (isCorrupt(error) && this.#index !== undefined) {
      // `#toil` begins a new one.
      const index = this.#index
      this.#index = undefined
      this.#broken = error
      this.#counted.faults++
      closeQuietly(index)
      this.#reopenAtMs = 0
      this.#start()
      return
    }
    this.#counted.failures++
    this.#restUntilMs = this.#now() + REST_MS
    this.#refused(error)
  }

  async #moveAside(file: string, error: unknown): Promise<void> {
    const { directory } = this.#options
    // The last one is enough to look at, and they must not fill the disk.
    for (const name of await readdir(directory))
      if (name.startsWith('index.sqlite.broken-')) await rm(path.join(directory, name), { force: true })
    const aside = `${file}.broken-${this.#now()}`
    await rename(file, aside)
    for (const ending of ['-wal', '-shm']) await rm(file + ending, { force: true })
    await this.#bodies.clear()
    this.#options.onEvent({
      level: 'warn',
      code: 'cache-index-broken',
      message: `the index of stored responses was broken (${messageOf(error)}): moved to ${aside}, begun anew`,
    })
  }

  /** Said once, until it works again. */
  #refused(error: unknown): void {
    if (this.#isRefused) return
    this.#isRefused = true
    this.#options.onEvent({
      level: 'warn',
      code: 'cache-disk',
      message: `${this.#options.directory}: cannot keep stored responses on disk (${messageOf(error)}); memory goes on`,
    })
  }

  #accepted(): void {
    if (!this.#isRefused) return
    this.#isRefused = false
    this.#options.onEvent({
      level: 'info',
      code: 'cache-disk',
      message: `${this.#options.directory}: stored responses are kept on disk again`,
    })
  }
}

function rowOf(response: StoredResponse): { row: NewRow; contents: [FileName, Uint8Array][] } {
  const { body, encodings, ...head } = response
  const contents: [FileName, Uint8Array][] = []
  const named = (content: Uint8Array): FileName => {
    const file = { hash: hashOf(content), bytes: content.byteLength }
    if (file.bytes > 0) contents.push([file, content])
    return file
  }
  return {
    row: {
      head,
      body: named(body),
      br: encodings?.br === undefined ? undefined : named(encodings.br),
      gzip: encodings?.gzip === undefined ? undefined : named(encodings.gzip),
    },
    contents,
  }
}

function isFit({ head, body, br, gzip }: NewRow, maxBytes: number): boolean {
  if (head.key.length + head.variant.length > LONGEST_KEY) return false
  let fieldBytes = 0
  for (const part of head.fields) fieldBytes += part.length
  if (fieldBytes > LONGEST_FIELDS) return false
  return body.bytes + (br?.bytes ?? 0) + (gzip?.bytes ?? 0) <= maxBytes * LARGEST_SHARE
}

function closeQuietly(index: DiskIndex): void {
  try {
    index.close()
  } catch {
    // Nothing more is asked of it.
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
