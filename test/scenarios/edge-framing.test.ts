import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { exchangeRaw, startDigue, startRawOrigin } from './harness.ts'

/** Behind each attack: were the first request misread, this one would reach the origin as one of its own. */
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'

const ATTACKS: { name: string; bytes: string }[] = [
  {
    name: 'both lengths',
    bytes: `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${SMUGGLED.length + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  },
  {
    name: 'two lengths that differ',
    bytes: `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 38\r\n\r\n${SMUGGLED}`,
  },
  {
    name: 'two equal lengths',
    bytes: `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n${SMUGGLED}`,
  },
  {
    name: 'a list of lengths',
    bytes: `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 0\r\n\r\n${SMUGGLED}`,
  },
  { name: 'a signed length', bytes: `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n${SMUGGLED}` },
  { name: 'a negative length', bytes: `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n${SMUGGLED}` },
  {
    name: 'a length in hexadecimal',
    bytes: `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x0\r\n\r\n${SMUGGLED}`,
  },
  {
    name: 'a coding that is not chunked',
    bytes: `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n${SMUGGLED}`,
  },
  {
    name: 'identity, chunked',
    bytes: `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  },
  {
    name: 'an empty coding before chunked',
    bytes: `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  },
  {
    name: 'chunked twice',
    bytes: `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  },
  {
    name: 'xchunked',
    bytes: `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  },
  {
    name: 'a quoted chunked',
    bytes: `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  },
  {
    name: 'a space before the colon',
    bytes: `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  },
  {
    name: 'a vertical tab before chunked',
    bytes: `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  },
  {
    name: 'chunked in HTTP/1.0',
    bytes: `POST / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  },
  { name: 'a folded field', bytes: `GET / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n${SMUGGLED}` },
  { name: 'a bare LF', bytes: `GET / HTTP/1.1\nHost: x\n\n${SMUGGLED}` },
  { name: 'a bare LF in the fields', bytes: `GET / HTTP/1.1\r\nHost: x\nX-A: b\r\n\r\n${SMUGGLED}` },
  { name: 'a bare CR in a value', bytes: `GET / HTTP/1.1\r\nHost: x\r\nX-A: b\rc\r\n\r\n${SMUGGLED}` },
  { name: 'a NUL in a value', bytes: `GET / HTTP/1.1\r\nHost: x\r\nX-A: b\0c\r\n\r\n${SMUGGLED}` },
  { name: 'a NUL in the target', bytes: `GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n${SMUGGLED}` },
  { name: 'no Host', bytes: `GET / HTTP/1.1\r\n\r\n${SMUGGLED}` },
  { name: 'two Host fields', bytes: `GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n${SMUGGLED}` },
  { name: 'a Host that is a path', bytes: `GET / HTTP/1.1\r\nHost: a/../b\r\n\r\n${SMUGGLED}` },
  { name: 'a Host with user information', bytes: `GET / HTTP/1.1\r\nHost: a@b\r\n\r\n${SMUGGLED}` },
  { name: 'a target that names another host', bytes: `GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n${SMUGGLED}` },
  { name: 'a target without a slash', bytes: `GET index.html HTTP/1.1\r\nHost: x\r\n\r\n${SMUGGLED}` },
  { name: 'a fragment', bytes: `GET /#a HTTP/1.1\r\nHost: x\r\n\r\n${SMUGGLED}` },
  { name: 'HTTP/0.9', bytes: `GET /\r\n${SMUGGLED}` },
  { name: 'HTTP/2 by its preface', bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' },
  { name: 'CONNECT', bytes: `CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n${SMUGGLED}` },
  { name: 'an unknown version', bytes: `GET / HTTP/1.2\r\nHost: x\r\n\r\n${SMUGGLED}` },
  { name: 'a field without a name', bytes: `GET / HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n${SMUGGLED}` },
  { name: 'a field without a colon', bytes: `GET / HTTP/1.1\r\nHost: x\r\nabc\r\n\r\n${SMUGGLED}` },
]

const CHUNKS: { name: string; bytes: string }[] = [
  { name: 'a chunk size that is no number', bytes: 'zz\r\nabc\r\n0\r\n\r\n' },
  { name: 'a chunk size with a sign', bytes: '+3\r\nabc\r\n0\r\n\r\n' },
  { name: 'a chunk size with 0x', bytes: '0x3\r\nabc\r\n0\r\n\r\n' },
  { name: 'a chunk size beyond 64 bits', bytes: '10000000000000003\r\nabc\r\n0\r\n\r\n' },
  { name: 'a chunk longer than it says', bytes: '2\r\nabc\r\n0\r\n\r\n' },
  { name: 'a chunk ended by LF alone', bytes: '3\nabc\r\n0\r\n\r\n' },
  { name: 'chunk data ended by LF alone', bytes: '3\r\nabc\n0\r\n\r\n' },
]

async function withOrigin(work: (port: number, seen: () => string) => Promise<void>): Promise<void> {
  let seen = ''
  await using origin = await startRawOrigin((socket) => {
    socket.on('data', (chunk) => {
      seen += chunk.toString('latin1')
      if (seen.includes('\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    })
  })
  await using digue = await startDigue({ origins: [origin.url] })
  await work(digue.port, () => seen)
  assert.deepEqual(
    digue.events.filter((event) => event.code === 'thread-died'),
    [],
  )
}

test('ambiguous framing gets one 400 and a closed connection, and nothing reaches the origin', async (t) => {
  await withOrigin(async (port, seen) => {
    for (const attack of ATTACKS) {
      await t.test(attack.name, async () => {
        const answer = await exchangeRaw(port, attack.bytes)
        assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/)
        assert.match(answer, /connection: close\r\n/i)
        assert.equal(answer.match(/HTTP\/1\.1 /g)?.length, 1)
        assert.equal(seen(), '')
      })
    }
  })
})

test('the same behind a good request on the same connection', async (t) => {
  await withOrigin(async (port) => {
    for (const attack of ATTACKS) {
      await t.test(attack.name, async () => {
        const socket = net.connect(port, '127.0.0.1')
        socket.on('error', () => {})
        socket.write('GET /first HTTP/1.1\r\nHost: x\r\n\r\n')
        let text = ''
        socket.on('data', (chunk) => (text += chunk))
        while (!text.endsWith('ok')) await once(socket, 'data')
        socket.write(Buffer.from(attack.bytes, 'latin1'))
        await once(socket, 'end')
        assert.match(text.slice(text.indexOf('ok') + 2), /^HTTP\/1\.1 400 Bad Request\r\n/)
        assert.equal(text.match(/HTTP\/1\.1 /g)?.length, 2)
        socket.destroy()
      })
    }
  })
})

test('bad chunks end the request, whatever follows them', async (t) => {
  await withOrigin(async (port, seen) => {
    for (const chunk of CHUNKS) {
      await t.test(chunk.name, async () => {
        const answer = await exchangeRaw(
          port,
          `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.bytes}${SMUGGLED}`,
        )
        assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/)
        assert.equal(answer.match(/HTTP\/1\.1 /g)?.length, 1)
        assert.equal(seen(), '')
      })
    }
  })
})

test('a head beyond the cap gets 431', async () => {
  await withOrigin(async (port, seen) => {
    const answer = await exchangeRaw(port, `GET / HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(40_000)}\r\n\r\n`)
    assert.match(answer, /^HTTP\/1\.1 431 /)
    assert.equal(seen(), '')
  })
})

test('a head that never ends is cut off at the deadline', async () => {
  await using digue = await startDigue({ config: { limits: { headTimeout: '1s' } } })
  const answer = await exchangeRaw(digue.port, 'GET / HTTP/1.1\r\nHost: x\r\nX-')
  assert.match(answer, /^HTTP\/1\.1 408 /)
})

test('a fault in a pipelined request is no answer to the one before it', async () => {
  const arrived = Promise.withResolvers<void>()
  await using origin = await startRawOrigin((socket) => socket.once('data', () => arrived.resolve()))
  await using digue = await startDigue({ origins: [origin.url] })
  for (const method of ['GET', 'POST']) {
    const socket = net.connect(digue.port, '127.0.0.1')
    socket.on('error', () => {})
    let text = ''
    socket.on('data', (chunk) => (text += chunk))
    socket.write(`${method} /slow HTTP/1.1\r\nHost: x\r\n\r\n`)
    await arrived.promise
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nbroken\r\n\r\n')
    if (method === 'POST') await once(socket, 'close')
    assert.equal(text, '')
    socket.destroy()
  }
})

test('pipelined requests are answered in order', async () => {
  await withOrigin(async (port) => {
    const answer = await exchangeRaw(
      port,
      'GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    )
    assert.equal(answer.match(/HTTP\/1\.1 200 OK/g)?.length, 3)
  })
})
