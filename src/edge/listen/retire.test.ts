/** A thread on a shared port is retired while clients connect: the others go on, and none of its own is reset. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { test } from 'node:test'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { FLAT_WEIGHTS } from '#admission'
import type { LimitsConfig } from '#config'
import { identify } from '#networks'
import { openListeners } from './listeners.ts'
import { newTicketKeySet } from './ticket-keys.ts'

const LIMITS: LimitsConfig = {
  headBytes: 32_000,
  headTimeout: 10_000,
  idleTimeout: 60_000,
  minBytesPerSecond: 500,
  connections: 2000,
  handshakeShare: 0.6,
  streams: 100,
}

/** Answers every connection with one byte and closes it. Stops as Digue does or, when `bare`, as a `net.Server`. */
async function serveThread(): Promise<void> {
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
}

async function startThread(port: number, bare: boolean): Promise<{ worker: Worker; port: number }> {
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { port, limits: LIMITS, bare },
  })
  const [message] = (await once(worker, 'message')) as [{ port: number }]
  return { worker, port: message.port }
}

/** Retires a thread `rounds` times, starting its successor first, and counts what clients saw. */
async function retire(bare: boolean, rounds: number): Promise<{ served: number; reset: number }> {
  const first = await startThread(0, bare)
  const { port } = first
  let workers = [first.worker, (await startThread(port, bare)).worker]
  let running = true
  let served = 0
  let reset = 0
  const client = async () => {
    while (running) {
      await new Promise<void>((resolve) => {
        const socket = connect(port, '127.0.0.1')
        let got = 0
        socket.on('data', (chunk) => {
          got += chunk.length
        })
        socket.on('error', () => {})
        socket.setTimeout(5000, () => socket.destroy())
        socket.on('close', () => {
          if (got === 1) served++
          else reset++
          resolve()
        })
      })
    }
  }
  const clients = Array.from({ length: 32 }, client)
  for (let round = 0; round < rounds; round++) {
    const [old, kept] = workers
    const next = await startThread(port, bare)
    const stopped = once(old!, 'message')
    old!.postMessage('stop')
    await stopped
    workers = [kept!, next.worker]
    // What it accepted gets its byte before the thread ends.
    await new Promise((resolve) => setTimeout(resolve, 20))
    await old!.terminate()
  }
  running = false
  await Promise.all(clients)
  await Promise.all(workers.map((worker) => worker.terminate()))
  return { served, reset }
}

if (isMainThread) {
  test('retiring threads one after the other costs next to no connection', { timeout: 60_000 }, async () => {
    const { served, reset } = await retire(false, 5)
    assert.ok(served > 200, `${served} served`)
    // One per retirement may come in the microseconds between the empty queue and the close.
    assert.ok(reset <= 2, `${reset} reset of ${served + reset}`)
  })

  test('closing them as Node does costs what the kernel had queued', { timeout: 60_000 }, async () => {
    const { reset } = await retire(true, 5)
    assert.ok(reset > 2, `${reset} reset`)
  })
} else await serveThread()
