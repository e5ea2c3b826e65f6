/**
 * Fetches a list over https, as little trusting as one must be towards a name that others rule over.
 *
 * Where a name leads is looked up by the connection itself, through `publicLookup`, so that the address that
 * was checked is the address that is connected to: a name that changes its mind between a check and a
 * connection (DNS rebinding) has nothing to gain. Redirects are refused, not followed: the operator wrote one
 * address, and should see in the log where it has moved. The body goes to a file as it comes, up to a bound on
 * bytes, on each pause and on the whole; what is gzip stays gzip until it is read.
 */
import { createHash } from 'node:crypto'
import { lookup } from 'node:dns'
import { open } from 'node:fs/promises'
import { isIP, type LookupFunction } from 'node:net'
import { Agent, request } from 'undici'
import { type Address, parseAddress } from '#networks'
import { MOST_BYTES } from './read-list.ts'
import { isPublicAddress } from './special-networks.ts'

/** What makes the next question cheap; as the server gave them. */
export interface Validators {
  readonly etag?: string | undefined
  readonly lastModified?: string | undefined
}

export type Download =
  | { readonly kind: 'new'; readonly validators: Validators; readonly sha256: string; readonly bytes: number }
  | { readonly kind: 'unchanged' }
  /** `retryAfterMs`: the server's wish, if it told one. */
  | { readonly kind: 'failed'; readonly fault: string; readonly retryAfterMs?: number }

export interface DownloadOptions {
  readonly userAgent: string
  /** Of the copy that is there. */
  readonly validators?: Validators
  readonly signal?: AbortSignal
  /** Where connections may go; public addresses only, unless told otherwise. */
  readonly isAllowed?: (address: Address) => boolean
  /** Further certificates to trust. */
  readonly ca?: string
  readonly timeouts?: Timeouts
}

export interface Timeouts {
  readonly connectMs: number
  readonly headersMs: number
  /** Longest pause within the body. */
  readonly pauseMs: number
  readonly wholeMs: number
}

const TIMEOUTS: Timeouts = { connectMs: 10_000, headersMs: 20_000, pauseMs: 20_000, wholeMs: 180_000 }
const LONGEST_VALIDATOR = 512
const LONGEST_RETRY_AFTER_MS = 24 * 3_600_000

/** A name that leads nowhere a list may come from. */
class PrivateAddressError extends Error {
  readonly code = 'DIGUE_PRIVATE_ADDRESS'
}

/** Into `file`, which is made or replaced. Never throws. */
export async function download(url: string, file: string, options: DownloadOptions): Promise<Download> {
  const target = new URL(url)
  const host = target.hostname.replace(/^\[|\]$/g, '')
  const isAllowed = options.isAllowed ?? isPublicAddress
  // A connection to an address looks nothing up.
  if (isIP(host) !== 0 && !isAllowed(parseAddress(host)!)) return failed(privateFault(host, host))
  if (target.protocol !== 'https:') return failed(`expected an https:// address, got ${target.protocol}//`)
  const timeouts = options.timeouts ?? TIMEOUTS
  const agent = new Agent({
    connections: 1,
    connect: {
      timeout: timeouts.connectMs,
      lookup: publicLookup(isAllowed),
      ...(options.ca === undefined ? {} : { ca: options.ca }),
    },
    headersTimeout: timeouts.headersMs,
    bodyTimeout: timeouts.pauseMs,
    maxHeaderSize: 32_768,
  })
  const ends = [AbortSignal.timeout(timeouts.wholeMs), ...(options.signal ? [options.signal] : [])]
  try {
    return await fetchInto(target, file, { agent, signal: AbortSignal.any(ends), options })
  } catch (error) {
    return failed(faultOf(error, timeouts))
  } finally {
    // Whatever is left of it, the answer is read or given up.
    void agent.destroy().catch(() => {})
  }
}

async function fetchInto(
  target: URL,
  file: string,
  { agent, signal, options }: { agent: Agent; signal: AbortSignal; options: DownloadOptions },
): Promise<Download> {
  const { etag, lastModified } = options.validators ?? {}
  const { statusCode, headers, body } = await request(target, {
    dispatcher: agent,
    signal,
    headers: {
      'user-agent': options.userAgent,
      accept: '*/*',
      'accept-encoding': 'gzip',
      ...(etag === undefined ? {} : { 'if-none-match': etag }),
      ...(lastModified === undefined ? {} : { 'if-modified-since': lastModified }),
    },
  })
  // Nobody listens to a body that is not read.
  body.on('error', () => {})
  if (statusCode === 304 && (etag ?? lastModified) !== undefined) return { kind: 'unchanged' }
  if (statusCode >= 300 && statusCode < 400)
    return failed(
      `expected the list, got a redirect (${statusCode}) to ${JSON.stringify(text(headers['location']).slice(0, 200))}; write that address if you trust it`,
    )
  if (statusCode !== 200) {
    const retryAfterMs = retryAfter(text(headers['retry-after']))
    return {
      ...failed(`expected the list, got status ${statusCode}`),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    }
  }
  const coding = text(headers['content-encoding']).toLowerCase()
  if (!['', 'identity', 'gzip', 'x-gzip'].includes(coding))
    return failed(`expected gzip or no coding, got ${JSON.stringify(coding.slice(0, 40))}`)
  if (Number(text(headers['content-length'])) > MOST_BYTES) return failed(tooLarge())
  const hash = createHash('sha256')
  let bytes = 0
  const handle = await open(file, 'w', 0o600)
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > MOST_BYTES) return failed(tooLarge())
      hash.update(chunk)
      await handle.write(chunk)
    }
    await handle.sync()
  } finally {
    await handle.close()
  }
  return {
    kind: 'new',
    validators: { etag: validator(headers['etag']), lastModified: validator(headers['last-modified']) },
    sha256: hash.digest('hex'),
    bytes,
  }
}

/** `dns.lookup`, with only the addresses that a list may come from. */
export function publicLookup(isAllowed: (address: Address) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error) {
        callback(error, '', 0)
        return
      }
      const allowed = found.filter(({ address }) => {
        const parsed = parseAddress(address)
        return parsed !== undefined && isAllowed(parsed)
      })
      const first = allowed[0]
      if (first === undefined)
        callback(new PrivateAddressError(privateFault(hostname, found[0]?.address ?? 'nothing')), '', 0)
      else if (options.all) callback(null, allowed)
      else callback(null, first.address, first.family)
    })
  }
}

function privateFault(host: string, address: string): string {
  return `expected a public address, got ${address}${host === address ? '' : ` (${host})`}; a list in your own network can be fetched by a program of yours into a file`
}

function failed(fault: string): Download & { kind: 'failed' } {
  return { kind: 'failed', fault }
}

function tooLarge(): string {
  return `expected at most ${MOST_BYTES / 1e6} MB, got more`
}

function text(value: string | string[] | undefined): string {
  return Array.isArray(value) ? (value[0] ?? '') : (value ?? '')
}

/** Sent back as it came, so nothing that could end a line, and nothing endless. */
function validator(value: string | string[] | undefined): string | undefined {
  const given = text(value)
  return given !== '' && given.length <= LONGEST_VALIDATOR && /^[\x20-\x7e]+$/.test(given) ? given : undefined
}

/** Seconds only: what servers that limit askers send (RFC 9110 §10.2.3). */
function retryAfter(value: string): number | undefined {
  return /^\d{1,9}$/.test(value) ? Math.min(Number(value) * 1000, LONGEST_RETRY_AFTER_MS) : undefined
}

/** In words: an error's code tells more than its message, which names our own code. */
function faultOf(error: unknown, timeouts: Timeouts): string {
  const { code, name, message, cause } = error as NodeJS.ErrnoException & { cause?: NodeJS.ErrnoException }
  const known = code ?? cause?.code
  switch (known) {
    case 'DIGUE_PRIVATE_ADDRESS':
      return message
    case 'UND_ERR_CONNECT_TIMEOUT':
      return `no connection within ${timeouts.connectMs / 1000} s`
    case 'UND_ERR_HEADERS_TIMEOUT':
      return `no answer within ${timeouts.headersMs / 1000} s`
    case 'UND_ERR_BODY_TIMEOUT':
      return `the list stopped coming for ${timeouts.pauseMs / 1000} s`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the name is not known (${known})`
    case 'ECONNREFUSED':
      return 'the connection was refused'
    default:
  }
  if (name === 'TimeoutError') return `the list did not come whole within ${timeouts.wholeMs / 1000} s`
  return known === undefined ? message : `${message} (${known})`
}
