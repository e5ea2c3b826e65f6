/** What edge threads, the library and the main side say to each other about stored responses. Plain data. */
import type { MessagePort } from 'node:worker_threads'
import type { Purge, StoredResponse } from '#cache'

/** Names one stored response. No key holds a line feed. */
export function responseId(key: string, variant: string): string {
  return `${key}\n${variant}`
}

/** A copy that all threads can share, unless the bytes are shared already. */
export function inSharedMemory(bytes: Uint8Array): Uint8Array {
  if (bytes.buffer instanceof SharedArrayBuffer) return bytes
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.byteLength))
  shared.set(bytes)
  return shared
}

/** Name of a response (`responseId`) and how often it served. */
export type Use = readonly [id: string, times: number]

/** An edge thread to the library. */
export type EdgeToLibrary =
  /** An edge has stored a response, or updated one after a 304: it is on its shelf already. */
  | { readonly type: 'stored'; readonly response: StoredResponse }
  | { readonly type: 'used'; readonly uses: readonly Use[] }
  /** Not on my shelf: is it elsewhere? */
  | { readonly type: 'wanted'; readonly key: string }
  /** By an unsafe request (RFC 9111 §4.4), at a wall clock in ms. */
  | { readonly type: 'invalidated'; readonly keys: readonly (readonly [key: string, atMs: number])[] }
  /** The leader of a flight is back: passed on to the other edges. */
  | { readonly type: 'landed'; readonly key: string }
  /** A page as calm weather shows it: passed on to the other edges. */
  | { readonly type: 'seen'; readonly sight: Sight }
  | { readonly type: 'learned'; readonly learned: Learned }

/** What is known of a site's query parameters, for threads that begin and for the next start. */
export interface Learned {
  /** The site's first host. */
  readonly site: string
  /** `Parameters.toJSON` as text. */
  readonly snapshot: string
}

/** What teaches which query parameters change a page (`Parameters.learn`). */
export interface Sight {
  /** The site's first host. */
  readonly site: string
  readonly target: string
  /** Of the body as the origin sent it. */
  readonly digest: string
  readonly status: number
  readonly variant: string
  /** Wall clock, ms. */
  readonly atMs: number
}

/**
 * The library to an edge thread. Racy by design: `dropped` may meet a newer response that the library
 * has not heard of yet; it costs that edge a miss.
 */
export type LibraryToEdge =
  /** Another edge stored it, or it came from disk, or its compressed forms are ready. */
  | { readonly type: 'kept'; readonly response: StoredResponse }
  /** They are not in memory any more. */
  | { readonly type: 'dropped'; readonly ids: readonly string[] }
  | { readonly type: 'invalidated'; readonly keys: readonly string[] }
  | { readonly type: 'purged'; readonly what: Purge }
  /** Answer to `wanted`: all variants; none when it is absent. */
  | { readonly type: 'found'; readonly key: string; readonly responses: readonly StoredResponse[] }
  | { readonly type: 'landed'; readonly key: string }
  | { readonly type: 'seen'; readonly sight: Sight }
  /** At the start, what was known before. */
  | { readonly type: 'learned'; readonly learned: Learned }
  /** So many bytes of `stored` have been taken in: what is under way is bounded by it. */
  | { readonly type: 'taken'; readonly bytes: number }

export type MainToLibrary =
  | { readonly type: 'attach'; readonly thread: number; readonly port: MessagePort }
  | { readonly type: 'purge'; readonly id: number; readonly what: Purge }
  | { readonly type: 'report'; readonly id: number }
  | { readonly type: 'close'; readonly id: number }

export type LibraryToMain =
  | { readonly type: 'event'; readonly event: LibraryEvent }
  | { readonly type: 'purged'; readonly id: number; readonly removed: number }
  | { readonly type: 'reported'; readonly id: number; readonly report: LibraryReport }
  | { readonly type: 'closed'; readonly id: number }

/** `workerData` of the library. */
export interface LibraryStart {
  /** Folder of its own; undefined: memory only. */
  readonly directory: string | undefined
  readonly memoryBytes: number
  readonly diskBytes: number
  readonly summary: SharedArrayBuffer
}

/** Something the operator should read in the log. */
export interface LibraryEvent {
  readonly level: 'info' | 'warn' | 'error'
  readonly code: 'cache-disk' | 'cache-index-broken' | 'cache-library-died' | 'cache-library-restarted'
  readonly message: string
}

/** Counters are since the library's start. */
export interface LibraryReport {
  /** In memory. */
  readonly responses: number
  readonly memoryBytes: number
  /** Had to go from memory for others, and were not let in at all. */
  readonly evicted: number
  readonly notAdmitted: number
  /** Variants beyond the most that one key may have. */
  readonly variantsDropped: number
  /** Came after a purge or an invalidation that they were asked for before. */
  readonly outdated: number
  readonly compressed: number
  readonly compressionsSkipped: number
  readonly disk: DiskReport | undefined
}

export interface DiskReport {
  readonly responses: number
  /** Bodies in whole blocks, and an estimate of the index. */
  readonly bytes: number
  readonly reads: number
  readonly writes: number
  /** Had to go for others. */
  readonly evicted: number
  /** Rows or bodies that were not what they should be, each a miss. */
  readonly faults: number
  /** Reads and writes that the system refused. */
  readonly failures: number
  /** Not written: the queue was full, or the disk had just refused. */
  readonly writesDropped: number
  /** Not written: too large, or with too long a head. */
  readonly unfit: number
}
