import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { selfSigned } from '#edge'
import { type DigueOptions, exchangeRaw, startDigue, startOrigin, type TestDigue } from './harness.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'digue-h2-'))
  const { certificate, key } = selfSigned(['localhost'])
  await writeFile(join(folder, 'chain.pem'), certificate)
  await writeFile(join(folder, 'key.pem'), key)
})
after(() => rm(folder, { recursive: true }))

function startTls(options: DigueOptions): Promise<TestDigue> {
  return startDigue({
    ...options,
    site: {
      hosts: ['localhost'],
      certificate: join(folder, 'chain.pem'),
      key: join(folder, 'key.pem'),
      ...options.site,
    },
    config: {
      listen: [
        { address: '127.0.0.1', port: 0, tls: true },
        { address: '127.0.0.1', port: 0 },
      ],
      ...options.config,
    },
  })
}

function connect(digue: TestDigue): http2.ClientHttp2Session {
  return http2.connect(`https://localhost:${digue.port}`, {
    lookup: (_name, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]),
    rejectUnauthorized: false,
  })
}

async function read(stream: http2.ClientHttp2Stream): Promise<{
  headers: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader
  body: Buffer
  trailers: http2.IncomingHttpHeaders
}> {
  let trailers: http2.IncomingHttpHeaders = {}
  stream.on('trailers', (fields) => (trailers = fields))
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  // Not by iterating: that asks for the end of the request, too.
  await once(stream, 'end')
  return { headers, body: Buffer.concat(chunks), trailers }
}

test('HTTP/2: many requests on one connection, with their fields, cookies joined', async () => {
  await using origin = await startOrigin((request, response) => {
    response.setHeader('set-cookie', ['a=1', 'b=2'])
    response.end(JSON.stringify({ url: request.url, headers: request.headers }))
  })
  await using digue = await startTls({ origins: [origin.url] })
  const session = connect(digue)
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      read(session.request({ ':path': `/${i}`, cookie: ['x=1', 'y=2'] as unknown as string })),
    ),
  )
  answers.forEach(({ headers, body }, i) => {
    assert.equal(headers[':status'], 200)
    assert.deepEqual(headers['set-cookie'], ['a=1', 'b=2'])
    assert.equal(headers['connection'], undefined)
    const seen = JSON.parse(body.toString()) as { url: string; headers: Record<string, string> }
    assert.equal(seen.url, `/${i}`)
    assert.equal(seen.headers['host'], `localhost:${digue.port}`)
    assert.equal(seen.headers['x-forwarded-proto'], 'https')
    assert.equal(seen.headers['cookie'], 'x=1; y=2')
  })
  session.close()
  const record = await digue.record((record) => record.target === '/0')
  assert.equal(record.version, '2.0')
  assert.notEqual(record.ja4, '')
})

test('HTTP/2: a body, HEAD, trailers and early hints', async () => {
  await using origin = await startOrigin(async (request, response) => {
    if (request.url === '/hints') response.writeEarlyHints({ link: '</a.css>; rel=preload' })
    let bytes = 0
    for await (const chunk of request) bytes += (chunk as Buffer).length
    if (request.method === 'POST') response.writeHead(200, { trailer: 'x-sum' })
    response.write(String(bytes))
    if (request.method === 'POST') response.addTrailers({ 'x-sum': 'abc' })
    response.end()
  })
  await using digue = await startTls({ origins: [origin.url] })
  const session = connect(digue)
  for (const size of [10, 3_000_000]) {
    const stream = session.request({ ':method': 'POST', ':path': '/' })
    stream.end(Buffer.alloc(size))
    const { body, trailers } = await read(stream)
    assert.equal(body.toString(), String(size))
    assert.equal(trailers['x-sum'], 'abc')
  }
  const head = await read(session.request({ ':method': 'HEAD', ':path': '/' }))
  assert.equal(head.headers[':status'], 200)
  assert.equal(head.body.length, 0)
  const hinted = session.request({ ':path': '/hints' })
  const [hints] = (await once(hinted, 'headers')) as [http2.IncomingHttpHeaders]
  assert.equal(hints['link'], '</a.css>; rel=preload')
  assert.equal((await read(hinted)).body.toString(), '0')
  session.close()
})

test('HTTP/2: aborts travel both ways', async () => {
  const closed = Promise.withResolvers<void>()
  await using origin = await startOrigin((request, response) => {
    response.write('begun')
    if (request.url === '/broken') setImmediate(() => response.destroy())
    else response.on('close', () => closed.resolve())
  })
  await using digue = await startTls({ origins: [origin.url] })
  const session = connect(digue)
  const left = session.request({ ':path': '/left' })
  await once(left, 'data')
  left.close(http2.constants.NGHTTP2_CANCEL)
  await closed.promise
  const broken = session.request({ ':path': '/broken' })
  broken.on('data', () => {})
  await once(broken, 'error')
  assert.equal(broken.rstCode, http2.constants.NGHTTP2_INTERNAL_ERROR)
  session.close()
})

test('HTTP/2: the origin is made to wait for a client that does not read', async () => {
  let written = 0
  const blocked = Promise.withResolvers<void>()
  await using origin = await startOrigin(async (_request, response) => {
    for (let i = 0; i < 200 && !response.destroyed; i++) {
      written++
      if (!response.write(Buffer.alloc(1_000_000))) {
        const waited = setTimeout(() => blocked.resolve(), 500)
        await Promise.race([once(response, 'drain'), once(response, 'close')])
        clearTimeout(waited)
      }
    }
  })
  await using digue = await startTls({ origins: [origin.url] })
  const session = connect(digue)
  const stream = session.request({ ':path': '/' })
  stream.on('error', () => {})
  await once(stream, 'response')
  await blocked.promise
  assert.ok(written < 50, `the origin could write ${written} MB`)
  session.destroy()
})

test('HTTP/2: an early answer to an upload, a refusal, an unknown host', async () => {
  await using origin = await startOrigin((_request, response) => {
    response.writeHead(401)
    response.end('no')
  })
  await using digue = await startTls({ origins: [origin.url], site: { bodyBytes: '10MB' } })
  const session = connect(digue)
  const early = session.request({ ':method': 'POST', ':path': '/' })
  early.on('error', () => {})
  early.write(Buffer.alloc(100_000))
  const { headers, body } = await read(early)
  assert.equal(headers[':status'], 401)
  assert.equal(body.toString(), 'no')
  const large = session.request({ ':method': 'POST', ':path': '/', 'content-length': '20000000' })
  large.on('error', () => {})
  assert.equal((await read(large)).headers[':status'], 413)
  const unknown = session.request({ ':path': '/', ':authority': 'other.example' })
  assert.equal((await read(unknown)).headers[':status'], 421)
  // The connection serves on.
  assert.equal((await read(session.request({ ':path': '/' }))).headers[':status'], 401)
  session.close()
})

test('HTTPS by HTTP/1.1, and HTTP that is sent there', async () => {
  await using origin = await startOrigin((_request, response) => response.end('x'))
  await using digue = await startTls({ origins: [origin.url], site: { redirectToHttps: true } })
  const asked = https.get({
    host: '127.0.0.1',
    port: digue.port,
    headers: { host: 'localhost' },
    rejectUnauthorized: false,
  })
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  assert.equal(response.statusCode, 200)
  response.resume()
  const plain = await exchangeRaw(
    digue.edge.ports[1]!,
    'GET /a?b=c HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\n\r\n',
  )
  assert.match(plain, /^HTTP\/1\.1 308 /)
  assert.match(plain, /\r\nlocation: https:\/\/localhost\/a\?b=c\r\n/)
})

test('HTTP/2: draining says so and lets a stream finish', async () => {
  const go = Promise.withResolvers<void>()
  const arrived = Promise.withResolvers<void>()
  await using origin = await startOrigin(async (_request, response) => {
    response.write('begun ')
    arrived.resolve()
    await go.promise
    response.end('and finished')
  })
  await using digue = await startTls({ origins: [origin.url] })
  const session = connect(digue)
  const answer = read(session.request({ ':path': '/' }))
  await arrived.promise
  const goaway = once(session, 'goaway')
  const drained = digue.edge.drain(10_000)
  await goaway
  go.resolve()
  assert.equal((await answer).body.toString(), 'begun and finished')
  await drained
})

test('a WebSocket over HTTPS', async () => {
  await using origin = await startOrigin((_request, response) => response.end())
  const sockets = new WebSocketServer({ server: origin.server })
  sockets.on('connection', (socket, request) => {
    assert.equal(request.headers['x-forwarded-proto'], 'https')
    socket.on('message', (data) => socket.send(data))
  })
  await using digue = await startTls({ origins: [origin.url] })
  const client = new WebSocket(`wss://127.0.0.1:${digue.port}`, {
    rejectUnauthorized: false,
    headers: { host: 'localhost' },
  })
  await once(client, 'open')
  client.send('hello')
  const [data] = (await once(client, 'message')) as [Buffer]
  assert.equal(data.toString(), 'hello')
  client.close()
  await once(client, 'close')
})
