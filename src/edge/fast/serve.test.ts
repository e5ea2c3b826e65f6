/** Stored pages on the fast path: bounded for slow readers, and the connection goes on afterwards. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Instead } from '../cache/filling.ts'
import type { Exchange } from '../exchange.ts'
import { Client, GET, relay, Stage, scriptedOrigin } from './stage.fixture.ts'

function page(body: Uint8Array, extra: Partial<Instead['served']> = {}): Instead {
  const fields = ['content-length', String(body.length)]
  return { served: { status: 200, fields, body, ...extra }, reason: '' }
}

async function serving(answer: (exchange: Exchange) => Instead, limits = {}) {
  const stage = await Stage.open(
    { port: 1 },
    {
      limits,
      decide: (exchange) => {
        exchange.relaying = true
        exchange.carrier.serve!(exchange, answer(exchange))
      },
    },
  )
  return { stage, client: new Client(stage.port), [Symbol.asyncDispose]: () => stage.close() }
}

const LARGE = Buffer.from(Array.from({ length: 400_000 }, (_, n) => `${n},`).join(''))

test('a large body arrives whole, and the next request is answered on the same connection', async () => {
  await using made = await serving(({ head }) => page(head.target === '/' ? LARGE : Buffer.from('small')))
  const { client, stage } = made
  client.send(`${GET}${GET.replace('/', '/next')}`)
  const text = await client.until(/small$/)
  assert.ok(text.includes(`\r\n\r\n${LARGE}HTTP/1.1 200`))
  const ends = await stage.ends(2)
  assert.deepEqual(
    ends.map(({ action, bytes }) => [action, bytes]),
    [
      ['store', LARGE.length],
      ['store', 5],
    ],
  )
  assert.equal(stage.transport.buffered, 0)
})

test('little of a large body waits for a client that does not read, and what it got is what is counted', async () => {
  await using made = await serving(() => page(Buffer.alloc(64 * 2 ** 20, 'x')))
  const { client, stage } = made
  client.socket.pause()
  client.send(GET)
  while (stage.transport.buffered === 0) await new Promise((resolve) => setImmediate(resolve))
  const [socket] = [...stage.accepted]
  assert.ok(socket!.writableLength <= 600_000, `${socket!.writableLength} bytes wait`)
  assert.equal(stage.transport.buffered, socket!.writableLength)
  client.socket.destroy()
  const [end] = await stage.ends(1)
  assert.equal(end!.reason, 'client-gone')
  assert.ok(end!.bytes < 32 * 2 ** 20)
  assert.equal(stage.transport.buffered, 0)
})

test('a reader of a stored page that is slower than the least pace is cut; a fair one is not', async () => {
  await using made = await serving(() => page(Buffer.alloc(64 * 2 ** 20, 'x')))
  const { client, stage } = made
  client.socket.pause()
  client.send(GET)
  while (stage.transport.buffered === 0) await new Promise((resolve) => setImmediate(resolve))
  // Reads at a fair pace, though for long.
  for (let n = 0; n < 5; n++) {
    const before = client.text.length
    client.socket.resume()
    // More than kernels hold on both sides.
    await client.until((text) => text.length > before + 10_000_000)
    client.socket.pause()
    stage.pass(15_000)
  }
  assert.equal(stage.results.length, 0)
  stage.pass(40_000)
  const [end] = await stage.ends(1)
  assert.equal(end!.reason, 'slow-reading')
})

test('HEAD, 304 and an empty page leave the connection ready for the next request', async () => {
  const nothing = new Uint8Array(0)
  await using made = await serving(({ head }) => {
    if (head.method === 'HEAD') return page(nothing, { fields: ['content-length', '10'] })
    if (head.target === '/304') return page(nothing, { status: 304, fields: ['etag', '"1"'] })
    return page(nothing)
  })
  const { client, stage } = made
  client.send(GET.replace('GET /', 'HEAD /'))
  await stage.ends(1)
  client.send(GET.replace('/', '/304')).send(GET)
  await stage.ends(3)
  const heads = (await client.until(/(HTTP[\s\S]*){3}\r\n\r\n$/)).split('\r\n\r\n')
  assert.deepEqual(
    heads.map((head) => head.slice(0, 12)),
    ['HTTP/1.1 200', 'HTTP/1.1 304', 'HTTP/1.1 200', ''],
  )
})

test('"Connection: close" is heard, and a connection that drains closes after what is served', async () => {
  await using made = await serving(() => page(Buffer.from('page')))
  const { client, stage } = made
  client.send(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))
  await client.closed
  assert.match(client.text, /connection: close\r\n\r\npage$/)
  const other = new Client(stage.port)
  other.send(GET)
  await other.until(/page$/)
  other.send('GET /later HTTP/1.1\r\n')
  await new Promise((resolve) => setTimeout(resolve, 20))
  stage.transport.drain()
  other.send('Host: a\r\n\r\n')
  await other.closed
  assert.match(other.text, /connection: close\r\n\r\npage$/)
})

test('what stands in for a failed answer comes behind interim responses, and the origin is done with', async () => {
  const origin = await scriptedOrigin((_head, socket) => {
    socket.write('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n')
    setTimeout(() => socket.write('HTTP/1.1 503 Busy\r\ncontent-length: 9\r\n\r\nhalf'), 20)
  })
  const ended: string[] = []
  const instead = page(Buffer.from('stored'))
  const fill = {
    target: '/other',
    conditions: undefined,
    instead,
    ownFields: [],
    answered: () => 'instead' as const,
    data: () => {},
    completed: () => ended.push('completed'),
    abandoned: () => ended.push('abandoned'),
    standIn: () => instead,
  }
  const asked: string[] = []
  const stage = await Stage.open(origin, {
    decide: (exchange) => {
      exchange.fill = fill
      asked.push(exchange.head.target)
      relay(exchange)
    },
  })
  const client = new Client(stage.port)
  client.send(GET)
  assert.match(await client.until(/stored$/), /^HTTP\/1\.1 103 [\s\S]*\r\n\r\nHTTP\/1\.1 200 /)
  client.send(GET)
  const [first] = await stage.ends(2)
  assert.deepEqual([first!.action, first!.status, first!.bytes], ['store', 200, 6])
  assert.deepEqual(stage.origins, { ok: 2, failed: [], returned: 0, picked: 2 })
  assert.deepEqual(asked, ['/', '/'])
  await stage.close()
  await origin.close()
})
