/** An origin that takes connections and never answers: nobody is ever served, so whoever floods is refused for good. */
import { createServer } from 'node:net'
import { loopback } from '../load/loopback-only.ts'

const server = createServer((socket) => socket.on('error', () => {}).resume())
server.listen({ host: loopback('127.0.0.1'), port: Number(process.argv[2]) }, () =>
  process.send?.({ ready: true }),
)
process.on('disconnect', () => process.exit(0))
