import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { selfSigned } from '#edge'
import { parseAddress } from '#networks'
import { type Download, type DownloadOptions, download, publicLookup } from './download.ts'
import { isPublicAddress } from './special-networks.ts'

const folder = mkdtempSync(join(tmpdir(), 'digue-download-'))
const file = join(folder, 'list')
const { certificate, key } = selfSigned(['localhost'])
let server: Server
let port = 0
let handler: (request: IncomingMessage, response: ServerResponse) => void
let asked: IncomingMessage[] = []

before(async () => {
  server = createServer({ cert: certificate, key }, (request, response) => {
    asked.push(request)
    handler(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
beforeEach(() => {
  asked = []
})
after(() => {
  server.closeAllConnections()
  server.close()
  rmSync(folder, { recursive: true })
})

/** From the test's own server, as if it were somewhere public. */
const get = (options: Partial<DownloadOptions> = {}, path = '/'): Promise<Download> =>
  download(`https://localhost:${port}${path}`, file, {
    userAgent: 'digue/test',
    ca: certificate,
    isAllowed: () => true,
    ...options,
  })

function faultOf(result: Download): string {
  assert.ok(result.kind === 'failed', `got ${result.kind}`)
  return result.fault
}

describe('download', () => {
  test('puts the list into the file, with what makes the next question cheap', async () => {
    handler = (request, response) => {
      if (request.headers['if-none-match'] === '"v1"') response.writeHead(304).end()
      else
        response
          .writeHead(200, { etag: '"v1"', 'last-modified': 'Tue, 24 Nov 2026 10:00:00 GMT' })
          .end('192.0.2.1\n')
    }
    const first = await get()
    assert.ok(first.kind === 'new')
    assert.equal(readFileSync(file, 'latin1'), '192.0.2.1\n')
    assert.equal(first.bytes, 10)
    assert.deepEqual(first.validators, { etag: '"v1"', lastModified: 'Tue, 24 Nov 2026 10:00:00 GMT' })
    assert.equal(asked[0]!.headers['user-agent'], 'digue/test')
    assert.deepEqual(await get({ validators: first.validators }), { kind: 'unchanged' })
    assert.equal(asked[1]!.headers['if-modified-since'], 'Tue, 24 Nov 2026 10:00:00 GMT')
  })

  test('gzip stays as it is until it is read', async () => {
    const packed = gzipSync('192.0.2.1\n')
    handler = (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(packed)
    assert.equal((await get()).kind, 'new')
    assert.deepEqual(readFileSync(file), packed)
    handler = (_, response) => response.writeHead(200, { 'content-encoding': 'br' }).end('x')
    assert.match(faultOf(await get()), /^expected gzip or no coding, got "br"$/)
  })

  test('a redirect is told, not followed', async () => {
    handler = (_, response) =>
      response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' }).end()
    assert.match(faultOf(await get()), /^expected the list, got a redirect \(302\) to "http:\/\/169/)
    assert.equal(asked.length, 1)
  })

  test('a status, and how long to stay away', async () => {
    handler = (_, response) => response.writeHead(429, { 'retry-after': '7200' }).end('slow down')
    assert.deepEqual(await get(), {
      kind: 'failed',
      fault: 'expected the list, got status 429',
      retryAfterMs: 7_200_000,
    })
    handler = (_, response) => response.writeHead(503, { 'retry-after': '999999999' }).end()
    assert.deepEqual(await get(), {
      kind: 'failed',
      fault: 'expected the list, got status 503',
      retryAfterMs: 86_400_000,
    })
    // A 304 to a question that had no condition is no answer.
    handler = (_, response) => response.writeHead(304).end()
    assert.match(faultOf(await get()), /304/)
  })

  test('a body without end is given up at the bound, told or not', async () => {
    handler = (_, response) => response.writeHead(200, { 'content-length': '99000000' }).write('1')
    assert.match(faultOf(await get()), /^expected at most 64 MB, got more$/)
    const chunk = Buffer.alloc(1_000_000, '1')
    handler = (_, response) => {
      response.writeHead(200)
      const more = () => {
        while (!response.destroyed && response.write(chunk));
      }
      response.on('drain', more)
      more()
    }
    assert.match(faultOf(await get()), /^expected at most 64 MB, got more$/)
  })

  test('a body that stops, one that trickles, a head that never comes', async () => {
    const timeouts = { connectMs: 5000, headersMs: 60_000, pauseMs: 60_000, wholeMs: 60_000 }
    handler = (_, response) => response.writeHead(200).write('192.0.2.1\n')
    assert.match(faultOf(await get({ timeouts: { ...timeouts, pauseMs: 200 } })), /stopped coming for 0.2 s/)
    handler = (_, response) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write('1'), 20)
      response.on('close', () => clearInterval(timer))
    }
    assert.match(
      faultOf(await get({ timeouts: { ...timeouts, wholeMs: 300 } })),
      /did not come whole within 0.3 s/,
    )
    handler = () => {}
    assert.match(faultOf(await get({ timeouts: { ...timeouts, headersMs: 200 } })), /no answer within 0.2 s/)
  })

  test('a server whose certificate nobody vouches for is not believed', async () => {
    handler = (_, response) => response.end('192.0.2.1\n')
    const result = await download(`https://localhost:${port}/`, file, {
      userAgent: 'digue/test',
      isAllowed: () => true,
    })
    assert.match(faultOf(result), /certificate/i)
    assert.equal(asked.length, 0)
  })
})

describe('where a list may come from', () => {
  test('no private address, as a number in any spelling or by name, and no plain http', async () => {
    const options = { userAgent: 'digue/test', ca: certificate }
    for (const url of [
      `https://127.0.0.1:${port}/`,
      `https://localhost:${port}/`,
      'https://2130706433/',
      'https://0x7f.1/',
      'https://[::1]/',
      'https://[::ffff:169.254.169.254]/',
      'https://169.254.169.254/latest/meta-data/',
      'https://10.0.0.1/',
    ])
      assert.match(faultOf(await download(url, file, options)), /^expected a public address, got /, url)
    assert.equal(asked.length, 0)
    assert.match(faultOf(await download('http://192.0.43.8/', file, options)), /^expected an https/)
  })

  test('the connection itself looks the name up, and is given public addresses only', async () => {
    const find = (isAllowed: (text: string) => boolean, all: boolean) =>
      new Promise<unknown[]>((resolve) =>
        publicLookup((address) => isAllowed(address.words.join()))('localhost', { all }, (...found) =>
          resolve(found),
        ),
      )
    const loopback = parseAddress('127.0.0.1')!.words.join()
    const [none] = await find(() => false, true)
    assert.equal((none as { code: string }).code, 'DIGUE_PRIVATE_ADDRESS')
    const [error, address, family] = await find((words) => words === loopback, false)
    assert.deepEqual([error, address, family], [null, '127.0.0.1', 4])
    const [, addresses] = await find((words) => words === loopback, true)
    assert.deepEqual(addresses, [{ address: '127.0.0.1', family: 4 }])
    assert.ok(!isPublicAddress(parseAddress('127.0.0.1')!))
  })

  test('nothing is written for what failed before it came', async () => {
    const nowhere = join(folder, 'nowhere')
    await download(`https://localhost:${port}/`, nowhere, { userAgent: 'digue/test' })
    assert.ok(!existsSync(nowhere))
  })
})
