import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { test } from 'node:test'
import { request } from 'undici'
import { CALM, startDigue, startOrigin, testConfig } from './harness.ts'

const text = async (response: http.IncomingMessage): Promise<string> => {
  let all = ''
  for await (const chunk of response) all += chunk
  return all
}

async function get(
  url: string,
  agent: http.Agent,
  path = '/',
): Promise<{ status: number; body: string; port: number }> {
  const asked = http.get(url + path, { agent, headers: { host: 'example.org' } })
  const [response] = (await once(asked, 'response')) as [http.IncomingMessage]
  const port = response.socket.localPort!
  return { status: response.statusCode!, body: await text(response), port }
}

test('several threads share one port', async () => {
  await using origin = await startOrigin((_request, response) => response.end('x'))
  await using digue = await startDigue({ origins: [origin.url], config: { threads: 3 } })
  assert.equal(digue.edge.threads, 3)
  const threads = new Set<number>()
  for (let i = 0; i < 60; i++) {
    const agent = new http.Agent()
    assert.equal((await get(digue.url, agent)).status, 200)
    agent.destroy()
  }
  await digue.record(() => true)
  for (const report of digue.reports) if (report.records.length > 0) threads.add(report.thread)
  assert.ok(threads.size > 1)
})

test('a thread that dies is replaced, its permits come back, and the others go on', async () => {
  const arrived = Promise.withResolvers<void>()
  await using origin = await startOrigin((request, response) => {
    if (request.url === '/hang') arrived.resolve()
    else response.end('x')
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const hanging = http.get(`${digue.url}/hang`)
  hanging.on('error', () => {})
  await arrived.promise
  assert.equal(digue.edge.capacityOf('*')?.inFlight, 1)
  digue.edge.killThread(0)
  await digue.event('thread-died')
  assert.equal(digue.edge.capacityOf('*')?.inFlight, 0)
  await digue.event('thread-restarted')
  // The same port.
  assert.equal((await request(digue.url)).statusCode, 200)
})

test('what routes cost in calm weather is reported at the end, and a new thread begins with it', async () => {
  await using origin = await startOrigin((_request, response) => response.end('x'))
  const before = [['GET /search?', 110, 100]] as const
  await using digue = await startDigue({ origins: [origin.url], routeCostsOf: () => before })
  for (let i = 0; i < 8; i++) await (await request(`${digue.url}/article/${i}`)).body.text()
  await digue.edge.drain(1000)
  const routes = digue.reports.findLast((report) => report.sites['*']?.routes !== undefined)!.sites['*']!
    .routes!
  assert.deepEqual(routes.map(([route]) => route).toSorted(), ['GET /article/{n}', 'GET /search?'])
  assert.deepEqual(
    routes.find(([route]) => route === 'GET /search?'),
    before[0],
  )
})

test('a reload changes sites and keeps connections', async () => {
  await using one = await startOrigin((_request, response) => response.end('one'))
  await using two = await startOrigin((_request, response) => response.end('two'))
  await using digue = await startDigue({ sites: [{ hosts: ['example.org'], origins: [one.url] }] })
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  const before = await get(digue.url, agent)
  assert.equal(before.body, 'one')
  await digue.edge.reload(
    testConfig({
      sites: [
        { hosts: ['example.org'], origins: [two.url] },
        { hosts: ['new.example'], origins: [one.url] },
      ],
    }),
  )
  const after = await get(digue.url, agent)
  assert.equal(after.body, 'two')
  assert.equal(after.port, before.port)
  const fresh = await request(digue.url, { headers: { host: 'new.example' } })
  assert.equal(await fresh.body.text(), 'one')
  agent.destroy()
})

test('a reload lets an answer that is under way finish, also from an origin that is no more', async () => {
  const go = Promise.withResolvers<void>()
  const arrived = Promise.withResolvers<void>()
  await using one = await startOrigin(async (_request, response) => {
    response.write('begun ')
    arrived.resolve()
    await go.promise
    response.end('and finished')
  })
  await using digue = await startDigue({ sites: [{ hosts: ['example.org'], origins: [one.url] }] })
  const asked = get(digue.url, new http.Agent())
  await arrived.promise
  await digue.edge.reload(testConfig({ sites: [{ hosts: ['other.example'], origins: [one.url] }] }))
  go.resolve()
  assert.equal((await asked).body, 'begun and finished')
})

test('a reload that cannot be put in force leaves everything as it was', async () => {
  await using origin = await startOrigin((_request, response) => response.end('old'))
  await using digue = await startDigue({ origins: [origin.url] })
  const taken = net.createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as net.AddressInfo
  const listen = [
    { address: '127.0.0.1', port: 0 },
    { address: '127.0.0.1', port },
  ]
  await assert.rejects(
    digue.edge.reload(testConfig({ origins: ['http://127.0.0.1:9'], config: { listen } })),
    /EADDRINUSE/,
  )
  assert.equal(await (await request(digue.url)).body.text(), 'old')
  await assert.rejects(
    digue.edge.reload(
      testConfig({ origins: [origin.url], site: { certificate: '/nowhere.pem', key: '/nowhere.key' } }),
    ),
    /sites\[0\]\.certificate/,
  )
  assert.equal(await (await request(digue.url)).body.text(), 'old')
  taken.close()
})

test('a reload opens and closes listeners', async () => {
  await using origin = await startOrigin((_request, response) => response.end('x'))
  await using digue = await startDigue({ origins: [origin.url] })
  const kept = { address: '127.0.0.1', port: 0 }
  await digue.edge.reload(
    testConfig({ origins: [origin.url], config: { listen: [kept, { address: '127.0.0.2', port: 0 }] } }),
  )
  assert.equal(digue.edge.ports.length, 2)
  assert.equal(digue.edge.ports[0], digue.port)
  assert.equal((await request(`http://127.0.0.2:${digue.edge.ports[1]}`)).statusCode, 200)
  const second = digue.edge.ports[1]
  await digue.edge.reload(testConfig({ origins: [origin.url], config: { listen: [kept] } }))
  const refused = net.connect(second!, '127.0.0.2')
  const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException]
  assert.equal(error.code, 'ECONNREFUSED')
})

test('draining finishes what is under way and takes nothing new', async () => {
  const go = Promise.withResolvers<void>()
  const arrived = Promise.withResolvers<void>()
  await using origin = await startOrigin(async (_request, response) => {
    arrived.resolve()
    await go.promise
    response.end('finished')
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const asked = get(digue.url, new http.Agent({ keepAlive: true }))
  await arrived.promise
  const drained = digue.edge.drain(10_000)
  go.resolve()
  assert.equal((await asked).body, 'finished')
  await drained
  const refused = net.connect(digue.port, '127.0.0.1')
  await once(refused, 'error')
})

test('draining ends at its deadline', async () => {
  const arrived = Promise.withResolvers<void>()
  await using origin = await startOrigin(() => arrived.resolve())
  await using digue = await startDigue({ origins: [origin.url] })
  const asked = http.get(digue.url)
  const failed = once(asked, 'error')
  await arrived.promise
  await digue.edge.drain(200)
  await failed
})

test('a policy takes effect: refuse by network, allow beats refuse, bypass lets all through', async () => {
  await using origin = await startOrigin((_request, response) => response.end('x'))
  await using digue = await startDigue({ origins: [origin.url] })
  const decision = { expiresAtMs: Date.now() + 60_000, note: '' }
  const refuse = { ...decision, id: '1', effect: 'refuse' as const, cidr: '127.0.0.0/8' }
  const allow = { ...decision, id: '2', effect: 'allow' as const, path: '/open' }
  digue.edge.setPolicy({ ...CALM, serial: 2, decisions: [refuse, allow] })
  const status = async (path: string) => (await request(digue.url + path)).statusCode
  assert.equal(await status('/'), 403)
  assert.equal(await status('/open'), 200)
  assert.equal(await status('/%6Fpen'), 200)
  digue.edge.setPolicy({ ...CALM, serial: 3, bypass: true, decisions: [refuse] })
  assert.equal(await status('/'), 200)
})
