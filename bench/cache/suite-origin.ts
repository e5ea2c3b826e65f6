/**
 * The suite's server side as its own process: its handlers, on loopback. (Its `server.mjs` listens on every
 * address and serves files of the folder it was started in.)
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { suiteModule } from './suite.ts'

type Handler = (segments: string[], request: IncomingMessage, response: ServerResponse) => void

const handlers: Record<string, Handler> = {}
for (const name of ['config', 'test', 'state'])
  handlers[name] = (await suiteModule<{ default: Handler }>(`server/handle-${name}.mjs`)).default

const server = createServer((request, response) => {
  const [, first, ...segments] = (request.url ?? '/').split('?', 1)[0]!.split('/')
  const handler = Object.hasOwn(handlers, first!) ? handlers[first!] : undefined
  if (handler) handler(segments, request, response)
  else response.writeHead(404).end()
})
server.on('clientError', (_error, socket) => socket.destroy())
process.on('disconnect', () => process.exit(0))
// What the suite's handlers say on standard output is no part of a result.
console.log = () => {}
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }))
