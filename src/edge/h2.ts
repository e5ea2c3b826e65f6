/** HTTP/2 by Node's own sessions, on TLS sockets that chose it by ALPN. */
import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import { fieldValue, readRequestH2 } from '#http'
import { type H2Settings, h2FingerprintOf } from '#recognise'
import type { Answer } from './answers.ts'
import type { Connection, Transport } from './connection.ts'
import { Exchange } from './exchange.ts'
import { guardSession, h2ServerOptions } from './listen/h2-guards.ts'
import { faultAnswer } from './own-answers.ts'
import type { PaceWatch } from './pace.ts'
import type { Pipeline } from './pipeline.ts'
import { type Downstream, Relay } from './relay.ts'
import { RequestBody } from './request-body.ts'

const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants

const BUFFER_BYTES = 262_144

export class Http2 implements Transport {
  readonly #pipeline: Pipeline
  readonly #watch: PaceWatch
  readonly #sessions = new Set<ServerHttp2Session>()
  #draining = false

  constructor(pipeline: Pipeline, watch: PaceWatch) {
    this.#pipeline = pipeline
    this.#watch = watch
  }

  serve(connection: Connection): void {
    const { house } = this.#pipeline
    const { limits } = house.config
    const session = performServerHandshake(connection.socket, h2ServerOptions(limits))
    this.#sessions.add(session)
    session.on('close', () => this.#sessions.delete(session))
    guardSession(session, { limits, count: (counter, by) => house.count(counter, by) })
    session.on('stream', (stream, _headers, flags, rawFields) => {
      // Its settings come before its first request (RFC 9113 §3.4).
      if (connection.h2 === '') connection.h2 = fingerprintOf(session, rawFields)
      this.#onStream(connection, stream, flags, rawFields)
    })
    session.setTimeout(limits.idleTimeout, () => {
      // A quiet event stream is not idleness.
      if (connection.active === 0) session.close()
    })
    if (this.#draining) session.close()
  }

  drain(): void {
    this.#draining = true
    // GOAWAY; what is open goes on to its end.
    for (const session of this.#sessions) session.close()
  }

  /** Ends every connection at once. */
  close(): void {
    for (const session of this.#sessions) session.destroy()
  }

  #onStream(connection: Connection, stream: ServerHttp2Stream, flags: number, rawFields: string[]): void {
    // A stream that the client resets emits an error; nobody but the relay's close handler cares.
    stream.on('error', nothing)
    const head = readRequestH2(rawFields)
    if (typeof head === 'string') {
      const { house } = this.#pipeline
      house.count('bad-request')
      house.count(`bad-request-${head}`)
      sendAnswer(stream, faultAnswer(400, head), true)
      return
    }
    const declared = fieldValue(head.fields, 'content-length')
    const hasBody = (flags & NGHTTP2_FLAG_END_STREAM) === 0
    const body = hasBody
      ? new RequestBody(stream, declared === undefined ? undefined : Number(declared))
      : undefined
    const downstream = new H2Downstream(stream, hasBody)
    const expectsContinue = hasBody && fieldValue(head.fields, 'expect')?.toLowerCase() === '100-continue'
    const relay = new Relay(downstream, body, this.#watch, expectsContinue)
    downstream.attach(relay)
    this.#pipeline.receive(relay.bind(new Exchange(this.#pipeline, relay, connection, head)))
  }
}

function fingerprintOf(session: ServerHttp2Session, rawFields: readonly string[]): string {
  // A destroyed session throws; its client will not be answered anyway.
  if (session.destroyed) return ''
  return h2FingerprintOf(session.remoteSettings as H2Settings, session.state.remoteWindowSize ?? 0, rawFields)
}

function sendAnswer(stream: ServerHttp2Stream, answer: Answer, unread: boolean): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return
  stream.respond([
    ':status',
    String(answer.status),
    ...answer.fields,
    'content-length',
    String(answer.body.length),
  ])
  if (!stream.writableEnded) stream.end(answer.body)
  // RFC 9113 §8.1: complete, and no more of the request is wanted.
  if (unread) stream.once('finish', () => stream.close(NGHTTP2_NO_ERROR))
}

function nothing(): void {}

class H2Downstream implements Downstream {
  readonly #stream: ServerHttp2Stream
  #trailers: readonly string[] = []
  #requestEnded: boolean
  #relay: Relay | undefined
  #waits = false

  constructor(stream: ServerHttp2Stream, hasBody: boolean) {
    this.#stream = stream
    this.#requestEnded = !hasBody
    if (hasBody)
      stream.once('end', () => {
        this.#requestEnded = true
      })
  }

  attach(relay: Relay): void {
    const stream = this.#stream
    this.#relay = relay
    stream.on('close', () => {
      if (stream.writableFinished && (stream.rstCode === 0 || stream.rstCode === undefined)) relay.finished()
      else relay.clientClosed()
    })
  }

  get pendingBytes(): number {
    return this.#stream.destroyed ? 0 : this.#stream.writableLength
  }

  answer(answer: Answer, close: boolean): void {
    sendAnswer(this.#stream, answer, close && !this.#requestEnded)
  }

  inform(status: number, fields: readonly string[]): void {
    const stream = this.#stream
    if (stream.destroyed || stream.closed || stream.headersSent || status === 101) return
    const headers: Record<string, string | string[]> = { ':status': String(status) }
    for (let i = 0; i < fields.length; i += 2) append(headers, fields[i]!.toLowerCase(), fields[i + 1]!)
    try {
      stream.additionalHeaders(headers)
    } catch {
      // Hints that cannot be sent are not sent.
    }
  }

  respond(status: number, _statusText: string, fields: readonly string[]): boolean {
    const stream = this.#stream
    if (stream.destroyed || stream.closed) return true
    const lines = [':status', String(status)]
    let hasLength = false
    for (let i = 0; i < fields.length; i += 2) {
      const name = fields[i]!.toLowerCase()
      if (name === 'content-length') hasLength = true
      // The field that announces trailers is fine; whatever names a connection was taken off before.
      lines.push(name, fields[i + 1]!)
    }
    try {
      // Only a body without a declared length can have trailers when the origin speaks HTTP/1.1.
      if (!hasLength) stream.on('wantTrailers', () => this.#sendTrailers())
      stream.respond(lines, { waitForTrailers: !hasLength })
      return true
    } catch {
      return false
    }
  }

  write(chunk: Buffer, pressed: boolean): boolean {
    const stream = this.#stream
    if (stream.destroyed || stream.writableEnded) return true
    if (stream.write(chunk)) return true
    if (!this.#waits) {
      this.#waits = true
      stream.on('drain', () => this.#relay!.drained())
    }
    return !pressed && stream.writableLength < BUFFER_BYTES
  }

  whole(fields: readonly string[], body: Uint8Array): boolean {
    const stream = this.#stream
    if (stream.destroyed || stream.closed) return true
    try {
      stream.respond(fields as string[])
    } catch {
      return false
    }
    // HEAD and the like have ended it.
    if (!stream.writableEnded) stream.end(Buffer.from(body.buffer, body.byteOffset, body.byteLength))
    return true
  }

  finish(trailers: readonly string[]): void {
    const stream = this.#stream
    this.#trailers = trailers
    if (stream.destroyed) return
    const stop = () => {
      if (!this.#requestEnded && !stream.readableEnded && stream.endAfterHeaders !== true)
        stream.close(NGHTTP2_NO_ERROR)
    }
    if (stream.writableEnded) stop()
    else stream.end(stop)
  }

  destroy(all = false): void {
    const stream = this.#stream
    if (all) stream.session?.destroy()
    else stream.close(stream.headersSent ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_CANCEL)
  }

  #sendTrailers(): void {
    const headers: Record<string, string | string[]> = {}
    for (let i = 0; i < this.#trailers.length; i += 2)
      append(headers, this.#trailers[i]!.toLowerCase(), this.#trailers[i + 1]!)
    try {
      this.#stream.sendTrailers(headers)
    } catch {
      this.#stream.close(NGHTTP2_NO_ERROR)
    }
  }
}

function append(headers: Record<string, string | string[]>, name: string, value: string): void {
  const before = headers[name]
  if (before === undefined) headers[name] = value
  else headers[name] = Array.isArray(before) ? [...before, value] : [before, value]
}
