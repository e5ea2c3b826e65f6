/**
 * One visitor's HTTP/2: a session that stays open between visits, a navigation, then its assets all
 * at once. A visit whose kept session was closed under it begins again on a new one, once.
 */
import {
  type ClientHttp2Session,
  type ClientSessionOptions,
  connect as connectH2,
  constants,
  type IncomingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2'
import { connect as connectTls } from 'node:tls'
import { fieldsNow } from './fields-now.ts'
import { LeanTlsSocket } from './lean-tls-socket.ts'
import { loopback } from './loopback-only.ts'
import { bodyText, type Offer, readOffer } from './offer.ts'
import type { Fetched, PaymentEnd } from './payment.ts'
import type { Handwriting, Target } from './plan.ts'
import { nextStep, realPage, type Step } from './real-page.ts'

export interface VisitEnd {
  readonly fate: string
  readonly costMs: number
}

export interface H2ClientOptions {
  readonly target: Target
  readonly address: string
  readonly fields: Readonly<Record<string, string>>
  /** Another program's way of speaking HTTP/2: then `fields` are not used. */
  readonly writing?: Handwriting | undefined
  /** The page before; '' for none. */
  readonly referrer?: () => string
  readonly cookies: () => string
  readonly setCookies: (lines: readonly string[]) => void
  /** Does what a page asks for; undefined where no script runs. */
  readonly pay: ((offer: Offer) => Promise<PaymentEnd>) | undefined
}

const MOST_REDIRECTS = 5
/** A script's request that is not answered in this time counts as lost. */
const SCRIPT_PATIENCE_MS = 10_000

/** What browsers say of the kind of a request. */
const FETCH_FIELDS = {
  document: {
    accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
    'sec-fetch-dest': 'document',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-site': 'none',
  },
  style: {
    accept: 'text/css,*/*;q=0.1',
    'sec-fetch-dest': 'style',
    'sec-fetch-mode': 'no-cors',
    'sec-fetch-site': 'same-origin',
  },
  empty: {
    accept: '*/*',
    'sec-fetch-dest': 'empty',
    'sec-fetch-mode': 'cors',
    'sec-fetch-site': 'same-origin',
  },
} as const

/** A whole answer, or why there is none; `retry`: the kept session was closed under it. */
interface Got {
  readonly fetched?: Fetched
  readonly fate: string
  readonly retry: boolean
}

interface Part {
  readonly fate: string
  readonly costMs: number
  readonly retry: boolean
  readonly again?: Step
  readonly offer?: Offer
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
    let target = path
    let redirects = 0
    for (let first = true; ; first = false) {
      const part = await this.#page(path, target, deadlineMs)
      costMs += part.costMs
      if (part.fate === 'served') break
      if (part.retry && first) continue
      if (part.offer && this.#options.pay) {
        const end = await this.#options.pay(part.offer)
        if (performance.now() >= deadlineMs) return { fate: 'timeout', costMs }
        if (end !== 'paid') return { fate: end, costMs }
        target = path
        continue
      }
      if (!part.again || (part.again.isRedirect && ++redirects > MOST_REDIRECTS)) {
        return { fate: part.fate, costMs }
      }
      target = part.again.path
      const { afterMs } = part.again
      if (performance.now() + afterMs >= deadlineMs) return { fate: 'timeout', costMs }
      await new Promise((resolve) => setTimeout(resolve, afterMs))
    }
    const parts = await Promise.all(
      Array.from({ length: assets }, (_, i) => this.#page(`/asset/${i}`, `/asset/${i}`, deadlineMs)),
    )
    this.#visits++
    costMs += parts.reduce((sum, part) => sum + part.costMs, 0)
    const missing = parts.find((part) => part.fate !== 'served')
    return { fate: missing ? `asset-${missing.fate}` : 'served', costMs }
  }

  close(): void {
    this.#session?.destroy()
  }

  /** A request of the page's script. */
  async fetch(target: string): Promise<Fetched | undefined> {
    return (await this.#get(target, performance.now() + SCRIPT_PATIENCE_MS)).fetched
  }

  async #page(path: string, target: string, deadlineMs: number): Promise<Part> {
    const { fetched, fate, retry } = await this.#get(target, deadlineMs)
    if (!fetched) return { fate, costMs: 0, retry }
    const { status, head, body } = fetched
    const cost = realPage(status, body, path)
    if (cost !== undefined) return { fate: 'served', costMs: cost, retry: false }
    const again = nextStep(status, head, body, target)
    const offer = this.#options.pay ? readOffer(body) : undefined
    return {
      fate: status === 200 ? 'other-page' : `status-${status}`,
      costMs: 0,
      retry: false,
      ...(again ? { again } : {}),
      ...(offer ? { offer } : {}),
    }
  }

  #get(path: string, deadlineMs: number): Promise<Got> {
    const kept = this.#visits > 0
    const session = (this.#session ??= this.#connect())
    return new Promise((resolve) => {
      const { target, fields, cookies, setCookies } = this.#options
      const cookie = cookies()
      let status = 0
      let head = ''
      const body: Buffer[] = []
      let settled = false
      const settle = (got: Got) => {
        if (settled) return
        settled = true
        clearTimeout(timer)
        resolve(got)
      }
      const lost = () => settle({ fate: 'connection-lost', retry: kept && status === 0 })
      const kind = path.startsWith('/asset/')
        ? 'style'
        : path.startsWith('/.well-known/')
          ? 'empty'
          : 'document'
      const stream = session.request(
        this.#written(path, kind) ?? {
          ':method': 'GET',
          ':path': path,
          ':scheme': 'https',
          ':authority': target.host,
          ...FETCH_FIELDS[kind],
          ...fields,
          ...(cookie ? { cookie } : {}),
        },
      )
      const timer = setTimeout(
        () => {
          settle({ fate: 'timeout', retry: false })
          stream.close(constants.NGHTTP2_CANCEL)
        },
        Math.max(0, deadlineMs - performance.now()),
      )
      stream.on('response', (headers: IncomingHttpHeaders & { ':status'?: number }) => {
        status = headers[':status'] ?? 0
        if (headers['set-cookie']) setCookies(headers['set-cookie'])
        for (const name of ['location', 'refresh', 'content-encoding'])
          if (headers[name]) head += `\r\n${name}: ${headers[name]}`
      })
      stream.on('data', (data: Buffer) => body.push(data))
      stream.on('end', () => {
        if (status === 0) return lost()
        const text = bodyText(head, Buffer.concat(body).toString('latin1'))
        settle({ fetched: { status, head, body: text }, fate: '', retry: false })
      })
      stream.on('error', lost)
      stream.on('close', lost)
    })
  }

  #written(path: string, kind: keyof typeof FETCH_FIELDS): Record<string, string> | undefined {
    const { writing, target, cookies, referrer } = this.#options
    if (!writing?.h2) return undefined
    const pseudo: Readonly<Record<string, string>> = {
      ':method': 'GET',
      ':path': path,
      ':scheme': 'https',
      ':authority': target.host,
    }
    const fields = kind === 'empty' ? writing.script : writing.navigation
    const moment = { host: '', cookie: cookies(), referrer: referrer?.() ?? '' }
    return {
      ...Object.fromEntries(writing.h2.pseudo.map((name) => [name, pseudo[name]!])),
      ...Object.fromEntries(fieldsNow(fields, moment)),
    }
  }

  #connect(): ClientHttp2Session {
    const { target, address, writing } = this.#options
    if (writing?.h2 && writing.hello !== undefined) {
      const { hello, h2 } = writing
      const session = this.#open(target, {
        settings: h2.settings,
        createConnection: () => new LeanTlsSocket({ target, address, hello }),
      })
      session.once('connect', () => session.setLocalWindowSize(h2.window))
      return session
    }
    return this.#open(target, {
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
  }

  #open(target: Target, options: ClientSessionOptions | SecureClientSessionOptions): ClientHttp2Session {
    const session = connectH2(`https://${target.host}`, options)
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
