/** Calls whose cost `bench/recognise.ts` measures: trait by trait, all together, a new connection's hello, signatures. */
import { readFileSync } from 'node:fs'
import { agentOf } from './agent.ts'
import { parseClientHello } from './client-hello.ts'
import { contradictionOf } from './contradiction.ts'
import { type TraitInput, traitsOf } from './extract.ts'
import { FieldScan } from './field-scan.ts'
import { h2FingerprintOf } from './h2-fingerprint.ts'
import { orderOf } from './header-order.ts'
import { ja4Of } from './ja4.ts'
import { languageOf } from './language.ts'
import { queryKeysOf } from './query-keys.ts'
import { referrerOf } from './referrer.ts'
import { routeOf } from './route.ts'
import { type Signature, type Term, UNFAMILIAR } from './signature.ts'
import { SignatureMatcher, signatureId } from './signature-match.ts'

export interface CostCase {
  readonly what: string
  /** Of `i` from 0 on, as many as there are. */
  readonly size: number
  readonly call: (i: number) => unknown
}

const SIZE = 1024
/** More than any cache holds. */
const DRAWN = 16 * SIZE

/** As the fast path has them: slices of one text. */
function fieldsOf(lines: readonly (readonly [name: string, value: string])[]): string[] {
  const text = Buffer.from(lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')).toString('latin1')
  const fields: string[] = []
  let at = 0
  for (const [name, value] of lines) {
    fields.push(text.slice(at, at + name.length))
    at += name.length + 2
    fields.push(text.slice(at, at + value.length))
    at += value.length + 2
  }
  return fields
}

const fromSocket = (text: string) => Buffer.from(text).toString('latin1')

function request(i: number, target: string, fields: readonly string[]): TraitInput {
  return {
    method: 'GET',
    target: fromSocket(target),
    host: 'example.org',
    fields,
    secure: true,
    httpVersion: '1.1',
    isDirect: true,
    ja4: 't13d1517h2_8daaf6152771_cb7bf5808d99',
    h2: '',
    asn: 64500 + (i % 50),
    lane: 'unproven',
    hasOwnCookie: false,
  }
}

const CHROME = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome'
const LANGUAGES = ['fr-FR,fr;q=0.9,en-US;q=0.8', 'en-US,en;q=0.9', 'de']

/** Chrome opens a page: sixteen fields. */
const visitors = Array.from({ length: SIZE }, (_, i) =>
  request(
    i,
    `/article/${i}?page=${i}&q=x`,
    fieldsOf([
      ['Host', 'example.org'],
      ['Connection', 'keep-alive'],
      ['sec-ch-ua', `"Chromium";v="${156 - (i % 3)}", "Not/A)Brand";v="24", "Google Chrome";v="156"`],
      ['sec-ch-ua-mobile', '?0'],
      ['sec-ch-ua-platform', '"Windows"'],
      ['Upgrade-Insecure-Requests', '1'],
      ['User-Agent', `${CHROME}/${156 - (i % 3)}.0.0.0 Safari/537.36`],
      ['Accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8'],
      ['Sec-Fetch-Site', 'same-origin'],
      ['Sec-Fetch-Mode', 'navigate'],
      ['Sec-Fetch-User', '?1'],
      ['Sec-Fetch-Dest', 'document'],
      ['Referer', `https://example.org/a/${i}`],
      ['Accept-Encoding', 'gzip, deflate, br, zstd'],
      ['Accept-Language', LANGUAGES[i % 3]!],
      ['Cookie', `a=${i}; b=2`],
    ]),
  ),
)

/** Letters and digits that do not repeat within a run, the same in every run. */
let state = 1
function drawn(length: number): string {
  let text = ''
  while (text.length < length) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    text += (state >>> 8).toString(36)
  }
  return text.slice(0, length)
}

/** Everything that can be drawn is: agent, language, query key, referrer, and eight fields that nobody knows. */
const floods = Array.from({ length: DRAWN }, (_, i) =>
  request(
    i,
    `/search?${drawn(8)}=${drawn(8)}`,
    fieldsOf([
      ['Host', 'example.org'],
      ['User-Agent', `${CHROME}/${i % 150}.0.${i}.0 Safari/537.36 ${drawn(6)}/1`],
      ['Accept', 'text/html'],
      ['Accept-Language', `${drawn(2)}-${drawn(2)},${drawn(2)};q=0.8`],
      ['Accept-Encoding', 'gzip'],
      ['Referer', `https://${drawn(10)}.${drawn(5)}.example/${drawn(8)}`],
      ...Array.from({ length: 8 }, () => [`X-${drawn(10)}`, drawn(10)] as const),
    ]),
  ),
)

const scanned = visitors.map(({ fields }) => {
  const scan = new FieldScan()
  scan.read(fields)
  return scan
})
const agents = scanned.map(({ agent }) => agentOf(agent))
const shown = visitors.map(traitsOf)
const scan = new FieldScan()

const hellos = JSON.parse(
  readFileSync(new URL('./client-hello.fixtures.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, { readonly hello: string }>>
const chromium = Buffer.from(hellos['chromium']!.hello, 'base64')
/** With other ciphers in each: no hash is known. */
const drawnHellos = Array.from({ length: DRAWN }, (_, i) => {
  const hello = Buffer.from(chromium)
  // Record and message heads, version, random, and the session id before the ciphers.
  const ciphers = 5 + 4 + 34 + 1 + hello[5 + 4 + 34]! + 2
  hello.writeUInt32BE(Math.imul(i + 1, 2_654_435_761) >>> 0, ciphers)
  return hello
})

function helloCase(bytes: Uint8Array): string {
  const result = parseClientHello(bytes)
  return result.kind === 'hello' ? ja4Of(result.hello) : ''
}

const SETTINGS = {
  headerTableSize: 65_536,
  enablePush: false,
  initialWindowSize: 6_291_456,
  maxHeaderListSize: 262_144,
}
const PSEUDO = [':method', 'GET', ':authority', 'a', ':scheme', 'https', ':path', '/', 'accept', '*/*']

function matcher(count: number): SignatureMatcher {
  const signatures = Array.from({ length: count }, (_, i): Signature => {
    const terms: Term[] =
      i % 4 === 3
        ? [
            { trait: 'order', value: UNFAMILIAR },
            { trait: 'path', value: `/x${i}` },
          ]
        : i % 4 === 2
          ? [{ trait: 'agent', value: UNFAMILIAR }]
          : [
              { trait: 'tls', value: `t${i}` },
              { trait: 'agent', value: 'curl' },
            ]
    return {
      id: signatureId(terms),
      terms,
      effect: 'weight',
      isPinned: false,
      publishedAtMs: i,
      expiresAtMs: Number.MAX_SAFE_INTEGER,
      support: 0.5,
      baseline: 0,
      baselineAtMost: 0.001,
      lift: 500,
      visitors: 0,
      reason: '',
    }
  })
  return new SignatureMatcher({ signatures, familiar: { order: ['1-6-x'], agent: ['Chrome/Windows'] } })
}
const few = matcher(4)
const many = matcher(64)

export const TRAIT_COSTS: readonly CostCase[] = [
  { what: '`traitsOf`: a visitor', size: SIZE, call: (i) => traitsOf(visitors[i]!) },
  { what: '`traitsOf`: all of it drawn', size: DRAWN, call: (i) => traitsOf(floods[i]!) },
  { what: 'of it: reading the fields', size: SIZE, call: (i) => scan.read(visitors[i]!.fields) },
  { what: 'order', size: SIZE, call: (i) => orderOf(scanned[i]!, false, true) },
  { what: 'agent', size: SIZE, call: (i) => agentOf(scanned[i]!.agent) },
  { what: 'contradiction', size: SIZE, call: (i) => contradictionOf(agents[i]!, scanned[i]!, visitors[i]!) },
  { what: 'path', size: SIZE, call: (i) => routeOf('GET', visitors[i]!.target) },
  { what: 'query, two keys', size: SIZE, call: (i) => queryKeysOf(visitors[i]!.target) },
  { what: 'language', size: SIZE, call: (i) => languageOf(scanned[i]!.language) },
  { what: 'referrer', size: SIZE, call: (i) => referrerOf(scanned[i]!.referrer, 'example.org') },
  {
    what: '`h2FingerprintOf`, once a connection',
    size: 1,
    call: () => h2FingerprintOf(SETTINGS, 15_728_640, PSEUDO),
  },
  { what: '`parseClientHello` and `ja4Of`: Chromium', size: 1, call: () => helloCase(chromium) },
  { what: 'the same, ciphers drawn', size: DRAWN, call: (i) => helloCase(drawnHellos[i]!) },
  { what: '`SignatureMatcher.match`: no, 4 in force', size: SIZE, call: (i) => few.match(shown[i]!) },
  { what: '`SignatureMatcher.match`: no, 64 in force', size: SIZE, call: (i) => many.match(shown[i]!) },
]
