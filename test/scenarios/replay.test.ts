/** `digue replay` as an operator runs it: real files, a real process, what it prints and how it ends. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { digue, running, scratchFolder, startOrigin } from './cli-harness.ts'

const folder = scratchFolder()
const START_MS = Date.UTC(2026, 0, 5, 10)
const FLOOD_FROM = 1200
const FLOOD_TO = 1260
const BROWSER =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36'

function line(second: number, client: string, target: string, status: number, agent: string): string {
  const time = new Date(START_MS + second * 1000).toISOString().slice(11, 19)
  return `${client} - - [05/Jan/2026:${time} +0000] "GET ${target} HTTP/1.1" ${status} 1000 "-" "${agent}"\n`
}

/** Twenty-five minutes of visitors with a minute's flood in them; no chance in it. */
function aLog(withFlood: boolean): string {
  const lines: string[] = []
  for (let second = 0; second < 1500; second++) {
    for (let v = 0; v < 20; v++) {
      const person = (second * 20 + v * 7919) % 2000
      lines.push(line(second, `81.250.${person >> 8}.${person & 255}`, `/page-${person % 40}`, 200, BROWSER))
    }
    if (withFlood && second >= FLOOD_FROM && second < FLOOD_TO)
      for (let b = 0; b < 500; b++) {
        const bot = (second * 500 + b) % 4000
        lines.push(
          line(second, `45.140.${bot >> 8}.${bot & 255}`, '/search?q=a', 503, 'python-requests/2.31.0'),
        )
      }
  }
  return lines.join('')
}

const attacked = aLog(true)
const file = (name: string, content: string | Uint8Array) => {
  const place = join(folder, name)
  writeFileSync(place, content)
  return place
}

test('a flood in a log is told with onset, size, signature and whom it would have touched', async () => {
  const page = join(folder, 'page.html')
  const log = file('access.log.gz', gzipSync(attacked))
  const { code, out, err } = await digue(['replay', log, '--json', '--html', page, '--time-zone', 'UTC'])
  assert.equal(code, 0, err)
  const [site] = JSON.parse(out).sites
  assert.equal(site.incidents.length, 1)
  const [incident] = site.incidents
  assert.ok(Math.abs(incident.onsetMs - START_MS - FLOOD_FROM * 1000) <= 2000)
  assert.ok(Math.abs(incident.endMs - START_MS - FLOOD_TO * 1000) <= 2000)
  assert.equal(incident.looksLike, 'attack')
  assert.match(incident.signatures[0].reason, /python-requests/)
  assert.equal(incident.knownTouchedShare, 0)
  assert.ok(site.pages.length > 0)
  const html = readFileSync(page, 'utf8')
  assert.match(html, /^<!doctype html>/)
  assert.match(html, /consistent with an attack/)
  assert.equal(statSync(page).mode & 0o077, 0, 'it names addresses')
})

test('as text it has the words a person looks for, and nothing else on stdout', async () => {
  const { code, out } = await digue(['replay', file('a.log', attacked), '--site', 'www.example.org'])
  assert.equal(code, 0)
  for (const words of [
    /^60\s000 requests/,
    /www\.example\.org/,
    /INCIDENT 1 {3}consistent with an attack/,
    /onset +2026-01-05/,
    /python-requests/,
    /PAGES THAT COULD HAVE BEEN STORED/,
    /A log shows no TLS/,
  ])
    assert.match(out, words)
  assert.doesNotMatch(out, /\u001b/)
})

test('halves of a log in two formats of packing, and the same out of order, tell the same', async () => {
  const lines = attacked.split('\n').filter((text) => text !== '')
  const tell = async (args: string[]) => {
    const { code, out, err } = await digue(['replay', '--json', ...args])
    assert.equal(code, 0, err)
    const { requests, sites } = JSON.parse(out)
    const [{ onsetMs, endMs, requests: size, peakPerSecond }] = sites[0].incidents
    return { requests, onsetMs, endMs, size, peakPerSecond }
  }
  const whole = await tell([file('whole.log', attacked)])
  const even = lines.filter((_, i) => i % 2 === 0).join('\n')
  const odd = lines.filter((_, i) => i % 2 === 1).join('\n')
  assert.deepEqual(
    await tell([file('even.log', gzipSync(even)), file('odd.log', zstdCompressSync(odd))]),
    whole,
  )
  assert.deepEqual(await tell([file('reversed.log', lines.toReversed().join('\n'))]), whole)
})

test('a pipe is read to its end', async () => {
  const main = new URL('../../src/cli/main.ts', import.meta.url).pathname
  const child = spawn(process.execPath, ['-C', 'source', main, 'replay', '-', '--json'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  let out = ''
  child.stdout.on('data', (data) => (out += data))
  child.stdin.end(zstdCompressSync(attacked))
  const [code] = await once(child, 'close')
  assert.equal(code, 0)
  assert.equal(JSON.parse(out).requests, 60_000)
})

test('what cannot be done is said, with what to do, in the exit code too', async () => {
  const good = file('good.log', line(0, '192.0.2.1', '/', 200, BROWSER))
  for (const [args, expected, message] of [
    [['nowhere.log'], 1, /nowhere\.log: there is no such file/],
    [[folder], 1, /it is a folder: give the files in it/],
    [
      [file('words.log', 'these are\nno requests\n')],
      1,
      /Line 1 is: these are\nKnown are: common and combined/,
    ],
    [[file('binary', Buffer.alloc(400_000, 200))], 1, /no line of it is in a known format/],
    [[file('x.xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0]))], 1, /xzcat/],
    [[good, '--since', 'yesterday'], 2, /--since: expected 2026-01-05/],
    [[good, '--since', '2026-01-06', '--until', '2026-01-05'], 2, /before --until/],
    [[good, '--time-zone', 'Mars/Base'], 2, /expected a name such as Europe\/Paris/],
    [[good, '--html', good], 2, /is one of the logs/],
    [[good, '--baseline', good], 1, /cannot be used: it is cut off or damaged/],
    [[], 2, /missing required argument/],
  ] as [string[], number, RegExp][]) {
    const { code, err, out } = await digue(['replay', ...args])
    assert.equal(code, expected, `${args.join(' ')}: ${err}`)
    assert.match(err, message)
    assert.equal(out, '')
  }
})

test('an empty log and one line are no fault; a cut one is used as far as it goes', async () => {
  const empty = await digue(['replay', file('empty.log', '')])
  assert.equal(empty.code, 0)
  assert.match(empty.out, /No request in what was read/)
  const one = await digue(['replay', file('one.log', line(0, '192.0.2.1', '/', 200, BROWSER).trim())])
  assert.equal(one.code, 0)
  assert.match(one.out, /^1 requests/)
  const packed = gzipSync(attacked)
  const cut = await digue(['replay', file('cut.gz', packed.subarray(0, packed.length - 5000)), '--json'])
  assert.equal(cut.code, 0)
  const report = JSON.parse(cut.out)
  assert.ok(report.files[0].fault)
  assert.ok(report.requests > 10_000)
})

test('only what is asked for is told: hosts, and a time in the zone', async () => {
  const log = file(
    'hosts.log',
    ['a.example', 'b.example', 'a.example']
      .map((host, i) => `${host}:443 ${line(i * 3600, '192.0.2.1', '/', 200, BROWSER)}`)
      .join(''),
  )
  const { out } = await digue([
    'replay',
    log,
    '--json',
    '--host',
    'A.example',
    '--until',
    '2026-01-05 12:30',
    '--time-zone',
    'Europe/Paris',
  ])
  const report = JSON.parse(out)
  assert.deepEqual([report.requests, report.outside], [1, 2])
  assert.equal(report.sites[0].name, 'a.example')
})

test('what is learned from a calm log is what a flood is told by, and what a new Digue begins with', async () => {
  const learned = join(folder, 'calm.json')
  const first = await digue(['replay', file('calm.log', aLog(false)), '--learn', learned])
  assert.equal(first.code, 0, first.err)
  assert.equal(statSync(learned).mode & 0o077, 0)
  const flood = attacked
    .split('\n')
    .filter((text) => text.includes('10:20:'))
    .join('\n')
  const alone = JSON.parse((await digue(['replay', file('flood.log', flood), '--json'])).out)
  assert.deepEqual(alone.sites[0].incidents, [])
  const told = JSON.parse(
    (await digue(['replay', join(folder, 'flood.log'), '--json', '--baseline', learned])).out,
  )
  assert.equal(told.sites[0].incidents.length, 1)
  assert.equal(told.sites[0].incidents[0].looksLike, 'attack')

  const origin = await startOrigin((_request, response) => response.end('page'))
  const state = join(folder, 's')
  const args = [
    '--origin',
    origin.url,
    '--listen',
    '127.0.0.1:0',
    '--state',
    state,
    '--baseline-from',
    learned,
  ]
  const site = await running(args)
  assert.ok(
    site.lines.find((entry) => entry['code'] === 'baseline' && entry['requests'] === 30_000),
    JSON.stringify(site.lines),
  )
  const status = JSON.parse((await digue(['status', '--state', state, '--json'])).out)
  assert.equal(status.sites[0].hasBaseline, true)
  assert.equal(await site.stop(), 0)
})
