import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { test } from 'node:test'
import { startRelay } from './relay.ts'

test('what goes through a relay comes from its address, byte for byte, and ends when one side ends', async () => {
  const server = createServer((socket) => {
    socket.write(socket.remoteAddress!)
    socket.on('data', (bytes) => socket.end(bytes))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const relay = await startRelay('127.11.3.7', (server.address() as AddressInfo).port)
  const socket = connect(relay.port, '127.0.0.1')
  socket.write('hello')
  let text = ''
  socket.on('data', (bytes) => {
    text += bytes
  })
  await once(socket, 'close')
  assert.equal(text, '127.11.3.7hello')
  relay.stop()
  server.close()
})

test('a relay from any address but loopback does not start', async () => {
  await assert.rejects(startRelay('192.0.2.1', 80), { code: 'BENCH_NOT_LOOPBACK' })
})
