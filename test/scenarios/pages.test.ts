/**
 * The pages in the browser people have: axe-core over every language and state, and what a page does
 * until somebody is in, or has been told whom to turn to. Chromium is Debian's; without it the file is skipped.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import {
  checkParts,
  LANGUAGES,
  PAGE_STATES,
  type PageFacts,
  type PageSettings,
  type PageState,
  Pages,
  readProof,
  SOLVER,
} from '#challenge'
import { CHROMIUM, CHROMIUM_ARGS } from './chromium.ts'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

const MAC = 'AAAAAAAAAAAAAAAAAAAAAA'
const challengeOf = (epoch: number) => `1.${epoch.toString(36)}.MTkyLjAuMi4wLzI0.${MAC}`
const CHALLENGE = challengeOf(1000)
/** A part in no time. */
const EASY = 3
/** A solver that never finds anything, and leaves the machine to the test. */
const IDLE_SOLVER =
  'self.digueSolve=Object.assign(()=>({raise(){},stop(){},proof:()=>({parts:0,nonces:""})}),{seed:()=>"AAAAAAAAAAAAAAAAAAAAAA"});'

const FACTS: PageFacts = {
  ray: '8f3a2c1d9e7b-04',
  challenge: CHALLENGE,
  bits: EASY,
  price: 16,
  waitS: [20, 40],
  ahead: [120, 180],
  pollS: 30,
  retryHref: '/services',
  stopHref: '/services?digue=s.1.TICKET',
  sealed: 'c2VhbGVk',
  tries: 0,
}

const SETTINGS: PageSettings = {
  name: 'Ville d’Exemple',
  phone: '+33 1 23 45 67 89',
  mail: 'contact@example.org',
  link: { href: 'https://urgence.example.org/', text: 'Démarches par téléphone' },
  notice: 'Les bureaux sont ouverts de 9 h à 17 h.',
}
const solving = new Pages(SETTINGS, SOLVER)
const idle = new Pages(SETTINGS, IDLE_SOLVER)

type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => void

/** What stands for Digue: each test says what its paths answer. */
let handler: Handler
const server = createServer((request, response) => {
  const url = new URL(request.url!, 'http://127.0.0.1')
  if (url.pathname === '/favicon.ico') {
    iconsAskedFor++
    response.writeHead(404).end()
  } else handler(request, response, url)
})
let iconsAskedFor = 0
let site = ''
let browser: Browser
let shared: BrowserContext | undefined

function sendPage(
  response: ServerResponse,
  state: PageState,
  language: string,
  more: { readonly facts?: Partial<PageFacts>; readonly refresh?: string; readonly pages?: Pages } = {},
): void {
  const { facts, refresh, pages = solving } = more
  const page = pages.render(state, language, { ...FACTS, ...facts })
  for (let i = 0; i < page.fields.length; i += 2) response.setHeader(page.fields[i]!, page.fields[i + 1]!)
  if (refresh !== undefined) response.setHeader('refresh', refresh)
  response.writeHead(503, { 'content-encoding': 'gzip', 'cache-control': 'no-store' }).end(page.gzip())
}

function sendJson(
  response: ServerResponse,
  status: number,
  value: object,
  fields: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...fields }).end(JSON.stringify(value))
}

/** The proof of a request, checked as Digue checks it; its number of parts. */
function partsOf(url: URL): number {
  const proof = readProof(url.search.slice(1))!
  const effort = checkParts(Buffer.from(MAC, 'base64url'), proof.seed, proof.nonces, EASY, 0)
  assert.equal(effort, proof.nonces.length / 4)
  return proof.nonces.length / 4
}

/** A page of a context of its own; what the browser complains of makes the test fail. */
async function visit(
  target: string,
  options: Parameters<Browser['newContext']>[0] & {
    readonly prepare?: (context: BrowserContext) => Promise<unknown>
  } = {},
): Promise<{ page: Page; complaints: string[] } & AsyncDisposable> {
  const { prepare, ...rest } = options
  // A context takes longer to make than most tests last: those who want nothing special share one.
  const isPlain = prepare === undefined && Object.keys(rest).length === 0
  const context = isPlain ? (shared ??= await browser.newContext()) : await browser.newContext(rest)
  await prepare?.(context)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    // 503 is what these pages are; everything else the browser says is our fault.
    if (!/status of (503|403|400|404)/.test(message.text())) complaints.push(message.text())
  })
  await page.goto(site + target, { waitUntil: 'commit' })
  const dispose = async () => {
    await page.close()
    await (isPlain ? context.clearCookies() : context.close())
  }
  return { page, complaints, [Symbol.asyncDispose]: dispose }
}

const waitForText = (page: Page, text: string) => page.getByText(text).first().waitFor()
const ARRIVED = 'The page that was asked for'
const sendArrived = (response: ServerResponse) =>
  response.writeHead(200, { 'content-type': 'text/html' }).end(`<title>x</title><p>${ARRIVED}`)

describe('pages in Chromium', {
  skip: !existsSync(CHROMIUM) && 'no chromium: apt-get install chromium',
}, () => {
  before(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGS })
  })
  after(async () => {
    await browser?.close()
    server.closeAllConnections()
    server.close()
  })

  describe('axe-core finds nothing', () => {
    for (const { colorScheme, width, languages } of [
      { colorScheme: 'light' as const, width: 1024, languages: LANGUAGES },
      { colorScheme: 'dark' as const, width: 320, languages: ['fr', 'ar'] },
    ])
      describe(`${colorScheme}, ${width} px wide`, () => {
        let visited: Awaited<ReturnType<typeof visit>>
        before(async () => {
          handler = (_, response) => sendPage(response, 'wait', 'en')
          visited = await visit('/wait', { colorScheme, viewport: { width, height: 800 } })
          await visited.page.locator('#go').waitFor()
          await visited.page.evaluate(AXE)
        })
        after(() => visited[Symbol.asyncDispose]())

        for (const language of languages)
          test(language, async () => {
            const { page, complaints } = visited
            for (const state of PAGE_STATES) {
              // Into the same window, because reading in axe takes longer than its rules. The script is left out, and
              // all that it shows in turn is shown at once.
              const [html] = idle
                .render(state, language, { ...FACTS, ray: state })
                .plain.toString()
                .split('<script>')
              await page.evaluate(`document.open(); document.write(${JSON.stringify(html)}); document.close()
                for (const hidden of document.querySelectorAll('main [hidden]')) hidden.hidden = false
                for (const status of document.querySelectorAll('#status')) status.textContent = status.dataset.left`)
              assert.equal(await page.locator('footer bdi').textContent(), state)
              assert.deepEqual(await look(page), [], `${state} in ${language}`)
              const sideways = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
              assert.ok(Number(sideways) <= 0, `${state} in ${language} scrolls sideways by ${sideways} px`)
            }
            assert.deepEqual(complaints, [])
          })
      })

    test('and finds what is wrong', async () => {
      handler = (_, response) => sendPage(response, 'wait', 'en')
      await using visited = await visit('/wait')
      const { page } = visited
      await page.locator('#go').waitFor()
      await page.evaluate(AXE)
      await page.evaluate(`document.documentElement.removeAttribute('lang')
        document.querySelector('h1').style.color = '#999'
        document.querySelector('nav').outerHTML = '<div>' + document.querySelector('nav').innerHTML + '</div>'`)
      const rules = (await look(page)).map((violation) => violation.split(':')[0])
      for (const rule of ['html-has-lang', 'color-contrast', 'region']) assert.ok(rules.includes(rule), rule)
    })

    /** Violations as "rule: element", targets too small among them. */
    async function look(page: Page): Promise<string[]> {
      const violations = (await page.evaluate(
        `axe.run({ runOnly: ${JSON.stringify(RULES)}, rules: { 'target-size': { enabled: true } }, resultTypes: ['violations'], preload: false, selectors: false })
          .then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map((node) => id + ': ' + node.html)))`,
      )) as string[]
      return violations
    }
  })

  test('a visitor pays and is in, with one request beside page and proof', async () => {
    const asked: string[] = []
    handler = (request, response, url) => {
      asked.push(url.pathname)
      if (url.pathname === '/.well-known/digue/proof') {
        assert.equal(partsOf(url), 16)
        sendJson(
          response,
          200,
          { status: 'paid', effort: 16, cookie: 'C' },
          { 'set-cookie': 'digue_c=C; Path=/; HttpOnly' },
        )
      } else if (request.headers.cookie?.includes('digue_c=C')) sendArrived(response)
      else sendPage(response, 'price', 'en', { refresh: '30;url=/services' })
    }
    await using visited = await visit('/services')
    await waitForText(visited.page, ARRIVED)
    assert.deepEqual(asked, ['/services', '/.well-known/digue/proof', '/services'])
    assert.deepEqual(visited.complaints, [])
    assert.equal(iconsAskedFor, 1, 'only the page behind asks for an icon')
  })

  test('a raised price is paid under the same seed, with a bid at each of its quarters', async () => {
    const bids: number[] = []
    const seeds = new Set<string>()
    handler = (request, response, url) => {
      if (url.pathname === '/.well-known/digue/proof') {
        bids.push(partsOf(url))
        seeds.add(url.searchParams.get('seed')!)
        if (bids.at(-1)! < 64) sendJson(response, 202, { status: 'price', price: 64 })
        else
          sendJson(
            response,
            200,
            { status: 'paid', effort: 64, cookie: 'C' },
            { 'set-cookie': 'digue_c=C; Path=/' },
          )
      } else if (request.headers.cookie?.includes('digue_c')) sendArrived(response)
      else sendPage(response, 'price', 'en')
    }
    await using visited = await visit('/services')
    await waitForText(visited.page, ARRIVED)
    assert.equal(seeds.size, 1)
    assert.equal(bids[0], 16)
    assert.ok(
      bids.length <= 4 && bids.every((parts, i) => i === 0 || parts >= bids[i - 1]! + 1),
      bids.join(' '),
    )
  })

  test('three proofs that are refused, and the person is in the waiting room, with whom to turn to', async () => {
    let proofs = 0
    let challenges = 0
    handler = (_, response, url) => {
      if (url.pathname === '/.well-known/digue/proof') {
        proofs++
        sendJson(response, 403, { status: 'fault', fault: 'wrong-part' })
      } else if (url.pathname === '/.well-known/digue/challenge')
        sendJson(response, 200, { challenge: challengeOf(1000 + ++challenges), bits: EASY, price: 16 })
      else sendPage(response, 'price', 'en')
    }
    await using visited = await visit('/services')
    const { page } = visited
    await page.locator('#help').waitFor()
    assert.equal(await page.locator('#line').isVisible(), true)
    assert.equal(await page.locator('#calc').isVisible(), false)
    assert.deepEqual([proofs, challenges], [3, 2])
    // Nor does it begin anew when the page comes again.
    await page.reload()
    await page.locator('#help').waitFor()
    assert.equal(proofs, 3)
  })

  test('who pays and gets the same page again and again is helped, also where nothing can be stored', async () => {
    for (const isForbidden of [false, true]) {
      let proofs = 0
      handler = (_, response, url) => {
        if (url.pathname === '/.well-known/digue/proof') {
          proofs++
          sendJson(response, 200, { status: 'paid', effort: 16, cookie: 'C' })
        } else sendPage(response, 'price', 'en')
      }
      await using visited = await visit('/services', {
        prepare: async (context) => {
          if (isForbidden)
            await context.addInitScript(
              "Object.defineProperty(window, 'sessionStorage', { get() { throw new Error('forbidden') } })",
            )
        },
      })
      await visited.page.locator('#help').waitFor()
      assert.equal(proofs, 3)
    }
  })

  test('the ticket knows of failed tries where the browser does not', async () => {
    handler = (_, response) => sendPage(response, 'price', 'en', { facts: { tries: 3 } })
    await using visited = await visit('/services')
    await visited.page.locator('#help').waitFor()
    assert.equal(await visited.page.locator('#line').isVisible(), true)
  })

  test('a busy server is asked again after the time it said', async () => {
    const at: number[] = []
    handler = (request, response, url) => {
      if (url.pathname === '/.well-known/digue/proof') {
        at.push(performance.now())
        if (at.length === 1) sendJson(response, 503, { status: 'busy', retryAfterS: 1 })
        else
          sendJson(
            response,
            200,
            { status: 'paid', effort: 16, cookie: 'C' },
            { 'set-cookie': 'digue_c=C; Path=/' },
          )
      } else if (request.headers.cookie?.includes('digue_c')) sendArrived(response)
      else sendPage(response, 'price', 'en')
    }
    await using visited = await visit('/services')
    await waitForText(visited.page, ARRIVED)
    assert.equal(at.length, 2)
    assert.ok(at[1]! - at[0]! > 990, `asked again after ${at[1]! - at[0]!} ms`)
  })

  test('a page that comes again in the middle goes on from what was solved', async () => {
    let views = 0
    let seed = ''
    handler = (request, response, url) => {
      if (url.pathname === '/.well-known/digue/proof') {
        if (seed === '') {
          // The first bid is never answered: the page is reloaded meanwhile.
          seed = url.searchParams.get('seed')!
          return
        }
        assert.equal(url.searchParams.get('seed'), seed)
        assert.ok(partsOf(url) >= 40)
        sendJson(
          response,
          200,
          { status: 'paid', effort: 40, cookie: 'C' },
          { 'set-cookie': 'digue_c=C; Path=/' },
        )
      } else if (request.headers.cookie?.includes('digue_c')) sendArrived(response)
      // A later challenge at a higher price: the parts of the first one are still good.
      else
        sendPage(response, 'price', 'en', {
          facts: { challenge: challengeOf(1000 + views), price: views++ === 0 ? 20 : 40 },
        })
    }
    await using visited = await visit('/services')
    await visited.page.waitForRequest(/proof/)
    await visited.page.reload()
    await waitForText(visited.page, ARRIVED)
    assert.equal(views, 2)
  })

  test('Refresh is cancelled while the browser calculates', async () => {
    let views = 0
    handler = (_, response, url) => {
      if (url.pathname.startsWith('/.well-known/')) return
      views++
      sendPage(response, 'price', 'en', { pages: idle, refresh: '1;url=/services' })
    }
    await using visited = await visit('/services')
    await visited.page.locator('#calc').waitFor()
    await visited.page.waitForTimeout(2000)
    assert.equal(views, 1)
    assert.equal(await visited.page.locator('#calc').isVisible(), true)
  })

  test('without script, Refresh, countdown and links do it', async () => {
    let views = 0
    handler = (_, response) => {
      if (++views === 1)
        sendPage(response, 'price', 'en', { facts: { pollS: 2 }, refresh: '2;url=/services' })
      else sendArrived(response)
    }
    await using visited = await visit('/services', { javaScriptEnabled: false })
    const { page, complaints } = visited
    assert.equal(await page.locator('#calc').isVisible(), false)
    assert.equal(await page.locator('.n').isVisible(), true)
    assert.equal(
      await page.getByRole('link', { name: 'Stop automatic reloading' }).getAttribute('href'),
      FACTS.stopHref,
    )
    await waitForText(page, ARRIVED)
    assert.equal(views, 2)
    assert.deepEqual(complaints, [])
  })

  test('who asked for no motion gets a number that stands still, and no bar', async () => {
    handler = (_, response, url) => {
      if (url.pathname.startsWith('/.well-known/')) return
      sendPage(response, url.pathname.slice(1) as PageState, 'en', { pages: idle })
    }
    await using visited = await visit('/wait', { reducedMotion: 'reduce' })
    const { page } = visited
    assert.equal(await page.locator('.n').isVisible(), false)
    assert.equal(await page.locator('.r').innerText(), '30')
    await page.goto(`${site}/price`)
    await page.locator('#calc').waitFor()
    assert.equal(await page.locator('progress').isVisible(), false)
    assert.deepEqual(await page.evaluate('document.getAnimations().length'), 0)
  })

  test('a ticket in the address is cleaned away, the rest of it stays', async () => {
    handler = (request, response, url) => {
      if (url.pathname === '/.well-known/digue/proof')
        sendJson(
          response,
          200,
          { status: 'paid', effort: 16, cookie: 'C' },
          { 'set-cookie': 'digue_c=C; Path=/' },
        )
      else if (request.headers.cookie?.includes('digue_c')) sendArrived(response)
      else sendPage(response, 'price', 'en', { facts: { retryHref: '/services?a=%20b&digue=1.TICKET' } })
    }
    await using visited = await visit('/services?a=%20b&digue=1.TICKET#part')
    await waitForText(visited.page, ARRIVED)
    assert.equal(visited.page.url(), `${site}/services?a=%20b#part`)
  })

  test('where cookies are off the clearance goes into the address', async () => {
    handler = (_, response, url) => {
      if (url.pathname === '/.well-known/digue/proof')
        sendJson(response, 200, { status: 'paid', effort: 16, cookie: '1.CLEARANCE' })
      else if (url.searchParams.get('digue') === '1.CLEARANCE') sendArrived(response)
      else sendPage(response, 'price', 'en', { facts: { retryHref: '/services?a=b&digue=1.TICKET' } })
    }
    await using visited = await visit('/services?a=b&digue=1.TICKET', {
      prepare: (context) =>
        context.addInitScript(
          "Object.defineProperty(Navigator.prototype, 'cookieEnabled', { get: () => false })",
        ),
    })
    await waitForText(visited.page, ARRIVED)
    assert.equal(visited.page.url(), `${site}/services?a=b&digue=1.CLEARANCE`)
  })

  for (const javaScriptEnabled of [true, false])
    test(`a form is sent again ${javaScriptEnabled ? 'by the script' : 'by its button'}`, async () => {
      let sent = ''
      handler = (request, response, url) => {
        if (url.pathname === '/.well-known/digue/proof')
          sendJson(
            response,
            200,
            { status: 'paid', effort: 16, cookie: 'C' },
            { 'set-cookie': 'digue_c=C; Path=/' },
          )
        else if (url.pathname === '/.well-known/digue/replay') {
          request.on('data', (chunk) => (sent += chunk))
          request.on('end', () => sendArrived(response))
        } else sendPage(response, 'form', 'en')
      }
      await using visited = await visit('/services', { javaScriptEnabled })
      if (!javaScriptEnabled) await visited.page.getByRole('button', { name: 'Send again' }).click()
      await waitForText(visited.page, ARRIVED)
      assert.equal(sent, 'sealed=c2VhbGVk')
      assert.deepEqual(visited.complaints, [])
    })

  test('a form too large to keep is sent again by the person, once the price is paid', async () => {
    handler = (_, response, url) => {
      if (url.pathname === '/.well-known/digue/proof')
        sendJson(response, 200, { status: 'paid', effort: 16, cookie: 'C' })
      else sendPage(response, 'resend', 'en')
    }
    await using visited = await visit('/services')
    await waitForText(visited.page, 'Done. You can send it again now.')
    await waitForText(visited.page, 'reload this page and confirm')
    assert.equal(await visited.page.locator('#calc').isVisible(), false)
  })

  test('the time left is said at most every five seconds, in the page’s language', async () => {
    handler = (_, response, url) => {
      if (url.pathname.startsWith('/.well-known/')) return
      // Slow enough to last, fast enough for an estimate.
      sendPage(response, 'price', 'fr', { facts: { bits: 12, price: 256 } })
    }
    await using visited = await visit('/services', {
      prepare: (context) =>
        context.addInitScript(`
          window.said = []
          addEventListener('DOMContentLoaded', () => {
            const status = document.getElementById('status')
            new MutationObserver(() => said.push([performance.now(), status.textContent])).observe(status, { childList: true })
          })`),
    })
    const { page } = visited
    assert.equal(await page.locator('#status').getAttribute('role'), 'status')
    await waitForText(page, 'environ')
    const said = (await page.evaluate('said')) as [number, string][]
    for (let i = 1; i < said.length; i++) assert.ok(said[i]![0] - said[i - 1]![0] > 4900)
    assert.match(said[0]![1], /^Encore \d+\s(seconde|secondes) environ$/)
  })

  test('a browser without the means stays in the waiting room, and its Refresh is left alone', async () => {
    let views = 0
    handler = (_, response) => {
      if (++views === 1) sendPage(response, 'price', 'en', { refresh: '1;url=/services' })
      else sendArrived(response)
    }
    await using visited = await visit('/services', {
      prepare: (context) => context.addInitScript('delete window.fetch'),
    })
    assert.equal(await visited.page.locator('#calc').isVisible(), false)
    await waitForText(visited.page, ARRIVED)
    assert.deepEqual(visited.complaints, [])
  })

  test('a switch of language works without script', async () => {
    const asked: string[] = []
    handler = (request, response, url) => {
      asked.push(request.url!)
      sendPage(response, 'wait', url.searchParams.get('digue')?.slice(2, 4) ?? 'en', {
        facts: { retryHref: '/services?a=b' },
      })
    }
    await using visited = await visit('/services?a=b', { javaScriptEnabled: false })
    await visited.page.getByRole('link', { name: 'Deutsch' }).click()
    await waitForText(visited.page, 'Wir erhalten gerade weit mehr Anfragen als sonst')
    assert.deepEqual(asked, ['/services?a=b', '/services?a=b&digue=l.de'])
  })
})
