/** The lean TLS client as a stream, for what wants one: a visitor's connection, or Node's HTTP/2. */
import { connect, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { LeanTls } from './lean-tls.ts'
import { loopback } from './loopback-only.ts'
import type { Target } from './plan.ts'

export interface LeanTlsSocketOptions {
  readonly target: Target
  readonly address: string
  /** Base64 of the ClientHello that it begins with. */
  readonly hello: string
}

export class LeanTlsSocket extends Duplex {
  readonly #socket: Socket
  readonly #tls: LeanTls
  /** Ended at our side: what was sent before is on its way. */
  #isFinal = false

  constructor({ target, address, hello }: LeanTlsSocketOptions) {
    super({ allowHalfOpen: false })
    this.#socket = connect({
      host: loopback(target.address),
      port: target.tlsPort,
      noDelay: true,
      ...(target.forwardedFor ? {} : { localAddress: loopback(address) }),
    })
    this.#tls = new LeanTls({
      host: target.host,
      hello,
      write: (bytes) => this.#socket.write(bytes),
      data: (bytes) => this.push(bytes),
      failed: (why) => this.destroy(Object.assign(new Error(why), { code: `tls ${why}` })),
    })
    this.#tls.start()
    this.#socket.on('data', (bytes: Buffer) => this.#tls.feed(bytes))
    this.#socket.on('error', (error) => this.destroy(error))
    this.#socket.on('close', () => (this.#isFinal ? this.destroy() : this.push(null)))
  }

  override _read(): void {
    // Answers are pages of some kB: nothing is held back.
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#tls.send(bytes.toString('latin1'))
    done()
  }

  override _final(done: () => void): void {
    this.#isFinal = true
    this.#socket.end()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }
}
