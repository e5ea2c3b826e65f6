/**
 * HTTP/1.1 by Node's own server: the way for everything. The server never listens; connections are
 * handed to it after accept, PROXY protocol and TLS.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { fieldValue, readRequest, upgradeProtocol, without } from '#http'
import type { Answer } from './answers.ts'
import type { Connection, Transport } from './connection.ts'
import { Exchange } from './exchange.ts'
import { lingerClose } from './linger-close.ts'
import { faultAnswer } from './own-answers.ts'
import type { PaceWatch } from './pace.ts'
import type { Pipeline } from './pipeline.ts'
import { type Downstream, Relay } from './relay.ts'
import { RequestBody } from './request-body.ts'
import { UpgradeRelay } from './upgrade.ts'

/** Head deadlines are looked at this often: a deadline is late by at most so much. */
const CHECK_MS = 500
/** Buffered for a client before the origin is made to wait. */
const BUFFER_BYTES = 262_144

/** Where a socket's connection is kept: the parser knows only the socket. */
const CONNECTION: unique symbol = Symbol('connection')
interface Known {
  [CONNECTION]?: Connection
}

export class NodeHttp implements Transport {
  readonly #pipeline: Pipeline
  readonly #watch: PaceWatch
  readonly #server: Server
  #draining = false

  constructor(pipeline: Pipeline, watch: PaceWatch) {
    this.#pipeline = pipeline
    this.#watch = watch
    const { limits } = pipeline.house.config
    this.#server = createServer({
      insecureHTTPParser: false,
      // Said by our own check, with a reason that is counted.
      requireHostHeader: false,
      maxHeaderSize: limits.headBytes,
      headersTimeout: limits.headTimeout,
      keepAliveTimeout: limits.idleTimeout,
      // A body has a minimum pace instead of a deadline.
      requestTimeout: 0,
      connectionsCheckingInterval: CHECK_MS,
      noDelay: false,
      shouldUpgradeCallback: wantsUpgrade,
    })
    const server = this.#server
    // Beyond a count Node drops field lines silently; the size of the head is bounded instead.
    server.maxHeadersCount = 0
    server.timeout = 0
    server.on('request', (request, response) => this.#onRequest(request, response, false))
    server.on('checkContinue', (request, response) => this.#onRequest(request, response, true))
    server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
      this.#refuse(response, 417, 'expectation-unknown')
    })
    server.on('upgrade', (request, socket, head) => this.#onUpgrade(request, socket, head))
    server.on('connect', (_request, socket) => this.#onBroken(socket, 400, 'method-connect'))
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#onClientError(error, socket))
    // The server's watch over head deadlines starts with this event, and it never listens.
    server.emit('listening')
  }

  serve(connection: Connection): void {
    const socket: Socket & Known = connection.socket
    socket[CONNECTION] = connection
    this.#server.emit('connection', socket)
  }

  drain(): void {
    this.#draining = true
    this.#server.closeIdleConnections()
  }

  /** Ends every connection at once. */
  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  /** The limits of the configuration have changed; open connections keep the head size they began with. */
  configured(): void {
    const { limits } = this.#pipeline.house.config
    this.#server.headersTimeout = limits.headTimeout
    this.#server.keepAliveTimeout = limits.idleTimeout
    Object.assign(this.#server, { maxHeaderSize: limits.headBytes })
  }

  #onRequest(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const socket: Socket & Known = request.socket
    const connection = socket[CONNECTION]
    // Ended: what still comes is the rest of a body that nobody wanted.
    if (connection === undefined || socket.destroyed || socket.writableEnded) return
    const head = readRequest(request.method ?? '', request.url ?? '', request.httpVersion, request.rawHeaders)
    if (typeof head === 'string') {
      this.#refuse(response, 400, head)
      return
    }
    const declared = request.headers['content-length']
    const hasBody =
      request.headers['transfer-encoding'] !== undefined || (declared !== undefined && declared !== '0')
    const body = hasBody
      ? new RequestBody(request, declared === undefined ? undefined : Number(declared))
      : undefined
    const downstream = new NodeDownstream(request, response, () => this.#draining)
    const relay = new Relay(downstream, body, this.#watch, expectsContinue)
    downstream.attach(relay)
    this.#pipeline.receive(relay.bind(new Exchange(this.#pipeline, relay, connection, head)))
  }

  #onUpgrade(request: IncomingMessage, stream: Duplex, early: Buffer): void {
    const socket = stream as Socket & Known
    const connection = socket[CONNECTION]
    if (connection === undefined || socket.destroyed) return
    const head = readRequest(request.method ?? '', request.url ?? '', request.httpVersion, request.rawHeaders)
    if (typeof head === 'string') {
      this.#onBroken(socket, 400, head)
      return
    }
    const relay = new UpgradeRelay(socket, early)
    this.#pipeline.receive(relay.bind(new Exchange(this.#pipeline, relay, connection, head)))
  }

  #refuse(response: ServerResponse, status: number, reason: string): void {
    this.#pipeline.house.count('bad-request')
    this.#pipeline.house.count(`bad-request-${reason}`)
    sendAnswer(response, faultAnswer(status, reason), true)
  }

  #onBroken(stream: Duplex, status: number, reason: string): void {
    this.#pipeline.house.count('bad-request')
    this.#pipeline.house.count(`bad-request-${reason}`)
    const socket = stream as Socket
    if (!socket.writable) {
      socket.destroy()
      return
    }
    socket.write(faultAnswer(status, reason).close)
    lingerClose(socket)
  }

  #onClientError(error: NodeJS.ErrnoException, stream: Duplex): void {
    const socket = stream as Socket & { _httpMessage?: ServerResponse | null }
    const code = error.code ?? ''
    const current = socket._httpMessage
    // An answer that has begun cannot be followed by another, one to the next request must not be taken
    // for this one's, and a client that reset is not there to read any.
    const isTaken = current?.headersSent === true || current?.req.complete === true
    if (!socket.writable || isTaken || code === 'ECONNRESET' || code === 'EPIPE') {
      socket.destroy()
      return
    }
    if (code === 'HPE_HEADER_OVERFLOW') this.#onBroken(socket, 431, 'head-too-large')
    else if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
      // Nothing was sent: a connection opened ahead of need, which is closed without a word.
      if (socket.bytesRead === 0) {
        this.#pipeline.house.count('head-timeout')
        socket.destroy()
      } else this.#onBroken(socket, 408, 'head-timeout')
    } else
      this.#onBroken(socket, 400, code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW' ? 'chunk-extensions' : 'syntax')
  }
}

/** A body before the change of protocol would be read as the new protocol by one side and as a body by the other. */
function wantsUpgrade(request: IncomingMessage): boolean {
  const { headers } = request
  return (
    request.method === 'GET' &&
    headers['transfer-encoding'] === undefined &&
    (headers['content-length'] ?? '0') === '0' &&
    upgradeProtocol(request.rawHeaders) !== undefined
  )
}

function sendAnswer(response: ServerResponse, answer: Answer, close: boolean): void {
  const fields = [...answer.fields, 'content-length', String(answer.body.length)]
  if (close) fields.push('connection', 'close')
  // Its own reason phrase: an origin's head that could not be sent has left one behind.
  response.writeHead(answer.status, STATUS_CODES[answer.status] ?? '', fields)
  response.end(answer.body)
}

class NodeDownstream implements Downstream {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #isDraining: () => boolean
  #relay!: Relay
  #finished = false

  constructor(request: IncomingMessage, response: ServerResponse, isDraining: () => boolean) {
    this.#request = request
    this.#response = response
    this.#isDraining = isDraining
    request.on('error', () => {})
    response.on('error', () => {})
  }

  attach(relay: Relay): void {
    this.#relay = relay
    this.#response.on('drain', () => relay.drained())
    this.#response.on('close', () => {
      if (!this.#response.writableFinished) relay.clientClosed()
    })
  }

  get pendingBytes(): number {
    return this.#finished && this.#response.writableFinished ? 0 : this.#response.writableLength
  }

  answer(answer: Answer, close: boolean): void {
    if (this.#response.headersSent || this.#response.destroyed) return
    const unread = close && !this.#request.complete
    // Node closes at once after a last response; a client that still sends would get a reset instead of it.
    if (unread) {
      const { socket } = this.#request
      socket.destroySoon = () => lingerClose(socket)
    }
    sendAnswer(this.#response, answer, close || this.#isDraining())
  }

  inform(status: number, fields: readonly string[]): void {
    const response = this.#response
    if (response.headersSent || response.destroyed || this.#request.httpVersion === '1.0') return
    if (status === 100) response.writeContinue()
    else writeInformation(response, status, fields)
  }

  respond(status: number, statusText: string, fields: readonly string[]): boolean {
    let lines = fields as string[]
    // Node throws at an announcement of trailers that its framing has no place for.
    if (!this.#hasTrailers(status, fields)) lines = without(fields, 'trailer') as string[]
    if (this.#isDraining()) lines = [...lines, 'connection', 'close']
    try {
      if (statusText === '') this.#response.writeHead(status, lines)
      else this.#response.writeHead(status, statusText, lines)
      // Now, not with the first body byte: an event stream may be quiet for long.
      this.#response.flushHeaders()
      return true
    } catch {
      return false
    }
  }

  /** The body will be chunked. */
  #hasTrailers(status: number, fields: readonly string[]): boolean {
    const { httpVersion, method } = this.#request
    return (
      httpVersion === '1.1' &&
      method !== 'HEAD' &&
      status !== 204 &&
      status !== 304 &&
      fieldValue(fields, 'content-length') === undefined
    )
  }

  write(chunk: Buffer, pressed: boolean): boolean {
    return this.#response.write(chunk) || (!pressed && this.#response.writableLength < BUFFER_BYTES)
  }

  finish(trailers: readonly string[]): void {
    const response = this.#response
    this.#finished = true
    if (trailers.length > 0 && response.chunkedEncoding) {
      const pairs: [string, string][] = []
      for (let i = 0; i < trailers.length; i += 2) pairs.push([trailers[i]!, trailers[i + 1]!])
      try {
        response.addTrailers(pairs)
      } catch {
        // Trailers that are no field lines are left out: they may be ignored by anyone.
      }
    }
    response.end(() => {
      this.#relay.finished()
      // The response came before the end of the request: what follows on the connection is body.
      if (!this.#request.complete) lingerClose(this.#request.socket)
    })
  }

  destroy(): void {
    this.#request.socket.destroy()
  }
}

/** Any 1xx: Node has calls for 100, 102 and 103 only, and its 103 takes no fields but Link and objects. */
function writeInformation(response: ServerResponse, status: number, fields: readonly string[]): void {
  const socket = response.socket as (Socket & { _httpMessage?: unknown }) | null
  // Behind an earlier response of the same connection it would be read as part of that one.
  if (socket === null || socket._httpMessage !== response) return
  let head = `HTTP/1.1 ${status} ${status === 103 ? 'Early Hints' : 'Information'}\r\n`
  for (let i = 0; i < fields.length; i += 2) {
    if (/[\r\n\0]/.test(fields[i]! + fields[i + 1]!)) return
    head += `${fields[i]}: ${fields[i + 1]}\r\n`
  }
  socket.write(`${head}\r\n`, 'latin1')
}
