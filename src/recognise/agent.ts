/**
 * What a User-Agent claims, folded so far that rotating agents meet and an odd one stays odd.
 *
 *   Chrome/Windows          a browser, on what; the newest versions say no more
 *   Chrome/Windows old      versions of two to four years ago;  `ancient`: older ones
 *   Chrome/Android+SomeApp  the same with a product that is none of the known ones
 *   WebView/Android         a page within an app
 *   bot:Googlebot           whoever calls itself a robot
 *   curl, python-requests   a program: its first three products without their versions
 *   Mozilla Foo Bar         what begins like a browser and is none
 *
 * Versions are folded by fixed edges, never by "the newest we saw": the day a new Chrome comes out, a third of
 * the visitors would otherwise have a value that calm weather did not know. The edges move with
 * Digue's releases. The raw text is no trait: agents drawn from a list of thousands would be thousands
 * of values, a list of plausible browsers is some forty here. A flood with one agent is visible if its family, system,
 * age or a product of its own are rare among the visitors; if they are not, other traits have to tell.
 */
import { looksDrawn } from './random-text.ts'
import { TextCache } from './text-cache.ts'

/** Whose behaviour is claimed, where the text is exactly what the browser itself sends; '' otherwise. */
export type Engine = 'chrome' | 'firefox' | 'safari' | ''

export interface Agent {
  /** The trait. */
  readonly value: string
  readonly engine: Engine
  /** Of the engine: Chromium 156, Firefox 145, Safari 26. 0 without an engine. */
  readonly major: number
  readonly system: string
  /** No such browser ever called itself so. */
  readonly isImpossible: boolean
}

export const NO_AGENT: Agent = { value: '', engine: '', major: 0, system: '', isImpossible: false }

/** Nobody's browser says more. */
const LONGEST = 512
/** Of a program's trait, and of those that are looked at. */
const MOST_PRODUCTS = 3
const MOST_LISTED = 8
const LONGEST_PRODUCT = 32

/** First major version that is not old, and that is not ancient, by engine. As of the end of 2026. */
const EDGES: Readonly<Record<Exclude<Engine, ''>, readonly [old: number, ancient: number]>> = {
  chrome: [125, 100],
  firefox: [128, 100],
  safari: [17, 15],
}

/** Exactly what browsers send; a product more, and it is somebody else's. */
const CHROME =
  /^Mozilla\/5\.0 \(([^()]{3,160})\) AppleWebKit\/([\d.]{1,12}) \(KHTML, like Gecko\) Chrome\/(\d{1,5})[\d.]{0,24} (?:Mobile )?Safari\/([\d.]{1,12})(?: (Edg|EdgA|OPR)\/[\d.]{1,24})?$/
const FIREFOX =
  /^Mozilla\/5\.0 \(([^()]{3,120}); rv:(\d{1,5})[\d.]{0,8}\) Gecko\/([\d.]{1,12}) Firefox\/(\d{1,5})[\d.]{0,8}$/
const SAFARI =
  /^Mozilla\/5\.0 \(((?:Macintosh|iPhone|iPad|iPod)[^()]{0,120})\) AppleWebKit\/[\d.]{1,16} \(KHTML, like Gecko\) Version\/(\d{1,4})[\d.]{0,8} (?:Mobile\/\w{1,12} )?Safari\/[\d.]{1,16}$/

/** What robots' names hold, but for the case of the first letter. */
const BOT_PARTS =
  'bot Bot BOT rawl pider lurp xternalhit review rchiver onitor canner hecker etcher ighthouse'.split(' ')
/** Of a name, on either side of what makes it a robot's. */
const BOT_REACH = 20

/** Products that name a browser built on another's engine, by brand. */
const BRANDS = new Map<string, string>()
for (const [brand, products] of [
  ['Edge', 'Edg Edge EdgA EdgiOS EdgW'],
  ['Opera', 'OPR OPX OPT OPiOS Opera'],
  ['Samsung', 'SamsungBrowser'],
  ['Yandex', 'YaBrowser'],
  ['DuckDuckGo', 'DuckDuckGo Ddg'],
  ['Chrome', 'CriOS'],
  ['Firefox', 'FxiOS Focus Klar'],
  ['UCBrowser', 'UCBrowser UBrowser'],
  ['QQBrowser', 'QQBrowser MQQBrowser'],
  ['MiuiBrowser', 'MiuiBrowser XiaoMi'],
  ['WeChat', 'MicroMessenger WeChat'],
  ['TikTok', 'BytedanceWebview musical_ly trill'],
] as const)
  for (const product of products.split(' ')) BRANDS.set(product, brand)
for (const product of (
  'HeadlessChrome HuaweiBrowser Vivaldi Whale Brave Silk Puffin Electron SeaMonkey PaleMoon Waterfox Maxthon GSA ' +
  'QtWebEngine Instagram Snapchat Pinterest LinkedInApp Line'
).split(' '))
  BRANDS.set(product, product)

/** Products of every browser's text, which say nothing more. */
const COMMON: ReadonlySet<string> = new Set(
  (
    'Mozilla AppleWebKit Gecko KHTML KHTML, like Version Mobile Safari Chrome Chromium Firefox Presto Trident Ubuntu ' +
    'Debian Fedora Linux X11 Build'
  ).split(' '),
)

const agents = new TextCache(parse)

/** Of the field's value; '' or no field has no agent. */
export function agentOf(text: string | undefined): Agent {
  return text === undefined || text === '' ? NO_AGENT : agents.get(text)
}

function parse(whole: string): Agent {
  const text = whole.length > LONGEST ? whole.slice(0, LONGEST) : whole
  if (!text.startsWith('Mozilla/5.0 (')) return { ...NO_AGENT, value: otherValue(text) }
  const chrome = text.includes(' Chrome/') ? CHROME.exec(text) : null
  if (chrome !== null) {
    const platform = chrome[1]!
    const major = Number(chrome[3])
    const system = systemOf(platform)
    const isWebView = platform.endsWith('; wv')
    const brand = isWebView ? 'WebView' : (BRANDS.get(chrome[5] ?? '') ?? 'Chrome')
    return {
      value: `${brand}/${system}${ageOf('chrome', major)}`,
      // A page within an app behaves as its app wants.
      engine: isWebView ? '' : 'chrome',
      major,
      system,
      isImpossible: isImpossibleChrome(platform, major, chrome[2]!, chrome[4]!),
    }
  }
  const firefox = text.includes(' Firefox/') ? FIREFOX.exec(text) : null
  if (firefox !== null) {
    const platform = firefox[1]!
    const major = Number(firefox[4])
    const system = systemOf(platform)
    return {
      value: `Firefox/${system}${ageOf('firefox', major)}`,
      engine: 'firefox',
      major,
      system,
      isImpossible: isImpossibleFirefox(platform, major, Number(firefox[2]), firefox[3]!),
    }
  }
  const safari = text.includes(' Version/') ? SAFARI.exec(text) : null
  if (safari !== null) {
    const major = Number(safari[2])
    const system = systemOf(safari[1]!)
    return {
      value: `Safari/${system}${ageOf('safari', major)}`,
      engine: 'safari',
      major,
      system,
      isImpossible: major > LARGEST_MAJOR,
    }
  }
  return { ...NO_AGENT, value: otherValue(text) }
}

function ageOf(engine: Exclude<Engine, ''>, major: number): string {
  const [old, ancient] = EDGES[engine]
  return major >= old ? '' : major >= ancient ? ' old' : ' ancient'
}

function systemOf(platform: string): string {
  if (platform.includes('Android')) return 'Android'
  if (/iPhone|iPad|iPod/.test(platform)) return 'iOS'
  if (platform.includes('Windows')) return 'Windows'
  if (platform.includes('Mac')) return 'macOS'
  if (platform.includes('CrOS')) return 'ChromeOS'
  return /Linux|X11|BSD/.test(platform) ? 'Linux' : 'other'
}

/** Versions that no browser will have for many years: 2040 at today's pace of a release a fortnight. */
const LARGEST_MAJOR = 500

/**
 * Blink has been AppleWebKit/537.36 since Chrome 28. Windows 11 calls itself "NT 10.0". Since version 107 the version of
 * macOS is 10_15_7 for everybody (Chromium's User-Agent reduction, phase 5).
 */
function isImpossibleChrome(platform: string, major: number, webKit: string, safari: string): boolean {
  if (major > LARGEST_MAJOR) return true
  if (major >= 28 && (webKit !== '537.36' || safari !== '537.36')) return true
  if (/Windows NT (?:1[1-9]|[7-9])\b/.test(platform)) return true
  return major >= 110 && platform.startsWith('Macintosh') && !/Mac OS X 10_15_7$/.test(platform)
}

/** `rv` is the version but for 110 to 119, where it stays 109 (Mozilla bug 1805967); desktops say Gecko/20100101. */
function isImpossibleFirefox(platform: string, major: number, rv: number, gecko: string): boolean {
  if (major > LARGEST_MAJOR) return true
  if (major >= 120 && rv !== major) return true
  if (/Windows NT (?:1[1-9]|[7-9])\b/.test(platform)) return true
  return (
    major >= 20 &&
    !platform.startsWith('Android') &&
    !/Mobile|Tablet|TV/.test(platform) &&
    gecko !== '20100101'
  )
}

/** What is none of the three in their own words. */
function otherValue(text: string): string {
  const bot = botIn(text)
  if (bot !== '') return `bot:${bot}`
  const products = productsOf(text)
  if (products[0] !== 'Mozilla')
    return products.length === 0 ? '{x}' : products.slice(0, MOST_PRODUCTS).join(' ')
  if (text.includes('MSIE ') || text.includes('Trident/')) return `IE/${systemOf(text)}`
  const system = systemOf(text)
  const extra = products.filter((product) => !COMMON.has(product))
  for (const product of extra) {
    const brand = BRANDS.get(product) ?? (product.startsWith('musical_ly') ? 'TikTok' : undefined)
    if (brand !== undefined) return `${brand}/${system}`
  }
  if (text.includes('[FBAN') || text.includes('[FB_IAB')) return `Facebook/${system}`
  const base = text.includes('; wv)')
    ? 'WebView'
    : text.includes(' Chrome/')
      ? 'Chrome'
      : text.includes(' Firefox/')
        ? 'Firefox'
        : text.includes(' AppleWebKit/')
          ? 'WebKit'
          : undefined
  if (base === undefined) return ['Mozilla', ...extra.slice(0, MOST_PRODUCTS - 1)].join(' ')
  return extra.length === 0 ? `${base}/${system}` : `${base}/${system}+${extra[0]}`
}

/**
 * The first name that makes a robot of it; '' for none. Not a pattern: a text of letters alone would make it try
 * each of them.
 */
function botIn(text: string): string {
  let at = text.length
  for (const part of BOT_PARTS) {
    const here = text.indexOf(part)
    if (here !== -1 && here < at) at = here
  }
  if (at === text.length) return ''
  let start = at
  while (start > 0 && at - start < BOT_REACH && isNamePart(text.charCodeAt(start - 1))) start--
  let end = at
  while (end < text.length && end - at < BOT_REACH && isNamePart(text.charCodeAt(end))) end++
  const name = text.slice(start, end)
  // A maker of telephones.
  if (/^cubot/i.test(name)) return ''
  return looksDrawn(name) ? '{x}' : name
}

/** A letter, a digit, `-` or `_`. */
function isNamePart(c: number): boolean {
  return (c >= 48 && c <= 57) || (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || c === 0x2d || c === 0x5f
}

/** Names of products (RFC 9110 §10.1.5) without versions and comments, at most eight; a drawn one is {x}. */
function productsOf(text: string): string[] {
  const products: string[] = []
  let depth = 0
  let start = -1
  for (let i = 0; i <= text.length; i++) {
    const c = i < text.length ? text.charCodeAt(i) : 0x20
    const opens = c === 0x28 || c === 0x5b
    const isEnd = c === 0x20 || c === 0x09 || opens
    if (depth === 0) {
      if (!isEnd) {
        if (start === -1) start = i
      } else if (start !== -1) {
        const product = productOf(text, start, i)
        start = -1
        if (product !== '' && !products.includes(product) && products.push(product) === MOST_LISTED) break
      }
    }
    if (opens) depth++
    else if (depth > 0 && (c === 0x29 || c === 0x5d)) depth--
  }
  return products
}

/** '' for a version of its own, or punctuation. */
function productOf(text: string, start: number, end: number): string {
  let to = start
  let digits = 0
  let others = 0
  let isPlain = true
  for (; to < end && to - start < LONGEST_PRODUCT; to++) {
    const c = text.charCodeAt(to)
    if (c === 0x2f) break
    if (c >= 48 && c <= 57) digits++
    else if (c < 0x30 || (c >= 0x3a && c <= 0x3b) || c === 0x5f) others++
    if (c < 0x21 || c > 0x7e) isPlain = false
  }
  if (!isPlain) return '{x}'
  if (digits + others === to - start) return ''
  const name = text.slice(start, to)
  if (looksDrawn(name)) return '{x}'
  return digits === 0 ? name : name.replace(/\d+/g, '{n}')
}
