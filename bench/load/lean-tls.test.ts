import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { test } from 'node:test'
import { createServer } from 'node:tls'
import { certificate } from '../lib/certificate.ts'
import { LeanTls } from './lean-tls.ts'

test('the lean client shakes hands with OpenSSL and exchanges bytes both ways', async () => {
  const server = createServer({ ...certificate(), ALPNProtocols: ['http/1.1'] }, (socket) => {
    assert.equal(socket.getProtocol(), 'TLSv1.3')
    socket.on('error', () => {})
    socket.on('data', (data) => socket.end(`echo ${data}`.repeat(2000)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  let text = ''
  const tls = new LeanTls({
    host: 'bench.example.org',
    write: (bytes) => socket.write(bytes),
    data: (bytes) => {
      text += bytes.toString('latin1')
    },
    failed: (why) => assert.fail(why),
  })
  tls.start()
  tls.send('hello')
  socket.on('data', (data) => tls.feed(data as Buffer))
  await once(socket, 'close')
  assert.equal(text, 'echo hello'.repeat(2000))
  server.close()
})
