/**
 * `digue cache check`: the operator's list of what stays readable when the origin is down. Each page is asked
 * for, the cache's own rules judge the answer, and what only several answers show is looked at besides: is
 * it the same for everybody, and does a made-up query parameter change it?
 */
import { randomBytes } from 'node:crypto'
import { type CacheRules, type Explanation, explain, type Refusal, type Times } from '#cache'
import { type Config, readConfigValue, type SiteConfig } from '#config'
import { cacheRulesOf } from '#edge'
import { type FieldLines, fieldValue, type RequestHead } from '#http'
import { loadConfig, usualConfig } from './locate.ts'
import { siteFinder } from './old-log.ts'
import { CliError, EXIT, formatSpan, MARKS, plain, type Terminal, table } from './output.ts'
import {
  askForPage,
  MOST_BODY_BYTES,
  type NoPage,
  type Page,
  PROBE_FIELDS,
  type ProbeOrigin,
} from './page-probe.ts'

export interface CacheCheckFlags {
  readonly origin?: string
  readonly config?: string
  readonly json?: boolean
}

export interface PageFinding {
  readonly url: string
  /** `warn`: it can be shown while the origin is down, and something is not as it should be. */
  readonly level: keyof typeof MARKS
  /** What happens to this page, in one sentence. */
  readonly summary: string
  /** Sentences: what was read and seen. */
  readonly reasons: readonly string[]
  /** Sentences: what to change. */
  readonly advice: readonly string[]
  readonly status?: number
  readonly verdict?: Explanation['verdict']
  readonly lifetimeS?: number
  readonly standInS?: number
  readonly refusal?: Refusal
  /** Two requests in a row got the same. */
  readonly isSameTwice?: boolean
  /** Names of the cookies that it sets for somebody who has none. */
  readonly cookies?: readonly string[]
  /** What a query parameter that it cannot know does; `unclear` where the page changes by itself. */
  readonly unknownParameter?: 'ignored' | 'repeated' | 'changes' | 'unclear'
}

/** What the configuration says of a page's site. */
export interface Setting {
  readonly rules: CacheRules
  /** False: nothing of the site is stored, whatever the page says. */
  readonly stores: boolean
  /** A sentence about it; '' for none. */
  readonly note: string
}

/** The answers to the same request twice, and to one with a made-up query parameter. */
export interface Probes {
  readonly first: Page
  readonly second: Page
  /** Undefined: there was no answer to it. */
  readonly other: Page | undefined
  /** Value of the made-up parameter. */
  readonly marker: string
}

const MOST_URLS = 200
const AT_ONCE = 4
/** A longer target is never stored. */
const LONGEST_URL = 8192
const MOST_INPUT_CHARACTERS = MOST_URLS * LONGEST_URL
const MOST_COOKIE_NAMES = 10
const WIDEST_URL = 72
const JUST_MADE_MS = 3000

export async function cacheCheck(
  given: readonly string[],
  flags: CacheCheckFlags,
  terminal: Terminal,
  input: AsyncIterable<string | Buffer> = process.stdin,
): Promise<void> {
  const urls = parseUrls(given.includes('-') ? [...given, ...(await readLines(input))] : given)
  const origin = flags.origin === undefined ? undefined : parseOrigin(flags.origin)
  const file = flags.config ?? usualConfig()
  const config = file === undefined ? undefined : loadConfig(file, { selfSigned: true })
  const settingOf = settings(config)
  const findings = await mapAtOnce(urls, async (url) => {
    const site = settingOf.site(url)
    const host = site?.originHost ?? url.host
    const at = origin === undefined ? undefined : { url: origin, host, verify: site?.verifyOrigin ?? true }
    return checkPage(url, at, settingOf.setting(url))
  })
  if (flags.json) terminal.out(`${JSON.stringify(findings, undefined, 2)}\n`)
  else terminal.out(findingsText(findings, file))
  if (!findings.every(({ level }) => level === 'good' || level === 'warn')) process.exitCode = EXIT.failed
}

// What to ask.

/** Each page once; all faults at once. */
export function parseUrls(given: readonly string[]): URL[] {
  const urls = new Map<string, URL>()
  const faults: string[] = []
  for (const text of given) {
    if (text === '-') continue
    const url = URL.parse(text)
    const shown = plain(JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text))
    if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
      faults.push(`expected a page such as https://www.example.org/news, got ${shown}`)
    else if (url.username !== '' || url.password !== '')
      faults.push(`expected a page without user and password, which nobody else may see, got ${shown}`)
    else if (url.href.length > LONGEST_URL)
      faults.push(`expected a page whose address has at most ${LONGEST_URL} characters, got ${shown}`)
    else {
      url.hash = ''
      urls.set(url.href, url)
    }
  }
  if (urls.size > MOST_URLS) faults.push(`expected at most ${MOST_URLS} pages, got ${urls.size}`)
  else if (urls.size === 0 && faults.length === 0) faults.push('expected a page at least, got none')
  if (faults.length > 0) throw new CliError(faults.slice(0, 20).join('\n'), EXIT.usage)
  return [...urls.values()]
}

function parseOrigin(text: string): string {
  if (/^unix:\/./.test(text)) return text
  const url = URL.parse(text)
  if (url !== null && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search === '')
    return url.origin
  throw new CliError(
    `--origin: expected "http://host:port", "https://host:port" or "unix:/path", got ${plain(JSON.stringify(text))}`,
    EXIT.usage,
  )
}

/** One page a line; empty lines and those that begin with "#" are left out. */
async function readLines(input: AsyncIterable<string | Buffer>): Promise<string[]> {
  let text = ''
  for await (const chunk of input) {
    text += chunk
    if (text.length > MOST_INPUT_CHARACTERS)
      throw new CliError(`expected at most ${MOST_URLS} pages on standard input, got far more`, EXIT.usage)
  }
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
}

function settings(config: Config | undefined): {
  site(url: URL): SiteConfig | undefined
  setting(url: URL): Setting
} {
  const usual = readConfigValue({ sites: [{ host: '*', origin: 'http://127.0.0.1' }] }, { selfSigned: true })
  if (!usual.ok) throw new Error('the smallest configuration has faults')
  const rules = cacheRulesOf(usual.config.sites[0]!.cache)
  const nameOf = config === undefined ? () => undefined : siteFinder(config)
  const site = (url: URL) => {
    const name = nameOf(url.hostname)
    return config?.sites.find(({ hosts }) => hosts[0] === name)
  }
  return {
    site,
    setting(url) {
      const own = site(url)
      if (own === undefined) {
        const note =
          config === undefined
            ? ''
            : `The configuration has no site ${url.hostname}: judged by the usual rules.`
        return { rules, stores: true, note }
      }
      const note = !own.cache.enabled
        ? 'Nothing of this site is stored: cache.enabled is false.'
        : own.mode === 'observe'
          ? 'Nothing of this site is stored while its mode is observe.'
          : ''
      return { rules: cacheRulesOf(own.cache), stores: note === '', note }
    },
  }
}

// Asking and judging.

async function checkPage(url: URL, origin: ProbeOrigin | undefined, setting: Setting): Promise<PageFinding> {
  const first = await askForPage(url, origin)
  if ('fault' in first) return unanswered(url, first)
  const second = await askForPage(url, origin)
  if ('fault' in second) return unanswered(url, second)
  const marker = `d${randomBytes(8).toString('hex')}`
  const otherUrl = new URL(url)
  otherUrl.search += `${url.search === '' ? '?' : '&'}${marker.slice(0, 9)}=${marker}`
  const other = await askForPage(otherUrl, origin)
  return judgePage(url, { first, second, other: 'fault' in other ? undefined : other, marker }, setting)
}

function unanswered(url: URL, { fault }: NoPage): PageFinding {
  return {
    url: url.href,
    level: 'unknown',
    summary: `It could not be looked at: ${fault}.`,
    reasons: [],
    advice: ['Mend that, or the address, and ask again.'],
  }
}

export function judgePage(url: URL, probes: Probes, { rules, stores, note }: Setting): PageFinding {
  const { first, second } = probes
  const explanation = worse(explained(url, first, rules), explained(url, second, rules))
  const { status, fields } = second.head
  const { verdict, lifetimeS, standInS, refusal } = explanation
  // How an error is stored matters to nobody.
  const isPage = status < 400
  const reasons = isPage ? [...explanation.reasons] : []
  const advice = isPage ? [...explanation.advice] : []
  const isStored = verdict !== 'not-stored' && stores
  const isReady = isStored && standInS > 0 && isPage
  const isSameTwice = first.digest === second.digest
  const cookies = [...new Set([...cookiesOf(first.head.fields), ...cookiesOf(fields)])]
  const unknownParameter = parameterEffect(probes, isSameTwice)

  if (note !== '') reasons.unshift(note)
  const location = fieldValue(fields, 'location')
  if (status >= 300 && status < 400 && location !== undefined)
    advice.push(`It leads to ${plain(location.slice(0, 500))}: check that page too.`)
  advice.push(...ownAnswer(fields))
  if (!isPage)
    advice.push(
      status >= 500
        ? 'Ask again when the site is well.'
        : 'Mend the address, or leave the page out of the list if it is not public.',
    )
  if (!second.isWhole && rules.objectBytes > MOST_BODY_BYTES)
    reasons.push(`Only the first ${MOST_BODY_BYTES / 1024 / 1024} MiB of it were looked at.`)
  if (cookies.length > 0)
    reasons.push(`It sets a cookie for somebody who has none: ${cookies.map(plain).join(', ')}.`)
  if (!isSameTwice) {
    reasons.push('Two requests in a row got different pages.')
    if (isStored && isPage)
      advice.push(
        'Look what differs: everybody gets the stored page. A form token, a name or a basket in it belongs to one visitor (then send Cache-Control: private, or fetch it by a script); a clock or a random number does no harm.',
      )
  }
  if (isStored && isPage) tellParameter(unknownParameter, { reasons, advice })
  const isWorrying =
    verdict !== 'served' ||
    !isSameTwice ||
    cookies.length > 0 ||
    /^(repeated|changes)$/.test(unknownParameter)
  return {
    url: url.href,
    level: !isReady ? 'bad' : isWorrying ? 'warn' : 'good',
    summary: summaryOf(stores ? explanation : { ...explanation, verdict: 'not-stored' }, status),
    reasons,
    advice,
    status,
    verdict: isStored ? verdict : 'not-stored',
    lifetimeS,
    standInS,
    ...(refusal === undefined ? {} : { refusal }),
    isSameTwice,
    cookies,
    unknownParameter,
  }
}

function explained(url: URL, { head, times, body }: Page, rules: CacheRules): Explanation {
  const request: RequestHead = {
    method: 'GET',
    target: url.pathname + url.search,
    version: '1.1',
    host: url.hostname,
    fields: ['Host', url.host, ...PROBE_FIELDS],
  }
  // A chunked body says its length only by its end.
  const isLong = body.length > rules.objectBytes && fieldValue(head.fields, 'content-length') === undefined
  const fields = isLong ? [...head.fields, 'Content-Length', String(body.length)] : head.fields
  return explain(request, { ...head, fields }, timesOf(head, times), rules)
}

/** Date is in whole seconds and may be a second old already; that would make 59 s of a minute. */
function timesOf({ fields }: Page['head'], times: Times): Times {
  const dateMs = Date.parse(fieldValue(fields, 'date') ?? '')
  const isJustMade = Math.abs(times.receivedAtMs - dateMs) < JUST_MADE_MS
  return isJustMade ? { requestedAtMs: dateMs, receivedAtMs: dateMs } : times
}

const WORST_FIRST = ['not-stored', 'emergency', 'validated', 'served'] as const

/** Two visitors: what is said of the page must hold for both. */
function worse(a: Explanation, b: Explanation): Explanation {
  const difference = WORST_FIRST.indexOf(a.verdict) - WORST_FIRST.indexOf(b.verdict)
  if (difference !== 0) return difference < 0 ? a : b
  return a.standInS < b.standInS ? a : b
}

function cookiesOf(fields: FieldLines): string[] {
  const names: string[] = []
  for (let i = 0; i < fields.length && names.length < MOST_COOKIE_NAMES; i += 2)
    if (fields[i]!.toLowerCase() === 'set-cookie')
      names.push(fields[i + 1]!.split('=', 1)[0]!.trim().slice(0, 64))
  return names
}

function parameterEffect(
  { second, other, marker }: Probes,
  isSameTwice: boolean,
): NonNullable<PageFinding['unknownParameter']> {
  if (other === undefined) return 'unclear'
  if (other.digest === second.digest) return 'ignored'
  if (other.body.includes(marker)) return 'repeated'
  return isSameTwice || other.head.status !== second.head.status ? 'changes' : 'unclear'
}

function tellParameter(
  effect: NonNullable<PageFinding['unknownParameter']>,
  { reasons, advice }: { reasons: string[]; advice: string[] },
): void {
  switch (effect) {
    case 'ignored':
      reasons.push(
        'A made-up query parameter changes nothing, so a flood with random ones can be answered from the store.',
      )
      break
    case 'repeated':
      reasons.push('It repeats its own address: a made-up query parameter is found again in the page.')
      advice.push(
        'Leave parameters that the site does not know out of the page (canonical link, forms, links to share or to change the language): else each random one makes another page, and a flood with them reaches the origin.',
      )
      break
    case 'changes':
      reasons.push('A made-up query parameter changes the answer.')
      advice.push(
        'Let the site pass over parameters that it does not know: else a flood with random ones reaches the origin.',
      )
      break
    case 'unclear':
      break
    default:
      effect satisfies never
  }
}

/** An answer that is not the origin's says little of it. */
function ownAnswer(fields: FieldLines): string[] {
  const status = fieldValue(fields, 'cache-status')
  if (
    fieldValue(fields, 'digue-mitigated') === undefined &&
    (status === undefined || !/^Digue; hit/.test(status))
  )
    return []
  return ['This answer is Digue’s own; --origin http://… asks the site itself.']
}

function summaryOf({ verdict, lifetimeS, standInS }: Explanation, status: number): string {
  if (status >= 400) return `It answers ${status}: there is no page to be kept.`
  const standIn = formatSpan(standInS * 1000)
  switch (verdict) {
    case 'served': {
      const lifetime = formatSpan(lifetimeS * 1000)
      return standInS > 0
        ? `Stored: the origin is asked once in ${lifetime}. When it is down, the page is shown for ${standIn} more.`
        : `Stored: the origin is asked once in ${lifetime}. When it is down, the page fails after that.`
    }
    case 'validated':
      return standInS > 0
        ? `Stored, and the origin is asked each time whether it still holds. When it is down, the page is shown for ${standIn}.`
        : 'Stored, and the origin is asked each time whether it still holds. When it is down, the page fails.'
    case 'emergency':
      return `Every request goes to the origin. When it is down, its last good answer is shown for ${standIn}.`
    case 'not-stored':
      return 'Not stored: every request goes to the origin. When it is down, the page fails.'
    default:
      verdict satisfies never
      return ''
  }
}

// Telling.

export function findingsText(findings: readonly PageFinding[], file: string | undefined): string {
  const ready = findings.filter(({ level }) => level === 'good' || level === 'warn').length
  let text = ''
  if (findings.length > 1) {
    const rows = findings.map((finding) => [
      MARKS[finding.level],
      shortened(plain(finding.url)),
      ...fates(finding),
    ])
    text += `${table([['', 'page', 'from the store', 'when the origin is down'], ...rows])}\n`
  }
  for (const finding of findings) {
    if (findings.length > 1 && finding.level === 'good' && finding.advice.length === 0) continue
    text += `${detailText(finding)}\n`
  }
  text += `${ready} of ${findings.length} ${findings.length === 1 ? 'page' : 'pages'} can be shown while the origin is down.`
  const rules = file === undefined ? 'the usual rules' : `the rules of ${plain(file)}`
  return `${text} Judged by ${rules}.\n`
}

function detailText({ level, url, summary, reasons, advice }: PageFinding): string {
  let text = `${MARKS[level]} ${plain(url)}\n     ${plain(summary)}\n`
  for (const reason of reasons) text += `     ${plain(reason)}\n`
  for (const way of advice) text += `     → ${plain(way)}\n`
  return text
}

function fates({ level, verdict, lifetimeS = 0, standInS = 0, status = 0 }: PageFinding): [string, string] {
  if (level === 'unknown') return ['?', '?']
  if (status >= 400) return [`answers ${status}`, 'fails']
  const standIn = standInS > 0 && verdict !== 'not-stored' ? `for ${formatSpan(standInS * 1000)}` : 'fails'
  switch (verdict) {
    case 'served':
      return [`for ${formatSpan(lifetimeS * 1000)}`, standIn === 'fails' ? standIn : `${standIn} more`]
    case 'validated':
      return ['origin asked each time', standIn]
    default:
      return ['no', standIn]
  }
}

function shortened(url: string): string {
  return url.length <= WIDEST_URL ? url : `${url.slice(0, WIDEST_URL - 1)}…`
}

/** In order, a few at once: the origin may be a small machine. */
async function mapAtOnce<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(items.length)
  let next = 0
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(items[i]!)
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker))
  return results
}
