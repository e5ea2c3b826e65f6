/**
 * CrowdSec's local API as far as a bouncer sees it (localapi_swagger.yaml, and what cs-firewall-bouncer's
 * recordings show): the stream of decisions with its memory of what each bouncer has been told.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface FakeDecision {
  readonly value: string
  readonly type?: string
  readonly scope?: string
  readonly duration?: string
  readonly simulated?: boolean
}

export interface FakeCrowdSec extends AsyncDisposable {
  readonly url: string
  readonly key: string
  readonly asked: readonly IncomingMessage[]
  add(...decisions: FakeDecision[]): void
  delete(value: string): void
  /** As after a restart with an empty database of bouncers. */
  forgetBouncers(): void
}

export async function startFakeCrowdSec(): Promise<FakeCrowdSec> {
  const key = '837be58e22a28738066de1be8f53636b'
  let bouncers = new Set([key])
  const asked: IncomingMessage[] = []
  let nextId = 1
  let standing: Record<string, unknown>[] = []
  let news: Record<string, unknown>[] = []
  let deleted: Record<string, unknown>[] = []
  const server = createServer((request, response) => {
    asked.push(request)
    const url = new URL(request.url!, 'http://lapi')
    const reply = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    if (!bouncers.has(String(request.headers['x-api-key'])))
      return reply(403, { message: 'access forbidden' })
    if (url.pathname !== '/v1/decisions/stream') return reply(404, { message: 'Page or Method not found' })
    const isStartup = url.searchParams.get('startup') === 'true'
    const scopes = (url.searchParams.get('scopes') ?? 'ip,range').split(',')
    const inScope = (list: Record<string, unknown>[]) => {
      const found = list.filter((decision) => scopes.includes(String(decision['scope']).toLowerCase()))
      return found.length === 0 ? null : found
    }
    reply(200, { deleted: inScope(isStartup ? [] : deleted), new: inScope(isStartup ? standing : news) })
    news = []
    deleted = []
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    key,
    asked,
    add(...decisions) {
      for (const { type = 'ban', scope = 'Ip', duration = '3h59m49.264032632s', ...rest } of decisions) {
        const decision = {
          duration,
          id: nextId++,
          origin: 'cscli',
          scenario: "manual 'ban' from 'localhost'",
          scope,
          type,
          uuid: '5c4e3f0a-2f0b-4a52-8b1a-6f4f3a6f9a10',
          ...rest,
        }
        standing.push(decision)
        news.push(decision)
      }
    },
    delete(value) {
      for (const decision of standing.filter((entry) => entry['value'] === value))
        deleted.push({ ...decision, duration: '-1m12.5s' })
      standing = standing.filter((entry) => entry['value'] !== value)
    },
    forgetBouncers() {
      bouncers = new Set()
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
