/**
 * A visitor as a browser is one, from the server's point of view: an address, cookies, up to six kept
 * connections, a request asked again when its kept connection was closed under it, redirects and
 * refreshes followed, and, where scripts run, the work that a page asks for.
 */
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { MS_PER_PART } from './effort.ts'
import { fieldsNow } from './fields-now.ts'
import { H2Client } from './h2-client.ts'
import { LeanTlsSocket } from './lean-tls-socket.ts'
import { bodyText, type Offer, readOffer } from './offer.ts'
import { type Fetched, MOST_TRIES, type PaymentEnd, pay } from './payment.ts'
import type { Cohort, Handwriting, Target } from './plan.ts'
import type { Random } from './random.ts'
import { nextStep, realPage, type Step } from './real-page.ts'
import { ResponseReader } from './response-reader.ts'

const MOST_CONNECTIONS = 6
const MOST_REDIRECTS = 5
/** Shown the same page again within this time, a payment was of no use, and counts as a failed try. */
const USELESS_MS = 20_000

export const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Mobile Safari/537.36',
]
const LANGUAGES = ['fr-FR,fr;q=0.9,en;q=0.8', 'en-GB,en;q=0.9', 'de-DE,de;q=0.9,en;q=0.7']

/** One thing a visitor wants: a page, or a page with its assets. */
export class Ask {
  readonly browser: Browser
  readonly arrivedMs: number
  /** The page that is wanted, and what is asked for on the way to it. */
  readonly path: string
  target: string
  redirects = 0
  sentMs = 0
  /** Payments that failed, or were of no use. After three, what is left is the waiting room. */
  tries = 0
  paidMs = Number.NEGATIVE_INFINITY
  isOver = false
  connection: Connection | undefined

  constructor(browser: Browser, path: string, arrivedMs: number) {
    this.browser = browser
    this.path = path
    this.target = path
    this.arrivedMs = arrivedMs
  }

  get deadlineMs(): number {
    return this.arrivedMs + this.browser.options.deadlineMs
  }

  text(): string {
    this.sentMs = performance.now()
    return this.browser.navigation(this.target)
  }

  answered(status: number, head: string, body: string): void {
    this.browser.answered(this, status, head, body)
  }

  lost(why: string): void {
    this.over(why === 'ECONNREFUSED' ? 'unreachable' : 'connection-lost', 0)
  }

  over(fate: string, costMs: number): void {
    if (this.isOver) return
    this.isOver = true
    this.browser.options.over(this, fate, costMs)
    this.browser.finished(this)
  }
}

/** A request of a page's script. */
class ScriptRequest {
  readonly #browser: Browser
  readonly #target: string
  readonly #done: (fetched: Fetched | undefined) => void
  isOver = false
  connection: Connection | undefined

  constructor(browser: Browser, target: string, done: (fetched: Fetched | undefined) => void) {
    this.#browser = browser
    this.#target = target
    this.#done = done
  }

  text(): string {
    return this.#browser.fetching(this.#target)
  }

  answered(status: number, head: string, body: string): void {
    this.isOver = true
    this.#done({ status, head, body: bodyText(head, body) })
  }

  lost(): void {
    this.isOver = true
    this.#done(undefined)
  }
}

type Exchange = Ask | ScriptRequest

export interface BrowserOptions {
  readonly target: Target
  readonly cohort: Cohort
  readonly address: string
  /** A cookie of earlier days. */
  readonly cookie?: string | undefined
  readonly index: number
  readonly deadlineMs: number
  /** For the luck of solving. */
  readonly random: Random
  readonly over: (ask: Ask, fate: string, costMs: number) => void
  readonly paid: (end: PaymentEnd) => void
}

export class Browser {
  readonly options: BrowserOptions
  readonly #cookies = new Map<string, string>()
  readonly #common: string
  readonly #writing: Handwriting | undefined
  /** The page before. */
  #from: string
  readonly #idle: Connection[] = []
  readonly #connections = new Set<Connection>()
  readonly #line: Exchange[] = []
  readonly #h2: H2Client | undefined
  #open = 0
  #isRetired = false
  #payment: Promise<PaymentEnd> | undefined
  #paidMs = Number.NEGATIVE_INFINITY
  /** TLS session of the last connection. */
  ticket: Buffer | undefined

  /** The ClientHello of his program. */
  get hello(): string | undefined {
    return this.#writing?.hello
  }

  constructor(options: BrowserOptions) {
    this.options = options
    const { target, address, index, cohort } = options
    const agent = AGENTS[index % AGENTS.length]!
    const language = LANGUAGES[index % LANGUAGES.length]!
    const { handwritings } = cohort
    this.#writing = handwritings?.[index % handwritings.length]
    this.#from = cohort.link?.referrer ?? ''
    if (options.cookie) this.keepCookies([options.cookie])
    this.#common =
      `Host: ${target.host}\r\nConnection: keep-alive\r\nUser-Agent: ${agent}\r\n` +
      `Accept-Encoding: gzip, deflate\r\nAccept-Language: ${language}\r\n${forwarded(address, target.forwardedFor)}`
    if (cohort.protocol === 'h2' && this.#writing?.h2 === undefined && this.#writing !== undefined) return
    if (cohort.protocol === 'h2') {
      this.#h2 = new H2Client({
        target,
        address,
        writing: this.#writing,
        referrer: () => this.#from,
        fields: {
          'user-agent': agent,
          'accept-language': language,
          'accept-encoding': 'gzip, deflate',
          ...(target.forwardedFor ? { 'x-forwarded-for': address } : {}),
        },
        cookies: () => this.#cookieField(),
        setCookies: (lines) => this.keepCookies(lines),
        pay: this.#hasScripts ? (offer) => this.#pay(offer) : undefined,
      })
    }
  }

  get #hasScripts(): boolean {
    return MS_PER_PART[this.options.cohort.device ?? 'desktop'] !== undefined
  }

  ask(path: string, arrivedMs: number): Ask {
    const ask = new Ask(this, path, arrivedMs)
    this.#open++
    if (this.#h2) {
      void this.#h2.visit(path, this.options.cohort.assets, ask.deadlineMs).then((end) => {
        if (end.fate === 'served') this.#leaves(path)
        ask.over(end.fate, end.costMs)
      })
    } else this.send(ask)
    return ask
  }

  send(exchange: Exchange): void {
    const keeps = this.options.cohort.connection === 'keep'
    const idle = keeps ? this.#idle.pop() : undefined
    if (idle) idle.send(exchange)
    else if (!keeps || this.#connections.size < MOST_CONNECTIONS) this.#connect().send(exchange)
    // What unblocks the others goes first.
    else if (exchange instanceof ScriptRequest) this.#line.unshift(exchange)
    else this.#line.push(exchange)
  }

  navigation(target: string): string {
    if (this.#writing) return this.#written(target, this.#writing.navigation)
    return (
      `GET ${target} HTTP/1.1\r\n${this.#common}` +
      'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n' +
      `Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: none\r\n${this.#cookieLine()}\r\n`
    )
  }

  fetching(target: string): string {
    if (this.#writing) return this.#written(target, this.#writing.script)
    return (
      `GET ${target} HTTP/1.1\r\n${this.#common}Accept: */*\r\n` +
      `Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n${this.#cookieLine()}\r\n`
    )
  }

  #written(target: string, fields: readonly string[]): string {
    const { target: server, address } = this.options
    const moment = { host: server.host, cookie: this.#cookieField(), referrer: this.#from }
    let text = `GET ${target} HTTP/1.1\r\n`
    for (const [name, value] of fieldsNow(fields, moment)) text += `${name}: ${value}\r\n`
    return `${text}${forwarded(address, server.forwardedFor)}\r\n`
  }

  /** Where he was last, as the next page is told. */
  #leaves(path: string): void {
    if (!this.#writing) return
    const { target, cohort } = this.options
    this.#from = `${cohort.protocol === 'http' ? 'http' : 'https'}://${target.host}${path}`
  }

  #cookieLine(): string {
    const cookies = this.#cookieField()
    return cookies ? `Cookie: ${cookies}\r\n` : ''
  }

  #cookieField(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  keepCookies(lines: readonly string[]): void {
    for (const line of lines) {
      const pair = /^\s*([^=;\s]+)=([^;]*)/.exec(line)
      if (!pair) continue
      if (/max-age=0(;|$)/i.test(line)) this.#cookies.delete(pair[1]!)
      else this.#cookies.set(pair[1]!, pair[2]!.trim())
    }
  }

  answered(ask: Ask, status: number, head: string, body: string): void {
    if (ask.isOver) return
    const page = bodyText(head, body)
    const cost = realPage(status, page, ask.path)
    if (cost !== undefined) {
      this.#leaves(ask.path)
      ask.over('served', cost)
      return
    }
    const offer = this.#hasScripts ? readOffer(page) : undefined
    const onward = nextStep(status, head, page, ask.target)
    if (offer && this.#payFor(ask, offer, onward)) return
    if (!onward || (onward.isRedirect && ++ask.redirects > MOST_REDIRECTS)) {
      ask.over(status === 200 ? 'other-page' : `status-${status}`, 0)
      return
    }
    this.#follow(ask, onward)
  }

  #follow(ask: Ask, onward: Step): void {
    ask.target = onward.path
    if (onward.afterMs === 0) this.send(ask)
    else setTimeout(() => ask.isOver || this.send(ask), onward.afterMs)
  }

  /** False when the page is left to its refresh, as it is after three tries. */
  #payFor(ask: Ask, offer: Offer, onward: Step | undefined): boolean {
    const again = () => {
      if (ask.isOver) return
      ask.target = ask.path
      this.send(ask)
    }
    // Asked before the last payment was through: the clearance that came with it does the rest.
    if (ask.sentMs < this.#paidMs) {
      again()
      return true
    }
    if (performance.now() - ask.paidMs < USELESS_MS) ask.tries++
    if (ask.tries >= MOST_TRIES) return false
    void this.#pay(offer).then((end) => {
      if (ask.isOver) return
      if (end === 'paid') {
        ask.paidMs = performance.now()
        again()
        return
      }
      ask.tries = MOST_TRIES
      if (onward) this.#follow(ask, onward)
      else ask.over(end, 0)
    })
    return true
  }

  #pay(offer: Offer): Promise<PaymentEnd> {
    this.#payment ??= pay(offer, {
      random: this.options.random,
      msPerPart: MS_PER_PART[this.options.cohort.device ?? 'desktop']!,
      fetch: (target) => this.#fetch(target),
      isIdle: () => this.#open === 0,
    }).then((end) => {
      this.#payment = undefined
      if (end === 'paid') this.#paidMs = performance.now()
      this.options.paid(end)
      return end
    })
    return this.#payment
  }

  #fetch(target: string): Promise<Fetched | undefined> {
    if (this.#h2) return this.#h2.fetch(target)
    return new Promise((resolve) => this.send(new ScriptRequest(this, target, resolve)))
  }

  free(connection: Connection): void {
    const next = this.#nextInLine()
    if (next) connection.send(next)
    else this.#idle.push(connection)
  }

  gone(connection: Connection): void {
    if (!this.#connections.delete(connection)) return
    const at = this.#idle.indexOf(connection)
    if (at !== -1) this.#idle.splice(at, 1)
    const next = this.#nextInLine()
    if (next) this.#connect().send(next)
  }

  #nextInLine(): Exchange | undefined {
    let next = this.#line.shift()
    while (next?.isOver) next = this.#line.shift()
    return next
  }

  finished(ask: Ask): void {
    this.#open--
    ask.connection?.close()
    if (this.#isRetired && this.#open === 0) this.leave()
  }

  /** Asks for nothing more: goes once what was asked for is decided. */
  retire(): void {
    this.#isRetired = true
    if (this.#open === 0) this.leave()
  }

  leave(): void {
    this.#line.length = 0
    for (const connection of this.#connections) connection.close()
    this.#h2?.close()
  }

  #connect(): Connection {
    const connection = new Connection(this)
    this.#connections.add(connection)
    return connection
  }
}

class Connection {
  readonly #browser: Browser
  readonly #socket: Duplex
  readonly #reader: ResponseReader
  #exchange: Exchange | undefined
  #wasUsed = false
  #heard = false
  #isClosed = false

  constructor(browser: Browser) {
    this.#browser = browser
    const { target, address, cohort } = browser.options
    const from = source(address, target.forwardedFor)
    const { hello } = browser
    if (cohort.protocol !== 'http' && hello !== undefined) {
      this.#socket = new LeanTlsSocket({ target, address, hello })
    } else if (cohort.protocol !== 'http') {
      const resumed = cohort.connection === 'fresh' || !browser.ticket ? {} : { session: browser.ticket }
      const socket: TLSSocket = connectTls({
        host: target.address,
        port: target.tlsPort,
        servername: target.host,
        rejectUnauthorized: false,
        ALPNProtocols: ['http/1.1'],
        ...from,
        ...resumed,
      })
      socket.on('session', (session: Buffer) => {
        browser.ticket = session
      })
      socket.setNoDelay(true)
      this.#socket = socket
    } else {
      this.#socket = connect({ host: target.address, port: target.port, noDelay: true, ...from })
    }
    this.#reader = new ResponseReader(
      { response: (status, head, body) => this.#response(status, head, body) },
      true,
    )
    this.#socket.on('data', (data: Buffer) => {
      this.#heard = true
      this.#reader.feed(data, data.length)
    })
    this.#socket.on('end', () => this.#reader.end())
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#lost(error.code ?? 'error'))
    this.#socket.on('close', () => this.#lost('closed'))
  }

  send(exchange: Exchange): void {
    this.#exchange = exchange
    exchange.connection = this
    this.#heard = false
    this.#socket.write(exchange.text(), 'latin1')
  }

  close(): void {
    this.#lost('abandoned')
  }

  #response(status: number, head: string, body: string): void {
    const exchange = this.#exchange
    if (!exchange) {
      this.close()
      return
    }
    this.#exchange = undefined
    exchange.connection = undefined
    this.#wasUsed = true
    if (head.toLowerCase().includes('\r\nset-cookie:')) {
      this.#browser.keepCookies([...head.matchAll(/\r\nset-cookie: *([^\r]*)/gi)].map((m) => m[1]!))
    }
    const stays = !this.#reader.closing && this.#browser.options.cohort.connection === 'keep'
    if (stays) this.#browser.free(this)
    // TLS 1.3 tickets come after the handshake; by the time of an answer they are here.
    else this.close()
    exchange.answered(status, head, body)
  }

  #lost(why: string): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#socket.destroy()
    this.#browser.gone(this)
    const exchange = this.#exchange
    this.#exchange = undefined
    if (!exchange || exchange.isOver) return
    exchange.connection = undefined
    // A kept connection may be closed at any time: browsers ask again on a new one.
    if (this.#wasUsed && !this.#heard) this.#browser.send(exchange)
    else exchange.lost(why)
  }
}

export function source(address: string, forwardedFor: boolean): { localAddress?: string } {
  return forwardedFor ? {} : { localAddress: address }
}

export function forwarded(address: string, forwardedFor: boolean): string {
  return forwardedFor ? `X-Forwarded-For: ${address}\r\n` : ''
}
