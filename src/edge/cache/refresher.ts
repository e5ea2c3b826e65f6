/**
 * Requests to the origin that no client waits for: what is stored is refreshed behind the back of those who are
 * served with it (RFC 5861 §3), and ahead of time. They ask the gate like everybody else, on the operator's
 * behalf, and carry nobody's cookies.
 */
import type { Dispatcher } from 'undici'
import type { Claim, Outcome, Verdict } from '#admission'
import type { FieldLines } from '#http'
import { outcomeOf } from '../failures.ts'
import type { Origin, SiteRuntime } from '../house.ts'
import type { Filling } from './filling.ts'

/** At once, in one thread. */
const MOST_AT_ONCE = 64
/** Of the time that an origin has for the head of an answer: so long a whole one may take, nobody waits for it. */
const WHOLE_ANSWER = 2

export interface BackgroundRequest {
  readonly site: SiteRuntime
  readonly target: string
  /** For the origin, with Host and what Digue says of the way the request came. */
  readonly fields: FieldLines
  readonly route: string
}

export interface RefresherOptions {
  /** Monotonic. */
  readonly nowMs: () => number
  readonly count: (counter: string) => void
}

export class Refresher {
  readonly #options: RefresherOptions
  readonly #underWay = new Set<Background>()

  constructor(options: RefresherOptions) {
    this.#options = options
  }

  /** There is room for another. */
  get hasRoom(): boolean {
    if (this.#underWay.size < MOST_AT_ONCE) return true
    this.#options.count('cache-refresh-full')
    return false
  }

  /** `filling` is told what comes of it. */
  start(request: BackgroundRequest, filling: Filling): void {
    const background = new Background(request, filling, this.#options.nowMs, () =>
      this.#underWay.delete(background),
    )
    this.#underWay.add(background)
    background.start()
  }

  /** An origin that stops in the middle of an answer would keep its permit for good. */
  tick(): void {
    if (this.#underWay.size === 0) return
    const nowMs = this.#options.nowMs()
    for (const background of this.#underWay)
      if (background.giveUpWhenLate(nowMs)) this.#options.count('cache-refresh-late')
  }
}

class Background implements Claim, Dispatcher.DispatchHandler {
  readonly asn = 0
  readonly prefix = '0.0.0.0/24'
  readonly subscriber = '0.0.0.0'
  readonly lane = 'operator'
  readonly effort = 0
  readonly route: string
  ticket: unknown = undefined
  readonly #request: BackgroundRequest
  readonly #filling: Filling
  readonly #nowMs: () => number
  readonly #done: () => void
  #origin: Origin | undefined
  #abort: ((error?: Error) => void) | undefined
  #untilMs = Number.POSITIVE_INFINITY
  #status = 0
  #isOver = false

  constructor(request: BackgroundRequest, filling: Filling, nowMs: () => number, done: () => void) {
    this.route = request.route
    this.#request = request
    this.#filling = filling
    this.#nowMs = nowMs
    this.#done = done
  }

  start(): void {
    const verdict = this.#request.site.gate.ask(this, this.#nowMs())
    if (verdict.action !== 'queue') this.decided(verdict)
  }

  decided(verdict: Verdict): void {
    if (verdict.action !== 'admit') {
      this.#filling.abandoned()
      this.#done()
      return
    }
    const { site, target, fields } = this.#request
    this.#untilMs = this.#nowMs() + WHOLE_ANSWER * site.config.originTimeout
    const origin = site.origins.pick()
    this.#origin = origin
    const { conditions } = this.#filling
    const headers = conditions === undefined ? [...fields] : [...fields, ...conditions]
    origin.pool.dispatch({ path: target, method: 'GET', headers }, this)
  }

  giveUpWhenLate(nowMs: number): boolean {
    if (nowMs < this.#untilMs) return false
    this.#untilMs = Number.POSITIVE_INFINITY
    // Told to `onError`.
    this.#abort?.(new Error('late'))
    return true
  }

  onConnect(abort: (error?: Error) => void): void {
    this.#abort = abort
  }

  onHeaders(status: number, rawFields: Buffer[]): boolean {
    if (this.#isOver || status < 200) return true
    this.#status = status
    const { site } = this.#request
    site.origins.succeeded(this.#origin!)
    this.#origin = undefined
    site.gate.responded(this, this.#nowMs())
    const fields = () => rawFields.map((part) => part.toString('latin1'))
    // A 304 has no body, and its connection may go on.
    if (this.#filling.answered(status, fields) !== 'copy') this.#end(outcomeOf(status), status !== 304)
    return true
  }

  onData(chunk: Buffer): boolean {
    if (this.#isOver) return true
    this.#filling.data(chunk)
    if (this.#filling.isOver) this.#end('answered', true)
    return true
  }

  onComplete(): void {
    if (this.#isOver) return
    this.#filling.completed()
    this.#end(outcomeOf(this.#status), false)
  }

  onError(): void {
    if (this.#isOver) return
    if (this.#origin !== undefined) {
      this.#request.site.origins.failed(this.#origin, 'background')
      this.#filling.standIn('failed')
    }
    this.#filling.abandoned()
    this.#end('failed', false)
  }

  #end(outcome: Outcome, aborts: boolean): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#request.site.gate.settle(this, outcome, this.#nowMs())
    this.#done()
    if (aborts) this.#abort?.(new Error('no further use'))
  }
}
