/** For tests: a client, the fast path and an origin on loopback, with a desk that does as told. */
import { createServer as createHttpServer } from 'node:http'
import net, { type AddressInfo, type Socket } from 'node:net'
import { identify } from '#networks'
import type { Answer } from '../answers.ts'
import type { Connection } from '../connection.ts'
import { Deadlines } from '../deadlines.ts'
import type { EndResult, Exchange } from '../exchange.ts'
import type { Origin, SiteRuntime } from '../house.ts'
import { failedAnswer } from '../own-answers.ts'
import { FastTransport, type Reception } from './downstream.ts'

export interface Ended extends EndResult {
  readonly exchange: Exchange
}

export interface StageOptions {
  /** What happens to a request; relays it when absent. */
  readonly decide?: (exchange: Exchange) => void
  readonly limits?: Partial<Record<'headBytes' | 'headTimeout' | 'idleTimeout' | 'minBytesPerSecond', number>>
  readonly originTimeout?: number
  readonly originHost?: string
  /** Several origins' ports; by default the one of `origin`. */
  readonly ports?: readonly number[]
  /** What the origin is besides its port. */
  readonly origin?: Partial<Pick<Origin, 'secure' | 'socketPath' | 'verify'>>
}

/** Listens on loopback; `close` ends all of its connections. */
export class Listener {
  readonly server: net.Server
  readonly sockets = new Set<Socket>()

  constructor(serve: (socket: Socket) => void) {
    this.server = net.createServer({ allowHalfOpen: false }, (socket) => {
      this.sockets.add(socket)
      socket.on('close', () => this.sockets.delete(socket))
      socket.on('error', () => {})
      serve(socket)
    })
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve))
    return this
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise<void>((resolve) => this.server.close(() => resolve()))
  }
}

/** An origin that answers by script: `answer` gets each request's head and its socket. */
export async function scriptedOrigin(
  answer: (head: string, socket: Socket, count: number) => void,
): Promise<Listener> {
  let count = 0
  return new Listener((socket) => {
    let text = ''
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end + 4)
        text = text.slice(end + 4)
        answer(head, socket, ++count)
      }
    })
  }).listen()
}

export class Stage implements Reception {
  #clockMs = 0
  readonly results: Ended[] = []
  readonly counters = new Map<string, number>()
  readonly deadlines = new Deadlines(() => this.#clockMs + performance.now())
  readonly transport: FastTransport
  readonly origins: { ok: number; failed: string[]; returned: number; picked: number } = {
    ok: 0,
    failed: [],
    returned: 0,
    picked: 0,
  }
  readonly handedOver: string[] = []
  readonly #options: StageOptions
  readonly #site: SiteRuntime
  readonly #listener: Listener
  /** Serves what the fast path hands over. */
  readonly #http = createHttpServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () =>
      response.end(`node ${request.method} ${request.url} ${Buffer.concat(parts).toString('latin1')}`),
    )
  })
  #waiters: (() => void)[] = []

  private constructor(origin: { port: number } | undefined, options: StageOptions) {
    this.#options = options
    const limits = {
      headBytes: 32_000,
      headTimeout: 10_000,
      idleTimeout: 60_000,
      minBytesPerSecond: 500,
      ...options.limits,
    }
    const ports = options.ports ?? [origin!.port]
    const all = ports.map(
      (port) =>
        ({
          url: `http://127.0.0.1:${port}`,
          secure: false,
          hostname: '127.0.0.1',
          port,
          socketPath: '',
          verify: true,
          ...options.origin,
        }) as Origin,
    )
    const tally = this.origins
    this.#site = {
      name: 'example.org',
      config: { originTimeout: options.originTimeout ?? 60_000, originHost: options.originHost },
      origins: {
        pick: (not?: Origin) => {
          tally.picked++
          return all.find((each) => each !== not) ?? all[0]!
        },
        succeeded: () => void tally.ok++,
        failed: (_: Origin, reason: string) => void tally.failed.push(reason),
        returned: () => void tally.returned++,
        states: [],
      },
    } as unknown as SiteRuntime
    const house = {
      config: { limits },
      count: (name: string, by = 1) => void this.counters.set(name, (this.counters.get(name) ?? 0) + by),
    }
    this.transport = new FastTransport({
      house: house as never,
      reception: this,
      deadlines: this.deadlines,
      handOver: (connection, bytes) => {
        this.handedOver.push(bytes.toString('latin1'))
        connection.socket.unshift(bytes)
        this.#http.emit('connection', connection.socket)
      },
    })
    this.#listener = new Listener((socket) => this.transport.serve(connectionOf(socket)))
  }

  static async open(origin: { port: number } | undefined, options: StageOptions = {}): Promise<Stage> {
    const stage = new Stage(origin, options)
    await stage.#listener.listen()
    return stage
  }

  get port(): number {
    return this.#listener.port
  }

  get accepted(): ReadonlySet<Socket> {
    return this.#listener.sockets
  }

  /** Lets `ms` pass for deadlines, in steps the wheel would see. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 100) {
      this.#clockMs += Math.min(left, 100)
      this.deadlines.tick(this.nowMs())
    }
  }

  async close(): Promise<void> {
    this.transport.origins.closeIdle()
    await this.#listener.close()
    this.#http.closeAllConnections()
  }

  /** When `count` exchanges have ended. */
  async ends(count: number): Promise<Ended[]> {
    while (this.results.length < count) await new Promise<void>((resolve) => this.#waiters.push(resolve))
    return this.results
  }

  // Desk and pipeline.

  nowMs(): number {
    return this.#clockMs + performance.now()
  }

  receive(exchange: Exchange): void {
    exchange.site = this.#site
    exchange.connection.requests++
    exchange.connection.active++
    if (this.#options.decide === undefined) relay(exchange)
    else this.#options.decide(exchange)
  }

  firstByte(): void {}
  bodyRead(): void {}

  ownFields(): readonly string[] {
    return []
  }

  failedAnswer(_exchange: Exchange, status: 502 | 504, reason: string): Answer {
    return failedAnswer(status, reason, 'fetch')
  }
  longLived(): void {}
  count(): void {}
  decided(): void {}
  fault(): void {}
  released = 0
  release(): void {
    this.released++
  }

  ended(exchange: Exchange, result: EndResult): void {
    exchange.connection.active--
    this.results.push({ ...result, exchange })
    for (const wake of this.#waiters.splice(0)) wake()
  }
}

export function relay(exchange: Exchange): void {
  exchange.relaying = true
  exchange.carrier.relay(exchange)
}

export function connectionOf(socket: Socket): Connection {
  return {
    socket,
    peer: identify(socket.remoteAddress),
    secure: false,
    ja4: '',
    h2: '',
    viaProxy: false,
    serverName: '',
    requests: 0,
    active: 0,
    proven: false,
    idleSinceMs: 0,
  }
}

/** A client that keeps everything it gets. */
export class Client {
  readonly socket: Socket
  text = ''
  readonly closed: Promise<void>
  #wake: (() => void) | undefined

  constructor(port: number) {
    this.socket = net.connect(port, '127.0.0.1')
    this.socket.setNoDelay(true)
    this.socket.on('error', () => {})
    this.socket.on('data', (bytes) => {
      this.text += bytes.toString('latin1')
      this.#wake?.()
    })
    this.closed = new Promise((resolve) => this.socket.on('close', resolve)).then(() => this.#wake?.())
  }

  send(text: string): this {
    this.socket.write(text, 'latin1')
    return this
  }

  /** When the text got so far satisfies `test`, or the connection is closed. */
  async until(test: RegExp | ((text: string) => boolean)): Promise<string> {
    const holds = typeof test === 'function' ? test : (text: string) => test.test(text)
    while (!holds(this.text) && !this.socket.destroyed)
      await new Promise<void>((resolve) => (this.#wake = resolve))
    return this.text
  }
}

export const GET = 'GET / HTTP/1.1\r\nHost: example.org\r\n\r\n'
