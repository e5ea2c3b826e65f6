/**
 * What one HTTP/2 connection may cost, and what happens when it costs more.
 *
 * Each of these floods makes a server work, or hold memory, for a few bytes of the client's:
 *
 *   flood                              stopped by                                     counter
 *   streams at once                    SETTINGS_MAX_CONCURRENT_STREAMS                (refused by nghttp2)
 *   open and reset (CVE-2023-44487)    nghttp2 burst 64, 16/s; own budget below       h2-reset-flood
 *   make the server reset              maxSessionInvalidFrames, own budget            h2-reset-flood
 *   PING, SETTINGS                     own buckets                                    h2-ping-flood, h2-settings-flood
 *   CONTINUATION (CVE-2024-27316)      nghttp2: 8 frames; maxHeaderListSize           h2-protocol-error
 *   empty DATA                         maxSessionInvalidFrames                        h2-protocol-error
 *   PRIORITY, WINDOW_UPDATE, unknown   bytes that carry neither head nor body         h2-overhead-flood
 *   slow reading, windows kept shut    pace of what is buffered                       h2-stalled
 *
 * Node gives the socket to nghttp2, so no frame passes through JavaScript. Wrapping the socket to
 * count frame headers would cost every honest byte two copies and a call; the events and the byte
 * counts of the socket that Node keeps anyway are enough. Their grain: JavaScript hears of a reset
 * only when the 64 kB read it came in has been worked off, therefore the hard limits are nghttp2's
 * and the own ones, which can tell a harmless reset from a costly one, are lower.
 */
import {
  constants,
  type SecureServerOptions,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { LimitsConfig } from '#config'

/** A bucket that leaks: `level` may reach `burst`, and falls by `perSecond`. */
interface Bucket {
  readonly burst: number
  readonly perSecond: number
}

/**
 * Streams reset before they were answered. A browser leaving a page cancels what it still waits for,
 * which is rarely more than 40 unanswered requests; it reconnects, if it must, without noticing.
 */
const RESETS: Bucket = { burst: 40, perSecond: 4 }
/** A reset after the response began has cost what an answer costs. */
const ANSWERED_RESET = 0.25
const PINGS: Bucket = { burst: 20, perSecond: 2 }
const SETTINGS: Bucket = { burst: 8, perSecond: 0.2 }
/** Bytes that are not accounted for by streams. */
const OVERHEAD: Bucket = { burst: 64_000, perSecond: 4_000 }
/** What a stream's frames may take besides its body: a head over several frames, priorities, windows. */
const BYTES_PER_STREAM = 4_000
/** WINDOW_UPDATE frames of whoever reads: at worst 22 bytes (13 and TLS) for each 4 kB. */
const BYTES_PER_BYTE_WRITTEN = 1 / 128
const SWEEP_MS = 1000
/** A phone in a tunnel comes back; memory is bounded meanwhile by maxSessionMemory and the budget. */
const STALL_MS = 15_000

/** nghttp2's own rate limit for resets: the bound within one read. */
const RESET_BURST = 64
const RESET_RATE = 16

/** Options for `http2.performServerHandshake` or `http2.createSecureServer`. */
export function h2ServerOptions(limits: LimitsConfig): SecureServerOptions {
  return {
    settings: {
      maxConcurrentStreams: limits.streams,
      maxHeaderListSize: limits.headBytes,
      enablePush: false,
    },
    maxHeaderListPairs: 128,
    maxSettings: 32,
    maxOutstandingPings: 4,
    maxSessionInvalidFrames: 16,
    maxSessionRejectedStreams: 16,
    streamResetBurst: RESET_BURST,
    streamResetRate: RESET_RATE,
    // Megabytes, headers and what is buffered of the bodies of all its streams.
    maxSessionMemory: 8,
  }
}

export interface GuardOptions {
  readonly limits: LimitsConfig
  readonly count: (counter: string, by?: number) => void
  /** How long a client may leave what waits for it unread. */
  readonly stallMs?: number
}

/** Watches a session and destroys it when it floods. Call once, before its first event. */
export function guardSession(session: ServerHttp2Session, options: GuardOptions): void {
  const guard = new Guard(session, options)
  guards.add(guard)
  sweeper ??= startSweeper()
  session.once('close', () => {
    guards.delete(guard)
    if (guards.size > 0) return
    clearInterval(sweeper)
    sweeper = undefined
  })
}

const guards = new Set<Guard>()
let sweeper: NodeJS.Timeout | undefined

function startSweeper(): NodeJS.Timeout {
  const timer = setInterval(() => {
    const nowMs = performance.now()
    for (const guard of guards) guard.sweep(nowMs)
  }, SWEEP_MS)
  return timer.unref()
}

class Guard {
  readonly #session: ServerHttp2Session
  readonly #options: GuardOptions
  readonly #streams = new Set<ServerHttp2Stream>()
  #resets = 0
  #pings = 0
  #settings = 0
  #overhead = 0
  #leakedAtMs = performance.now()
  /** Streams opened since the last sweep. */
  #opened = 0
  /** A request body was open at some time since the last sweep: its bytes are not overhead. */
  #hadBody = false
  #bytesRead = 0
  #bytesWritten = 0
  #slowMs = 0

  constructor(session: ServerHttp2Session, options: GuardOptions) {
    this.#session = session
    this.#options = options
    const guard = this
    function onStreamClosed(this: ServerHttp2Stream): void {
      guard.#closed(this)
    }
    session.on('stream', (stream, _headers, flags) => {
      this.#streams.add(stream)
      this.#opened++
      if ((flags & constants.NGHTTP2_FLAG_END_STREAM) === 0) this.#hadBody = true
      stream.once('close', onStreamClosed)
    })
    session.on('ping', () => {
      if (++this.#pings > PINGS.burst) this.#cut('h2-ping-flood')
    })
    session.on('remoteSettings', () => {
      if (++this.#settings > SETTINGS.burst) this.#cut('h2-settings-flood')
    })
    session.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') this.#options.count('h2-protocol-error')
    })
  }

  sweep(nowMs: number): void {
    if (this.#session.destroyed) return
    const seconds = (nowMs - this.#leakedAtMs) / 1000
    this.#leakedAtMs = nowMs
    this.#resets = Math.max(0, this.#resets - seconds * RESETS.perSecond)
    this.#pings = Math.max(0, this.#pings - seconds * PINGS.perSecond)
    this.#settings = Math.max(0, this.#settings - seconds * SETTINGS.perSecond)
    const socket = this.#session.socket
    if (socket === undefined) return
    const read = socket.bytesRead - this.#bytesRead
    const written = socket.bytesWritten - this.#bytesWritten
    this.#bytesRead += read
    this.#bytesWritten += written
    let bodyOpen = false
    let buffered = 0
    for (const stream of this.#streams) {
      if (!stream.readableEnded && !stream.endAfterHeaders) bodyOpen = true
      buffered += stream.bufferSize
    }
    if (!bodyOpen && !this.#hadBody) {
      const explained =
        this.#opened * BYTES_PER_STREAM + written * BYTES_PER_BYTE_WRITTEN + seconds * OVERHEAD.perSecond
      this.#overhead = Math.max(0, this.#overhead + read - explained)
      if (this.#overhead > OVERHEAD.burst) this.#cut('h2-overhead-flood')
    }
    this.#opened = 0
    this.#hadBody = bodyOpen
    // What is buffered waits for a window or for the socket: in both cases for the client.
    const slow = buffered > 0 && written < this.#options.limits.minBytesPerSecond * seconds
    this.#slowMs = slow ? this.#slowMs + seconds * 1000 : 0
    if (this.#slowMs >= (this.#options.stallMs ?? STALL_MS)) this.#cut('h2-stalled')
  }

  #closed(stream: ServerHttp2Stream): void {
    this.#streams.delete(stream)
    if (stream.rstCode === constants.NGHTTP2_NO_ERROR) return
    this.#resets += stream.headersSent ? ANSWERED_RESET : 1
    if (this.#resets > RESETS.burst) this.#cut('h2-reset-flood')
  }

  #cut(counter: string): void {
    if (this.#session.destroyed) return
    this.#options.count(counter)
    this.#session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM)
  }
}
