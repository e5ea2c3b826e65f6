/**
 * An edge thread's line to the library. Nothing here waits: what cannot be sent is counted, and an
 * answer that does not come in a quarter of a second counts as "no". While the library is away the edge
 * serves from its shelf. While nothing was ever stored there is no library yet, and nobody to tell anything.
 */
import type { MessagePort } from 'node:worker_threads'
import { type Purge, type StoredResponse, storedBytes } from '#cache'
import { BoundedMap } from '#kit'
import {
  type EdgeToLibrary,
  inSharedMemory,
  type Learned,
  type LibraryToEdge,
  responseId,
  type Sight,
} from './library-protocol.ts'

const USED_MS = 250
const MOST_USED = 4096
const MOST_WANTED = 256
const PATIENCE_MS = 250
/** Of responses that the library has not taken in yet. */
const MOST_IN_TRANSIT_BYTES = 64 * 2 ** 20
/** Told again to a library that was started again: the old one may not have heard of them. */
const MOST_INVALIDATED = 4096
/** Responses offered again before other things have their turn. */
const SLICE = 64

/** What the edge does about what the library says. */
export interface LibraryHandlers {
  /** To be put on the shelf, unless what is there was received later. */
  kept(response: StoredResponse): void
  /** `responseId`s to be taken off the shelf. */
  dropped(ids: readonly string[]): void
  invalidated(keys: readonly string[]): void
  purged(what: Purge): void
  /** All that the library has under a key, none among it: to be put on the shelf; who wanted it is told after that. */
  found(key: string, responses: readonly StoredResponse[]): void
  landed(key: string): void
  seen(sight: Sight): void
  /** What was known before this thread began. */
  learned(learned: Learned): void
  /** All that is on the shelf, for a library that was started again. */
  shelf(): Iterable<StoredResponse>
}

interface Wanted {
  readonly untilMs: number
  readonly tell: ((responses: readonly StoredResponse[]) => void)[]
}

/** Since the start. */
export interface LibraryPortCounters {
  /** Not offered: the library is behind. */
  readonly storedDropped: number
  readonly usesDropped: number
  /** Not asked: too many questions are open. */
  readonly wantedRefused: number
  /** Asked, and not answered in time. */
  readonly wantedLate: number
}

export class LibraryPort {
  readonly #handlers: LibraryHandlers
  #port: MessagePort
  readonly #uses = new Map<StoredResponse, number>()
  /** In the order asked: the first runs out first. */
  readonly #wanted = new Map<string, Wanted>()
  readonly #invalidated = new BoundedMap<string, number>(MOST_INVALIDATED)
  readonly #counted = { storedDropped: 0, usesDropped: 0, wantedRefused: 0, wantedLate: 0 }
  readonly #timer: NodeJS.Timeout
  #patience: NodeJS.Timeout | undefined
  #inTransitBytes = 0
  /** Undefined: it is awake. */
  #wake: (() => void) | undefined

  /** `wake`: has the library begin; absent when it has. */
  constructor(port: MessagePort, handlers: LibraryHandlers, wake?: () => void) {
    this.#handlers = handlers
    this.#port = port
    this.#wake = wake
    this.#listen(port)
    this.#timer = setInterval(() => this.#flushUses(), USED_MS)
  }

  get counters(): LibraryPortCounters {
    return { ...this.#counted }
  }

  /**
   * A response was stored or updated: offers it to the other threads and to the disk. False when the library is too
   * far behind to hear of it: nobody but this thread knows it, and only this thread bounds it.
   */
  stored(response: StoredResponse): boolean {
    const bytes = storedBytes(response)
    if (this.#inTransitBytes + bytes > MOST_IN_TRANSIT_BYTES && this.#inTransitBytes > 0) {
      this.#counted.storedDropped++
      return false
    }
    this.#inTransitBytes += bytes
    this.#awake()
    this.#send({ type: 'stored', response: shared(response) })
    return true
  }

  /** It served. Allocates nothing for one that served already since the last batch. */
  used(response: StoredResponse): void {
    const times = this.#uses.get(response)
    if (times === undefined && this.#uses.size >= MOST_USED) this.#counted.usesDropped++
    else this.#uses.set(response, (times ?? 0) + 1)
  }

  /** Asks for what is not on the shelf; `tell` is called once, at once when too much is asked for already. */
  want(key: string, tell: (responses: readonly StoredResponse[]) => void): void {
    const wanted = this.#wanted.get(key)
    if (wanted !== undefined) {
      wanted.tell.push(tell)
      return
    }
    if (this.#wanted.size >= MOST_WANTED) {
      this.#counted.wantedRefused++
      tell([])
      return
    }
    this.#wanted.set(key, { untilMs: performance.now() + PATIENCE_MS, tell: [tell] })
    this.#send({ type: 'wanted', key })
    this.#patience ??= setTimeout(() => this.#runOut(), PATIENCE_MS)
  }

  /** An unsafe request succeeded (RFC 9111 §4.4): all variants under these keys are doubtful. */
  invalidated(keys: readonly string[]): void {
    const nowMs = Date.now()
    for (const key of keys) this.#invalidated.set(key, nowMs)
    this.#send({ type: 'invalidated', keys: keys.map((key) => [key, nowMs] as const) })
  }

  /** A flight that others wait for is back. */
  landed(key: string): void {
    this.#awake()
    this.#send({ type: 'landed', key })
  }

  /** In calm weather: all threads learn from it. */
  seen(sight: Sight): void {
    this.#send({ type: 'seen', sight })
  }

  /** What all threads have learned of a site, told by one of them. */
  learned(learned: Learned): void {
    this.#send({ type: 'learned', learned })
  }

  /** The library was started again. It hears what this thread knows, in slices. */
  replace(port: MessagePort): void {
    this.#wake = undefined
    this.#port.close()
    this.#port = port
    this.#inTransitBytes = 0
    this.#listen(port)
    const invalidated = [...this.#invalidated.entries()]
    if (invalidated.length > 0) this.#send({ type: 'invalidated', keys: invalidated })
    for (const key of this.#wanted.keys()) this.#send({ type: 'wanted', key })
    void this.#offerShelf(port)
  }

  close(): void {
    clearInterval(this.#timer)
    clearTimeout(this.#patience)
    this.#flushUses()
    this.#port.close()
  }

  #listen(port: MessagePort): void {
    port.on('message', (message: LibraryToEdge) => {
      // What the old library said last no longer holds.
      if (port !== this.#port) return
      this.#wake = undefined
      this.#received(message)
    })
  }

  #received(message: LibraryToEdge): void {
    switch (message.type) {
      case 'kept':
        this.#handlers.kept(message.response)
        break
      case 'dropped':
        this.#handlers.dropped(message.ids)
        break
      case 'invalidated':
        this.#handlers.invalidated(message.keys)
        break
      case 'purged':
        this.#handlers.purged(message.what)
        break
      case 'found':
        this.#handlers.found(message.key, message.responses)
        this.#answer(message.key, message.responses)
        break
      case 'landed':
        this.#handlers.landed(message.key)
        break
      case 'seen':
        this.#handlers.seen(message.sight)
        break
      case 'learned':
        this.#handlers.learned(message.learned)
        break
      case 'taken':
        this.#inTransitBytes = Math.max(0, this.#inTransitBytes - message.bytes)
        break
      default:
        message satisfies never
    }
  }

  #answer(key: string, responses: readonly StoredResponse[]): void {
    const wanted = this.#wanted.get(key)
    if (wanted === undefined) return
    this.#wanted.delete(key)
    for (const tell of wanted.tell) tell(responses)
  }

  #runOut(): void {
    this.#patience = undefined
    const nowMs = performance.now()
    for (const [key, { untilMs }] of this.#wanted) {
      if (untilMs > nowMs) {
        this.#patience = setTimeout(() => this.#runOut(), untilMs - nowMs)
        return
      }
      this.#counted.wantedLate++
      this.#answer(key, [])
    }
  }

  #flushUses(): void {
    if (this.#uses.size === 0) return
    const uses = [...this.#uses].map(
      ([{ key, variant }, times]) => [responseId(key, variant), times] as const,
    )
    this.#uses.clear()
    this.#send({ type: 'used', uses })
  }

  async #offerShelf(port: MessagePort): Promise<void> {
    let offered = 0
    for (const response of [...this.#handlers.shelf()]) {
      // Beyond what may be under way the rest waits.
      while (port === this.#port && !this.stored(response))
        await new Promise((resolve) => setTimeout(resolve, USED_MS))
      if (port !== this.#port) return
      if (++offered % SLICE === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  #awake(): void {
    this.#wake?.()
    this.#wake = undefined
  }

  #send(message: EdgeToLibrary): void {
    // Nothing is stored: whatever else is to be said is about nothing, and would wait in the port.
    if (this.#wake === undefined) this.#port.postMessage(message)
  }
}

/** With its bytes where all threads can read them: a body elsewhere would be copied for each of them. */
function shared(response: StoredResponse): StoredResponse {
  const { body, encodings } = response
  const isShared =
    isInSharedMemory(body) && isInSharedMemory(encodings?.br) && isInSharedMemory(encodings?.gzip)
  if (isShared) return response
  return {
    ...response,
    body: inSharedMemory(body),
    ...(encodings && {
      encodings: {
        ...(encodings.br && { br: inSharedMemory(encodings.br) }),
        ...(encodings.gzip && { gzip: inSharedMemory(encodings.gzip) }),
      },
    }),
  }
}

function isInSharedMemory(bytes: Uint8Array | undefined): boolean {
  return bytes === undefined || bytes.buffer instanceof SharedArrayBuffer
}
