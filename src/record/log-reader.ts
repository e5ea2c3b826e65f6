/**
 * Reads one access log line by line, whatever format each line has, in memory that does not depend on its size.
 *
 * The format is not guessed from a beginning that may be damaged: each line is tried with the parser that read
 * the one before, then with the others. A line may have 64 kB; a longer one is skipped and counted.
 */
import { readCombined } from './combined-log-line.ts'
import { readHaproxy } from './haproxy-log-line.ts'
import { JsonLines } from './json-log-line.ts'
import { LogLine } from './log-line.ts'
import { type LogSource, openLogSource } from './log-source.ts'
import { LocalTimes } from './log-time.ts'

export const LOG_FORMATS = ['combined', 'json', 'haproxy'] as const
/** `combined`: common and vhost_combined too. `json`: Caddy, Traefik, nginx. `haproxy`: its HTTP log. */
export type LogFormat = (typeof LOG_FORMATS)[number]

/** nginx cuts a request line at 32 kB; longer lines are damage. */
export const LONGEST_LINE = 65_536
const BUFFER = (1 << 18) + 2 * LONGEST_LINE
const MOST_EXAMPLES = 3
const LONGEST_EXAMPLE = 200

export interface BadLine {
  /** From 1. */
  readonly number: number
  /** Its first 200 bytes as characters. */
  readonly text: string
}

export interface LogReaderOptions {
  /** Of logs that do not say theirs (HAProxy); the machine's when not given. */
  readonly timeZone?: string
  readonly bufferBytes?: number
}

export class LogReader {
  readonly path: string
  /** What `next` read. */
  readonly line = new LogLine()
  /** Lines that were read, and those in no known format; empty ones are neither. */
  good = 0
  bad = 0
  /** Of the bad: beyond the bound. */
  tooLong = 0
  readonly badLines: BadLine[] = []
  readonly formats: Record<LogFormat, number> = { combined: 0, json: 0, haproxy: 0 }
  /** Why reading ended early (a gzip cut off, a read error); what came before was used. */
  fault: string | undefined
  readonly #source: LogSource
  /** Of this log alone: the hour that happens twice is told by what came before. */
  #times: LocalTimes | undefined
  readonly #timeZone: string | undefined
  readonly #json = new JsonLines()
  readonly #buffer: Buffer
  #view: Buffer
  #at = 0
  #number = 0
  #format: LogFormat = 'combined'
  #isSkipping = false
  #isAtEnd = false
  #lineStart = 0
  #lineEnd = 0

  constructor(path: string, source: LogSource, options: LogReaderOptions = {}) {
    this.path = path
    this.#source = source
    this.#timeZone = options.timeZone
    this.#buffer = Buffer.allocUnsafe(Math.max(options.bufferBytes ?? BUFFER, 2 * LONGEST_LINE))
    this.#view = this.#buffer.subarray(0, 0)
  }

  /** Rejects when the file cannot be opened, or is packed in a way that is not read; "-" is standard input. */
  static async open(path: string, options: LogReaderOptions = {}): Promise<LogReader> {
    return new LogReader(path, await openLogSource(path), options)
  }

  get readBytes(): number {
    return this.#source.readBytes
  }

  get sizeBytes(): number | undefined {
    return this.#source.sizeBytes
  }

  /** Reads on; false at the end. Only when `next` gave false: `line` no longer holds afterwards. */
  async fill(): Promise<boolean> {
    if (this.#isAtEnd) return false
    let kept = this.#view.length - this.#at
    if (kept > LONGEST_LINE) {
      this.#isSkipping = true
      kept = 0
    } else this.#buffer.copyWithin(0, this.#at, this.#view.length)
    let read = 0
    try {
      read = await this.#source.read(this.#buffer, kept)
    } catch (error) {
      this.fault = error instanceof Error ? error.message : String(error)
    }
    this.#at = 0
    this.#view = this.#buffer.subarray(0, kept + read)
    if (read > 0) return true
    this.#isAtEnd = true
    return kept > 0 || this.#isSkipping
  }

  /** The next good line in what has been read, in `line`; false when there is none. */
  next(): boolean {
    for (;;) {
      const start = this.#at
      let end = this.#view.indexOf(10, start)
      if (end >= 0) this.#at = end + 1
      else if (this.#isAtEnd && (start < this.#view.length || this.#isSkipping))
        this.#at = end = this.#view.length
      else return false
      this.#number++
      if (this.#isSkipping || end - start > LONGEST_LINE) {
        this.#isSkipping = false
        this.tooLong++
        this.#refuse(start, end)
        continue
      }
      if (end > start && this.#view[end - 1] === 13) end--
      if (end === start) continue
      if (this.#read(this.#format, start, end) || this.#readOtherwise(start, end)) {
        this.good++
        this.formats[this.#format]++
        this.#lineStart = start
        this.#lineEnd = end
        return true
      }
      this.#refuse(start, end)
    }
  }

  /** Copies the bytes of `line`, with a line end, into `target`; how many. */
  copyRaw(target: Buffer, offset: number): number {
    const length = this.#view.copy(target, offset, this.#lineStart, this.#lineEnd)
    target[offset + length] = 10
    return length + 1
  }

  async close(): Promise<void> {
    await this.#source.close()
  }

  #read(format: LogFormat, start: number, end: number): boolean {
    switch (format) {
      case 'combined':
        return readCombined(this.#view, start, end, this.line)
      case 'json':
        return this.#json.read(this.#view, start, end, this.line)
      case 'haproxy':
        this.#times ??= new LocalTimes(this.#timeZone)
        return readHaproxy(this.#view, start, end, this.line, this.#times)
      default:
        return format satisfies never
    }
  }

  #readOtherwise(start: number, end: number): boolean {
    const found = LOG_FORMATS.find((format) => format !== this.#format && this.#read(format, start, end))
    if (found !== undefined) this.#format = found
    return found !== undefined
  }

  #refuse(start: number, end: number): void {
    this.bad++
    if (this.badLines.length < MOST_EXAMPLES)
      this.badLines.push({
        number: this.#number,
        text: this.#view.toString('latin1', start, Math.min(end, start + LONGEST_EXAMPLE)),
      })
  }
}
