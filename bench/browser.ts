/**
 * How long does a person with a real browser wait in a flood? Chromium before Digue and the bench's origin,
 * while 250 addresses of its own prefix send 2,000 requests per second: time from the click to the page that was
 * asked for, with the real puzzle, for a new visitor, one who has paid, a known one, a slow phone and one without
 * JavaScript; and for a slow phone where everybody is asked for the highest price there is.
 */
import { accessSync, constants, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, type BrowserContextOptions, chromium } from 'playwright-core'
import { CHROMIUM, CHROMIUM_ARGS } from '../test/scenarios/chromium.ts'
import { main, options } from './lib/options.ts'
import { makePlace, removeFolder } from './lib/place.ts'
import { BenchError, Child, CORES } from './lib/processes.ts'
import { keep } from './lib/runs.ts'
import { SlowProcessor } from './lib/slow-processor.ts'
import { median } from './lib/stats.ts'
import { ms, table } from './lib/table.ts'
import type { AttackPlan, AttackResult } from './load/plan.ts'
import { LOAD_PROCESS } from './load/process.ts'
import { knownCookies, writeMaster } from './load/tokens.ts'
import { startOrigin, USUAL_ORIGIN } from './origin/origin.ts'
import { startDigue } from './peers/digue.ts'

const USAGE = `Usage: npm run bench:browser -- [options]

About 5 minutes. Needs Debian's chromium; a processor is slowed down for a phone where cgroups may be written.`

const PER_SECOND = 2000
const LONGEST_MS = 120_000

interface Person {
  readonly name: string
  readonly context?: BrowserContextOptions
  /** A cookie of earlier days. */
  readonly isKnown?: boolean
  /** The page after the first one is what is timed. */
  readonly second?: boolean
  /** Its page and workers together have this share of one core. */
  readonly coreShare?: number
  readonly atHighestPrice?: boolean
}

const PEOPLE: readonly Person[] = [
  { name: 'new' },
  { name: 'new, the page after', second: true },
  { name: 'known', isKnown: true },
  { name: 'new, a sixth of a core', coreShare: 1 / 6 },
  { name: 'without JavaScript', context: { javaScriptEnabled: false } },
  { name: 'new, highest price', atHighestPrice: true },
  { name: 'new, a sixth of a core, highest price', coreShare: 1 / 6, atHighestPrice: true },
]
const HIGHEST_PRICE = pathToFileURL(join(import.meta.dirname, 'lib/highest-price.ts')).href

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
  const results: Record<string, number[]> = {}
  for (const atHighestPrice of [false, true]) {
    const people = PEOPLE.filter((person) => (person.atHighestPrice ?? false) === atHighestPrice)
    Object.assign(results, await underFlood(people, { runs, pictures, atHighestPrice }))
  }
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
})

interface Circumstances {
  readonly runs: number
  readonly pictures: string | undefined
  readonly atHighestPrice: boolean
}

/** Milliseconds of each visit, by person. */
async function underFlood(
  people: readonly Person[],
  { runs, pictures, atHighestPrice }: Circumstances,
): Promise<Record<string, number[]>> {
  const origin = await startOrigin(USUAL_ORIGIN)
  const place = await makePlace({ originPort: origin.port })
  let digue: Awaited<ReturnType<typeof startDigue>> | undefined
  let attackers: Child | undefined
  try {
    writeMaster(place.folder)
    // The difficulty that everybody has, not the bench's.
    const site = { hosts: ['*'], origins: [`http://127.0.0.1:${origin.port}`] }
    const variant = { label: '', settings: {} }
    const preload = atHighestPrice ? HIGHEST_PRICE : undefined
    digue = await startDigue({ ...place, tlsPort: 0 }, variant, { sites: [site] }, preload)
    const url = `http://127.0.0.1:${digue.port}`
    attackers = new Child('attackers', [...LOAD_PROCESS], { core: CORES?.load, ipc: true, nice: 5 })
    await attackers.message('ready')
    const attacked = attackers.message<AttackResult>('result')
    attackers.send(plan(digue.port))
    await new Promise((resolve) => setTimeout(resolve, 5000))
    const results: Record<string, number[]> = {}
    for (const person of people) {
      const times: number[] = (results[person.name] = [])
      // Who waits without JavaScript waits for long: once tells.
      const most = person.context?.javaScriptEnabled === false ? 1 : runs
      for (let run = 0; run < most; run++) {
        const picture = pictures === undefined || run > 0 ? '' : join(pictures, `${slug(person.name)}.png`)
        const took = await visit(url, person, { run, picture })
        if (took === undefined) {
          process.stderr.write(`${person.name}: no processor can be slowed down here.\n`)
          delete results[person.name]
          break
        }
        times.push(took)
      }
    }
    attackers.send({ stop: true })
    await attacked
    return results
  } finally {
    await attackers?.stop()
    await digue?.stop()
    origin.stop()
    removeFolder(place.folder)
  }
}

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

/** Milliseconds from the click to the origin's page; undefined where no processor can be slowed down. */
async function visit(
  url: string,
  person: Person,
  { run, picture }: { readonly run: number; readonly picture: string },
): Promise<number | undefined> {
  using processor = person.coreShare === undefined ? undefined : SlowProcessor.make(person.coreShare)
  if (person.coreShare !== undefined && processor === undefined) return undefined
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGS })
  try {
    const context = await browser.newContext({ locale: 'fr-FR', ...person.context })
    if (person.isKnown) {
      const [name, value] = knownCookies(run + 1, 'browser')[run]!.split('=') as [string, string]
      await context.addCookies([{ name, value, url }])
    }
    const page = await context.newPage()
    const slowDown = async () => {
      for (const pid of processor === undefined ? [] : await rendererPids(browser)) processor!.take(pid)
    }
    await slowDown()
    const go = async (path: string): Promise<number> => {
      const startMs = performance.now()
      await page.goto(url + path, { waitUntil: 'commit' })
      // Another site may mean another process.
      await slowDown()
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
    await browser.close()
  }
}

/** Of the pages and their workers. */
async function rendererPids(browser: Browser): Promise<number[]> {
  const session = await browser.newBrowserCDPSession()
  const { processInfo } = await session.send('SystemInfo.getProcessInfo')
  return processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id)
}

function slug(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, '-')
}
