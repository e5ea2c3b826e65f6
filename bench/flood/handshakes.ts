/** How many new TLS handshakes one core does with bare Node: the unit of the HTTPS flood. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { certificate, HOST } from '../lib/certificate.ts'
import { Child, CORES, cpuMs } from '../lib/processes.ts'
import { LeanTls } from '../load/lean-tls.ts'

const SERVER = `
const { createServer } = require('node:tls')
const server = createServer({ cert: process.argv[1], key: process.argv[2], ALPNProtocols: ['http/1.1'] }, (s) => { s.on('error', () => {}) })
server.on('tlsClientError', () => {})
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => process.send({ port: server.address().port }))
process.on('disconnect', () => process.exit())`

/**
 * Handshakes per CPU second of the server, over `seconds` with 32 connections at a time. By CPU and
 * not by wall clock, so that a client which cannot keep up does not make the server look slow.
 */
export async function measureHandshakes(seconds = 3): Promise<number> {
  const { cert, key } = certificate()
  const server = new Child('tls server', [process.execPath, '-e', SERVER, '--', cert, key], {
    core: CORES?.server,
    ipc: true,
  })
  const port = await server.message<number>('port')
  let done = 0
  const open = async (): Promise<void> => {
    const socket = connect(port, '127.0.0.1')
    const tls = new LeanTls({
      host: HOST,
      halfway: true,
      write: (bytes) => socket.write(bytes),
      data: () => {},
      failed: () => socket.destroy(),
    })
    socket.on('data', (data: Buffer) => tls.feed(data))
    socket.on('error', () => {})
    tls.start()
    await once(socket, 'close')
  }
  const loop = async (until: number) => {
    while (performance.now() < until) {
      await open()
      done++
    }
  }
  await Promise.all(Array.from({ length: 32 }, () => loop(performance.now() + 500)))
  done = 0
  const before = cpuMs([server.pid])
  await Promise.all(Array.from({ length: 32 }, () => loop(performance.now() + seconds * 1000)))
  const spent = cpuMs([server.pid]) - before
  await server.stop()
  return Math.round(done / (spent / 1000))
}
