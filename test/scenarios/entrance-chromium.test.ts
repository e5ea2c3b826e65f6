/**
 * A real browser before a full site: whoever it is, new or hardened, gets the page and never a loop. In
 * calm weather the same browser sees nothing of Digue.
 */
import assert from 'node:assert/strict'
import { accessSync, constants } from 'node:fs'
import http from 'node:http'
import { after, before, describe, test } from 'node:test'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { CHROMIUM, CHROMIUM_ARGS } from './chromium.ts'
import { startDigue, startOrigin, type TestDigue, type TestOrigin } from './harness.ts'

/** Strangers who keep asking, from their own addresses. */
const BOTS = 120
/** Cheap parts: the machine of a test is shared. */
const BITS = 10

const missing = (() => {
  try {
    accessSync(CHROMIUM, constants.X_OK)
    return false
  } catch {
    return 'chromium is not here'
  }
})()

describe('a real browser', { skip: missing }, () => {
  let browser: Browser
  let origin: TestOrigin
  let digue: TestDigue
  let isFlooding = false
  /** While it is set the origin answers nobody: whoever comes has to pay. */
  let held: (() => void)[] | undefined
  const agent = new http.Agent({ keepAlive: true, maxSockets: BOTS })
  const posts: { cookie: string | undefined; body: string }[] = []

  const bot = (n: number): void => {
    if (!isFlooding) return
    // Not so often that they count as hammering: whoever is silenced makes no flood.
    const again = () => void setTimeout(bot, 200 + (n % 100), n)
    // In the browser's own network: nothing but history and effort tells them apart.
    const options = { agent, localAddress: `127.0.0.${2 + (n % BOTS)}`, headers: { accept: 'text/html' } }
    http
      .get(`${digue.url}/bot/${n}`, options, (response) => {
        response.resume()
        response.on('end', again)
        response.on('error', () => {})
      })
      .on('error', again)
  }

  const flood = async () => {
    isFlooding = true
    for (let n = 0; n < BOTS; n++) bot(n)
    const shed = () =>
      digue.reports
        .flatMap((report) => report.sites['*']?.tallies ?? [])
        .some(({ action }) => action === 'shed')
    while (!shed()) await new Promise((resolve) => setTimeout(resolve, 50))
  }

  before(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGS })
    origin = await startOrigin((request, response) => {
      let body = ''
      request.on('data', (chunk) => (body += chunk))
      request.on('end', () => {
        if (request.method === 'POST') posts.push({ cookie: request.headers.cookie, body })
        const answer = () => {
          response.setHeader('content-type', 'text/html')
          response.setHeader('cache-control', 'private')
          response.end(
            `<title>real</title><p>${request.method} ${request.url}</p><form method=post action=/send><input name=text value="kept words"><button>send</button></form>`,
          )
        }
        setTimeout(() => (held === undefined ? answer() : held.push(answer)), 100)
      })
    })
    digue = await startDigue({
      origins: [origin.url],
      site: { maxInFlight: 2, challenge: { bits: BITS }, page: { phone: '01 23 45 67 89' } },
    })
  })

  after(async () => {
    isFlooding = false
    agent.destroy()
    await browser?.close()
    await digue?.[Symbol.asyncDispose]()
    await origin?.[Symbol.asyncDispose]()
  })

  const visit = async (path: string, prepare?: (page: Page, context: BrowserContext) => Promise<unknown>) => {
    const context = await browser.newContext({ locale: 'de-DE' })
    const page = await context.newPage()
    await prepare?.(page, context)
    const navigations: string[] = []
    page.on('request', (request) => {
      if (request.isNavigationRequest()) navigations.push(request.url())
    })
    await page.goto(digue.url + path, { waitUntil: 'commit' })
    return { page, context, navigations }
  }
  /** The pages' policy forbids evaluating strings, so the page is asked again and again. */
  const until = async (page: Page, isThere: () => Promise<boolean>) => {
    const end = Date.now() + 30_000
    // Asked in the middle of a navigation, a page does not answer.
    while (!(await isThere().catch(() => false))) {
      if (Date.now() >= end) assert.fail(`it stays at ${page.url()}: ${await page.innerText('body')}`)
      await page.waitForTimeout(100)
    }
  }
  const arrives = (page: Page) => until(page, async () => (await page.title()) === 'real')

  test('in calm weather: one request, no page of ours, no cookie but the token of the day', async () => {
    const { page, context, navigations } = await visit('/calm')
    await arrives(page)
    assert.equal(navigations.length, 1)
    const cookies = await context.cookies()
    assert.deepEqual(
      cookies.map(({ name, httpOnly }) => [name, httpOnly]),
      [['digue_k', true]],
    )
    await context.close()
  })

  test('under a flood a new visitor gets the page he asked for, and the next one without another word', async () => {
    await flood()
    held = []
    const { page, context } = await visit('/article/1?x=2')
    await until(page, async () => (await page.locator('[data-challenge]').count()) > 0)
    const waiting = held
    held = undefined
    for (const answer of waiting) answer()
    await arrives(page)
    assert.equal(page.url(), `${digue.url}/article/1?x=2`)
    assert.match(await page.innerText('p'), /GET \/article\/1\?x=2/)
    assert.ok(
      (await context.cookies()).some(({ name }) => name === 'digue_c'),
      'nobody paid',
    )
    await page.goto(`${digue.url}/article/2`)
    assert.equal(await page.title(), 'real')
    await context.close()
  })

  const hardened: readonly [string, (page: Page, context: BrowserContext) => Promise<unknown>][] = [
    ['without Worker', (page) => page.addInitScript('delete globalThis.Worker')],
    ['without WebAssembly', (page) => page.addInitScript('delete globalThis.WebAssembly')],
    [
      'without storage',
      (page) =>
        page.addInitScript(
          'Object.defineProperty(globalThis, "sessionStorage", { get() { throw new Error("no storage") } })',
        ),
    ],
    [
      'without cookies',
      async (page, context) => {
        const session = await context.newCDPSession(page)
        await session.send('Emulation.setDocumentCookieDisabled', { disabled: true })
        await page.route('**', async (route) => {
          const { cookie: _, ...headers } = await route.request().allHeaders()
          const response = await route.fetch({ headers, maxRedirects: 0 })
          const { 'set-cookie': __, ...kept } = response.headers()
          await route.fulfill({ response, headers: kept })
        })
      },
    ],
  ]
  for (const [name, prepare] of hardened)
    test(`under a flood: ${name}`, async () => {
      const { page, context, navigations } = await visit('/hardened', prepare)
      await arrives(page)
      assert.ok(navigations.length <= 6, `it looped: ${navigations.join(' ')}`)
      await context.close()
    })

  test('a form that is sent in the flood arrives as it was', async () => {
    isFlooding = false
    const { page, context } = await visit('/form')
    await arrives(page)
    await context.clearCookies()
    await flood()
    await page.click('button')
    await until(page, async () => (await page.innerText('body')).includes('POST /send'))
    assert.equal(posts.at(-1)!.body, 'text=kept+words')
    await context.close()
  })
})
