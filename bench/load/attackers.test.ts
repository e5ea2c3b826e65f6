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

async function against(listener: RequestListener, change: Partial<AttackPlan> = {}) {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  try {
    return await new AttackLoad({
      ...PLAN,
      target: { ...PLAN.target, port },
      startAtMs: Date.now(),
      ...change,
    }).run()
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

test('every source sends its even share, each request with another query', async () => {
  const bySource = new Map<string, number>()
  const targets = new Set<string>()
  const result = await against((request, response) => {
    bySource.set(request.socket.remoteAddress!, (bySource.get(request.socket.remoteAddress!) ?? 0) + 1)
    targets.add(request.url!)
    response.end('x')
  })
  assert.deepEqual([...bySource.keys()].sort(), [...PLAN.sources])
  const counts = [...bySource.values()]
  assert.ok(
    Math.max(...counts) - Math.min(...counts) <= Math.max(4, 0.2 * Math.max(...counts)),
    String(counts),
  )
  assert.ok(targets.size > result.sent * 0.9)
  assert.ok((result.answers['200'] ?? 0) > 0)
})

test('a server that never answers meets the same number of requests, on a bounded number of connections', async () => {
  const answered = await against((_request, response) => response.end('x'))
  const silent = await against(() => {})
  assert.equal(answered.wanted > 0, true)
  assert.ok(silent.sent >= silent.wanted * 0.5)
  assert.ok(Math.abs(silent.sent / silent.wanted - answered.sent / answered.wanted) < 0.2)
  assert.ok(silent.mostConnections <= PLAN.maxConnections)
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
