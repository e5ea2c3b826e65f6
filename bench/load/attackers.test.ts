import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { AttackLoad, nthAddress } from './attackers.ts'
import { loopback, NotLoopbackError } from './loopback-only.ts'
import type { AttackPlan } from './plan.ts'

const PLAN: AttackPlan = {
  role: 'attackers',
  target: { address: '127.0.0.1', port: 9, tlsPort: 0, host: 'bench.example.org', forwardedFor: false },
  seed: 1,
  startAtMs: 0,
  fromS: 0,
  untilS: 0.5,
  sources: ['127.40.1.1', '127.41.1.1', '127.42.1.1', '127.43.1.1'],
  perSecond: 400,
  connection: 'keep',
  tls: false,
  finishShare: 1,
  path: 'page',
  patienceMs: 5000,
  maxConnections: 8,
}

/** Attacks until `done`, or for the plan's half second. */
async function against(
  listener: RequestListener,
  change: Partial<AttackPlan> = {},
  done?: (load: AttackLoad) => boolean,
) {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const load = new AttackLoad({
    ...PLAN,
    target: { ...PLAN.target, port },
    startAtMs: Date.now(),
    ...(done ? { untilS: 30, patienceMs: 30_000 } : {}),
    ...change,
  })
  const timer = setInterval(() => done?.(load) && load.stop(), 5)
  try {
    return await load.run()
  } finally {
    clearInterval(timer)
    server.closeAllConnections()
    server.close()
  }
}

test('every source sends its even share, each request with another query', async () => {
  const bySource = new Map<string, number>()
  const targets = new Set<string>()
  let seen = 0
  const result = await against(
    (request, response) => {
      seen++
      bySource.set(request.socket.remoteAddress!, (bySource.get(request.socket.remoteAddress!) ?? 0) + 1)
      targets.add(request.url!)
      response.end('x')
    },
    {},
    () => seen > 400,
  )
  assert.deepEqual([...bySource.keys()].sort(), [...PLAN.sources])
  const counts = [...bySource.values()]
  // What was sent in one go may have come from some sources and not yet from others.
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 40, String(counts))
  assert.ok(targets.size > 0.9 * seen)
  assert.ok((result.answers['200'] ?? 0) > 0)
})

test('a server that never answers meets as many requests, on a bounded number of connections', async () => {
  let sent = 0
  const silent = await against(
    () => {},
    {},
    (load) => (sent += load.progress().sent) > 60,
  )
  assert.ok(silent.sent > 60)
  assert.equal(silent.answers['200'], undefined)
  assert.equal(silent.mostConnections, PLAN.maxConnections)
})

test('with a new connection per request none is used twice', async () => {
  const sockets = new Set<object>()
  let requests = 0
  await against(
    (request, response) => {
      requests++
      sockets.add(request.socket)
      response.end('x')
    },
    { connection: 'new', maxConnections: 1000 },
  )
  assert.ok(requests > 0)
  assert.equal(sockets.size, requests)
})

test('a pulse is silent in its off time', async () => {
  const result = await against((_request, response) => response.end('x'), { pulse: { onS: 0.1, offS: 10 } })
  assert.ok(result.wanted <= 400 * 0.15, String(result.wanted))
})

test('no plan reaches beyond loopback', () => {
  assert.throws(
    () => new AttackLoad({ ...PLAN, target: { ...PLAN.target, address: '192.0.2.7' } }),
    NotLoopbackError,
  )
  assert.throws(() => new AttackLoad({ ...PLAN, sources: ['127.0.0.1', '203.0.113.9'] }), NotLoopbackError)
})

test('the n-th addresses are all different and all loopback', () => {
  const seen = new Set<string>()
  for (let n = 0; n < 50_000; n++) seen.add(loopback(nthAddress(n)))
  assert.equal(seen.size, 50_000)
})
