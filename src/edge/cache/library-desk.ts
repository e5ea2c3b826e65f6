/**
 * The library: what is in memory and on disk for all edge threads, and who is told.
 *
 * The edges have the responses themselves on their shelves, the bodies in memory that all share. The
 * library decides what stays there (Eviction), tells the edges what came and what had to go, and carries
 * to disk what was used again or is a second old. It has a thread of its own, so that compressing, hashing
 * and SQLite delay nobody's request. Messages of one edge are taken in order; of two responses under one
 * name the one received later stays.
 */
import type { MessagePort } from 'node:worker_threads'
import { Eviction, type Purge, purges, type StoredResponse, storedBytes } from '#cache'
import { BoundedMap } from '#kit'
import { Compressor, type Encodings, isCompressible } from './compress.ts'
import { DiskStore } from './disk-store.ts'
import { KeySummary } from './key-summary.ts'
import {
  type EdgeToLibrary,
  type Learned,
  type LibraryEvent,
  type LibraryReport,
  type LibraryStart,
  type LibraryToEdge,
  responseId,
} from './library-protocol.ts'

const TICK_MS = 250
/** Used again, a response goes to disk at once; else when it is so old. */
const SETTLED_MS = 1000
const TOUCH_MS = 5000
const MOST_TOUCHED = 65_536
/** Of one key: the oldest goes. */
const MOST_VARIANTS = 64
/** Answers to requests from before a purge may still be under way. */
const REMEMBERED_MS = 60_000
const MOST_PURGES = 256
const MOST_INVALIDATED = 65_536
/** Of memory: what is loaded from disk at the start. */
const WARM_SHARE = 0.5
/** Sites of which is known what was learned. */
const MOST_LEARNED = 1024
/** Responses that a new edge is told of before others have their turn. */
const SLICE = 256

interface Entry {
  readonly response: StoredResponse
  /** The compressor has had it, or need not have it. */
  isCompressed: boolean
}

interface EdgeLine {
  readonly port: MessagePort
  takenBytes: number
}

export class LibraryDesk {
  readonly #eviction: Eviction
  readonly #memoryBytes: number
  readonly #entries = new Map<string, Entry>()
  readonly #byKey = new Map<string, Map<string, StoredResponse>>()
  readonly #edges = new Map<number, EdgeLine>()
  readonly #disk: DiskStore | undefined
  readonly #compressor = new Compressor((response, encodings) => this.#compressed(response, encodings))
  /** In memory and not on disk, with the time when they came. */
  readonly #unwritten = new Map<string, number>()
  readonly #touched = new Map<string, number>()
  readonly #purges: { readonly what: Purge; readonly atMs: number; untilMs: number }[] = []
  readonly #invalidated = new BoundedMap<string, number>(MOST_INVALIDATED)
  readonly #learned = new BoundedMap<string, string>(MOST_LEARNED)
  readonly #looking = new Map<string, Promise<StoredResponse[]>>()
  readonly #counted = { evicted: 0, notAdmitted: 0, variantsDropped: 0, outdated: 0, compressed: 0 }
  #touchAtMs = 0
  #timer: NodeJS.Timeout | undefined
  #warmed: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(start: LibraryStart, onEvent: (event: LibraryEvent) => void) {
    this.#memoryBytes = start.memoryBytes
    this.#eviction = new Eviction(start.memoryBytes)
    const summary = new KeySummary(start.summary)
    if (start.directory !== undefined) {
      const { directory, diskBytes: maxBytes } = start
      this.#disk = new DiskStore({ directory, maxBytes, summary, onEvent })
    } else {
      summary.reset()
      summary.complete()
    }
  }

  /** Resolves when what is on disk can be found; what is hot there comes into memory after that. */
  async open(): Promise<void> {
    await this.#disk?.open()
    for (const { site, snapshot } of this.#disk?.learned() ?? []) this.#learned.set(site, snapshot)
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
    this.#warmed = this.#warm()
  }

  /** Resolves when what was hot on disk is in memory. */
  get warmed(): Promise<void> {
    return this.#warmed
  }

  /** In place of the port that the thread had before. */
  attach(thread: number, port: MessagePort): void {
    this.#edges.get(thread)?.port.close()
    const line = { port, takenBytes: 0 }
    this.#edges.set(thread, line)
    port.on('message', (message: EdgeToLibrary) => this.#received(line, message))
    port.on('close', () => {
      if (this.#edges.get(thread) === line) this.#edges.delete(thread)
    })
    void this.#introduce(line)
  }

  /** Resolves to how many responses were removed from memory and disk; the edges were told before. */
  async purge(what: Purge): Promise<number> {
    const atMs = Date.now()
    const remembered = { what, atMs, untilMs: Number.POSITIVE_INFINITY }
    this.#purges.push(remembered)
    if (this.#purges.length > MOST_PURGES) this.#purges.shift()
    const removed = new Set<string>()
    for (const [id, { response }] of this.#entries) if (purges(what, response)) removed.add(id)
    for (const id of removed) this.#forget(id)
    this.#tell({ type: 'purged', what })
    const others = (await this.#disk?.purge(what, removed)) ?? 0
    remembered.untilMs = Date.now() + REMEMBERED_MS
    return removed.size + others
  }

  report(): LibraryReport {
    return {
      responses: this.#eviction.size,
      memoryBytes: this.#eviction.bytes,
      ...this.#counted,
      compressionsSkipped: this.#compressor.skipped,
      disk: this.#disk?.report(),
    }
  }

  /** What is not on disk yet is written, for a few seconds at most. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#timer)
    for (const { port } of this.#edges.values()) port.close()
    await this.#warmed
    for (const id of this.#unwritten.keys()) this.#disk?.offer(this.#entries.get(id)!.response)
    this.#flushTouched()
    await this.#disk?.close()
  }

  #received(line: EdgeLine, message: EdgeToLibrary): void {
    switch (message.type) {
      case 'stored':
        this.#stored(line, message.response)
        this.#taken(line, storedBytes(message.response))
        break
      case 'used':
        for (const [id, times] of message.uses) this.#used(id, times)
        break
      case 'wanted':
        void this.#look(message.key).then((responses) =>
          line.port.postMessage({ type: 'found', key: message.key, responses } satisfies LibraryToEdge),
        )
        break
      case 'invalidated':
        this.#invalidate(line, message.keys)
        break
      case 'landed':
      case 'seen':
        this.#tell(message, line)
        break
      case 'learned':
        this.#learn(message.learned)
        break
      default:
        message satisfies never
    }
  }

  #learn(learned: Learned): void {
    const { site, snapshot } = learned
    if (this.#learned.get(site) === snapshot) return
    this.#learned.set(site, snapshot)
    this.#disk?.learn(learned)
  }

  #stored(line: EdgeLine, given: StoredResponse): void {
    const id = responseId(given.key, given.variant)
    if (this.#isOutdated(given)) {
      this.#counted.outdated++
      line.port.postMessage({ type: 'dropped', ids: [id] } satisfies LibraryToEdge)
      return
    }
    const before = this.#entries.get(id)?.response
    if (before !== undefined && before.receivedAtMs > given.receivedAtMs) {
      line.port.postMessage({ type: 'kept', response: before } satisfies LibraryToEdge)
      return
    }
    // Several edges offer what they have to a library that was started again.
    if (before?.receivedAtMs === given.receivedAtMs && before.requestedAtMs === given.requestedAtMs) return
    const response = before === undefined ? given : withEncodingsOf(before, given)
    if (this.#keep(response)) {
      this.#unwritten.delete(id)
      this.#unwritten.set(id, Date.now())
      this.#tell({ type: 'kept', response }, response === given ? line : undefined)
    } else {
      this.#counted.notAdmitted++
      this.#tell({ type: 'dropped', ids: [id] })
      this.#disk?.offer(response)
    }
  }

  #used(id: string, times: number): void {
    this.#eviction.used(id, times)
    if (this.#touched.size < MOST_TOUCHED || this.#touched.has(id))
      this.#touched.set(id, (this.#touched.get(id) ?? 0) + times)
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    if (this.#unwritten.has(id)) this.#write(id)
    if (!entry.isCompressed)
      entry.isCompressed = !isCompressible(entry.response) || this.#compressor.offer(entry.response)
  }

  /** All variants under a key, from memory and disk; those from disk come into memory if they may. */
  #look(key: string): Promise<StoredResponse[]> {
    let looking = this.#looking.get(key)
    if (looking === undefined) {
      looking = this.#find(key).finally(() => this.#looking.delete(key))
      this.#looking.set(key, looking)
    }
    return looking
  }

  async #find(key: string): Promise<StoredResponse[]> {
    const fromDisk = (await this.#disk?.get(key)) ?? []
    const found = new Map<string, StoredResponse>()
    for (const response of fromDisk) {
      if (this.#isOutdated(response)) continue
      found.set(response.variant, response)
      if (!this.#entries.has(responseId(key, response.variant))) this.#keep(response)
    }
    for (const [variant, response] of this.#byKey.get(key) ?? []) found.set(variant, response)
    return [...found.values()]
  }

  #invalidate(line: EdgeLine, invalidated: readonly (readonly [key: string, atMs: number])[]): void {
    const keys: string[] = []
    for (const [key, atMs] of invalidated) {
      this.#invalidated.set(key, Math.max(atMs, this.#invalidated.get(key) ?? 0))
      // A library that was started again hears of old ones too.
      const isNewer = [...(this.#byKey.get(key)?.values() ?? [])].some(
        ({ requestedAtMs }) => requestedAtMs > atMs,
      )
      if (isNewer) continue
      keys.push(key)
      for (const variant of [...(this.#byKey.get(key)?.keys() ?? [])]) this.#forget(responseId(key, variant))
    }
    this.#disk?.invalidate(keys)
    this.#tell({ type: 'invalidated', keys }, line)
  }

  /** Its request went out before somebody said that what the origin said before is not to be used. */
  #isOutdated(response: StoredResponse): boolean {
    const { key, requestedAtMs } = response
    const invalidatedAtMs = this.#invalidated.get(key)
    if (invalidatedAtMs !== undefined && requestedAtMs <= invalidatedAtMs) return true
    return this.#purges.some(({ what, atMs }) => requestedAtMs <= atMs && purges(what, response))
  }

  /** Takes a response into memory, in place of the one of its name; false when it may not stay. */
  #keep(response: StoredResponse): boolean {
    const { key, variant } = response
    const id = responseId(key, variant)
    const { admitted, evicted } = this.#eviction.add(id, storedBytes(response))
    this.#counted.evicted += evicted.length
    // Their last chance to reach the disk.
    for (const other of evicted) {
      if (this.#unwritten.has(other)) this.#write(other)
      this.#forget(other)
    }
    if (evicted.length > 0) this.#tell({ type: 'dropped', ids: evicted })
    // The smallest place of all may be its own: then it is among the evicted.
    if (!admitted || evicted.includes(id)) {
      this.#forget(id)
      return false
    }
    this.#entries.set(id, { response, isCompressed: response.encodings !== undefined })
    let variants = this.#byKey.get(key)
    if (variants === undefined) this.#byKey.set(key, (variants = new Map()))
    variants.delete(variant)
    variants.set(variant, response)
    if (variants.size > MOST_VARIANTS) this.#dropVariant(key, variants.keys().next().value!)
    return true
  }

  #dropVariant(key: string, variant: string): void {
    const id = responseId(key, variant)
    this.#counted.variantsDropped++
    this.#forget(id)
    this.#tell({ type: 'dropped', ids: [id] })
  }

  /** From memory, with nobody told. */
  #forget(id: string): void {
    const entry = this.#entries.get(id)
    this.#eviction.remove(id)
    this.#unwritten.delete(id)
    if (entry === undefined) return
    this.#entries.delete(id)
    const { key, variant } = entry.response
    const variants = this.#byKey.get(key)
    variants?.delete(variant)
    if (variants?.size === 0) this.#byKey.delete(key)
  }

  #write(id: string): void {
    if (this.#disk?.offer(this.#entries.get(id)!.response)) this.#unwritten.delete(id)
  }

  #compressed(response: StoredResponse, encodings: Encodings): void {
    const id = responseId(response.key, response.variant)
    const entry = this.#entries.get(id)
    // Replaced, updated or gone in the meantime.
    if (entry?.response !== response || this.#isClosed) return
    this.#counted.compressed++
    if (encodings.br === undefined && encodings.gzip === undefined) return
    const complete = { ...response, encodings }
    if (!this.#keep(complete)) {
      this.#tell({ type: 'dropped', ids: [id] })
      return
    }
    this.#unwritten.set(id, Date.now())
    this.#tell({ type: 'kept', response: complete })
  }

  #tick(): void {
    const nowMs = Date.now()
    for (const [id, sinceMs] of this.#unwritten) {
      if (nowMs - sinceMs < SETTLED_MS) break
      // They are in memory: they can wait for a slow disk.
      if (this.#disk === undefined) this.#unwritten.delete(id)
      else if (this.#disk.hasRoom) this.#write(id)
      else break
    }
    if (nowMs >= this.#touchAtMs) {
      this.#touchAtMs = nowMs + TOUCH_MS
      this.#flushTouched()
    }
    while (this.#purges.length > 0 && this.#purges[0]!.untilMs < nowMs) this.#purges.shift()
    this.#disk?.tick()
  }

  #flushTouched(): void {
    this.#disk?.used([...this.#touched])
    this.#touched.clear()
  }

  async #warm(): Promise<void> {
    if (this.#disk === undefined) return
    for await (const response of this.#disk.hottest(this.#memoryBytes * WARM_SHARE)) {
      if (this.#isClosed) return
      if (this.#entries.has(responseId(response.key, response.variant)) || this.#isOutdated(response))
        continue
      if (this.#keep(response)) this.#tell({ type: 'kept', response })
    }
  }

  /** A thread that is new has an empty shelf. */
  async #introduce(line: EdgeLine): Promise<void> {
    for (const [site, snapshot] of this.#learned.entries())
      line.port.postMessage({ type: 'learned', learned: { site, snapshot } } satisfies LibraryToEdge)
    let told = 0
    for (const id of [...this.#entries.keys()]) {
      const entry = this.#entries.get(id)
      if (entry === undefined) continue
      line.port.postMessage({ type: 'kept', response: entry.response } satisfies LibraryToEdge)
      if (++told % SLICE === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  #tell(message: LibraryToEdge, butNot?: EdgeLine): void {
    for (const line of this.#edges.values()) if (line !== butNot) line.port.postMessage(message)
  }

  #taken(line: EdgeLine, bytes: number): void {
    if (line.takenBytes === 0)
      setImmediate(() => {
        line.port.postMessage({ type: 'taken', bytes: line.takenBytes } satisfies LibraryToEdge)
        line.takenBytes = 0
      })
    line.takenBytes += bytes
  }
}

/** The origin sent the same text again: it is compressed already. */
function withEncodingsOf(before: StoredResponse, response: StoredResponse): StoredResponse {
  const { body, encodings } = before
  if (encodings === undefined || response.encodings !== undefined || !isCompressible(response))
    return response
  if (body.byteLength !== response.body.byteLength || Buffer.compare(body, response.body) !== 0)
    return response
  return { ...response, body, encodings }
}
