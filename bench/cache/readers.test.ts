import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { type PageOriginPlan, startPageOrigin } from './page-origin.ts'
import { Readers, type ReadersResult } from './readers.ts'

const ORIGIN: PageOriginPlan = { port: 0, servers: 8, queue: 100, costMs: 1, maxAgeS: 2 }

const read = (port: number, more: { seconds?: number; patienceMs?: number } = {}): Promise<ReadersResult> =>
  new Readers({
    role: 'readers',
    port,
    host: 'bench.example.org',
    sources: ['127.10.1.1', '127.10.1.2'],
    startAtMs: Date.now(),
    seconds: 0.5,
    perSecond: 100,
    pages: 5,
    patienceMs: 5000,
    seed: 1,
    ...more,
  }).run()

async function withOrigin<T>(listener: RequestListener, work: (port: number) => Promise<T>): Promise<T> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    return await work((server.address() as AddressInfo).port)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

test('every page is read once before Zipf begins, and the origin remembers what it was asked', async () => {
  const origin = await startPageOrigin(ORIGIN)
  try {
    const { readings } = await read(origin.port)
    assert.deepEqual(
      readings
        .map(({ page }) => page)
        .filter((page, i, all) => all.indexOf(page) === i)
        .sort(),
      [0, 1, 2, 3, 4],
    )
    assert.ok(readings.every(({ fate }) => fate === 'served'))
    const seen = origin.seen(0, Number.POSITIVE_INFINITY)
    assert.equal(seen.requests, readings.length)
    assert.deepEqual(Object.keys(seen.byPath).sort(), [
      '/',
      '/article/1',
      '/article/2',
      '/article/3',
      '/article/4',
    ])
    assert.equal(seen.withQuery, 0)
    assert.equal(origin.seen(0, readings[0]!.askedAtMs - 1).requests, 0)
  } finally {
    origin.stop()
  }
})

test('whoever is shown anything but the page has seen an error', async () => {
  const fates = async (listener: RequestListener) =>
    new Set((await withOrigin(listener, (port) => read(port))).readings.map(({ fate }) => fate))
  assert.deepEqual(await fates((_, response) => response.writeHead(502).end()), new Set(['status-502']))
  assert.deepEqual(await fates((_, response) => response.end('please wait')), new Set(['other-page']))
  assert.deepEqual(await fates((request) => request.destroy()), new Set(['lost']))
})

test('who is not answered within the patience is counted, and the run ends', async () => {
  const { readings } = await withOrigin(
    () => {},
    (port) => read(port, { seconds: 0.2, patienceMs: 100 }),
  )
  assert.ok(readings.length > 0)
  assert.ok(readings.every(({ fate }) => fate === 'timeout'))
})

test('a kept connection that was closed is no error: the page is asked for again', async () => {
  let answers = 0
  const origin = await startPageOrigin(ORIGIN)
  try {
    const { readings } = await withOrigin(
      (request, response) => {
        // Closes every third connection without a word, as a keep-alive timeout may.
        if (++answers % 3 === 0 && request.socket.bytesWritten > 0) return request.socket.destroy()
        void fetch(`http://127.0.0.1:${origin.port}${request.url}`)
          .then((fetched) => fetched.text())
          .then((text) => response.end(text))
      },
      (port) => read(port),
    )
    assert.ok(answers > readings.length)
    assert.deepEqual(new Set(readings.map(({ fate }) => fate)), new Set(['served']))
  } finally {
    origin.stop()
  }
})

test('parameters change nothing, and a validator gets 304', async () => {
  const origin = await startPageOrigin(ORIGIN)
  try {
    const ask = (path: string, headers: Record<string, string> = {}) =>
      fetch(`http://127.0.0.1:${origin.port}${path}`, { headers })
    const plain = await ask('/')
    assert.equal(await plain.text(), await (await ask('/?x=1')).text())
    assert.equal(plain.headers.get('cache-control'), 'public, max-age=2')
    assert.equal((await ask('/', { 'if-none-match': plain.headers.get('etag')! })).status, 304)
    assert.equal((await (await ask('/size/2000')).text()).length, 2000)
    assert.equal(origin.seen(0, Number.POSITIVE_INFINITY).withQuery, 1)
    assert.equal(origin.total(), 4)
  } finally {
    origin.stop()
  }
})
