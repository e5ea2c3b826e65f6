/**
 * WebSocket and other changes of protocol: the request goes to the origin by Node's `http` client,
 * and after its 101 the two sockets are joined. Any other answer is passed on and the connection closed.
 */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import { endToEndFields, fieldValue, upgradeProtocol } from '#http'
import type { Answer } from './answers.ts'
import type { Carrier, Exchange } from './exchange.ts'
import { originFailure } from './failures.ts'
import { originFields } from './forwarding.ts'
import type { Origin } from './house.ts'
import { lingerClose } from './linger-close.ts'

export class UpgradeRelay implements Carrier {
  readonly #client: Socket
  readonly #early: Buffer
  #exchange: Exchange | undefined
  #request: ClientRequest | undefined
  #upstream: Socket | undefined
  #origin: Origin | undefined
  #status = 0
  #bytes = 0

  constructor(client: Socket, early: Buffer) {
    this.#client = client
    this.#early = early
    client.on('error', () => {})
    client.on('close', () => this.#clientClosed())
  }

  /** The exchange it carries; before the pipeline receives it. */
  bind(exchange: Exchange): Exchange {
    return (this.#exchange = exchange)
  }

  answer(_exchange: Exchange, answer: Answer): void {
    this.#client.write(answer.close)
    lingerClose(this.#client)
  }

  relay(exchange: Exchange): void {
    if (this.#client.destroyed) {
      this.#end('relay', 'client-gone')
      return
    }
    const origin = exchange.site.origins.pick()
    this.#origin = origin
    const protocol = upgradeProtocol(exchange.head.fields) ?? ''
    const fields = [...originFields(exchange), 'connection', 'upgrade', 'upgrade', protocol]
    const options = {
      method: exchange.head.method,
      path: exchange.head.target,
      headers: fields,
      setHost: false,
      agent: false as const,
      timeout: exchange.site.config.originTimeout,
      ...(origin.socketPath === ''
        ? { host: origin.hostname, port: origin.port }
        : { socketPath: origin.socketPath }),
    }
    const request = origin.secure
      ? httpsRequest({
          ...options,
          rejectUnauthorized: origin.verify,
          servername: serverName(exchange, origin),
        })
      : httpRequest(options)
    this.#request = request
    request.on('upgrade', (response, socket, head) => this.#switched(response, socket, head))
    request.on('response', (response) => this.#refusedByOrigin(response))
    request.on('timeout', () =>
      request.destroy(Object.assign(new Error('timeout'), { code: 'UND_ERR_HEADERS_TIMEOUT' })),
    )
    request.on('error', (error) => this.#failed(error))
    request.end()
  }

  drop(exchange: Exchange): void {
    const wasRelaying = exchange.relaying
    this.#abandon()
    this.#client.destroy()
    if (wasRelaying) this.#end('relay', 'long-lived-full')
  }

  #switched(response: IncomingMessage, upstream: Socket, head: Buffer): void {
    this.#reported(true)
    this.#upstream = upstream
    this.#status = response.statusCode ?? 101
    upstream.setTimeout(0)
    upstream.setNoDelay(true)
    upstream.setKeepAlive(true, 60_000)
    this.#client.setNoDelay(true)
    upstream.on('error', () => this.#client.destroy())
    this.#exchange!.firstByte(101)
    this.#exchange!.goLongLived()
    this.#writeHead(response, [
      'connection',
      'upgrade',
      'upgrade',
      fieldValue(response.rawHeaders, 'upgrade') ?? '',
    ])
    if (head.length > 0) this.#client.write(head)
    if (this.#early.length > 0) upstream.write(this.#early)
    this.#client.pipe(upstream)
    upstream.pipe(this.#client)
    upstream.on('close', () => this.#client.destroySoon())
  }

  #refusedByOrigin(response: IncomingMessage): void {
    const status = response.statusCode ?? 502
    this.#reported(true)
    this.#status = status
    this.#exchange!.firstByte(status)
    // The body runs to the end of the connection: its framing was taken off by the parser.
    this.#writeHead(response, ['connection', 'close'])
    response.on('data', (chunk: Buffer) => {
      this.#bytes += chunk.length
      if (!this.#client.write(chunk)) {
        response.pause()
        this.#client.once('drain', () => response.resume())
      }
    })
    response.on('end', () => {
      this.#exchange!.originEnded(status >= 500 ? 'failed' : 'answered')
      this.#end('relay', '')
      lingerClose(this.#client)
    })
    response.on('error', () => {
      this.#end('fail', 'origin-closed')
      this.#client.destroy()
    })
  }

  #writeHead(response: IncomingMessage, own: readonly string[]): void {
    const answered = response.rawHeaders
    const fields = [
      ...endToEndFields(answered),
      ...this.#exchange!.ownFields(this.#status, () => answered),
      ...own,
    ]
    let head = `HTTP/1.1 ${this.#status} ${response.statusMessage ?? ''}\r\n`
    for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`
    this.#client.write(`${head}\r\n`, 'latin1')
  }

  #failed(error: Error): void {
    const exchange = this.#exchange!
    if (exchange.ended) return
    if (this.#status !== 0) {
      this.#client.destroy()
      this.#end('fail', originFailure(error).reason)
      return
    }
    const failure = originFailure(error)
    this.#reported(false, failure.reason)
    const answer = exchange.failedAnswer(failure.status, failure.reason)
    this.#status = failure.status
    this.#bytes = answer.body.length
    this.answer(exchange, answer)
    this.#end('fail', failure.reason)
  }

  #clientClosed(): void {
    const exchange = this.#exchange
    this.#abandon()
    if (exchange === undefined || exchange.ended) return
    if (exchange.relaying) this.#end('relay', this.#status === 101 ? '' : 'client-gone')
    else exchange.clientGone()
  }

  #abandon(): void {
    this.#request?.destroy()
    this.#upstream?.destroy()
    this.#reported(undefined)
  }

  /** Tells the origins once what came of it; undefined: nothing can be said. */
  #reported(succeeded: boolean | undefined, reason = ''): void {
    const origin = this.#origin
    if (origin === undefined) return
    this.#origin = undefined
    const { origins } = this.#exchange!.site
    if (succeeded === undefined) origins.returned(origin)
    else if (succeeded) origins.succeeded(origin)
    else origins.failed(origin, reason)
  }

  #end(action: 'relay' | 'fail', reason: string): void {
    const outcome = action === 'fail' ? 'failed' : reason === '' ? 'answered' : 'abandoned'
    const bytes = this.#status === 101 ? (this.#upstream?.bytesRead ?? 0) : this.#bytes
    this.#exchange?.end({ action, reason, status: this.#status, bytes, outcome })
  }
}

function serverName(exchange: Exchange, origin: Origin): string {
  return exchange.site.config.originHost ?? (/^[\d.]+$|:/.test(origin.hostname) ? '' : origin.hostname)
}
