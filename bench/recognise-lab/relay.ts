/**
 * Gives a program that cannot choose its source address one: whatever comes in at the relay's port goes on to the
 * server from that address, byte for byte, so that TLS and HTTP stay the program's own.
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { loopback } from '../load/loopback-only.ts'

export interface Relay {
  readonly port: number
  stop(): void
}

export async function startRelay(address: string, port: number): Promise<Relay> {
  const from = loopback(address)
  const open = new Set<Socket>()
  const server = createServer({ noDelay: true }, (inner) => {
    const outer = connect({ host: loopback('127.0.0.1'), port, localAddress: from, noDelay: true })
    for (const [one, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      open.add(one)
      one.pipe(other)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        open.delete(one)
        other.destroy()
      })
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => {
      for (const socket of open) socket.destroy()
      server.close()
    },
  }
}
