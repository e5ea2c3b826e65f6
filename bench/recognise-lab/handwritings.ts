/**
 * How the lab's visitors write. Chromium, curl, wget, Node's fetch and Python are as `scripts/record-handwriting.ts`
 * recorded them of the real programs: fields, ClientHello, HTTP/2. Versions, systems and languages of Chromium are varied
 * where Chromium varies nothing else. Firefox and Safari cannot be recorded here: they are written down from what they
 * are known to send, and over HTTPS Safari is left out.
 */
import { readFileSync } from 'node:fs'
import { withAlpn } from '../load/hello-like.ts'
import { HELLOS } from '../load/hellos.ts'
import type { Handwriting } from '../load/plan.ts'

interface Recorded {
  readonly client: string
  readonly secure: boolean
  readonly settings?: Readonly<Record<string, number | boolean>>
  readonly window?: number
  readonly pseudo?: readonly string[]
  readonly requests: readonly { readonly target: string; readonly fields: readonly string[] }[]
}

const RECORDED = JSON.parse(
  readFileSync(new URL('../../src/recognise/handwriting.fixtures.json', import.meta.url), 'utf8'),
) as readonly Recorded[]

function recorded(client: string, secure: boolean): Recorded {
  const found = RECORDED.find((one) => one.client === client && one.secure === secure)
  if (found === undefined) throw new Error(`handwriting.fixtures.json: expected a visit of "${client}"`)
  return found
}

/** What the recording left out, for nothing looks at it. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  connection: 'keep-alive',
  'upgrade-insecure-requests': '1',
  'sec-ch-ua-mobile': '?0',
  priority: 'u=0, i',
  'content-length': '',
  'content-type': '',
}

function filled(
  fields: readonly string[],
  change: (name: string, value: string) => string = (_, v) => v,
): string[] {
  return fields.map((text, i) => {
    if (i % 2 === 0) return text
    const name = fields[i - 1]!.toLowerCase()
    return change(name, text === 'x' ? (LEFT_OUT[name] ?? '') : text)
  })
}

/** Fields of a first visit have neither: they are where a later one has them. */
function withLater(fields: readonly string[], later: readonly string[]): string[] {
  const names = later.filter((_, i) => i % 2 === 0)
  const all = [...fields]
  for (const name of ['referer', 'cookie']) {
    if (all.some((text, i) => i % 2 === 0 && text.toLowerCase() === name)) continue
    const at = names.findIndex((text) => text.toLowerCase() === name)
    if (at === -1) continue
    const next = names.slice(at + 1).find((text) => all.includes(text))
    const place = next === undefined ? all.length : all.indexOf(next)
    all.splice(place, 0, names[at]!, '')
  }
  return all
}

export const LANGUAGES = [
  'fr-FR,fr;q=0.9,en-US;q=0.8,en;q=0.7',
  'fr-FR,fr;q=0.9',
  'fr,fr-FR;q=0.8,en-US;q=0.5,en;q=0.3',
  'en-GB,en;q=0.9',
  'en-US,en;q=0.9',
  'de-DE,de;q=0.9,en;q=0.7',
  'ar,fr;q=0.8',
  'pt-PT,pt;q=0.9,fr;q=0.8',
]

interface System {
  readonly name: string
  /** As User-Agent, and as `sec-ch-ua-platform` says it. */
  readonly agent: string
  readonly platform: string
  readonly isMobile?: boolean
}

const SYSTEMS: readonly System[] = [
  { name: 'Windows', agent: 'Windows NT 10.0; Win64; x64', platform: 'Windows' },
  { name: 'macOS', agent: 'Macintosh; Intel Mac OS X 10_15_7', platform: 'macOS' },
  { name: 'Android', agent: 'Linux; Android 10; K', platform: 'Android', isMobile: true },
  { name: 'Linux', agent: 'X11; Linux x86_64', platform: 'Linux' },
]

function chromium(
  secure: boolean,
  system: System,
  version: number,
  language: string,
  client = 'chromium',
): Handwriting {
  const visit = recorded(client, secure)
  const first = visit.requests.find(({ target }) => target === '/')!
  const later = visit.requests.find(({ target }) => target === '/frame')!
  const script = visit.requests.find(({ target }) => target === '/app.js')!
  const change = (name: string, value: string): string => {
    if (name === 'accept-language') return language
    if (name === 'sec-ch-ua-platform') return `"${system.platform}"`
    if (name === 'sec-ch-ua-mobile') return system.isMobile ? '?1' : '?0'
    if (name === 'sec-ch-ua') return value.replaceAll('156', String(version))
    if (name !== 'user-agent') return value
    const own = value.replace('X11; Linux x86_64', system.agent).replace('156', String(version))
    return system.isMobile ? own.replace(' Safari/', ' Mobile Safari/') : own
  }
  return {
    name: `Chrome ${version}/${system.name}`,
    navigation: filled(withLater(first.fields, later.fields), change),
    script: filled(script.fields, change),
    ...(visit.pseudo !== undefined
      ? {
          hello: HELLOS.chromium,
          h2: { settings: visit.settings!, window: visit.window!, pseudo: visit.pseudo! },
        }
      : {}),
  }
}

const FIREFOX_ACCEPT = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'

function firefox(secure: boolean, system: System, version: number, language: string): Handwriting {
  const platform = system.name === 'Android' ? 'Android 15; Mobile' : system.agent.replace('10_15_7', '10.15')
  const agent = `Mozilla/5.0 (${platform}; rv:${version}.0) Gecko/${system.isMobile ? `${version}.0` : '20100101'} Firefox/${version}.0`
  const fields = (accept: string, metadata: readonly string[], rest: readonly string[]) => {
    const lines = [
      ...['Host', '', 'User-Agent', agent, 'Accept', accept, 'Accept-Language', language],
      ...['Accept-Encoding', secure ? 'gzip, deflate, br, zstd' : 'gzip, deflate', 'Referer', ''],
      ...(secure ? [] : ['Connection', 'keep-alive']),
      ...['Cookie', '', ...rest, ...(secure ? metadata : []), 'Priority', 'u=0, i'],
    ]
    return secure ? lines.slice(2).map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text)) : lines
  }
  return {
    name: `Firefox ${version}/${system.name}`,
    navigation: fields(
      FIREFOX_ACCEPT,
      [
        'Sec-Fetch-Dest',
        'document',
        'Sec-Fetch-Mode',
        'navigate',
        'Sec-Fetch-Site',
        'none',
        'Sec-Fetch-User',
        '?1',
      ],
      ['Upgrade-Insecure-Requests', '1'],
    ),
    script: fields(
      '*/*',
      ['Sec-Fetch-Dest', 'empty', 'Sec-Fetch-Mode', 'cors', 'Sec-Fetch-Site', 'same-origin'],
      [],
    ),
    ...(secure
      ? {
          hello: HELLOS.firefox,
          h2: {
            settings: { headerTableSize: 65_536, enablePush: false, initialWindowSize: 131_072 },
            window: 12_582_912,
            pseudo: [':method', ':path', ':authority', ':scheme'],
          },
        }
      : {}),
  }
}

function safari(isPhone: boolean, language: string): Handwriting {
  const agent = isPhone
    ? 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1'
    : 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15'
  const rest = [
    'User-Agent',
    agent,
    'Accept-Language',
    language,
    'Referer',
    '',
    'Accept-Encoding',
    'gzip, deflate',
  ]
  const end = ['Connection', 'keep-alive', 'Cookie', '']
  return {
    name: `Safari/${isPhone ? 'iOS' : 'macOS'}`,
    navigation: [
      ...['Host', '', 'Upgrade-Insecure-Requests', '1', 'Accept', FIREFOX_ACCEPT, ...rest, ...end],
    ],
    script: ['Host', '', 'Accept', '*/*', ...rest, ...end],
  }
}

/** A program that reads the site: a feed reader, a monitor, somebody's script. */
function program(client: string, secure: boolean, agent: string, hello?: string): Handwriting {
  const fields = filled(recorded(client, secure).requests[0]!.fields, (name, value) =>
    name === 'user-agent' ? agent : value,
  )
  const visit = recorded(client, secure)
  return {
    name: agent,
    navigation: fields,
    script: fields,
    ...(hello === undefined ? {} : { hello }),
    ...(visit.settings === undefined
      ? {}
      : { h2: { settings: visit.settings, window: visit.window!, pseudo: visit.pseudo! } }),
  }
}

/** `curl` and `node fetch` over HTTP/1.1 and TLS, as they are recorded too. */
export const CURL_HELLO = withAlpn(Buffer.from(HELLOS.curl, 'base64'), ['http/1.1']).toString('base64')

/**
 * A site's visitors in the proportions of a French public site, one handwriting for each of `count` people. The first
 * ones are not all of one kind: whoever takes some of them takes a mixture. Six of a thousand are programs.
 */
export function visitorsHandwritings(secure: boolean, count: number): Handwriting[] {
  return Array.from({ length: count }, (_, i) => {
    // Strides without a common divisor: every combination comes, the common ones often.
    const share = (i * 377) % 1000
    const language = LANGUAGES[Math.min(LANGUAGES.length - 1, Math.floor(((i * 61) % 97) ** 2 / 1200))]!
    const version = [156, 156, 155, 154][(i * 7) % 4]!
    if (share < 340) return chromium(secure, SYSTEMS[0]!, version, language)
    if (share < 600) return chromium(secure, SYSTEMS[2]!, version, language)
    if (share < 660) return chromium(secure, SYSTEMS[1]!, version, language)
    if (share < 680) return chromium(secure, SYSTEMS[3]!, version, language)
    if (share < 820) return secure ? chromium(secure, SYSTEMS[2]!, version, language) : safari(true, language)
    if (share < 860)
      return secure ? chromium(secure, SYSTEMS[1]!, version, language) : safari(false, language)
    if (share < 950) return firefox(secure, SYSTEMS[0]!, version - 11, language)
    if (share < 994) return firefox(secure, SYSTEMS[3]!, version - 11, language)
    if (share < 995) return program('curl', secure, 'curl/8.14.1', secure ? HELLOS.curl : undefined)
    if (share < 997)
      return program('python requests', false, 'python-requests/2.32.3', secure ? CURL_HELLO : undefined)
    return program('wget', secure, 'Wget/1.25.0', secure ? CURL_HELLO : undefined)
  })
}

/** What most of the site's visitors are. */
export const mostCommon = (secure: boolean): Handwriting =>
  chromium(
    secure,
    SYSTEMS[0]!,
    156,
    LANGUAGES[0]!,
    // Of who copies its fields, and does not speak HTTP/2.
    secure ? 'chromium, http/1.1' : 'chromium',
  )

/** The site's own app on phones. Of the library's known fields and of BoringSSL's hello, which Chromium's is as well. */
export const APP = (secure: boolean): Handwriting => {
  const fields = [
    'User-Agent',
    'TownHall/4.2 okhttp/4.12.0',
    'Accept-Language',
    'fr-FR',
    'Accept-Encoding',
    'gzip',
  ]
  const written = secure
    ? fields
    : ['Host', '', ...fields.slice(0, 4), 'Connection', 'Keep-Alive', ...fields.slice(4)]
  return {
    name: 'app',
    navigation: written,
    script: written,
    ...(secure
      ? {
          hello: HELLOS.chromium,
          h2: {
            settings: { enablePush: false, initialWindowSize: 16_777_216 },
            window: 16_777_216,
            pseudo: [':method', ':path', ':authority', ':scheme'],
          },
        }
      : {}),
  }
}

export const CRAWLER = (secure: boolean): Handwriting => {
  const agent = 'Mozilla/5.0 (compatible; LibraryBot/2.1; +https://bot.example.org/)'
  const fields = [
    'Host',
    '',
    'Connection',
    'keep-alive',
    'Accept',
    'text/html,*/*;q=0.8',
    'From',
    'bot@example.org',
  ]
  const written = [...fields, 'User-Agent', agent, 'Accept-Encoding', 'gzip,deflate']
  return {
    name: 'crawler',
    navigation: written,
    script: written,
    ...(secure ? { hello: HELLOS.openssl } : {}),
  }
}
