/** The operator's own rules: in the configuration, before requests, and tried out before they act. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { digue, running, scratchFolder, startOrigin } from './cli-harness.ts'

/** As in a file: an object with a `then` of its own would look like a promise. */
function rule(name: string, when: string, then: string, more: Record<string, string> = {}): object {
  return Object.fromEntries([...Object.entries({ name, when, ...more }), ['then', then]])
}

function configFile(folder: string, origin: string, rules: readonly object[]): string {
  const file = join(folder, 'digue.yaml')
  writeFileSync(
    file,
    JSON.stringify({
      listen: [{ address: '127.0.0.1', port: 0 }],
      threads: 1,
      admin: { metrics: 'off' },
      sites: [{ host: '*', origin, rules }],
    }),
  )
  return file
}

interface Answer {
  readonly status: number
  readonly mitigated: string
}

function ask(port: number, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
      response.resume()
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          mitigated: String(response.headers['digue-mitigated'] ?? ''),
        }),
      )
    })
    asking.on('error', reject)
    asking.end()
  })
}

const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'

function line(
  minute: number,
  client: string,
  what: { target: string; agent: string; host?: string },
): string {
  const at = `02/Jan/2026:15:${String(minute).padStart(2, '0')}:00 +0000`
  const site = what.host === undefined ? '' : `${what.host}:443 `
  return `${site}${client} - - [${at}] "GET ${what.target} HTTP/1.1" 200 2326 "-" "${what.agent}"\n`
}

/** An hour of 50 requests a minute; in ten of its minutes a tool asks for the search 200 times more. */
function hour(): string {
  let text = ''
  for (let minute = 0; minute < 60; minute++) {
    for (let i = 0; i < 50; i++)
      text += line(minute, `192.0.2.${i}`, { target: `/news/${i}`, agent: BROWSER })
    if (minute < 30 || minute >= 40) continue
    for (let i = 0; i < 200; i++)
      text += line(minute, `198.51.100.${i}`, { target: `/search?q=${i}`, agent: 'FloodTool/1.0' })
  }
  return text
}

interface Report {
  readonly source: { readonly notes: readonly string[] }
  readonly requests: number
  readonly clients: number
  readonly quietMinutes: number
  readonly rules: readonly {
    readonly name: string
    readonly requests: number
    readonly clients: number
    readonly share: number
    readonly decidedBefore: number
    readonly unknown: number
    readonly unknownFacts: readonly string[]
    readonly quietShare: number | null
    readonly visitorShare: number | null
    readonly examples: readonly { readonly client: string }[]
    readonly paths: readonly { readonly name: string }[]
    readonly warnings: readonly string[]
  }[]
}

async function tried(args: readonly string[]): Promise<{ code: number | null; report: Report }> {
  const { code, out, err } = await digue(['rule', 'test', '--json', ...args])
  assert.equal(err, '')
  return { code, report: JSON.parse(out) as Report }
}

describe('rules', () => {
  test('act on requests, the first that fits before the others', async () => {
    const folder = scratchFolder()
    const origin = await startOrigin((_, response) => response.end('hello'))
    const config = configFile(folder, origin.url, [
      rule('monitor', 'headers["x-monitor"] == "yes"', 'allow'),
      rule('tool', 'headers["user-agent"].startsWith("FloodTool") && path.startsWith("/search")', 'refuse'),
      rule('over', 'true', 'refuse', { until: '2020-01-01' }),
    ])
    const { port, stop } = await running(['--config', config])
    const tool = { 'user-agent': 'FloodTool/1.0' }
    assert.equal((await ask(port, '/search?q=1', { 'user-agent': BROWSER })).status, 200)
    assert.equal((await ask(port, '/news', tool)).status, 200)
    assert.deepEqual(await ask(port, '/search?q=1', tool), { status: 403, mitigated: 'rule' })
    assert.equal((await ask(port, '/se%61rch', tool)).status, 403, 'another spelling of the path')
    assert.equal((await ask(port, '/search', { ...tool, 'x-monitor': 'yes' })).status, 200)
    // Threads report every 250 ms.
    let list: { name: string; requests: number; failed: number }[]
    do {
      list = JSON.parse((await digue(['rule', 'list', '--config', config, '--json'])).out)
    } while (list.reduce((sum, { requests }) => sum + requests, 0) < 3)
    assert.deepEqual(
      list.map(({ name, requests, failed }) => [name, requests, failed]),
      [
        ['monitor', 1, 0],
        ['tool', 2, 0],
        ['over', 0, 0],
      ],
    )
    const { out } = await digue(['rule', 'list', '--config', config])
    assert.match(out, /tool +refuse +– +2 /)
    assert.match(out, /over +refuse +over \(2020-01-01\) +0 /)
    assert.equal(await stop(), 0)
  })

  test('of the manual are good', async () => {
    const manual = readFileSync(new URL('../../docs/rules.md', import.meta.url), 'utf8')
    const file = join(scratchFolder(), 'digue.yaml')
    writeFileSync(file, /```yaml\n([\s\S]*?)```/.exec(manual)![1]!)
    const { code, err } = await digue(['check', file])
    assert.equal(code, 0, err)
  })

  test('that mean nothing are faults of the configuration, each with its line', async () => {
    const folder = scratchFolder()
    const file = join(folder, 'digue.yaml')
    writeFileSync(
      file,
      [
        'sites:',
        '  - host: www.example.org',
        '    origin: http://127.0.0.1:9',
        '    rules:',
        '      - name: one',
        '        when: traits.aget == "curl"',
        '        then: refuse',
        '      - name: one',
        '        when: |',
        '          path == "/a" &&',
        '          path.matches("(a+)+$") && path.matches("(?=a)")',
        '        then: refuse',
        '      - { name: three, when: "true", then: ban }',
      ].join('\n'),
    )
    const first = await digue(['check', file])
    assert.equal(first.code, 2)
    assert.match(first.err, /rules\[2\]\.then: expected "allow".*got "ban" .*line 13/)
    writeFileSync(file, readFileSync(file, 'utf8').replace('ban', 'wait'))
    const { code, err } = await digue(['check', file])
    assert.equal(code, 2)
    assert.match(
      err,
      /rules\[0\]\.when: expected traits\.agent, got the unknown traits\.aget \(character 8\) .*line 6/,
    )
    assert.match(err, /rules\[1\]\.name: expected a name that no other rule has/)
    assert.match(err, /rules\[1\]\.when: .*look-ahead.*\(line 2, character 40\) .*line 9/)
  })
})

describe('digue rule test', () => {
  test('on a log: what a rule touches, in quiet minutes too', async () => {
    const folder = scratchFolder()
    const log = join(folder, 'access.log.gz')
    writeFileSync(log, gzipSync(hour()))
    const good = await tried([
      '--when',
      'path.startsWith("/search") && traits.agent == "FloodTool"',
      '--log',
      log,
    ])
    assert.equal(good.code, 0)
    assert.equal(good.report.requests, 5000)
    const [one] = good.report.rules
    assert.equal(one!.requests, 2000)
    assert.equal(one!.share, 0.4)
    assert.equal(one!.quietShare, 0)
    assert.equal(good.report.quietMinutes, 50)
    // Distinct clients are estimated.
    assert.ok(Math.abs(one!.clients - 200) <= 2 && Math.abs(good.report.clients - 250) <= 2)
    assert.equal(one!.examples.length, 10)
    assert.equal(new Set(one!.examples.map(({ client }) => client)).size, 10)
    assert.equal(one!.paths[0]!.name, '/search?')
    assert.deepEqual(one!.warnings, [])

    const bad = await tried(['--when', 'path.startsWith("/news/1")', '--log', log])
    assert.equal(bad.code, 1)
    assert.match(bad.report.rules[0]!.warnings[0]!, /22 % of the requests in quiet minutes/)
  })

  test('on a log: what it does not show is unknown, and said', async () => {
    const log = join(scratchFolder(), 'access.log')
    writeFileSync(log, hour())
    const { code, report } = await tried([
      '--when',
      'path.startsWith("/search") && (traits.tls == "a" || headers["accept"] == "")',
      '--log',
      log,
    ])
    assert.equal(code, 1)
    const [one] = report.rules
    assert.deepEqual([one!.requests, one!.unknown], [0, 2000])
    assert.deepEqual(one!.unknownFacts, ['headers.accept', 'traits.tls'])
    assert.match(
      one!.warnings[0]!,
      /Of 2000 requests it cannot be told: headers\.accept, traits\.tls are not shown here/,
    )
  })

  test('on a log: all rules of a site in their order, and only its requests', async () => {
    const folder = scratchFolder()
    const file = join(folder, 'digue.yaml')
    const site = (host: string, rules: readonly object[]) => ({ host, origin: 'http://127.0.0.1:9', rules })
    writeFileSync(
      file,
      JSON.stringify({
        sites: [
          site('www.example.org', [
            rule('a', 'path == "/a"', 'refuse'),
            rule('b', 'path == "/a" || path == "/b"', 'price'),
            rule('calm', 'posture == "calm"', 'wait'),
          ]),
          site('shop.example.org', [rule('s', 'host == "shop.example.org"', 'allow')]),
        ],
      }),
    )
    const log = join(folder, 'access.log')
    const lines = ['/a', '/b', '/c'].flatMap((target) =>
      ['www.example.org', 'shop.example.org'].map((host) =>
        line(1, '192.0.2.1', { target, agent: BROWSER, host }),
      ),
    )
    writeFileSync(log, `${lines.join('')}nonsense\n`)
    const { report } = await tried(['--config', file, '--site', 'www.example.org', '--log', log])
    assert.deepEqual(
      report.rules.map(({ name, requests, decidedBefore }) => [name, requests, decidedBefore]),
      [
        ['a', 1, 0],
        ['b', 2, 1],
        ['calm', 0, 0],
      ],
    )
    assert.ok(report.source.notes.some((note) => /3 requests were to other sites/.test(note)))
    assert.ok(report.source.notes.some((note) => /1 lines are in no known format/.test(note)))
    assert.ok(report.source.notes.some((note) => /posture is taken as flooded/.test(note)))
    const shop = await tried(['--config', file, '--rule', 's', '--log', log])
    assert.equal(shop.report.rules[0]!.requests, 3)
    const text = await digue(['rule', 'test', '--config', file, '--site', 'www.example.org', '--log', log])
    assert.match(text.out, /WARN +a +refuse +1 +33 %/)
    assert.match(text.out, /1 of them are decided by an earlier rule/)
  })

  test('says what is wrong with the command line', async () => {
    const cases: readonly [args: readonly string[], told: RegExp][] = [
      [['--when', 'true'], /either --log access\.log or --live/],
      [
        ['--when', 'pth == "a"', '--log', 'x'],
        /--when: expected path, got the unknown name "pth" \(character 1\)/,
      ],
      [['--when', 'true', '--rule', 'x', '--log', 'x'], /cannot be used with/],
      [['--when', 'true', '--log', 'x', '--live', '1s'], /cannot be used with/],
      [['--log', 'x', '--config', '/nowhere.yaml'], /configuration file that can be read/],
    ]
    for (const [args, told] of cases) {
      const { code, err } = await digue(['rule', 'test', ...args])
      assert.equal(code, 2, err)
      assert.match(err, told)
    }
    assert.equal((await digue(['rule', 'test', '--when', 'true', '--log', '/nowhere.log'])).code, 1)
    const socket = join(scratchFolder(), 'no.sock')
    assert.equal(
      (await digue(['rule', 'test', '--when', 'true', '--live', '1s', '--socket', socket])).code,
      3,
    )
  })

  test('live: header fields and traits too, and nothing of it without being asked', async () => {
    const folder = scratchFolder()
    const origin = await startOrigin((_, response) => response.end('hello'))
    const config = configFile(folder, origin.url, [])
    const { port, stop } = await running(['--config', config])
    let isDone = false
    const asking = (async () => {
      for (let i = 0; !isDone; i++) {
        const isTool = i % 2 === 0
        await ask(port, isTool ? '/search?q=1' : '/', {
          'user-agent': isTool ? 'FloodTool/1.0' : BROWSER,
          ...(isTool ? {} : { 'accept-language': 'fr' }),
          cookie: 'session=secret',
        })
      }
    })()
    const watched = async (when: string) => {
      let report: Report
      let seconds = 2
      do {
        ;({ report } = await tried(['--config', config, '--when', when, '--live', `${seconds}s`]))
        seconds *= 4
      } while (report.requests < 4)
      return report
    }
    const report = await watched(
      'headers["accept-language"] == "" && traits.agent == "FloodTool" && posture == "calm" && scheme == "http"',
    )
    const secret = await watched('headers["cookie"] == ""')
    isDone = true
    await asking
    const [one] = report.rules
    // One after the other, the tool and the browser in turn.
    assert.ok(Math.abs(2 * one!.requests - report.requests) <= 2, `${one!.requests} of ${report.requests}`)
    assert.equal(one!.unknown, 0)
    assert.equal(one!.quietShare, null)
    assert.match(one!.warnings.join(), /of all requests, more than 1 %/)
    assert.equal(secret.rules[0]!.requests, 0)
    assert.equal(secret.rules[0]!.unknown, secret.requests)
    assert.equal(await stop(), 0)
  })
})
