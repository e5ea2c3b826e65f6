/** The static-difficulty challenge as a server: `node static-challenge-main.ts <port> <origin port>`. */
import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { checkParts } from '#challenge'
import { BENCH_BITS } from '../load/puzzle.ts'

const WEEK_S = 7 * 86_400
const PASS = 'static_pass'
const PROOF = '/.well-known/digue/proof'
const CHALLENGE = '/.well-known/digue/challenge'

const key = randomBytes(32)
const mac = (text: string) => createHmac('sha256', key).update(text).digest().subarray(0, 16)

/** Bound to who asks and to the hour, as Anubis binds it; and to the address, which it takes from a field. */
function challengeFor(request: IncomingMessage): string {
  const hour = Math.floor(Date.now() / 3_600_000).toString(36)
  const who = hash('sha256', `${request.socket.remoteAddress}`, 'base64url').slice(0, 16)
  return `1.${hour}.${who}.${mac(`challenge ${hour} ${who}`).toString('base64url')}`
}

function page(challenge: string): string {
  return `<!doctype html><html lang="en"><title>One moment</title><body data-challenge="${challenge}" data-bits="${BENCH_BITS}" data-price="1" data-kind="static"><p>One moment, please.</p><noscript><p>This site needs JavaScript.</p></noscript></body></html>`
}

function newPass(): string {
  const until = (Math.floor(Date.now() / 1000) + WEEK_S).toString(36)
  const id = randomBytes(8).toString('base64url')
  return `${until}.${id}.${mac(`pass ${until} ${id}`).toString('base64url')}`
}

function isPass(text: string): boolean {
  const [until, id, signature] = text.split('.')
  if (!until || !id || !signature || Number.parseInt(until, 36) < Date.now() / 1000) return false
  return isMac(signature, `pass ${until} ${id}`)
}

function isMac(given: string, text: string): boolean {
  const bytes = Buffer.from(given, 'base64url')
  return bytes.length === 16 && timingSafeEqual(bytes, mac(text))
}

export function startStaticChallenge(port: number, originPort: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: 4096 })

  const prove = (url: URL, response: ServerResponse) => {
    const challenge = url.searchParams.get('challenge') ?? ''
    const [version, hour, who, signature] = challenge.split('.')
    const isOurs = version === '1' && signature && isMac(signature, `challenge ${hour} ${who}`)
    const seed = Buffer.from(url.searchParams.get('seed') ?? '', 'base64url')
    const nonces = Buffer.from(url.searchParams.get('nonces') ?? '', 'base64url')
    const proved = isOurs ? checkParts(Buffer.from(signature, 'base64url'), seed, nonces, BENCH_BITS) : 0
    if (proved === 0 || proved === 'wrong-part') {
      response
        .writeHead(403, { 'content-type': 'application/json' })
        .end(JSON.stringify({ status: 'fault', fault: isOurs ? 'wrong-part' : 'forged' }))
      return
    }
    response
      .writeHead(200, {
        'content-type': 'application/json',
        'set-cookie': `${PASS}=${newPass()}; Path=/; Max-Age=${WEEK_S}; HttpOnly; SameSite=Lax`,
      })
      .end(JSON.stringify({ status: 'paid', effort: proved }))
  }

  const relay = (asked: IncomingMessage, response: ServerResponse) => {
    const upstream = request(
      {
        agent,
        host: '127.0.0.1',
        port: originPort,
        method: asked.method,
        path: asked.url,
        headers: asked.headers,
      },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
      },
    )
    upstream.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()))
    response.on('close', () => upstream.destroy())
    asked.pipe(upstream)
  }

  const server = createServer({ keepAliveTimeout: 75_000, requestTimeout: 0 }, (asked, response) => {
    response.on('error', () => {})
    const url = new URL(asked.url ?? '/', 'http://bench.example.org')
    const pass = new RegExp(`(?:^|; )${PASS}=([^;]*)`).exec(asked.headers.cookie ?? '')?.[1]
    if (url.pathname === PROOF) prove(url, response)
    else if (url.pathname === CHALLENGE) {
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ challenge: challengeFor(asked), bits: BENCH_BITS, price: 1 }))
    } else if (pass && isPass(pass)) relay(asked, response)
    else {
      const body = page(challengeFor(asked))
      response
        .writeHead(200, {
          'content-type': 'text/html; charset=utf-8',
          'content-length': Buffer.byteLength(body),
          'cache-control': 'no-store',
        })
        .end(body)
    }
  })
  server.on('clientError', (_error: unknown, socket: { destroy(): void }) => socket.destroy())
  server.listen({ host: '127.0.0.1', port, backlog: 4096 })
  return server
}

if (import.meta.main) startStaticChallenge(Number(process.argv[2]), Number(process.argv[3]))
