/**
 * The requests of http-cache-tests, played against the rules without sockets. Only what the rules decide is
 * looked at here; the bench runs the suite itself against the running proxy.
 */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import path from 'node:path'
import { test } from 'node:test'
import { type FieldLines, fieldList, fieldValue } from '#http'
import { asking, type OriginAnswer, PureCache } from './cache.fixture.ts'
import { formatHttpDate, parseHttpDate } from './http-date.ts'

type Line = readonly [name: string, value: string | number, checked?: boolean]
type Expected = string | Line | readonly [name: string, operator: '>' | '=', value: string | number]

interface SuiteRequest {
  readonly request_method?: string
  readonly request_headers?: readonly Line[]
  readonly request_body?: string
  readonly query_arg?: string
  readonly filename?: string
  readonly magic_locations?: boolean
  readonly magic_ims?: boolean
  readonly rfc850date?: readonly string[]
  readonly pause_after?: boolean
  readonly disconnect?: boolean
  readonly response_status?: readonly [number, string]
  readonly response_headers?: readonly Line[]
  readonly response_body?: string | null
  readonly check_body?: boolean
  readonly expected_type?: 'cached' | 'not_cached' | 'lm_validated' | 'etag_validated'
  readonly expected_status?: number | null
  readonly expected_method?: string
  readonly expected_request_headers?: readonly (string | Line)[]
  readonly expected_response_headers?: readonly Expected[]
  readonly expected_response_headers_missing?: readonly (string | Line)[]
  readonly expected_response_text?: string | null
}

interface SuiteTest {
  readonly id: string
  readonly name: string
  readonly kind?: 'required' | 'optimal' | 'check'
  readonly browser_only?: boolean
  readonly requests: readonly SuiteRequest[]
}

const SUITE = path.dirname(createRequire(import.meta.url).resolve('http-cache-tests/package.json'))
const load = async (file: string) =>
  ((await import(path.join(SUITE, 'tests', file))) as { default: unknown }).default as never
const groups: readonly { tests: readonly SuiteTest[] }[] = [
  ...((await load('index.mjs')) as []),
  await load('surrogate-control.mjs'),
]
const tests = groups.flatMap((group) => group.tests).filter((one) => one.browser_only !== true)

/** The suite of 2021 asks for something else than RFC 9111 of 2022 says; later copies ask for what it says. */
const BEFORE_THE_RFC: ReadonlyMap<string, string> = new Map([
  ['age-parse-nonnumeric', '§5.1: an invalid Age is ignored'],
  ['age-parse-negative', '§5.1: an invalid Age is ignored'],
  ['age-parse-float', '§5.1: an invalid Age is ignored'],
  ['age-parse-prefix-twoline', '§5.1: the first Age counts'],
  ['age-parse-dup-0', '§5.1: the first Age counts'],
  ['age-parse-dup-0-twoline', '§5.1: the first Age counts'],
  ['age-parse-dup-old', '§5.1: the first Age counts'],
  ['age-parse-parameter', '§5.1: an invalid Age is ignored'],
  ['age-parse-numeric-parameter', '§5.1: an invalid Age is ignored'],
])

/** What would be better still, and why it is not done. */
const NOT_DONE: ReadonlyMap<string, string> = new Map([
  ['conditional-lm-fresh-no-lm', '§4.3.2: without Last-Modified it is Date that counts, and that is later'],
  ['partial-store-partial-reuse-partial-suffix', 'the part ends before the last byte, which is asked for'],
  [
    'partial-store-partial-complete',
    '§3.4: without a strong validator the rest could not be put to the part',
  ],
])

for (const kind of ['required', 'optimal'] as const) {
  for (const one of tests.filter((each) => (each.kind ?? 'required') === kind)) {
    const reason = BEFORE_THE_RFC.get(one.id) ?? NOT_DONE.get(one.id)
    test(`${kind}: ${one.name}`, () => {
      const fault = play(one)
      if (reason === undefined) assert.equal(fault, undefined)
      else assert.notEqual(fault, undefined, `passes, though "${reason}"`)
    })
  }
}

const DATES: ReadonlySet<string> = new Set(['date', 'expires', 'last-modified', 'if-modified-since'])
const BASE = '/test/1b4e28ba'

/** What a test misses; undefined when it passes. */
function play(one: SuiteTest): string | undefined {
  const cache = new PureCache()
  const seen: { num: number; fields: FieldLines; method: string }[] = []
  let serverNow = cache.nowMs
  for (const [index, step] of one.requests.entries()) {
    const num = index + 1
    const fields: string[] = []
    for (const line of step.request_headers ?? []) fields.push(...written(line, serverNow, step))
    if (step.request_body !== undefined) fields.push('Content-Length', String(step.request_body.length))
    const suffix = `${step.filename === undefined ? '' : `/${step.filename}`}${step.query_arg === undefined ? '' : `?${step.query_arg}`}`
    const request = asking(step.request_method ?? 'GET', BASE + suffix, ...fields, 'Req-Num', String(num))
    const before = seen.length
    const served = cache.exchange(request, (asked, nowMs) => {
      serverNow = nowMs
      seen.push({ num, fields: asked.fields, method: asked.method })
      return answerOf(step, one.requests[index - 1], { asked, nowMs, count: seen.length, num })
    })
    const cameFrom = Number(fieldValue(served.fields, 'server-request-count'))
    const reached = seen.length > before ? seen.at(-1)! : undefined
    const fault = faultOf(step, { served, reached, cameFrom, num, serverNow })
    if (fault !== undefined) return `request ${num}: ${fault}`
    if (step.pause_after === true) cache.nowMs += 3000
  }
  return undefined
}

function written([name, value]: Line, nowMs: number, step: SuiteRequest): [string, string] {
  const lower = name.toLowerCase()
  if (DATES.has(lower) && typeof value === 'number') {
    const date = formatHttpDate(nowMs + 1000 * value)
    if (step.rfc850date?.includes(lower) !== true) return [name, date]
    const days: Record<string, string> = {
      Mon: 'Monday',
      Tue: 'Tuesday',
      Wed: 'Wednesday',
      Thu: 'Thursday',
      Fri: 'Friday',
      Sat: 'Saturday',
      Sun: 'Sunday',
    }
    return [
      name,
      date.replace(/^(...), (..) (...) ..(..)/, (_, d: string, n, m, y) => `${days[d]}, ${n}-${m}-${y}`),
    ]
  }
  if (step.magic_locations === true && (lower === 'location' || lower === 'content-location')) {
    return [name, value === '' ? BASE : `${BASE}/${value}`]
  }
  return [name, String(value).replace('CAPABILITY_TARGET', 'digue')]
}

function answerOf(
  step: SuiteRequest,
  previous: SuiteRequest | undefined,
  { asked, nowMs, count, num }: { asked: { fields: FieldLines }; nowMs: number; count: number; num: number },
): OriginAnswer | 'dead' {
  if (step.disconnect === true) return 'dead'
  let status = step.response_status?.[0] ?? 200
  if (step.expected_type?.endsWith('validated') === true) {
    const last = (name: string) =>
      previous?.response_headers?.findLast((line) => line[0].toLowerCase() === name)
    const modified = last('last-modified')
    const tag = last('etag')
    const since = fieldValue(asked.fields, 'if-modified-since')
    const isSince =
      modified !== undefined &&
      since !== undefined &&
      (typeof modified[1] === 'number' ? parseHttpDate(since, nowMs) !== undefined : since === modified[1])
    status =
      isSince || (tag !== undefined && fieldValue(asked.fields, 'if-none-match') === tag[1]) ? 304 : 999
    if (status === 999) return { status: 599, fields: [], body: Buffer.from('not conditional') }
  }
  const fields = ['Server-Request-Count', String(count), 'Client-Request-Count', String(num)]
  for (const line of step.response_headers ?? []) fields.push(...written(line, nowMs, step))
  if (fieldValue(fields, 'content-type') === undefined) fields.push('Content-Type', 'text/plain')
  const whole = status === 204 || status === 304 ? '' : (step.response_body ?? 'a body without a name')
  // The framing ends it there.
  const body = whole.slice(0, Number(fieldValue(fields, 'content-length') ?? whole.length))
  return { status, fields, body: Buffer.from(body) }
}

interface Result {
  readonly served: { readonly status: number; readonly fields: FieldLines; readonly body: Uint8Array }
  readonly reached: { readonly num: number; readonly fields: FieldLines; readonly method: string } | undefined
  readonly cameFrom: number
  readonly num: number
  readonly serverNow: number
}

function faultOf(
  step: SuiteRequest,
  { served, reached, cameFrom, num, serverNow }: Result,
): string | undefined {
  switch (step.expected_type) {
    case 'cached':
      if (!(served.status === 304 && Number.isNaN(cameFrom)) && !(cameFrom < num))
        return 'does not come from the cache'
      break
    case 'not_cached':
      // The suite of 2021 cannot tell a dead origin's request from a cached answer; later ones can.
      if (step.disconnect === true ? reached === undefined || served.status === 200 : cameFrom !== num) {
        return 'comes from the cache'
      }
      break
    case 'etag_validated':
      if (reached === undefined || fieldValue(reached.fields, 'if-none-match') === undefined)
        return 'no If-None-Match'
      break
    case 'lm_validated':
      if (reached === undefined || fieldValue(reached.fields, 'if-modified-since') === undefined)
        return 'no If-Modified-Since'
  }
  const status =
    step.expected_status === undefined ? (step.response_status?.[0] ?? 200) : step.expected_status
  if (status !== null && step.disconnect !== true && served.status !== status)
    return `status ${served.status}, not ${status}`
  for (const expected of step.expected_response_headers ?? []) {
    if (typeof expected === 'string') {
      if (fieldValue(served.fields, expected) === undefined) return `no ${expected}`
      continue
    }
    const value = fieldList(served.fields, expected[0].toLowerCase())
    if (expected.length === 3 && expected[1] === '>') {
      if (!(Number.parseInt(value ?? '', 10) > Number(expected[2]))) return `${expected[0]} is ${value}`
    } else if (value !== written(expected as Line, serverNow, step)[1]) return `${expected[0]} is ${value}`
  }
  for (const missing of step.expected_response_headers_missing ?? []) {
    const name = typeof missing === 'string' ? missing : missing[0]
    const value = fieldList(served.fields, name.toLowerCase())
    if (value !== undefined && (typeof missing === 'string' || value.includes(String(missing[1]))))
      return `${name} is there`
  }
  for (const expected of step.expected_request_headers ?? []) {
    const name = typeof expected === 'string' ? expected : expected[0]
    const value = reached === undefined ? undefined : fieldList(reached.fields, name.toLowerCase())
    if (value === undefined || (typeof expected !== 'string' && value !== expected[1]))
      return `${name} was sent as ${value}`
  }
  if (step.expected_method !== undefined && reached?.method !== step.expected_method)
    return 'another method was sent'
  return faultOfBody(step, served)
}

function faultOfBody(step: SuiteRequest, served: Result['served']): string | undefined {
  if (step.check_body === false || served.status === 304 || served.status === 204) return undefined
  const body = Buffer.from(served.body).toString()
  const expected = step.expected_response_text ?? step.response_body
  return expected === undefined || expected === null || expected === body
    ? undefined
    : `the body is "${body}"`
}
