/**
 * One visitor's HTTP/2: a session that stays open between visits, a navigation, then its assets all
 * at once. A visit whose kept session was closed under it begins again on a new one, once.
 */
import {
  type ClientHttp2Session,
  connect as connectH2,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2'
import { connect as connectTls } from 'node:tls'
import { loopback } from './loopback-only.ts'
import type { Target } from './plan.ts'
import { nextStep, realPage } from './real-page.ts'

export interface VisitEnd {
  readonly fate: string
  readonly costMs: number
}

export interface H2ClientOptions {
  readonly target: Target
  readonly address: string
  readonly fields: Readonly<Record<string, string>>
  readonly cookies: () => string
  readonly setCookies: (lines: readonly string[]) => void
}

interface Part {
  readonly fate: string
  readonly costMs: number
  readonly retry: boolean
  readonly again?: { readonly path: string; readonly afterMs: number }
}

export class H2Client {
  readonly #options: H2ClientOptions
  #session: ClientHttp2Session | undefined
  #ticket: Buffer | undefined
  /** Visits finished on the session at hand. */
  #visits = 0

  constructor(options: H2ClientOptions) {
    loopback(options.target.address)
    this.#options = options
  }

  async visit(path: string, assets: number, deadlineMs: number): Promise<VisitEnd> {
    let costMs = 0
    let page = path
    for (let hop = 0; ; hop++) {
      const part = await this.#get(page, deadlineMs)
      costMs += part.costMs
      if (part.fate === 'served') break
      if (part.retry && hop === 0) continue
      if (!part.again || hop === 5) return { fate: part.fate, costMs }
      page = part.again.path
      const afterMs = part.again.afterMs
      await new Promise((resolve) => setTimeout(resolve, afterMs))
    }
    const parts = await Promise.all(
      Array.from({ length: assets }, (_, i) => this.#get(`/asset/${i}`, deadlineMs)),
    )
    this.#visits++
    costMs += parts.reduce((sum, part) => sum + part.costMs, 0)
    const missing = parts.find((part) => part.fate !== 'served')
    return { fate: missing ? `asset-${missing.fate}` : 'served', costMs }
  }

  close(): void {
    this.#session?.destroy()
  }

  #get(path: string, deadlineMs: number): Promise<Part> {
    const kept = this.#visits > 0
    const session = (this.#session ??= this.#connect())
    return new Promise((resolve) => {
      const { target, fields, cookies, setCookies } = this.#options
      const cookie = cookies()
      let status = 0
      let head = ''
      const body: Buffer[] = []
      let settled = false
      const settle = (part: Part) => {
        if (settled) return
        settled = true
        clearTimeout(timer)
        resolve(part)
      }
      const lost = () => settle({ fate: 'connection-lost', costMs: 0, retry: kept && status === 0 })
      const stream = session.request({
        ':method': 'GET',
        ':path': path,
        ':scheme': 'https',
        ':authority': target.host,
        accept: '*/*',
        ...fields,
        ...(cookie ? { cookie } : {}),
      })
      const timer = setTimeout(
        () => {
          settle({ fate: 'timeout', costMs: 0, retry: false })
          stream.close(constants.NGHTTP2_CANCEL)
        },
        Math.max(0, deadlineMs - performance.now()),
      )
      stream.on('response', (headers: IncomingHttpHeaders & { ':status'?: number }) => {
        status = headers[':status'] ?? 0
        if (headers['set-cookie']) setCookies(headers['set-cookie'])
        for (const name of ['location', 'refresh']) if (headers[name]) head += `\r\n${name}: ${headers[name]}`
      })
      stream.on('data', (data: Buffer) => body.push(data))
      stream.on('end', () => {
        if (status === 0) return lost()
        const text = Buffer.concat(body).toString('latin1')
        const cost = realPage(status, text, path)
        if (cost !== undefined) return settle({ fate: 'served', costMs: cost, retry: false })
        const again = nextStep(status, head, text, path)
        settle({
          fate: status === 200 ? 'other-page' : `status-${status}`,
          costMs: 0,
          retry: false,
          ...(again ? { again } : {}),
        })
      })
      stream.on('error', lost)
      stream.on('close', lost)
    })
  }

  #connect(): ClientHttp2Session {
    const { target, address } = this.#options
    const session = connectH2(`https://${target.host}`, {
      createConnection: () => {
        const socket = connectTls({
          host: target.address,
          port: target.tlsPort,
          servername: target.host,
          rejectUnauthorized: false,
          ALPNProtocols: ['h2'],
          ...(target.forwardedFor ? {} : { localAddress: address }),
          ...(this.#ticket ? { session: this.#ticket } : {}),
        })
        socket.on('session', (ticket: Buffer) => {
          this.#ticket = ticket
        })
        return socket
      },
    })
    this.#visits = 0
    const forget = () => {
      if (this.#session === session) this.#session = undefined
    }
    session.on('error', forget)
    session.on('goaway', forget)
    session.on('close', forget)
    return session
  }
}
