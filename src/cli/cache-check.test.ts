import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { type CacheCheckFlags, cacheCheck, type PageFinding, parseUrls } from './cache-check.ts'
import { CliError, EXIT } from './output.ts'
import { askForPage, MOST_BODY_BYTES } from './page-probe.ts'

const folder = mkdtempSync(join(tmpdir(), 'digue-check-'))
after(() => rmSync(folder, { recursive: true }))

const seen: IncomingMessage[] = []
let visits = 0

function page(response: ServerResponse, fields: OutgoingHttpHeaders, text = 'page'): void {
  response.writeHead(200, { 'content-type': 'text/html', etag: '"1"', ...fields })
  response.end(text)
}

const server = createServer((request, response) => {
  seen.push(request)
  const { pathname } = new URL(request.url!, 'http://origin')
  switch (pathname) {
    case '/':
      return page(response, { 'cache-control': 'public, max-age=60' })
    case '/counter':
      return page(response, { 'cache-control': 'max-age=60' }, `visit ${++visits}`)
    case '/login':
      return page(response, {
        'cache-control': 'max-age=60',
        'set-cookie': `sid=${'0123456789abcdef'.repeat(2)}; HttpOnly`,
      })
    case '/language':
      return page(response, { 'cache-control': 'max-age=60', 'set-cookie': 'lang=fr' })
    case '/search':
      return page(response, { 'cache-control': 'max-age=60' }, `you asked for ${request.url}`)
    case '/strict':
      return page(response, { 'cache-control': 'max-age=60' }, String(request.url!.length))
    case '/asked':
      return page(response, { 'cache-control': 'max-age=0' })
    case '/no-stale':
      return page(response, { 'cache-control': 'max-age=60, must-revalidate' })
    case '/silent':
      return page(response, {})
    case '/mitigated':
      response.writeHead(503, { 'digue-mitigated': 'challenge', 'cache-control': 'no-store' })
      return void response.end('wait')
    case '/old':
      response.writeHead(301, { location: '/\u009b2Jnew', 'cache-control': 'max-age=60' })
      return void response.end()
    case '/large':
      response.writeHead(200, { 'cache-control': 'max-age=60' })
      return pour(response)
    case '/broken':
      response.writeHead(200, { 'content-length': 100 })
      response.write('x', () => response.destroy())
      return
    case '/endless':
      response.writeHead(200)
      return void response.write('x')
    case '/heads':
      return page(response, { 'x-large': 'x'.repeat(70_000) })
    default:
      response.writeHead(404)
      response.end()
  }
})

function pour(response: ServerResponse): void {
  const piece = Buffer.alloc(1 << 20)
  const more = () => {
    while (!response.destroyed && response.write(piece));
  }
  response.on('drain', more)
  more()
}

let origin = ''
before(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
after(() => {
  server.close()
  server.closeAllConnections()
})

interface Told {
  readonly out: string
  readonly exit: number
}

async function check(urls: string[], flags: CacheCheckFlags = {}, input: string[] = []): Promise<Told> {
  let out = ''
  const before = process.exitCode
  process.exitCode = 0
  const lines = (async function* () {
    yield* input
  })()
  try {
    await cacheCheck(urls, flags, { out: (text) => void (out += text), error: () => assert.fail() }, lines)
    return { out, exit: Number(process.exitCode) }
  } finally {
    process.exitCode = before
  }
}

async function finding(path: string, flags: CacheCheckFlags = {}): Promise<PageFinding> {
  const { out } = await check([origin + path], { ...flags, json: true })
  return (JSON.parse(out) as PageFinding[])[0]!
}

describe('digue cache check', () => {
  test('a page that stays readable is found so, by three plain requests', async () => {
    seen.length = 0
    const { out, exit } = await check([`${origin}/#part`])
    assert.equal(exit, EXIT.ok)
    assert.match(out, /^ok {3}http:/)
    assert.match(out, /the origin is asked once in 60 s\. When it is down, the page is shown for 24 h more/)
    assert.match(out, /1 of 1 page can be shown while the origin is down\. Judged by the usual rules\./)
    assert.deepEqual(
      seen.map(({ url }) => url!.replace(/\?d[0-9a-f]{8}=d[0-9a-f]{16}$/, '?made-up')),
      ['/', '/', '/?made-up'],
    )
    for (const { headers, method } of seen) {
      assert.equal(method, 'GET')
      assert.equal(headers.cookie, undefined)
      assert.equal(headers['if-none-match'], undefined)
      assert.equal(headers['x-forwarded-proto'], undefined)
    }
  })

  test('each kind of page, and what is said of it', async () => {
    const cases: [string, PageFinding['level'], Partial<PageFinding>, RegExp][] = [
      ['/counter', 'warn', { isSameTwice: false, unknownParameter: 'unclear' }, /Look what differs/],
      [
        '/login',
        'bad',
        { verdict: 'not-stored', refusal: 'set-cookie', cookies: ['sid'] },
        /no session cookie/,
      ],
      ['/language', 'warn', { verdict: 'served', cookies: ['lang'] }, /goes to everybody/],
      ['/search', 'warn', { unknownParameter: 'repeated' }, /canonical link/],
      ['/strict', 'warn', { unknownParameter: 'changes' }, /pass over parameters/],
      ['/asked', 'warn', { verdict: 'validated', standInS: 86_400 }, /s-maxage=5/],
      ['/no-stale', 'bad', { verdict: 'served', standInS: 0 }, /leave out must-revalidate/],
      ['/silent', 'bad', { verdict: 'not-stored', refusal: 'no-freshness' }, /cache\.emergency/],
      ['/old', 'good', { status: 301, unknownParameter: 'ignored' }, /leads to \/�2Jnew/],
      ['/large', 'bad', { refusal: 'too-large' }, /objectBytes/],
      ['/none', 'bad', { status: 404 }, /Mend the address/],
      ['/mitigated', 'bad', { status: 503 }, /Digue’s own; --origin/],
      ['/broken', 'unknown', {}, /ask again/],
      ['/heads', 'unknown', {}, /ask again/],
    ]
    for (const [path, level, expected, advice] of cases) {
      const found = await finding(path)
      assert.equal(found.level, level, `${path}: ${JSON.stringify(found)}`)
      for (const [name, value] of Object.entries(expected))
        assert.deepEqual(found[name as keyof PageFinding], value, `${path}: ${name}`)
      assert.match(found.advice.join('\n'), advice, path)
      assert.match(found.summary, /^[A-Z].*\.$/, path)
    }
  })

  test('several pages are a table, then what is to be done; one that fails makes the exit code 1', async () => {
    const { out, exit } = await check([`${origin}/`, `${origin}/silent`, `${origin}/`])
    assert.equal(exit, EXIT.failed)
    const lines = out.split('\n')
    assert.match(lines[0]!, /^ +page +from the store +when the origin is down$/)
    assert.match(lines[1]!, /^ok {4}http:\S+\/ +for 60 s +for 24 h more$/)
    assert.match(lines[2]!, /^BAD {3}http:\S+\/silent +no +fails$/)
    assert.equal(lines[3], '', 'the same page twice is asked for once')
    assert.match(out, /^BAD {2}http:\S+\/silent\n {5}Not stored: .*\n {5}No field gives a lifetime\./m)
    assert.doesNotMatch(out, /^ok {3}http/m, 'what is well needs no words')
    assert.match(out, /^1 of 2 pages can be shown while the origin is down/m)
  })

  test('the site’s rules are those of the configuration', async () => {
    const config = join(folder, 'digue.yaml')
    const site = (more: string) =>
      writeFileSync(config, `sites: [{ host: 127.0.0.1, origin: "http://127.0.0.1:1", ${more} }]\n`)
    site('cache: { emergency: ["/silent"], staleFor: 2h }')
    const emergency = await finding('/silent', { config })
    assert.deepEqual([emergency.level, emergency.verdict, emergency.standInS], ['warn', 'emergency', 7200])
    assert.match((await check([`${origin}/`], { config })).out, /Judged by the rules of .*digue\.yaml/)
    site('cache: { enabled: false }')
    const off = await finding('/', { config })
    assert.deepEqual([off.level, off.verdict], ['bad', 'not-stored'])
    assert.match(off.reasons[0]!, /cache\.enabled is false/)
    site('mode: observe')
    assert.match((await finding('/', { config })).reasons[0]!, /mode is observe/)
    writeFileSync(config, 'sites: [{ host: b.example.org, origin: "http://127.0.0.1:1" }]\n')
    const foreign = await finding('/', { config })
    assert.equal(foreign.level, 'good')
    assert.match(foreign.reasons[0]!, /has no site 127\.0\.0\.1/)
    writeFileSync(config, 'sites: []\n')
    await assert.rejects(check([`${origin}/`], { config }), { exit: EXIT.usage })
  })

  test('an origin is asked in place of the public address, as Digue asks it', async () => {
    seen.length = 0
    const { exit } = await check(['https://www.example.org/?page=2'], { origin })
    assert.equal(exit, EXIT.ok)
    assert.match(seen[2]!.url!, /^\/\?page=2&d/)
    assert.equal(seen[0]!.headers.host, 'www.example.org')
    assert.equal(seen[0]!.headers['x-forwarded-proto'], 'https')
    assert.equal(seen[0]!.headers['x-forwarded-host'], 'www.example.org')
    for (const wrong of ['127.0.0.1:80', 'http://127.0.0.1/path', 'ftp://127.0.0.1', 'unix:relative'])
      await assert.rejects(check(['https://www.example.org/'], { origin: wrong }), { exit: EXIT.usage })
  })

  test('pages come from standard input, up to two hundred of them', async () => {
    const list = ['# ours\n', `${origin}/`, '\n\n', `  ${origin}/asked\n`]
    const { out } = await check(['-'], { json: true }, list)
    assert.deepEqual(
      (JSON.parse(out) as PageFinding[]).map(({ url }) => url.slice(origin.length)),
      ['/', '/asked'],
    )
    await assert.rejects(check(['-'], {}, ['']), /expected a page at least/)
    const many = Array.from({ length: 201 }, (_, i) => `https://www.example.org/${i}\n`)
    await assert.rejects(check(['-'], {}, many), /at most 200 pages, got 201/)
    const endless = Array.from({ length: 200 }, () => 'x'.repeat(10_000))
    await assert.rejects(check(['-'], {}, endless), /got far more/)
  })

  test('whatever is given as a page is taken or refused, and never throws anything else', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.webUrl()), { maxLength: 5 }), (given) => {
        try {
          for (const url of parseUrls(given)) assert.match(url.protocol, /^https?:$/)
        } catch (error) {
          assert.ok(error instanceof CliError && error.exit === EXIT.usage)
        }
      }),
    )
  })
})

describe('a page that is asked for', () => {
  test('is read up to a bound', async () => {
    const page = await askForPage(new URL(`${origin}/large`), undefined)
    assert.ok('body' in page)
    assert.equal(page.body.length, MOST_BODY_BYTES)
    assert.equal(page.isWhole, false)
  })

  test('and has no end, or no server, is a sentence', async () => {
    const fault = async (url: string, deadlineMs?: number) => {
      const page = await askForPage(new URL(url), undefined, deadlineMs)
      return 'fault' in page ? page.fault : assert.fail('an answer')
    }
    assert.match(await fault(`${origin}/endless`, 200), /does not end within 0\.2 s/)
    assert.match(await fault(`${origin}/broken`), /breaks off/)
    assert.match(await fault(`${origin}/heads`), /larger than 64 kB/)
    assert.match(await fault(origin.replace('http:', 'https:')), /cannot be asked|not good/)
    const gone = createServer().listen(0, '127.0.0.1')
    await once(gone, 'listening')
    const { port } = gone.address() as AddressInfo
    gone.close()
    await once(gone, 'close')
    assert.match(await fault(`http://127.0.0.1:${port}/`), /nothing listens at/)
  })

  test('through a Unix socket, too', async () => {
    const path = join(folder, 's')
    const local = createServer((request, response) => response.end(request.headers.host)).listen(path)
    await once(local, 'listening')
    const at = { url: `unix:${path}`, host: 'www.example.org', verify: true }
    const page = await askForPage(new URL('https://www.example.org/'), at)
    assert.ok('body' in page)
    assert.equal(page.body.toString(), 'www.example.org')
    local.close()
    local.closeAllConnections()
  })
})
