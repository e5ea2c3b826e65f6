/**
 * An overloaded site that speaks the challenge protocol, for tests of those who meet it: a moment page,
 * then the whole page, then, for a proof that holds, a clearance for some pages.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { checkParts } from '#challenge'

export interface FakeOptions {
  readonly price?: number
  /** What the first proof of fewer parts is told. */
  readonly raisedTo?: number
  /** Faults said before any proof is believed. */
  readonly faults?: number
  /** Proofs answered "busy" first. */
  readonly busy?: number
  /** Pages that a clearance is good for. */
  readonly pages?: number
  /** Seconds of the whole page's Refresh, and how often one has to come back without a script. */
  readonly refreshS?: number
  readonly polls?: number
}

export const FAKE_BITS = 3
const MAC = Buffer.alloc(16, 7)
const CHALLENGE = `1.z.${Buffer.from('127.10').toString('base64url')}.${MAC.toString('base64url')}`

export interface FakeDigue {
  readonly port: number
  readonly seen: {
    readonly proofs: { parts: number; seed: string; right: boolean; challenge: string }[]
    readonly requests: { url: string; cookie: string; address: string; mode: string }[]
    pages: number
  }
  close(): void
}

export async function fakeDigue(options: FakeOptions = {}): Promise<FakeDigue> {
  const { price = 4, raisedTo = 0, pages = 1000, refreshS = 0, polls = 2 } = options
  let faults = options.faults ?? 0
  let busy = options.busy ?? 0
  let tickets = 0
  const left = new Map<string, number>()
  const seen: FakeDigue['seen'] = { proofs: [], requests: [], pages: 0 }

  const json = (response: ServerResponse, status: number, body: object, fields = {}) =>
    response.writeHead(status, { 'content-type': 'application/json', ...fields }).end(JSON.stringify(body))

  const proof = (url: URL, response: ServerResponse) => {
    const seed = Buffer.from(url.searchParams.get('seed')!, 'base64url')
    const nonces = Buffer.from(url.searchParams.get('nonces')!, 'base64url')
    const challenge = url.searchParams.get('challenge')!
    const isOurs = challenge === CHALLENGE
    const parts = isOurs ? checkParts(MAC, seed, nonces, FAKE_BITS) : 'wrong-part'
    seen.proofs.push({
      parts: nonces.length / 4,
      seed: seed.toString('hex'),
      right: parts !== 'wrong-part',
      challenge,
    })
    if (busy > 0) {
      busy--
      json(response, 503, { status: 'busy', retryAfterS: 0.1 })
    } else if (faults > 0) {
      faults--
      json(response, 400, { status: 'fault', fault: 'expired' })
    } else if (parts === 'wrong-part') json(response, 403, { status: 'fault', fault: 'wrong-part' })
    else if (parts < raisedTo) json(response, 202, { status: 'price', price: raisedTo })
    else {
      const id = `c${seed.toString('hex')}`
      if (!left.has(id)) left.set(id, pages)
      json(
        response,
        200,
        { status: 'paid', effort: parts, cookie: id },
        { 'set-cookie': `digue_c=${id}; Path=/; HttpOnly` },
      )
    }
  }

  const page = (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url!, 'http://x')
    const ticket = Number(url.searchParams.get('digue') ?? 0)
    const id = /digue_c=(\w+)/.exec(request.headers.cookie ?? '')?.[1]
    const budget = id === undefined ? 0 : (left.get(id) ?? 0)
    const isKnown = /digue_k=/.test(request.headers.cookie ?? '')
    if (budget > 0 || isKnown || ticket % 100 > polls) {
      if (id !== undefined) left.set(id, budget - 1)
      url.searchParams.delete('digue')
      seen.pages++
      response.end(`<!doctype html>\n<!-- digue-bench path=${url.pathname}${url.search} cost=12.5 end -->\n`)
      return
    }
    // A ticket counts its polls in its last two digits.
    const next = ticket === 0 ? ++tickets * 100 + 1 : ticket + 1
    const fields = {
      refresh: `${ticket === 0 ? 0 : refreshS};url=${url.pathname}?digue=${next}`,
      'retry-after': '1',
    }
    if (ticket === 0) {
      response.writeHead(503, fields).end()
      return
    }
    const html = `<!doctype html><html><body data-challenge="${CHALLENGE}" data-bits="${FAKE_BITS}" data-price="${price}">wait</body></html>`
    const packs = /gzip/.test(String(request.headers['accept-encoding']))
    response.writeHead(503, { ...fields, ...(packs ? { 'content-encoding': 'gzip' } : {}) })
    response.end(packs ? gzipSync(html) : html)
  }

  const server = createServer((request, response) => {
    const { url = '', headers, socket } = request
    seen.requests.push({
      url,
      cookie: headers.cookie ?? '',
      address: socket.remoteAddress ?? '',
      mode: String(headers['sec-fetch-mode']),
    })
    if (url.startsWith('/.well-known/digue/proof')) proof(new URL(url, 'http://x'), response)
    else if (url.startsWith('/.well-known/digue/challenge'))
      json(response, 200, { challenge: CHALLENGE, bits: FAKE_BITS, price })
    else page(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
