import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { FIELD, type LogLine } from './log-line.ts'
import { LogReader } from './log-reader.ts'
import type { LogSource } from './log-source.ts'

/** A reader over bytes in pieces of `step`. */
function readerOf(bytes: Buffer, step = 7777, timeZone = 'UTC'): LogReader {
  let at = 0
  const source: LogSource = {
    readBytes: 0,
    sizeBytes: bytes.length,
    async read(buffer, offset) {
      const taken = bytes.copy(buffer, offset, at, Math.min(bytes.length, at + step))
      at += taken
      return taken
    },
    async close() {},
  }
  return new LogReader('test.log', source, { timeZone })
}

async function each(text: string, look: (line: LogLine) => void, timeZone?: string): Promise<LogReader> {
  const reader = readerOf(Buffer.from(text, 'utf8'), 7777, timeZone)
  while (await reader.fill()) while (reader.next()) look(reader.line)
  return reader
}

function shown(line: LogLine) {
  const text = (field: (typeof FIELD)[keyof typeof FIELD]) => line.text(field)
  return {
    at: new Date(line.atMs).toISOString(),
    client: text(FIELD.client),
    host: text(FIELD.host),
    request: `${text(FIELD.method)} ${text(FIELD.target)} ${text(FIELD.version)}`,
    status: line.status,
    bytes: line.bytes,
    ms: Math.round(line.durationMs),
    referer: text(FIELD.referer),
    agent: text(FIELD.agent),
  }
}

async function only(text: string, timeZone?: string) {
  const found: ReturnType<typeof shown>[] = []
  const reader = await each(text, (line) => found.push(shown(line)), timeZone)
  assert.equal(found.length, 1, `${text} gave ${found.length} lines, ${reader.bad} bad`)
  return found[0]!
}

const HAPROXY =
  'Feb  6 12:14:14 lb haproxy[14389]: 192.0.2.7:33317 [06/Feb/2026:12:14:14.655] http-in~ static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {www.example.org|Mozilla/5.0 (X11)|https://a.example/} {} "GET /index.html?a=1 HTTP/1.1"'
const CADDY = JSON.stringify({
  level: 'info',
  ts: 1_767_596_133.25,
  logger: 'http.log.access',
  request: {
    remote_ip: '192.0.2.7',
    client_ip: '2001:db8::7',
    proto: 'HTTP/2.0',
    method: 'GET',
    host: 'WWW.example.org:443',
    uri: '/a?b="c"',
    headers: { 'User-Agent': ['curl/8'], Referer: ['https://a.example/'], Cookie: ['REDACTED'] },
  },
  duration: 0.0125,
  size: 10_900,
  status: 200,
})
const TRAEFIK = JSON.stringify({
  ClientAddr: '192.0.2.7:4711',
  ClientHost: '192.0.2.7',
  DownstreamContentSize: 12,
  DownstreamStatus: 404,
  Duration: 5_250_000,
  RequestAddr: 'www.example.org:443',
  RequestHost: 'www.example.org',
  RequestMethod: 'POST',
  RequestPath: '/login',
  RequestProtocol: 'HTTP/1.1',
  StartUTC: '2026-01-05T06:55:33.123456789Z',
  'request_User-Agent': 'Mozilla/5.0 "quoted"',
})

describe('formats', () => {
  test('HAProxy with a syslog prefix and captured headers', async () => {
    assert.deepEqual(await only(`${HAPROXY}\n`), {
      at: '2026-02-06T12:14:14.655Z',
      client: '192.0.2.7',
      host: 'www.example.org',
      request: 'GET /index.html?a=1 1.1',
      status: 200,
      bytes: 2750,
      ms: 109,
      referer: 'https://a.example/',
      agent: 'Mozilla/5.0 (X11)',
    })
  })

  test('HAProxy without prefix and headers, an answer that never came, a request that was cut off', async () => {
    const line = await only(
      '2001:db8::1:33317 [06/Feb/2026:12:14:14.655] in back/<NOSRV> 10/-1/-1/-1/+109 -1 +0 - - CR-- 1/1/1/1/0 0/0 "GET /a#22b',
    )
    assert.equal(line.client, '2001:db8::1')
    assert.equal(line.status, 0)
    assert.equal(line.request, 'GET /a"b ')
    const bad = await only(
      '192.0.2.1:3 [06/Feb/2026:12:14:14.655] in in/<NOSRV> -1/-1/-1/-1/0 400 0 - - PR-- 1/1/0/0/0 0/0 "<BADREQ>"',
    )
    assert.equal(bad.request, '  ')
  })

  test('HAProxy times are of the zone that is said, also when summer time begins and ends', async () => {
    const read = async (...clocks: string[]) => {
      const found: string[] = []
      const text = clocks.map((clock) => HAPROXY.replace('06/Feb/2026:12:14:14', clock)).join('\n')
      await each(text, (line) => found.push(new Date(line.atMs).toISOString()), 'Europe/Paris')
      return found
    }
    assert.deepEqual(await read('29/Mar/2026:01:59:59', '29/Mar/2026:03:00:00'), [
      '2026-03-29T00:59:59.655Z',
      '2026-03-29T01:00:00.655Z',
    ])
    // The hour from two to three happens twice.
    assert.deepEqual(
      await read(
        '25/Oct/2026:02:30:00',
        '25/Oct/2026:02:59:59',
        '25/Oct/2026:02:00:01',
        '25/Oct/2026:03:00:00',
      ),
      [
        '2026-10-25T00:30:00.655Z',
        '2026-10-25T00:59:59.655Z',
        '2026-10-25T01:00:01.655Z',
        '2026-10-25T02:00:00.655Z',
      ],
    )
  })

  test('Caddy', async () => {
    let cookies: boolean | undefined
    await each(CADDY, (line) => (cookies = line.hasCookies))
    assert.equal(cookies, true)
    assert.deepEqual(await only(CADDY), {
      at: '2026-01-05T06:55:33.250Z',
      client: '2001:db8::7',
      host: 'www.example.org',
      request: 'GET /a?b="c" 2.0',
      status: 200,
      bytes: 10_900,
      ms: 13,
      referer: 'https://a.example/',
      agent: 'curl/8',
    })
  })

  test('Traefik in JSON', async () => {
    assert.deepEqual(await only(TRAEFIK), {
      at: '2026-01-05T06:55:33.123Z',
      client: '192.0.2.7',
      host: 'www.example.org',
      request: 'POST /login 1.1',
      status: 404,
      bytes: 12,
      ms: 5,
      referer: '',
      agent: 'Mozilla/5.0 "quoted"',
    })
  })

  test('nginx in JSON with the names of its variables', async () => {
    const line = await only(
      JSON.stringify({
        time_iso8601: '2026-01-05T07:55:33+01:00',
        remote_addr: '192.0.2.7',
        request: 'GET /x HTTP/1.1',
        status: '200',
        body_bytes_sent: '17',
        request_time: '0.250',
        http_user_agent: 'Zoë',
        http_host: 'a.example',
      }),
    )
    assert.equal(line.at, '2026-01-05T06:55:33.000Z')
    assert.deepEqual([line.request, line.status, line.bytes, line.ms], ['GET /x 1.1', 200, 17, 250])
    assert.equal(line.host, 'a.example')
  })

  test('combined with what operators add behind it', async () => {
    const base = '192.0.2.7 - - [05/Jan/2026:07:55:33 +0100] "GET / HTTP/1.1" 200 5 "-" "x"'
    for (const [tail, ms] of [
      [' rt=0.25 urt="0.2"', 250],
      [' "203.0.113.9" 0.125', 125],
      [' request_time=2', 2000],
      [' 17 "router@file" "http://10.0.0.1" 12ms', 12],
      [' 1234', -1],
      [' "unclosed', -1],
      ['', -1],
    ] as const) {
      const line = await only(`${base}${tail}`)
      assert.equal(line.ms, ms, tail)
      assert.equal(line.at, '2026-01-05T06:55:33.000Z')
    }
  })

  test('escapes of each format are undone, and a raw byte stays one character', async () => {
    const apache = await only(
      '192.0.2.7 - - [05/Jan/2026:07:55:33 +0100] "GET /\\"\\x22\\\\n\\x0a HTTP/1.1" 200 5 "-" "a\\tb"',
    )
    assert.equal(apache.request, 'GET /""\\n\n 1.1')
    assert.equal(apache.agent, 'a\tb')
    const json = await only(TRAEFIK.replace('/login', '/\\u00e9\\u4e00\\u0000'))
    assert.equal(json.request, `POST /${Buffer.from('é一').toString('latin1')}\0 1.1`)
  })

  test('times at the edges of the calendar', async () => {
    for (const [clock, iso] of [
      ['29/Feb/2024:23:59:60 -0330', '2024-03-01T03:30:00.000Z'],
      ['01/Jan/1970:00:00:00 +0000', '1970-01-01T00:00:00.000Z'],
      ['31/Dec/2099:23:00:00 -1200', '2100-01-01T11:00:00.000Z'],
    ] as const)
      assert.equal((await only(`192.0.2.7 - - [${clock}] "GET / HTTP/1.1" 200 5`)).at, iso)
  })

  test('a file whose format changes is read on', async () => {
    const combined = '192.0.2.7 - - [05/Jan/2026:07:55:33 +0100] "GET / HTTP/1.1" 200 5 "-" "x"'
    const reader = await each(`${combined}\n${CADDY}\n\n${HAPROXY}\r\nnonsense\n${TRAEFIK}`, () => {})
    assert.deepEqual(reader.formats, { combined: 1, json: 2, haproxy: 1 })
    assert.deepEqual(reader.badLines, [{ number: 5, text: 'nonsense' }])
  })
})

describe('hostile lines', () => {
  const lines = [
    HAPROXY,
    CADDY,
    TRAEFIK,
    '192.0.2.7 - - [05/Jan/2026:07:55:33 +0100] "GET / HTTP/1.1" 200 5 "-" "x" rt=0.1',
    'www.example.org:443 2001:db8::1 - a [b] [05/Jan/2026:07:55:33 +0100] "-" 400 - "-" "-"',
  ]

  test('cut and changed bytes never throw, and whatever is read keeps to its bounds', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...lines),
        fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 8 }),
        fc.nat(400),
        fc.integer({ min: 1, max: 500 }),
        async (seed, changes, cut, step) => {
          const bytes = Buffer.from(seed)
          for (const [at, value] of changes) bytes[at % bytes.length] = value
          const reader = readerOf(bytes.subarray(0, bytes.length - (cut % bytes.length)), step)
          let count = 0
          while (await reader.fill())
            while (reader.next()) {
              count++
              const { line } = reader
              assert.ok(Number.isFinite(line.atMs))
              assert.ok(line.status >= 0 && line.status <= 999, String(line.status))
              assert.ok(line.bytes >= 0 && Number.isFinite(line.bytes))
              assert.ok(line.durationMs >= -1 && Number.isFinite(line.durationMs))
              for (const field of Object.values(FIELD)) {
                assert.ok(line.end(field) >= line.start(field) && line.end(field) <= line.data.length)
                line.text(field)
              }
            }
          assert.equal(reader.good, count)
        },
      ),
      { numRuns: 3000 },
    )
  })

  test('noise of any length is counted line by line', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 3000 }),
        fc.integer({ min: 1, max: 400 }),
        async (noise, step) => {
          const reader = readerOf(Buffer.from(noise), step)
          while (await reader.fill()) while (reader.next());
          const text = Buffer.from(noise).toString('latin1')
          const expected = text.split('\n').filter((line) => line !== '' && line !== '\r').length
          assert.equal(reader.good + reader.bad, expected)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('JSON that is deep, large, or of other types is a bad line', async () => {
    const reader = await each(
      [
        '['.repeat(30_000),
        `{"request":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
        '{"request":{"uri":7,"remote_ip":{}},"ts":"x"}',
        '{"ClientHost":null,"StartUTC":"2026-99-99T00:00:00Z"}',
        '{"__proto__":{"ClientHost":"192.0.2.1"},"constructor":1}',
        '{"remote_addr":"192.0.2.1","time":1e300}',
        '{"remote_addr":"192.0.2.1","time":-1e9}',
        '{}',
        '[]',
        'null',
        '{"ts":1}',
      ].join('\n'),
      () => assert.fail('none of them is a request'),
    )
    assert.equal(reader.bad, 11)
  })

  test('a status or a size that no server sends is none', async () => {
    const line = await only(TRAEFIK.replace('404', '65700').replace(':12,', ':1e99,'))
    assert.deepEqual([line.status, line.bytes], [0, 0])
  })

  test('a line of more than 64 kB is skipped, whatever size it comes in', async () => {
    const good = '192.0.2.7 - - [05/Jan/2026:07:55:33 +0100] "GET / HTTP/1.1" 200 5'
    for (const length of [65_536, 65_537, 131_072, 400_000, 3_000_000]) {
      const reader = await each(`${good}\n${'x'.repeat(length)}\n${good}`, () => {})
      assert.equal(reader.good, 2, String(length))
      assert.equal(reader.bad, 1, String(length))
      assert.equal(reader.tooLong, length > 65_536 ? 1 : 0)
    }
  })
})
