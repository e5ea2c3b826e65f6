import assert from 'node:assert/strict'
import { once } from 'node:events'
import { performServerHandshake, type ServerHttp2Stream } from 'node:http2'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { after, test } from 'node:test'
import type { LimitsConfig } from '#config'
import { guardSession, h2ServerOptions } from './h2-guards.ts'

const LIMITS: LimitsConfig = {
  headBytes: 32_000,
  headTimeout: 10_000,
  idleTimeout: 60_000,
  minBytesPerSecond: 500,
  connections: 1000,
  handshakeShare: 0.6,
  streams: 100,
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const END_STREAM = 1
const ACK = 1
const END_HEADERS = 4
const Frame = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  windowUpdate: 8,
  continuation: 9,
} as const
const CANCEL = Buffer.from([0, 0, 0, 8])
/** :method GET, :scheme http, :path /, :authority x, as HPACK static indices and one literal. */
const GET = Buffer.from([0x82, 0x86, 0x84, 0x41, 0x01, 0x78])

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

interface Rig {
  socket: Socket
  counters: Map<string, number>
  streams: ServerHttp2Stream[]
  closed: Promise<unknown>
}

/** A server that answers each request with `answer`, and a raw client that has said hello. */
async function rig(answer: (stream: ServerHttp2Stream) => void, guarded = true): Promise<Rig> {
  const counters = new Map<string, number>()
  const streams: ServerHttp2Stream[] = []
  const server = createServer((socket) => {
    socket.on('error', () => {})
    const session = guarded
      ? performServerHandshake(socket, h2ServerOptions(LIMITS))
      : performServerHandshake(socket)
    if (guarded)
      guardSession(session, {
        limits: LIMITS,
        stallMs: 1500,
        count: (name) => counters.set(name, (counters.get(name) ?? 0) + 1),
      })
    session.on('error', () => {})
    session.on('stream', (stream) => {
      streams.push(stream)
      stream.on('error', () => {})
      answer(stream)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.on('error', () => {})
  socket.resume()
  const closed = new Promise((resolve) => socket.once('close', resolve))
  after(() => {
    socket.destroy()
    server.close()
  })
  socket.write(Buffer.concat([PREFACE, frame(Frame.settings, 0, 0)]))
  await once(socket, 'data')
  socket.write(frame(Frame.settings, ACK, 0))
  return { socket, counters, streams, closed }
}

const ok = (stream: ServerHttp2Stream) => {
  stream.respond({ ':status': 200 })
  stream.end('hello')
}
const never = () => {}

/** Writes `make(i)` for i = 0, 1, … until the server closes, `most` are sent, or for ever slowly. */
async function flood(
  socket: Socket,
  most: number,
  make: (i: number) => Buffer,
  perWrite = 50,
): Promise<number> {
  let sent = 0
  while (sent < most && !socket.destroyed && socket.writable) {
    const batch: Buffer[] = []
    for (let i = 0; i < perWrite && sent < most; i++) batch.push(make(sent++))
    const flushed = socket.write(Buffer.concat(batch))
    if (!flushed && !socket.destroyed)
      await Promise.race([
        once(socket, 'drain').catch(() => {}),
        new Promise((resolve) => socket.once('close', resolve)),
      ])
    else await new Promise((resolve) => setImmediate(resolve))
  }
  return sent
}

function openAndReset(i: number): Buffer {
  const id = 2 * i + 1
  return Buffer.concat([
    frame(Frame.headers, END_HEADERS | END_STREAM, id, GET),
    frame(Frame.reset, 0, id, CANCEL),
  ])
}

test('a client that resets every stream is cut off within 120 streams', async () => {
  for (const perWrite of [1, 1000]) {
    const { socket, streams, closed, counters } = await rig(never)
    await flood(socket, 5000, openAndReset, perWrite)
    await closed
    assert.ok(streams.length <= 120, `${streams.length} streams at ${perWrite} per write`)
    assert.ok(
      (counters.get('h2-reset-flood') ?? 0) + (counters.get('h2-protocol-error') ?? 0) >= 1,
      JSON.stringify([...counters]),
    )
  }
})

test('a browser that leaves a page with thirty requests under way keeps its connection', async () => {
  const { socket, streams, counters } = await rig(never)
  await flood(socket, 30, (i) => frame(Frame.headers, END_HEADERS | END_STREAM, 2 * i + 1, GET))
  await flood(socket, 30, (i) => frame(Frame.reset, 0, 2 * i + 1, CANCEL))
  while (streams.length < 30 || streams.some((stream) => !stream.destroyed))
    await new Promise((resolve) => setImmediate(resolve))
  assert.equal(socket.destroyed, false)
  assert.deepEqual([...counters], [])
})

const FLOODS: [string, (i: number) => Buffer, RegExp][] = [
  ['PING', () => frame(Frame.ping, 0, 0, Buffer.alloc(8)), /h2-ping-flood/],
  ['SETTINGS', () => frame(Frame.settings, 0, 0), /h2-settings-flood/],
  [
    'PRIORITY',
    (i) => frame(Frame.priority, 0, 2 * (i % 1000) + 1, Buffer.from([0, 0, 0, 0, 1])),
    /h2-overhead-flood|h2-protocol-error/,
  ],
  ['unknown frames', () => frame(0xfa, 0, 0, Buffer.alloc(16)), /h2-overhead-flood|h2-protocol-error/],
  [
    'WINDOW_UPDATE',
    () => frame(Frame.windowUpdate, 0, 0, Buffer.from([0, 0, 0, 1])),
    /h2-overhead-flood|h2-protocol-error/,
  ],
  [
    'CONTINUATION',
    (i) =>
      i === 0
        ? frame(Frame.headers, END_STREAM, 1, GET)
        : frame(Frame.continuation, 0, 1, Buffer.from([0x00, 0x01, 0x61, 0x01, 0x62])),
    /h2-protocol-error/,
  ],
  [
    'empty DATA',
    (i) => (i === 0 ? frame(Frame.headers, END_HEADERS, 1, GET) : frame(Frame.data, 0, 1)),
    /h2-protocol-error/,
  ],
]

for (const [name, make, counter] of FLOODS) {
  test(`a flood of ${name} is cut off and counted`, async () => {
    const { socket, counters, closed } = await rig(never)
    const sending = (async () => {
      let from = 0
      while (!socket.destroyed) {
        const base = from
        from += await flood(socket, 10_000, (i) => make(base + i))
      }
    })()
    await closed
    await sending
    assert.match([...counters.keys()].join(' '), counter)
  })
}

test('without guards the PING and SETTINGS floods go on', async () => {
  for (const make of [FLOODS[0]![1], FLOODS[1]![1]]) {
    const { socket } = await rig(never, false)
    await flood(socket, 500, make)
    socket.write(frame(Frame.ping, 0, 0, Buffer.from('answerme')))
    let heard = ''
    for await (const chunk of socket) if ((heard += chunk.toString('latin1')).includes('answerme')) break
    assert.ok(heard.includes('answerme'))
  }
})

test('a client that keeps its window shut while an answer waits is cut off', async () => {
  const { socket, counters, closed } = await rig((stream) => {
    stream.respond({ ':status': 200 })
    stream.end(Buffer.alloc(200_000))
  })
  socket.write(frame(Frame.headers, END_HEADERS | END_STREAM, 1, GET))
  await closed
  assert.equal(counters.get('h2-stalled'), 1)
})

test('a head larger than the limit is refused, and repeating it ends the connection', async () => {
  const { socket, counters, streams, closed } = await rig(ok)
  const field = Buffer.concat([
    Buffer.from([0x00, 0x01, 0x61, 0x7f, 0xf5, 0x66]),
    Buffer.alloc(127 + 0x33f5, 0x62),
  ])
  const block = Buffer.concat([GET, field])
  const head = (i: number) =>
    Buffer.concat([
      frame(Frame.headers, END_STREAM, 2 * i + 1, block),
      frame(Frame.continuation, 0, 2 * i + 1, field),
      frame(Frame.continuation, END_HEADERS, 2 * i + 1, field),
    ])
  await flood(socket, 200, head, 1)
  await closed
  assert.equal(streams.length, 0)
  assert.ok(
    (counters.get('h2-protocol-error') ?? 0) + (counters.get('h2-reset-flood') ?? 0) > 0,
    JSON.stringify([...counters]),
  )
})
