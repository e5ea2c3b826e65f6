import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { test } from 'node:test'
import { request } from 'undici'
import { exchangeRaw, startDigue, startOrigin } from './harness.ts'

test('a page comes through with its fields, and the origin learns who asked', async () => {
  await using origin = await startOrigin((request, response) => {
    response.setHeader('X-Page', 'one')
    response.setHeader('Set-Cookie', ['a=1', 'b=2'])
    response.end(JSON.stringify({ url: request.url, headers: request.headers }))
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const answer = await exchangeRaw(
    digue.port,
    'GET /x?y=1 HTTP/1.1\r\nHost: example.org\r\nX-Forwarded-For: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\n' +
      'X_Forwarded_For: 203.0.113.9\r\nConnection: close, x-hop\r\nX-Hop: 1\r\nTE: trailers\r\n\r\n',
  )
  const [head, body] = answer.split('\r\n\r\n') as [string, string]
  assert.match(head, /^HTTP\/1\.1 200 OK\r\n/)
  assert.match(head, /X-Page: one\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2/)
  const seen = JSON.parse(body) as { url: string; headers: Record<string, string> }
  assert.equal(seen.url, '/x?y=1')
  assert.equal(seen.headers['host'], 'example.org')
  assert.equal(seen.headers['x-forwarded-for'], '127.0.0.1')
  assert.equal(seen.headers['forwarded'], 'for=127.0.0.1;host=example.org;proto=http')
  assert.equal(seen.headers['x-forwarded-proto'], 'http')
  assert.equal(seen.headers['x-forwarded-host'], 'example.org')
  for (const gone of ['x-hop', 'x_forwarded_for', 'te']) assert.equal(seen.headers[gone], undefined)
})

test('an exchange leaves a record', async () => {
  await using origin = await startOrigin((_request, response) => response.end('hello'))
  await using digue = await startDigue({ origins: [origin.url] })
  await (await fetch(`${digue.url}/page`, { headers: { 'user-agent': 'test' } })).text()
  const record = await digue.record((record) => record.target === '/page')
  assert.deepEqual(
    { ...record, atMs: 0, ray: '', durationMs: 0, originMs: 0 },
    {
      atMs: 0,
      ray: '',
      site: '*',
      client: '127.0.0.1',
      asn: 0,
      method: 'GET',
      target: '/page',
      version: '1.1',
      userAgent: 'test',
      referer: '',
      action: 'relay',
      reason: '',
      lane: 'unproven',
      signature: '',
      rule: '',
      list: '',
      ja4: '',
      status: 200,
      bytes: 5,
      durationMs: 0,
      originMs: 0,
    },
  )
})

test('HEAD is answered with the length and no body', async () => {
  await using origin = await startOrigin((_request, response) => {
    response.setHeader('content-length', '12345')
    response.end()
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const { headers, body } = await request(digue.url, { method: 'HEAD' })
  assert.equal(headers['content-length'], '12345')
  assert.equal(await body.text(), '')
})

test('trailers of the response arrive', async () => {
  await using origin = await startOrigin((_request, response) => {
    response.writeHead(200, { trailer: 'x-sum' })
    response.write('body')
    response.addTrailers({ 'x-sum': 'abc' })
    response.end()
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const response = await request(digue.url)
  assert.equal(await response.body.text(), 'body')
  assert.deepEqual({ ...response.trailers }, { 'x-sum': 'abc' })
})

test('a range passes, and so does its answer', async () => {
  await using origin = await startOrigin((request, response) => {
    assert.equal(request.headers['range'], 'bytes=2-4')
    response.writeHead(206, { 'content-range': 'bytes 2-4/10', 'content-length': 3 })
    response.end('cde')
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const response = await request(digue.url, { headers: { range: 'bytes=2-4' } })
  assert.equal(response.statusCode, 206)
  assert.equal(response.headers['content-range'], 'bytes 2-4/10')
  assert.equal(await response.body.text(), 'cde')
})

test('early hints arrive before the answer', async () => {
  await using origin = await startOrigin((_request, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' })
    response.end('page')
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const asked = http.get(digue.url)
  // Both may be in one read: whoever waits for the second only then has missed it.
  const answered = once(asked, 'response')
  const [information] = (await once(asked, 'information')) as [http.InformationEvent]
  assert.equal(information.statusCode, 103)
  assert.equal(information.headers['link'], '</style.css>; rel=preload; as=style')
  const [response] = (await answered) as [http.IncomingMessage]
  assert.equal(response.statusCode, 200)
  response.resume()
  await once(response, 'end')
})

test('100-continue is answered before a body is sent, small or large', async () => {
  await using origin = await startOrigin((request, response) => {
    assert.equal(request.headers['expect'], undefined)
    let bytes = 0
    request.on('data', (chunk: Buffer) => (bytes += chunk.length))
    request.on('end', () => response.end(String(bytes)))
  })
  await using digue = await startDigue({ origins: [origin.url] })
  for (const size of [1000, 1_000_000]) {
    const asked = http.request(digue.url, {
      method: 'POST',
      headers: { expect: '100-continue', 'content-length': size },
    })
    asked.flushHeaders()
    await once(asked, 'continue')
    asked.end(Buffer.alloc(size))
    const [response] = (await once(asked, 'response')) as [http.IncomingMessage]
    let text = ''
    for await (const chunk of response) text += chunk
    assert.equal(text, String(size))
  }
})

test('connections of clients are kept alive, and so are those to the origin', async () => {
  await using origin = await startOrigin((_request, response) => response.end('x'))
  await using digue = await startDigue({ origins: [origin.url] })
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  const ports = new Set<number>()
  for (let i = 0; i < 5; i++) {
    const asked = http.get(digue.url, { agent })
    const [response] = (await once(asked, 'response')) as [http.IncomingMessage]
    ports.add(response.socket.localPort!)
    response.resume()
    await once(response, 'end')
    // The socket returns to the agent after this turn.
    await new Promise((resolve) => setImmediate(resolve))
  }
  agent.destroy()
  assert.equal(ports.size, 1)
  assert.equal(origin.connections, 1)
})

test('an unknown host gets 421 and a closed connection', async () => {
  await using origin = await startOrigin((_request, response) => response.end('x'))
  await using digue = await startDigue({
    sites: [{ hosts: ['example.org', '*.example.org'], origins: [origin.url] }],
  })
  assert.equal((await request(digue.url, { headers: { host: 'www.example.org' } })).statusCode, 200)
  assert.equal((await request(digue.url, { headers: { host: 'EXAMPLE.org:8080' } })).statusCode, 200)
  const wrong = await request(digue.url, { headers: { host: 'other.example' } })
  assert.equal(wrong.statusCode, 421)
  assert.equal(wrong.headers['connection'], 'close')
  await digue.counted('unknown-host')
})
