import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { buildAnswer } from '../answers.ts'
import { selfSigned } from '../listen/self-signed.ts'
import {
  Client,
  GET,
  type Listener,
  relay,
  Stage,
  type StageOptions,
  scriptedOrigin,
} from './stage.fixture.ts'

const open: { close(): Promise<void> }[] = []
after(async () => {
  for (const each of open.reverse()) await each.close()
})

type Script = Parameters<typeof scriptedOrigin>[0]
async function stage(
  script: Script | undefined,
  options: StageOptions = {},
): Promise<{ stage: Stage; client: Client; origin: Listener }> {
  const origin = await scriptedOrigin(
    script ?? ((_, socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')),
  )
  open.push(origin)
  const made = await Stage.open(origin, options)
  open.push(made)
  return { stage: made, client: new Client(made.port), origin }
}
const BUSY = buildAnswer(503, ['retry-after', '5'], 'busy')
function shed(exchange: Parameters<NonNullable<StageOptions['decide']>>[0], close = false): void {
  exchange.carrier.answer(exchange, BUSY, close)
  exchange.end({ action: 'shed', reason: 'over-share', status: 503, bytes: 4, outcome: 'abandoned' })
}

test('a request reaches the origin with its fields in order, without hop-by-hop and forwarding fields', async () => {
  const heads: string[] = []
  const { client } = await stage((head, socket) => {
    heads.push(head)
    socket.write(
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\r\nok',
    )
  })
  client.send(
    'GET /a?b HTTP/1.1\r\nHost: Example.org:80\r\nUser-Agent: x\r\nConnection: keep-alive\r\nTE: trailers\r\nX-Forwarded-For: 9.9.9.9\r\nAccept: */*\r\nX_Forwarded_Host: evil\r\n\r\n',
  )
  assert.equal(await client.until(/ok$/), 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nok')
  assert.equal(
    heads[0],
    'GET /a?b HTTP/1.1\r\nHost: Example.org:80\r\nUser-Agent: x\r\nAccept: */*\r\n' +
      'Forwarded: for=127.0.0.1;host="Example.org:80";proto=http\r\nX-Forwarded-For: 127.0.0.1\r\n' +
      'X-Forwarded-Host: Example.org:80\r\nX-Forwarded-Proto: http\r\n\r\n',
  )
})

test('pipelined requests are answered one at a time and in order, over one origin connection', async () => {
  const {
    stage: made,
    client,
    origin,
  } = await stage((head, socket, count) => {
    const target = head.split(' ')[1]!
    setImmediate(() => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`))
    assert.equal(made.results.length, count - 1)
  })
  client.send(
    'GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  )
  await client.closed
  assert.deepEqual(client.text.match(/\/\d$|\/\d(?=HTTP)/gm), ['/1', '/2', '/3'])
  assert.equal(client.text.match(/connection: close/g)?.length, 1)
  assert.equal(origin.sockets.size, 1)
  assert.deepEqual(
    made.results.map((end) => end.reason),
    ['', '', ''],
  )
})

test('a head fed byte by byte is served, and one that never ends gets 408 at its deadline', async () => {
  const { stage: made, client } = await stage(undefined)
  for (const byte of GET) {
    client.send(byte)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await client.until(/ok$/)
  const slow = new Client(made.port)
  slow.send('GET / HT')
  while (made.accepted.size < 2) await new Promise((resolve) => setImmediate(resolve))
  await new Promise<void>((resolve) => [...made.accepted][1]!.on('data', () => resolve()))
  made.pass(9_000)
  slow.send('TP/1.1\r\nHost: a\r\n')
  await new Promise<void>((resolve) => [...made.accepted][1]!.on('data', () => resolve()))
  assert.equal(slow.text, '')
  made.pass(1_300)
  assert.match(await slow.until(/\r\n\r\n/), /^HTTP\/1\.1 408 [\s\S]*connection: close/)
  await slow.closed
})

test('an oversize head gets 431, whole or in pieces', async () => {
  const { stage: made, client } = await stage(undefined, { limits: { headBytes: 1000 } })
  client.send(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(1000)}\r\n\r\n`)
  assert.match(await client.until(/\r\n\r\n/), /^HTTP\/1\.1 431 /)
  const other = new Client(made.port)
  other.send(`GET / HTTP/1.1\r\nHost: a\r\nX: `)
  for (let i = 0; i < 12 && !other.socket.destroyed; i++) {
    other.send('x'.repeat(100))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  assert.match(await other.until(/\r\n\r\n/), /^HTTP\/1\.1 431 /)
})

test('an idle connection is closed at its deadline, without a word', async () => {
  const { stage: made, client } = await stage(undefined)
  await client.send(GET).until(/ok$/)
  const before = client.text
  made.pass(60_300)
  await client.closed
  assert.equal(client.text, before)
  assert.equal(made.transport.size, 0)
})

const BODIES: readonly [name: string, response: string, toClient: string, head?: boolean][] = [
  [
    'HEAD with a length',
    'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n',
    true,
  ],
  [
    'HEAD of a chunked response',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    'HTTP/1.1 200 OK\r\n\r\n',
    true,
  ],
  ['204', 'HTTP/1.1 204 No Content\r\n\r\n', 'HTTP/1.1 204 No Content\r\n\r\n'],
  [
    '304 with a length',
    'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
    'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
  ],
  [
    'an empty body',
    'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  ],
  [
    'chunks with extension and trailers',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-T: 1\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTrailer: X-T\r\ntransfer-encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-T: 1\r\n\r\n',
  ],
  [
    '100 ignored',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na',
  ],
  [
    '103 passed on',
    'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na',
    'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na',
  ],
  [
    'no reason phrase',
    'HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na',
    'HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\na',
  ],
]
for (const [name, response, expected, head] of BODIES) {
  for (const pieces of ['whole', 'byte by byte'] as const) {
    test(`${name}, ${pieces}: passed on, and the connections are used again`, async () => {
      const {
        stage: made,
        client,
        origin,
      } = await stage(async (_, socket) => {
        if (pieces === 'whole') socket.write(response, 'latin1')
        else {
          socket.setNoDelay(true)
          for (const byte of response) {
            socket.write(byte, 'latin1')
            await new Promise((resolve) => setImmediate(resolve))
          }
        }
      })
      const request = head ? GET.replace('GET', 'HEAD') : GET
      client.send(request)
      await made.ends(1)
      client.send(request)
      await made.ends(2)
      assert.equal(await client.until((text) => text.length >= 2 * expected.length), expected + expected)
      assert.equal(origin.sockets.size, 1)
      assert.deepEqual(
        made.results.map((end) => [end.action, end.outcome]),
        [
          ['relay', 'answered'],
          ['relay', 'answered'],
        ],
      )
    })
  }
}

test('a body that ends with the connection is sent in chunks, so that the client can tell its end', async () => {
  const { client, stage: made } = await stage((_, socket) =>
    socket.end('HTTP/1.0 200 OK\r\nX: y\r\n\r\nhello'),
  )
  client.send(GET)
  assert.match(
    await client.until(/0\r\n\r\n$/),
    /^HTTP\/1\.1 200 OK\r\nX: y\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/,
  )
  client.send(GET)
  await made.ends(2)
  assert.equal(made.transport.origins.idle, 0)
})

const BAD_HEADS: readonly [name: string, response: string, reason: string][] = [
  ['garbage', 'SSH-2.0-OpenSSH\r\n\r\n', 'origin-status-line'],
  [
    'both lengths',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    'origin-both-lengths',
  ],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 'origin-length'],
  ['a folded field', 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n', 'origin-field-syntax'],
  ['an unknown coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', 'origin-coding'],
  ['a change of protocol', 'HTTP/1.1 101 Switching Protocols\r\n\r\n', 'origin-upgrade'],
  ['bad chunks at once', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n', 'origin-chunk'],
]
for (const [name, response, reason] of BAD_HEADS) {
  test(`an origin that sends ${name} gives 502 with the reason, and the client's connection lives on`, async () => {
    const { client, stage: made } = await stage((_, socket, count) => {
      socket.write(count === 1 ? response : 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    })
    client.send(GET)
    await made.ends(1)
    assert.match(
      await client.until(/\r\n\r\n/),
      new RegExp(String.raw`^HTTP/1\.1 502 [\s\S]*digue-error: ${reason}`),
    )
    client.send(GET)
    await client.until(/ok$/)
    assert.deepEqual(
      made.results.map((end) => [end.action, end.reason]),
      [
        ['fail', reason],
        ['relay', ''],
      ],
    )
    assert.deepEqual(made.origins.failed, [reason])
  })
}

test('a closed origin gives 502, a second origin is tried first', async () => {
  const { stage: made, client, origin } = await stage(undefined)
  const port = origin.port
  await origin.close()
  open.splice(open.indexOf(origin), 1)
  client.send(GET)
  assert.match(await client.until(/\r\n\r\n/), /^HTTP\/1\.1 502 [\s\S]*digue-error: origin-refused/)
  assert.deepEqual([made.origins.picked, made.origins.failed.length, made.origins.returned], [2, 1, 1])
  const alive = await scriptedOrigin(
    (_, socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
  )
  open.push(alive)
  const two = await Stage.open(undefined, { ports: [port, alive.port] })
  open.push(two)
  await new Client(two.port).send(GET).until(/ok$/)
  assert.equal(two.origins.ok, 1)
})

test('an origin that closes or resets before its head gives 502, one that is silent 504', async () => {
  const { client, stage: made } = await stage((_, socket, count) => {
    if (count === 1) socket.end()
    else if (count === 2) socket.resetAndDestroy()
  })
  client.send(GET)
  await made.ends(1)
  client.send(GET)
  await made.ends(2)
  client.send(GET)
  while (made.origins.picked < 3) await new Promise((resolve) => setImmediate(resolve))
  // Connected, so that it is the answer that is late.
  await new Promise((resolve) => setTimeout(resolve, 20))
  made.pass(60_300)
  await made.ends(3)
  await client.until(/504/)
  assert.deepEqual(client.text.match(/(?<=digue-error: )[a-z-]+/g), [
    'origin-closed',
    'origin-closed',
    'origin-timeout',
  ])
})

for (const [name, response, reason] of [
  ['a length it does not keep', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort', 'origin-length'],
  ['chunks that break off', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab', 'origin-closed'],
] as const) {
  test(`an origin with ${name}: the client's connection is cut, never completed`, async () => {
    const { client, stage: made } = await stage((_, socket) => socket.end(response))
    client.send(GET)
    await client.closed
    const [end] = await made.ends(1)
    assert.deepEqual([end!.action, end!.reason, end!.outcome], ['fail', reason, 'failed'])
    assert.match(client.text, /(short|ab)$/)
  })
}

test('bytes behind the length never reach a client, and the connection they came on is closed', async () => {
  const { client, stage: made } = await stage((_, socket, count) => {
    socket.write(
      `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${count === 1 ? 'okHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison' : 'no'}`,
    )
  })
  client.send(GET)
  await made.ends(1)
  assert.equal(made.transport.origins.idle, 0)
  client.send(GET)
  assert.doesNotMatch(await client.until(/no$/), /poison/)
})

test('a kept connection that died unseen is tried again on a fresh one, and only then', async () => {
  let sockets = 0
  const { client, stage: made } = await stage((_, socket, count) => {
    if (count === 2) socket.resetAndDestroy()
    else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    sockets = Math.max(sockets, count)
  })
  client.send(GET)
  await client.until(/ok$/)
  client.send(GET)
  await client.until((text) => text.endsWith('ok') && text.length > 50)
  assert.equal(sockets, 3)
  assert.deepEqual(
    made.results.map((end) => end.reason),
    ['', ''],
  )
  assert.deepEqual(made.origins.failed, [])
})

test('a client that leaves aborts the origin’s work, and the exchange ends once as abandoned', async () => {
  let gone: (() => void) | undefined
  const aborted = new Promise<void>((resolve) => (gone = resolve))
  const { client, stage: made } = await stage((_, socket) => {
    socket.on('close', () => gone!())
    client.socket.destroy()
  })
  client.send(GET)
  await aborted
  const [end] = await made.ends(1)
  assert.deepEqual(
    [end!.action, end!.reason, end!.outcome, end!.status],
    ['relay', 'client-gone', 'abandoned', 0],
  )
  assert.equal(made.origins.returned, 1)
  assert.equal(made.transport.size, 0)
})

test('a client that leaves while it waits withdraws its claim', async () => {
  const { client, stage: made } = await stage(undefined, { decide: () => client.socket.destroy() })
  client.send(GET)
  const [end] = await made.ends(1)
  assert.deepEqual([end!.action, end!.reason], ['shed', 'client-gone'])
})

test('answers of our own: kept alive, closed, and without body for HEAD', async () => {
  let count = 0
  const { client, stage: made } = await stage(undefined, {
    decide: (exchange) => shed(exchange, ++count === 3),
  })
  client.send(`${GET}${GET.replace('GET', 'HEAD')}${GET}${GET}`)
  await client.closed
  assert.equal(client.text, `${BUSY.keepAlive}${BUSY.headKeepAlive}${BUSY.close}`)
  assert.equal(made.results.length, 3)
})

test('a decision that comes later is answered, and what was pipelined behind it goes on', async () => {
  const { client, stage: made } = await stage(undefined, {
    decide: (exchange) =>
      void setImmediate(() => (made.results.length === 0 ? shed(exchange) : relay(exchange))),
  })
  client.send(GET + GET)
  assert.match(await client.until(/ok$/), /^HTTP\/1\.1 503 [\s\S]*busyHTTP\/1\.1 200 OK/)
})

test('dropped: closed without a byte', async () => {
  const { client, stage: made } = await stage(undefined, {
    decide: (exchange) => {
      exchange.carrier.drop(exchange)
      exchange.end({ action: 'drop', reason: 'hammering', status: 0, bytes: 0, outcome: 'abandoned' })
    },
  })
  client.send(GET)
  await client.closed
  assert.equal(client.text, '')
  assert.equal(made.results.length, 1)
})

test('a request beyond the small grammar goes to Node’s http with all its bytes, at once or later', async () => {
  const { client, stage: made } = await stage(undefined)
  const post = 'POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello'
  client.send(post)
  await client.until(/node POST \/p hello/)
  const later = new Client(made.port)
  later.send(GET + post + GET)
  assert.match(
    await later.until(/node GET/),
    /okHTTP\/1\.1 200 OK[\s\S]*node POST \/p hello[\s\S]*node GET \//,
  )
  const split = new Client(made.port)
  await split.send(GET).until(/ok$/)
  split.send('POST /s HTTP/1.1\r\nHost: a\r\nConte')
  await new Promise((resolve) => setTimeout(resolve, 5))
  split.send('nt-Length: 70000\r\n\r\n')
  split.send('y'.repeat(70_000))
  assert.match(await split.until((text) => text.length > 70_000 && text.endsWith('yy')), /node POST \/s y/)
  assert.equal(made.transport.size, 0)
})

test('draining closes idle connections and says close on the others', async () => {
  let answer: (() => void) | undefined
  const { client, stage: made } = await stage((_, socket, count) => {
    const send = () => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    if (count === 1) send()
    else answer = send
  })
  await client.send(GET).until(/ok$/)
  const busy = new Client(made.port).send(GET)
  while (answer === undefined) await new Promise((resolve) => setImmediate(resolve))
  made.transport.drain()
  await client.closed
  answer()
  await busy.closed
  assert.match(busy.text, /connection: close\r\n\r\nok$/)
  while (made.transport.size > 0) await new Promise((resolve) => setImmediate(resolve))
})

test('a slow reader of a large stream holds the origin back, and memory stays', async () => {
  const total = 200 << 20
  const block = Buffer.alloc(65_536, 0x61)
  let sent = 0
  const { client, stage: made } = await stage((_, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`)
    const push = (): void => {
      while (sent < total && !socket.destroyed) {
        sent += block.length
        if (!socket.write(block)) return void socket.once('drain', push)
      }
    }
    push()
  })
  client.send(GET)
  await client.until(/\r\n\r\n/)
  client.socket.pause()
  client.socket.removeAllListeners('data')
  // Until nothing moves any more.
  for (let before = -1; before !== sent; ) {
    before = sent
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  assert.ok(sent < total / 4, `origin was held back after ${sent} bytes`)
  assert.ok(made.transport.buffered <= 512 << 10, `${made.transport.buffered} bytes wait`)
  const rss = process.memoryUsage().rss
  let got = 0
  client.socket.on('data', (bytes) => (got += bytes.length))
  client.socket.resume()
  const [end] = await made.ends(1)
  while (got < total - 65_536 * 4) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(end!.bytes, total)
  assert.ok(process.memoryUsage().rss - rss < 96 << 20)
  assert.equal(made.transport.buffered, 0)
})

test('a reader slower than the least pace is cut, and its origin freed', async () => {
  let closed: (() => void) | undefined
  const freed = new Promise<void>((resolve) => (closed = resolve))
  const { client, stage: made } = await stage((_, socket) => {
    socket.on('close', () => closed!())
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${100 << 20}\r\n\r\n`)
    const block = Buffer.alloc(65_536)
    const push = (): void => {
      while (!socket.destroyed) if (!socket.write(block)) return void socket.once('drain', push)
    }
    push()
  })
  client.send(GET)
  await client.until(/\r\n\r\n/)
  client.socket.pause()
  while (made.transport.buffered < 128 << 10) await new Promise((resolve) => setTimeout(resolve, 10))
  await new Promise((resolve) => setTimeout(resolve, 100))
  made.pass(20_500)
  const [end] = await made.ends(1)
  assert.equal(end!.reason, 'slow-reading')
  await freed
  assert.equal(made.counters.get('slow-reading'), 1)
})

async function listening(server: Server, where: string | number): Promise<number> {
  await new Promise<void>((resolve) =>
    typeof where === 'string' ? server.listen(where, resolve) : server.listen(where, '127.0.0.1', resolve),
  )
  open.push({
    close: async () => {
      ;(server as Server & { closeAllConnections?(): void }).closeAllConnections?.()
      server.close()
    },
  })
  return (server.address() as AddressInfo).port
}

test('an origin behind a Unix socket is asked, twice over one connection', async () => {
  const path = join(tmpdir(), `digue-fast-${process.pid}.sock`)
  let connections = 0
  const server = createServer((request, response) => response.end(`unix ${request.url}`))
  server.on('connection', () => connections++)
  await listening(server, path)
  const made = await Stage.open(undefined, { ports: [0], origin: { socketPath: path } })
  open.push(made)
  const client = new Client(made.port)
  client.send(GET)
  await made.ends(1)
  client.send(GET)
  await made.ends(2)
  assert.equal((await client.until((text) => text.split('unix /').length === 3)).split('unix /').length, 3)
  assert.equal(connections, 1)
})

test('an origin over TLS: a large body in order; its certificate is checked unless told otherwise', async () => {
  const { certificate: cert, key } = selfSigned(['127.0.0.1'])
  const body = Buffer.alloc(3 << 20, 'abcdefg')
  const port = await listening(
    createSecureServer({ cert, key }, (_, response) => response.end(body)),
    0,
  )
  const made = await Stage.open(undefined, { ports: [port], origin: { secure: true, verify: false } })
  open.push(made)
  const client = new Client(made.port)
  client.send(GET)
  const text = await client.until((got) => got.length >= body.length + got.indexOf('\r\n\r\n') + 4)
  assert.equal(text.slice(text.indexOf('\r\n\r\n') + 4), body.toString('latin1'))
  client.send(GET.replace('GET', 'HEAD'))
  await made.ends(2)
  const strict = await Stage.open(undefined, { ports: [port], origin: { secure: true, verify: true } })
  open.push(strict)
  assert.match(
    await new Client(strict.port).send(GET).until(/\r\n\r\n/),
    /^HTTP\/1\.1 502 [\s\S]*digue-error: origin-tls/,
  )
})

test('an oversize head of an origin gets 502, also when it is complete in one read', async () => {
  const { client } = await stage((_, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(60_000)}`)
    setTimeout(() => socket.write(`${'x'.repeat(40_000)}\r\nContent-Length: 2\r\n\r\nok`), 20)
  })
  client.send(GET)
  assert.match(await client.until(/\r\n\r\n/), /^HTTP\/1\.1 502 [\s\S]*origin-head-too-large/)
})

test('an origin that goes quiet within a declared length is given up, one without a length is not', async () => {
  for (const [framing, stalls] of [
    ['Content-Length: 10', true],
    ['Transfer-Encoding: chunked', false],
  ] as const) {
    const { client, stage: made } = await stage(
      (_, socket) => void socket.write(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n3\r\nabc\r\n`.slice(0, -2)),
      { originTimeout: 5000 },
    )
    client.send(GET)
    await client.until(/abc/)
    made.pass(4_000)
    assert.equal(made.results.length, 0)
    made.pass(1_500)
    assert.deepEqual(
      made.results.map((end) => end.reason),
      stalls ? ['origin-stalled'] : [],
    )
    if (stalls) await client.closed
    else client.socket.destroy()
  }
})
