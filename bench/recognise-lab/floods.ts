/** Floods by how they write, and two that are none: each says what Digue should find. */

import { HOST } from '../lib/certificate.ts'
import { fieldsNow } from '../load/fields-now.ts'
import { withAlpn } from '../load/hello-like.ts'
import { HELLOS } from '../load/hellos.ts'
import type { FloodTool, FloodWriting } from '../load/plan.ts'
import { below, pick, type Random, seeded, shuffle } from '../load/random.ts'
import { mostCommon } from './handwritings.ts'

export interface Flood {
  readonly name: string
  readonly question: string
  /** `flood`: under a signature within two seconds. `none`: no signature at all. */
  readonly expected: 'flood' | 'none'
  /** Over HTTPS, all of them: visitors too. */
  readonly tls?: boolean
  /** Requests per second of each of the 2,000 addresses; 2 unless it is dearer to send than one core has time for. */
  readonly perSecond?: number
  readonly writing?: (changesEveryS: number) => FloodWriting
  /** The handwriting changes: the flood is so many times as long as the change. */
  readonly changes?: number
  /** Visitors who come by a link, instead of attackers. */
  readonly crowd?: boolean
}

const DRAWN = 4096
const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789'
const word = (random: Random, n: number): string =>
  Array.from({ length: n }, () => LETTERS[below(random, LETTERS.length)]).join('')

const lines = (fields: readonly (readonly [name: string, value: string])[]): string =>
  fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')

const SYSTEMS = ['Windows NT 10.0; Win64; x64', 'X11; Linux x86_64', 'Macintosh; Intel Mac OS X 10_15_7']
const TEXTS = [
  'fr-FR,fr;q=0.9',
  'en-US,en;q=0.5',
  'de',
  'ru-RU,ru;q=0.9',
  'pt-BR',
  'zh-CN,zh;q=0.9',
  'fr',
  'en',
]

function browserAgent(random: Random): string {
  const system = pick(random, SYSTEMS)
  if (random() < 0.3) {
    const version = 130 + below(random, 15)
    return `Mozilla/5.0 (${system.replace('10_15_7', '10.15')}; rv:${version}.0) Gecko/20100101 Firefox/${version}.0`
  }
  return `Mozilla/5.0 (${system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${126 + below(random, 31)}.0.0.0 Safari/537.36`
}

const drawn = <T>(seed: number, make: (random: Random) => T): T[] => {
  const random = seeded(seed)
  return Array.from({ length: DRAWN }, () => make(random))
}

const pages = drawn(31, (random) => `/article/${below(random, 50)}`)
const randomQueries = drawn(
  32,
  (random) => `/article/${below(random, 50)}?${word(random, 3 + below(random, 4))}=${word(random, 8)}`,
)
const searches = drawn(33, (random) => `/article/${below(random, 50)}?q=${word(random, 6)}`)

/** A program that sends the same fields each time. */
const fixed = (fields: readonly (readonly [string, string])[], targets = searches): FloodTool => ({
  heads: [lines(fields)],
  targets,
})

const wrk = fixed([['Host', HOST]])

const curl = fixed([
  ['Host', HOST],
  ['User-Agent', 'curl/8.5.0'],
  ['Accept', '*/*'],
])
const pythonRequests = fixed([
  ['Host', HOST],
  ['User-Agent', 'python-requests/2.31.0'],
  ['Accept-Encoding', 'gzip, deflate'],
  ['Accept', '*/*'],
  ['Connection', 'keep-alive'],
])
const go = fixed([
  ['Host', HOST],
  ['User-Agent', 'Go-http-client/1.1'],
  ['Accept-Encoding', 'gzip'],
])
const axios = fixed([
  ['Accept', 'application/json, text/plain, */*'],
  ['User-Agent', 'axios/1.7.2'],
  ['Accept-Encoding', 'gzip, compress, deflate, br'],
  ['Host', HOST],
  ['Connection', 'keep-alive'],
])
const okhttp = fixed([
  ['Host', HOST],
  ['Connection', 'Keep-Alive'],
  ['Accept-Encoding', 'gzip'],
  ['User-Agent', 'okhttp/4.12.0'],
])

/** As the scripts that are handed around write: the fields of a list, in the list's order, agent and language from two more. */
const rotating: FloodTool = {
  heads: drawn(34, (random) =>
    lines([
      ['Host', HOST],
      ['User-Agent', browserAgent(random)],
      ['Accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'],
      ['Accept-Language', pick(random, TEXTS)],
      ['Accept-Encoding', 'gzip, deflate'],
      ['Cache-Control', 'no-cache'],
      ['Connection', 'keep-alive'],
    ]),
  ),
  targets: searches,
}

/** Nothing stays: which fields, their order, every value, the query's keys. */
const allRandom: FloodTool = {
  heads: drawn(35, (random) => {
    const fields: [string, string][] = [
      [
        'User-Agent',
        random() < 0.5 ? browserAgent(random) : `${word(random, 8)}/${below(random, 90)}.${below(random, 9)}`,
      ],
      [
        'Accept',
        pick(random, [
          '*/*',
          'text/html',
          'text/html,application/xhtml+xml,*/*;q=0.8',
          `${word(random, 4)}/*`,
        ]),
      ],
      [
        'Accept-Language',
        `${word(random, 2)}-${word(random, 2).toUpperCase()},${word(random, 2)};q=0.${1 + below(random, 9)}`,
      ],
      ['Accept-Encoding', pick(random, ['gzip', 'gzip, deflate', 'br', 'identity'])],
      ['Referer', `https://${word(random, 8)}.example/${word(random, 5)}`],
      ['Cookie', `${word(random, 5)}=${word(random, 16)}`],
      ...Array.from({ length: below(random, 7) }, (): [string, string] => [
        `X-${word(random, 6)}`,
        word(random, 12),
      ]),
    ]
    return lines(shuffle(random, [['Host', HOST], ...fields.slice(0, 2 + below(random, fields.length - 1))]))
  }),
  targets: randomQueries,
}

/** The fields of the site's most common visitor, as recorded; `Connection` and all. */
function likeVisitors(secure: boolean): string {
  const moment = { host: HOST, cookie: '', referrer: '' }
  const { navigation } = mostCommon(secure)
  const fields = [...fieldsNow(navigation, moment)]
  return lines(fields)
}

/** A browser's HTTP/2 fields written as HTTP/1.1 by a program that speaks no HTTP/2. */
const browserOverOpenssl: FloodTool = {
  heads: [likeVisitors(true)],
  targets: pages,
  hello: withAlpn(Buffer.from(HELLOS.curl, 'base64'), ['http/1.1']).toString('base64'),
}

const imitator: FloodTool = { heads: [likeVisitors(false)], targets: pages }

const one = (tool: FloodTool) => (): FloodWriting => ({ tools: [tool] })

export const FLOODS: readonly Flood[] = [
  {
    name: 'one-tool',
    question: 'wrk’s handwriting: Host, and nothing else.',
    expected: 'flood',
    writing: one(wrk),
  },
  {
    name: 'rotating-agents',
    question: 'A script with lists of browsers’ user agents and languages.',
    expected: 'flood',
    writing: one(rotating),
  },
  {
    name: 'all-random',
    question: 'Fields, their order, agents, languages, referrers, cookies and queries are drawn anew.',
    expected: 'flood',
    writing: one(allRandom),
  },
  {
    name: 'browser-over-curl-tls',
    question: 'A Chrome’s fields to the letter, over the TLS of curl and OpenSSL.',
    expected: 'flood',
    tls: true,
    perSecond: 1,
    writing: one(browserOverOpenssl),
  },
  {
    name: 'five-tools',
    question: 'curl, python-requests, Go, axios and okhttp, 400 addresses each.',
    expected: 'flood',
    writing: () => ({ tools: [curl, pythonRequests, go, axios, okhttp] }),
  },
  {
    name: 'changing',
    question: 'Another tool again and again: Go, a script with rotating agents, okhttp.',
    expected: 'flood',
    changes: 3,
    writing: (changesEveryS) => ({ tools: [go, rotating, okhttp], changesEveryS }),
  },
  {
    name: 'imitator',
    question: 'Exactly the site’s most common visitor: a signature would be that visitor’s.',
    expected: 'none',
    writing: one(imitator),
  },
  {
    name: 'flash-crowd',
    question: 'A link goes viral: 2,000 new visitors, one page, one referrer.',
    expected: 'none',
    crowd: true,
  },
]
