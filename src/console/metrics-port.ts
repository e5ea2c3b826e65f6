/**
 * /metrics and /healthz for this machine only. A page in the operator's browser can reach loopback
 * too (DNS rebinding), so a request must name a loopback host; and nothing can be changed here.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface MetricsPort {
  readonly port: number
  close(): Promise<void>
}

export interface MetricsSource {
  text(): Promise<string>
  isHealthy(): boolean
}

export async function openMetricsPort(
  at: { host: string; port: number },
  source: MetricsSource,
): Promise<MetricsPort> {
  if (at.host !== '::1' && !at.host.startsWith('127.'))
    throw new Error(`expected a loopback address for the metrics port, got ${at.host}`)
  const server = createServer(
    {
      maxHeaderSize: 8192,
      headersTimeout: 5000,
      requestTimeout: 5000,
      keepAliveTimeout: 5000,
      connectionsCheckingInterval: 1000,
    },
    (request, response) => void serve(request, response, source),
  )
  server.maxConnections = 32
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(at.port, at.host, () => {
      server.off('error', reject)
      server.on('error', () => {})
      resolve()
    })
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  source: MetricsSource,
): Promise<void> {
  const send = (status: number, body: string, type = 'text/plain; charset=utf-8') => {
    const fields = {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    }
    response.writeHead(status, request.complete ? fields : { ...fields, connection: 'close' })
    response.end(request.method === 'HEAD' ? undefined : body)
  }
  if (!isLoopbackHost(request.headers.host)) return send(421, 'This port answers to loopback names only.\n')
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(405, 'Only GET.\n')
  switch (request.url?.split('?')[0]) {
    case '/metrics':
      try {
        return send(200, await source.text(), 'text/plain; version=0.0.4; charset=utf-8')
      } catch {
        return send(500, 'The figures could not be read.\n')
      }
    case '/healthz': {
      const healthy = source.isHealthy()
      return send(healthy ? 200 : 503, healthy ? 'ok\n' : 'not serving\n')
    }
    default:
      return send(404, 'Here are /metrics and /healthz.\n')
  }
}

function isLoopbackHost(host: string | undefined): boolean {
  return host !== undefined && /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d{1,5})?$/i.test(host)
}
