/**
 * The demo site: a small town library whose server does 640 pages a second and no more.
 *
 * Eight workers of 12.5 ms per page, computed in virtual time instead of slept, so that a busy machine
 * delays answers a little but never changes the capacity. /search costs eight pages. A client that
 * leaves does not free its worker: a real origin finds out only when it writes.
 */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface DemoSite {
  readonly url: string
  close(): Promise<void>
}

const WORKERS = 8
const PAGE_MS = 12.5
const SEARCH_MS = 100
/** Requests in the server's own queue; the next is turned away. */
const QUEUE = 1024

export const DEMO_PAGES_PER_SECOND = (WORKERS * 1000) / PAGE_MS

interface Job {
  readonly doneAtMs: number
  readonly finish: () => void
}

export async function startDemoSite(): Promise<DemoSite> {
  const freeAtMs = new Array<number>(WORKERS).fill(0)
  const waiting: Job[] = []
  const server = createServer((request, response) => {
    response.on('error', () => {})
    const target = request.url ?? '/'
    const now = performance.now()
    if (waiting.length >= QUEUE + WORKERS) {
      send(response, 503, page('Too many readers', '<p>The library is full. Please come back later.</p>'))
      return
    }
    let worker = 0
    for (let i = 1; i < WORKERS; i++) if (freeAtMs[i]! < freeAtMs[worker]!) worker = i
    const costMs = target.startsWith('/search') ? SEARCH_MS : PAGE_MS
    const doneAtMs = Math.max(now, freeAtMs[worker]!) + costMs
    freeAtMs[worker] = doneAtMs
    waiting.push({ doneAtMs, finish: () => send(response, ...pageFor(target)) })
  })
  const timer = setInterval(() => {
    const now = performance.now()
    let kept = 0
    for (const job of waiting) {
      if (job.doneAtMs <= now) job.finish()
      else waiting[kept++] = job
    }
    waiting.length = kept
  }, 2)
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        clearInterval(timer)
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function send(response: ServerResponse, status: number, body: string): void {
  if (response.destroyed) return
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'private, no-store',
  })
  response.end(body)
}

function pageFor(target: string): [number, string] {
  const path = target.split('?')[0]!
  if (path === '/') {
    const links = Array.from(
      { length: 5 },
      (_, i) => `<li><a href="/article/${i + 1}">Note ${i + 1} from the reading room</a></li>`,
    ).join('')
    return [
      200,
      page(
        'Town library',
        `<p>A demo site that can serve ${DEMO_PAGES_PER_SECOND} pages a second.</p><ul>${links}<li><a href="/search?q=tide">Search the catalogue</a> (costs as much as eight pages)</li></ul>`,
      ),
    ]
  }
  const article = /^\/article\/(\d{1,6})$/.exec(path)
  if (article)
    return [
      200,
      page(
        `Note ${article[1]}`,
        '<p>We are open from nine to six, and until eight on Thursdays.</p><p><a href="/">Back to the library</a></p>',
      ),
    ]
  if (path === '/search')
    return [
      200,
      page('Search', '<p>Three books on tides were found.</p><p><a href="/">Back to the library</a></p>'),
    ]
  return [404, page('Not here', '<p>There is no such page. <a href="/">Back to the library</a></p>')]
}

/** `body` is our own; nothing of the request goes into a page. */
function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>body{font:1rem/1.5 system-ui;max-width:40rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fcfcfa}a{color:#205080}</style><main><h1>${title}</h1>${body}</main></html>\n`
}
