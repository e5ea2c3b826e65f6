import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { AttackLoad } from './attackers.ts'
import { Browser } from './browser.ts'
import type { Handwriting } from './plan.ts'

async function serving<T>(onRequest: (request: IncomingMessage) => void, work: (port: number) => Promise<T>) {
  const server = createServer((request, response) => {
    onRequest(request)
    const body = `<!-- digue-bench path=${request.url} cost=1 end -->`
    response.writeHead(200, { 'content-length': body.length, 'set-cookie': 'visit=1; Path=/' }).end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    return await work((server.address() as AddressInfo).port)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

const target = (port: number) => ({
  address: '127.0.0.1',
  port,
  tlsPort: 0,
  host: 'bench.example.org',
  forwardedFor: false,
})
const tools = ['a', 'b'].map((name) => ({ heads: [`Host: x\r\nX-Tool: ${name}\r\n`], targets: [`/${name}`] }))

function attack(port: number, changesEveryS?: number): AttackLoad {
  return new AttackLoad({
    role: 'attackers',
    target: target(port),
    seed: 1,
    startAtMs: Date.now(),
    fromS: 0,
    untilS: 30,
    sources: ['127.40.1.1', '127.41.1.1'],
    perSecond: 200,
    connection: 'keep',
    tls: false,
    finishShare: 1,
    path: 'page',
    patienceMs: 30_000,
    maxConnections: 8,
    writing: { tools, ...(changesEveryS === undefined ? {} : { changesEveryS }) },
  })
}

test('each address of a flood keeps its tool, whose fields are sent as they are', async () => {
  const seen = new Map<string, Set<string>>()
  let count = 0
  await serving(
    ({ socket, url, rawHeaders }) => {
      const shown = `${url} ${rawHeaders.join(' ')}`
      const address = socket.remoteAddress!
      seen.set(address, (seen.get(address) ?? new Set()).add(shown))
      if (++count === 20) load.stop()
    },
    (port) => {
      load = attack(port)
      return load.run()
    },
  )
  assert.deepEqual(Object.fromEntries(Array.from(seen, ([address, shown]) => [address, [...shown]])), {
    '127.40.1.1': ['/a Host x X-Tool a'],
    '127.41.1.1': ['/b Host x X-Tool b'],
  })
})
let load: AttackLoad

test('where a flood changes its handwriting, all addresses go over to the next tool', async () => {
  const order: string[] = []
  await serving(
    ({ url }) => {
      if (order.at(-1) !== url) order.push(url!)
      if (order.length === 3) load.stop()
    },
    (port) => {
      load = attack(port, 0.2)
      return load.run()
    },
  )
  assert.deepEqual(order, ['/a', '/b', '/a'])
})

test('a visitor writes as his program does: order, case, and cookie and referrer once he has them', async () => {
  const writing: Handwriting = {
    name: 'x',
    navigation: ['Host', '', 'X-Own', 'yes', 'Cookie', '', 'referer', '', 'Accept', 'text/html'],
    script: [],
  }
  const seen: string[][] = []
  await serving(
    ({ rawHeaders }) => seen.push(rawHeaders),
    async (port) => {
      let isOver = (_fate: string) => {}
      const browser = new Browser({
        target: target(port),
        address: '127.10.1.1',
        index: 0,
        deadlineMs: 30_000,
        random: () => 0.5,
        over: (_ask, fate) => isOver(fate),
        paid: () => {},
        cohort: {
          name: 'one',
          addresses: ['127.10.1.1'],
          perSecond: 1,
          fromS: 0,
          untilS: 1,
          protocol: 'http',
          connection: 'keep',
          assets: 0,
          searchShare: 0,
          handwritings: [writing],
          link: { page: '/linked', referrer: 'https://news.example.org/' },
        },
      })
      for (let i = 0; i < 2; i++) {
        const fate = new Promise<string>((resolve) => {
          isOver = resolve
        })
        browser.ask('/linked', performance.now())
        assert.equal(await fate, 'served')
      }
      browser.leave()
    },
  )
  assert.deepEqual(seen[0], [
    ...['Host', 'bench.example.org', 'X-Own', 'yes'],
    ...['referer', 'https://news.example.org/', 'Accept', 'text/html'],
  ])
  assert.deepEqual(seen[1], [
    ...['Host', 'bench.example.org', 'X-Own', 'yes', 'Cookie', 'visit=1'],
    ...['referer', 'http://bench.example.org/linked', 'Accept', 'text/html'],
  ])
})
