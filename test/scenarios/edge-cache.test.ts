/** What is stored is served: fresh, once for many, and when the origin cannot answer. Never somebody's own, never a poisoned page. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import http2 from 'node:http2'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { selfSigned } from '#edge'
import { type DigueOptions, startDigue, startOrigin, startRawOrigin } from './harness.ts'

interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
}

/** Each request its own connection, so that nothing waits for anything. */
function ask(
  url: string,
  headers: http.OutgoingHttpHeaders = {},
  method = 'GET',
  body = '',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { headers, method, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          text: Buffer.concat(chunks).toString(),
        }),
      )
    })
    request.on('error', reject)
    request.end(body)
  })
}

async function stage(handler: RequestListener, options: DigueOptions = {}) {
  const seen: IncomingMessage[] = []
  const origin = await startOrigin((request, response) => {
    seen.push(request)
    handler(request, response)
  })
  const digue = await startDigue({ origins: [origin.url], ...options })
  return {
    seen,
    origin,
    digue,
    url: digue.url,
    async [Symbol.asyncDispose]() {
      await digue[Symbol.asyncDispose]()
      await origin[Symbol.asyncDispose]()
    },
  }
}

const page =
  (fields: http.OutgoingHttpHeaders, text = 'page'): RequestListener =>
  (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/plain', ...fields })
    response.end(text)
  }

test('a fresh page is asked for once, and says where it comes from', async () => {
  await using site = await stage(page({ 'cache-control': 'max-age=60' }))
  const first = await ask(`${site.url}/a`)
  assert.match(String(first.headers['cache-status']), /^Digue; fwd=uri-miss; stored/)
  const second = await ask(`${site.url}/a`)
  assert.equal(second.text, 'page')
  assert.match(String(second.headers['cache-status']), /^Digue; hit/)
  assert.match(String(second.headers.age), /^[01]$/)
  assert.equal(site.seen.length, 1)
  await site.digue.record(({ action }) => action === 'store')
})

test('a chunked page is stored without its chunks', async () => {
  await using site = await stage((_request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=60' })
    response.write('one ')
    setTimeout(() => response.end('two'), 20)
  })
  assert.equal((await ask(site.url)).text, 'one two')
  const stored = await ask(site.url)
  assert.equal(stored.text, 'one two')
  assert.equal(stored.headers['content-length'], '7')
  assert.equal(site.seen.length, 1)
})

test('HEAD, conditions and ranges are answered from what is stored', async () => {
  await using site = await stage(page({ 'cache-control': 'max-age=60', etag: '"1"' }, '0123456789'))
  await ask(site.url)
  const head = await ask(site.url, {}, 'HEAD')
  assert.equal(head.headers['content-length'], '10')
  assert.equal(head.text, '')
  assert.equal((await ask(site.url, { 'if-none-match': '"1"' })).status, 304)
  const part = await ask(site.url, { range: 'bytes=2-4' })
  assert.equal(part.status, 206)
  assert.equal(part.text, '234')
  assert.equal(part.headers['content-range'], 'bytes 2-4/10')
  assert.equal(site.seen.length, 1)
})

/** An origin that sends parts, though not to who has another version; or not even that. */
function inParts(text: () => string, knowsIfRange = true): RequestListener {
  return ({ headers }, response) => {
    const body = text()
    const etag = `"${body[0]}"`
    const fields = { 'cache-control': 'max-age=60', 'content-type': 'text/plain', etag }
    const isSame = headers['if-range'] === undefined || headers['if-range'] === etag || !knowsIfRange
    const match = isSame ? /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') : null
    if (match === null) {
      response.writeHead(200, fields)
      response.end(body)
      return
    }
    const part = body.slice(Number(match[1]), match[2] === '' ? body.length : Number(match[2]) + 1)
    const from = Number(match[1])
    response.writeHead(206, {
      ...fields,
      'content-range': `bytes ${from}-${from + part.length - 1}/${body.length}`,
    })
    response.write(part.slice(0, 1))
    setTimeout(() => response.end(part.slice(1)), 5)
  }
}

test('parts become the whole, of which only the rest is asked for', async () => {
  for (const way of ['fast', 'slow'] as const) {
    await using site = await stage(inParts(() => '0123456789'))
    // A request with Expect leaves the fast path.
    const get = (headers: http.OutgoingHttpHeaders = {}) =>
      ask(site.url, way === 'slow' ? { expect: '100-continue', ...headers } : headers)
    assert.equal((await get({ range: 'bytes=0-3' })).text, '0123')
    assert.equal((await get({ range: 'bytes=4-6' })).text, '456')
    const within = await get({ range: 'bytes=2-5' })
    assert.equal(
      `${within.status} ${within.text} ${within.headers['content-range']}`,
      '206 2345 bytes 2-5/10',
    )
    assert.equal(site.seen.length, 2)
    const whole = await get()
    assert.equal(`${whole.status} ${whole.text}`, '200 0123456789')
    assert.equal(whole.headers['content-length'], '10')
    assert.equal(whole.headers['cache-status'], 'Digue; fwd=partial; fwd-status=206; stored')
    assert.deepEqual(
      site.seen.map(({ headers }) => [headers.range, headers['if-range']]),
      [
        ['bytes=0-3', undefined],
        ['bytes=4-6', undefined],
        ['bytes=7-', '"0"'],
      ],
    )
    assert.equal((await get()).text, '0123456789')
    assert.equal(site.seen.length, 3)
  }
})

test('a page that has changed since a part of it was stored is sent whole', async () => {
  for (const knowsIfRange of [true, false])
    for (const headers of [{}, { expect: '100-continue' }]) {
      let text = '0123456789'
      await using site = await stage(inParts(() => text, knowsIfRange))
      assert.equal((await ask(site.url, { range: 'bytes=0-6', ...headers })).text, '0123456')
      text = 'abcdefghij'
      assert.equal((await ask(site.url, headers)).text, text)
      const asked = site.seen.map(({ headers: { range } }) => range)
      assert.deepEqual(asked, ['bytes=0-6', 'bytes=7-', ...(knowsIfRange ? [] : [undefined])])
      assert.equal((await ask(site.url, headers)).text, text)
      assert.equal((await ask(site.url, { range: 'bytes=1-2', ...headers })).text, 'bc')
    }
})

/** A second door with TLS, and a client that speaks HTTP/2 there. */
async function stageWithTls(handler: RequestListener, options: DigueOptions = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), 'digue-cache-'))
  const { certificate, key } = selfSigned(['localhost'])
  writeFileSync(path.join(folder, 'chain.pem'), certificate)
  writeFileSync(path.join(folder, 'key.pem'), key)
  const door = { address: '127.0.0.1', port: 0 }
  const site = await stage(handler, {
    ...options,
    site: {
      hosts: ['127.0.0.1'],
      certificate: path.join(folder, 'chain.pem'),
      key: path.join(folder, 'key.pem'),
      ...options.site,
    },
    config: { listen: [door, { ...door, tls: true }], ...options.config },
  })
  const session = http2.connect(`https://127.0.0.1:${site.digue.edge.ports[1]}`, {
    rejectUnauthorized: false,
  })
  return {
    ...site,
    tlsPort: site.digue.edge.ports[1]!,
    session,
    ask2(target: string, headers: http2.OutgoingHttpHeaders = {}, body = '') {
      return new Promise<{ headers: http2.IncomingHttpHeaders; text: string }>((resolve, reject) => {
        const stream = session.request({ ':path': target, ...headers }, { endStream: body === '' })
        let text = ''
        let got: http2.IncomingHttpHeaders = {}
        stream.on('response', (fields) => (got = fields))
        stream.on('data', (chunk) => (text += chunk))
        stream.on('end', () => resolve({ headers: got, text }))
        stream.on('error', reject)
        if (body !== '') stream.end(body)
      })
    },
    async [Symbol.asyncDispose]() {
      session.destroy()
      await site[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true })
    },
  }
}

test('the slow path and HTTP/2 are served from the same store', async () => {
  await using site = await stageWithTls(page({ 'cache-control': 'max-age=60' }))
  await ask(`${site.url}/x`)
  // A request with Expect leaves the fast path.
  const slow = await ask(`${site.url}/x`, { expect: '100-continue' })
  assert.match(String(slow.headers['cache-status']), /hit/)
  assert.equal(slow.text, 'page')
  assert.equal(site.seen.length, 1)
  await site.ask2('/h2')
  const second = await site.ask2('/h2')
  assert.equal(second.headers[':status'], 200)
  assert.equal(second.text, 'page')
  assert.match(String(second.headers['cache-status']), /hit/)
  assert.equal(second.headers['content-length'], '4')
  assert.match(String(second.headers.age), /^\d$/)
  const head = await site.ask2('/h2', { ':method': 'HEAD' })
  assert.deepEqual([head.headers['content-length'], head.text], ['4', ''])
  const part = await site.ask2('/h2', { range: 'bytes=1-2' })
  assert.deepEqual([part.headers[':status'], part.text], [206, 'ag'])
  assert.equal(site.seen.length, 2, 'one for http, one for https')
})

for (const threads of [1, 2])
  test(`a thousand at once for one page are one request to the origin (${threads} threads)`, async () => {
    await using site = await stage(
      (_request, response) =>
        setTimeout(() => response.writeHead(200, { 'cache-control': 'max-age=60' }).end('page'), 300),
      { config: { threads } },
    )
    const agent = new http.Agent({ keepAlive: true, maxSockets: 200 })
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => ask(`${site.url}/one`).then(({ status }) => status)),
    )
    agent.destroy()
    assert.deepEqual(new Set(answers), new Set([200]))
    assert.equal(site.seen.length, 1)
  })

test('who waited for a page that turns out private is released to the origin, each with his own', async () => {
  await using site = await stage((request, response) => {
    setTimeout(
      () => response.writeHead(200, { 'cache-control': 'private' }).end(String(request.headers.cookie)),
      500,
    )
  })
  const started = performance.now()
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => ask(`${site.url}/mine`, { cookie: `n=${n}` })),
  )
  assert.deepEqual(
    answers.map(({ text }) => text),
    Array.from({ length: 20 }, (_, n) => `n=${n}`),
  )
  assert.equal(site.seen.length, 20)
  assert.ok(performance.now() - started < 4000)
  // From now on nobody who brings cookies waits for another's.
  const mine = () => ask(`${site.url}/mine`, { cookie: 'n=1' })
  const again = performance.now()
  await Promise.all([mine(), mine()])
  assert.ok(performance.now() - again < 950, 'one after the other')
})

test('a stale page is validated, and a 304 makes it fresh again', async () => {
  await using site = await stage((request, response) => {
    if (request.headers['if-none-match'] === '"v"')
      response.writeHead(304, { 'cache-control': 'max-age=60', etag: '"v"' }).end()
    else response.writeHead(200, { 'cache-control': 'max-age=0', etag: '"v"' }).end('page')
  })
  await ask(site.url)
  const validated = await ask(site.url)
  assert.equal(validated.status, 200)
  assert.equal(validated.text, 'page')
  assert.match(String(validated.headers['cache-status']), /fwd=stale; fwd-status=304/)
  assert.match(String((await ask(site.url)).headers['cache-status']), /hit/)
  assert.equal(site.seen.length, 2)
})

test('stale-while-revalidate: served at once, and refreshed behind the back', async () => {
  let version = 0
  await using site = await stage((_request, response) => {
    version++
    setTimeout(
      () =>
        response
          .writeHead(200, { 'cache-control': `max-age=${version === 1 ? 1 : 60}, stale-while-revalidate=60` })
          .end(`version ${version}`),
      version === 1 ? 0 : 1000,
    )
  })
  await ask(site.url)
  await sleep(1100)
  const started = performance.now()
  const stale = await ask(site.url, { cookie: 'mine=1' })
  assert.equal(stale.text, 'version 1')
  assert.ok(performance.now() - started < 900)
  await sleep(1600)
  assert.equal((await ask(site.url)).text, 'version 2')
  assert.equal(site.seen.length, 2)
  assert.equal(site.seen[1]!.headers.cookie, undefined)
})

test('an origin that has died: what was stored is served, unless the origin forbade it', async () => {
  await using site = await stage((request, response) => {
    const strict = request.url === '/strict' ? ', must-revalidate' : ''
    response.writeHead(200, { 'cache-control': `max-age=1${strict}` }).end('page')
  })
  await ask(`${site.url}/news`)
  await ask(`${site.url}/strict`)
  await site.origin[Symbol.asyncDispose]()
  await sleep(1100)
  for (let n = 0; n < 5; n++) {
    const stale = await ask(`${site.url}/news`)
    assert.equal(stale.status, 200)
    assert.equal(stale.text, 'page')
  }
  assert.ok([502, 504].includes((await ask(`${site.url}/strict`)).status))
  assert.equal((await ask(`${site.url}/unknown`)).status, 502)
  await site.digue.record(({ action, reason }) => action === 'store' && reason === 'stale')
})

test('a 503 of the origin does not replace a stale page', async () => {
  let fails = false
  await using site = await stage((_request, response) => {
    if (fails) response.writeHead(503).end('broken')
    else response.writeHead(200, { 'cache-control': 'max-age=1' }).end('page')
  })
  await ask(site.url)
  fails = true
  await sleep(1100)
  const answer = await ask(site.url)
  assert.equal(answer.status, 200)
  assert.equal(answer.text, 'page')
})

test('the last good copy of an emergency path is served only when the origin cannot answer', async () => {
  let fails = false
  await using site = await stage(
    (request, response) => {
      if (fails) response.destroy()
      else if (request.headers.cookie !== undefined) response.end('of somebody')
      else response.end(`good ${request.url}`)
    },
    { site: { cache: { emergency: ['/', '/news/*'] } } },
  )
  await ask(`${site.url}/news/1`, { cookie: 'session=1' })
  await ask(`${site.url}/news/2`)
  await ask(`${site.url}/news/2`)
  assert.equal(site.seen.length, 3, 'nothing is served from it while the origin answers')
  fails = true
  const copy = await ask(`${site.url}/news/2`)
  assert.equal(copy.status, 200)
  assert.equal(copy.text, 'good /news/2')
  assert.equal(copy.headers['digue-notice'], 'last-known-good')
  assert.equal((await ask(`${site.url}/news/1`)).status, 502, 'what was somebody’s own is not kept')
})

test('an unsafe request that succeeds makes what is stored of its target invalid', async () => {
  await using site = await stage(page({ 'cache-control': 'max-age=60' }))
  await ask(`${site.url}/list`)
  await ask(`${site.url}/list`, { 'content-type': 'text/plain' }, 'POST', 'new')
  const after = await ask(`${site.url}/list`)
  assert.match(String(after.headers['cache-status']), /fwd=/)
  assert.equal(site.seen.length, 3)
})

test('what is stored survives a restart', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'digue-cache-'))
  let asked = 0
  await using origin = await startOrigin((_request, response) => {
    asked++
    response.writeHead(200, { 'cache-control': 'max-age=600' }).end('kept')
  })
  {
    await using digue = await startDigue({ origins: [origin.url], cacheDirectory: directory })
    await ask(`${digue.url}/kept`, { host: 'a.example' })
    await sleep(300)
    await ask(`${digue.url}/kept`, { host: 'a.example' })
    await sleep(1500)
  }
  await using digue = await startDigue({ origins: [origin.url], cacheDirectory: directory })
  const answer = await ask(`${digue.url}/kept`, { host: 'a.example' })
  assert.equal(answer.text, 'kept')
  assert.equal(asked, 1)
  rmSync(directory, { recursive: true })
})

test('a purge takes pages away in all threads', async () => {
  await using site = await stage(page({ 'cache-control': 'max-age=60', 'surrogate-key': 'news front' }), {
    config: { threads: 2 },
  })
  await ask(`${site.url}/1`, { host: 'a.example' })
  await sleep(300)
  assert.equal(await site.digue.edge.purge({ tag: 'news' }), 1)
  await sleep(300)
  for (let n = 0; n < 4; n++) {
    await ask(`${site.url}/1`, { host: 'a.example' })
    // The other thread hears of it.
    await sleep(200)
  }
  assert.equal(site.seen.length, 2)
})

const BAD: readonly [string, http.OutgoingHttpHeaders][] = [
  ['a Set-Cookie on a public page', { 'cache-control': 'public, max-age=60', 'set-cookie': 'sid=3f9ac21b' }],
  ['Vary: *', { 'cache-control': 'max-age=60', vary: '*' }],
  ['no-store', { 'cache-control': 'max-age=60, no-store' }],
  ['private', { 'cache-control': 'private, max-age=60' }],
  ['a garbage date', { expires: 'soon', 'last-modified': 'yesterday' }],
]
for (const [name, fields] of BAD)
  test(`not stored: ${name}`, async () => {
    await using site = await stage(page(fields))
    await ask(site.url)
    await ask(site.url)
    assert.equal(site.seen.length, 2)
  })

test('not stored: a body that is shorter than it says, one without an end in sight, one that is too large', async () => {
  let asked = 0
  await using origin = await startRawOrigin((socket) => {
    socket.on('data', (bytes: Buffer) => {
      asked++
      const target = bytes.toString().split(' ')[1]!
      if (target === '/short')
        socket.end('HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 10\r\n\r\nshort')
      else if (target === '/large')
        socket.write(
          `HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 20000\r\n\r\n${'x'.repeat(20_000)}`,
        )
      else
        socket.end(
          `HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ntransfer-encoding: chunked\r\n\r\n${'4e20\r\n'}${'x'.repeat(20_000)}\r\n0\r\n\r\n`,
        )
    })
  })
  await using digue = await startDigue({
    origins: [origin.url],
    site: { cache: { objectBytes: '10kB' } },
  })
  for (const target of ['/short', '/large', '/endless']) {
    const before = asked
    await ask(`${digue.url}${target}`).catch(() => {})
    await ask(`${digue.url}${target}`).catch(() => {})
    assert.ok(asked >= before + 2, target)
  }
})

test('what is not in the key poisons no page', async () => {
  await using site = await stage((request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=60' })
    response.end(
      JSON.stringify([
        request.headers['x-forwarded-host'],
        request.headers['x-original-url'],
        request.headers['x-http-method-override'],
      ]),
    )
  })
  const evil: readonly http.OutgoingHttpHeaders[] = [
    { 'x-forwarded-host': 'evil.example' },
    { 'x-original-url': '/admin' },
    { 'x-rewrite-url': '/admin' },
    { 'x-http-method-override': 'DELETE' },
  ]
  for (const [n, headers] of evil.entries()) {
    await ask(`${site.url}/${n}`, { host: 'good.example', ...headers })
    const clean = await ask(`${site.url}/${n}`, { host: 'good.example' })
    assert.equal(clean.text, '["good.example",null,null]')
  }
})

test('a query of 64 kB is no key', async () => {
  await using site = await stage(page({ 'cache-control': 'max-age=60' }), {
    config: { limits: { headBytes: '128kB' } },
  })
  const long = `${site.url}/?${'q'.repeat(65_000)}`
  assert.equal((await ask(long)).status, 200)
  assert.equal((await ask(long)).headers['cache-status'], undefined)
  assert.equal(site.seen.length, 2)
})

test('bypass goes past what is stored', async () => {
  await using site = await stage(page({ 'cache-control': 'max-age=60' }))
  await ask(site.url)
  site.digue.edge.setPolicy({ serial: 2, bypass: true, attack: 'auto', postures: {}, decisions: [] })
  await sleep(100)
  await ask(site.url)
  assert.equal(site.seen.length, 2)
})

test('a GET with a body, which no key holds, poisons no page: also where HTTP/2 does not say how long it is', async () => {
  await using site = await stageWithTls((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += chunk))
    request.on('end', () => response.writeHead(200, { 'cache-control': 'max-age=60' }).end(`[${body}]`))
  })
  const evil = await site.ask2('/fat', {}, 'evil')
  assert.equal(evil.text, '[evil]')
  assert.equal((await site.ask2('/fat')).text, '[]')
  // And back: what is stored is no answer to it.
  assert.equal((await site.ask2('/fat', {}, 'evil')).text, '[evil]')
})

test('a field that Connection names does not come to the origin, and no page is stored as if it had', async () => {
  await using site = await stage((request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=60', vary: 'accept-language' })
    response.end(String(request.headers['accept-language']))
  })
  const french = { 'accept-language': 'fr' }
  await ask(site.url, { ...french, connection: 'accept-language, close' })
  assert.equal((await ask(site.url, french)).text, 'fr')
})

test('a visitor who wants nothing stored takes nothing from the store', async () => {
  let fails = false
  await using site = await stage((_request, response) => {
    if (fails) response.writeHead(503).end()
    else response.writeHead(200, { 'cache-control': 'max-age=1' }).end('page')
  })
  await ask(site.url)
  await sleep(1100)
  await ask(site.url, { 'cache-control': 'no-store' })
  await ask(site.url, { 'cache-control': 'no-store' }, 'HEAD')
  fails = true
  assert.equal((await ask(site.url)).text, 'page')
})

test('nothing of Digue’s own is in a key, or in the store', async () => {
  await using site = await stage((request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=60' })
    response.end(`${request.url} ${request.headers.cookie}`)
  })
  // A person who navigates, and would get a token with an answer that is nobody else's.
  const person = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
  await ask(`${site.url}/?digue=w.of.somebody`, { ...person, cookie: 'digue_w=of.somebody; digue_c=x' })
  const other = await ask(site.url, person)
  assert.equal(other.text, '/ undefined')
  assert.match(String(other.headers['cache-status']), /hit/)
  assert.equal(other.headers['set-cookie'], undefined)
  assert.equal(site.seen.length, 1)
})

test('a host is another page with another port, and the same in capitals', async () => {
  await using site = await stage((request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=60' }).end(String(request.headers.host))
  })
  const hosts = ['a.example', 'a.example:8080', 'A.Example', 'a.example.']
  const texts: string[] = []
  for (const host of hosts) texts.push((await ask(`${site.url}/`, { host })).text)
  assert.deepEqual(texts, ['a.example', 'a.example:8080', 'a.example', 'a.example.'])
  assert.equal(site.seen.length, 3)
})

test('a client of HTTP/1.0, and one that asks for an absolute target, are served what is stored', async () => {
  await using site = await stage(page({ 'cache-control': 'max-age=60' }))
  await ask(`${site.url}/x`, { host: 'a.example' })
  const raw = (text: string) =>
    new Promise<string>((resolve, reject) => {
      const socket = net.connect(site.digue.port, '127.0.0.1', () => socket.write(text))
      let got = ''
      socket.on('data', (bytes) => (got += bytes))
      socket.on('close', () => resolve(got))
      socket.on('error', reject)
    })
  assert.match(await raw('GET /x HTTP/1.0\r\nHost: a.example\r\n\r\n'), /Digue; hit[\s\S]*\r\n\r\npage$/)
  assert.match(
    await raw('GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n'),
    /Digue; hit[\s\S]*\r\n\r\npage$/,
  )
  assert.equal(site.seen.length, 1)
})
