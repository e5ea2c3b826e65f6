/**
 * One keep-alive connection to an origin and the exchange it carries: HTTP/1.1 on a bare socket.
 *
 *   connecting ─▶ idle ⇄ head ─▶ body ─▶ idle | gone
 *
 * All plain sockets of a thread read into one buffer (`onread`), which spares an allocation per read
 * and obliges everyone who gets bytes to copy what they keep before they return.
 */
import net from 'node:net'
import tls from 'node:tls'
import { CHUNKED_MALFORMED, ChunkedScanner, type OriginHead, parseResponseHead } from '#http'
import { Deadline, type Deadlines } from '../deadlines.ts'
import type { Origin } from '../house.ts'

/** Who waits for an origin's answer. Bytes belong to the caller again when the call returns. */
export interface Relay {
  /** The answer is one to HEAD. */
  readonly toHead: boolean
  /** A 103, and every other interim response but 100. */
  interim(head: OriginHead): void
  /** The final head and what came of the body with it. `last`: that is all. True: pause. */
  respond(head: OriginHead, bytes: Buffer, start: number, end: number, last: boolean): boolean
  /** More of the body, still chunked if it was. True: pause. */
  body(bytes: Buffer, start: number, end: number, last: boolean): boolean
  /** No answer. `stale`: a used connection died before it said anything; another may be tried. */
  failed(error: Error & { code?: string }, stale: boolean): void
  /** The answer broke off behind its head. */
  broke(reason: string): void
}

const CONNECT_TIMEOUT_MS = 5000
/** Below the 5 s after which many servers close (Node's own among them). */
const KEEP_IDLE_MS = 4000
const MOST_IDLE = 512
const MOST_HEAD_BYTES = 65_536
const MOST_INTERIM = 16

const READ_BUFFER = Buffer.allocUnsafeSlow(65_536)
const EMPTY = Buffer.alloc(0)

export class OriginError extends Error {
  readonly code: string
  constructor(code: string) {
    super(code)
    this.code = code
  }
}

/** A thread's idle connections by origin. What is in use is bounded by the gate's permits. */
export class OriginConnections {
  readonly deadlines: Deadlines
  readonly count: (counter: string) => void
  readonly #idle = new Map<Origin, OriginConnection[]>()

  constructor(deadlines: Deadlines, count: (counter: string) => void) {
    this.deadlines = deadlines
    this.count = count
  }

  /** The connection used last, the likeliest to be alive, or a new one. */
  take(origin: Origin, fresh: boolean): OriginConnection {
    if (!fresh) {
      const connection = this.#idle.get(origin)?.pop()
      if (connection !== undefined) return connection
    }
    return new OriginConnection(origin, this)
  }

  keep(connection: OriginConnection): boolean {
    let list = this.#idle.get(connection.origin)
    if (list === undefined) this.#idle.set(connection.origin, (list = []))
    if (list.length >= MOST_IDLE) {
      this.count('origin-idle-full')
      return false
    }
    list.push(connection)
    return true
  }

  forget(connection: OriginConnection): void {
    const list = this.#idle.get(connection.origin)
    const at = list?.indexOf(connection) ?? -1
    if (at < 0) return
    list!.splice(at, 1)
    if (list!.length === 0) this.#idle.delete(connection.origin)
  }

  get idle(): number {
    let count = 0
    for (const list of this.#idle.values()) count += list.length
    return count
  }

  closeIdle(): void {
    for (const list of [...this.#idle.values()]) for (const connection of [...list]) connection.abort()
  }
}

const IDLE = 0
const HEAD = 1
const BODY = 2
const GONE = 3

const NONE = 0
const LENGTH = 1
const CHUNKED = 2
const CLOSE = 3
const FRAMING = { none: NONE, length: LENGTH, chunked: CHUNKED, close: CLOSE } as const

/** Sockets of this file know their connection: one listener function each for all of them. */
const OWNER = Symbol('origin connection')
type OwnedSocket = net.Socket & { [OWNER]: OriginConnection }

function onEnd(this: OwnedSocket): void {
  this[OWNER].onEnd()
}
function onError(this: OwnedSocket, error: Error): void {
  this[OWNER].onClosed(error)
}
function onClose(this: OwnedSocket): void {
  this[OWNER].onClosed(undefined)
}
function onConnect(this: OwnedSocket): void {
  this[OWNER].onConnect()
}
function onData(this: OwnedSocket, bytes: Buffer): void {
  if (!this[OWNER].onBytes(bytes, bytes.length)) this.pause()
}

export class OriginConnection extends Deadline {
  readonly origin: Origin
  readonly #pool: OriginConnections
  readonly #socket: net.Socket
  readonly #scanner = new ChunkedScanner()
  #relay: Relay | undefined
  #state = IDLE
  #connected = false
  #used = false
  /** Bytes of the current answer have come. */
  #heard = false
  #interims = 0
  #headStart: Buffer | undefined
  #framing = NONE
  #left = 0
  #reusable = false
  #timeoutMs = 0
  /** The relay has asked for a pause: its client is slow, not the origin. */
  #paused = false

  constructor(origin: Origin, pool: OriginConnections) {
    super()
    this.origin = origin
    this.#pool = pool
    this.#socket = this.#open(origin)
    const socket = this.#socket as OwnedSocket
    socket[OWNER] = this
    socket.on('end', onEnd)
    socket.on('error', onError)
    socket.on('close', onClose)
    if (origin.secure) {
      socket.on('secureConnect', onConnect)
      socket.on('data', onData)
    } else socket.on('connect', onConnect)
  }

  #open(origin: Origin): net.Socket {
    const where =
      origin.socketPath === '' ? { host: origin.hostname, port: origin.port } : { path: origin.socketPath }
    if (origin.secure) {
      return tls.connect({
        ...where,
        ALPNProtocols: ['http/1.1'],
        rejectUnauthorized: origin.verify,
        ...(net.isIP(origin.hostname) === 0 ? { servername: origin.hostname } : {}),
      })
    }
    return net.connect({
      ...where,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 30_000,
      allowHalfOpen: false,
      onread: {
        buffer: READ_BUFFER,
        callback: (count: number, bytes: Uint8Array) => this.onBytes(bytes as Buffer, count),
      },
    })
  }

  /** Sends a request; the relay hears what comes of it. */
  send(relay: Relay, request: string, timeoutMs: number): void {
    this.#relay = relay
    this.#state = HEAD
    this.#heard = false
    this.#interims = 0
    this.#paused = false
    this.#timeoutMs = timeoutMs
    this.#pool.deadlines.set(this, this.#connected ? timeoutMs : Math.min(CONNECT_TIMEOUT_MS, timeoutMs))
    this.#socket.write(request, 'latin1')
  }

  /** The relay wants bytes again. */
  resume(): void {
    if (this.#state === GONE) return
    this.#paused = false
    this.#watchStall()
    this.#socket.resume()
  }

  /** Closes; a relay that is under way hears nothing more. */
  abort(): void {
    this.#relay = undefined
    this.#leave()
  }

  onConnect(): void {
    this.#connected = true
    if (this.#state === HEAD) this.#pool.deadlines.set(this, this.#timeoutMs)
  }

  override expired(): void {
    switch (this.#state) {
      case HEAD:
        this.#fail(
          new OriginError(this.#connected ? 'UND_ERR_HEADERS_TIMEOUT' : 'UND_ERR_CONNECT_TIMEOUT'),
          false,
        )
        break
      case BODY:
        if (!this.#paused) this.#break('origin-stalled')
        break
      default:
        this.#leave()
    }
  }

  /**
   * Who said how many bytes there are owes them: as long as for the first one, each time. An answer
   * without a length may be an event stream, which is quiet for hours.
   */
  #watchStall(): void {
    if (this.#state === BODY && this.#framing === LENGTH) this.#pool.deadlines.set(this, this.#timeoutMs)
  }

  #break(reason: string): void {
    const relay = this.#relay
    this.abort()
    relay?.broke(reason)
  }

  onEnd(): void {
    if (this.#state === BODY && this.#framing === CLOSE) this.#finish(EMPTY, 0, 0)
    else this.onClosed(undefined)
  }

  onClosed(error: (Error & { code?: string }) | undefined): void {
    switch (this.#state) {
      case HEAD:
        this.#fail(error ?? new OriginError('UND_ERR_SOCKET'), this.#used && !this.#heard)
        break
      case BODY:
        this.#break(this.#framing === LENGTH ? 'origin-length' : 'origin-closed')
        break
      default:
        this.#leave()
    }
  }

  /** False: read no more for now. */
  onBytes(bytes: Buffer, count: number): boolean {
    if (this.#state === BODY) return this.#onBody(bytes, 0, count)
    if (this.#state === HEAD) return this.#onHead(bytes, count)
    // An origin that speaks unasked would be answering the next visitor's request.
    if (this.#state === IDLE) this.#pool.count('origin-unasked')
    this.#leave()
    return false
  }

  #onHead(received: Buffer, count: number): boolean {
    this.#heard = true
    let bytes = received
    let end = count
    if (this.#headStart !== undefined) {
      bytes = Buffer.concat([this.#headStart, received.subarray(0, count)])
      end = bytes.length
      this.#headStart = undefined
    }
    let start = 0
    for (;;) {
      const head = parseResponseHead(bytes, start, end, this.#relay!.toHead)
      if (head === undefined) {
        if (end - start > MOST_HEAD_BYTES)
          return this.#fail(new OriginError('UND_ERR_HEADERS_OVERFLOW'), false)
        // `bytes` may be the thread's read buffer.
        this.#headStart = Buffer.from(bytes.subarray(start, end))
        return true
      }
      if (typeof head === 'string') return this.#fail(new OriginError(head), false)
      if (head.end - start > MOST_HEAD_BYTES)
        return this.#fail(new OriginError('UND_ERR_HEADERS_OVERFLOW'), false)
      if (head.status >= 200) return this.#onFinalHead(head, bytes, end)
      if (++this.#interims > MOST_INTERIM) return this.#fail(new OriginError('origin-interim-flood'), false)
      if (head.status !== 100) this.#relay!.interim(head)
      // The write found the client gone.
      if (this.#relay === undefined) return false
      start = head.end
      if (start === end) return true
    }
  }

  #onFinalHead(head: OriginHead, bytes: Buffer, end: number): boolean {
    const framing = FRAMING[head.framing]
    this.#framing = framing
    this.#reusable = head.reusable
    this.#left = head.length
    this.#state = BODY
    this.dueMs = Number.POSITIVE_INFINITY
    if (framing === CHUNKED) this.#scanner.reset()
    const stop = this.#bodyEnd(bytes, head.end, end)
    if (stop === CHUNKED_MALFORMED) return this.#fail(new OriginError('origin-chunk'), false)
    const last = this.#ended
    const relay = this.#relay!
    if (last) this.#release(stop < end)
    else this.#watchStall()
    return this.#goesOn(relay.respond(head, bytes, head.end, stop, last), last)
  }

  #onBody(bytes: Buffer, start: number, end: number): boolean {
    const stop = this.#bodyEnd(bytes, start, end)
    const relay = this.#relay!
    if (stop === CHUNKED_MALFORMED) {
      this.#break('origin-chunk')
      return false
    }
    const last = this.#ended
    if (last) this.#release(stop < end)
    else this.#watchStall()
    return this.#goesOn(relay.body(bytes, start, stop, last), last)
  }

  /** Whether to read on. Not the connection's matter any more when it was the last. */
  #goesOn(pause: boolean, last: boolean): boolean {
    if (last || !pause) return true
    this.#paused = true
    return false
  }

  #ended = false

  /** Where the body's bytes end within `bytes`; sets `#ended` when the body does. */
  #bodyEnd(bytes: Buffer, start: number, end: number): number {
    switch (this.#framing) {
      case LENGTH: {
        const stop = Math.min(end, start + this.#left)
        this.#left -= stop - start
        this.#ended = this.#left === 0
        return stop
      }
      case CHUNKED: {
        const stop = this.#scanner.feed(bytes, start, end)
        this.#ended = stop >= 0
        return stop === CHUNKED_MALFORMED || stop >= 0 ? stop : end
      }
      case CLOSE:
        this.#ended = false
        return end
      default:
        this.#ended = true
        return start
    }
  }

  /** The origin is done: its connection goes back before the client is served, the next may need it. */
  #release(surplus: boolean): void {
    this.#relay = undefined
    this.#used = true
    this.#state = IDLE
    if (this.#reusable && !surplus && this.#pool.keep(this)) this.#pool.deadlines.set(this, KEEP_IDLE_MS)
    else this.#leave()
  }

  #finish(bytes: Buffer, start: number, end: number): void {
    const relay = this.#relay!
    this.#relay = undefined
    this.#leave()
    relay.body(bytes, start, end, true)
  }

  #fail(error: Error & { code?: string }, stale: boolean): false {
    const relay = this.#relay
    this.#relay = undefined
    this.#leave()
    relay?.failed(error, stale)
    return false
  }

  #leave(): void {
    if (this.#state === GONE) return
    if (this.#state === IDLE) this.#pool.forget(this)
    this.#state = GONE
    this.#headStart = undefined
    this.#pool.deadlines.remove(this)
    this.#socket.destroy()
  }
}
