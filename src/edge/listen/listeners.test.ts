import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls'
import { FLAT_WEIGHTS } from '#admission'
import type { LimitsConfig } from '#config'
import { identify } from '#networks'
import type { Connection } from '../connection.ts'
import { openListeners } from './listeners.ts'
import { selfSigned } from './self-signed.ts'
import { newTicketKeySet, rotateTicketKeys } from './ticket-keys.ts'
import type { Listeners, ListenersOptions, Protocol } from './types.ts'

const CERTIFICATE = selfSigned(['site.example.org'])
const LIMITS: LimitsConfig = {
  headBytes: 32_000,
  headTimeout: 10_000,
  idleTimeout: 60_000,
  minBytesPerSecond: 500,
  connections: 1000,
  handshakeShare: 0.6,
  streams: 100,
}

interface Rig {
  listeners: Listeners
  counters: Map<string, number>
  opened: { connection: Connection; protocol: Protocol }[]
}

async function rig(options: Partial<ListenersOptions> = {}): Promise<Rig> {
  const counters = new Map<string, number>()
  const opened: Rig['opened'] = []
  const listeners = await openListeners({
    listen: [{ address: '127.0.0.1', port: 0, tls: false, proxyProtocol: [] }],
    limits: LIMITS,
    reusePort: false,
    certificates: [CERTIFICATE],
    ticketKeys: newTicketKeySet(),
    describe: (address) => identify(address),
    isDropped: () => false,
    weights: FLAT_WEIGHTS,
    count: (name, by = 1) => counters.set(name, (counters.get(name) ?? 0) + by),
    onConnection: (connection, protocol) => {
      opened.push({ connection, protocol })
      // An echo is enough to show that no byte was lost or changed on the way.
      connection.socket.pipe(connection.socket)
    },
    ...options,
  })
  after(() => listeners.close())
  return { listeners, counters, opened }
}

const tlsListen = [{ address: '127.0.0.1', port: 0, tls: true, proxyProtocol: [] }]

async function talk(socket: Socket, text: string): Promise<string> {
  let heard = ''
  socket.write(text)
  for await (const chunk of socket) {
    heard += chunk
    if (heard.length >= text.length) break
  }
  return heard
}

/** Unlike `once`, not put off by an error. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

function tlsTo(port: number, options: ConnectionOptions = {}): TLSSocket {
  return tlsConnect({
    host: '127.0.0.1',
    port,
    rejectUnauthorized: false,
    servername: 'site.example.org',
    ...options,
  })
}

test('a plain connection is handed over with nothing consumed', async () => {
  const { listeners, opened } = await rig()
  assert.equal(
    await talk(connect(listeners.ports[0]!, '127.0.0.1'), 'GET / HTTP/1.1\r\n\r\n'),
    'GET / HTTP/1.1\r\n\r\n',
  )
  assert.equal(opened[0]!.connection.peer.text, '127.0.0.1')
  assert.equal(opened[0]!.connection.secure, false)
  assert.equal(opened[0]!.protocol, 'http/1.1')
})

test('a TLS connection arrives with protocol, server name and JA4', async () => {
  const { listeners, opened } = await rig({ listen: tlsListen })
  const client = tlsTo(listeners.ports[0]!, { ALPNProtocols: ['h2', 'http/1.1'] })
  assert.equal(await talk(client, 'over tls'), 'over tls')
  const { connection, protocol } = opened[0]!
  assert.equal(protocol, 'h2')
  assert.equal(connection.serverName, 'site.example.org')
  assert.match(connection.ja4, /^t13d\d{4}h2_[0-9a-f]{12}_[0-9a-f]{12}$/)
  assert.equal(connection.secure, true)
})

test('whether a hello is a flood’s is asked with what is known before the handshake', async () => {
  const asked: string[] = []
  const { listeners, opened } = await rig({
    listen: tlsListen,
    isMarked: (client, serverName, ja4) => {
      asked.push(`${client.text} ${serverName} ${ja4()}`)
      return true
    },
  })
  assert.equal(await talk(tlsTo(listeners.ports[0]!), 'served all the same'), 'served all the same')
  const { connection } = opened[0]!
  assert.deepEqual(asked, [`127.0.0.1 site.example.org ${connection.ja4}`])
  assert.equal(connection.viaProxy, false)
})

test('a ClientHello in one-byte pieces is served all the same', async () => {
  const { listeners } = await rig({ listen: tlsListen })
  const raw = connect(listeners.ports[0]!, '127.0.0.1')
  raw.setNoDelay(true)
  await once(raw, 'connect')
  const write = raw.write.bind(raw)
  let pieces = 0
  raw.write = ((chunk: Buffer, ...rest: never[]) => {
    if (pieces++ > 0) return write(chunk, ...rest)
    for (let i = 0; i < chunk.length - 1; i++) write(chunk.subarray(i, i + 1))
    return write(chunk.subarray(chunk.length - 1), ...rest)
  }) as typeof raw.write
  const { Duplex } = await import('node:stream')
  const through = new Duplex({
    read() {},
    write: (chunk, _encoding, done) => {
      raw.write(chunk)
      done()
    },
  })
  raw.on('data', (chunk) => through.push(chunk))
  const client = tlsTo(0, { socket: through })
  assert.equal(await talk(client, 'in pieces'), 'in pieces')
  assert.ok(pieces > 0)
  raw.destroy()
})

test('a dropped network is closed before a byte is read', async () => {
  const { listeners, counters, opened } = await rig({ isDropped: (client) => client.text === '127.0.0.1' })
  const client = connect(listeners.ports[0]!, '127.0.0.1')
  client.on('error', () => {})
  client.write('GET / HTTP/1.1\r\n\r\n')
  await closed(client)
  assert.equal(client.bytesRead, 0)
  assert.equal(counters.get('connection-dropped'), 1)
  assert.equal(opened.length, 0)
})

test('a PROXY header from an allowed peer names the client, also before TLS', async () => {
  for (const tls of [false, true]) {
    const { listeners, opened } = await rig({
      listen: [{ address: '127.0.0.1', port: 0, tls, proxyProtocol: ['127.0.0.0/8'] }],
    })
    const raw = connect(listeners.ports[0]!, '127.0.0.1')
    raw.write('PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\n')
    const client = tls ? tlsTo(0, { socket: raw }) : raw
    assert.equal(await talk(client, 'after the header'), 'after the header')
    assert.equal(opened[0]!.connection.peer.text, '192.0.2.7')
    assert.equal(opened[0]!.connection.peer.prefix, '192.0.2.0/24')
  }
})

test('a PROXY header from a stranger is just bytes, and changes nobody', async () => {
  const { listeners, opened } = await rig({
    listen: [{ address: '127.0.0.1', port: 0, tls: false, proxyProtocol: ['192.0.2.0/24'] }],
  })
  const header = 'PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\n'
  assert.equal(await talk(connect(listeners.ports[0]!, '127.0.0.1'), header), header)
  assert.equal(opened[0]!.connection.peer.text, '127.0.0.1')
})

test('a client named by PROXY is dropped like a direct one, its proxy is not', async () => {
  const { listeners, counters } = await rig({
    listen: [{ address: '127.0.0.1', port: 0, tls: false, proxyProtocol: ['127.0.0.1'] }],
    isDropped: (client) => client.text === '192.0.2.7' || client.text === '127.0.0.1',
  })
  const bad = connect(listeners.ports[0]!, '127.0.0.1')
  bad.on('error', () => {})
  bad.write('PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\n')
  await closed(bad)
  assert.equal(counters.get('connection-dropped'), 1)
  const good = connect(listeners.ports[0]!, '127.0.0.1')
  good.write('PROXY TCP4 192.0.2.8 192.0.2.1 5000 443\r\n')
  assert.equal(await talk(good, 'hello'), 'hello')
})

test('who says nothing on a TLS listener is closed at the deadline', async () => {
  const { listeners, counters } = await rig({ listen: tlsListen, limits: { ...LIMITS, headTimeout: 50 } })
  const client = connect(listeners.ports[0]!, '127.0.0.1')
  client.on('error', () => {})
  await closed(client)
  assert.equal(counters.get('arrival-timeout'), 1)
  while (listeners.gauges()['connections'] !== 0) await new Promise((resolve) => setImmediate(resolve))
})

test('HTTP sent to a TLS listener is closed and counted', async () => {
  const { listeners, counters } = await rig({ listen: tlsListen })
  const client = connect(listeners.ports[0]!, '127.0.0.1')
  client.on('error', () => {})
  client.write('GET / HTTP/1.1\r\n\r\n')
  await closed(client)
  assert.equal(counters.get('hello-malformed'), 1)
})

test('garbage after the handshake closes the connection and nothing else', async () => {
  const { listeners, opened } = await rig({ listen: tlsListen })
  const raw = connect(listeners.ports[0]!, '127.0.0.1')
  const client = tlsTo(0, { socket: raw })
  client.on('error', () => {})
  assert.equal(
    await new Promise((resolve) => client.once('secureConnect', () => resolve(client.getProtocol()))),
    'TLSv1.3',
  )
  while (opened.length === 0) await new Promise((resolve) => setImmediate(resolve))
  const serverSide = closed(opened[0]!.connection.socket)
  ;(
    raw as unknown as { _handle: { writeLatin1String(req: object, text: string): void } }
  )._handle.writeLatin1String({}, '\x17\x03\x03\x00\x05garbage')
  await serverSide
  client.destroy()
  assert.equal(await talk(tlsTo(listeners.ports[0]!), 'still here'), 'still here')
})

test('a session ticket resumes under the newest key and under the one before, and not under an older one', async () => {
  let keys = newTicketKeySet()
  const { listeners } = await rig({ listen: tlsListen, ticketKeys: keys })
  for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
    const first = tlsTo(listeners.ports[0]!, { maxVersion })
    const session = once(first, 'session') as Promise<[Buffer]>
    await talk(first, 'one')
    const [ticket] = await session
    const resumed = async () => {
      const again = tlsTo(listeners.ports[0]!, { maxVersion, session: ticket })
      await once(again, 'secureConnect')
      const reused = again.isSessionReused()
      await talk(again, 'two')
      return reused
    }
    assert.equal(await resumed(), true, maxVersion)
    keys = rotateTicketKeys(keys, true)
    listeners.setTicketKeys(keys)
    assert.equal(await resumed(), true, `${maxVersion} after one rotation`)
    keys = rotateTicketKeys(keys, true)
    listeners.setTicketKeys(keys)
    assert.equal(await resumed(), false, `${maxVersion} after two rotations`)
  }
})

test('a reload keeps open connections, opens what is new and closes what is gone', async () => {
  const { listeners } = await rig()
  const old = connect(listeners.ports[0]!, '127.0.0.1')
  await once(old, 'connect')
  const oldPort = listeners.ports[0]!
  await listeners.reload({
    listen: [{ address: '127.0.0.2', port: 0, tls: true, proxyProtocol: [] }],
    limits: LIMITS,
    certificates: [CERTIFICATE],
  })
  assert.equal(await talk(old, 'still open'), 'still open')
  const refused = connect(oldPort, '127.0.0.1')
  const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException]
  assert.equal(error.code, 'ECONNREFUSED')
  assert.equal(
    await talk(
      tlsConnect({ host: '127.0.0.2', port: listeners.ports[0]!, rejectUnauthorized: false }),
      'new',
    ),
    'new',
  )
})

test('a reload that cannot be done leaves everything as it was', async () => {
  const { listeners } = await rig({ listen: tlsListen })
  const [port] = listeners.ports
  await assert.rejects(
    listeners.reload({
      listen: tlsListen,
      limits: LIMITS,
      certificates: [{ ...CERTIFICATE, key: selfSigned(['other.example.org']).key }],
    }),
    { code: 'DIGUE_CERTIFICATE' },
  )
  await assert.rejects(
    listeners.reload({
      listen: [{ address: '192.0.2.1', port: 1, tls: false, proxyProtocol: [] }],
      limits: LIMITS,
      certificates: [],
    }),
    { code: 'EADDRNOTAVAIL' },
  )
  assert.deepEqual(listeners.ports, [port])
  assert.equal(await talk(tlsTo(port!), 'as before'), 'as before')
})

test('a client that does not read what was written is closed at once all the same', async () => {
  const { listeners, opened } = await rig({
    onConnection: (connection) => {
      opened.push({ connection, protocol: 'http/1.1' })
      connection.socket.write(Buffer.alloc(20_000_000))
    },
  })
  const client = connect(listeners.ports[0]!, '127.0.0.1')
  client.on('error', () => {})
  client.pause()
  while (opened.length === 0) await new Promise((resolve) => setImmediate(resolve))
  const serverSide = closed(opened[0]!.connection.socket)
  await listeners.close()
  await serverSide
  client.destroy()
})

test('when handshakes exceed their budget, the holder of a ticket comes before a crowd of strangers', async () => {
  const limits = { ...LIMITS, handshakeShare: 0.05 }
  const { listeners, counters } = await rig({ listen: tlsListen, limits, busyMs: () => performance.now() })
  const port = listeners.ports[0]!
  const first = tlsTo(port)
  const session = once(first, 'session') as Promise<[Buffer]>
  await talk(first, 'in calm weather')
  const [ticket] = await session
  const crowd = Array.from({ length: 150 }, (_, n) => {
    const stranger = tlsTo(port, { localAddress: `127.0.${1 + (n % 50)}.1` } as ConnectionOptions)
    stranger.on('error', () => {})
    return stranger
  })
  while ((counters.get('handshake-queued') ?? 0) < 60) await new Promise((resolve) => setImmediate(resolve))
  const visitor = tlsTo(port, { session: ticket })
  await once(visitor, 'secureConnect')
  assert.equal(visitor.isSessionReused(), true)
  assert.ok(listeners.gauges()['handshakesWaiting']! > 30)
  visitor.destroy()
  while (listeners.gauges()['handshakesWaiting']! > 0) await new Promise((resolve) => setImmediate(resolve))
  assert.ok(counters.get('handshake-refused-timeout')! > 0)
  for (const stranger of crowd) stranger.destroy()
})
