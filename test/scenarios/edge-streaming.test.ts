import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { request } from 'undici'
import { startDigue, startOrigin } from './harness.ts'

const MEGABYTE = 1024 * 1024

/** The largest growth of the process while `work` runs: client, Digue and origin together. */
async function growth(work: () => Promise<void>): Promise<number> {
  const before = process.memoryUsage.rss()
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss())
  }, 20)
  await work()
  clearInterval(timer)
  return most - before
}

function* megabytes(count: number): Generator<Buffer> {
  for (let i = 0; i < count; i++) yield Buffer.alloc(MEGABYTE, i)
}

test('an upload of 400 MB streams through without being kept', async () => {
  let received = 0
  await using origin = await startOrigin(async (request, response) => {
    for await (const chunk of request) received += (chunk as Buffer).length
    response.end('done')
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const grown = await growth(async () => {
    const response = await request(digue.url, { method: 'PUT', body: Readable.from(megabytes(400)) })
    assert.equal(await response.body.text(), 'done')
  })
  assert.equal(received, 400 * MEGABYTE)
  assert.ok(grown < 200 * MEGABYTE, `grew by ${grown}`)
})

test('a download of 400 MB streams through without being kept', async () => {
  await using origin = await startOrigin((_request, response) => {
    Readable.from(megabytes(400)).pipe(response)
  })
  await using digue = await startDigue({ origins: [origin.url] })
  let received = 0
  const grown = await growth(async () => {
    const response = await request(digue.url)
    for await (const chunk of response.body) received += (chunk as Buffer).length
  })
  assert.equal(received, 400 * MEGABYTE)
  assert.ok(grown < 200 * MEGABYTE, `grew by ${grown}`)
})

test('a client that does not read makes the origin wait', async () => {
  let written = 0
  const blocked = Promise.withResolvers<void>()
  await using origin = await startOrigin(async (_request, response) => {
    for (const chunk of megabytes(200)) {
      if (response.destroyed) return
      written++
      if (!response.write(chunk)) {
        const waited = setTimeout(() => blocked.resolve(), 500)
        await Promise.race([once(response, 'drain'), once(response, 'close')])
        clearTimeout(waited)
      }
    }
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const socket = net.connect(digue.port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await blocked.promise
  assert.ok(written < 100, `the origin could write ${written} MB`)
  socket.destroy()
})

test('a client that leaves in the middle of a download ends it at the origin, and its connection is not lost', async () => {
  const closed = Promise.withResolvers<void>()
  let asked = 0
  await using origin = await startOrigin((_request, response) => {
    if (++asked > 1) {
      response.end('second')
      return
    }
    response.on('close', () => closed.resolve())
    Readable.from(megabytes(1000)).pipe(response)
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const socket = net.connect(digue.port, '127.0.0.1')
  socket.write('GET /big HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(socket, 'data')
  socket.pause()
  // Long enough for every buffer on the way to be full: the undici handler has said "no more".
  await new Promise((resolve) => setTimeout(resolve, 300))
  socket.destroy()
  await closed.promise
  const record = await digue.record((record) => record.target === '/big')
  assert.equal(record.reason, 'client-gone')
  assert.equal(await (await request(digue.url)).body.text(), 'second')
})

test('a client that leaves while it waits for the origin ends the request there', async () => {
  const closed = Promise.withResolvers<void>()
  const arrived = Promise.withResolvers<void>()
  await using origin = await startOrigin((request) => {
    arrived.resolve()
    request.on('close', () => closed.resolve())
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const socket = net.connect(digue.port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await arrived.promise
  socket.destroy()
  await closed.promise
})

test('a client that leaves in the middle of an upload ends it at the origin', async () => {
  const aborted = Promise.withResolvers<void>()
  const arrived = Promise.withResolvers<void>()
  await using origin = await startOrigin((request) => {
    arrived.resolve()
    request.on('error', () => {})
    request.on('close', () => aborted.resolve())
    request.resume()
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const socket = net.connect(digue.port, '127.0.0.1')
  socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n')
  socket.write(Buffer.alloc(200_000))
  await arrived.promise
  socket.destroy()
  await aborted.promise
})

test('an origin that breaks off in the middle of an answer is not taken for a complete one', async () => {
  await using origin = await startOrigin((_request, response) => {
    response.writeHead(200, { 'content-length': 1000 })
    response.write('some')
    setImmediate(() => response.destroy())
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const response = await request(digue.url)
  await assert.rejects(response.body.text())
  const record = await digue.record(() => true)
  assert.equal(record.action, 'fail')
})

test('a small body is complete before the origin hears of the request', async () => {
  let asked = 0
  await using origin = await startOrigin(async (request, response) => {
    asked++
    let text = ''
    for await (const chunk of request) text += chunk
    response.end(text)
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const slow = http.request(digue.url, { method: 'POST', headers: { 'content-length': 10 } })
  slow.write('12345')
  // Another request on another connection goes through meanwhile.
  assert.equal(await (await request(digue.url)).body.text(), '')
  assert.equal(asked, 1)
  slow.end('67890')
  const [response] = (await once(slow, 'response')) as [http.IncomingMessage]
  let text = ''
  for await (const chunk of response) text += chunk
  assert.equal(text, '1234567890')
  assert.equal(asked, 2)
})

test('who declares a large body and sends nothing keeps nobody from the origin', async () => {
  await using origin = await startOrigin((_request, response) => void response.end('page'))
  await using digue = await startDigue({ origins: [origin.url], site: { maxInFlight: 1 } })
  const silent = Array.from({ length: 5 }, () => {
    const socket = net.connect(digue.port, '127.0.0.1')
    socket.write('POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000000\r\n\r\nx')
    return socket
  })
  await new Promise((resolve) => setTimeout(resolve, 200))
  const started = performance.now()
  const response = await request(digue.url)
  assert.equal(await response.body.text(), 'page')
  assert.ok(performance.now() - started < 900, 'it stood in line behind those who send nothing')
  for (const socket of silent) socket.destroy()
})

test('a body beyond the cap is refused, declared or not', async () => {
  await using origin = await startOrigin((request, response) => {
    request.resume()
    request.on('end', () => response.end('ok'))
  })
  await using digue = await startDigue({ origins: [origin.url], site: { bodyBytes: '100kB' } })
  const declared = await request(digue.url, { method: 'POST', body: Buffer.alloc(100_001) })
  assert.equal(declared.statusCode, 413)
  const chunked = http.request(digue.url, { method: 'POST', headers: { 'transfer-encoding': 'chunked' } })
  chunked.on('error', () => {})
  for (let i = 0; i < 20; i++) chunked.write(Buffer.alloc(10_000))
  const [response] = (await once(chunked, 'response')) as [http.IncomingMessage]
  assert.equal(response.statusCode, 413)
  chunked.destroy()
  const fits = await request(digue.url, { method: 'POST', body: Buffer.alloc(100_000) })
  assert.equal(await fits.body.text(), 'ok')
})

test('an origin that answers before the upload is over is heard', async () => {
  await using origin = await startOrigin((_request, response) => {
    response.writeHead(401, { 'content-length': 2 })
    response.end('no')
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const upload = http.request(digue.url, { method: 'POST', headers: { 'content-length': 50_000_000 } })
  upload.on('error', () => {})
  upload.write(Buffer.alloc(200_000))
  const [response] = (await once(upload, 'response')) as [http.IncomingMessage]
  assert.equal(response.statusCode, 401)
  upload.destroy()
})

test('a body that trickles in is cut off and never reaches the origin', async () => {
  let asked = 0
  await using origin = await startOrigin((_request, response) => {
    asked++
    response.end('x')
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const slow = http.request(digue.url, { method: 'POST', headers: { 'content-length': 1000 } })
  slow.on('error', () => {})
  const trickle = setInterval(() => slow.write('x'), 500)
  const [response] = (await once(slow, 'response')) as [http.IncomingMessage]
  clearInterval(trickle)
  assert.equal(response.statusCode, 408)
  assert.equal(asked, 0)
  slow.destroy()
})

test('a client that stops reading an answer is cut off, and the origin is freed', async () => {
  const closed = Promise.withResolvers<void>()
  await using origin = await startOrigin((request, response) => {
    request.resume()
    response.on('close', () => closed.resolve())
    Readable.from(megabytes(200)).pipe(response)
  })
  await using digue = await startDigue({ origins: [origin.url] })
  const socket = net.connect(digue.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n')
  await once(socket, 'data')
  socket.pause()
  await closed.promise
  assert.equal((await digue.record(() => true)).reason, 'slow-reading')
  await digue.counted('slow-reading')
  socket.destroy()
})

test('an answer that arrives at its client before the rest of the upload is not lost in a reset', async () => {
  await using origin = await startOrigin((_request, response) => response.end('x'))
  await using digue = await startDigue({ origins: [origin.url], site: { bodyBytes: '100kB' } })
  for (let i = 0; i < 20; i++) {
    const socket = net.connect({ port: digue.port, host: '127.0.0.1', allowHalfOpen: true })
    socket.on('error', () => {})
    let text = ''
    socket.on('data', (chunk) => (text += chunk))
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n')
    // All of it, without looking at the answer that is already there.
    socket.end(Buffer.alloc(200_000))
    await once(socket, 'close')
    assert.match(text, /^HTTP\/1\.1 413 /)
  }
})
