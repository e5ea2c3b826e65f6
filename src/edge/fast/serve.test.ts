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
    startOver: () => ended.push('start over'),
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

/** A fill that wants the rest of a page: of no use the first `misfits` times, and broken off the next `breaks`. */
function holding(body: string, { misfits = 0, breaks = 0 }) {
  const told: string[] = []
  let text = ''
  let instead: Instead | undefined
  const fill = {
    target: undefined,
    get conditions() {
      return told.length === 0 ? ['range', 'bytes=2-'] : []
    },
    get instead() {
      return instead
    },
    ownFields: [],
    answered: () => {
      told.push('head')
      return misfits-- > 0 ? ('again' as const) : ('hold' as const)
    },
    data: (bytes: Uint8Array) => void (text += Buffer.from(bytes).toString()),
    completed: () => {
      told.push(`completed ${text}`)
      if (breaks-- <= 0) instead = page(Buffer.from(body))
      text = ''
    },
    startOver: () => {
      told.push('start over')
      text = ''
    },
    abandoned: () => told.push('abandoned'),
    standIn: () => undefined,
  }
  return { fill, told }
}

for (const framing of ['length', 'chunked', 'close'] as const)
  test(`what is held is no part of the answer, and what comes of it is (${framing})`, async () => {
    const rest = {
      length: ['content-length: 8\r\n\r\nthe', ' rest'],
      chunked: ['transfer-encoding: chunked\r\n\r\n3\r\nthe', '\r\n5\r\n rest\r\n0\r\n\r\n'],
      close: ['connection: close\r\n\r\nthe', ' rest'],
    }[framing]
    const asked: string[] = []
    const origin = await scriptedOrigin((head, socket) => {
      asked.push(/^range: .*$/m.exec(head)?.[0] ?? 'the whole')
      socket.write(`HTTP/1.1 206 Partial Content\r\n${rest[0]}`)
      setTimeout(() => (framing === 'close' ? socket.end(rest[1]!) : socket.write(rest[1]!)), 10)
    })
    const { fill, told } = holding('whole', { misfits: 1, breaks: 1 })
    const stage = await Stage.open(origin, {
      decide: (exchange) => {
        exchange.fill = fill
        relay(exchange)
      },
    })
    const client = new Client(stage.port)
    client.send(GET)
    assert.match(await client.until(/whole$/), /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nwhole$/)
    const [end] = await stage.ends(1)
    assert.deepEqual([end!.action, end!.status, end!.bytes], ['store', 200, 5])
    assert.deepEqual(asked, ['range: bytes=2-', 'the whole', 'the whole'])
    assert.deepEqual(told, ['head', 'head', 'completed the rest', 'head', 'completed the rest', 'abandoned'])
    assert.deepEqual(stage.origins, { ok: 3, failed: [], returned: 0, picked: 3 })
    await stage.close()
    await origin.close()
  })

test('what is held and breaks off is asked for again; a client that leaves meanwhile is seen', async () => {
  let times = 0
  const origin = await scriptedOrigin((_head, socket) => {
    socket.write('HTTP/1.1 206 Partial Content\r\ncontent-length: 8\r\n\r\nthe')
    if (++times === 1) setTimeout(() => socket.destroy(), 10)
    else if (times === 2) socket.write(' rest')
  })
  const { fill, told } = holding('whole', {})
  const stage = await Stage.open(origin, {
    decide: (exchange) => {
      exchange.fill = fill
      relay(exchange)
    },
  })
  const client = new Client(stage.port)
  client.send(GET)
  await client.until(/\r\n\r\nwhole$/)
  assert.deepEqual(told, ['head', 'start over', 'head', 'completed the rest', 'abandoned'])
  client.send(GET)
  while (times < 3) await new Promise((resolve) => setTimeout(resolve, 5))
  client.socket.destroy()
  const [, end] = await stage.ends(2)
  assert.deepEqual([end!.reason, end!.bytes, end!.outcome], ['client-gone', 0, 'abandoned'])
  await stage.close()
  await origin.close()
})
