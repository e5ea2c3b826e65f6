/** Reads an old access log request by request, for whoever wants its texts: `--baseline-from`. */
import { type LoggedRequest, loggedRequest } from './combined-log.ts'
import { LogReader } from './log-reader.ts'

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
  const reader = await LogReader.open(path)
  let requests = 0
  let firstAtMs = 0
  let lastAtMs = 0
  let reported = 0
  let fault: string | undefined
  try {
    while (await reader.fill()) {
      while (!options.signal?.aborted && reader.next()) {
        const request = loggedRequest(reader.line)
        if (request === undefined) continue
        requests++
        if (firstAtMs === 0 || request.atMs < firstAtMs) firstAtMs = request.atMs
        if (request.atMs > lastAtMs) lastAtMs = request.atMs
        onRequest(request)
      }
      options.signal?.throwIfAborted()
      const { readBytes, sizeBytes = 0 } = reader
      if (readBytes - reported < PROGRESS_EVERY_BYTES && (readBytes < sizeBytes || reported === readBytes))
        continue
      reported = readBytes
      options.onProgress?.(readBytes, sizeBytes)
    }
    fault = reader.fault
  } catch (error) {
    fault = error instanceof Error ? error.message : String(error)
  } finally {
    await reader.close()
  }
  // A client that is no address makes a line as useless as one that cannot be read.
  const badLines = reader.bad + reader.good - requests
  const summary = { requests, badLines, tooLong: reader.tooLong, firstAtMs, lastAtMs }
  return fault === undefined ? summary : { ...summary, fault }
}
