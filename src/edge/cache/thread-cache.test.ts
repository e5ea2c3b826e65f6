import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { MessageChannel } from 'node:worker_threads'
import { Flights, type StoredResponse } from '#cache'
import { configSchema } from '#config'
import type { Exchange } from '../exchange.ts'
import type { EdgeHouse } from '../house.ts'
import type { CacheHost } from './cache-desk.ts'
import { KeySummary } from './key-summary.ts'
import type { EdgeToLibrary, LibraryToEdge } from './library-protocol.ts'
import { ThreadCache } from './thread-cache.ts'

const configured = (cache: object = {}) =>
  configSchema.parse({ sites: [{ hosts: ['example.org'], origins: ['http://127.0.0.1:9'], cache }] })
    .sites[0]!

function scene() {
  const site = {
    name: 'example.org',
    config: configured(),
    gate: { learning: false, ask: () => ({ action: 'shed' }) },
  }
  const house = {
    sites: new Map([[site.name, site]]),
    findSite: (host: string) => (host === 'example.org' || host === '[::1]' ? site : undefined),
    count() {},
  } as unknown as EdgeHouse
  const { port1, port2 } = new MessageChannel()
  const served: unknown[] = []
  const host = { serveStored: (exchange: unknown) => served.push(exchange) } as unknown as CacheHost
  const start = {
    port: port1,
    summary: KeySummary.memory(),
    flights: Flights.memory(64),
    memoryBytes: 1_000_000,
    isAwake: true,
  }
  const cache = new ThreadCache(start, 0, house, host, () => {})
  return {
    site,
    cache,
    served,
    async tell(message: LibraryToEdge) {
      const heard = once(port1, 'message')
      port2.postMessage(message)
      await heard
    },
    ask(target: string) {
      const head = {
        method: 'GET',
        target,
        version: '1.1',
        host: 'example.org',
        fields: ['host', 'example.org'],
      }
      const exchange = {
        head,
        site,
        carrier: { serve() {} },
        secure: false,
        wasSought: true,
      } as unknown as Exchange
      cache.desk.take(exchange)
      return exchange
    },
    library: port2,
    [Symbol.dispose]() {
      cache.close()
      port2.unref()
    },
  }
}

test('what was learned of parameters outlives a reload, which may be in the middle of a flood', async () => {
  using made = scene()
  for (let n = 0; n < 5; n++)
    await made.tell({
      type: 'seen',
      sight: {
        site: 'example.org',
        target: '/',
        digest: 'd',
        status: 200,
        variant: '',
        atMs: 1000 + n * 15_000,
      },
    })
  assert.equal(made.ask('/?r=1').fill?.target, '/')
  made.site.config = configured({ staleFor: '1h' })
  assert.equal(made.ask('/?r=2').fill?.target, '/')
  made.site.config = configured({ parameters: ['page'] })
  assert.equal(made.ask('/?r=3&page=2').fill?.target, '/?page=2')
})

test('what was learned of parameters is told to the library, and taken from it after a restart', async () => {
  const before = scene()
  for (let n = 0; n < 5; n++) {
    const sight = {
      site: 'example.org',
      target: '/',
      digest: 'd',
      status: 200,
      variant: '',
      atMs: n * 15_000,
    }
    await before.tell({ type: 'seen', sight })
  }
  const heard: EdgeToLibrary[] = []
  before.library.on('message', (message: EdgeToLibrary) => heard.push(message))
  const isClosed = once(before.library, 'close')
  before[Symbol.dispose]()
  await isClosed
  const told = heard.find((message) => message.type === 'learned')
  assert.equal(told?.learned.site, 'example.org')
  using after = scene()
  assert.equal(after.ask('/?r=1').fill?.target, undefined)
  for (const snapshot of ['', '{', '[]', '{"version":1,"paths":[{"path":"/","wasStable":true}]}'])
    await after.tell({ type: 'learned', learned: { site: 'example.org', snapshot } })
  await after.tell({ type: 'learned', learned: { ...told!.learned, site: 'other.example' } })
  assert.equal(after.ask('/?r=2').fill?.target, undefined)
  await after.tell({ type: 'learned', learned: told!.learned })
  assert.equal(after.ask('/?r=3').fill?.target, '/')
})

test('a page is kept under whatever spelling of its host it was asked for', async () => {
  using made = scene()
  for (const host of ['example.org', 'example.org:8080', 'example.org.', '[::1]:8080', 'other.example'])
    await made.tell({
      type: 'kept',
      response: {
        key: `http://${host}/`,
        variant: '',
        vary: [],
        status: 200,
        fields: ['cache-control', 'max-age=60'],
        body: new Uint8Array(1),
        requestedAtMs: Date.now(),
        receivedAtMs: Date.now(),
        purpose: 'reuse',
      } satisfies StoredResponse,
    })
  assert.deepEqual(
    [...made.cache.desk.shelf()].map(({ key }) => key),
    ['http://example.org/', 'http://example.org:8080/', 'http://example.org./', 'http://[::1]:8080/'],
  )
})
