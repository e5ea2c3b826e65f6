/**
 * The origins of a site: which one gets the next exchange, and which rest.
 *
 * Passive health: FAILURES failures in a row, without an answer between them, and an origin rests,
 * twice as long each time from REST_MIN_MS to REST_MAX_MS; the first exchange after the rest tries it.
 * Active health, when configured: a failed check rests it until a check succeeds. When every origin
 * rests, the one whose rest ends first is tried all the same: a shield never makes a site unreachable
 * by caution (fail towards service).
 */
import { type Dispatcher, Pool } from 'undici'
import type { SiteConfig } from '#config'
import type { Origin, OriginSet } from './house.ts'

const FAILURES = 3
const REST_MIN_MS = 1000
const REST_MAX_MS = 30_000
const CONNECT_TIMEOUT_MS = 5000

interface State {
  readonly origin: Origin
  inFlight: number
  failures: number
  rests: number
  restUntilMs: number
  checkFailed: boolean
  reason: string
}

export interface OriginEvent {
  readonly url: string
  readonly healthy: boolean
  readonly reason: string
}

export interface OriginSetOptions {
  readonly now?: () => number
  readonly onChange?: (event: OriginEvent) => void
}

export class Origins implements OriginSet {
  readonly #all: State[]
  readonly #byOrigin = new Map<Origin, State>()
  readonly #now: () => number
  readonly #onChange: (event: OriginEvent) => void
  #timer: NodeJS.Timeout | undefined
  #turn = 0
  #closed = false

  constructor(site: SiteConfig, options: OriginSetOptions = {}) {
    this.#now = options.now ?? (() => performance.now())
    this.#onChange = options.onChange ?? (() => {})
    this.#all = site.origins.map((url) => ({
      origin: makeOrigin(url, site),
      inFlight: 0,
      failures: 0,
      rests: 0,
      restUntilMs: 0,
      checkFailed: false,
      reason: '',
    }))
    for (const state of this.#all) this.#byOrigin.set(state.origin, state)
    const check = site.healthCheck
    if (check !== undefined) {
      this.#timer = setInterval(() => this.#checkAll(check.path, check.every, site), check.every)
      this.#timer.unref()
    }
  }

  pick(not?: Origin): Origin {
    const now = this.#now()
    const count = this.#all.length
    let best: State | undefined
    let leastBad: State | undefined
    this.#turn = (this.#turn + 1) % count
    for (let i = 0; i < count; i++) {
      const state = this.#all[(this.#turn + i) % count]!
      if (state.origin === not && count > 1) continue
      if (!state.checkFailed && state.restUntilMs <= now) {
        if (best === undefined || state.inFlight < best.inFlight) best = state
      } else if (leastBad === undefined || state.restUntilMs < leastBad.restUntilMs) {
        leastBad = state
      }
    }
    const chosen = best ?? leastBad!
    chosen.inFlight++
    return chosen.origin
  }

  succeeded(origin: Origin): void {
    const state = this.#byOrigin.get(origin)
    // An exchange that outlived a reload reports an origin of the set before: nothing to learn here.
    if (state === undefined) return
    state.inFlight--
    state.failures = 0
    state.rests = 0
    if (state.restUntilMs !== 0 && !state.checkFailed) {
      state.restUntilMs = 0
      state.reason = ''
      this.#onChange({ url: origin.url, healthy: true, reason: '' })
    }
  }

  failed(origin: Origin, reason: string): void {
    const state = this.#byOrigin.get(origin)
    if (state === undefined) return
    state.inFlight--
    if (++state.failures < FAILURES) return
    const now = this.#now()
    // Failures of exchanges begun before the rest say nothing new.
    if (state.restUntilMs > now) return
    const fresh = state.restUntilMs === 0
    state.restUntilMs = now + Math.min(REST_MAX_MS, REST_MIN_MS * 2 ** state.rests)
    state.rests = Math.min(state.rests + 1, 16)
    state.reason = reason
    if (fresh) this.#onChange({ url: origin.url, healthy: false, reason })
  }

  returned(origin: Origin): void {
    const state = this.#byOrigin.get(origin)
    if (state !== undefined) state.inFlight--
  }

  get states(): { url: string; healthy: boolean; reason: string }[] {
    const now = this.#now()
    return this.#all.map((state) => ({
      url: state.origin.url,
      healthy: !state.checkFailed && state.restUntilMs <= now,
      reason: state.reason,
    }))
  }

  /** Lets exchanges that are under way finish; their connections close after them. */
  close(): void {
    this.#closed = true
    clearInterval(this.#timer)
    for (const state of this.#all) void state.origin.pool.close().catch(() => {})
  }

  #checkAll(path: string, everyMs: number, site: SiteConfig): void {
    for (const state of this.#all) {
      const host = site.originHost ?? site.hosts.find((name) => !name.startsWith('*'))
      state.origin.pool
        .request({
          method: 'GET',
          path,
          headers: host === undefined ? {} : { host },
          headersTimeout: Math.min(everyMs, site.originTimeout),
          signal: AbortSignal.timeout(everyMs),
        })
        .then(async ({ statusCode, body }) => {
          await body.dump({ limit: 65_536 })
          this.#checked(state, statusCode < 500 ? '' : `check-${statusCode}`)
        })
        .catch(() => this.#checked(state, 'check-failed'))
    }
  }

  #checked(state: State, reason: string): void {
    if (this.#closed) return
    const failed = reason !== ''
    if (!failed) {
      state.restUntilMs = 0
      state.failures = 0
      state.rests = 0
    }
    state.reason = reason
    if (state.checkFailed === failed) return
    state.checkFailed = failed
    this.#onChange({ url: state.origin.url, healthy: !failed, reason })
  }
}

function makeOrigin(text: string, site: SiteConfig): Origin {
  const options: Pool.Options = {
    pipelining: 1,
    // The gate bounds what is in flight; a second bound here would only queue out of its sight.
    connections: null,
    connectTimeout: CONNECT_TIMEOUT_MS,
    headersTimeout: site.originTimeout,
    bodyTimeout: 0,
    keepAliveTimeout: 4000,
    keepAliveMaxTimeout: 60_000,
    maxHeaderSize: 65_536,
    allowH2: false,
  }
  if (text.startsWith('unix:')) {
    const socketPath = text.slice('unix:'.length)
    const pool: Dispatcher = new Pool('http://localhost', { ...options, socketPath })
    return { url: text, secure: false, hostname: 'localhost', port: 0, socketPath, verify: true, pool }
  }
  const url = new URL(text)
  const secure = url.protocol === 'https:'
  const pool = new Pool(url.origin, {
    ...options,
    ...(secure ? { connect: { rejectUnauthorized: site.verifyOrigin, timeout: CONNECT_TIMEOUT_MS } } : {}),
  })
  const hostname = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port)
  return { url: url.origin, secure, hostname, port, socketPath: '', verify: site.verifyOrigin, pool }
}
