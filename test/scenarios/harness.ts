/**
 * A client, Digue and an origin on loopback: what scenarios are made of.
 *
 *   await using origin = await startOrigin((request, response) => response.end('hello'))
 *   await using digue = await startDigue({ origins: [origin.url] })
 *   const response = await fetch(digue.url)
 *
 * Digue runs as it does for an operator: its edge in worker threads (one, unless told otherwise),
 * on a port the system chooses, fed a policy and giving reports.
 */
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { type Config, configSchema } from '#config'
import type { EdgeReport, Policy } from '#control'
import { type Edge, type EdgeEvent, type EdgeOptions, startEdge } from '#edge'
import type { ExchangeRecord } from '#record'

export interface TestOrigin extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly server: Server
  /** Connections open now. */
  readonly connections: number
}

export async function startOrigin(handler: RequestListener): Promise<TestOrigin> {
  // Room for every head that a test's Digue lets through: what an origin refuses is not these tests' subject.
  const server = createServer(
    { requestTimeout: 0, keepAliveTimeout: 60_000, maxHeaderSize: 256 * 1024 },
    handler,
  )
  const sockets = new Set<net.Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    server,
    get connections() {
      return sockets.size
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** An origin that is no HTTP server: what it does with a connection is up to the test. */
export async function startRawOrigin(
  handler: (socket: net.Socket) => void,
): Promise<AsyncDisposable & { url: string; port: number }> {
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    handler(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export const CALM: Policy = { serial: 1, bypass: false, attack: 'auto', postures: {}, decisions: [] }

/** What may be said of a configuration in a test: everything has a default but the origins. */
export interface DigueOptions {
  readonly origins?: readonly string[]
  readonly site?: Record<string, unknown>
  /** Instead of the one site made of `origins` and `site`. */
  readonly sites?: readonly Record<string, unknown>[]
  readonly config?: Record<string, unknown>
  readonly policy?: Policy
  /** Route costs that threads begin with. */
  readonly routeCostsOf?: EdgeOptions['routeCostsOf']
  /** Folder for stored responses; memory only without. */
  readonly cacheDirectory?: string
}

export interface TestDigue extends AsyncDisposable {
  readonly edge: Edge
  readonly config: Config
  readonly port: number
  /** http://127.0.0.1:port of the first listener. */
  readonly url: string
  readonly reports: EdgeReport[]
  readonly events: EdgeEvent[]
  /** The first record that fits, of those that came and those to come. */
  record(fits: (record: ExchangeRecord) => boolean): Promise<ExchangeRecord>
  /** Resolves when the counter has reached `atLeast` over all reports. */
  counted(counter: string, atLeast?: number): Promise<number>
  /** Resolves with the event of that code. */
  event(code: string): Promise<EdgeEvent>
  /** Sums a counter over all reports so far. */
  counter(name: string): number
}

export function testConfig(options: DigueOptions): Config {
  const site = { hosts: ['*'], origins: options.origins ?? ['http://127.0.0.1:9'], ...options.site }
  return configSchema.parse({
    threads: 1,
    listen: [{ address: '127.0.0.1', port: 0 }],
    sites: options.sites ?? [site],
    ...options.config,
  })
}

export async function startDigue(options: DigueOptions): Promise<TestDigue> {
  const config = testConfig(options)
  const reports: EdgeReport[] = []
  const events: EdgeEvent[] = []
  const watchers = new Set<() => void>()
  const changed = () => {
    for (const watcher of watchers) watcher()
  }
  const edge = await startEdge(config, {
    policy: options.policy ?? CALM,
    ...(options.routeCostsOf ? { routeCostsOf: options.routeCostsOf } : {}),
    ...(options.cacheDirectory ? { cacheDirectory: options.cacheDirectory } : {}),
    onReport(report) {
      reports.push(report)
      changed()
    },
    onEvent(event) {
      events.push(event)
      changed()
    },
  })
  const until = <T>(find: () => T | undefined): Promise<T> =>
    new Promise((resolve) => {
      const look = () => {
        const found = find()
        if (found === undefined) return
        watchers.delete(look)
        resolve(found)
      }
      watchers.add(look)
      look()
    })
  const counter = (name: string) => reports.reduce((sum, report) => sum + (report.counters[name] ?? 0), 0)
  return {
    edge,
    config,
    port: edge.ports[0]!,
    url: `http://127.0.0.1:${edge.ports[0]}`,
    reports,
    events,
    counter,
    record: (fits) => until(() => reports.flatMap((report) => report.records).find(fits)),
    counted: (name, atLeast = 1) => until(() => (counter(name) >= atLeast ? counter(name) : undefined)),
    event: (code) => until(() => events.find((event) => event.code === code)),
    async [Symbol.asyncDispose]() {
      await edge.close()
    },
  }
}

/** Sends raw bytes and gives back everything that came until the other side closed. */
export async function exchangeRaw(port: number, bytes: string | Buffer): Promise<string> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  // A reset after the answer is an end, too.
  socket.on('error', () => {})
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  await Promise.race([once(socket, 'end'), once(socket, 'close')])
  socket.destroy()
  return Buffer.concat(chunks).toString('latin1')
}
