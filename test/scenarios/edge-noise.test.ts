import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { request } from 'undici'
import { startDigue, startOrigin, startRawOrigin } from './harness.ts'

const PIECES = [
  'GET ',
  'POST ',
  'HEAD ',
  'OPTIONS ',
  'CONNECT ',
  'PRI ',
  '/',
  '*',
  'http://x/',
  '/%00',
  '?a=b',
  '#',
  ' HTTP/1.1',
  ' HTTP/1.0',
  ' HTTP/2.0',
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  ':',
  'Host: x',
  'Host: ',
  'host:y',
  'Content-Length: 5',
  'Content-Length: 99999999999',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip',
  'Connection: upgrade',
  'Connection: close',
  'Upgrade: websocket',
  'Expect: 100-continue',
  'Expect: x',
  'TE: trailers',
  'Trailer: a',
  'hello',
  '5\r\nhello\r\n',
  '0\r\n\r\n',
  'ffffffff\r\n',
  'a'.repeat(5000),
  '\xff\xfe',
  'Range: bytes=0-1',
  'Cookie: a=b',
  'X-Forwarded-For: 1.2.3.4, ,"[::1]"',
  'Forwarded: for="',
  'PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n',
]

const noise = fc.array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ unit: 'binary', maxLength: 8 })), {
  minLength: 1,
  maxLength: 30,
})
const likely = noise.map((pieces) => ['GET / HTTP/1.1\r\nHost: x\r\n', ...pieces, '\r\n\r\n'])
const post = noise.map((pieces) => [
  'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n',
  ...pieces,
])

async function send(port: number, bytes: string): Promise<void> {
  const socket = net.connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.on('data', () => {})
  await once(socket, 'connect')
  const cut = Math.floor(bytes.length / 2)
  socket.write(Buffer.from(bytes.slice(0, cut), 'latin1'))
  await new Promise((resolve) => setImmediate(resolve))
  socket.end(Buffer.from(bytes.slice(cut), 'latin1'))
  await Promise.race([once(socket, 'close'), new Promise((resolve) => setTimeout(resolve, 30))])
  socket.destroy()
}

test('whatever clients send, no thread dies', async () => {
  await using origin = await startOrigin((request, response) => {
    request.resume()
    request.on('error', () => {})
    response.end('x')
  })
  await using digue = await startDigue({ origins: [origin.url], config: { trustedProxies: ['127.0.0.1'] } })
  await fc.assert(
    fc.asyncProperty(fc.oneof(noise, likely, post), async (pieces) => {
      await send(digue.port, pieces.join(''))
    }),
    { numRuns: 400 },
  )
  assert.equal((await request(digue.url)).statusCode, 200)
  assert.deepEqual(
    digue.events.filter((event) => event.code.startsWith('thread-')),
    [],
  )
})

test('whatever an origin sends, no thread dies', async () => {
  let answer = ''
  await using origin = await startRawOrigin((socket) => {
    socket.on('data', () => {
      socket.write(Buffer.from(answer, 'latin1'))
      setImmediate(() => socket.end())
    })
  })
  await using digue = await startDigue({ origins: [origin.url], site: { originTimeout: '1s' } })
  const parts = [
    'HTTP/1.1 200 OK\r\n',
    'HTTP/1.1 103 \r\n\r\n',
    'HTTP/1.1 100 Continue\r\n\r\n',
    'HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n',
    'HTTP/1.1 999 \xff\r\n',
    'HTTP/1.1 204 No\r\n\r\n',
    'HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n',
  ]
  const head = fc.tuple(fc.constantFrom(...parts), noise).map(([first, rest]) => first + rest.join(''))
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        head,
        noise.map((pieces) => pieces.join('')),
      ),
      fc.constantFrom('GET', 'POST', 'UPGRADE'),
      async (bytes, method) => {
        answer = bytes
        const upgrade = method === 'UPGRADE' ? 'Connection: upgrade\r\nUpgrade: websocket\r\n' : ''
        await send(
          digue.port,
          `${method === 'POST' ? 'POST' : 'GET'} / HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`,
        )
      },
    ),
    { numRuns: 300 },
  )
  answer = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine'
  assert.equal(await (await request(digue.url)).body.text(), 'fine')
  assert.deepEqual(
    digue.events.filter((event) => event.code.startsWith('thread-')),
    [],
  )
})
