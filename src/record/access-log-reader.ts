/**
 * Reads old access logs as a stream, plain or gzipped, however large: one chunk at a time, each
 * line with a bound, and the event loop free in between.
 */
import { open } from 'node:fs/promises'
import { createGunzip } from 'node:zlib'
import { type LoggedRequest, parseCombined } from './combined-log.ts'

/** nginx cuts a request line at 32 kB; longer lines are damage. */
const LONGEST_LINE = 65_536
const PROGRESS_EVERY_BYTES = 8 << 20

export interface AccessLogSummary {
  readonly requests: number
  /** Lines that are in none of the formats. Not fatal. */
  readonly badLines: number
  /** Of these, lines beyond the bound. */
  readonly tooLong: number
  /** Earliest and latest request, 0 when there was none. */
  readonly firstAtMs: number
  readonly lastAtMs: number
  /** Why reading ended early (a gzip cut off, a read error); what came before was used. */
  readonly fault?: string
}

export interface AccessLogOptions {
  /** Called now and then: bytes of the file read so far, and its size. */
  readonly onProgress?: (readBytes: number, sizeBytes: number) => void
  readonly signal?: AbortSignal
}

/** Throws when the file cannot be opened; everything later is in the summary. */
export async function readAccessLog(
  path: string,
  onRequest: (request: LoggedRequest) => void,
  options: AccessLogOptions = {},
): Promise<AccessLogSummary> {
  const file = await open(path)
  let requests = 0
  let firstAtMs = 0
  let lastAtMs = 0
  const lines = new LineSplitter((line) => {
    if (line === '') return true
    const request = parseCombined(line)
    if (request === undefined) return false
    requests++
    if (firstAtMs === 0 || request.atMs < firstAtMs) firstAtMs = request.atMs
    if (request.atMs > lastAtMs) lastAtMs = request.atMs
    onRequest(request)
    return true
  })
  let fault: string | undefined
  try {
    const { size } = await file.stat()
    const magic = Buffer.alloc(2)
    const { bytesRead } = await file.read(magic, 0, 2, 0)
    const isGzip = bytesRead === 2 && magic[0] === 0x1f && magic[1] === 0x8b
    const source = file.createReadStream({ start: 0, autoClose: false, highWaterMark: 1 << 18 })
    let readBytes = 0
    let reported = 0
    source.on('data', (chunk) => {
      readBytes += chunk.length
      if (readBytes - reported < PROGRESS_EVERY_BYTES && readBytes < size) return
      reported = readBytes
      options.onProgress?.(readBytes, size)
    })
    source.pause()
    const gunzip = isGzip ? createGunzip() : undefined
    if (gunzip !== undefined) {
      source.on('error', (error) => gunzip.destroy(error))
      source.pipe(gunzip)
    }
    try {
      for await (const chunk of gunzip ?? source) {
        options.signal?.throwIfAborted()
        lines.push(chunk as Buffer)
      }
    } catch (error) {
      fault = error instanceof Error ? error.message : String(error)
    } finally {
      source.destroy()
    }
    lines.end()
  } finally {
    await file.close()
  }
  const summary = { requests, badLines: lines.bad, tooLong: lines.tooLong, firstAtMs, lastAtMs }
  return fault === undefined ? summary : { ...summary, fault }
}

/** Cuts chunks into lines of at most LONGEST_LINE bytes; what is longer is skipped and counted. */
class LineSplitter {
  bad = 0
  tooLong = 0
  readonly #onLine: (line: string) => boolean
  #rest: Buffer = Buffer.alloc(0)
  #skipping = false

  constructor(onLine: (line: string) => boolean) {
    this.#onLine = onLine
  }

  push(chunk: Buffer): void {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let start = 0
    for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10, start)) {
      this.#line(data, start, end)
      start = end + 1
    }
    this.#rest = data.subarray(start)
    if (this.#rest.length <= LONGEST_LINE) return
    this.#rest = Buffer.alloc(0)
    this.#skipping = true
  }

  end(): void {
    if (this.#rest.length > 0 || this.#skipping) this.#line(this.#rest, 0, this.#rest.length)
    this.#rest = Buffer.alloc(0)
  }

  #line(data: Buffer, start: number, end: number): void {
    if (this.#skipping || end - start > LONGEST_LINE) {
      this.#skipping = false
      this.tooLong++
      this.bad++
      return
    }
    const last = end > start && data[end - 1] === 13 ? end - 1 : end
    // Bytes as characters: what was not ASCII came escaped, or in whatever the old server wrote.
    if (!this.#onLine(data.toString('latin1', start, last))) this.bad++
  }
}
