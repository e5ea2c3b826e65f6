/** A request's body on its way from the client: first into memory if it is small, else streamed. */
import { Readable } from 'node:stream'
import { assert } from '#kit'
import { Pace } from './pace.ts'

/** So much of a body is read before a permit is asked: whoever declares much and sends nothing holds no origin. */
export const SMALL_BODY_BYTES = 65_536
/** What one thread holds of them in all; beyond it bodies are streamed. */
const HELD_BYTES = 32 * 1024 * 1024
let held = 0

/** The client's side failed or went beyond a bound; the origin is not to blame. */
export class ClientBodyError extends Error {
  readonly code: 'too-large' | 'gone' | 'slow-body'
  constructor(code: 'too-large' | 'gone' | 'slow-body') {
    super(code)
    this.code = code
  }
}

export class RequestBody {
  readonly #source: Readable
  /** Declared length; undefined with chunked framing. */
  readonly #declared: number | undefined
  readonly #pace = new Pace()
  #chunks: Buffer[] = []
  #received = 0
  #reserved = 0
  #stream: Readable | undefined
  #limit = Number.POSITIVE_INFINITY
  #collected: (() => void) | undefined
  /** The client is being waited for. */
  #reading = false
  complete = false

  constructor(source: Readable, declared: number | undefined) {
    this.#source = source
    this.#declared = declared
    source.on('data', this.#onData)
    source.on('end', this.#onEnd)
    source.pause()
  }

  get declared(): number | undefined {
    return this.#declared
  }

  /** Something has been passed on that cannot be sent again. */
  get isStreaming(): boolean {
    return this.#stream !== undefined
  }

  /** Reads into memory until the end, or until it proves not to be small; then calls `done`. False: no room, stream it. */
  collect(done: () => void): boolean {
    const wanted = Math.min(this.#declared ?? SMALL_BODY_BYTES, SMALL_BODY_BYTES)
    if (held + wanted > HELD_BYTES) return false
    this.#reserved = wanted
    held += wanted
    this.#collected = done
    this.#reading = true
    this.#source.resume()
    return true
  }

  /** All of it, when it is here and nothing was passed on; undefined when it is empty or goes on. */
  get whole(): Buffer | undefined {
    if (!this.complete || this.#stream !== undefined || this.#chunks.length === 0) return undefined
    return this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
  }

  /** `bytes` go on in place of what the client sent, which must be complete. */
  substitute(bytes: Buffer): void {
    assert(this.complete && this.#stream === undefined, 'substitute: the body has been passed on')
    this.#chunks = bytes.length === 0 ? [] : [bytes]
  }

  /** What to send: the bytes when all are here, else a stream that begins with what is. `limit` in bytes. */
  forOrigin(limit: number): Buffer | Readable | null {
    if (this.complete && this.#stream === undefined) return this.whole ?? null
    this.#limit = limit
    const stream = new Readable({
      highWaterMark: 65_536,
      read: () => {
        if (this.complete) return
        this.#reading = true
        this.#source.resume()
      },
      destroy: (error, callback) => {
        this.#reading = false
        this.#source.pause()
        callback(error)
      },
    })
    // The relay hears of it from the origin's side; an error nobody listens to would end the process.
    stream.on('error', () => {})
    this.#stream = stream
    for (const chunk of this.#chunks) stream.push(chunk)
    this.#chunks = []
    this.#giveBack()
    return stream
  }

  /** The client left, or is too slow: whoever reads the stream is told. */
  fail(code: 'gone' | 'slow-body'): void {
    this.#reading = false
    this.#stream?.destroy(new ClientBodyError(code))
  }

  /** The exchange is over: gives the memory back. */
  release(): void {
    this.#reading = false
    this.#collected = undefined
    this.#chunks = []
    this.#giveBack()
    this.#source.off('data', this.#onData)
    if (!this.complete) this.#source.pause()
  }

  /** True: the client sends too slowly. */
  isSlow(elapsedMs: number, minBytesPerSecond: number): boolean {
    return this.#reading && !this.complete && this.#pace.waited(elapsedMs, minBytesPerSecond)
  }

  #onData = (chunk: Buffer): void => {
    this.#received += chunk.length
    this.#pace.moved(chunk.length)
    const stream = this.#stream
    if (stream === undefined) {
      this.#chunks.push(chunk)
      if (this.#received > SMALL_BODY_BYTES) {
        this.#source.pause()
        this.#finishCollecting()
      }
    } else if (this.#received > this.#limit) {
      this.#source.pause()
      stream.destroy(new ClientBodyError('too-large'))
    } else if (!stream.push(chunk)) {
      this.#reading = false
      this.#source.pause()
    }
  }

  #onEnd = (): void => {
    this.complete = true
    this.#reading = false
    if (this.#stream === undefined) this.#finishCollecting()
    else this.#stream.push(null)
  }

  #finishCollecting(): void {
    this.#reading = false
    const done = this.#collected
    this.#collected = undefined
    done?.()
  }

  #giveBack(): void {
    held -= this.#reserved
    this.#reserved = 0
  }
}
