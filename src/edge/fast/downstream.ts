/**
 * The strict fast path: HTTP/1.1 on bare sockets for the small grammar of http/request-head.ts.
 *
 *            ┌──────────── answered, relayed ─────────────┐
 *   IDLE ─▶ HEAD ─▶ BUSY (deciding · waiting · relaying) ─┴─▶ CLOSING ─▶ GONE
 *            └─ anything else ─▶ HANDED_OVER: Node's http has the socket and every unread byte
 *
 * One request at a time and in order: what a client pipelines waits unread in a bounded buffer. No
 * timer, promise or closure per request; an answer is one write. docs/decisions/fast-path.md has the
 * measurements behind it.
 */
import type { Socket } from 'node:net'
import type { Outcome } from '#admission'
import {
  ChunkedScanner,
  ELSEWHERE,
  type FastRequestHead,
  INCOMPLETE,
  type OriginHead,
  parseRequestHead,
} from '#http'
import { type Answer, fieldText, headText } from '../answers.ts'
import type { Fill, Instead } from '../cache/filling.ts'
import type { Connection, Transport } from '../connection.ts'
import { Deadline, type Deadlines } from '../deadlines.ts'
import { type Carrier, type Desk, Exchange } from '../exchange.ts'
import { originFailure, outcomeOf } from '../failures.ts'
import { askedFields, forwardingFields } from '../forwarding.ts'
import type { House, Origin } from '../house.ts'
import { faultAnswer } from '../own-answers.ts'
import { MOST_BUFFERED_IN_ALL, READ_GRACE_MS, READ_WINDOW_MS } from '../pace.ts'
import { type OriginConnection, OriginConnections, type Relay } from './upstream.ts'

/** The pipeline, as far as a transport sees it. */
export interface Reception extends Desk {
  receive(exchange: Exchange): void
}

export interface FastPathOptions {
  readonly house: Pick<House, 'config' | 'count'>
  readonly reception: Reception
  /** Started by its owner. */
  readonly deadlines: Deadlines
  /**
   * Serves the connection by Node's http from its next request on, before it returns: the socket has no
   * listeners of ours any more. `bytes` were read from it and come first (`socket.unshift`).
   */
  readonly handOver: (connection: Connection, bytes: Buffer) => void
}

/** What may wait for a slow reader before its origin is paused: small answers free the origin at once. */
const MOST_BUFFERED = 262_144
/** A pipelining client that does not read gets no further request started. */
const PIPELINE_PRESSURE = 65_536
/** How long a client may take to close, so that it is not reset before it has read a last answer. */
const LINGER_MS = 2000
const MOST_LINGER_BYTES = 262_144

/** GET and HEAD may be asked again: after a stale connection, at another origin after a refused one. */
const MOST_RETRIES = 2

const IDLE = 0
const HEAD = 1
const BUSY = 2
const CLOSING = 3
const GONE = 4
const HANDED_OVER = 5

/** A stored body up to this is copied behind its head: one write. */
const MOST_COPIED = 32_768

const EMPTY_LINE = Buffer.from('\r\n')
const CHUNKED_FIELD = Buffer.from('transfer-encoding: chunked\r\n')
const CLOSE_FIELD = Buffer.from('connection: close\r\n')
const LAST_CHUNK = Buffer.from('0\r\n\r\n')
/** Fields, chunk sizes and line ends that may be added to what the origin sent. */
const MOST_ADDED = 128

/** Where a thread composes what it writes: nearly every write is taken at once, and the next may follow. */
const SHARED_BYTES = 81_920
let shared: Buffer | undefined

/** TLS says in a later turn that it has taken something: each write would need another of the large ones. */
function outBuffer(size: number, isTls: boolean): Buffer {
  if (isTls || size > SHARED_BYTES) return Buffer.allocUnsafe(size)
  shared ??= Buffer.allocUnsafeSlow(SHARED_BYTES)
  return shared
}

function append(out: Buffer, at: number, bytes: Buffer): number {
  out.set(bytes, at)
  return at + bytes.length
}

const OWNER = Symbol('fast connection')
type OwnedSocket = Socket & { [OWNER]: FastConnection }
type Handle = { readonly bytesWritten?: number; readonly writeQueueSize?: number }

function onData(this: OwnedSocket, bytes: Buffer): void {
  this[OWNER].onBytes(bytes)
}
function onDrain(this: OwnedSocket): void {
  this[OWNER].onDrain()
}
function onEnd(this: OwnedSocket): void {
  this[OWNER].onEnd()
}
function onGone(this: OwnedSocket): void {
  this[OWNER].onGone()
}

export class FastTransport implements Transport {
  readonly options: FastPathOptions
  readonly origins: OriginConnections
  /** Bytes waiting for slow readers on this thread. */
  buffered = 0
  draining = false
  readonly #open = new Set<FastConnection>()

  constructor(options: FastPathOptions) {
    this.options = options
    this.origins = new OriginConnections(options.deadlines, (counter) => options.house.count(counter))
  }

  get size(): number {
    return this.#open.size
  }

  /** `bytes`: what was already read from the socket. */
  serve(connection: Connection, bytes?: Buffer): void {
    const served = new FastConnection(connection, this)
    this.#open.add(served)
    served.start(bytes)
  }

  drain(): void {
    this.draining = true
    for (const served of [...this.#open]) served.closeIfIdle()
    this.origins.closeIdle()
  }

  /** Ends every connection at once. */
  close(): void {
    this.draining = true
    for (const served of [...this.#open]) served.drop()
    this.origins.closeIdle()
  }

  left(served: FastConnection): void {
    this.#open.delete(served)
    if (this.draining && this.#open.size === 0) this.origins.closeIdle()
  }
}

class FastConnection extends Deadline implements Carrier, Relay {
  readonly #connection: Connection
  readonly #socket: Socket
  readonly #transport: FastTransport
  #state = IDLE
  /** Unread bytes: `#buffer[#from, #to)`. The buffer may have room behind them. */
  #buffer: Buffer | undefined
  #from = 0
  #to = 0
  #advancing = false

  // The exchange under way.
  #exchange: Exchange | undefined
  #head: FastRequestHead | undefined
  #origin: Origin | undefined
  #upstream: OriginConnection | undefined
  #attempts = 0
  #status = 0
  #bodyBytes = 0
  #rechunk = false
  #close = false
  /** The origin is done, the client still reads. */
  #flushing = false
  /** Serves what was stored: how the exchange will end. */
  #serving: Instead | undefined
  /** What the client has no room for yet of a stored body. */
  #left: Uint8Array | undefined
  /** Who wants a copy of the answer's body; and the client gets none of it, but what comes of it. */
  #copies: Fill | undefined
  #holds = false
  #copyScanner: ChunkedScanner | undefined

  // What waits for the client.
  #buffered = 0
  #paceFromMs = 0
  #paceBytes = 0

  #forwardingFor = ''
  #forwarding = ''

  constructor(connection: Connection, transport: FastTransport) {
    super()
    this.#connection = connection
    this.#socket = connection.socket
    this.#transport = transport
  }

  get toHead(): boolean {
    return this.#head!.method === 'HEAD'
  }

  start(bytes: Buffer | undefined): void {
    const socket = this.#socket as OwnedSocket
    socket[OWNER] = this
    socket.setNoDelay(true)
    socket.on('data', onData)
    socket.on('drain', onDrain)
    socket.on('end', onEnd)
    socket.on('error', onGone)
    socket.on('close', onGone)
    const { deadlines, house } = this.#transport.options
    deadlines.set(this, house.config.limits.headTimeout)
    if (bytes !== undefined && bytes.length > 0) this.onBytes(bytes)
  }

  closeIfIdle(): void {
    if (this.#state === IDLE) this.#leave()
    else this.#close = true
  }

  // The client's side.

  onBytes(bytes: Buffer): void {
    if (this.#state === CLOSING) {
      this.#bodyBytes += bytes.length
      if (this.#bodyBytes > MOST_LINGER_BYTES) this.#leave()
      return
    }
    if (this.#state > BUSY) return
    this.#append(bytes)
    if (this.#state === BUSY) {
      if (this.#to - this.#from > this.#transport.options.house.config.limits.headBytes) this.#socket.pause()
    } else if (this.#state === IDLE || bytes.includes(0x0a)) {
      // A drip-fed head is parsed again when a line is complete: a hundred times at most.
      this.#advance()
    } else this.#checkHeadSize()
  }

  #append(bytes: Buffer): void {
    const buffer = this.#buffer
    if (buffer === undefined) {
      this.#buffer = bytes
      this.#from = 0
      this.#to = bytes.length
      return
    }
    const size = this.#to - this.#from
    if (this.#to + bytes.length > buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * size, size + bytes.length, 512))
      buffer.copy(larger, 0, this.#from, this.#to)
      this.#buffer = larger
      this.#from = 0
      this.#to = size
    }
    bytes.copy(this.#buffer!, this.#to)
    this.#to += bytes.length
  }

  /** Takes up requests until one is under way or the bytes are used up. */
  #advance(): void {
    if (this.#advancing) return
    this.#advancing = true
    const { reception, house } = this.#transport.options
    while (this.#state <= HEAD && this.#buffer !== undefined) {
      if (this.#socket.writableLength > PIPELINE_PRESSURE) break
      const head = parseRequestHead(this.#buffer, this.#from, this.#to)
      if (head === INCOMPLETE) {
        if (this.#checkHeadSize() && this.#state === IDLE) {
          this.#state = HEAD
          this.#transport.options.deadlines.set(this, house.config.limits.headTimeout)
        }
        break
      }
      if (head === ELSEWHERE) {
        this.#handOver()
        break
      }
      if (head.end - this.#from > house.config.limits.headBytes) {
        this.#refuse(431, 'head-too-large')
        break
      }
      this.#from = head.end
      if (this.#from === this.#to) this.#buffer = undefined
      this.#state = BUSY
      this.dueMs = Number.POSITIVE_INFINITY
      this.#head = head
      this.#attempts = 0
      this.#status = 0
      this.#bodyBytes = 0
      if (head.close) this.#close = true
      this.#exchange = new Exchange(reception, this, this.#connection, head)
      reception.receive(this.#exchange)
    }
    this.#advancing = false
  }

  #checkHeadSize(): boolean {
    if (this.#to - this.#from <= this.#transport.options.house.config.limits.headBytes) return true
    this.#refuse(431, 'head-too-large')
    return false
  }

  /** A head that cannot be an exchange. */
  #refuse(status: number, reason: string): void {
    this.#transport.options.house.count(reason)
    this.#send(faultAnswer(status, reason).close, true)
  }

  #handOver(): void {
    const bytes = this.#buffer!.subarray(this.#from, this.#to)
    this.#buffer = undefined
    this.#state = HANDED_OVER
    this.#detach()
    // Flowing, as Node's http expects: nothing is read before the next turn, when it listens.
    if (this.#socket.isPaused()) this.#socket.resume()
    this.#transport.options.handOver(this.#connection, bytes)
  }

  onDrain(): void {
    if (this.#state >= GONE) return
    this.#settleBuffered()
    if (this.#left !== undefined) {
      this.#pour()
      this.#served(this.#exchange!)
    } else if (this.#flushing) this.#flushed()
    else if (this.#upstream !== undefined) {
      if (this.#state === BUSY) this.dueMs = Number.POSITIVE_INFINITY
      this.#upstream.resume()
    }
    if (this.#state <= HEAD && this.#buffer !== undefined) this.#advance()
  }

  /**
   * A client that closes its half while it waits has gone: whoever still wants an answer does not,
   * in practice, and origins are not to work for those who left.
   */
  onEnd(): void {
    if (this.#state === CLOSING && this.#socket.writableLength > 0) return
    this.#leave()
  }

  onGone(): void {
    this.#leave()
  }

  override expired(nowMs: number): void {
    const { house, deadlines } = this.#transport.options
    switch (this.#state) {
      case HEAD:
        this.#refuse(408, 'head-timeout')
        break
      case IDLE:
        house.count('idle-timeout')
        this.#leave()
        break
      case BUSY:
      case CLOSING: {
        if (this.#socket.writableLength === 0) {
          if (this.#state === CLOSING) this.#leave()
          else this.#settleBuffered()
          return
        }
        const taken = this.#taken()
        const least = (house.config.limits.minBytesPerSecond * (nowMs - this.#paceFromMs)) / 1000
        if (taken - this.#paceBytes < least) {
          house.count('slow-reading')
          this.#leave('slow-reading')
          return
        }
        this.#paceFromMs = nowMs
        this.#paceBytes = taken
        deadlines.set(this, READ_WINDOW_MS)
        break
      }
      default:
        this.#leave()
    }
  }

  /** Bytes the kernel has taken for this client, as finely as Node tells. */
  #taken(): number {
    const handle = (this.#socket as Socket & { _handle?: Handle | null })._handle
    return (handle?.bytesWritten ?? this.#socket.bytesWritten) - (handle?.writeQueueSize ?? 0)
  }

  // Carrier.

  answer(_exchange: Exchange, answer: Answer, close: boolean): void {
    const shut = close || this.#close || this.#transport.draining
    if (this.toHead) this.#send(shut ? answer.headClose : answer.headKeepAlive, shut)
    else this.#send(shut ? answer.close : answer.keepAlive, shut)
  }

  relay(exchange: Exchange): void {
    this.#ask(exchange, exchange.site.origins.pick(), false)
  }

  serve(exchange: Exchange, instead: Instead): void {
    this.#serving = instead
    if (this.#transport.draining) this.#close = true
    const { written } = instead
    const { status, body } = written ?? instead.served
    this.#status = status
    this.#bodyBytes = body.length
    const close = this.#close ? 'connection: close\r\n\r\n' : '\r\n'
    const tail =
      written === undefined
        ? headText(instead.served.status, instead.served.fields) + close
        : written.tail + close
    const headBytes = written === undefined ? 0 : written.head.length
    if (body.length <= MOST_COPIED) {
      const out = outBuffer(headBytes + tail.length + body.length, this.#connection.secure)
      if (written !== undefined) out.set(written.head, 0)
      const at = headBytes + out.write(tail, headBytes, 'latin1')
      out.set(body, at)
      this.#write(out, at + body.length)
    } else {
      this.#socket.cork()
      // Strings among the pieces would make Node copy its list of them.
      const end = Buffer.from(tail, 'latin1')
      this.#socket.write(written === undefined ? end : Buffer.concat([written.head, end]))
      this.#left = body
      this.#pour()
      this.#socket.uncork()
    }
    this.#served(exchange)
  }

  /**
   * As much of a stored body as the client takes. Not a copy, so that everybody who reads slowly reads the same
   * bytes; but TLS makes one of each piece.
   */
  #pour(): void {
    const size = this.#transport.buffered > MOST_BUFFERED_IN_ALL ? MOST_COPIED : MOST_BUFFERED
    // Below the socket's high-water mark there is no drain to wait for.
    while (this.#left !== undefined && !this.#socket.writableNeedDrain) {
      const left = this.#left
      this.#left = left.length > size ? left.subarray(size) : undefined
      this.#socket.write(left.length > size ? left.subarray(0, size) : left)
    }
  }

  #served(exchange: Exchange): void {
    // The write found the client gone.
    if (this.#exchange !== exchange) return
    this.#noteBuffered()
    if (!this.#socket.writableNeedDrain) this.#flushed()
    else this.#flushing = true
  }

  #noteBuffered(): void {
    const waiting = this.#socket.writableLength
    if (waiting === this.#buffered) return
    if (this.#buffered === 0) this.#beginPace()
    this.#transport.buffered += waiting - this.#buffered
    this.#buffered = waiting
  }

  drop(exchange?: Exchange): void {
    if (exchange?.relaying === false) this.#exchange = undefined
    this.#leave(exchange === undefined ? 'shutdown' : 'long-lived-full')
  }

  // Relay: the origin's side.

  #ask(exchange: Exchange, origin: Origin, fresh: boolean): void {
    this.#origin = origin
    const upstream = this.#transport.origins.take(origin, fresh)
    this.#upstream = upstream
    upstream.send(this, this.#request(exchange), exchange.site.config.originTimeout)
  }

  #request(exchange: Exchange): string {
    const { head, fill } = exchange
    // Tokens of ours were taken out, or it is asked otherwise: the text as it came cannot go on.
    if (head !== this.#head || fill?.conditions !== undefined)
      return requestText(head.method, fill?.target ?? head.target, askedFields(exchange))
    const { method, hostField, passed } = this.#head
    const target = fill?.target ?? head.target
    const host = exchange.site.config.originHost ?? hostField
    return `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${passed}${this.#forwardingText(exchange, hostField)}\r\n`
  }

  /** The same for all requests that a direct client makes to one host. */
  #forwardingText(exchange: Exchange, hostField: string): string {
    const direct = exchange.client === this.#connection.peer && exchange.secure === this.#connection.secure
    if (direct && this.#forwardingFor === hostField) return this.#forwarding
    const text = fieldText(forwardingFields(exchange, hostField))
    if (direct) {
      this.#forwardingFor = hostField
      this.#forwarding = text
    }
    return text
  }

  interim(head: OriginHead): void {
    const out = Buffer.allocUnsafe(head.mostBytes + 2)
    const end = head.writeTo(out, 0)
    out.set(EMPTY_LINE, end)
    this.#socket.write(out.subarray(0, end + 2))
  }

  respond(head: OriginHead, bytes: Buffer, start: number, end: number, last: boolean): boolean {
    const exchange = this.#exchange!
    exchange.site.origins.succeeded(this.#origin!)
    this.#origin = undefined
    this.#status = head.status
    exchange.firstByte(head.status)
    // A long-lived exchange too many was dropped.
    if (this.#exchange !== exchange) return false
    const { framing } = head
    const { fill } = exchange
    if (fill !== undefined) {
      const wish = fill.answered(head.status, () => head.fields, !head.saysHowLong)
      if (wish === 'instead') {
        // The rest of its body is of no use to anybody.
        if (!last) this.#upstream?.abort()
        this.#upstream = undefined
        exchange.originEnded(outcomeOf(head.status))
        this.serve(exchange, fill.instead!)
        return false
      }
      if (wish === 'again') {
        if (!last) this.#upstream?.abort()
        this.#ask(exchange, exchange.site.origins.pick(), false)
        return false
      }
      this.#holds = wish === 'hold'
      if (wish !== 'pass') {
        this.#copies = fill
        this.#copyScanner = framing === 'chunked' ? new ChunkedScanner() : undefined
        this.#copy(bytes, start, end, last)
      }
      if (this.#holds) {
        if (last) this.#held(exchange)
        return false
      }
    }
    this.#rechunk = framing === 'close'
    if (this.#transport.draining) this.#close = true
    const size = end - start
    this.#bodyBytes = size
    const own = exchange.ownFields(head.status, () => head.fields)
    const added = own.length === 0 ? '' : fieldText(own)
    const out = outBuffer(head.mostBytes + size + added.length + MOST_ADDED, this.#connection.secure)
    let at = head.writeTo(out, 0)
    if (added !== '') at += out.write(added, at, 'latin1')
    if (framing === 'chunked' || this.#rechunk) at = append(out, at, CHUNKED_FIELD)
    if (this.#close) at = append(out, at, CLOSE_FIELD)
    at = append(out, at, EMPTY_LINE)
    if (this.#rechunk && size > 0) at += out.write(`${size.toString(16)}\r\n`, at, 'latin1')
    at += bytes.copy(out, at, start, end)
    if (this.#rechunk && size > 0) at = append(out, at, EMPTY_LINE)
    this.#write(out, at)
    return this.#wrote(last)
  }

  body(bytes: Buffer, start: number, end: number, last: boolean): boolean {
    const size = end - start
    this.#bodyBytes += size
    if (this.#copies !== undefined) this.#copy(bytes, start, end, last)
    if (this.#holds) {
      if (last) this.#held(this.#exchange!)
      return false
    }
    const out = outBuffer(size + MOST_ADDED, this.#connection.secure)
    let at = 0
    if (this.#rechunk && size > 0) at += out.write(`${size.toString(16)}\r\n`, 0, 'latin1')
    at += bytes.copy(out, at, start, end)
    if (this.#rechunk && size > 0) at = append(out, at, EMPTY_LINE)
    if (this.#rechunk && last) at = append(out, at, LAST_CHUNK)
    if (at > 0) this.#write(out, at)
    return this.#wrote(last)
  }

  #copy(bytes: Buffer, start: number, end: number, last: boolean): void {
    const copies = this.#copies!
    const scanner = this.#copyScanner
    if (scanner === undefined) copies.data(bytes.subarray(start, end))
    else scanner.feed(bytes, start, end, (data, from, to) => copies.data(data.subarray(from, to)))
    if (!last) return
    this.#copies = undefined
    copies.completed()
  }

  /** All that was to be held has come. */
  #held(exchange: Exchange): void {
    this.#holds = false
    this.#upstream = undefined
    const { instead } = exchange.fill!
    if (instead === undefined) {
      this.#ask(exchange, exchange.site.origins.pick(), false)
      return
    }
    exchange.originEnded(outcomeOf(this.#status))
    this.serve(exchange, instead)
  }

  /** `out` is used again by the next write, unless the kernel did not take all of it at once. */
  #write(out: Buffer, size: number): void {
    this.#socket.write(out.subarray(0, size))
    if (out === shared && this.#socket.writableLength > 0) shared = undefined
  }

  /** Something of an answer was written. True: the origin is to pause. */
  #wrote(last: boolean): boolean {
    const exchange = this.#exchange
    // The write found the client gone.
    if (exchange === undefined) return false
    this.#noteBuffered()
    if (last) {
      this.#upstream = undefined
      // Below the socket's high-water mark there is no drain to wait for; the kernel is about to take it.
      if (!this.#socket.writableNeedDrain) this.#flushed()
      else {
        this.#flushing = true
        exchange.originEnded(outcomeOf(this.#status))
      }
      return false
    }
    const waiting = this.#buffered
    if (waiting === 0) return false
    const pressed = waiting > MOST_BUFFERED || this.#transport.buffered > MOST_BUFFERED_IN_ALL
    return pressed && this.#socket.writableNeedDrain
  }

  #beginPace(): void {
    const { deadlines } = this.#transport.options
    this.#paceFromMs = deadlines.nowMs + READ_GRACE_MS
    this.#paceBytes = this.#taken()
    deadlines.set(this, READ_GRACE_MS + READ_WINDOW_MS)
  }

  #settleBuffered(): void {
    this.#transport.buffered -= this.#buffered
    this.#buffered = 0
  }

  /** The client has got all. */
  #flushed(): void {
    const exchange = this.#exchange!
    const bytes = this.#bodyBytes
    const status = this.#status
    this.#flushing = false
    this.#settleBuffered()
    this.#exchange = undefined
    if (this.#close) this.#shut()
    else this.#rest()
    this.#ended(exchange, '', status, bytes, outcomeOf(status))
  }

  /** The exchange is over: relayed, or served with what was stored. */
  #ended(exchange: Exchange, reason: string, status: number, bytes: number, outcome: Outcome): void {
    const serving = this.#serving
    this.#serving = undefined
    this.#left = undefined
    this.#copies = undefined
    const action = serving === undefined ? 'relay' : 'store'
    exchange.end({ action, reason: reason || (serving?.reason ?? ''), status, bytes, outcome })
  }

  failed(error: Error & { code?: string }, stale: boolean): void {
    const exchange = this.#exchange!
    const origin = this.#origin!
    const { origins } = exchange.site
    this.#upstream = undefined
    if (stale && this.#attempts++ < MOST_RETRIES) {
      this.#ask(exchange, origin, true)
      return
    }
    const failure = error.code?.startsWith('origin-')
      ? { reason: error.code, status: 502 as const, notSent: false }
      : originFailure(error)
    this.#origin = undefined
    origins.failed(origin, failure.reason)
    if (failure.notSent && this.#attempts++ < MOST_RETRIES) {
      const other = origins.pick(origin)
      if (other !== origin) {
        this.#ask(exchange, other, false)
        return
      }
      origins.returned(other)
    }
    const instead = exchange.fill?.standIn('failed')
    if (instead !== undefined) {
      exchange.originEnded('failed')
      this.serve(exchange, instead)
      return
    }
    const answer = exchange.failedAnswer(failure.status, failure.reason)
    const bytes = this.toHead ? 0 : answer.body.length
    this.answer(exchange, answer, false)
    exchange.end({ action: 'fail', reason: failure.reason, status: answer.status, bytes, outcome: 'failed' })
  }

  broke(reason: string): void {
    this.#upstream = undefined
    this.#copies = undefined
    const exchange = this.#exchange!
    if (this.#holds) {
      this.#holds = false
      exchange.fill!.startOver()
      this.#ask(exchange, exchange.site.origins.pick(), true)
      return
    }
    this.#exchange = undefined
    // The client must see that the answer is cut short: no more bytes, no end of chunks.
    this.#leave()
    exchange.end({ action: 'fail', reason, status: this.#status, bytes: this.#bodyBytes, outcome: 'failed' })
  }

  // Ends.

  /** A complete answer of our own; the exchange is over for this connection. */
  #send(bytes: Buffer, close: boolean): void {
    this.#exchange = undefined
    this.#socket.write(bytes)
    if (close) this.#shut()
    else this.#rest()
  }

  /** Ready for the next request. */
  #rest(): void {
    if (this.#state > CLOSING) return
    this.#state = IDLE
    const { deadlines, house } = this.#transport.options
    deadlines.set(this, house.config.limits.idleTimeout)
    if (this.#socket.isPaused()) this.#socket.resume()
    if (this.#buffer !== undefined && !this.#advancing) process.nextTick(takeUp, this)
  }

  resumePipeline(): void {
    this.#advance()
  }

  /** No more requests; the client gets time to read the last answer. */
  #shut(): void {
    if (this.#state >= CLOSING) return
    this.#state = CLOSING
    this.#buffer = undefined
    this.#bodyBytes = 0
    if (this.#socket.writableLength > 0) this.#beginPace()
    else this.#transport.options.deadlines.set(this, LINGER_MS)
    if (this.#socket.isPaused()) this.#socket.resume()
    this.#socket.end()
  }

  /** Closes at once, and ends what is under way. */
  #leave(reason = 'client-gone'): void {
    if (this.#state >= GONE) return
    this.#state = GONE
    this.#buffer = undefined
    const exchange = this.#exchange
    this.#exchange = undefined
    const unread = this.#socket.writableLength + (this.#left?.length ?? 0)
    this.#settleBuffered()
    this.#forget()
    // Its listeners stay, and do nothing from now on.
    this.#socket.destroy()
    this.#upstream?.abort()
    this.#upstream = undefined
    if (exchange === undefined) return
    if (this.#origin !== undefined) exchange.site.origins.returned(this.#origin)
    if (!exchange.relaying) exchange.clientGone()
    else {
      const outcome = this.#flushing ? 'answered' : 'abandoned'
      this.#ended(exchange, reason, this.#status, Math.max(0, this.#bodyBytes - unread), outcome)
    }
  }

  /** The socket is somebody else's from now on. */
  #detach(): void {
    const socket = this.#socket
    socket.removeListener('data', onData)
    socket.removeListener('drain', onDrain)
    socket.removeListener('end', onEnd)
    socket.removeListener('error', onGone)
    socket.removeListener('close', onGone)
    this.#forget()
  }

  #forget(): void {
    this.#transport.options.deadlines.remove(this)
    this.#transport.left(this)
  }
}

function requestText(method: string, target: string, fields: readonly string[]): string {
  return `${method} ${target} HTTP/1.1\r\n${fieldText(fields)}\r\n`
}

function takeUp(connection: FastConnection): void {
  connection.resumePipeline()
}
