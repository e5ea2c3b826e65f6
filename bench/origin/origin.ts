/**
 * The bench's origin: a site with a bounded capacity, over HTTP/1.1 and, with a certificate, HTTPS
 * and HTTP/2.
 *
 *   /, /article/N    a page            costs.page
 *   /search          the dear page     costs.search
 *   /asset/N         part of a page    costs.asset
 *   /events          an event stream, one event per second
 *   /download        1 MB per 4 s until the client has 4 MB
 *
 * Each page ends with what was asked and what it cost, so that a visitor can tell the real page from
 * any other and the bench can add up whose requests the origin's time went to. Nothing in a request
 * says who is a visitor.
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createSecureServer } from 'node:http2'
import type { AddressInfo, Server } from 'node:net'
import { loopback } from '../load/loopback-only.ts'
import { seeded, shuffle } from '../load/random.ts'
import { Capacity } from './capacity.ts'

export interface OriginPlan {
  readonly servers: number
  /** Requests that may wait inside the origin; the next gets 503 at once. */
  readonly queue: number
  readonly costs: { readonly page: number; readonly search: number; readonly asset: number }
  readonly tls?: { readonly cert: string; readonly key: string }
}

/** 8 servers × 12.5 ms: 640 pages per second. */
export const USUAL_ORIGIN: OriginPlan = {
  servers: 8,
  queue: 1024,
  costs: { page: 12.5, search: 100, asset: 1 },
}

export interface OriginStats {
  readonly atMs: number
  /** Milliseconds of server time spent on finished jobs. */
  readonly busyMs: number
  readonly answered: number
  readonly turnedAway: number
}

export interface RunningOrigin {
  readonly port: number
  readonly tlsPort: number
  stats(): OriginStats
  /** 3 makes every later request three times dearer. */
  slow(factor: number): void
  stop(): void
}

const FILLER = '<p>The library is open from nine to six, and until eight on Thursdays.</p>\n'.repeat(26)
const PAGE = `<!doctype html><html lang="en"><title>Town library</title>\n${FILLER}`
const ASSET = 'a'.repeat(1200)

interface Pending {
  readonly doneAtMs: number
  readonly costMs: number
  readonly target: string
  readonly asset: boolean
  readonly response: ServerResponse
}

export async function startOrigin(plan: OriginPlan): Promise<RunningOrigin> {
  const capacity = new Capacity(plan.servers, plan.queue)
  const random = seeded(9)
  let pending: Pending[] = []
  let door: { target: string; response: ServerResponse }[] = []
  let doorAtMs = 0
  let busyMs = 0
  let answered = 0
  let turnedAway = 0

  const handle = (request: IncomingMessage, response: ServerResponse) => {
    response.on('error', () => {})
    const target = request.url ?? '/'
    if (target.startsWith('/events')) return events(response)
    if (target.startsWith('/download')) return download(response)
    // A full queue is where chance decides, and on a shared core whole batches of one process arrive
    // together: first come, first in would then favour whoever happens to run alone. So those who come
    // within 10 ms of each other draw lots for the room that has become free.
    if (capacity.waiting(performance.now()) > plan.queue * 0.9) door.push({ target, response })
    else admit(target, response)
  }

  const admit = (target: string, response: ServerResponse) => {
    const asset = target.startsWith('/asset')
    const cost = asset ? plan.costs.asset : target.startsWith('/search') ? plan.costs.search : plan.costs.page
    const job = capacity.take(cost, performance.now())
    if (job) {
      pending.push({ ...job, target, asset, response })
      return
    }
    turnedAway++
    response.writeHead(503, { 'content-length': 0 }).end()
  }

  const finish = (job: Pending) => {
    busyMs += job.costMs
    answered++
    if (job.response.destroyed) return
    const body = `${job.asset ? ASSET : PAGE}\n<!-- digue-bench path=${job.target.replaceAll('--', '')} cost=${job.costMs} end -->\n`
    job.response.writeHead(200, {
      'content-type': job.asset ? 'text/css' : 'text/html; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      // Nothing may be stored: the bench asks what admission does, not what a cache does.
      'cache-control': 'private, no-store',
      ...(job.asset ? {} : { 'set-cookie': 'visit=1; Path=/; HttpOnly' }),
    })
    job.response.end(body)
  }

  const timer = setInterval(() => {
    const now = performance.now()
    if (door.length > 0 && now >= doorAtMs) {
      doorAtMs = now + 10
      const waiting = shuffle(random, door)
      door = []
      for (const { target, response } of waiting) admit(target, response)
    }
    const due = pending.filter((job) => job.doneAtMs <= now)
    if (due.length === 0) return
    pending = pending.filter((job) => job.doneAtMs > now)
    for (const job of due) finish(job)
  }, 1)

  const plain = createServer({ keepAliveTimeout: 75_000, requestTimeout: 0 }, handle)
  const secure = plan.tls
    ? createSecureServer(
        { ...plan.tls, allowHTTP1: true },
        handle as unknown as Parameters<typeof createSecureServer>[1],
      )
    : undefined
  for (const server of [plain, secure]) {
    if (!server) continue
    server.on('clientError', (_error: unknown, socket: { destroy(): void }) => socket.destroy())
    server.on('sessionError', () => {})
    server.on('tlsClientError', () => {})
    server.on('error', () => {})
  }
  return {
    port: await listen(plain),
    tlsPort: secure ? await listen(secure as unknown as Server) : 0,
    stats: () => ({ atMs: performance.now(), busyMs, answered, turnedAway }),
    slow: (factor) => {
      capacity.factor = factor
    },
    stop: () => {
      clearInterval(timer)
      plain.closeAllConnections()
      plain.close()
      secure?.close()
    },
  }
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: loopback('127.0.0.1'), port: 0, backlog: 4096 }, () =>
      resolve((server.address() as AddressInfo).port),
    )
  })
}

function events(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  response.write('data: 0\n\n')
  let n = 0
  const timer = setInterval(() => response.write(`data: ${++n}\n\n`), 1000)
  response.on('close', () => clearInterval(timer))
}

function download(response: ServerResponse): void {
  const block = Buffer.alloc(64_000, 'd')
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': block.length * 64,
    'cache-control': 'no-store',
  })
  let sent = 0
  const timer = setInterval(() => {
    response.write(block)
    if (++sent === 64) response.end()
  }, 250)
  response.on('close', () => clearInterval(timer))
}
