/**
 * The main process's side: whom the kernel shall drop, told to the helper. It never throws and never waits:
 * where no helper can be reached, Digue goes on dropping at accept.
 *
 * What was said is kept until it ends, so that nothing is said twice and a helper that was restarted
 * hears it again.
 */
import { accessSync, constants } from 'node:fs'
import { connect } from 'node:net'
import { delimiter, join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { DropResult, TableEvent, TableStatus } from './drop-table.ts'
import { cidrsOf, isEntryIn } from './entry.ts'
import { Escalation } from './escalation.ts'
import { Guard } from './guard.ts'
import { type HelperMessage, Lines, MOST_ADDRESSES } from './protocol.ts'
import { mayAdministerNetwork } from './surroundings.ts'

export interface KernelOptions {
  readonly mode: 'auto' | 'set-only' | 'off'
  /** Unix socket of a helper that runs by itself. */
  readonly socket: string
  readonly maxEntries: number
  /** Starts a helper of our own, its input and output as one stream; asked only when this process may change tables. */
  readonly spawn?: () => Duplex
  readonly onEvent: (event: KernelEvent) => void
  /** Monotonic, ms. */
  readonly now?: () => number
  /** Whether a helper started by us could do its work; by default looked up on this machine. */
  readonly mayAdminister?: () => Promise<boolean>
}

export interface KernelEvent {
  readonly code: TableEvent['code'] | 'kernel-ready' | 'kernel-unavailable' | 'kernel-lost'
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
}

export interface KernelStatus {
  /**
   * `ready`: offenders will be dropped, none are now. `unavailable`: Digue drops them at accept instead; `reason` says why.
   */
  readonly state: 'off' | 'ready' | 'active' | 'unavailable'
  readonly reason: string
  /** By which way the helper is reached: its own unit, or a child of this process. */
  readonly via: 'socket' | 'child' | ''
  /** Told to the helper, and not ended yet. */
  readonly told: number
  /** Waiting to be told. */
  readonly pending: number
  /** Not told: no helper, or no room. */
  readonly ignored: number
  /** What the helper said last; undefined without one. */
  readonly table: TableStatus | undefined
}

interface Told {
  readonly seconds: number
  readonly endsAtMs: number
}

const FLUSH_MS = 100
const ANSWER_MS = 30_000
const STATUS_MS = 2000
/** Between two tries to reach a helper. */
const RETRY_MS = 5000
const LONGEST_RETRY_MS = 60_000

export class KernelDrop {
  readonly #options: KernelOptions
  readonly #now: () => number
  readonly #guard = new Guard([])
  readonly #escalation: Escalation
  readonly #told = new Map<string, Told>()
  readonly #pending = new Map<string, number>()
  #releases: string[] | 'all' = []
  #state: KernelStatus['state'] = 'off'
  #reason = ''
  #via: KernelStatus['via'] = ''
  #stream: Duplex | undefined
  #table: TableStatus | undefined
  #waiting = new Map<number, (message: HelperMessage | undefined) => void>()
  #serial = 0
  #ignored = 0
  #flushing = false
  #timer: NodeJS.Timeout | undefined
  #retryTimer: NodeJS.Timeout | undefined
  #retryMs = RETRY_MS
  #isClosed = false

  constructor(options: KernelOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
    this.#escalation = new Escalation(options.maxEntries)
    if (options.mode === 'off') this.#reason = 'kernel.mode is off'
  }

  /** Looks for a helper. Resolves when it is known whether there is one; a later one is found too. */
  async open(): Promise<void> {
    if (this.#options.mode === 'off' || this.#isClosed) return
    const { socket, spawn } = this.#options
    const fault = await this.#dial(socket)
    if (fault === '') {
      this.#ready('socket')
      return
    }
    const mayAdminister = this.#options.mayAdminister ?? mayAdminister_
    if (spawn !== undefined && (await mayAdminister())) {
      // It starts with the first offender.
      this.#ready('child')
      return
    }
    this.#unavailable(
      `no helper at ${socket} (${fault}), and this process may not change the kernel's tables`,
    )
  }

  /** Silences those that the edges say go on after having been dropped: a minute first, longer when they come back. */
  offend(addresses: readonly string[]): void {
    if (addresses.length === 0) return
    const nowMs = this.#now()
    for (const address of addresses) this.#want(address, this.#escalation.secondsFor(address, nowMs))
  }

  /** Silences `addresses` (a version-6 one with its /64) for `seconds`. */
  drop(addresses: readonly string[], seconds: number): void {
    for (const address of addresses) this.#want(address, seconds)
  }

  /** Ends the silence of all in `networks`, or of everybody, now. */
  release(networks: readonly string[] | 'all'): void {
    // Those that wait to be told must not be silenced after all, however long ago the helper went.
    const cidrs = networks === 'all' ? [] : cidrsOf(networks)
    for (const text of [...this.#pending.keys()])
      if (networks === 'all' || isEntryIn(text, cidrs)) this.#pending.delete(text)
    // What was said of them may be said again.
    this.#told.clear()
    if (this.#stream === undefined) return
    this.#releases =
      networks === 'all' || this.#releases === 'all'
        ? 'all'
        : [...this.#releases, ...networks].slice(0, MOST_ADDRESSES)
    this.#schedule()
  }

  /** Asks the helper, for two seconds at most. */
  async status(): Promise<KernelStatus> {
    if (this.#stream !== undefined) {
      const answer = await this.#ask({ status: true }, STATUS_MS)
      if (answer !== undefined && 'status' in answer) this.#table = answer.status
    }
    this.#forget()
    return {
      state: this.#state === 'ready' && this.#table?.state === 'active' ? 'active' : this.#state,
      reason: this.#table?.fault || this.#reason,
      via: this.#via,
      told: this.#told.size,
      pending: this.#pending.size,
      ignored: this.#ignored,
      table: this.#table,
    }
  }

  /** Goes; the helper takes the entries away when nobody else had any. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    clearTimeout(this.#retryTimer)
    const stream = this.#stream
    this.#stream = undefined
    this.#state = 'off'
    stream?.end()
    stream?.destroy()
  }

  #want(address: string, seconds: number): void {
    // The helper refuses them too; here they would start one for nothing, in every flood over loopback.
    const entry = this.#guard.judge(address)
    if (typeof entry === 'string' || this.#state === 'off') return
    if (this.#state === 'unavailable') {
      this.#ignored++
      return
    }
    const told = this.#told.get(entry.text)
    if (told !== undefined && told.endsAtMs > this.#now()) return
    if (this.#told.size + this.#pending.size >= this.#options.maxEntries && !this.#pending.has(entry.text)) {
      this.#forget()
      if (this.#told.size + this.#pending.size >= this.#options.maxEntries) {
        this.#ignored++
        return
      }
    }
    this.#pending.set(entry.text, seconds)
    this.#schedule()
  }

  #forget(): void {
    const nowMs = this.#now()
    for (const [text, { endsAtMs }] of this.#told) if (endsAtMs <= nowMs) this.#told.delete(text)
  }

  #schedule(): void {
    if (this.#isClosed || this.#flushing) return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#flushing = true
      void this.#flush().finally(() => {
        this.#flushing = false
        if (this.#stream !== undefined && (this.#pending.size > 0 || this.#releases.length > 0))
          this.#schedule()
      })
    }, FLUSH_MS)
  }

  /** Tells what is pending, a line at a time: the helper's answer is the brake. */
  async #flush(): Promise<void> {
    if (this.#stream === undefined && !this.#start()) return
    if (this.#releases.length > 0) {
      const release = this.#releases
      this.#releases = []
      await this.#ask({ release }, ANSWER_MS)
    }
    while (this.#pending.size > 0 && this.#stream !== undefined) {
      const [seconds, batch] = this.#nextBatch()
      const endsAtMs = this.#now() + seconds * 1000
      for (const text of batch) {
        this.#pending.delete(text)
        this.#told.set(text, { seconds, endsAtMs })
      }
      const answer = await this.#ask({ drop: batch, seconds }, ANSWER_MS)
      if (answer === undefined || !('dropped' in answer)) return
      this.#count(answer.dropped)
    }
  }

  #count({ full }: DropResult): void {
    this.#ignored += full
  }

  /** Addresses of the same length of silence, as many as a line takes. */
  #nextBatch(): [number, string[]] {
    let seconds = 0
    const batch: string[] = []
    for (const [text, wanted] of this.#pending) {
      if (batch.length === 0) seconds = wanted
      if (wanted !== seconds) continue
      batch.push(text)
      if (batch.length === MOST_ADDRESSES) break
    }
    return [seconds, batch]
  }

  #ask(request: object, withinMs: number): Promise<HelperMessage | undefined> {
    const stream = this.#stream
    if (stream === undefined) return Promise.resolve(undefined)
    const id = ++this.#serial
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id)
        resolve(undefined)
        // One that does not answer its orders is as good as gone.
        if (withinMs === ANSWER_MS) stream.destroy()
      }, withinMs)
      this.#waiting.set(id, (message) => {
        clearTimeout(timer)
        this.#waiting.delete(id)
        resolve(message)
      })
      stream.write(`${JSON.stringify({ id, ...request })}\n`)
    })
  }

  #dial(path: string): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(path)
      socket.once('connect', () => {
        socket.off('error', fail)
        this.#attach(socket)
        resolve('')
      })
      const fail = (error: NodeJS.ErrnoException) => {
        socket.destroy()
        resolve(error.code ?? error.message)
      }
      socket.once('error', fail)
    })
  }

  /** A helper of our own; false when none could be started. */
  #start(): boolean {
    if (this.#via !== 'child' || this.#options.spawn === undefined) return false
    try {
      this.#attach(this.#options.spawn())
      return true
    } catch (error) {
      this.#unavailable(`the helper could not be started: ${(error as Error).message}`)
      return false
    }
  }

  #attach(stream: Duplex): void {
    this.#stream = stream
    const lines = new Lines()
    const gone = () => this.#gone(stream)
    stream.setEncoding('utf8')
    stream.on('data', (chunk: string) => {
      const whole = lines.push(chunk)
      if (whole === undefined) stream.destroy()
      for (const line of whole ?? []) this.#receive(line)
    })
    stream.on('error', gone)
    stream.on('end', gone)
    stream.on('close', gone)
  }

  #receive(line: string): void {
    let message: HelperMessage
    try {
      message = JSON.parse(line) as HelperMessage
    } catch {
      this.#stream?.destroy()
      return
    }
    if ('event' in message) this.#options.onEvent(message.event)
    else if ('id' in message) this.#waiting.get(message.id)?.(message)
    else this.#reason = `the helper said: ${message.error}`
  }

  #gone(stream: Duplex): void {
    if (this.#stream !== stream) return
    this.#stream = undefined
    this.#table = undefined
    stream.destroy()
    for (const answer of [...this.#waiting.values()]) answer(undefined)
    if (this.#isClosed) return
    // With it went the table: all is to be told again.
    const nowMs = this.#now()
    for (const [text, { seconds, endsAtMs }] of this.#told)
      if (endsAtMs - nowMs > seconds * 100)
        this.#pending.set(text, Math.max(1, Math.ceil((endsAtMs - nowMs) / 10_000) * 10))
    this.#told.clear()
    this.#say(
      'kernel-lost',
      'warn',
      'the helper that tells the kernel whom to drop has gone; Digue drops by itself until it is back',
    )
    this.#unavailable('the helper has gone')
  }

  #ready(via: 'socket' | 'child'): void {
    const was = this.#state
    this.#state = 'ready'
    this.#via = via
    this.#reason = ''
    this.#retryMs = RETRY_MS
    if (was !== 'ready')
      this.#say(
        'kernel-ready',
        'info',
        via === 'socket'
          ? `offenders will be dropped in the kernel, by the helper at ${this.#options.socket}`
          : 'offenders will be dropped in the kernel, by a helper that is started when there are some',
      )
    if (this.#pending.size > 0) this.#schedule()
  }

  #unavailable(reason: string): void {
    const isNews = this.#state !== 'unavailable' && this.#reason !== 'the helper has gone'
    this.#state = 'unavailable'
    this.#reason = reason
    if (isNews && reason !== 'the helper has gone')
      this.#say(
        'kernel-unavailable',
        this.#options.mode === 'set-only' ? 'warn' : 'info',
        `offenders are dropped at accept, not in the kernel: ${reason} (docs/kernel.md)`,
      )
    this.#retryTimer = setTimeout(() => void this.open(), this.#retryMs).unref()
    this.#retryMs = Math.min(LONGEST_RETRY_MS, 2 * this.#retryMs)
  }

  #say(code: KernelEvent['code'], level: KernelEvent['level'], message: string): void {
    this.#options.onEvent({ code, level, message })
  }
}

/** The right to change tables, and the program that does it. */
async function mayAdminister_(): Promise<boolean> {
  if (!(await mayAdministerNetwork())) return false
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.some((folder) => {
    try {
      accessSync(join(folder, 'nft'), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
