/**
 * How long does a person with a real browser wait in a flood? Chromium before Digue and the bench's origin,
 * while 250 addresses of its own prefix send 2,000 requests per second: time from the click to the page that was
 * asked for, with real prices, for a new visitor, one who has paid, a known one, a slow phone and one without JavaScript.
 */
import { accessSync, constants, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium } from 'playwright-core'
import { CHROMIUM, CHROMIUM_ARGS } from '../test/scenarios/chromium.ts'
import { main, options } from './lib/options.ts'
import { makePlace, removeFolder } from './lib/place.ts'
import { BenchError, Child, CORES } from './lib/processes.ts'
import { keep } from './lib/runs.ts'
import { median } from './lib/stats.ts'
import { ms, table } from './lib/table.ts'
import type { AttackPlan, AttackResult } from './load/plan.ts'
import { LOAD_PROCESS } from './load/process.ts'
import { knownCookies, writeMaster } from './load/tokens.ts'
import { startOrigin, USUAL_ORIGIN } from './origin/origin.ts'
import { startDigue } from './peers/digue.ts'

const USAGE = `Usage: npm run bench:browser -- [options]

About 4 minutes. Needs Debian's chromium.`

const PER_SECOND = 2000
const LONGEST_MS = 120_000

interface Person {
  readonly name: string
  readonly context?: BrowserContextOptions
  /** A cookie of earlier days. */
  readonly isKnown?: boolean
  /** The page after the first one is what is timed. */
  readonly second?: boolean
  /** Of Chromium's main thread; its workers are not slowed. */
  readonly slowdown?: number
}

const PEOPLE: readonly Person[] = [
  { name: 'new' },
  { name: 'new, the page after', second: true },
  { name: 'known', isKnown: true },
  { name: 'new, page thread 6 × slower', slowdown: 6 },
  { name: 'without JavaScript', context: { javaScriptEnabled: false } },
]

await main(async () => {
  const chosen = options(USAGE, {
    runs: { value: 'N', help: 'Visits of each. Default 5.' },
    pictures: { value: 'FOLDER', help: 'Keep a screenshot of what each sees first.' },
    json: { help: 'Print raw results.' },
    'no-keep': { help: 'Do not write bench/runs/.' },
  })
  const runs = Math.min(50, chosen.number('runs', 5))
  const pictures = chosen.text('pictures')
  try {
    accessSync(CHROMIUM, constants.X_OK)
  } catch {
    throw new BenchError('BENCH_NO_CHROMIUM', `${CHROMIUM} is missing: apt-get install -y chromium`)
  }
  const origin = await startOrigin(USUAL_ORIGIN)
  const place = await makePlace({ originPort: origin.port })
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGS })
  let digue: Awaited<ReturnType<typeof startDigue>> | undefined
  let attackers: Child | undefined
  try {
    writeMaster(place.folder)
    digue = await startDigue({ ...place, tlsPort: 0 }, { label: '', settings: {} })
    const url = `http://127.0.0.1:${digue.port}`
    attackers = new Child('attackers', [...LOAD_PROCESS], { core: CORES?.load, ipc: true, nice: 5 })
    await attackers.message('ready')
    const attacked = attackers.message<AttackResult>('result')
    attackers.send(plan(digue.port))
    await new Promise((resolve) => setTimeout(resolve, 5000))
    const results: Record<string, number[]> = {}
    for (const person of PEOPLE) {
      results[person.name] = []
      // Who waits without JavaScript waits for long: once tells.
      const times = person.context?.javaScriptEnabled === false ? 1 : runs
      for (let run = 0; run < times; run++) {
        const picture = pictures === undefined || run > 0 ? '' : join(pictures, `${slug(person.name)}.png`)
        results[person.name]!.push(await visit(browser, url, person, { run, picture }))
      }
    }
    attackers.send({ stop: true })
    await attacked
    if (!chosen.flag('json'))
      process.stdout.write(
        `${table(
          ['', 'median', 'fastest', 'slowest', 'n'],
          Object.entries(results).map(([name, times]) => [
            name,
            ms(median(times)),
            ms(Math.min(...times)),
            ms(Math.max(...times)),
            String(times.length),
          ]),
        )}\n`,
      )
    else process.stdout.write(`${JSON.stringify(results)}\n`)
    if (!chosen.flag('no-keep')) keep('browser', { bench: 'browser', perSecond: PER_SECOND, results })
  } finally {
    await browser.close()
    await attackers?.stop()
    await digue?.stop()
    origin.stop()
    removeFolder(place.folder)
  }
})

function plan(port: number): AttackPlan {
  return {
    role: 'attackers',
    target: { address: '127.0.0.1', port, tlsPort: 0, host: 'bench.example.org', forwardedFor: false },
    seed: 7,
    startAtMs: Date.now() + 200,
    fromS: 0,
    untilS: 540,
    sources: Array.from({ length: 250 }, (_, i) => `127.0.0.${2 + i}`),
    perSecond: PER_SECOND,
    connection: 'keep',
    tls: false,
    finishShare: 1,
    path: 'page',
    patienceMs: 10_000,
    maxConnections: 4000,
  }
}

/** Milliseconds from the click to the origin's page. */
async function visit(
  browser: Browser,
  url: string,
  person: Person,
  { run, picture }: { readonly run: number; readonly picture: string },
): Promise<number> {
  const context = await browser.newContext({ locale: 'fr-FR', ...person.context })
  try {
    if (person.isKnown) {
      const [name, value] = knownCookies(run + 1, 'browser')[run]!.split('=') as [string, string]
      await context.addCookies([{ name, value, url }])
    }
    const page = await context.newPage()
    if (person.slowdown !== undefined) {
      const session = await context.newCDPSession(page)
      await session.send('Emulation.setCPUThrottlingRate', { rate: person.slowdown })
    }
    const go = async (path: string): Promise<number> => {
      const startMs = performance.now()
      await page.goto(url + path, { waitUntil: 'commit' })
      let isPictured = picture === ''
      while (performance.now() - startMs < LONGEST_MS) {
        const html = await page.content().catch(() => '')
        if (html.includes('digue-bench path=')) return performance.now() - startMs
        if (!isPictured && html.includes('<svg')) {
          isPictured = true
          mkdirSync(join(picture, '..'), { recursive: true })
          await page.screenshot({ path: picture }).catch(() => {})
        }
        await page.waitForTimeout(50)
      }
      throw new BenchError('BENCH_NOT_SERVED', `${person.name} was not served in ${LONGEST_MS / 1000} s`)
    }
    const first = await go(`/article/${1 + run}`)
    return person.second === true ? await go(`/article/${11 + run}`) : first
  } finally {
    await context.close()
  }
}

function slug(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, '-')
}
