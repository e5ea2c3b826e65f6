/**
 * What does it cost to find out what a request looks like, and that a client need not pay? CPU time per call of
 * src/recognise, the median of seven rounds and their spread. No peer does the same; what the look-ups are
 * measured against is a parse of the address and a SHA-256 beside them.
 */
import { createHmac } from 'node:crypto'
import { CidrSet, parseAddress } from '#networks'
import {
  Crawlers,
  DEFAULT_NEVER_CHALLENGED,
  engineOfHost,
  HeaderTokens,
  hashToken,
  LoginCookie,
  namesEngine,
  PathPatterns,
} from '#recognise'
import { type CostCase, TRAIT_COSTS } from '../src/recognise/trait-costs.fixture.ts'

const ROUNDS = 7
const ROUND_MS = 150

const sign = (text: string) => createHmac('sha256', 'secret').update(text)
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const jwtInput = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: '1234567', exp: 2e9, name: 'A. Visitor' })}`
const jwt = `${jwtInput}.${sign(jwtInput).digest('base64url')}`
const id = 'h8wG0v1Zq3kT9xYb2nJ6vU4tQ0yq8Zb2'
const session = encodeURIComponent(`s:${id}.${sign(id).digest('base64').slice(0, -1)}`)

const crawlers = new Crawlers()
const withListed = new Crawlers(CidrSet.parse(['192.0.2.0/24']).set)
const paths = new PathPatterns(DEFAULT_NEVER_CHALLENGED)
const agent =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36'
const fields = [
  'host',
  'example.org',
  'user-agent',
  agent,
  'accept',
  'text/html',
  'accept-language',
  'fr',
  'dnt',
  '1',
]
fields.push(
  'sec-fetch-mode',
  'navigate',
  'sec-fetch-dest',
  'document',
  'accept-encoding',
  'gzip',
  'cookie',
  'a=b',
)
const key = (header: string, name: string) =>
  ({ header, sha256: hashToken(name), lane: 'known', name }) as const
const oneKey = new HeaderTokens([key('x-api-key', 'k4tQ0yq8Zb2nJx6vU')])
const manyKeys = new HeaderTokens(Array.from({ length: 32 }, (_, i) => key('x-api-key', `key ${i}`)))
const express = new LoginCookie({ name: 'connect.sid', check: 'express-hmac', secret: 'secret' })
const token = new LoginCookie({ name: 'session', check: 'jwt-hs256', secret: 'secret' })
const others = '_ga=GA1.1.1234567.1700000000; consent=all; theme=dark; '

/** A thousand texts as they come from a socket: made of bytes, not of other texts. */
function texts(of: (i: number) => string): readonly string[] {
  return Array.from({ length: 1024 }, (_, i) => Buffer.from(of(i)).toString('latin1'))
}

interface Case {
  readonly what: string
  readonly texts: readonly string[]
  readonly call: (text: string) => unknown
}

const CASES: readonly Case[] = [
  { what: 'address, parsed only', texts: texts((i) => `93.184.${i & 255}.7`), call: parseAddress },
  ...[
    { what: 'nobody, v4', text: (i: number) => `93.184.${i & 255}.7` },
    { what: 'nobody, v6', text: (i: number) => `2a01:cb00:${i & 255}::7` },
    { what: 'nobody, begins like one', text: (i: number) => `66.3.${i & 255}.7` },
    { what: 'Google', text: (i: number) => `66.249.66.${i & 255}` },
  ].map(({ what, text }) => ({
    what: `\`Crawlers.engineOf\`: ${what}`,
    texts: texts(text),
    call: (address: string) => crawlers.engineOf(address),
  })),
  {
    what: 'the same, with networks of the operator: nobody, v4',
    texts: texts((i) => `93.184.${i & 255}.7`),
    call: (address) => withListed.engineOf(address),
  },
  { what: '`namesEngine`: a browser', texts: texts((i) => `${agent} ${i}`), call: namesEngine },
  {
    what: '`engineOfHost`: Google',
    texts: texts((i) => `crawl-66-249-66-${i & 255}.googlebot.com`),
    call: engineOfHost,
  },
  ...[
    { what: 'no, 40 characters', text: (i: number) => `/actualites/${i}/le-maire-repond?page=2` },
    { what: 'no, a language in front', text: (i: number) => `/fr/actualites/${i}` },
    { what: 'no, with escapes', text: (i: number) => `/actualit%C3%A9s/${i}` },
    {
      what: 'yes',
      text: (i: number) => ['/robots.txt', '/fr/accessibilite', '/feed/', '/sitemap.xml'][i & 3]!,
    },
  ].map(({ what, text }) => ({
    what: `\`PathPatterns.has\`: ${what}`,
    texts: texts(text),
    call: (target: string) => paths.has(target),
  })),
  { what: '`HeaderTokens.find`: no such field', texts: texts(() => ''), call: () => oneKey.find(fields) },
  {
    what: 'wrong key, 1 known',
    texts: texts((i) => `wrong ${i}`),
    call: (text) => oneKey.find(['accept', '*/*', 'x-api-key', text]),
  },
  {
    what: 'wrong key, 32 known',
    texts: texts((i) => `wrong ${i}`),
    call: (text) => manyKeys.find(['accept', '*/*', 'x-api-key', text]),
  },
  {
    what: '`LoginCookie.isValid`: none shown',
    texts: texts(() => others),
    call: (text) => token.isValid(text, 1.8e9),
  },
  {
    what: 'Express, valid',
    texts: texts(() => `${others}connect.sid=${session}`),
    call: (text) => express.isValid(text, 1.8e9),
  },
  {
    what: 'JWT, valid',
    texts: texts(() => `${others}session=${jwt}`),
    call: (text) => token.isValid(text, 1.8e9),
  },
  {
    what: 'JWT, forged',
    texts: texts((i) => `${others}session=${jwt}${i}`),
    call: (text) => token.isValid(text, 1.8e9),
  },
  {
    what: 'JWT of 4,000 characters, forged',
    texts: texts((i) => `session=a.${'x'.repeat(3950)}${i & 7}.b`),
    call: (text) => token.isValid(text, 1.8e9),
  },
]

/** Keeps calls from being optimised away. */
let kept: unknown

/** CPU time per call, ns: the thread's own, so that a busy machine counts for less. */
function round({ size, call }: CostCase): number {
  let calls = 0
  const start = process.threadCpuUsage()
  let spentUs = 0
  while (spentUs < ROUND_MS * 1000) {
    for (let i = 0; i < size; i++) kept = call(i)
    calls += size
    const used = process.threadCpuUsage(start)
    spentUs = used.user + used.system
  }
  return (spentUs * 1000) / calls
}

console.log(`node ${process.version}, ${ROUNDS} rounds of ${ROUND_MS} ms\n`)
console.log('| look-up | CPU ns per call | spread |\n| --- | ---: | --- |')
const lookUps = CASES.map(
  ({ what, texts: given, call }): CostCase => ({ what, size: given.length, call: (i) => call(given[i]!) }),
)
for (const one of [...TRAIT_COSTS, ...lookUps]) {
  round(one)
  const rounds = Array.from({ length: ROUNDS }, () => round(one)).sort((a, b) => a - b)
  const [least, median, most] = [0, ROUNDS >> 1, ROUNDS - 1].map((i) => Math.round(rounds[i]!))
  console.log(`| ${one.what} | ${median} | ${least} to ${most} |`)
}
void kept
