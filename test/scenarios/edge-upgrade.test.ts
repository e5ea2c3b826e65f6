import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { exchangeRaw, startDigue, startOrigin } from './harness.ts'

test('a WebSocket echoes, large messages too, and both ends learn of the close', async () => {
  await using origin = await startOrigin((_request, response) => response.end())
  const sockets = new WebSocketServer({ server: origin.server })
  const closed = Promise.withResolvers<number>()
  sockets.on('connection', (socket, request) => {
    assert.equal(request.headers['x-forwarded-for'], '127.0.0.1')
    socket.on('message', (data, binary) => socket.send(data, { binary }))
    socket.on('close', (code) => closed.resolve(code))
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const client = new WebSocket(digue.url.replace('http', 'ws'), { perMessageDeflate: false })
  await once(client, 'open')
  for (const size of [5, 100, 5_000_000]) {
    client.send(Buffer.alloc(size, 7))
    const [data] = (await once(client, 'message')) as [Buffer]
    assert.equal(data.length, size)
  }
  // It counts in the long-lived budget and holds no permit.
  assert.equal(digue.edge.capacityOf('*')?.inFlight, 0)
  client.close(4001)
  assert.equal(await closed.promise, 4001)
  const record = await digue.record((record) => record.status === 101)
  assert.equal(record.action, 'relay')
})

test('a client that vanishes closes the WebSocket at the origin', async () => {
  await using origin = await startOrigin((_request, response) => response.end())
  const sockets = new WebSocketServer({ server: origin.server })
  const closed = Promise.withResolvers<void>()
  sockets.on('connection', (socket) => socket.on('close', () => closed.resolve()))
  await using digue = await startDigue({ origins: [origin.url] })
  const client = new WebSocket(digue.url.replace('http', 'ws'))
  await once(client, 'open')
  client.terminate()
  await closed.promise
})

test('an upgrade that the origin refuses is answered with its answer', async () => {
  await using origin = await startOrigin((_request, response) => response.end())
  origin.server.on('upgrade', (_request, socket) => {
    socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nX-Why: no\r\n\r\nno')
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const asked = http.get(digue.url, { headers: { connection: 'upgrade', upgrade: 'websocket' } })
  const [response] = (await once(asked, 'response')) as [http.IncomingMessage]
  assert.equal(response.statusCode, 403)
  assert.equal(response.headers['x-why'], 'no')
  let text = ''
  for await (const chunk of response) text += chunk
  assert.equal(text, 'no')
})

test('an upgrade to an origin that is down gets 502', async () => {
  await using digue = await startDigue({ origins: ['http://127.0.0.1:9'] })
  const asked = http.get(digue.url, { headers: { connection: 'upgrade', upgrade: 'websocket' } })
  const [response] = (await once(asked, 'response')) as [http.IncomingMessage]
  assert.equal(response.statusCode, 502)
  response.resume()
})

test('h2c and upgrades with a body stay plain requests', async () => {
  await using origin = await startOrigin((request, response) => {
    assert.equal(request.headers['upgrade'], undefined)
    request.resume()
    request.on('end', () => response.end('plain'))
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const h2c = await exchangeRaw(
    digue.port,
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n',
  )
  assert.match(h2c, /^HTTP\/1\.1 200 OK\r\n.*plain$/s)
  const body = await exchangeRaw(
    digue.port,
    'POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc',
  )
  assert.match(body, /^HTTP\/1\.1 200 OK\r\n.*plain$/s)
})

test('bytes sent right behind an upgrade request reach the origin', async () => {
  await using origin = await startOrigin((_request, response) => response.end())
  origin.server.on('upgrade', (_request, socket: net.Socket, head) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n')
    if (head.length > 0) socket.write(head)
    socket.pipe(socket)
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const socket = net.connect(digue.port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nearly')
  let text = ''
  socket.on('data', (chunk) => (text += chunk))
  while (!text.endsWith('early')) await once(socket, 'data')
  assert.match(text, /^HTTP\/1\.1 101 /)
  socket.destroy()
})
