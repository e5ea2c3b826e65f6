/**
 * One thread with listeners and nothing behind them: answers every connection with one byte and
 * closes it. Stops as Digue does, or, told to be `bare`, as a `net.Server` does.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { FLAT_WEIGHTS } from '#admission'
import type { LimitsConfig } from '#config'
import { identify } from '#networks'
import { openListeners } from '../../src/edge/listen/listeners.ts'
import { newTicketKeySet } from '../../src/edge/listen/ticket-keys.ts'

const { port, limits, bare } = workerData as { port: number; limits: LimitsConfig; bare: boolean }
let bound: number
let stop: () => Promise<void>
if (bare) {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.end('.')
  })
  server.listen({ host: '127.0.0.1', port, reusePort: true, backlog: 4096 })
  await once(server, 'listening')
  bound = (server.address() as AddressInfo).port
  stop = async () => {
    server.close()
  }
} else {
  const listeners = await openListeners({
    listen: [{ address: '127.0.0.1', port, tls: false, proxyProtocol: [] }],
    limits,
    reusePort: true,
    certificates: [],
    ticketKeys: newTicketKeySet(),
    describe: (address) => identify(address),
    isDropped: () => false,
    weights: FLAT_WEIGHTS,
    count: () => {},
    onConnection: ({ socket }) => socket.end('.'),
  })
  bound = listeners.ports[0]!
  stop = () => listeners.stop()
}
parentPort!.on('message', async () => {
  await stop()
  parentPort!.postMessage('stopped')
})
parentPort!.postMessage({ port: bound })
