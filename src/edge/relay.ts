/**
 * The way of one exchange through undici, for HTTP/1.1 and HTTP/2 clients alike: what differs
 * between them is their `Downstream`.
 *
 * Rules that undici asks for: a handler that returned false from onData is resumed or aborted in
 * every case, also when the client has gone (else its socket is lost to the pool for ever); callbacks
 * of an attempt that was given up are ignored; hop-by-hop fields never reach it.
 */

import type { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Outcome } from '#admission'
import { endToEndFields, fieldValue, without } from '#http'
import type { Answer } from './answers.ts'
import type { Fill, Instead } from './cache/filling.ts'
import type { Carrier, Exchange } from './exchange.ts'
import { originFailure, outcomeOf } from './failures.ts'
import { askedFields } from './forwarding.ts'
import type { Origin } from './house.ts'
import {
  MOST_BUFFERED_IN_ALL,
  Pace,
  type Paced,
  type PaceWatch,
  READ_GRACE_MS,
  READ_WINDOW_MS,
} from './pace.ts'
import { ClientBodyError, type RequestBody } from './request-body.ts'

/** The client's side of an exchange. */
export interface Downstream {
  /** A complete answer of Digue's own. */
  answer(answer: Answer, close: boolean): void
  /** 100, 102, 103. Does nothing for clients that do not know them. */
  inform(status: number, fields: readonly string[]): void
  /** False when the head cannot be sent as it is: the origin's field lines are not valid. */
  respond(status: number, statusText: string, fields: readonly string[]): boolean
  /** False: enough is buffered (`pressed`: anything at all); the relay hears `drained` when there is room. */
  write(chunk: Buffer, pressed: boolean): boolean
  /**
   * A small answer at once: its field lines as HTTP/2 wants them, and its body. The relay hears `finished`. Absent: in pieces.
   * False when its head cannot be sent.
   */
  whole?(fields: readonly string[], body: Uint8Array): boolean
  /** The body is complete. The relay hears `finished` when everything has been handed on. */
  finish(trailers: readonly string[]): void
  /** Closes in a way that the client can tell from a complete response; with `all`, the connection too. */
  destroy(all?: boolean): void
  /** Bytes buffered for the client. */
  readonly pendingBytes: number
}

/** Interim responses to one request; an origin that sends more than this would never answer. */
const MOST_INTERIM = 16

/** Of a stored body, written at once. */
const SLICE_BYTES = 16_384

/** Safe to send twice when the first one got no answer (RFC 9110 §9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'])

export class Relay implements Carrier, Paced {
  readonly #downstream: Downstream
  readonly #body: RequestBody | undefined
  readonly #watch: PaceWatch
  readonly #expectsContinue: boolean
  #exchange: Exchange | undefined
  #attempt: Attempt | undefined
  /** Tries left for requests that may be sent again. */
  #retries = 1
  #status = 0
  #bytes = 0
  #delivered = 0
  /** What was buffered for the client when last looked at. */
  #buffered = 0
  /** The origin owes bytes of a length it declared, and has sent none for so long. */
  #owes = false
  #quietMs = 0
  readonly #pace = new Pace(READ_WINDOW_MS, READ_GRACE_MS)
  #originDone = false
  #clientGone = false
  /** Serves what was stored: how the exchange will end. */
  #serving: Instead | undefined
  /** What the client has no room for yet of a stored body. */
  #left: Uint8Array | undefined
  /** Who wants a copy of the answer's body; and the client gets none of it, but what comes of it. */
  #copies: Fill | undefined
  #holds = false
  #outcome: Outcome = 'abandoned'

  constructor(
    downstream: Downstream,
    body: RequestBody | undefined,
    watch: PaceWatch,
    expectsContinue: boolean,
  ) {
    this.#downstream = downstream
    this.#body = body
    this.#watch = watch
    this.#expectsContinue = expectsContinue
  }

  /** The exchange it carries; before the pipeline receives it. */
  bind(exchange: Exchange): Exchange {
    return (this.#exchange = exchange)
  }

  // Carrier: what the pipeline asks for.

  collect(exchange: Exchange): boolean {
    const body = this.#body
    if (body === undefined) return false
    if (body.declared !== undefined && body.declared > exchange.site.config.bodyBytes) {
      exchange.fault(413, 'body-too-large')
      return true
    }
    if (!body.collect(() => exchange.bodyRead())) return false
    this.#watch.add(this)
    if (this.#expectsContinue) this.#downstream.inform(100, [])
    return true
  }

  get hasBody(): boolean {
    const body = this.#body
    return body !== undefined && (!body.complete || body.whole !== undefined)
  }

  get collected(): Buffer | undefined {
    return this.#body?.whole
  }

  substitute(body: Buffer): void {
    this.#body?.substitute(body)
  }

  answer(_exchange: Exchange, answer: Answer, close: boolean): void {
    this.#release()
    this.#downstream.answer(answer, close || (this.#body !== undefined && !this.#body.complete))
  }

  relay(exchange: Exchange): void {
    this.#watch.add(this)
    const body = this.#body?.forOrigin(exchange.site.config.bodyBytes) ?? null
    if (this.#expectsContinue && this.#body !== undefined && !this.#body.complete)
      this.#downstream.inform(100, [])
    if (exchange.head.target === '*') {
      // OPTIONS * is about the server asked, and that is Digue.
      this.#answerInstead(exchange, 'answer', 'asterisk', 204)
      return
    }
    this.#send(exchange, body, undefined)
  }

  serve(exchange: Exchange, instead: Instead): void {
    this.#serving = instead
    this.#watch.add(this)
    this.#originDone = true
    const lines = this.#downstream.whole === undefined ? undefined : instead.lines
    if (lines !== undefined && lines.body.length <= SLICE_BYTES) {
      this.#status = lines.status
      this.#bytes = lines.body.length
      if (this.#downstream.whole!(lines.fields, lines.body)) {
        this.#settleBuffered(this.#downstream.pendingBytes)
        return
      }
      this.#bytes = 0
    }
    const { status, fields, body } = instead.served
    this.#status = status
    if (!this.#downstream.respond(status, '', fields)) {
      this.#serving = undefined
      // It would stand in for itself.
      exchange.fill = undefined
      this.#fail(exchange, 502, 'origin-bad-head')
      return
    }
    this.#left = body
    this.#pour()
  }

  /** As much of a stored body as the client takes, in pieces: what waits for slow readers is bounded, and their pace is seen. */
  #pour(): void {
    let left = this.#left!
    while (left.length > 0) {
      const { buffer, byteOffset, length } = left.subarray(0, SLICE_BYTES)
      left = left.subarray(length)
      this.#left = left
      this.#bytes += length
      const pressed = this.#watch.buffered > MOST_BUFFERED_IN_ALL
      const goesOn = this.#downstream.write(Buffer.from(buffer, byteOffset, length), pressed)
      this.#settleBuffered(this.#downstream.pendingBytes)
      if (!goesOn && left.length > 0) return
    }
    this.#left = undefined
    this.#downstream.finish([])
  }

  drop(exchange: Exchange): void {
    this.#abort()
    this.#release()
    this.#downstream.destroy(!exchange.relaying)
    if (exchange.relaying) this.#end('relay', 'long-lived-full')
  }

  // The client's side.

  /** There is room again. */
  drained(): void {
    if (this.#left !== undefined) this.#pour()
    else this.#attempt?.resume()
  }

  /** Everything was handed to the client's connection. */
  finished(): void {
    this.#end('relay', '')
  }

  /** The client's connection or stream closed before the response was complete. */
  clientClosed(): void {
    if (this.#clientGone) return
    this.#clientGone = true
    this.#body?.fail('gone')
    this.#abort()
    this.#release()
    const exchange = this.#exchange
    if (exchange === undefined) return
    if (exchange.relaying) this.#end('relay', 'client-gone')
    else exchange.clientGone()
  }

  checkPace(elapsedMs: number, minBytesPerSecond: number): void {
    const exchange = this.#exchange
    if (exchange === undefined || exchange.ended) {
      this.#watch.delete(this)
      return
    }
    if (this.#body?.isSlow(elapsedMs, minBytesPerSecond) === true) {
      if (this.#status === 0) {
        this.#abort()
        exchange.fault(408, 'slow-body')
      } else this.#cut('slow-body')
      return
    }
    const pending = this.#downstream.pendingBytes
    this.#pace.moved(Math.max(0, this.#bytes - pending - this.#delivered))
    this.#delivered = this.#bytes - pending
    this.#settleBuffered(pending)
    if (pending === 0) this.#pace.rest()
    else if (this.#pace.waited(elapsedMs, minBytesPerSecond)) {
      this.#cut('slow-reading')
      return
    }
    if (!this.#owes || this.#attempt === undefined || this.#attempt.isPaused) return
    this.#quietMs += elapsedMs
    if (this.#quietMs >= exchange.site.config.originTimeout) {
      if (this.#holds) {
        this.#startOver(exchange)
        return
      }
      this.#abort()
      this.#outcome = 'failed'
      this.#downstream.destroy()
      this.#end('fail', 'origin-stalled')
    }
  }

  // The origin's side, called by the attempt under way.

  inform(status: number, fields: readonly string[]): void {
    if (!this.#clientGone) this.#downstream.inform(status, endToEndFields(fields))
  }

  responded(status: number, statusText: string, fields: readonly string[]): boolean {
    const exchange = this.#exchange!
    this.#outcome = outcomeOf(status)
    exchange.firstByte(status)
    const { fill } = exchange
    const wish = fill?.answered(status, () => endToEndFields(fields))
    if (wish === 'instead') {
      const attempt = this.#attempt
      this.#attempt = undefined
      if (status === 304) attempt?.ignore()
      else attempt?.abort()
      exchange.originEnded(this.#outcome)
      this.serve(exchange, fill!.instead!)
      return true
    }
    if (wish === 'again') {
      this.#startOver(exchange)
      return true
    }
    this.#holds = wish === 'hold'
    if (wish === 'copy' || this.#holds) this.#copies = fill
    this.#owes = (fieldValue(fields, 'content-length') ?? '0') !== '0'
    if (this.#holds) return true
    const own = exchange.ownFields(status, () => fields)
    const passed = own.length === 0 ? endToEndFields(fields) : [...endToEndFields(fields), ...own]
    // RFC 9110 §8.6: no length in a 204, where a client might wait for a body.
    if (
      !this.#downstream.respond(
        status,
        statusText,
        status === 204 ? without(passed, 'content-length') : passed,
      )
    )
      return false
    this.#status = status
    return true
  }

  data(chunk: Buffer): boolean {
    this.#quietMs = 0
    this.#copies?.data(chunk)
    if (this.#holds) return true
    this.#bytes += chunk.length
    const goesOn = this.#downstream.write(chunk, this.#watch.buffered > MOST_BUFFERED_IN_ALL)
    this.#settleBuffered(this.#downstream.pendingBytes)
    return goesOn
  }

  completed(trailers: readonly string[]): void {
    this.#attempt = undefined
    this.#copies?.completed()
    this.#copies = undefined
    if (this.#holds) {
      this.#held(this.#exchange!)
      return
    }
    this.#originDone = true
    this.#exchange!.originEnded(this.#outcome)
    this.#downstream.finish(trailers)
  }

  /** All that was to be held has come. */
  #held(exchange: Exchange): void {
    this.#holds = false
    const { instead } = exchange.fill!
    if (instead === undefined) {
      this.#send(exchange, null, undefined)
      return
    }
    exchange.originEnded(this.#outcome)
    this.serve(exchange, instead)
  }

  /** The answer is of no use, and the client has seen nothing of it. */
  #startOver(exchange: Exchange): void {
    this.#abort()
    this.#holds = false
    this.#copies = undefined
    exchange.fill!.startOver()
    this.#send(exchange, null, undefined)
  }

  failed(error: unknown, origin: Origin, body: Buffer | Readable | null): void {
    const exchange = this.#exchange!
    this.#attempt = undefined
    const { origins } = exchange.site
    if (exchange.ended || this.#clientGone) {
      origins.returned(origin)
      return
    }
    if (this.#holds) {
      this.#startOver(exchange)
      return
    }
    if (error instanceof ClientBodyError) {
      origins.returned(origin)
      if (error.code === 'too-large' && this.#status === 0) exchange.fault(413, 'body-too-large')
      else this.#cut(error.code === 'gone' ? 'client-gone' : error.code)
      return
    }
    const failure = originFailure(error)
    if (this.#status !== 0) {
      // The pick was reported as a success when its head came.
      this.#outcome = 'failed'
      this.#downstream.destroy()
      this.#end('fail', failure.reason)
      return
    }
    origins.failed(origin, failure.reason)
    const canRepeat = (body === null || Buffer.isBuffer(body)) && !(this.#body?.isStreaming ?? false)
    const hasOther = exchange.site.config.origins.length > 1
    const mayRepeat =
      (failure.notSent && hasOther) ||
      (failure.reason === 'origin-closed' && IDEMPOTENT.has(exchange.head.method))
    if (canRepeat && mayRepeat && this.#retries > 0) {
      this.#retries--
      this.#send(exchange, body, origin)
      return
    }
    this.#fail(exchange, failure.status, failure.reason)
  }

  /** The origin's head cannot be passed on. */
  unsendable(): void {
    const exchange = this.#exchange!
    this.#abort()
    this.#fail(exchange, 502, 'origin-bad-head')
  }

  #fail(exchange: Exchange, status: 502 | 504, reason: string): void {
    this.#outcome = 'failed'
    const instead = exchange.fill?.standIn('failed')
    if (instead !== undefined) {
      exchange.originEnded('failed')
      this.serve(exchange, instead)
      return
    }
    const answer = exchange.failedAnswer(status, reason)
    this.answer(exchange, answer, false)
    this.#status = status
    this.#bytes = exchange.head.method === 'HEAD' ? 0 : answer.body.length
    this.#end('fail', reason)
  }

  #answerInstead(exchange: Exchange, action: 'answer', reason: string, status: number): void {
    this.#release()
    this.#outcome = 'abandoned'
    this.#downstream.respond(status, '', [])
    this.#downstream.finish([])
    exchange.end({ action, reason, status, bytes: 0, outcome: 'abandoned' })
  }

  #send(exchange: Exchange, body: Buffer | Readable | null, not: Origin | undefined): void {
    const { head, site } = exchange
    const origin = site.origins.pick(not)
    const attempt = new Attempt(this, origin, site.origins, body)
    this.#attempt = attempt
    const fields = askedFields(exchange)
    const path = exchange.fill?.target ?? head.target
    origin.pool.dispatch(
      { path, method: head.method as Dispatcher.HttpMethod, headers: fields as string[], body },
      attempt,
    )
  }

  #cut(reason: string): void {
    this.#exchange?.count(reason)
    this.#abort()
    this.#release()
    this.#downstream.destroy()
    this.#end('relay', reason)
  }

  #abort(): void {
    const attempt = this.#attempt
    this.#attempt = undefined
    attempt?.abort()
  }

  #settleBuffered(pending: number): void {
    this.#watch.buffered += pending - this.#buffered
    this.#buffered = pending
  }

  #release(): void {
    this.#left = undefined
    this.#watch.delete(this)
    this.#settleBuffered(0)
    this.#body?.release()
  }

  #end(action: 'relay' | 'fail', reason: string): void {
    this.#release()
    const outcome = reason === '' || this.#originDone || action === 'fail' ? this.#outcome : 'abandoned'
    const serving = this.#serving
    this.#exchange?.end({
      action: serving === undefined ? action : 'store',
      reason: reason || (serving?.reason ?? ''),
      status: this.#status,
      bytes: Math.max(0, this.#bytes - this.#downstream.pendingBytes),
      outcome,
    })
  }
}

/**
 * One try at one origin. Silent after `abort`. It speaks undici's older handler interface, the one
 * its parser calls directly: the newer one makes an object of every response's fields.
 */
class Attempt implements Dispatcher.DispatchHandler {
  readonly #relay: Relay
  readonly #origin: Origin
  readonly #origins: { succeeded(origin: Origin): void; returned(origin: Origin): void }
  readonly #body: Buffer | Readable | null
  #abortRequest: ((error?: Error) => void) | undefined
  #resumeResponse: (() => void) | undefined
  #aborted = false
  #answered = false
  #paused = false
  #interims = 0

  constructor(
    relay: Relay,
    origin: Origin,
    origins: { succeeded(origin: Origin): void; returned(origin: Origin): void },
    body: Buffer | Readable | null,
  ) {
    this.#relay = relay
    this.#origin = origin
    this.#origins = origins
    this.#body = body
  }

  abort(): void {
    if (this.#aborted) return
    this.#aborted = true
    if (!this.#answered) this.#origins.returned(this.#origin)
    // Not connected yet: onConnect aborts it when it comes to that.
    this.#abortRequest?.(new Error('client gone'))
  }

  /** What comes now, if anything, is of no use; the connection to the origin may go on. */
  ignore(): void {
    this.#aborted = true
  }

  /** Its client is slow, not the origin. */
  get isPaused(): boolean {
    return this.#paused
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#resumeResponse?.()
  }

  onConnect(abort: (error?: Error) => void): void {
    this.#abortRequest = abort
    if (this.#aborted) abort(new Error('client gone'))
  }

  onHeaders(status: number, rawFields: Buffer[], resume: () => void, statusText: string): boolean {
    if (this.#aborted) return true
    const fields = text(rawFields)
    if (status < 200) {
      if (++this.#interims > MOST_INTERIM) {
        this.#abortRequest?.(
          Object.assign(new Error('too many interim responses'), { code: 'origin-interim-flood' }),
        )
        return true
      }
      this.#relay.inform(status, fields)
      return true
    }
    this.#resumeResponse = resume
    this.#answered = true
    this.#origins.succeeded(this.#origin)
    if (!this.#relay.responded(status, statusText, fields)) this.#relay.unsendable()
    return true
  }

  onData(chunk: Buffer): boolean {
    if (this.#aborted || this.#relay.data(chunk)) return true
    this.#paused = true
    return false
  }

  onComplete(rawTrailers: Buffer[] | string[] | null): void {
    if (!this.#aborted) this.#relay.completed(text(rawTrailers))
  }

  onError(error: Error): void {
    if (this.#aborted) return
    this.#aborted = true
    this.#relay.failed(error, this.#origin, this.#body)
  }
}

/** undici's raw field lines as text: bytes are latin1, as everywhere in HTTP. */
function text(raw: unknown): string[] {
  if (!Array.isArray(raw)) return []
  return raw.map((part: Buffer | string) => (typeof part === 'string' ? part : part.toString('latin1')))
}
