import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { digue, get, running, scratchFolder, startOrigin } from './cli-harness.ts'

const folder = scratchFolder()

test('check tells all faults with exit code 2, and a good file with 0', async () => {
  const bad = join(folder, 'bad.yaml')
  writeFileSync(
    bad,
    'listen: nonsense\nthreads: 0\nsites:\n  - host: a.example.org\n    orgin: http://127.0.0.1:1\n',
  )
  const told = await digue(['check', bad])
  assert.equal(told.code, 2)
  assert.match(told.err, /listen: expected a listener .*got "nonsense" \(.*bad\.yaml line 1\)/)
  assert.match(told.err, /threads: expected a whole number from 1 to 256, or "auto", got 0 \(.* line 2\)/)
  assert.match(told.err, /sites\[0\]\.orgin: expected origin, got the unknown key "orgin" \(.* line 5\)/)
  const json = await digue(['check', bad, '--json'])
  assert.equal(json.code, 2)
  assert.equal(JSON.parse(json.out).faults.length, 4)

  const good = join(folder, 'good.yaml')
  writeFileSync(good, 'sites: [{ host: a.example.org, origin: "http://127.0.0.1:3000" }]\n')
  const passed = await digue(['check', good])
  assert.equal(passed.code, 0, passed.err)
  assert.match(passed.out, /good\. 1 site, 1 listener/)
})

test('a wrong configuration never starts, and an unknown option says what to do', async () => {
  const bad = join(folder, 'worse.yaml')
  writeFileSync(bad, 'sites: []\n')
  const started = await digue(['run', '--config', bad])
  assert.equal(started.code, 2)
  assert.match(started.err, /sites: expected at least one site/)
  const unknown = await digue(['run', '--orgin', 'x'])
  assert.equal(unknown.code, 2)
  assert.match(unknown.err, /--origin/)
  const both = await digue(['run', '--origin', 'http://127.0.0.1:1', '--config', bad])
  assert.equal(both.code, 2)
})

test('where nothing runs a command ends with 3 and says so', async () => {
  const status = await digue(['status', '--state', join(folder, 'nowhere')])
  assert.equal(status.code, 3)
  assert.match(status.err, /no Digue runs at/)
})

test('status, attack, bypass and decisions work on what runs, and last over a restart', async () => {
  const origin = await startOrigin((_request, response) => response.end('the real page'))
  const state = join(folder, 's')
  const args = ['--origin', origin.url, '--listen', '127.0.0.1:0', '--state', state]
  let site = await running(args)
  assert.equal((await get(site.port)).body, 'the real page')

  const json = async (...command: string[]) => {
    const { code, out, err } = await digue([...command, '--state', state, '--json'])
    assert.equal(code, 0, err)
    return JSON.parse(out)
  }
  const status = await json('status')
  assert.equal(status.pid, site.child.pid)
  assert.equal(status.sites.length, 1)
  assert.deepEqual(status.ports, [site.port])
  const text = await digue(['status', '--state', state])
  assert.match(text.out, /Calm: nobody waits/)

  assert.deepEqual(await json('attack', 'on'), { attack: 'on' })
  assert.equal((await json('status')).sites[0].posture, 'flooded')
  await json('attack', 'auto')
  assert.equal((await digue(['attack', 'maybe', '--state', state])).code, 2)

  const refused = await json(
    'decisions',
    'add',
    '--refuse',
    '--path',
    '/search',
    '--for',
    '30m',
    '--note',
    'a test',
  )
  assert.equal(refused.path, '/search')
  assert.equal((await get(site.port, '/search?q=1')).status, 403)
  assert.equal((await get(site.port, '/other')).status, 200)
  // Allow beats refuse.
  const allowed = await json('decisions', 'add', '--allow', '--cidr', '127.0.0.0/8')
  assert.equal((await get(site.port, '/search?q=2')).status, 200)
  await json('decisions', 'delete', allowed.id)
  assert.equal((await get(site.port, '/search?q=3')).status, 403)
  const wrong = await digue(['decisions', 'add', '--refuse', '--cidr', '127.0.0.1/8', '--state', state])
  assert.equal(wrong.code, 2)
  assert.match(wrong.err, /without host bits/)

  await json('bypass', 'on')
  assert.equal((await get(site.port, '/search?q=4')).status, 200)
  await json('bypass', 'off')

  const second = await digue(['run', ...args])
  assert.equal(second.code, 1)
  assert.match(second.err, /another Digue already runs/)

  assert.equal(await site.stop(), 0)
  site = await running(args)
  const kept = await json('decisions', 'list')
  assert.deepEqual(
    kept.map((decision: { id: string }) => decision.id),
    [refused.id],
  )
  assert.equal((await get(site.port, '/search?q=5')).status, 403)
  await json('decisions', 'delete', refused.id)
  assert.equal((await digue(['decisions', 'delete', 'nothing', '--state', state])).code, 1)
  assert.equal(await site.stop(), 0)
})

test('doctor finds an origin that strangers can reach', async () => {
  const exposed = createServer().listen(0, '0.0.0.0')
  await once(exposed, 'listening')
  const { port: exposedPort } = exposed.address() as { port: number }
  const told = await digue([
    'doctor',
    '--origin',
    `http://127.0.0.1:${exposedPort}`,
    '--state',
    join(folder, 'none'),
    '--json',
  ])
  exposed.close()
  const findings = JSON.parse(told.out) as { check: string; level: string; advice: string }[]
  assert.equal(findings.find(({ check }) => check === 'origin-exposed')?.level, 'bad')
  assert.equal(findings.find(({ check }) => check === 'origin-answers')?.level, 'good')
  assert.equal(told.code, 1)
  for (const { level, advice } of findings)
    if (level === 'bad' || level === 'warn') assert.notEqual(advice, '')
})

test('doctor and the log name a proxy that nobody trusts', async () => {
  const origin = await startOrigin((_request, response) => response.end('page'))
  const state = join(folder, 'p')
  const site = await running(['--origin', origin.url, '--listen', '127.0.0.1:0', '--state', state])
  for (let i = 0; i < 8; i++)
    await Promise.all(
      Array.from({ length: 40 }, () => get(site.port, '/', { 'x-forwarded-for': '192.0.2.7' })),
    )
  await site.line((line) => line['code'] === 'untrusted-proxy')
  const told = await digue(['doctor', '--origin', origin.url, '--state', state, '--json'])
  const findings = JSON.parse(told.out) as { check: string; level: string; advice: string }[]
  const finding = findings.find(({ check }) => check === 'trusted-proxies')
  assert.equal(finding?.level, 'bad')
  assert.match(finding?.advice ?? '', /trustedProxies: \["127\.0\.0\.1"\]/)
  assert.equal(await site.stop(), 0)
})
