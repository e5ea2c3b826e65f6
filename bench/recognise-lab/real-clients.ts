/**
 * Real programs among the visitors: they say whether what is recorded of them still holds. Few and slow, for each
 * is a process, and in a flood the core of load has other things to do. Which are not installed is told.
 */
import { type Browser, chromium } from 'playwright-core'
import { Agent, fetch } from 'undici'
import { CHROMIUM, CHROMIUM_ARGS } from '../../test/scenarios/chromium.ts'
import { HOST } from '../lib/certificate.ts'
import { Child, CORES, findProgram } from '../lib/processes.ts'
import { loopback } from '../load/loopback-only.ts'
import { type Relay, startRelay } from './relay.ts'

export interface RealClient {
  readonly name: string
  readonly address: string
}

const EVERY_MS = 5000
const PROGRAMS = ['curl', 'wget', 'python3'] as const
/** Of Chromium: one for each address. */
const WINDOWS = 3

const PYTHON = `
import ssl, sys, http.client, urllib.request as r
where = dict(source_address=(sys.argv[2], 0), timeout=10)
class Plain(http.client.HTTPConnection):
    def __init__(self, host, **given): super().__init__(host, **{**given, **where})
class Secure(http.client.HTTPSConnection):
    def __init__(self, host, **given): super().__init__(host, **{**given, **where})
class H(r.HTTPHandler):
    def http_open(self, q): return self.do_open(Plain, q)
class S(r.HTTPSHandler):
    def https_open(self, q): return self.do_open(Secure, q, context=ssl._create_unverified_context())
r.build_opener(r.ProxyHandler({}), H, S).open(sys.argv[1]).read()
`

export class RealClients {
  readonly #addresses: readonly string[]
  readonly #port: number
  readonly #isSecure: boolean
  readonly #timers: NodeJS.Timeout[] = []
  readonly #relays: Relay[] = []
  readonly #agents: Agent[] = []
  #browser: Browser | undefined
  #isStopped = false
  readonly clients: RealClient[] = []
  readonly missing: string[] = []

  /** `port`: Digue's for HTTP, or for HTTPS. */
  constructor(addresses: readonly string[], port: number, isSecure: boolean) {
    this.#addresses = addresses.map(loopback)
    this.#port = port
    this.#isSecure = isSecure
  }

  async start(): Promise<void> {
    const base = `${this.#isSecure ? 'https' : 'http'}://127.0.0.1:${this.#port}`
    for (const name of PROGRAMS) {
      const program = findProgram(name)
      if (program === undefined) {
        this.missing.push(name)
        continue
      }
      const address = this.#take(name === 'python3' ? 'urllib' : name)
      this.#every(() => {
        const url = `${base}/article/${Math.floor(Math.random() * 50)}`
        new Child(name, [program, ...argumentsOf(name, url, address, this.#port)], { core: CORES?.load })
      })
    }
    const agent = new Agent({
      localAddress: this.#take('fetch'),
      connect: { rejectUnauthorized: false },
      ...(this.#isSecure ? { allowH2: true } : {}),
    })
    this.#agents.push(agent)
    this.#every(() => {
      fetch(`${base}/article/${Math.floor(Math.random() * 50)}`, { dispatcher: agent })
        .then((response) => response.text())
        .catch(() => {})
    })
    await this.#browse()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    for (const timer of this.#timers) clearInterval(timer)
    await this.#browser?.close().catch(() => {})
    for (const relay of this.#relays) relay.stop()
    await Promise.all(this.#agents.map((agent) => agent.destroy()))
  }

  async #browse(): Promise<void> {
    if (findProgram('chromium') === undefined) {
      this.missing.push('chromium')
      return
    }
    const rules: string[] = []
    for (let i = 0; i < WINDOWS; i++) {
      const relay = await startRelay(this.#take('chromium'), this.#port)
      this.#relays.push(relay)
      rules.push(`MAP ${i}.${HOST} 127.0.0.1:${relay.port}`)
    }
    this.#browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [...CHROMIUM_ARGS, `--host-resolver-rules=${rules.join(',')}`, '--ignore-certificate-errors'],
    })
    for (let i = 0; i < WINDOWS; i++) {
      const context = await this.#browser.newContext({ ignoreHTTPSErrors: true })
      const page = await context.newPage()
      this.#every(() => {
        const path = `/article/${Math.floor(Math.random() * 50)}`
        const url = `${this.#isSecure ? 'https' : 'http'}://${i}.${HOST}${path}`
        // A page that has not come when the next is wanted is left, as people do.
        page.goto(url, { timeout: 60_000, waitUntil: 'commit' }).catch(() => {})
      })
    }
  }

  #take(name: string): string {
    const address = this.#addresses[this.clients.length]
    if (address === undefined)
      throw new RangeError(`real clients: expected ${this.clients.length + 1} addresses`)
    this.clients.push({ name, address })
    return address
  }

  #every(act: () => void): void {
    act()
    this.#timers.push(setInterval(() => this.#isStopped || act(), EVERY_MS))
  }
}

/** Addresses that are needed. */
export const REAL_CLIENTS = PROGRAMS.length + 1 + WINDOWS

function argumentsOf(name: (typeof PROGRAMS)[number], url: string, address: string, port: number): string[] {
  switch (name) {
    case 'curl':
      return [
        ...['-sk', '-m', '10', '-o', '/dev/null', '--noproxy', '*', '--interface', address],
        ...['--resolve', `${HOST}:${port}:127.0.0.1`, url.replace('127.0.0.1', HOST)],
      ]
    case 'wget':
      return [
        '-qO/dev/null',
        '-T',
        '10',
        '-t',
        '1',
        '--no-proxy',
        '--no-check-certificate',
        `--bind-address=${address}`,
        url,
      ]
    case 'python3':
      return ['-c', PYTHON, url, address]
    default:
      return name satisfies never
  }
}
