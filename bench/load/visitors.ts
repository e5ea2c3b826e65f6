/**
 * Visitors as a browser is one, from the server's point of view: each has an address, keeps cookies
 * and connections, retries a request whose kept connection was closed under it, follows redirects
 * and a page's own refresh, and gives up after ten seconds. Arrivals are open-loop: they come when
 * they come, and latency counts from the arrival, also when the visitor's six connections are busy.
 */
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { quantile } from '../lib/stats.ts'
import { Accounting, type Rows } from './accounting.ts'
import { H2Client } from './h2-client.ts'
import { loopback } from './loopback-only.ts'
import { networkOf } from './networks.ts'
import type { Cohort, VisitorPlan } from './plan.ts'
import { below, exponential, type Random, seeded } from './random.ts'
import { nextStep, realPage } from './real-page.ts'
import { ResponseReader } from './response-reader.ts'

const MOST_CONNECTIONS = 6
const MOST_HOPS = 5

const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Mobile Safari/537.36',
]
const LANGUAGES = ['fr-FR,fr;q=0.9,en;q=0.8', 'en-GB,en;q=0.9', 'de-DE,de;q=0.9,en;q=0.7']

/** One thing a visitor wants: a page, or a page with its assets. */
interface Ask {
  readonly visitor: Visitor
  readonly arrivedMs: number
  path: string
  hops: number
  over: boolean
  connection: H1Connection | undefined
}

export interface VisitorProgress {
  readonly arrived: number
  /** Requests whose fate was decided: served, or not. */
  readonly decided: number
  readonly served: number
  /** Of those served; NaN when none was. */
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface VisitorResult {
  readonly role: 'visitors'
  readonly rows: Rows
  readonly streams: {
    readonly wanted: number
    readonly open: number
    readonly events: number
    readonly eventsWanted: number
  }
  readonly downloads: {
    readonly wanted: number
    readonly whole: number
    readonly broken: number
    readonly bytes: number
  }
}

export class VisitorLoad {
  readonly plan: VisitorPlan
  readonly accounting = new Accounting()
  readonly t0: number
  readonly #cohorts: { cohort: Cohort; random: Random; perMs: number; visitors: Visitor[]; nextMs: number }[]
  /** Every ask in order of arrival, so that the oldest is always first to expire. */
  #asks: Ask[] = []
  #head = 0
  #arrived = 0
  #decided = 0
  #latencies: number[] = []
  #stopped = false
  #streams: { open: boolean; events: number }[] = []
  #downloads = { whole: 0, broken: 0, bytes: 0 }

  constructor(plan: VisitorPlan) {
    loopback(plan.target.address)
    this.plan = plan
    this.t0 = plan.startAtMs - Date.now() + performance.now()
    this.#cohorts = plan.cohorts.map((cohort, index) => {
      // Each its own: one stream for all would make the arrivals depend on how ticks fall.
      const random = seeded(plan.seed * 1000 + index)
      const perMs = (cohort.perSecond * cohort.addresses.length) / 1000
      return {
        cohort,
        random,
        perMs,
        visitors: cohort.addresses.map((address, i) => new Visitor(this, cohort, loopback(address), i)),
        nextMs: this.t0 + cohort.fromS * 1000 + exponential(random, perMs),
      }
    })
  }

  /** What happened since the last look: for live displays. */
  progress(): VisitorProgress {
    const seen = {
      arrived: this.#arrived,
      decided: this.#decided,
      served: this.#latencies.length,
      p50Ms: quantile(this.#latencies, 0.5),
      p99Ms: quantile(this.#latencies, 0.99),
    }
    this.#arrived = 0
    this.#decided = 0
    this.#latencies = []
    return seen
  }

  run(): Promise<VisitorResult> {
    for (const address of this.plan.streams) this.#hold(loopback(address), '/events')
    for (const address of this.plan.downloads) this.#hold(loopback(address), '/download')
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        const now = performance.now()
        this.#arrive(now)
        this.#expire(now)
        const done = now > this.t0 + this.plan.seconds * 1000 && this.#head === this.#asks.length
        if (!done) return
        clearInterval(timer)
        resolve(this.#finish())
      }, 2)
    })
  }

  over(ask: Ask, fate: string, costMs: number): void {
    if (ask.over) return
    ask.over = true
    const latencyMs = performance.now() - ask.arrivedMs
    this.#decided++
    if (fate === 'served') this.#latencies.push(latencyMs)
    this.accounting.add({
      cohort: ask.visitor.cohort.name,
      network: networkOf(ask.visitor.address),
      atS: (ask.arrivedMs - this.t0) / 1000,
      latencyMs,
      costMs,
      fate,
    })
  }

  #arrive(now: number): void {
    for (const group of this.#cohorts) {
      const until = this.t0 + group.cohort.untilS * 1000
      while (group.nextMs <= now && group.nextMs < until) {
        // Poisson per visitor is one Poisson process whose events pick a visitor evenly.
        const visitor = group.visitors[below(group.random, group.visitors.length)]!
        const dear = group.random() < group.cohort.searchShare
        const n = below(group.random, 50)
        const path = dear ? `/search?q=word${n}` : n === 0 ? '/' : `/article/${n}`
        const ask: Ask = {
          visitor,
          arrivedMs: group.nextMs,
          path,
          hops: 0,
          over: false,
          connection: undefined,
        }
        this.#asks.push(ask)
        this.#arrived++
        visitor.ask(ask)
        group.nextMs += exponential(group.random, group.perMs)
      }
    }
  }

  #expire(now: number): void {
    const oldest = now - this.plan.deadlineMs
    while (this.#head < this.#asks.length) {
      const ask = this.#asks[this.#head]!
      if (!ask.over) {
        if (ask.arrivedMs > oldest) break
        this.over(ask, 'timeout', 0)
        ask.connection?.close()
      }
      this.#head++
    }
    if (this.#head > 4096) {
      this.#asks = this.#asks.slice(this.#head)
      this.#head = 0
    }
  }

  /** A long-lived exchange; a broken download begins again, a broken stream stays broken. */
  #hold(address: string, path: string): void {
    const { target } = this.plan
    const state = { open: false, events: 0 }
    if (path === '/events') this.#streams.push(state)
    const socket = connect({
      host: target.address,
      port: target.port,
      ...source(address, target.forwardedFor),
    })
    let bytes = 0
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${target.host}\r\nUser-Agent: ${AGENTS[0]}\r\nAccept: */*\r\n${forwarded(address, target.forwardedFor)}\r\n`,
    )
    socket.on('data', (data) => {
      bytes += data.length
      if (path === '/events') {
        state.open = true
        state.events += data.toString('latin1').split('data: ').length - 1
      } else {
        this.#downloads.bytes += data.length
        if (bytes > 64 * 64_000) {
          this.#downloads.whole++
          socket.destroy()
          if (!this.#stopped) this.#hold(address, path)
        }
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      state.open = false
      if (path === '/download' && !this.#stopped && bytes <= 64 * 64_000) {
        this.#downloads.broken++
        if (this.#downloads.broken < 1000) setTimeout(() => this.#stopped || this.#hold(address, path), 1000)
      }
    })
    this.#held.push(socket)
  }
  readonly #held: Socket[] = []

  #finish(): VisitorResult {
    const open = this.#streams.filter((s) => s.open).length
    this.#stopped = true
    for (const group of this.#cohorts) for (const visitor of group.visitors) visitor.leave()
    for (const socket of this.#held) socket.destroy()
    return {
      role: 'visitors',
      rows: this.accounting.rows(),
      streams: {
        wanted: this.plan.streams.length,
        open,
        events: this.#streams.reduce((sum, s) => sum + s.events, 0),
        eventsWanted: this.plan.streams.length * this.plan.seconds,
      },
      downloads: { wanted: this.plan.downloads.length, ...this.#downloads },
    }
  }
}

function source(address: string, forwardedFor: boolean): { localAddress?: string } {
  return forwardedFor ? {} : { localAddress: address }
}

function forwarded(address: string, forwardedFor: boolean): string {
  return forwardedFor ? `X-Forwarded-For: ${address}\r\n` : ''
}

class Visitor {
  readonly load: VisitorLoad
  readonly cohort: Cohort
  readonly address: string
  readonly #fields: string
  readonly agent: string
  readonly language: string
  readonly #cookies = new Map<string, string>()
  readonly #idle: H1Connection[] = []
  readonly #connections = new Set<H1Connection>()
  readonly #line: Ask[] = []
  readonly #h2: H2Client | undefined
  /** TLS session of the last connection. */
  ticket: Buffer | undefined

  constructor(load: VisitorLoad, cohort: Cohort, address: string, index: number) {
    this.load = load
    this.cohort = cohort
    this.address = address
    this.agent = AGENTS[index % AGENTS.length]!
    this.language = LANGUAGES[index % LANGUAGES.length]!
    this.#fields =
      `Host: ${load.plan.target.host}\r\nConnection: keep-alive\r\nUser-Agent: ${this.agent}\r\n` +
      'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Encoding: gzip, deflate\r\n' +
      `Accept-Language: ${this.language}\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: none\r\n` +
      forwarded(address, load.plan.target.forwardedFor)
    if (cohort.protocol === 'h2') {
      this.#h2 = new H2Client({
        target: load.plan.target,
        address,
        fields: {
          'user-agent': this.agent,
          'accept-language': this.language,
          ...(load.plan.target.forwardedFor ? { 'x-forwarded-for': address } : {}),
        },
        cookies: () => this.cookieField(),
        setCookies: (lines) => this.keepCookies(lines),
      })
    }
  }

  ask(ask: Ask): void {
    if (this.#h2) {
      void this.#h2
        .visit(ask.path, this.cohort.assets, ask.arrivedMs + this.load.plan.deadlineMs)
        .then((end) => {
          this.load.over(ask, end.fate, end.costMs)
        })
      return
    }
    const idle = this.cohort.connection === 'keep' ? this.#idle.pop() : undefined
    if (idle) idle.send(ask)
    else if (this.cohort.connection !== 'keep' || this.#connections.size < MOST_CONNECTIONS)
      this.#open().send(ask)
    else this.#line.push(ask)
  }

  head(path: string): string {
    const cookies = this.cookieField()
    return `GET ${path} HTTP/1.1\r\n${this.#fields}${cookies ? `Cookie: ${cookies}\r\n` : ''}\r\n`
  }

  cookieField(): string {
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
    if (head.toLowerCase().includes('\r\nset-cookie:')) {
      this.keepCookies([...head.matchAll(/\r\nset-cookie: *([^\r]*)/gi)].map((m) => m[1]!))
    }
    if (ask.over) return
    const cost = realPage(status, body, ask.path)
    if (cost !== undefined) {
      this.load.over(ask, 'served', cost)
      return
    }
    const onward = nextStep(status, head, body, ask.path)
    if (!onward || ++ask.hops > MOST_HOPS) {
      this.load.over(ask, status === 200 ? 'other-page' : `status-${status}`, 0)
      return
    }
    ask.path = onward.path
    if (onward.afterMs === 0) this.ask(ask)
    else setTimeout(() => ask.over || this.ask(ask), onward.afterMs)
  }

  free(connection: H1Connection): void {
    let next = this.#line.shift()
    while (next?.over) next = this.#line.shift()
    if (next) connection.send(next)
    else this.#idle.push(connection)
  }

  gone(connection: H1Connection): void {
    if (!this.#connections.delete(connection)) return
    const at = this.#idle.indexOf(connection)
    if (at !== -1) this.#idle.splice(at, 1)
    let next = this.#line.shift()
    while (next?.over) next = this.#line.shift()
    if (next) this.#open().send(next)
  }

  leave(): void {
    this.#line.length = 0
    for (const connection of this.#connections) connection.close()
    this.#h2?.close()
  }

  #open(): H1Connection {
    const connection = new H1Connection(this)
    this.#connections.add(connection)
    return connection
  }
}

class H1Connection {
  readonly #visitor: Visitor
  readonly #socket: Socket
  readonly #reader: ResponseReader
  #ask: Ask | undefined
  #used = false
  #heard = false
  #closed = false

  constructor(visitor: Visitor) {
    this.#visitor = visitor
    const { target } = visitor.load.plan
    const from = source(visitor.address, target.forwardedFor)
    if (visitor.cohort.protocol === 'https') {
      const resumed =
        visitor.cohort.connection === 'fresh' || !visitor.ticket ? {} : { session: visitor.ticket }
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
        visitor.ticket = session
      })
      this.#socket = socket
    } else {
      this.#socket = connect({ host: target.address, port: target.port, ...from })
    }
    this.#socket.setNoDelay(true)
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

  send(ask: Ask): void {
    this.#ask = ask
    ask.connection = this
    this.#heard = false
    this.#socket.write(this.#visitor.head(ask.path), 'latin1')
  }

  close(): void {
    this.#lost('abandoned')
  }

  #response(status: number, head: string, body: string): void {
    const ask = this.#ask
    if (!ask) {
      this.close()
      return
    }
    this.#ask = undefined
    ask.connection = undefined
    this.#used = true
    const stays = !this.#reader.closing && this.#visitor.cohort.connection === 'keep'
    if (stays) this.#visitor.free(this)
    // TLS 1.3 tickets come after the handshake; by the time of an answer they are here.
    else this.close()
    this.#visitor.answered(ask, status, head, body)
  }

  #lost(why: string): void {
    if (this.#closed) return
    this.#closed = true
    this.#socket.destroy()
    this.#visitor.gone(this)
    const ask = this.#ask
    this.#ask = undefined
    if (!ask || ask.over) return
    ask.connection = undefined
    // A kept connection may be closed at any time: browsers ask again on a new one.
    if (this.#used && !this.#heard) {
      this.#visitor.ask(ask)
      return
    }
    this.#visitor.load.over(ask, why === 'ECONNREFUSED' ? 'unreachable' : 'connection-lost', 0)
  }
}
