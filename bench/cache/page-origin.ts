/**
 * An origin of public pages, over HTTP/1.1, that remembers what it was asked.
 *
 *   /, /article/N     a page, public, max-age as planned; costs the capacity planned
 *   /size/N           N bytes at once, fresh for an hour
 *   /slow/public      a page after 500 ms, fresh for an hour; any number at a time
 *   /slow/private     the same, for one visitor only
 *
 * Parameters change nothing. A page ends as those of `origin/origin.ts` do, so that visitors know it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { loopback } from '../load/loopback-only.ts'
import { Capacity } from '../origin/capacity.ts'

export interface PageOriginPlan {
  /** 0 for any. */
  readonly port: number
  readonly servers: number
  /** Requests that may wait; the next gets 503. */
  readonly queue: number
  readonly costMs: number
  readonly maxAgeS: number
}

/** What it was asked within a stretch of wall-clock time. */
export interface Seen {
  readonly requests: number
  readonly byPath: Readonly<Record<string, number>>
  /** Those of `byPath` that had a query. */
  readonly withQuery: number
  /** Wall clock of the first; 0 when there was none. */
  readonly firstAtMs: number
  /** Not remembered, because there were too many: then the others are a lower bound. */
  readonly forgotten: number
}

export interface PageOrigin {
  readonly port: number
  /** All requests since it started. */
  total(): number
  seen(fromMs: number, untilMs: number): Seen
  stop(): void
}

const FILLER = '<p>The library is open from nine to six, and until eight on Thursdays.</p>\n'.repeat(26)
const SLOW_MS = 500
const HOUR_S = 3600
const MOST_REMEMBERED = 1_000_000
const MOST_BYTES = 10_000_000
const STARTED = new Date(Date.UTC(2024, 0, 1)).toUTCString()

interface Page {
  readonly body: string
  readonly cacheControl: string
}

export async function startPageOrigin(plan: PageOriginPlan): Promise<PageOrigin> {
  const capacity = new Capacity(plan.servers, plan.queue)
  const log: { readonly atMs: number; readonly path: string; readonly hasQuery: boolean }[] = []
  let total = 0
  let forgotten = 0

  const handle = (request: IncomingMessage, response: ServerResponse) => {
    const [path = '/', query] = (request.url ?? '/').split('?', 2)
    total++
    if (log.length < MOST_REMEMBERED) log.push({ atMs: Date.now(), path, hasQuery: query !== undefined })
    else forgotten++
    const size = /^\/size\/(\d{1,8})$/.exec(path)
    if (size) {
      const body = 'x'.repeat(Math.min(MOST_BYTES, Number(size[1])))
      return answer(request, response, path, { body, cacheControl: `public, max-age=${HOUR_S}` })
    }
    if (path.startsWith('/slow/')) {
      const cacheControl = path === '/slow/public' ? `public, max-age=${HOUR_S}` : 'private, no-store'
      const page = { body: pageBody(path, SLOW_MS), cacheControl }
      setTimeout(() => answer(request, response, path, page), SLOW_MS)
      return
    }
    const now = performance.now()
    const job = capacity.take(plan.costMs, now)
    if (!job) {
      response.writeHead(503, { 'content-length': 0, 'cache-control': 'no-store' }).end()
      return
    }
    const page = { body: pageBody(path, plan.costMs), cacheControl: `public, max-age=${plan.maxAgeS}` }
    setTimeout(() => answer(request, response, path, page), job.doneAtMs - now)
  }

  const server = createServer({ keepAliveTimeout: 75_000, requestTimeout: 0 }, handle)
  server.on('clientError', (_error, socket) => socket.destroy())
  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: loopback('127.0.0.1'), port: plan.port, backlog: 4096 }, () =>
      resolve((server.address() as AddressInfo).port),
    )
  })
  return {
    port,
    total: () => total,
    seen(fromMs, untilMs) {
      const these = log.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs)
      const byPath: Record<string, number> = {}
      for (const { path } of these) byPath[path] = (byPath[path] ?? 0) + 1
      return {
        requests: these.length,
        byPath,
        withQuery: these.filter(({ hasQuery }) => hasQuery).length,
        firstAtMs: these[0]?.atMs ?? 0,
        forgotten,
      }
    },
    stop() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function pageBody(path: string, costMs: number): string {
  return `<!doctype html><html lang="en"><title>Town library</title>\n${FILLER}\n<!-- digue-bench path=${path.replaceAll('--', '')} cost=${costMs} end -->\n`
}

function answer(request: IncomingMessage, response: ServerResponse, path: string, page: Page): void {
  if (response.destroyed) return
  const etag = `"${path.length}-${page.body.length}"`
  const fields = { etag, 'last-modified': STARTED, 'cache-control': page.cacheControl }
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, fields).end()
    return
  }
  response.writeHead(200, {
    ...fields,
    'content-type': 'text/html; charset=utf-8',
    'content-length': Buffer.byteLength(page.body),
  })
  response.end(page.body)
}
