/** One question to CrowdSec's local API. The key is in a header, and in nothing that is ever told. */
import { open } from 'node:fs/promises'
import { Agent, request } from 'undici'
import { MOST_BYTES } from './read-list.ts'

export interface CrowdSecAddress {
  readonly url: string
  readonly keyFile: string
}

export type CrowdSecAnswer =
  | { readonly kind: 'decisions'; readonly answer: unknown }
  | { readonly kind: 'failed'; readonly fault: string }

const MOST_KEY_BYTES = 1024
const CONNECT_MS = 5000
/** The first answer of a large list takes CrowdSec a while. */
const ANSWER_MS = 30_000
const WHOLE_MS = 60_000
const ADD_HINT = '`cscli bouncers add digue` prints a new one'

/** All decisions that stand, or what has changed since the last question. Never throws. */
export async function askCrowdSec(
  { url, keyFile }: CrowdSecAddress,
  isWhole: boolean,
  options: { readonly userAgent: string; readonly signal?: AbortSignal },
): Promise<CrowdSecAnswer> {
  const failed = (fault: string): CrowdSecAnswer => ({ kind: 'failed', fault })
  const key = await readKey(keyFile)
  if (typeof key !== 'string') return failed(key.fault)
  const agent = new Agent({
    connections: 1,
    connect: { timeout: CONNECT_MS },
    headersTimeout: ANSWER_MS,
    bodyTimeout: ANSWER_MS,
  })
  const ends = [AbortSignal.timeout(WHOLE_MS), ...(options.signal ? [options.signal] : [])]
  const target = new URL('/v1/decisions/stream', url)
  target.searchParams.set('startup', String(isWhole))
  target.searchParams.set('scopes', 'ip,range')
  try {
    const { statusCode, body } = await request(target, {
      dispatcher: agent,
      signal: AbortSignal.any(ends),
      headers: { 'x-api-key': key, 'user-agent': options.userAgent, accept: 'application/json' },
    })
    body.on('error', () => {})
    if (statusCode === 401 || statusCode === 403)
      return failed(`CrowdSec does not know the key in ${keyFile} (${statusCode}); ${ADD_HINT}`)
    if (statusCode !== 200)
      return failed(`expected CrowdSec’s decisions from ${target.origin}, got status ${statusCode}`)
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > MOST_BYTES) return failed(`expected at most ${MOST_BYTES / 1e6} MB of decisions, got more`)
      chunks.push(chunk)
    }
    try {
      return { kind: 'decisions', answer: JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown }
    } catch {
      return failed(`expected JSON from ${target.origin}, got something else: is that CrowdSec’s local API?`)
    }
  } catch (error) {
    const { code, cause, name } = error as NodeJS.ErrnoException & { cause?: NodeJS.ErrnoException }
    return failed(`CrowdSec’s local API at ${target.origin} does not answer (${code ?? cause?.code ?? name})`)
  } finally {
    void agent.destroy().catch(() => {})
  }
}

/** Read for each question: a new key needs no restart. */
async function readKey(file: string): Promise<string | { fault: string }> {
  try {
    const opened = await open(file)
    try {
      const { size } = await opened.stat()
      if (size > MOST_KEY_BYTES)
        return { fault: `${file}: expected a key alone, got ${size} bytes; ${ADD_HINT}` }
      const key = (await opened.readFile('latin1')).trim()
      if (/^[\x21-\x7e]{1,512}$/.test(key)) return key
      return {
        fault: `${file}: expected one line with a key, got ${key === '' ? 'nothing' : 'something else'}; ${ADD_HINT}`,
      }
    } finally {
      await opened.close()
    }
  } catch (error) {
    return {
      fault: `${file}: expected a file that can be read (${(error as NodeJS.ErrnoException).code ?? 'unreadable'})`,
    }
  }
}
