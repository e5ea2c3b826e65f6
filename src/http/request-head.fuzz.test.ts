/**
 * Differential fuzzing: the same bytes to our request parser and to llhttp, as Node's http runs it
 * with the framing check behind it. Whatever ours accepts, those must accept too, and read as the
 * same requests at the same places. (The other way round is no law: `elsewhere` is always allowed.)
 *
 * Seeded and bounded in `npm test`; DIGUE_FUZZ_SECONDS runs longer, DIGUE_FUZZ_SEED chooses the seed.
 */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import { readRequest } from './framing.ts'
import { ELSEWHERE, FastRequestHead, INCOMPLETE, parseRequestHead } from './request-head.ts'

const SECONDS = Number(process.env['DIGUE_FUZZ_SECONDS'] ?? 4)
const SEED = Number(process.env['DIGUE_FUZZ_SEED'] ?? 20_240_826)

interface Read {
  readonly method: string
  readonly target: string
  readonly host: string
  readonly fields: readonly string[]
}

/** A connection in memory: what is written to it is thrown away. */
class Wire extends Duplex {
  override _read(): void {}
  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done()
  }
}

let heard: (Read | string)[] = []
const server = createServer({ requireHostHeader: false, keepAliveTimeout: 0 }, (request, response) => {
  const head = readRequest(request.method!, request.url!, request.httpVersion, request.rawHeaders)
  heard.push(
    typeof head === 'string'
      ? head
      : { method: head.method, target: head.target, host: head.host, fields: head.fields },
  )
  response.end()
})
server.maxHeadersCount = 0
server.on('checkContinue', (_, response) => {
  heard.push('expect')
  response.end()
})
server.on('upgrade', (_, socket) => {
  heard.push('upgrade')
  socket.destroy()
})
server.on('clientError', (error: NodeJS.ErrnoException) => heard.push(`refused ${error.code}`))

/** What llhttp and the framing check make of the bytes, sent in the pieces given. */
async function readByNode(bytes: Buffer, cuts: readonly number[]): Promise<(Read | string)[]> {
  heard = []
  const wire = new Wire()
  wire.on('error', () => {})
  server.emit('connection', wire)
  let from = 0
  for (const cut of [...cuts, bytes.length]) {
    if (cut > from && !wire.destroyed) wire.push(bytes.subarray(from, cut))
    from = Math.max(from, cut)
    await new Promise((resolve) => setImmediate(resolve))
  }
  for (let i = 0; i < 8; i++) await new Promise((resolve) => setImmediate(resolve))
  const result = heard
  wire.destroy()
  return result
}

/** Our reading: requests until the bytes end, or until one closes or is not ours. */
function readByUs(bytes: Buffer): { requests: Read[]; rest: 'none' | 'incomplete' | 'elsewhere' | 'closed' } {
  const requests: Read[] = []
  for (let at = 0; at < bytes.length; ) {
    const head = parseRequestHead(bytes, at, bytes.length)
    if (head === INCOMPLETE) return { requests, rest: 'incomplete' }
    if (head === ELSEWHERE) return { requests, rest: 'elsewhere' }
    requests.push({ method: head.method, target: head.target, host: head.host, fields: head.fields })
    at = head.end
    if (head.close) return { requests, rest: 'closed' }
  }
  return { requests, rest: 'none' }
}

/** All that a head says, what it says on demand included. */
function shown(head: FastRequestHead): object {
  const { fields, kindFields, forwardingFields } = head
  return { ...head, fields, kindFields, forwardingFields }
}

function firstFilled(fields: readonly string[], name: string): string {
  for (let i = 0; i < fields.length; i += 2)
    if (fields[i]!.toLowerCase() === name && fields[i + 1] !== '') return fields[i + 1]!
  return ''
}

/** mulberry32: small, seeded, the same everywhere. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

/** Tricks that have made two readers disagree, and what is ordinary. */
const LINES = [
  'Host: a',
  'Host: a',
  'Host: a',
  'host: Example.org:8080',
  'Host: [::1]:80',
  'Host : a',
  'Host:a\t',
  'Host: a, b',
  'Host: a/../b',
  'Host: ',
  ' Host: a',
  'X-A: b',
  'X-A:',
  'X-A:  \t',
  'X A: b',
  'X-A: b\r\n c',
  'X-A: b\r\n\tc',
  'X-A: \x00',
  'X-A: \x7f',
  'X-A: \xff\x80',
  'X-A: b\nTransfer-Encoding: chunked',
  'X-A: b\rTransfer-Encoding: chunked',
  'X-A: b\r',
  'X-A\r\n: b',
  ': b',
  'Connection: keep-alive',
  'Connection: close',
  'Connection: Close',
  'connection: keep-alive, close',
  'Connection: X-A',
  'Connection:',
  'Connection: upgrade',
  'Proxy-Connection: close',
  'Proxy-Connection: keep-alive',
  'Keep-Alive: timeout=1',
  'Upgrade: websocket',
  'Upgrade: h2c',
  'HTTP2-Settings: AAA',
  'TE: trailers',
  'Trailer: X-A',
  'Expect: 100-continue',
  'Content-Length: 0',
  'Content-Length: 5',
  'Content-Length: +5',
  'Content-Length : 5',
  'content-length: 5, 5',
  'Content-Length:\t5',
  'Content-Length: 5\r\nContent-Length: 6',
  'Content_Length: 5',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: ,chunked',
  'Transfer-Encoding: identity, chunked',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding:\x0bchunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: x',
  'transfer-encoding : chunked',
  'Transfer-Encoding\x00: chunked',
  '\xeftransfer-encoding: chunked',
  'Foo: x\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: b',
]
const STARTS = [
  'GET / HTTP/1.1',
  'GET /a?b=c HTTP/1.1',
  'HEAD /h HTTP/1.1',
  'GET /"<>{}|\\^`~ HTTP/1.1',
  'GET  / HTTP/1.1',
  'GET / HTTP/1.1 ',
  'GET / HTTP/1.0',
  'GET / HTTP/1.2',
  'GET / http/1.1',
  'GET /',
  'GET /a b HTTP/1.1',
  'GET /a#b HTTP/1.1',
  'GET /\x80 HTTP/1.1',
  'GET /\x7f HTTP/1.1',
  'GET http://a/ HTTP/1.1',
  'GET //a/ HTTP/1.1',
  'GET * HTTP/1.1',
  'GET\t/ HTTP/1.1',
  'get / HTTP/1.1',
  'POST / HTTP/1.1',
  'OPTIONS * HTTP/1.1',
  '\r\nGET / HTTP/1.1',
  '\nGET / HTTP/1.1',
  'GET / HTTP/1.1\r',
  'PRI * HTTP/2.0',
]
const ENDS = ['\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\r\n', '\n\r\n']
const BODIES = [
  '',
  '',
  '',
  'hello',
  '5\r\nhello\r\n0\r\n\r\n',
  '0\r\n\r\n',
  '\r\n',
  'G',
  'GET /x HTTP/1.1\r\nHost: b\r\n\r\n',
]

function someBytes(random: (below: number) => number): Buffer {
  let text = ''
  const requests = 1 + random(3)
  // Mostly ordinary, or hardly anything would get beyond the first line.
  const odd = () => random(10) === 0
  for (let i = 0; i < requests; i++) {
    text += `${odd() ? STARTS[random(STARTS.length)] : STARTS[random(3)]}${odd() ? ENDS[random(ENDS.length)] : '\r\n'}`
    if (!odd()) text += 'Host: a\r\n'
    for (let lines = random(4); lines > 0; lines--) {
      text += `${random(2) === 0 ? LINES[random(LINES.length)] : 'Accept: */*'}${odd() ? ENDS[random(ENDS.length)] : '\r\n'}`
    }
    text += odd() ? ENDS[random(ENDS.length)] : '\r\n'
    if (odd()) text += BODIES[random(BODIES.length)]
  }
  const bytes = Buffer.from(text, 'latin1')
  for (let changes = random(8) - 5; changes > 0; changes--)
    bytes[random(bytes.length)] = random(4) === 0 ? random(256) : ' \t\r\n:\0'.charCodeAt(random(6))
  return bytes
}

/** Ours and Node's readings of the same bytes do not contradict each other. */
async function compare(bytes: Buffer, random: (below: number) => number): Promise<number> {
  const ours = readByUs(bytes)
  if (ours.requests.length === 0) return 0
  const cuts = Array.from({ length: random(3) }, () => random(bytes.length)).sort((a, b) => a - b)
  const theirs = await readByNode(bytes, cuts)
  const shown = JSON.stringify(bytes.toString('latin1'))
  assert.deepEqual(theirs.slice(0, ours.requests.length), ours.requests, `read differently: ${shown}`)
  const more = theirs.slice(ours.requests.length).filter((read) => typeof read !== 'string')
  // Where ours says "that was all", no further request may appear.
  if (ours.rest !== 'elsewhere') assert.deepEqual(more, [], `requests beyond ours: ${shown}`)
  return ours.requests.length
}

test('every trick of the corpus, alone in an otherwise ordinary request', async () => {
  const random = randomFrom(SEED)
  for (const line of LINES) {
    for (const end of ENDS)
      await compare(
        Buffer.from(
          `GET / HTTP/1.1\r\nHost: a\r\n${line}${end}X-B: c\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n`,
          'latin1',
        ),
        random,
      )
  }
  for (const start of STARTS) {
    for (const end of ENDS) await compare(Buffer.from(`${start}${end}Host: a\r\n\r\n`, 'latin1'), random)
  }
})

test(`what our parser accepts, llhttp accepts and reads the same, for ${SECONDS} s from seed ${SEED}`, async () => {
  const random = randomFrom(SEED)
  const until = performance.now() + SECONDS * 1000
  let accepted = 0
  let tried = 0
  while (performance.now() < until) {
    accepted += await compare(someBytes(random), random)
    tried++
  }
  // A fuzzer whose inputs never get in would hold any parser correct.
  assert.ok(accepted > tried / 4, `${accepted} requests accepted of ${tried} inputs`)
})

test('cut anywhere, a head is incomplete or elsewhere, never something else; and parses the same at any offset', () => {
  const random = randomFrom(SEED + 1)
  for (let i = 0; i < 3000; i++) {
    const bytes = someBytes(random)
    const whole = parseRequestHead(bytes, 0, bytes.length)
    for (let end = 0; end < bytes.length; end += 1 + random(7)) {
      const part = parseRequestHead(bytes, 0, end)
      if (part instanceof FastRequestHead) assert.deepEqual(shown(part), shown(whole as FastRequestHead))
      else if (whole instanceof FastRequestHead && end < whole.end) assert.equal(part, INCOMPLETE)
    }
    const moved = parseRequestHead(Buffer.concat([Buffer.from('xyz'), bytes]), 3, bytes.length + 3)
    if (whole instanceof FastRequestHead)
      assert.deepEqual({ ...shown(moved as FastRequestHead), end: 0 }, { ...shown(whole), end: 0 })
    else assert.equal(moved, whole)
  }
})

test('the fields found while scanning say what all of them would', () => {
  const random = randomFrom(SEED + 2)
  const names = [
    'Accept',
    'ACCEPT',
    'sec-fetch-mode',
    'Sec-Fetch-Dest',
    'X-Forwarded-For',
    'Forwarded',
    'x-a',
  ]
  const values = ['', ' \t', 'text/html', ' */* ', 'navigate', 'cors', 'image', 'empty', '192.0.2.1']
  let forwarded = 0
  for (let i = 0; i < 2000; i++) {
    const lines = Array.from(
      { length: random(8) },
      () => `${names[random(names.length)]}:${values[random(values.length)]}\r\n`,
    )
    const text = `GET / HTTP/1.1\r\nHost: a\r\n${lines.join('')}\r\n`
    const head = parseRequestHead(Buffer.from(text), 0, text.length) as FastRequestHead
    for (const name of ['accept', 'sec-fetch-mode', 'sec-fetch-dest'])
      assert.equal(firstFilled(head.kindFields, name), firstFilled(head.fields, name), text)
    const isForwarded = lines.some((line) => /^(x-)?forwarded/i.test(line))
    assert.deepEqual(head.forwardingFields, isForwarded ? head.fields : [])
    if (isForwarded) forwarded++
  }
  assert.ok(forwarded > 100)
})

test('the fields for a cache are all those it decides by, as often and in the order in which they came', () => {
  const random = randomFrom(SEED + 3)
  const wanted = [
    'accept-encoding',
    'accept-language',
    'authorization',
    'cache-control',
    'cookie',
    'if-match',
    'if-modified-since',
    'if-none-match',
    'if-range',
    'if-unmodified-since',
    'range',
    'x-host',
    'x-http-host-override',
    'x-http-method',
    'x-http-method-override',
    'x-method-override',
    'x-original-host',
    'x_http_method_override',
  ]
  const others = [
    'accept',
    'user-agent',
    'referer',
    'sec-fetch-mode',
    'dnt',
    'sec-ch-ua',
    'a',
    'pragma',
    'origin',
  ]
  const cased = (name: string) =>
    [...name].map((letter) => (random(2) === 0 ? letter : letter.toUpperCase())).join('')
  for (let i = 0; i < 2000; i++) {
    const names = Array.from({ length: random(12) }, () =>
      cased(random(2) === 0 ? wanted[random(wanted.length)]! : others[random(others.length)]!),
    )
    const lines = ['Host', ...names].map((name, n) => `${name}: ${n === 0 ? 'a' : n}\r\n`)
    const text = `GET / HTTP/1.1\r\n${lines.join('')}\r\n`
    const parse = () => parseRequestHead(Buffer.from(text), 0, text.length) as FastRequestHead
    const head = parse()
    const ofStore = (fields: readonly string[]) =>
      fields.filter((_, n) => [...wanted, 'host'].includes(fields[n - (n % 2)]!.toLowerCase()))
    const expected = ofStore(head.fields)
    assert.deepEqual(ofStore(head.storeFields), expected, text)
    const fresh = parse()
    assert.deepEqual(ofStore(fresh.storeFields), expected, text)
    assert.ok(!fresh.storeFields.some((name, n) => n % 2 === 0 && /^(sec-|user-agent|referer)/i.test(name)))
    fresh.release()
    assert.deepEqual(fresh.fields, head.fields)
    assert.deepEqual(ofStore(fresh.storeFields), expected)
  }
})
