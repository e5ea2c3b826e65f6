/**
 * The access log: lines are appended in batches; a disk that is full or slow costs lines, which are
 * counted, and never a request.
 */
import { close, open, write } from 'node:fs'
import { type ExchangeRecord, formatCombined } from '#record'

/** Text waiting for the disk; beyond it lines are lost. */
const MAX_PENDING_BYTES = 8_000_000
/** After an error, the time before the file is opened again. */
const RETRY_AFTER_MS = 10_000

export interface AccessLogEvents {
  onLost(lines: number): void
  /** Told once per trouble, not once per line. */
  onTrouble(message: string): void
}

export class AccessLog {
  readonly path: string
  readonly #events: AccessLogEvents
  #descriptor: number | undefined
  #opening = false
  #retryAtMs = 0
  #pending: string[] = []
  #pendingBytes = 0
  #pendingLines = 0
  #writing = false
  #closed = false
  #reopenWanted = false
  #onIdle: (() => void) | undefined

  constructor(path: string, events: AccessLogEvents) {
    this.path = path
    this.#events = events
    this.#open()
  }

  append(records: readonly ExchangeRecord[], nowMs: number): void {
    if (records.length === 0) return
    const text = records.map(formatCombined).join('')
    if (this.#closed || nowMs < this.#retryAtMs || this.#pendingBytes + text.length > MAX_PENDING_BYTES) {
      this.#events.onLost(records.length)
      return
    }
    this.#pending.push(text)
    this.#pendingBytes += text.length
    this.#pendingLines += records.length
    if (this.#descriptor === undefined) this.#open()
    else this.#flush()
  }

  /** Opens the path anew: what logrotate asks for. */
  reopen(): void {
    // What is being opened is the new file already.
    if (this.#closed || this.#opening) return
    this.#reopenWanted = this.#writing
    if (this.#writing) return
    if (this.#descriptor !== undefined) close(this.#descriptor, () => {})
    this.#descriptor = undefined
    this.#retryAtMs = 0
    this.#open()
  }

  /** Writes what is pending, as far as the disk takes it, and closes. */
  async close(): Promise<void> {
    this.#closed = true
    this.#flush()
    while (this.#writing || this.#opening) await new Promise<void>((resolve) => (this.#onIdle = resolve))
    if (this.#descriptor !== undefined) close(this.#descriptor, () => {})
    this.#descriptor = undefined
  }

  #open(): void {
    if (this.#opening) return
    this.#opening = true
    open(this.path, 'a', 0o640, (error, descriptor) => {
      this.#opening = false
      if (error) this.#fail(error)
      else {
        this.#descriptor = descriptor
        this.#flush()
      }
      this.#idle()
    })
  }

  #flush(): void {
    if (this.#writing || this.#pending.length === 0 || this.#descriptor === undefined) return
    const buffer = Buffer.from(this.#pending.join(''), 'utf8')
    const lines = this.#pendingLines
    this.#pending = []
    this.#pendingBytes = 0
    this.#pendingLines = 0
    this.#writing = true
    this.#write(buffer, 0, lines)
  }

  #write(buffer: Buffer, from: number, lines: number): void {
    write(this.#descriptor!, buffer, from, buffer.length - from, null, (error, written) => {
      if (error) return this.#wrote(lines, error)
      if (from + written < buffer.length && written > 0) return this.#write(buffer, from + written, lines)
      this.#wrote(0, undefined)
    })
  }

  #wrote(lost: number, error: Error | undefined): void {
    this.#writing = false
    if (lost > 0) this.#events.onLost(lost)
    if (error !== undefined) this.#fail(error)
    if (this.#reopenWanted && !this.#closed) this.reopen()
    else this.#flush()
    this.#idle()
  }

  #fail(error: Error): void {
    if (this.#descriptor !== undefined) close(this.#descriptor, () => {})
    this.#descriptor = undefined
    this.#retryAtMs = Date.now() + RETRY_AFTER_MS
    if (this.#pendingLines > 0) this.#events.onLost(this.#pendingLines)
    this.#pending = []
    this.#pendingBytes = 0
    this.#pendingLines = 0
    this.#events.onTrouble(
      `the access log ${this.path} cannot be written (${error.message}); serving goes on, trying again in ${RETRY_AFTER_MS / 1000} s`,
    )
  }

  #idle(): void {
    if (this.#writing || this.#opening) return
    this.#onIdle?.()
    this.#onIdle = undefined
  }
}
