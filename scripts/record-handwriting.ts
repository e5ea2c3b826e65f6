/**
 * Records how real clients write: the fixtures of src/recognise/handwriting.test.ts.
 *
 *   node -C source scripts/record-handwriting.ts > src/recognise/handwriting.fixtures.json
 *
 * Run by hand when clients have changed. Each client that is here visits a server on loopback, plain and over
 * TLS; kept is what traits are made of. The server's port and what is this machine's own are left out.
 */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { promisify } from 'node:util'
import { chromium } from 'playwright-core'
import { ja4Of, parseClientHello } from '#recognise'
import { certificate, HOST } from '../bench/lib/certificate.ts'
import { CHROMIUM, CHROMIUM_ARGS } from '../test/scenarios/chromium.ts'

interface Recorded {
  readonly version: '1.0' | '1.1' | '2'
  readonly method: string
  readonly target: string
  readonly fields: readonly string[]
}

interface Visit {
  readonly client: string
  readonly secure: boolean
  ja4: string
  settings?: http2.Settings
  window?: number
  /** Pseudo-header fields of the first request over HTTP/2. */
  pseudo?: readonly string[]
  readonly requests: Recorded[]
}

const PAGE = `<!doctype html><title>x</title><link rel=stylesheet href=/style.css><script src=/app.js></script>
<link rel=manifest href=/manifest.json><img src=/image.png><iframe src=/frame></iframe><video src=/video.mp4 preload=auto></video>
<a id=next href=/next?page=2>next</a><form method=post action=/form><input name=a value=b><button id=send>send</button></form>
<script>
document.cookie='seen=1'
const done = []
done.push(fetch('/api/items?id=1').catch(()=>{}))
done.push(fetch('/api/items', {method:'POST', headers:{'content-type':'application/json','x-csrf-token':'t'}, body:'{}'}).catch(()=>{}))
const request = new XMLHttpRequest()
request.open('GET', '/old'); request.setRequestHeader('X-Requested-With','XMLHttpRequest'); request.send()
navigator.sendBeacon('/beacon', 'x')
new EventSource('/events').onerror = function () { this.close() }
done.push(new Promise((resolve) => { new WebSocket(location.origin.replace('http','ws') + '/socket').onerror = resolve }))
Promise.all(done).then(() => { document.title = 'done' })
</script>`

let visit: Visit | undefined

function note(
  version: Recorded['version'],
  method: string,
  target: string,
  raw: readonly string[],
  port: number,
): void {
  const fields = raw
    .filter((name, i) => (i % 2 === 0 ? !name.startsWith(':') : !raw[i - 1]!.startsWith(':')))
    .map((text) => text.replaceAll(`:${port}`, '').replaceAll('HeadlessChrome', 'Chrome'))
  visit?.requests.push({ version, method, target, fields })
}

function answer(path: string): { type: string; body: string } {
  if (['/', '/next'].includes(path.split('?')[0]!)) return { type: 'text/html', body: PAGE }
  if (path === '/style.css') return { type: 'text/css', body: 'body{background:url(/background.png)}' }
  return { type: path.endsWith('.js') ? 'text/javascript' : 'text/html', body: '' }
}

const plain = http.createServer((request, response) => {
  note(request.httpVersion as '1.1', request.method!, request.url!, request.rawHeaders, portNow())
  const { type, body } = answer(request.url!)
  response.setHeader('content-type', type)
  response.setHeader('set-cookie', 'session=1')
  response.end(body)
})
plain.on('upgrade', (request, socket) => {
  note('1.1', request.method!, request.url!, request.rawHeaders, portNow())
  socket.end('HTTP/1.1 403 no\r\ncontent-length: 0\r\n\r\n')
})
plain.listen(0, '127.0.0.1')
await once(plain, 'listening')

const { cert, key } = certificate()
const onRequest = plain.listeners('request')[0] as http.RequestListener
const onUpgrade = plain.listeners('upgrade')[0] as (request: http.IncomingMessage, socket: Duplex) => void
const old = https.createServer({ cert, key, ALPNProtocols: ['http/1.1'] }, onRequest)
const modern = http2.createSecureServer({ cert, key, allowHTTP1: true })
modern.on('request', (request, response) => {
  if (request.httpVersionMajor === 1)
    onRequest(
      request as unknown as http.IncomingMessage,
      response as unknown as http.ServerResponse & { req: never },
    )
})
modern.on('stream', speakH2)
for (const server of [old, modern]) server.on('upgrade', onUpgrade)
let isModern = true

const secure = net.createServer((socket) => {
  socket.on('error', () => {})
  socket.once('readable', () => {
    const bytes = socket.read() as Buffer | null
    if (bytes === null) return
    const result = parseClientHello(bytes)
    if (result.kind === 'hello' && visit !== undefined && visit.ja4 === '') visit.ja4 = ja4Of(result.hello)
    socket.unshift(bytes)
    ;(isModern ? modern : old).emit('connection', socket)
  })
})
secure.listen(0, '127.0.0.1')
await once(secure, 'listening')

function speakH2(
  stream: http2.ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
  _flags: number,
  raw: string[],
): void {
  stream.on('error', () => {})
  const session = stream.session!
  if (visit !== undefined && visit.settings === undefined) {
    visit.settings = session.remoteSettings
    visit.window = session.state.remoteWindowSize!
    visit.pseudo = raw.slice(0, 8).filter((_, i) => i % 2 === 0)
  }
  const path = headers[':path']!
  note('2', headers[':method']!, path, raw, portNow())
  const { type, body } = answer(path)
  stream.respond({ 'content-type': type, 'set-cookie': 'session=1' })
  stream.end(body)
}

function portNow(): number {
  return ((visit?.secure === true ? secure : plain).address() as AddressInfo).port
}

const visits: Visit[] = []
const run = promisify(execFile)

async function record(
  client: string,
  isSecure: boolean,
  act: (url: string) => Promise<unknown>,
): Promise<void> {
  visit = { client, secure: isSecure, ja4: '', requests: [] }
  const { port } = (isSecure ? secure : plain).address() as AddressInfo
  try {
    await act(`${isSecure ? 'https' : 'http'}://${HOST}:${port}`)
  } catch (error) {
    console.error(`${client}: ${(error as Error).message.split('\n')[0]}`)
  }
  visits.push({ ...visit, requests: different(visit.requests) })
  visit = undefined
}

/** Values that a trait looks at; of the others only that they are there. */
const READ =
  /^(user-agent|accept|accept-language|accept-encoding|sec-ch-ua|sec-ch-ua-platform|sec-fetch-.*|upgrade)$/i

/** Load generators say the same a thousand times, and a page's parts nearly do. */
function different(requests: readonly Recorded[]): Recorded[] {
  const seen = new Set<string>()
  return requests
    .map((one) => ({
      ...one,
      fields: one.fields.map((text, i) => (i % 2 === 0 || READ.test(one.fields[i - 1]!) ? text : 'x')),
    }))
    .filter(({ method, fields }) => {
      const text = JSON.stringify([method, fields])
      return !seen.has(text) && seen.add(text)
    })
}

const loopback = (url: string) => url.replace(HOST, '127.0.0.1')
const resolve = (url: string) => `${HOST}:${new URL(url).port}:127.0.0.1`

async function browse(url: string): Promise<void> {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [...CHROMIUM_ARGS, `--host-resolver-rules=MAP ${HOST} 127.0.0.1`, '--ignore-certificate-errors'],
  })
  try {
    const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage()
    const isDone = () => page.waitForFunction("document.title === 'done'", undefined, { timeout: 120_000 })
    await page.goto(url, { waitUntil: 'commit', timeout: 120_000 })
    await isDone()
    await page.reload({ waitUntil: 'commit', timeout: 120_000 })
    await isDone()
    await page.click('#next', { noWaitAfter: true })
    await isDone()
    await page.click('#send')
    await page.waitForURL('**/form', { waitUntil: 'commit', timeout: 120_000 })
  } finally {
    await browser.close()
  }
}

for (const isSecure of [false, true]) {
  await record('chromium', isSecure, browse)
  await record('curl', isSecure, (url) =>
    run('curl', ['-sk', '--resolve', resolve(url), `${url}/a?q=1`, `${url}/b`]),
  )
  await record('curl post', isSecure, (url) =>
    run('curl', ['-sk', '--resolve', resolve(url), '-d', 'a=b', `${url}/a`]),
  )
  await record('wget', isSecure, (url) =>
    run('wget', ['-qO/dev/null', '--no-check-certificate', `${loopback(url)}/a`]),
  )
  await record('wrk', isSecure, (url) => run('wrk', ['-c1', '-t1', '-d1s', `${loopback(url)}/a`]))
  await record('node fetch', isSecure, async (url) => {
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    await (await fetch(`${loopback(url)}/a`)).text()
    await (
      await fetch(`${loopback(url)}/a`, { method: 'POST', body: 'x', headers: { cookie: 'a=b' } })
    ).text()
  })
  await record('python urllib', isSecure, (url) =>
    run('python3', [
      '-c',
      'import ssl,sys,urllib.request as r;r.urlopen(sys.argv[1],context=ssl._create_unverified_context()).read()',
      `${loopback(url)}/a`,
    ]),
  )
  await record('python requests', isSecure, (url) =>
    run('python3', [
      '-W',
      'ignore',
      '-c',
      'import sys,requests;s=requests.Session();s.trust_env=False;s.verify=False;s.get(sys.argv[1]);s.post(sys.argv[1],json={})',
      `${loopback(url)}/a`,
    ]),
  )
}
await record('curl, http/1.1', true, (url) =>
  run('curl', ['-sk', '--http1.1', '--resolve', resolve(url), `${url}/a`]),
)
await record('h2load', true, (url) => run('h2load', ['-n2', '-c1', `${loopback(url)}/a`]))
await record('nghttp', true, (url) => run('nghttp', ['-n', `${loopback(url)}/a`]))
isModern = false
await record('chromium, http/1.1', true, browse)

// A request per line: what has changed is seen in a diff.
const lines = visits.map(({ requests, ...rest }) => {
  const written = requests.map((one) => `    ${JSON.stringify(one)}`).join(',\n')
  return `  {${JSON.stringify(rest).slice(1, -1)}, "requests": [\n${written}\n  ]}`
})
process.stdout.write(`[\n${lines.join(',\n')}\n]\n`)
process.exit(0)
