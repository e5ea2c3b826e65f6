/** How people get in while the origin is full, and what bots get instead: over real connections. */
import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { request } from 'undici'
import { solve } from '#challenge'
import { startDigue, startOrigin } from './harness.ts'

const BITS = 4
const BROWSER = {
  accept: 'text/html,application/xhtml+xml',
  'accept-language': 'en',
  'accept-encoding': 'gzip',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-site': 'none',
}

/** An origin that holds every page until it is let go, and writes down what it was asked. */
async function fullSite(site: Record<string, unknown> = {}) {
  const seen: IncomingMessage[] = []
  const held: (() => void)[] = []
  let isOpen = false
  const origin = await startOrigin((request, response) => {
    seen.push(request)
    const answer = () => {
      response.setHeader('cache-control', 'private')
      response.end(`page ${request.method} ${request.url}`)
    }
    if (isOpen) answer()
    else held.push(answer)
  })
  const digue = await startDigue({
    origins: [origin.url],
    site: { maxInFlight: 2, ...site, challenge: { bits: BITS, ...(site['challenge'] as object) } },
  })
  // Two strangers fill it; they are answered when the test is over.
  const fillers = [request(`${digue.url}/filler/1`), request(`${digue.url}/filler/2`)].map((each) =>
    each.then(({ body }) => body.dump()).catch(() => {}),
  )
  while (seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 10))
  return {
    digue,
    seen,
    /** From now on every page is answered at once. */
    open() {
      isOpen = true
      for (const answer of held.splice(0)) answer()
    },
    async [Symbol.asyncDispose]() {
      this.open()
      await Promise.all(fillers)
      await digue[Symbol.asyncDispose]()
      await origin[Symbol.asyncDispose]()
    },
  }
}

async function ask(url: string, headers: Record<string, string> = {}, method = 'GET', body?: string) {
  const response = await request(url, {
    method: method as 'GET',
    headers: { ...BROWSER, 'accept-encoding': 'identity', ...headers },
    ...(body === undefined ? {} : { body }),
  })
  const field = (name: string) => {
    const value = response.headers[name]
    return Array.isArray(value) ? value.join('\n') : (value ?? '')
  }
  return { status: response.statusCode, field, text: await response.body.text() }
}

const data = (page: string, name: string) => new RegExp(` data-${name}="?([^" >]+)`).exec(page)?.[1] ?? ''
const cookieOf = (answer: { field(name: string): string }, name: string) =>
  new RegExp(`${name}=[^;]+`).exec(answer.field('set-cookie'))?.[0] ?? ''

/** The query of a valid proof of `parts` parts. */
function proof(challenge: string, parts: number, seed = Buffer.alloc(16, 1)): string {
  const mac = Buffer.from(challenge.split('.').at(-1)!, 'base64url')
  const nonces = Buffer.from(solve({ mac, seed, until: parts, bits: BITS }))
  return `challenge=${challenge}&seed=${seed.toString('base64url')}&nonces=${nonces.toString('base64url')}`
}

/** Follows the moment page to the whole one. */
async function wholePage(url: string, path: string, headers: Record<string, string> = {}) {
  let answer = await ask(url + path, headers)
  for (let hops = 0; hops < 3 && !answer.text.includes('data-challenge'); hops++) {
    const next = /url=(.*)$/.exec(answer.field('refresh'))?.[1]
    assert.ok(next, `${answer.status} leads nowhere: ${answer.text.slice(0, 200)}`)
    answer = await ask(url + next, headers)
  }
  return answer
}

test('a stranger is led to a page, pays, and gets the page that was asked for', async () => {
  await using site = await fullSite()
  const { digue } = site
  const first = await ask(`${digue.url}/article/7?x=1`)
  assert.equal(first.status, 503)
  assert.match(first.field('digue-mitigated'), /^(wait|challenge);reason=[a-z-]+$/)
  assert.equal(first.field('cache-control'), 'no-store')
  const page = await wholePage(digue.url, '/article/7?x=1')
  assert.equal(page.status, 503)
  assert.equal(page.field('content-language'), 'en')
  assert.ok(page.text.length < 20_000)
  const challenge = data(page.text, 'challenge')
  const price = Number(data(page.text, 'price'))
  assert.equal(price, 16)

  const tooLow = await ask(`${digue.url}/.well-known/digue/proof?${proof(challenge, price - 1)}`)
  assert.equal(tooLow.status, 202)
  assert.deepEqual(JSON.parse(tooLow.text), { status: 'price', price })
  const paid = await ask(`${digue.url}/.well-known/digue/proof?${proof(challenge, price)}`)
  assert.equal(paid.status, 200)
  const clearance = cookieOf(paid, 'digue_c')
  assert.match(paid.field('set-cookie'), /HttpOnly; SameSite=Lax/)

  site.open()
  const got = await ask(`${digue.url}/article/7?x=1`, { cookie: `a=b; ${clearance}; c=d` })
  assert.equal(got.status, 200)
  assert.equal(got.text, 'page GET /article/7?x=1')
  const asked = site.seen.at(-1)!
  assert.equal(asked.headers.cookie, 'a=b; c=d', 'the origin sees no token')
  assert.equal((await digue.record((r) => r.lane === 'paid')).target, '/article/7?x=1')
  // The same in the URL, where cookies are off; the origin and the log see the clean target.
  const bare = await ask(`${digue.url}/search?q=1&digue=${clearance.split('=')[1]}`)
  assert.equal(bare.text, 'page GET /search?q=1')
  assert.equal((await digue.record((r) => r.target.startsWith('/search'))).target, '/search?q=1')
})

test('a proof sent twice is one clearance; junk, forgeries and foreign proofs are none', async () => {
  await using site = await fullSite()
  const { url } = site.digue
  const offered = JSON.parse((await ask(`${url}/.well-known/digue/challenge`)).text) as {
    challenge: string
    price: number
  }
  const send = (query: string) => ask(`${url}/.well-known/digue/proof?${query}`)
  const good = proof(offered.challenge, offered.price)
  const [one, two] = [await send(good), await send(good)]
  assert.equal(cookieOf(one, 'digue_c').split('.')[1], cookieOf(two, 'digue_c').split('.')[1])
  const fault = async (query: string) => (JSON.parse((await send(query)).text) as { fault: string }).fault
  const seed = Buffer.alloc(16, 2).toString('base64url')
  assert.equal(await fault(good.replace(/seed=[^&]+/, `seed=${seed}`)), 'wrong-part')
  const broken = offered.challenge.replace(/.$/, (c) => (c === 'A' ? 'Q' : 'A'))
  assert.equal(await fault(good.replace(offered.challenge, broken)), 'forged')
  assert.equal(await fault('challenge=1&seed=2'), 'malformed')
  assert.equal(await fault(`${good}&${'x'.repeat(4000)}`), 'malformed')
})

test('scripts and API clients get problem+json with the way to a challenge, never a page', async () => {
  await using site = await fullSite()
  const { url } = site.digue
  for (const headers of [
    { accept: 'application/json', 'sec-fetch-mode': 'cors' },
    { accept: '*/*', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' },
  ]) {
    const answer = await ask(`${url}/api/things`, headers)
    assert.equal(answer.status, 503)
    assert.equal(answer.field('content-type'), 'application/problem+json')
    assert.ok(Number(answer.field('retry-after')) > 0)
    const problem = JSON.parse(answer.text) as { challenge: string; reason: string }
    assert.equal(problem.challenge, '/.well-known/digue/challenge')
    assert.ok(answer.text.length < 250)
  }
})

test('without a script the page is a place in line, and polling early begins the wait anew', async () => {
  await using site = await fullSite({ challenge: { price: false } })
  const { url } = site.digue
  const first = await ask(`${url}/`)
  const ticketed = await ask(url + /url=(.*)$/.exec(first.field('refresh'))![1]!)
  assert.equal(ticketed.status, 503)
  assert.match(ticketed.field('digue-mitigated'), /^wait;/)
  assert.doesNotMatch(ticketed.text, /<script/)
  assert.match(ticketed.field('refresh'), /^\d+;url=\/\?digue=1\./)
  assert.match(ticketed.field('set-cookie'), /digue_w=/)
  // With cookies the URL is the visitor's own again.
  const again = await ask(`${url}/`, { cookie: cookieOf(ticketed, 'digue_w') })
  assert.match(again.field('refresh'), /^\d+;url=\/$/)
  site.open()
  const got = await ask(`${url}/`, { cookie: cookieOf(again, 'digue_w') })
  assert.equal(got.text, 'page GET /')
})

test('who comes back three times without having paid is asked no more, and is in line', async () => {
  await using site = await fullSite({ page: { phone: '01 23 45 67 89' } })
  const { url } = site.digue
  let page = await wholePage(url, '/')
  for (let tries = 1; tries < 3; tries++) {
    assert.ok(data(page.text, 'challenge') !== '')
    page = await ask(`${url}/`, { cookie: cookieOf(page, 'digue_w') })
  }
  page = await ask(`${url}/`, { cookie: cookieOf(page, 'digue_w') })
  assert.equal(data(page.text, 'challenge'), '')
  assert.doesNotMatch(page.text, /<script/)
  assert.match(page.text, /01 23 45 67 89/)
  assert.match(page.field('refresh'), /^\d+;url=\/$/)
})

test('a form in progress is not lost: it comes back sealed, and is sent again as it was, once', async () => {
  await using site = await fullSite()
  const { url, port } = site.digue
  const origin = `http://127.0.0.1:${port}`
  const page = await wholePage(url, '/form')
  const ticket = cookieOf(page, 'digue_w')
  const shed = await ask(
    `${url}/form?step=2`,
    {
      'content-type': 'application/x-www-form-urlencoded',
      'sec-fetch-site': 'same-origin',
      origin,
      cookie: `session=1; ${ticket}`,
    },
    'POST',
    'name=Zo%C3%A9&text=hello',
  )
  assert.equal(shed.status, 503)
  const sealed = /name=sealed value="([^"]+)"/.exec(shed.text)?.[1]
  assert.ok(sealed, shed.text.slice(0, 300))
  assert.ok(!shed.text.includes('hello'))
  const price = Number(data(shed.text, 'price'))
  const paid = await ask(`${url}/.well-known/digue/proof?${proof(data(shed.text, 'challenge'), price)}`)
  site.open()
  const replay = () =>
    ask(
      `${url}/.well-known/digue/replay`,
      {
        'content-type': 'application/x-www-form-urlencoded',
        'sec-fetch-site': 'same-origin',
        origin,
        cookie: cookieOf(paid, 'digue_c'),
      },
      'POST',
      `sealed=${encodeURIComponent(sealed)}`,
    )
  const got = await replay()
  assert.equal(got.text, 'page POST /form?step=2')
  const asked = site.seen.at(-1)!
  assert.equal(asked.headers.cookie, 'session=1')
  assert.equal(asked.headers.origin, origin)
  assert.equal(asked.headers['content-type'], 'application/x-www-form-urlencoded')
  assert.equal(asked.headers['content-length'], '24')
  assert.equal((await replay()).status, 409, 'once')
})

test('a cross-site form and an unlabelled one are never sealed', async () => {
  await using site = await fullSite()
  const { url } = site.digue
  const ticket = cookieOf(await wholePage(url, '/form'), 'digue_w')
  for (const headers of [
    { 'sec-fetch-site': 'cross-site', origin: 'https://elsewhere.example' },
    { 'sec-fetch-site': '' },
  ]) {
    const shed = await ask(`${url}/form`, { ...headers, cookie: ticket }, 'POST', 'a=b')
    assert.equal(shed.status, 503)
    assert.doesNotMatch(shed.text, /name=sealed/)
  }
})

test('in calm weather nothing is added but the token of the day, and only where no cache may store it', async () => {
  await using origin = await startOrigin((request, response) => {
    if (request.url === '/private') response.setHeader('cache-control', 'private, max-age=0')
    response.end('x')
  })
  await using digue = await startDigue({ origins: [origin.url] })
  assert.equal((await ask(`${digue.url}/public`)).field('set-cookie'), '')
  assert.equal((await ask(`${digue.url}/private`, { 'sec-fetch-mode': 'cors' })).field('set-cookie'), '')
  const first = await ask(`${digue.url}/private`)
  const known = cookieOf(first, 'digue_k')
  assert.match(known, /^digue_k=1\./)
  // The same day brings nothing new, and one day is not two.
  assert.equal((await ask(`${digue.url}/private`, { cookie: known })).field('set-cookie'), '')
  assert.equal((await digue.record((r) => r.target === '/private')).lane, 'unproven')
  await using off = await startDigue({ origins: [origin.url], site: { challenge: { known: false } } })
  assert.equal((await ask(`${off.url}/private`)).field('set-cookie'), '')
})

test('a thousand cookies, forged and broken tokens harm nobody', async () => {
  await using origin = await startOrigin((request, response) =>
    response.end(request.headers.cookie ?? 'none'),
  )
  await using digue = await startDigue({ origins: [origin.url] })
  const many = Array.from({ length: 1000 }, (_, i) => `c${i}=v`).join('; ')
  assert.equal((await ask(digue.url, { cookie: many })).text, many)
  for (const cookie of [
    'digue_c=1.aaaa.1.1.1.1.bbbb',
    `digue_k=${'x'.repeat(20_000)}`,
    'digue_w=; digue_w=; digue_w=',
    'digue_c="quoted"; digue_c',
  ])
    assert.equal((await ask(digue.url, { cookie })).status, 200)
  assert.equal((await ask(`${digue.url}/?digue=junk`)).status, 200)
  assert.ok((await digue.counted('token-malformed')) > 0)
})
