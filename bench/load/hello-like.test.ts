import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer as createTcp } from 'node:net'
import { test } from 'node:test'
import { createServer } from 'node:tls'
import { ja4Of, parseClientHello } from '#recognise'
import { certificate, HOST } from '../lib/certificate.ts'
import { helloLike, withAlpn } from './hello-like.ts'
import { LeanTls } from './lean-tls.ts'

const HELLOS = JSON.parse(
  readFileSync(new URL('../../src/recognise/client-hello.fixtures.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, { readonly hello: string; readonly ja4: string }>>

const recordOf = (message: Buffer) =>
  Buffer.concat([Buffer.from([22, 3, 1, message.length >> 8, message.length & 255]), message])

function ja4(record: Uint8Array): string {
  const read = parseClientHello(record)
  assert.equal(read.kind, 'hello')
  return read.kind === 'hello' ? ja4Of(read.hello) : ''
}

test('a hello like another program’s has its JA4, whatever name and key share are put in', () => {
  for (const [name, { hello, ja4: expected }] of Object.entries(HELLOS)) {
    if (name.includes('1.2')) continue
    const record = recordOf(helloLike(Buffer.from(hello, 'base64'), 'another.example', Buffer.alloc(32, 7)))
    assert.equal(ja4(record), expected, name)
    const read = parseClientHello(record)
    assert.ok(read.kind === 'hello' && ['another.example', ''].includes(read.hello.serverName))
  }
})

test('the same program with other protocols has the JA4 that was recorded of it', () => {
  const curl = Buffer.from(HELLOS['curl']!.hello, 'base64')
  assert.equal(ja4(withAlpn(curl, ['http/1.1'])), 't13d3112h1_e8f1e7e78f70_b26ce05bbdd6')
  const wrk = Buffer.from(HELLOS['openssl s_client']!.hello, 'base64')
  assert.equal(ja4(withAlpn(wrk, [])), 't13d311000_e8f1e7e78f70_1f22a2ca17c4')
  const node = Buffer.from(HELLOS['node, SNI and h2']!.hello, 'base64')
  assert.equal(ja4(withAlpn(node, ['http/1.1'], false)), 't13i5211h1_b262b3658495_8e6e362c5eac')
})

test('OpenSSL shakes hands with whoever imitates Chromium, curl or Node, and sees their JA4', async () => {
  const secure = createServer({ ...certificate(), ALPNProtocols: ['h2', 'http/1.1'] }, (socket) => {
    socket.on('error', () => {})
    socket.on('data', (data) => socket.end(`${socket.alpnProtocol} ${data}`))
  })
  let seen = ''
  const server = createTcp((socket) => {
    socket.on('error', () => {})
    socket.once('readable', () => {
      const bytes = socket.read() as Buffer
      seen = ja4(bytes)
      socket.unshift(bytes)
      secure.emit('connection', socket)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  for (const [name, expected] of Object.entries({ chromium: 'h2', curl: 'h2', 'node, SNI and h2': 'h2' })) {
    const { hello, ja4: its } = HELLOS[name]!
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    let text = ''
    const tls = new LeanTls({
      host: HOST,
      hello,
      write: (bytes) => socket.write(bytes),
      data: (bytes) => {
        text += bytes.toString('latin1')
      },
      failed: (why) => assert.fail(`${name}: ${why}`),
    })
    tls.start()
    tls.send('hello')
    socket.on('data', (data) => tls.feed(data as Buffer))
    await once(socket, 'close')
    assert.equal(text, `${expected} hello`, name)
    assert.equal(seen, its, name)
  }
  server.close()
})
