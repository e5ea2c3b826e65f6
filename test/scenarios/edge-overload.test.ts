import assert from 'node:assert/strict'
import { once } from 'node:events'
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import tls from 'node:tls'
import { request } from 'undici'
import { selfSigned } from '#edge'
import { startDigue, startOrigin } from './harness.ts'

test('more than the origin can take waits, and what waits too long is told when to come back', async () => {
  let inside = 0
  let most = 0
  const release = Promise.withResolvers<void>()
  await using origin = await startOrigin(async (_request, response) => {
    most = Math.max(most, ++inside)
    await release.promise
    inside--
    response.end('x')
  })
  await using digue = await startDigue({ origins: [origin.url], site: { maxInFlight: 2 } })
  const asked = Array.from({ length: 5 }, (_, i) =>
    request(`${digue.url}/${i}`, { headers: { accept: 'text/html' } }),
  )
  // Two are at the origin until the others have waited as long as anybody may.
  const shed = await Promise.race(asked)
  assert.equal(shed.statusCode, 503)
  assert.match(
    String(shed.headers['digue-mitigated']),
    /^(wait|challenge);reason=(queue-timeout|client-queue-full)$/,
  )
  assert.ok(Number(shed.headers['retry-after']) > 0)
  assert.match(await shed.body.text(), /<html lang=fr/)
  release.resolve()
  const answers = await Promise.all(asked)
  assert.equal(answers.filter((answer) => answer.statusCode === 200).length, 2)
  assert.equal(most, 2)
})

test('a waiting client that leaves makes room, and is not asked for at the origin', async () => {
  const paths: string[] = []
  const first = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  await using origin = await startOrigin(async (request, response) => {
    paths.push(request.url!)
    if (paths.length === 2) first.resolve()
    if (request.url === '/first') await release.promise
    response.end('x')
  })
  await using digue = await startDigue({ origins: [origin.url], site: { maxInFlight: 2 } })
  const holding = Promise.all([request(`${digue.url}/first`), request(`${digue.url}/first`)])
  await first.promise
  for (const method of ['GET', 'POST']) {
    const leaving = http.request(`${digue.url}/left`, { method })
    leaving.on('error', () => {})
    leaving.end()
    await once(leaving, 'finish')
    await new Promise((resolve) => setTimeout(resolve, 50))
    leaving.destroy()
  }
  const records = [
    await digue.record((r) => r.target === '/left' && r.method === 'GET'),
    await digue.record((r) => r.target === '/left' && r.method === 'POST'),
  ]
  for (const record of records) assert.equal(record.reason, 'client-gone')
  release.resolve()
  for (const response of await holding) assert.equal(response.statusCode, 200)
  assert.equal((await request(`${digue.url}/last`)).statusCode, 200)
  assert.deepEqual(paths, ['/first', '/first', '/last'])
})

test('an event stream gives its permit back and goes on', async () => {
  const opened = Promise.withResolvers<http.ServerResponse>()
  await using origin = await startOrigin((request, response) => {
    if (request.url !== '/events') return void response.end('x')
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: 1\n\n')
    opened.resolve(response)
  })
  await using digue = await startDigue({ origins: [origin.url], site: { maxInFlight: 2 } })
  const stream = http.get(`${digue.url}/events`)
  const [response] = (await once(stream, 'response')) as [http.IncomingMessage]
  await once(response, 'data')
  assert.equal(digue.edge.capacityOf('*')?.inFlight, 1)
  // It holds a permit until 2 s after the first byte.
  while (digue.edge.capacityOf('*')?.inFlight !== 0) await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal((await request(`${digue.url}/page`)).statusCode, 200)
  const source = await opened.promise
  source.write('data: 2\n\n')
  const [data] = (await once(response, 'data')) as [Buffer]
  assert.equal(data.toString(), 'data: 2\n\n')
  stream.destroy()
  await once(source, 'close')
})

test('trusted proxies are believed about their clients, as far as they can be', async () => {
  await using origin = await startOrigin((request, response) => response.end(JSON.stringify(request.headers)))
  await using digue = await startDigue({
    origins: [origin.url],
    config: { trustedProxies: ['127.0.0.0/8', '192.0.2.0/24'] },
  })
  for (const method of ['GET', 'POST'] as const) {
    const response = await request(digue.url, {
      method,
      headers: {
        host: 'example.org',
        'x-forwarded-for': '203.0.113.99, 198.51.100.7, 192.0.2.1',
        'x-forwarded-proto': 'https',
      },
    })
    const seen = (await response.body.json()) as Record<string, string>
    assert.equal(seen['x-forwarded-for'], '198.51.100.7, 127.0.0.1')
    assert.equal(seen['x-forwarded-proto'], 'https')
    assert.equal(seen['forwarded'], 'for=198.51.100.7;host=example.org;proto=https, for=127.0.0.1')
  }
  assert.equal((await digue.record(() => true)).client, '198.51.100.7')
})

test('a renewed certificate is used for new connections, a broken one is not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'digue-certificate-'))
  const files = { certificate: join(folder, 'chain.pem'), key: join(folder, 'key.pem') }
  const put = async () => {
    const made = selfSigned(['example.org'])
    await writeFile(files.key, made.key)
    await writeFile(files.certificate, made.certificate)
  }
  await put()
  await using origin = await startOrigin((_request, response) => response.end('x'))
  await using digue = await startDigue({
    origins: [origin.url],
    site: { hosts: ['example.org'], ...files },
    config: { listen: [{ address: '127.0.0.1', port: 0, tls: true }] },
  })
  const fingerprint = async () => {
    const socket = tls.connect({
      port: digue.port,
      host: '127.0.0.1',
      servername: 'example.org',
      rejectUnauthorized: false,
    })
    await once(socket, 'secureConnect')
    const { fingerprint256 } = socket.getPeerCertificate()
    socket.destroy()
    return fingerprint256
  }
  const before = await fingerprint()
  await put()
  await digue.event('certificates-renewed')
  const renewed = await fingerprint()
  assert.notEqual(renewed, before)
  await copyFile(files.key, files.certificate)
  await digue.event('certificates-wrong')
  assert.equal(await fingerprint(), renewed)
  await rm(folder, { recursive: true })
})

test('a connection that sends nothing, and one that sends noise, cost the others nothing', async () => {
  await using origin = await startOrigin((_request, response) => response.end('x'))
  await using digue = await startDigue({ origins: [origin.url], config: { limits: { headTimeout: '1s' } } })
  const silent = net.connect(digue.port, '127.0.0.1')
  const noisy = net.connect(digue.port, '127.0.0.1')
  for (const socket of [silent, noisy]) socket.on('error', () => {})
  const closed = Promise.all([once(silent.resume(), 'close'), once(noisy.resume(), 'close')])
  noisy.write(Buffer.from([22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]))
  assert.equal((await request(digue.url)).statusCode, 200)
  await closed
})
