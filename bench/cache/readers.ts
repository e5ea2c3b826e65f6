/**
 * Readers of public pages: a steady rate, every page once and then by Zipf, each request from the next of many addresses on its
 * kept connection, or on a new one while that is busy. Arrivals never wait for answers. The first answer
 * counts: a reader who is shown anything but the page has seen an error.
 */
import { connect, type Socket } from 'node:net'
import { loopback } from '../load/loopback-only.ts'
import { zipf } from '../load/networks.ts'
import { bodyText } from '../load/offer.ts'
import { exponential, type Random, seeded } from '../load/random.ts'
import { realPage } from '../load/real-page.ts'
import { ResponseReader } from '../load/response-reader.ts'

export interface ReadersPlan {
  readonly role: 'readers'
  readonly port: number
  readonly host: string
  readonly sources: readonly string[]
  readonly startAtMs: number
  readonly seconds: number
  readonly perSecond: number
  readonly pages: number
  /** An answer that has not come by then never does. */
  readonly patienceMs: number
  readonly seed: number
}

export interface Reading {
  readonly page: number
  /** Wall clock, when it was asked for and when its fate was known. */
  readonly askedAtMs: number
  readonly overAtMs: number
  /** `served`, `status-502`, `other-page`, `timeout`, `lost` or the code of a socket's error. */
  readonly fate: string
}

export interface ReadersResult {
  readonly role: 'readers'
  readonly readings: readonly Reading[]
}

export const pagePath = (page: number) => (page === 0 ? '/' : `/article/${page}`)

export class Readers {
  readonly #plan: ReadersPlan
  readonly #random: Random
  readonly #shares: readonly number[]
  readonly #idle: ReaderConnection[][]
  readonly #open = new Set<ReaderConnection>()
  readonly #readings: Reading[] = []
  #asked = 0

  constructor(plan: ReadersPlan) {
    for (const address of plan.sources) loopback(address)
    this.#plan = plan
    this.#random = seeded(plan.seed)
    this.#shares = zipf(plan.pages)
    this.#idle = plan.sources.map(() => [])
  }

  run(): Promise<ReadersResult> {
    const { startAtMs, seconds, perSecond, patienceMs } = this.#plan
    const endAtMs = startAtMs + 1000 * seconds
    let nextAtMs = startAtMs
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        const now = Date.now()
        while (nextAtMs <= now && nextAtMs < endAtMs) {
          this.#ask()
          nextAtMs += exponential(this.#random, perSecond / 1000)
        }
        for (const connection of this.#open)
          if (connection.askedAtMs < now - patienceMs) connection.end('timeout')
        if (now < endAtMs || [...this.#open].some((connection) => connection.isBusy)) return
        clearInterval(timer)
        for (const connection of this.#open) connection.end('')
        resolve({ role: 'readers', readings: this.#readings })
      }, 2)
    })
  }

  #ask(): void {
    const page = this.#asked < this.#plan.pages ? this.#asked : this.#pageByZipf()
    const source = this.#asked++ % this.#plan.sources.length
    const connection = this.#idle[source]!.pop() ?? this.#connect(source)
    connection.ask(page, Date.now())
  }

  #pageByZipf(): number {
    const at = this.#random()
    return Math.max(
      0,
      this.#shares.findIndex((share) => at < share),
    )
  }

  #connect(source: number): ReaderConnection {
    const idle = this.#idle[source]!
    const connection = new ReaderConnection(this.#plan, this.#plan.sources[source]!, {
      over: (reading) => this.#readings.push(reading),
      rest: () => idle.push(connection),
      gone: () => {
        this.#open.delete(connection)
        const at = idle.indexOf(connection)
        if (at !== -1) idle.splice(at, 1)
      },
      again: (page, askedAtMs) => this.#connect(source).ask(page, askedAtMs),
    })
    this.#open.add(connection)
    return connection
  }
}

interface ConnectionEvents {
  over(reading: Reading): void
  rest(): void
  gone(): void
  again(page: number, askedAtMs: number): void
}

class ReaderConnection {
  readonly #host: string
  readonly #events: ConnectionEvents
  readonly #socket: Socket
  #page = -1
  /** Answered at least once, and something of the present answer. */
  #wasUsed = false
  #heard = false
  #isClosed = false
  /** Infinite while nothing is outstanding. */
  askedAtMs = Number.POSITIVE_INFINITY

  constructor(plan: ReadersPlan, localAddress: string, events: ConnectionEvents) {
    this.#host = plan.host
    this.#events = events
    this.#socket = connect({ host: loopback('127.0.0.1'), port: plan.port, localAddress, noDelay: true })
    const reader = new ResponseReader(
      { response: (status, head, body) => this.#answered(status, bodyText(head, body), reader.closing) },
      true,
    )
    this.#socket.on('data', (data: Buffer) => {
      this.#heard = true
      reader.feed(data, data.length)
    })
    this.#socket.on('end', () => reader.end())
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.end(error.code ?? 'error'))
    this.#socket.on('close', () => this.end('lost'))
  }

  get isBusy(): boolean {
    return this.#page >= 0
  }

  ask(page: number, askedAtMs: number): void {
    this.#page = page
    this.#heard = false
    this.askedAtMs = askedAtMs
    this.#send()
  }

  end(fate: string): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#socket.destroy()
    this.#events.gone()
    if (!this.isBusy) return
    // A kept connection may be closed at any time: browsers ask again on a new one.
    if (fate !== 'timeout' && this.#wasUsed && !this.#heard) this.#events.again(this.#page, this.askedAtMs)
    else this.#over(fate)
  }

  #send(): void {
    this.#socket.write(
      `GET ${pagePath(this.#page)} HTTP/1.1\r\nHost: ${this.#host}\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\nAccept: text/html,application/xhtml+xml,*/*;q=0.8\r\nAccept-Language: fr-FR,fr;q=0.9\r\nAccept-Encoding: gzip\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\n\r\n`,
      'latin1',
    )
  }

  #answered(status: number, body: string, isClosing: boolean): void {
    if (!this.isBusy) return
    this.#wasUsed = true
    const isReal = realPage(status, body, pagePath(this.#page)) !== undefined
    this.#over(isReal ? 'served' : status === 200 ? 'other-page' : `status-${status}`)
    if (isClosing) this.end('')
    else this.#events.rest()
  }

  #over(fate: string): void {
    this.#events.over({ page: this.#page, askedAtMs: this.askedAtMs, overAtMs: Date.now(), fate })
    this.#page = -1
    this.askedAtMs = Number.POSITIVE_INFINITY
  }
}
