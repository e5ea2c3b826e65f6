import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ANSWERED, decision, scene, value } from './pipeline.fixture.ts'

test('an admitted request is relayed, and its permit comes back once', () => {
  const { gate, hammer, receive, pipeline } = scene()
  const { carrier, exchange, connection } = receive()
  assert.equal(carrier.did, 'relay')
  assert.equal(connection.proven, true)
  exchange.firstByte(200)
  exchange.originEnded('answered')
  exchange.end(ANSWERED)
  exchange.end(ANSWERED)
  assert.deepEqual(gate.calls, ['ask', 'responded', 'settle answered'])
  assert.equal(hammer.completed, 1)
  assert.equal(connection.active, 0)
  assert.equal(pipeline.active, 0)
  assert.equal(pipeline.recorder.drain().records.length, 1)
})

test('a waiting request is relayed when its turn comes', () => {
  const { gate, receive, pipeline } = scene()
  gate.verdict = { action: 'queue' }
  const { carrier, exchange } = receive()
  assert.equal(carrier.did, '')
  pipeline.tick()
  exchange.decided({ action: 'admit' })
  assert.equal(carrier.did, 'relay')
  pipeline.tick()
  assert.deepEqual(gate.calls, ['ask', 'tick'])
})

test('a waiting request whose client leaves is withdrawn', () => {
  const { gate, receive, pipeline } = scene()
  gate.verdict = { action: 'queue' }
  const { exchange } = receive()
  exchange.clientGone()
  assert.deepEqual(gate.calls, ['ask', 'withdraw'])
  assert.equal(pipeline.active, 0)
  assert.equal(pipeline.recorder.drain().records[0]?.reason, 'client-gone')
})

test('a shed request gets 503 and when to come back; a person gets a page, a program a problem', () => {
  const { gate, hammer, receive } = scene()
  gate.verdict = { action: 'shed', reason: 'over-share', retryAfterS: 4 }
  const program = receive().carrier
  assert.equal(program.status, 503)
  assert.equal(value(program, 'digue-mitigated'), 'over-share')
  assert.equal(value(program, 'content-type'), 'application/problem+json')
  assert.ok(Number(value(program, 'retry-after')) >= 4)
  const person = receive({ fields: ['Accept', 'text/html'] }).carrier
  assert.equal(value(person, 'content-type'), 'text/html; charset=utf-8')
  assert.equal(hammer.refused, 2)
})

test('observe decides and records, and lets all pass', () => {
  const { gate, hammer, receive, pipeline } = scene({
    site: { mode: 'observe' },
    policy: { decisions: [decision('refuse', { cidr: '198.51.100.0/24' })] },
  })
  gate.verdict = { action: 'shed', reason: 'over-share', retryAfterS: 4 }
  const shed = receive()
  assert.equal(shed.carrier.did, 'relay')
  shed.exchange.end(ANSWERED)
  gate.verdict = { action: 'queue' }
  const queued = receive()
  assert.equal(queued.carrier.did, 'relay')
  queued.exchange.end(ANSWERED)
  gate.verdict = { action: 'admit' }
  const refused = receive({ peer: '198.51.100.1' })
  assert.equal(refused.carrier.did, 'relay')
  refused.exchange.end(ANSWERED)
  hammer.state = 'drop'
  const hammering = receive()
  assert.equal(hammering.carrier.did, 'relay')
  hammering.exchange.end(ANSWERED)
  assert.deepEqual(
    pipeline.recorder.drain().records.map((record) => `${record.action} ${record.reason}`),
    [
      'relay observed-over-share',
      'relay observed-queue',
      'relay observed-refused',
      'relay observed-hammering',
    ],
  )
  assert.deepEqual(gate.calls.filter((call) => call.startsWith('settle')).length, 4)
})

test('allow beats refuse, and each ends by itself', () => {
  const decisions = [
    decision('refuse', { cidr: '192.0.2.0/24' }),
    decision('allow', { path: '/open' }),
    decision('refuse', { path: '/closed', expiresAtMs: 1 }),
  ]
  const { receive } = scene({ policy: { decisions } })
  assert.equal(receive().carrier.status, 403)
  const open = receive({ target: '/open?x' })
  assert.equal(open.carrier.did, 'relay')
  assert.equal(open.exchange.lane, 'operator')
  assert.equal(receive({ peer: '203.0.113.1', target: '/closed' }).carrier.did, 'relay')
})

test('a refused path is refused however it is spelled', () => {
  const { receive } = scene({ policy: { decisions: [decision('refuse', { path: '/search' })] } })
  for (const target of [
    '/search',
    '/search?q',
    '/%73earch',
    '//search',
    '/./search',
    '/a/../search',
    '/a/%2e%2e/search',
  ]) {
    assert.equal(receive({ target }).carrier.status, 403, target)
  }
  for (const target of ['/', '/x/search', '/%', '/sea%20rch'])
    assert.equal(receive({ target }).carrier.did, 'relay', target)
})

test('bypass passes everything without asking', () => {
  const { gate, hammer, receive } = scene({
    policy: { bypass: true, decisions: [decision('refuse', { cidr: '192.0.2.0/24' })] },
  })
  hammer.state = 'drop'
  assert.equal(receive().carrier.did, 'relay')
  assert.deepEqual(gate.calls, ['pass'])
})

test('who hammers gets 429, then nothing; the operator’s allow list neither', () => {
  const { gate, hammer, receive } = scene({
    policy: { decisions: [decision('allow', { cidr: '203.0.113.0/24' })] },
  })
  hammer.state = 'hammering'
  assert.equal(receive().carrier.status, 429)
  hammer.state = 'drop'
  assert.equal(receive().carrier.did, 'drop')
  assert.deepEqual(gate.calls, [])
  assert.equal(receive({ peer: '203.0.113.9' }).carrier.did, 'relay')
})

test('a trusted proxy is believed about its client, a stranger is not', () => {
  const { receive } = scene({ config: { trustedProxies: ['192.0.2.0/24'] } })
  const fields = ['X-Forwarded-For', '198.51.100.7', 'X-Forwarded-Proto', 'https']
  const believed = receive({ fields }).exchange
  assert.equal(believed.client.text, '198.51.100.7')
  assert.equal(believed.secure, true)
  const stranger = receive({ fields, peer: '203.0.113.1' }).exchange
  assert.equal(stranger.client.text, '203.0.113.1')
  assert.equal(stranger.secure, false)
})

test('a permit goes back 2 s after the first byte, and the exchange counts as long-lived', () => {
  const { gate, receive, pipeline, clock, house } = scene()
  const { exchange, keepAlives } = receive()
  exchange.firstByte(200)
  clock.nowMs += 1999
  pipeline.tick()
  assert.equal(exchange.permit, 'held')
  clock.nowMs += 1
  pipeline.tick()
  assert.equal(exchange.permit, 'long-lived')
  assert.deepEqual(keepAlives, [true], 'a peer that vanished is found out')
  const site = house.findSite('example.org')!
  assert.equal(site.tally.longLived, 1)
  exchange.end(ANSWERED)
  assert.equal(site.tally.longLived, 0)
  assert.deepEqual(gate.calls, ['ask', 'responded', 'detach'])
})

test('a full long-lived budget costs the prefix that holds most its oldest', () => {
  const { receive, house } = scene({ site: { maxLongLived: 3 } })
  const exchanges = ['192.0.2.1', '203.0.113.1', '203.0.113.2', '198.51.100.1'].map((peer) =>
    receive({ peer }),
  )
  for (const { exchange } of exchanges) exchange.goLongLived()
  assert.deepEqual(
    exchanges.map(({ carrier }) => carrier.did),
    ['relay', 'drop', 'relay', 'relay'],
  )
  assert.deepEqual(house.drainCounters(), { 'long-lived-full': 1 })
})

test('an unknown host is answered before anything else is looked at', () => {
  const { receive, gate, house } = scene({ policy: { bypass: true } })
  const { carrier } = receive({ host: 'other.example' })
  assert.equal(carrier.did, 'answer, close')
  assert.equal(carrier.status, 421)
  assert.deepEqual(gate.calls, [])
  assert.deepEqual(house.drainCounters(), { 'unknown-host': 1 })
})

test('plain HTTP is redirected to the same place, challenges of a certificate authority are not', () => {
  const { receive, gate } = scene({ site: { redirectToHttps: true } })
  const { carrier } = receive({ target: '/a?b' })
  assert.equal(carrier.status, 308)
  assert.equal(value(carrier, 'location'), 'https://example.org/a?b')
  gate.verdict = { action: 'shed', reason: 'over-share', retryAfterS: 1 }
  assert.equal(receive({ target: '/.well-known/acme-challenge/abc' }).carrier.did, 'relay')
  assert.deepEqual(gate.calls, ['pass'])
})

test('challenges are no way around the gate for a flood', () => {
  const { receive, gate, house } = scene()
  gate.verdict = { action: 'shed', reason: 'over-share', retryAfterS: 1 }
  const asked = Array.from(
    { length: 100 },
    () => receive({ target: '/.well-known/acme-challenge/abc' }).carrier,
  )
  assert.equal(asked.filter((carrier) => carrier.did === 'relay').length, 16)
  assert.equal(asked.filter((carrier) => carrier.status === 503).length, 84)
  assert.deepEqual(house.drainCounters(), { 'challenge-limited': 84 })
})

test('only what an authority would ask for is a challenge for the origin', () => {
  const { receive, gate } = scene()
  gate.verdict = { action: 'shed', reason: 'over-share', retryAfterS: 1 }
  for (const request of [
    { target: '/.well-known/acme-challenge/../../search' },
    { target: '/.well-known/acme-challenge/%2e%2e/x' },
    { target: '/.well-known/acme-challenge/abc?x' },
    { target: '/.well-known/acme-challenge/' },
    { method: 'POST', target: '/.well-known/acme-challenge/abc' },
  ])
    assert.equal(receive(request).carrier.status, 503, request.target)
})

test('challenges come from a directory, and nothing else does', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'digue-acme-'))
  const inside = join(folder, 'tokens')
  await import('node:fs').then((fs) => fs.mkdirSync(inside))
  writeFileSync(join(inside, 'good-token_1'), 'good-token_1.key')
  writeFileSync(join(folder, 'secret'), 'secret')
  writeFileSync(join(inside, 'large'), Buffer.alloc(5000))
  symlinkSync(inside, join(inside, 'folder'))
  const { receive } = scene({ site: { acmeChallenge: inside } })
  const status = async (name: string) => {
    const { carrier } = receive({ target: `/.well-known/acme-challenge/${name}` })
    while (carrier.did === '') await new Promise((resolve) => setImmediate(resolve))
    return carrier.status
  }
  assert.equal(await status('good-token_1'), 200)
  for (const name of [
    '',
    'absent',
    '../secret',
    '..%2fsecret',
    'good-token_1?x',
    'large',
    'folder',
    '.',
    '%67ood-token_1',
    'a'.repeat(200),
  ]) {
    assert.equal(await status(name), 404, name)
  }
  rmSync(folder, { recursive: true })
})

test('in a flood only a sample is recorded, and the rest is counted', () => {
  const { gate, receive, pipeline } = scene()
  gate.verdict = { action: 'shed', reason: 'over-share', retryAfterS: 4 }
  for (let i = 0; i < 1000; i++) receive()
  const { records, lost } = pipeline.recorder.drain()
  assert.equal(records.length + lost, 1000)
  assert.ok(records.length < 300)
  assert.equal(new Set(records.map((record) => record.ray)).size, records.length)
})
