import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { tally } from './accounting.ts'
import { NotLoopbackError } from './loopback-only.ts'
import type { Cohort, VisitorPlan } from './plan.ts'
import { VisitorLoad } from './visitors.ts'

const COHORT: Cohort = {
  name: 'returning',
  addresses: ['127.10.1.1', '127.10.1.2', '127.11.1.3'],
  perSecond: 20,
  fromS: 0,
  untilS: 0.5,
  protocol: 'http',
  connection: 'keep',
  assets: 0,
  searchShare: 0,
}

function planFor(server: Server, change: Partial<VisitorPlan> = {}): VisitorPlan {
  const { port } = server.address() as AddressInfo
  return {
    role: 'visitors',
    target: { address: '127.0.0.1', port, tlsPort: 0, host: 'bench.example.org', forwardedFor: false },
    seed: 1,
    startAtMs: Date.now(),
    seconds: 0.5,
    deadlineMs: 10_000,
    cohorts: [COHORT],
    streams: [],
    downloads: [],
    ...change,
  }
}

const page = (path: string, cost = 12.5) =>
  `<!doctype html>\n<!-- digue-bench path=${path} cost=${cost} end -->\n`

async function against(listener: RequestListener, change: Partial<VisitorPlan> = {}) {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const { rows } = await new VisitorLoad(planFor(server, change)).run()
    return { rows, all: tally(rows, { fromS: 0, untilS: 10 }) }
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

test('visitors come from their own addresses, on kept connections, with the cookie they were given', async () => {
  const seen: { address: string; cookie: string | undefined; socket: object }[] = []
  const { all } = await against((request, response) => {
    seen.push({
      address: request.socket.remoteAddress!,
      cookie: request.headers.cookie,
      socket: request.socket,
    })
    response.setHeader('set-cookie', 'visit=1; Path=/; HttpOnly')
    response.end(page(request.url!))
  })
  assert.ok(all.asked > 5)
  assert.equal(all.served, all.asked)
  assert.equal(all.costMs, 12.5 * all.asked)
  assert.deepEqual(new Set(seen.map((one) => one.address)), new Set(COHORT.addresses))
  assert.ok(new Set(seen.map((one) => one.socket)).size < seen.length)
  assert.ok(seen.some((one) => one.cookie === 'visit=1'))
  assert.ok(seen.some((one) => one.cookie === undefined))
})

test('any other page, a refusal and a page for another path are not service', async () => {
  let n = 0
  const { all } = await against((_request, response) => {
    n++
    if (n % 3 === 0) response.end('<h1>Please wait</h1>')
    else if (n % 3 === 1) response.writeHead(429, { 'retry-after': '1' }).end()
    else response.end(page('/elsewhere'))
  })
  assert.equal(all.served, 0)
  assert.ok(all.refused > 0)
  assert.deepEqual(new Set(Object.keys(all.fates)), new Set(['other-page', 'status-429']))
})

test('a silent server slows no visitor down: arrivals go on and each ends in a timeout', async () => {
  const fair = await against((request, response) => response.end(page(request.url!)))
  const silent = await against(() => {}, { deadlineMs: 400 })
  const arrivals = ({ rows }: typeof fair) => [...rows.atS].map((at) => at.toFixed(6)).sort()
  assert.deepEqual(arrivals(silent), arrivals(fair), 'the same arrivals whatever the server does')
  assert.deepEqual(silent.all.fates, { timeout: silent.all.asked })
})

test('a request on a kept connection that was closed under it is asked again; on a new one it is lost', async () => {
  const answered = new WeakSet<object>()
  const { all } = await against((request, response) => {
    // Each connection serves one page and dies at the next request.
    if (answered.has(request.socket)) return request.socket.destroy()
    answered.add(request.socket)
    response.end(page(request.url!))
  })
  assert.equal(all.served, all.asked)
  const lost = await against((request) => request.socket.destroy())
  assert.deepEqual(lost.all.fates, { 'connection-lost': lost.all.asked })
})

test('a page that refreshes itself is followed within the deadline', async () => {
  const waited = new Set<string>()
  const { all } = await against((request, response) => {
    const who = `${request.socket.remoteAddress}${request.url}`
    if (waited.has(who)) return response.end(page(request.url!))
    waited.add(who)
    response.writeHead(503, { refresh: '0' }).end('wait')
  })
  assert.equal(all.served, all.asked)
})

test('a plan for anything but loopback makes no visitor', () => {
  const target = { address: '192.0.2.1', port: 80, tlsPort: 0, host: 'x', forwardedFor: false }
  const plan: VisitorPlan = {
    role: 'visitors',
    target,
    seed: 1,
    startAtMs: 0,
    seconds: 1,
    deadlineMs: 1,
    cohorts: [COHORT],
    streams: [],
    downloads: [],
  }
  assert.throws(() => new VisitorLoad(plan), NotLoopbackError)
  const foreign = { ...COHORT, addresses: ['198.51.100.1'] }
  assert.throws(
    () => new VisitorLoad({ ...plan, target: { ...target, address: '127.0.0.1' }, cohorts: [foreign] }),
    NotLoopbackError,
  )
})
