/**
 * A made-up access log as a site has it: visitors who look at pages and load their parts, robots, a day and a
 * night, a link that goes viral, and floods. Seeded; in nginx's combined format.
 */

import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { seeded } from './load/random.ts'

export interface LogPlan {
  readonly lines: number
  readonly seed: number
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const START_MS = Date.UTC(2026, 0, 5, 6)
/** Requests per second by day, before what is added. */
const CALM_RATE = 60
const ASSETS = ['/style.css', '/app.js', '/logo.svg', '/fonts/text.woff2', '/hero.jpg', '/search.js']

export interface Written {
  readonly lines: number
  readonly bytes: number
  /** When the attacks and the flash crowd began and ended, seconds since the epoch. */
  readonly events: readonly {
    readonly kind: 'flood' | 'crowd'
    readonly fromS: number
    readonly toS: number
  }[]
}

function agents(random: () => number): string[] {
  const list: string[] = []
  for (let v = 138; v < 144; v++)
    for (const system of [
      'Windows NT 10.0; Win64; x64',
      'Macintosh; Intel Mac OS X 10_15_7',
      'X11; Linux x86_64',
      'Linux; Android 10; K',
    ])
      list.push(
        `Mozilla/5.0 (${system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${v}.0.0.0 ${system.includes('Android') ? 'Mobile ' : ''}Safari/537.36`,
      )
  for (let v = 140; v < 146; v++)
    list.push(`Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:${v}.0) Gecko/20100101 Firefox/${v}.0`)
  for (let v = 17; v < 20; v++)
    list.push(
      `Mozilla/5.0 (iPhone; CPU iPhone OS ${v}_${Math.floor(random() * 6)} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/${v}.0 Mobile/15E148 Safari/604.1`,
    )
  return list
}

/** Internet service providers as prefixes: visitors cluster in a few. */
const ISPS = [
  [81, 250],
  [90, 3],
  [82, 64],
  [78, 192],
  [92, 184],
  [176, 128],
  [88, 120],
  [109, 190],
  [86, 200],
  [2, 4],
] as const
const HOSTERS = [
  [45, 140],
  [185, 220],
  [193, 32],
  [91, 219],
  [5, 188],
  [194, 26],
] as const

/** Writes about `plan.lines` lines. The same plan gives the same file. */
export async function writeLog(file: string, plan: LogPlan): Promise<Written> {
  const random = seeded(plan.seed)
  const out = createWriteStream(file, { highWaterMark: 1 << 20 })
  const browsers = agents(random)
  const whole = (n: number) => Math.floor(random() * n)
  const zipf = (n: number) => Math.min(n - 1, Math.floor((n + 1) ** random() - 1))
  const clientOf = (nets: readonly (readonly [number, number])[], spread: number) => {
    const [a, b] = nets[zipf(nets.length)]!
    return `${a}.${b}.${whole(spread)}.${whole(254) + 1}`
  }
  const pool = Array.from({ length: 6000 }, () => ({
    ip: clientOf(ISPS, 64),
    agent: browsers[zipf(browsers.length)]!,
  }))
  const seconds = Math.max(600, Math.round(plan.lines / 2 / CALM_RATE))
  const at = (share: number) => Math.floor(share * seconds)
  const crowd = { kind: 'crowd' as const, fromS: at(0.4), toS: at(0.5) }
  const spread = plan.lines / 2 / 3 / 60
  const floods = [
    { kind: 'flood' as const, fromS: at(0.6), toS: at(0.6) + 60, style: 'tool' },
    { kind: 'flood' as const, fromS: at(0.75), toS: at(0.75) + 60, style: 'agents' },
    { kind: 'flood' as const, fromS: at(0.9), toS: at(0.9) + 60, style: 'query' },
  ] as const
  let lines = 0
  let bytes = 0
  let text = ''
  const write = (
    second: number,
    ip: string,
    target: string,
    status: number,
    size: number,
    referrer: string,
    agent: string,
  ) => {
    const d = new Date(START_MS + second * 1000)
    const two = (n: number) => String(n).padStart(2, '0')
    text += `${ip} - - [${two(d.getUTCDate())}/${MONTHS[d.getUTCMonth()]}/${d.getUTCFullYear()}:${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())} +0000] "GET ${target} HTTP/1.1" ${status} ${size} "${referrer}" "${agent}"\n`
    lines++
  }
  const site = 'https://www.example.org'
  for (let second = 0; second < seconds; second++) {
    // A visit is a page and three of its parts.
    const tide = 0.75 + 0.25 * Math.sin((2 * Math.PI * second) / 86_400)
    let visits = Math.round((CALM_RATE * tide * (0.7 + 0.6 * random())) / 4)
    const isCrowd = second >= crowd.fromS && second < crowd.toS
    const rise = isCrowd ? Math.min(1, (second - crowd.fromS) / 120) : 0
    const extra = Math.round(visits * 5 * rise)
    visits += extra
    for (let v = 0; v < visits; v++) {
      const isOfCrowd = v < extra
      // People of a crowd are of the same providers and browsers, mostly here for the first time.
      const who =
        isOfCrowd && random() < 0.8
          ? { ip: clientOf(ISPS, 256), agent: browsers[zipf(browsers.length)]! }
          : pool[zipf(pool.length)]!
      const page = isOfCrowd ? '/news/the-minister-answers' : zipf(40) === 0 ? '/' : `/article/${zipf(3000)}`
      write(
        second,
        who.ip,
        page,
        200,
        8000 + ((page.length * 371) % 9000),
        isOfCrowd ? (random() < 0.7 ? 'https://social.example/' : '-') : random() < 0.5 ? `${site}/` : '-',
        who.agent,
      )
      for (let a = 0; a < 3; a++)
        write(second, who.ip, ASSETS[whole(ASSETS.length)]!, 200, 3000, `${site}${page}`, who.agent)
    }
    if (random() < 0.3)
      write(
        second,
        `66.249.66.${whole(200) + 1}`,
        `/article/${whole(3000)}`,
        200,
        9000,
        '-',
        'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
      )
    for (const flood of floods) {
      if (second < flood.fromS || second >= flood.toS) continue
      for (let i = 0; i < spread; i++) {
        const ip = clientOf(HOSTERS, 200)
        const target =
          flood.style === 'query'
            ? `/search?q=${whole(1e9).toString(36)}`
            : flood.style === 'agents'
              ? `/login`
              : `/search?q=a`
        const agent =
          flood.style === 'tool'
            ? 'python-requests/2.31.0'
            : flood.style === 'agents'
              ? `Mozilla/5.0 (X${whole(1e6).toString(36)}) Bot${whole(1e6)}`
              : 'Mozilla/5.0 (Windows NT 6.1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/60.0.3112.113 Safari/537.36'
        write(second, ip, target, random() < 0.6 ? 503 : 200, 500, '-', agent)
      }
    }
    if (text.length < 1 << 20) continue
    bytes += text.length
    if (!out.write(text, 'latin1')) await once(out, 'drain')
    text = ''
  }
  bytes += text.length
  out.end(text, 'latin1')
  await once(out, 'close')
  const base = START_MS / 1000
  return {
    lines,
    bytes,
    events: [crowd, ...floods].map(({ kind, fromS, toS }) => ({
      kind,
      fromS: base + fromS,
      toS: base + toS,
    })),
  }
}
