/**
 * Attackers: thousands of addresses, each at its own steady rate, that do not wait for answers.
 *
 * A request goes out when it is due: on a connection of that address that has nothing outstanding;
 * else on a new one, as long as the address has fewer than its share of `maxConnections`; else
 * behind an unanswered one (pipelined). So a server that stalls, or that keeps people in line, holds
 * the attackers' connections full and never meets a slower or a more impatient flood: attackers who
 * gave up after two seconds made a plain first-come queue with five seconds of room look like a
 * defence that serves everybody. What stays unanswered for `patienceMs` is closed.
 *
 * What they send, and what they do with an answer, is their behaviour (`behaviours.ts`); by default they
 * ask for pages and read no more than the status.
 *
 * Lean on purpose: one read buffer for all sockets, no timer per request, prebuilt heads. One core
 * sends well over 6,000 requests per second (see README).
 */
import { connect, type Socket } from 'node:net'
import { type Behaviour, behaviourOf, type Message } from './behaviours.ts'
import { LeanTls } from './lean-tls.ts'
import { loopback } from './loopback-only.ts'
import type { AttackPlan, AttackResult, FloodTool } from './plan.ts'
import { below, pick, type Random, seeded, shuffle } from './random.ts'
import { ResponseReader } from './response-reader.ts'

const SHARED = Buffer.allocUnsafe(65_536)
const WORDS = 'abcdefghijklmnopqrstuvwxyz0123456789'

type HeadKind = 'any' | 'navigation' | 'fetch'

const word = (random: Random, n: number) =>
  Array.from({ length: n }, () => WORDS[below(random, WORDS.length)]).join('')

/**
 * Heads with random browsers, languages and odd fields, as flood tools send them. Those that want to
 * pass for a browser's navigation or script say so in every field.
 */
function randomHeads(random: Random, host: string, kind: HeadKind, count: number): string[] {
  return Array.from({ length: count }, () => {
    const agent = `User-Agent: Mozilla/5.0 (${pick(random, ['Windows NT 10.0; Win64; x64', 'X11; Linux x86_64', 'Macintosh; Intel Mac OS X 10_15_7'])}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${90 + below(random, 50)}.0.${below(random, 9999)}.${below(random, 200)} Safari/537.36`
    const language = `Accept-Language: ${pick(random, ['en-US', 'fr-FR', 'de', 'ru', 'pt-BR', 'zh-CN'])};q=0.${1 + below(random, 9)}`
    const fields =
      kind === 'any'
        ? shuffle(random, [
            agent,
            `Accept: ${pick(random, ['*/*', 'text/html,application/xhtml+xml', 'text/html,*/*;q=0.8'])}`,
            language,
            `Referer: https://${word(random, 8)}.example.org/${word(random, 5)}`,
            `X-${word(random, 6)}: ${word(random, 12)}`,
            `Cookie: ${word(random, 5)}=${word(random, 16)}`,
            'Cache-Control: no-cache',
          ]).slice(0, 3 + below(random, 5))
        : kind === 'navigation'
          ? [agent, language, ...NAVIGATION_FIELDS]
          : [agent, language, ...SCRIPT_FIELDS]
    return ` HTTP/1.1\r\nHost: ${host}\r\n${fields.join('\r\n')}\r\n`
  })
}

const NAVIGATION_FIELDS = [
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'Sec-Fetch-Dest: document',
  'Sec-Fetch-Mode: navigate',
  'Sec-Fetch-Site: none',
]
const SCRIPT_FIELDS = [
  'Accept: */*',
  'Sec-Fetch-Dest: empty',
  'Sec-Fetch-Mode: cors',
  'Sec-Fetch-Site: same-origin',
]

const HEADS = 512

/** Requests one connection may have unanswered before it is given up. */
const PIPELINE = 16

interface Outstanding {
  readonly link: Link
  /** The how-manieth request of its connection. */
  readonly serial: number
  readonly sentMs: number
}

export interface AttackProgress {
  readonly sent: number
  /** Pages that attackers got, and requests of theirs that were answered otherwise or not in time. */
  readonly pages: number
  readonly shed: number
}

export class AttackLoad {
  readonly plan: AttackPlan
  readonly #random: Random
  readonly #heads: Readonly<Record<HeadKind, string[]>>
  readonly behaviour: Behaviour | undefined
  readonly #order: number[]
  /** Open connections by source, and those of them with nothing outstanding. */
  readonly #links: Link[][]
  readonly #idle: Link[][]
  readonly #perSource: number
  #next = 0
  #stopAtMs: number
  readonly #t0: number
  #outstanding: Outstanding[] = []
  #head = 0
  connections = 0
  #mostConnections = 0
  #wanted = 0
  #sent = 0
  #seen = { sent: 0, got: 0, shed: 0 }
  readonly #answers = new Map<string, number>()
  readonly #errors = new Map<string, number>()
  #firstSentAtMs = 0
  #bytes = 0
  #bytesOfRefusals = 0
  #cpu: NodeJS.CpuUsage = { user: 0, system: 0 }

  constructor(plan: AttackPlan) {
    loopback(plan.target.address)
    for (const address of plan.sources) loopback(address)
    this.plan = plan
    this.#random = seeded(plan.seed)
    const heads = (kind: HeadKind) => randomHeads(this.#random, plan.target.host, kind, HEADS)
    this.#heads = plan.behaviour
      ? { any: [], navigation: heads('navigation'), fetch: heads('fetch') }
      : { any: heads('any'), navigation: [], fetch: [] }
    this.behaviour =
      plan.behaviour &&
      behaviourOf(plan.behaviour, {
        sources: plan.sources,
        perSecond: plan.perSecond,
        random: this.#random,
        page: () => this.#page(),
      })
    this.#order = shuffle(
      this.#random,
      plan.sources.map((_, i) => i),
    )
    this.#links = plan.sources.map(() => [])
    this.#idle = plan.sources.map(() => [])
    this.#perSource = Math.max(1, Math.floor(plan.maxConnections / plan.sources.length))
    this.#t0 = plan.startAtMs - Date.now() + performance.now()
    this.#stopAtMs = this.#t0 + plan.untilS * 1000
  }

  /** What happened since the last look: for live displays. */
  progress(): AttackProgress {
    const got = this.#answers.get('200') ?? 0
    const shed = [...this.#answers].reduce((sum, [status, n]) => (status === '200' ? sum : sum + n), 0)
    const seen = {
      sent: this.#sent - this.#seen.sent,
      pages: got - this.#seen.got,
      shed: shed - this.#seen.shed,
    }
    this.#seen = { sent: this.#sent, got, shed }
    return seen
  }

  stop(): void {
    this.#stopAtMs = performance.now()
  }

  run(): Promise<AttackResult> {
    const from = this.#t0 + this.plan.fromS * 1000
    let before = from
    let due = 0
    this.#cpu = process.cpuUsage()
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        const now = performance.now()
        if (now >= this.#stopAtMs) {
          clearInterval(timer)
          return resolve(this.#finish((now - from) / 1000))
        }
        if (now < from) return
        if (this.#isOn(now - from)) {
          due += ((now - before) / 1000) * this.plan.perSecond
          // After a stall of this process at most a quarter of a second is caught up; the rest shows
          // as sent < wanted.
          const burst = Math.min(Math.floor(due), Math.ceil(this.plan.perSecond / 4))
          this.#wanted += Math.floor(due)
          due -= Math.floor(due)
          for (let i = 0; i < burst; i++) this.#fire(now)
        }
        before = now
        this.#forget(now)
      }, 1)
    })
  }

  received(bytes: number): void {
    this.#bytes += bytes
  }

  answered(status: number, bytes: number): void {
    if (status !== 200) this.#bytesOfRefusals += bytes
    this.#add(this.#answers, String(status))
  }

  failed(code: string): void {
    this.#add(this.#errors, code)
  }

  /** Whether the next TLS connection goes on after the server's half of the handshake. */
  finishes(): boolean {
    return this.#random() < this.plan.finishShare
  }

  rest(link: Link): void {
    this.#idle[link.source]!.push(link)
  }

  gone(link: Link): void {
    this.connections--
    remove(this.#links[link.source]!, link)
    remove(this.#idle[link.source]!, link)
  }

  #add(map: Map<string, number>, key: string): void {
    map.set(key, (map.get(key) ?? 0) + 1)
  }

  #isOn(sinceMs: number): boolean {
    const { pulse } = this.plan
    return !pulse || sinceMs % ((pulse.onS + pulse.offS) * 1000) < pulse.onS * 1000
  }

  #fire(now: number): void {
    // Every address in turn: each keeps exactly its own rate.
    const source = this.#order[this.#next++ % this.#order.length]!
    const random = this.#random
    const message = this.behaviour?.message(source, now)
    const kind: HeadKind = message ? (message.isFetch ? 'fetch' : 'navigation') : 'any'
    const client = this.plan.eachNew ? nthAddress(this.#next) : this.plan.sources[source]
    const own = this.plan.target.forwardedFor ? `X-Forwarded-For: ${client}\r\n` : ''
    const cookie = message?.cookie ? `Cookie: ${message.cookie}\r\n` : ''
    const connection = this.plan.connection === 'keep' ? 'keep-alive' : 'close'
    const tool = this.plan.writing && this.tool(source, now)
    const text = tool
      ? `GET ${pick(random, tool.targets)} HTTP/1.1\r\n${pick(random, tool.heads)}${own}\r\n`
      : `GET ${message?.target ?? this.#page()}${this.#heads[kind][below(random, HEADS)]}${cookie}${own}Connection: ${connection}\r\n\r\n`
    const link = this.#idle[source]!.pop() ?? this.#open(source)
    link.send(text, message)
    if (this.#sent++ === 0) this.#firstSentAtMs = Date.now()
    this.#outstanding.push({ link, serial: link.serial, sentMs: now })
  }

  /** What the source uses now, where the plan says what requests look like. */
  tool(source: number, now: number): FloodTool | undefined {
    const { writing, fromS } = this.plan
    if (writing === undefined) return undefined
    const { tools, changesEveryS } = writing
    const sinceS = (now - this.#t0) / 1000 - fromS
    const at = changesEveryS === undefined ? source : Math.floor(sinceS / changesEveryS)
    return tools[at % tools.length]
  }

  #page(): string {
    const query = Math.floor(this.#random() * 2 ** 48).toString(36)
    return this.plan.path === 'search'
      ? `/search?q=${query}`
      : `/article/${below(this.#random, 50)}?${query.slice(0, 3)}=${query}`
  }

  #open(source: number): Link {
    const links = this.#links[source]!
    if (this.plan.connection === 'new') {
      if (this.connections >= this.plan.maxConnections) this.#makeRoom()
    } else if (links.length >= this.#perSource) {
      const link = links[below(this.#random, links.length)]!
      if (link.unanswered < PIPELINE) return link
      this.#add(this.#answers, 'none')
      link.close()
    }
    const link = new Link(this, source)
    links.push(link)
    if (++this.connections > this.#mostConnections) this.#mostConnections = this.connections
    return link
  }

  #forget(now: number): void {
    const oldest = now - this.plan.patienceMs
    while (this.#head < this.#outstanding.length && this.#outstanding[this.#head]!.sentMs < oldest)
      this.#drop()
    if (this.#head > 8192) {
      this.#outstanding = this.#outstanding.slice(this.#head)
      this.#head = 0
    }
  }

  #makeRoom(): void {
    while (this.#head < this.#outstanding.length && this.connections >= this.plan.maxConnections) this.#drop()
  }

  #drop(): void {
    const { link, serial } = this.#outstanding[this.#head++]!
    if (!link.closed && link.answered < serial) {
      this.#add(this.#answers, 'none')
      link.close()
    }
  }

  #finish(seconds: number): AttackResult {
    for (const links of this.#links) for (const link of [...links]) link.close()
    const { user, system } = process.cpuUsage(this.#cpu)
    return {
      role: 'attackers',
      seconds,
      wanted: this.#wanted,
      sent: this.#sent,
      answers: Object.fromEntries(this.#answers),
      errors: Object.fromEntries(this.#errors),
      mostConnections: this.#mostConnections,
      firstSentAtMs: this.#firstSentAtMs,
      bytesReceived: this.#bytes,
      bytesOfRefusals: this.#bytesOfRefusals,
      deeds: this.behaviour?.deeds() ?? {},
      cpuShare: (user + system) / 1000 / Math.max(1, seconds * 1000),
    }
  }
}

/** The n-th of sixteen million loopback addresses, scattered over the networks of the bench. */
export function nthAddress(n: number): string {
  // Odd multiplier modulo 2^24: a bijection, so no address comes twice.
  const x = Math.imul(n, 0x9e3779) & 0xffffff
  return `127.${x >>> 16}.${(x >>> 8) & 255}.${x & 255}`
}

function remove<T>(list: T[], item: T): void {
  const at = list.indexOf(item)
  if (at !== -1) list.splice(at, 1)
}

/** One connection of an attacker. */
class Link {
  readonly source: number
  /** Requests sent and answers received. */
  serial = 0
  answered = 0
  closed = false
  readonly #load: AttackLoad
  readonly #socket: Socket
  readonly #reader: ResponseReader
  readonly #tls: LeanTls | undefined
  /** What was asked and not yet answered, oldest first; kept only for those who listen. */
  readonly #messages: Message[] = []

  constructor(load: AttackLoad, source: number) {
    this.#load = load
    this.source = source
    const { target, tls, sources } = load.plan
    this.#reader = new ResponseReader(
      { response: (status, head, body) => this.#response(status, head, body) },
      load.behaviour?.readsBodies ?? false,
    )
    this.#socket = connect({
      host: target.address,
      port: tls ? target.tlsPort : target.port,
      noDelay: true,
      ...(target.forwardedFor ? {} : { localAddress: sources[source]! }),
      onread: {
        buffer: SHARED,
        callback: (length, buffer) => {
          this.#read(buffer as Buffer, length)
          return true
        },
      },
    })
    if (tls) {
      this.#tls = new LeanTls({
        host: target.host,
        halfway: !load.finishes(),
        hello: load.tool(source, performance.now())?.hello,
        write: (bytes) => this.#socket.write(bytes),
        data: (bytes) => this.#reader.feed(bytes, bytes.length),
        failed: (why) => this.#lost(why === 'halfway' ? why : 'tls'),
      })
      this.#tls.start()
    }
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#lost(error.code ?? 'error'))
    this.#socket.on('close', () => this.#lost('closed'))
  }

  get unanswered(): number {
    return this.serial - this.answered
  }

  send(text: string, message: Message | undefined): void {
    this.serial++
    if (message) this.#messages.push(message)
    if (this.#tls) this.#tls.send(text)
    else this.#socket.write(text, 'latin1')
  }

  close(): void {
    this.#lost('')
  }

  #read(buffer: Buffer, length: number): void {
    this.#load.received(length)
    if (this.#tls) this.#tls.feed(buffer.subarray(0, length))
    else this.#reader.feed(buffer, length)
  }

  #response(status: number, head: string, body: string): void {
    if (this.closed || this.unanswered === 0) return
    this.answered++
    this.#load.answered(status, this.#reader.bytes)
    const message = this.#messages.shift()
    if (message) this.#load.behaviour?.answered?.(this.source, message, status, head, body)
    if (this.#load.plan.connection === 'new' || this.#reader.closing) this.close()
    else if (this.unanswered === 0) this.#load.rest(this)
  }

  #lost(code: string): void {
    if (this.closed) return
    this.closed = true
    if (this.unanswered > 0 && code !== '') this.#load.failed(code)
    for (const message of this.#messages) this.#load.behaviour?.lost?.(message)
    this.#load.gone(this)
    this.#socket.destroy()
  }
}
