import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { digue, get, running, scratchFolder, startOrigin } from './cli-harness.ts'

const folder = scratchFolder()

test('SIGHUP takes a good configuration, keeps the old one for a bad one, and loses no request', async () => {
  const one = await startOrigin((_request, response) => response.end('one'))
  const two = await startOrigin((_request, response) => response.end('two'))
  const file = join(folder, 'digue.yaml')
  const write = (origin: string, extra = '') =>
    writeFileSync(
      file,
      `state: s\nthreads: 1\nlisten: "127.0.0.1:0"\nadmin: { metrics: "off" }\nsites:\n  - { host: "*", origin: "${origin}" }\n${extra}`,
    )
  write(one.url)
  const site = await running(['--config', file])
  assert.equal((await get(site.port)).body, 'one')

  let asking = true
  const answers: number[] = []
  const visitor = (async () => {
    while (asking) answers.push((await get(site.port)).status)
  })()

  write(two.url, 'unknown: 1\n')
  site.child.kill('SIGHUP')
  const fault = await site.line((line) => line['code'] === 'reload' && line['level'] === 'error')
  assert.match(JSON.stringify(fault['faults']), /unknown key/)
  assert.equal((await get(site.port)).body, 'one')

  write(two.url)
  site.child.kill('SIGHUP')
  await site.line((line) => line['msg'] === 'reload: the new configuration is in force')
  assert.equal((await get(site.port)).body, 'two')
  asking = false
  await visitor
  assert.ok(answers.length > 0)
  assert.deepEqual(
    answers.filter((status) => status !== 200),
    [],
  )
  assert.equal(await site.stop(), 0)
})

test('SIGTERM lets what is open finish and takes nothing new', async () => {
  let finish: () => void = () => {}
  const origin = await startOrigin((_request, response) => {
    response.write('begun ')
    finish = () => response.end('and finished')
  })
  const site = await running([
    '--origin',
    origin.url,
    '--listen',
    '127.0.0.1:0',
    '--state',
    join(folder, 't'),
  ])
  const open = get(site.port)
  await once(origin.server, 'request')
  const ended = site.stop()
  await site.line((line) => /^draining/.test(String(line['msg'])))
  finish()
  assert.deepEqual(await open, { status: 200, body: 'begun and finished' })
  assert.equal(await ended, 0)
  await assert.rejects(get(site.port), { code: 'ECONNREFUSED' })
})

test('the access log is written, moved aside and begun anew; a disk that fails costs lines, not requests', async () => {
  const origin = await startOrigin((_request, response) => response.end('page'))
  const file = join(folder, 'logged.yaml')
  const write = (log: string) =>
    writeFileSync(
      file,
      `state: l\nlisten: "127.0.0.1:0"\nadmin: { metrics: "off" }\nlog: { access: ${log}, requests: all }\nsites: [{ host: "*", origin: "${origin.url}" }]\n`,
    )
  const log = join(folder, 'access.log')
  write(log)
  const site = await running(['--config', file])
  await get(site.port, '/first', { 'user-agent': 'test "quoted"' })
  const line = await site.line((one) => one['msg'] === 'request' && one['target'] === '/first')
  for (const field of [
    'site',
    'client',
    'action',
    'reason',
    'lane',
    'ja4',
    'status',
    'durationMs',
    'originMs',
    'ray',
  ]) {
    assert.ok(field in line, field)
  }
  renameSync(log, `${log}.1`)
  site.child.kill('SIGHUP')
  await site.line((one) => one['msg'] === 'reload: the new configuration is in force')
  await get(site.port, '/second')
  await site.line((one) => one['target'] === '/second')

  write('/dev/full')
  site.child.kill('SIGHUP')
  await site.line((one) => one['msg'] === 'reload: the new configuration is in force' && one !== line)
  assert.equal((await get(site.port, '/third')).status, 200)
  await site.line((one) => one['code'] === 'access-log')
  assert.equal((await get(site.port, '/fourth')).status, 200)
  assert.equal(await site.stop(), 0)
  assert.match(
    readFileSync(`${log}.1`, 'utf8'),
    /^127\.0\.0\.1 - - \[.*\] "GET \/first HTTP\/1\.1" 200 4 "-" "test /m,
  )
  assert.match(readFileSync(log, 'utf8'), /"GET \/second HTTP\/1\.1" 200/)
})

test('an unreadable state file stops recording, not serving', async () => {
  const origin = await startOrigin((_request, response) => response.end('page'))
  const state = join(folder, 'u')
  const args = ['--origin', origin.url, '--listen', '127.0.0.1:0', '--state', state]
  const first = await running(args)
  assert.equal(await first.stop(), 0)
  writeFileSync(join(state, 'brain.json'), 'damaged')
  const second = await running(args)
  await second.line((line) => line['code'] === 'state')
  assert.equal((await get(second.port)).status, 200)
  const { out } = await digue(['status', '--state', state])
  assert.match(out, /^! .*damaged/m)
  assert.equal(await second.stop(), 0)
  assert.equal(readFileSync(join(state, 'brain.json'), 'utf8'), 'damaged')
})

test('calm weather is learned from an old access log before the first request', async () => {
  const origin = await startOrigin((_request, response) => response.end('page'))
  const log = join(folder, 'old.log')
  let text = 'not a log line\n'
  for (let i = 0; i < 3000; i++)
    text += `192.0.2.${i % 100} - - [20/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 10 "-" "test"\n`
  writeFileSync(log, text)
  const state = join(folder, 'b')
  const site = await running([
    '--origin',
    origin.url,
    '--listen',
    '127.0.0.1:0',
    '--state',
    state,
    '--baseline-from',
    log,
  ])
  const learned = site.lines.find((line) => line['code'] === 'baseline' && line['requests'] === 3000)
  assert.ok(learned, JSON.stringify(site.lines))
  const { out } = await digue(['status', '--state', state, '--json'])
  assert.equal(JSON.parse(out).sites[0].hasBaseline, true)
  assert.equal(await site.stop(), 0)
})

test('start serves the demo site and says what to open', async () => {
  const home = join(folder, 'h')
  const { spawn } = await import('node:child_process')
  const child = spawn(
    process.execPath,
    ['-C', 'source', new URL('../../src/cli/main.ts', import.meta.url).pathname, 'start', '--port', '0'],
    {
      env: { ...process.env, XDG_STATE_HOME: home, STATE_DIRECTORY: '' },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let out = ''
  child.stdout.setEncoding('utf8')
  while (!/Stop/.test(out)) out += (await once(child.stdout, 'data'))[0]
  const port = Number(/http:\/\/localhost:(\d+)\//.exec(out)?.[1])
  const page = await get(port)
  assert.equal(page.status, 200)
  assert.match(page.body, /Town library/)
  child.kill('SIGTERM')
  assert.deepEqual(await once(child, 'exit'), [0, null])
})
