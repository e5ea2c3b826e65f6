import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { request } from 'undici'
import { startDigue, startOrigin, startRawOrigin } from './harness.ts'

/** What an origin may do wrong before its answer is under way, and what the client is told. */
const WRONG: {
  name: string
  sends: string | Buffer
  ends?: 'end' | 'reset'
  status: number
  reason: string
  /** What the fast path, whose parser is our own, calls it; null: it is lenient there. */
  fast?: string | null
}[] = [
  { name: 'closes without a word', sends: '', ends: 'end', status: 502, reason: 'origin-closed' },
  { name: 'resets', sends: '', ends: 'reset', status: 502, reason: 'origin-closed' },
  {
    name: 'breaks off in the head',
    sends: 'HTTP/1.1 200 OK\r\nX-A',
    ends: 'end',
    status: 502,
    reason: 'origin-closed',
  },
  {
    name: 'speaks garbage',
    sends: 'SSH-2.0-OpenSSH_9.2\r\n',
    status: 502,
    reason: 'origin-garbage',
    fast: 'origin-status-line',
  },
  {
    name: 'sends binary noise',
    sends: Buffer.from([0, 1, 2, 255, 254, 13, 10, 13, 10]),
    status: 502,
    reason: 'origin-garbage',
    fast: 'origin-status-line',
  },
  {
    name: 'gives two lengths',
    sends: 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    status: 502,
    reason: 'origin-length',
  },
  {
    name: 'gives a length and chunks',
    sends: 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    status: 502,
    reason: 'origin-length',
    fast: 'origin-both-lengths',
  },
  {
    name: 'sends a head without end',
    sends: `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(100_000)}\r\n\r\n`,
    status: 502,
    reason: 'origin-head-too-large',
    fast: null,
  },
  {
    name: 'switches protocols unasked',
    sends: 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
    status: 502,
    reason: 'origin-closed',
    fast: 'origin-upgrade',
  },
  { name: 'never answers', sends: '', status: 504, reason: 'origin-timeout' },
]

/** GET takes the fast path, POST the way through Node's http and undici. */
const CASES = WRONG.flatMap((wrong) => [
  ...(wrong.fast === null ? [] : [{ ...wrong, method: 'GET' as const, reason: wrong.fast ?? wrong.reason }]),
  { ...wrong, method: 'POST' as const },
])

for (const wrong of CASES) {
  test(`an origin that ${wrong.name}: ${wrong.status} ${wrong.reason} for ${wrong.method}, and the edge lives on`, async () => {
    let broken = true
    await using origin = await startRawOrigin((socket) => {
      socket.on('data', () => {
        if (!broken) return void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine')
        if (wrong.sends.length > 0) socket.write(wrong.sends)
        if (wrong.ends === 'end') socket.end()
        if (wrong.ends === 'reset') socket.resetAndDestroy()
      })
    })
    await using digue = await startDigue({ origins: [origin.url], site: { originTimeout: '1s' } })
    const response = await request(digue.url, { method: wrong.method })
    assert.equal(response.statusCode, wrong.status)
    assert.equal(response.headers['digue-error'], wrong.reason)
    assert.equal(response.headers['cache-control'], 'no-store')
    assert.equal(((await response.body.json()) as { reason: string }).reason, wrong.reason)
    const record = await digue.record((record) => record.reason === wrong.reason)
    assert.equal(record.action, 'fail')
    broken = false
    const next = await request(digue.url)
    assert.equal(await next.body.text(), 'fine')
    assert.deepEqual(
      digue.events.filter((event) => event.code === 'thread-died'),
      [],
    )
  })
}

test('an origin that is down: 502, and a person gets a page', async () => {
  await using digue = await startDigue({ origins: ['http://127.0.0.1:9'] })
  const api = await request(digue.url)
  assert.equal(api.statusCode, 502)
  assert.equal(api.headers['content-type'], 'application/problem+json')
  const page = await request(digue.url, { headers: { accept: 'text/html' } })
  assert.equal(page.statusCode, 502)
  assert.match(await page.body.text(), /<html lang=fr .*Le site ne répond pas.*Réessayer/s)
  const form = await request(digue.url, { method: 'POST' })
  assert.equal(form.headers['digue-error'], 'origin-refused')
  assert.equal((await digue.event('origin-down')).level, 'warn')
})

test('an origin that lies about its length is not believed', async () => {
  await using origin = await startRawOrigin((socket) => {
    socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort'))
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const response = await request(digue.url)
  await assert.rejects(response.body.text())
})

test('an answer that ends with the connection is complete', async () => {
  await using origin = await startRawOrigin((socket) => {
    socket.on('data', () => socket.end('HTTP/1.0 200 OK\r\n\r\nall of it'))
  })
  await using digue = await startDigue({ origins: [origin.url] })
  assert.equal(await (await request(digue.url)).body.text(), 'all of it')
})

test('a refused connection is tried at another origin, and the dead one rests', async () => {
  await using alive = await startOrigin((_request, response) => response.end('alive'))
  await using digue = await startDigue({ origins: ['http://127.0.0.1:9', alive.url] })
  for (let i = 0; i < 20; i++) {
    const response = await request(digue.url, i < 10 ? { method: 'POST', body: 'small' } : {})
    assert.equal(response.statusCode, 200)
    await response.body.dump()
  }
  await digue.event('origin-down')
  await digue.record(() => true)
  const report = digue.reports.findLast((report) => report.sites['*'] !== undefined)
  assert.equal(report?.sites['*']?.origins.length, 2)
})

test('a keep-alive connection that the origin closed in the meantime costs nobody an answer', async () => {
  await using origin = await startRawOrigin((socket) => {
    let asked = 0
    socket.on('data', () => {
      if (++asked === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      else socket.destroy()
    })
  })
  await using digue = await startDigue({ origins: [origin.url] })
  for (let i = 0; i < 5; i++) {
    const response = await request(digue.url)
    assert.equal(response.statusCode, 200)
    await response.body.dump()
  }
})

test('health checks take an origin out and back in', async () => {
  let healthy = false
  await using sick = await startOrigin((request, response) => {
    response.statusCode = request.url === '/health' && !healthy ? 500 : 200
    response.end('sick')
  })
  await using well = await startOrigin((_request, response) => response.end('well'))
  await using digue = await startDigue({
    origins: [sick.url, well.url],
    site: { hosts: ['example.org'], healthCheck: { path: '/health', every: '100ms' } },
  })
  await digue.event('origin-down')
  for (let i = 0; i < 4; i++) {
    const response = await request(digue.url, { headers: { host: 'example.org' } })
    assert.equal(await response.body.text(), 'well')
  }
  healthy = true
  await digue.event('origin-up')
})

test('an origin on a Unix socket', async () => {
  const path = join(tmpdir(), `digue-test-${process.pid}.sock`)
  const server = createServer((_request, response) => response.end('unix'))
  server.listen(path)
  await once(server, 'listening')
  {
    await using digue = await startDigue({ origins: [`unix:${path}`] })
    assert.equal(await (await request(digue.url)).body.text(), 'unix')
  }
  server.closeAllConnections()
  server.close()
})

test('many clients that leave at every stage leave nothing behind', async () => {
  await using origin = await startOrigin((_request, response) => {
    setTimeout(() => {
      response.write(Buffer.alloc(300_000))
      response.end(Buffer.alloc(300_000))
    }, 20)
  })
  await using digue = await startDigue({ origins: [origin.url] })
  for (let round = 0; round < 5; round++) {
    await Promise.all(
      Array.from({ length: 60 }, async (_, i) => {
        const socket = net.connect(digue.port, '127.0.0.1')
        socket.on('error', () => {})
        await once(socket, 'connect')
        socket.write('GET / HTTP/1.1\r\nHost: x\r\n')
        if (i % 4 > 0) socket.write('\r\n')
        if (i % 4 > 1) await once(socket, 'data')
        socket.destroy()
      }),
    )
  }
  const idle = Promise.withResolvers<void>()
  const look = setInterval(() => {
    const last = digue.reports.at(-1)
    if (last?.gauges['active'] === 0 && digue.edge.capacityOf('*')?.inFlight === 0) idle.resolve()
  }, 50)
  await idle.promise
  clearInterval(look)
  assert.equal((await request(digue.url)).statusCode, 200)
})
