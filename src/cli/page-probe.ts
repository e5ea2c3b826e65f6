/**
 * One plain GET for a page, as somebody who comes for the first time sends it: no cookies, no conditions,
 * no redirects followed. What comes back is foreign: it is bounded in bytes and time.
 */
import { createHash } from 'node:crypto'
import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Times } from '#cache'
import type { FieldLines, ResponseHead } from '#http'
import { version } from './version.ts'

/** Where to ask instead of where the URL leads. */
export interface ProbeOrigin {
  /** "http://host:port", "https://host:port" or "unix:/path". */
  readonly url: string
  /** Host sent to it. */
  readonly host: string
  /** Check its certificate. */
  readonly verify: boolean
}

export interface Page {
  readonly head: ResponseHead
  readonly times: Times
  /** Of status and body. */
  readonly digest: string
  readonly body: Buffer
  /** False: there was more than `MOST_BODY_BYTES`. */
  readonly isWhole: boolean
}

/** A sentence: why there is no answer to judge. */
export interface NoPage {
  readonly fault: string
}

export const MOST_BODY_BYTES = 8 * 1024 * 1024
/** For a whole answer. */
const DEADLINE_MS = 20_000

/** Fields of the request, Host apart. */
export const PROBE_FIELDS: FieldLines = ['User-Agent', `digue-cache-check/${version()}`, 'Accept', '*/*']

export async function askForPage(
  url: URL,
  origin: ProbeOrigin | undefined,
  deadlineMs = DEADLINE_MS,
): Promise<Page | NoPage> {
  const signal = AbortSignal.timeout(deadlineMs)
  const requestedAtMs = Date.now()
  let response: IncomingMessage
  try {
    response = await send(url, origin, signal)
  } catch (error) {
    return { fault: faultOf(error as NodeJS.ErrnoException, origin?.url ?? url.origin, deadlineMs) }
  }
  const receivedAtMs = Date.now()
  const chunks: Buffer[] = []
  let bytes = 0
  let isWhole = true
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length
      chunks.push(chunk)
      if (bytes <= MOST_BODY_BYTES) continue
      isWhole = false
      // Ends the loop's stream, and the connection with it.
      break
    }
  } catch {
    return {
      fault: signal.aborted
        ? `its answer does not end within ${deadlineMs / 1000} s; what has no end cannot be stored`
        : 'its answer breaks off before it is whole',
    }
  }
  const status = response.statusCode!
  const body = Buffer.concat(chunks).subarray(0, MOST_BODY_BYTES)
  return {
    head: { status, fields: response.rawHeaders },
    times: { requestedAtMs, receivedAtMs },
    digest: createHash('sha256').update(`${status}\n`).update(body).digest('hex'),
    body,
    isWhole,
  }
}

function send(url: URL, origin: ProbeOrigin | undefined, signal: AbortSignal): Promise<IncomingMessage> {
  const headers: Record<string, string> = { host: origin?.host ?? url.host }
  for (let i = 0; i < PROBE_FIELDS.length; i += 2) headers[PROBE_FIELDS[i]!] = PROBE_FIELDS[i + 1]!
  if (origin !== undefined) {
    // As Digue says it: an origin that knows nothing of TLS would redirect to HTTPS for ever.
    headers['X-Forwarded-Host'] = url.host
    headers['X-Forwarded-Proto'] = url.protocol.slice(0, -1)
  }
  const path = url.pathname + url.search
  const options = { method: 'GET', path, headers, signal, agent: false, maxHeaderSize: 65_536 } as const
  const socketPath = origin?.url.startsWith('unix:') ? origin.url.slice('unix:'.length) : undefined
  const { protocol, hostname, port } = socketPath === undefined ? new URL(origin?.url ?? url) : LOCAL
  const where =
    socketPath === undefined ? { hostname: hostname.replace(/^\[(.*)\]$/, '$1'), port } : { socketPath }
  return new Promise((resolve, reject) => {
    const request =
      protocol === 'https:'
        ? requestHttps({ ...options, ...where, rejectUnauthorized: origin?.verify ?? true })
        : requestHttp({ ...options, ...where })
    request.on('response', resolve)
    request.on('error', reject)
    request.end()
  })
}

const LOCAL = { protocol: 'http:', hostname: '', port: '' } as const

/** The usual ones in words; the system's own for the rest. */
function faultOf({ code, name, message }: NodeJS.ErrnoException, where: string, deadlineMs: number): string {
  if (name === 'AbortError' || name === 'TimeoutError') return `no answer within ${deadlineMs / 1000} s`
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `no address is known for the host of ${where}`
  if (code === 'ECONNREFUSED' || code === 'ENOENT') return `nothing listens at ${where}`
  if (code === 'ECONNRESET') return `${where} closed the connection without an answer`
  if (code === 'HPE_HEADER_OVERFLOW') return 'the head of its answer is larger than 64 kB'
  if (code?.startsWith('HPE_')) return `its answer is not HTTP/1.1 (${message})`
  if (/CERT|SELF_SIGNED|ISSUER|VERIFY_LEAF/.test(code ?? ''))
    return `its certificate is not good (${message})`
  return `it cannot be asked (${message})`
}
