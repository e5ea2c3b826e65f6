/**
 * One connection from accept until a transport serves it.
 *
 *   accepted ─▶ proxy? ─▶ hello? ─▶ gate ─▶ handshake ─▶ open
 *      └──────────┴────────┴─────────┴─────────┴──▶ closed (refused, malformed, too slow, gone)
 *
 * Until `open` nothing is kept but the bytes the client sent, at most 16 kB, and all of it has one
 * deadline from accept on, so sending a byte now and then does not help.
 */
import type { Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import { type CidrSet, type ClientAddress, parseProxyHeader } from '#networks'
import { type ClientHello, ja4Of, LARGEST_HELLO_BYTES, parseClientHello } from '#recognise'
import type { Connection } from '../connection.ts'
import type { Seat } from './connection-budget.ts'
import type { Waiter } from './handshake-gate.ts'
import type { IsMarked, Protocol } from './types.ts'

/** What an arrival needs of its thread. */
export interface Reception {
  readonly count: (counter: string, by?: number) => void
  now(): number
  describe(address: string): ClientAddress
  isDropped(client: ClientAddress): boolean
  readonly isMarked: IsMarked
  rename(seat: Seat, client: ClientAddress): void
  ask(waiter: Waiter): void
  withdraw(waiter: Waiter): void
  measured(costMs: number): void
  contextFor(hello: ClientHello): SecureContext | undefined
  opened(arrival: Arrival, connection: Connection, protocol: Protocol): void
  closed(arrival: Arrival): void
}

/** What the operator said of the listener, now: a reload replaces it. */
export interface DoorSettings {
  readonly tls: boolean
  readonly proxies: CidrSet
}

const ALPN_PROTOCOLS = ['h2', 'http/1.1']
/**
 * What is timed is the making of the TLSSocket and the ClientHello's half of the handshake (key
 * exchange, signature). The rest (accept, the client's Finished, tickets, tearing down) happens in
 * many small places; measured, the whole is this much of it for TLS 1.3 with P-256, somewhat more for
 * TLS 1.2 and less for RSA: docs/decisions/tls.md.
 */
const WHOLE_CONNECTION = 2.2

/** Sockets of this file know their arrival: one listener function each for all of them. */
const ARRIVAL = Symbol('arrival')
type OwnedSocket = Socket & { [ARRIVAL]: Arrival }

function onClose(this: OwnedSocket): void {
  this[ARRIVAL].onClose()
}
function onEnd(this: OwnedSocket): void {
  this[ARRIVAL].onEnd()
}
function onReadable(this: OwnedSocket): void {
  this[ARRIVAL].onReadable()
}
function onTlsError(this: OwnedSocket): void {
  this[ARRIVAL].onTlsError()
}
function onSecure(this: OwnedSocket): void {
  this[ARRIVAL].onSecure()
}

export class Arrival implements Waiter {
  client: ClientAddress
  seat: Seat | undefined = undefined
  hello: ClientHello = NO_HELLO
  readonly acceptedAtMs: number
  readonly #reception: Reception
  readonly #door: DoorSettings
  #socket: Socket | undefined = undefined
  #tls: TLSSocket | undefined = undefined
  #bytes: Buffer = NO_BYTES
  #awaits: 'proxy' | 'hello' | 'nothing' = 'nothing'
  #closed = false
  #viaProxy = false
  /** '' until somebody asks for it. */
  #ja4 = ''

  constructor(client: ClientAddress, door: DoorSettings, reception: Reception) {
    this.client = client
    this.#door = door
    this.#reception = reception
    this.acceptedAtMs = reception.now()
  }

  /** The socket has come. `fromProxy`: its peer must begin with a PROXY header. */
  start(socket: Socket, fromProxy: boolean): void {
    this.#socket = socket
    const owned = socket as OwnedSocket
    owned[ARRIVAL] = this
    owned.on('error', ignore)
    owned.on('close', onClose)
    if (this.#closed) {
      socket.destroy()
      return
    }
    if (fromProxy) this.#awaits = 'proxy'
    else if (this.#door.tls) this.#awaits = 'hello'
    else {
      this.#open(socket, 'http/1.1')
      return
    }
    owned.on('readable', onReadable)
    owned.on('end', onEnd)
  }

  /** Asked before the handshake, so by the hello alone. */
  get marked(): boolean {
    return this.#reception.isMarked(this.client, this.hello.serverName, this.#fingerprint)
  }

  /** At once and without a farewell: whoever is closed here would only use another packet. */
  close(): void {
    this.#closed = true
    const socket = this.#socket
    if (socket === undefined || socket.destroyed) return
    this.#tls?.destroy()
    // Alone it would wait for what is written to be read, which a slow reader never does.
    socket.resetAndDestroy()
    socket.destroy()
  }

  begin(): void {
    const socket = this.#socket!
    if (socket.destroyed) return
    const context = this.#reception.contextFor(this.hello)
    if (context === undefined) {
      this.#reception.count('handshake-no-certificate')
      this.close()
      return
    }
    this.#reception.count('handshake-begun')
    // TLSSocket feeds the bytes given back to OpenSSL in a tick of its own: time from just before it
    // to just after it, whatever else was queued.
    let before = 0
    process.nextTick(() => {
      before = performance.now()
    })
    const constructedAt = performance.now()
    const tls = new TLSSocket(socket, {
      isServer: true,
      secureContext: context,
      ALPNProtocols: ALPN_PROTOCOLS,
    })
    const constructMs = performance.now() - constructedAt
    process.nextTick(() => {
      this.#reception.measured((constructMs + performance.now() - before) * WHOLE_CONNECTION)
    })
    this.#tls = tls
    const owned = tls as unknown as OwnedSocket
    owned[ARRIVAL] = this
    owned.on('error', onTlsError)
    owned.once('secure', onSecure)
  }

  refuse(): void {
    this.close()
  }

  onClose(): void {
    this.#closed = true
    this.#reception.withdraw(this)
    this.#reception.closed(this)
  }

  /** The client shut its side down before it had said what it wants. */
  onEnd(): void {
    this.close()
  }

  onReadable(): void {
    const chunk = this.#socket!.read() as Buffer | null
    if (chunk === null) return
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    if (this.#awaits === 'proxy') this.#readProxyHeader()
    if (this.#awaits === 'hello') this.#readHello()
  }

  #readProxyHeader(): void {
    const header = parseProxyHeader(this.#bytes)
    if (header.state === 'more') return
    if (header.state === 'malformed') {
      this.#fail('proxy-header-malformed')
      return
    }
    this.#bytes = this.#bytes.subarray(header.length)
    if (header.source !== undefined) {
      this.client = this.#reception.describe(header.source.address)
      this.#viaProxy = true
      if (this.#reception.isDropped(this.client)) {
        this.#fail('connection-dropped')
        return
      }
      this.#reception.rename(this.seat!, this.client)
    }
    if (this.#door.tls) {
      this.#awaits = 'hello'
      return
    }
    this.#giveBack()
    this.#open(this.#socket!, 'http/1.1')
  }

  #readHello(): void {
    const result = parseClientHello(this.#bytes)
    switch (result.kind) {
      case 'more':
        if (this.#bytes.length > LARGEST_HELLO_BYTES) this.#fail('hello-malformed')
        return
      case 'malformed':
        this.#fail('hello-malformed')
        return
      case 'hello':
        this.hello = result.hello
        this.#giveBack()
        this.#reception.ask(this)
        return
      default:
        result satisfies never
    }
  }

  #fail(counter: string): void {
    this.#awaits = 'nothing'
    this.#reception.count(counter)
    this.close()
  }

  /** The next reader finds the socket as if nobody had read from it. */
  #giveBack(): void {
    const socket = this.#socket!
    this.#awaits = 'nothing'
    socket.off('readable', onReadable)
    socket.off('end', onEnd)
    if (this.#bytes.length > 0) socket.unshift(this.#bytes)
    this.#bytes = NO_BYTES
  }

  onTlsError(): void {
    if (this.seat?.connection === undefined) this.#reception.count('handshake-failed')
    this.#tls!.destroy()
  }

  onSecure(): void {
    const tls = this.#tls! as TLSSocket & { _releaseControl?(): boolean; secureConnecting: boolean }
    // What tls.Server does when a handshake is done: without it errors after the handshake stay unheard.
    tls._releaseControl?.()
    tls.secureConnecting = false
    this.#open(tls, tls.alpnProtocol === 'h2' ? 'h2' : 'http/1.1')
  }

  readonly #fingerprint = (): string => (this.#ja4 ||= ja4Of(this.hello))

  #open(socket: Socket, protocol: Protocol): void {
    const secure = this.#tls !== undefined
    const nowMs = this.#reception.now()
    const connection: Connection = {
      socket,
      peer: this.client,
      secure,
      ja4: secure ? this.#fingerprint() : '',
      viaProxy: this.#viaProxy,
      serverName: secure ? this.hello.serverName : '',
      h2: '',
      requests: 0,
      active: 0,
      proven: false,
      idleSinceMs: nowMs,
    }
    // The hello's views hold on to the bytes of the first packet.
    this.hello = NO_HELLO
    this.seat!.connection = connection
    this.#reception.opened(this, connection, protocol)
  }
}

const NO_BYTES = Buffer.alloc(0)
const NO_HELLO: ClientHello = {
  version: 0,
  ciphers: [],
  extensions: [],
  versions: [],
  signatureAlgorithms: [],
  groups: [],
  alpn: [],
  serverName: '',
  hasServerName: false,
  tickets: [],
}

function ignore(): void {}
