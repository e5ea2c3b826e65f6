import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deskScene, FLOODED, finish } from './desk.fixture.ts'

const FRESH = ['cache-control', 'max-age=60'] as const
const HOME = 'http://example.org/'

test('one asks, the others are served with its answer; none of them holds a permit', () => {
  const { receive, respond, gate, capacity } = deskScene()
  const [first, ...others] = Array.from({ length: 10 }, () => receive())
  assert.equal(first!.carrier.did, 'relay')
  assert.equal(capacity.state(0).inFlight, 1)
  respond(first!, 200, FRESH, 'page')
  for (const { carrier, exchange } of others) {
    assert.equal(carrier.text, 'page')
    finish(exchange)
  }
  assert.equal(gate.report().inFlight, 0)
})

test('a client that leaves the line, or is shed there, lands nobody else', () => {
  const { receive, respond, pass } = deskScene({ limit: 1 })
  const blocker = receive({ target: '/slow' })
  const leaving = receive({ peer: '192.0.2.3' })
  const shed = receive({ peer: '192.0.2.4' })
  // The newest goes first.
  const leader = receive({ peer: '192.0.2.2' })
  respond(blocker, 200, [])
  assert.equal(leader.carrier.did, 'relay')
  const follower = receive({ peer: '192.0.2.5' })
  leaving.exchange.clientGone()
  pass(2000)
  assert.equal(shed.carrier.did, 'answer')
  assert.equal(follower.carrier.did, '', 'it still follows')
  respond(leader, 200, FRESH, 'page')
  assert.equal(follower.carrier.text, 'page')
})

test('who stood in line for a page that has come is served, whatever else frees a place', () => {
  const { receive, respond, gate, site } = deskScene({ limit: 1 })
  const blocker = receive({ target: '/slow' })
  const waiting = Array.from({ length: 8 }, (_, n) => receive({ peer: `198.51.${n}.1` }))
  respond(blocker, 200, [])
  const leaders = waiting.filter(({ carrier }) => carrier.did === 'relay')
  assert.equal(leaders.length, 1)
  respond(leaders[0]!, 200, FRESH, 'page')
  for (const { exchange, carrier } of waiting) {
    assert.equal(carrier.did, carrier === leaders[0]!.carrier ? 'relay' : 'serve')
    finish(exchange)
  }
  assert.deepEqual([gate.report().inFlight, site.tally.waiting], [0, 0])
})

test('a permit that is not needed is free at once, and costs nobody anything', () => {
  const { receive, respond, capacity } = deskScene({ limit: 2 })
  const blockers = [receive({ target: '/a' }), receive({ target: '/b' })]
  const both = [receive({ peer: '198.51.100.1' }), receive({ peer: '203.0.113.1' })]
  for (const blocker of blockers) respond(blocker, 200, [])
  assert.deepEqual(both.map(({ carrier }) => carrier.did).sort(), ['', 'relay'])
  assert.equal(capacity.state(0).inFlight, 1)
})

test('a page that may not be stored is waited for once, by strangers and by the others apart', () => {
  const { receive, respond } = deskScene()
  const mine = { fields: ['cookie', 'session=1'] }
  respond(receive(mine), 200, ['cache-control', 'private'])
  assert.deepEqual([receive(mine).carrier.did, receive(mine).carrier.did], ['relay', 'relay'])
  const first = receive()
  assert.equal(receive().carrier.did, '', 'strangers may share it')
  respond(first, 200, FRESH, 'page')
  assert.equal(receive().carrier.text, 'page')
})

test('how somebody asks for a page makes the others no less patient', () => {
  const { receive, respond } = deskScene()
  respond(receive({ method: 'HEAD' }), 200, FRESH)
  respond(receive({ fields: ['cache-control', 'no-store'] }), 200, FRESH, 'page')
  respond(receive({ fields: ['range', 'bytes=0-0'] }), 416, [])
  respond(receive({ fields: ['if-none-match', '"1"'] }), 304, [])
  assert.equal(receive().carrier.did, 'relay')
  assert.equal(receive().carrier.did, '')
})

test('a request with a body has nothing to do with what is stored', () => {
  const { receive, respond } = deskScene()
  respond(receive({ hasBody: true }), 200, FRESH, 'evil')
  const clean = receive()
  assert.equal(clean.carrier.did, 'relay')
  respond(clean, 200, FRESH, 'page')
  assert.equal(receive({ hasBody: true }).carrier.did, 'relay')
})

test('in a flood parameters that change nothing are passed over; the client asked for them all the same', () => {
  const { receive, respond, policy, siteCache, clock } = deskScene()
  for (let n = 0; n < 5; n++) siteCache.parameters.learn('/', 'digest', 200, clock.wallMs + n * 15_000, '')
  assert.equal(receive({ target: '/?calm=1' }).exchange.fill?.target, undefined)
  policy(FLOODED)
  const first = receive({ target: '/?r=1' })
  assert.equal(first.carrier.did, 'relay')
  assert.equal(first.exchange.head.target, '/?r=1')
  assert.equal(first.exchange.fill!.target, '/')
  respond(first, 200, FRESH, 'page')
  for (const target of ['/', '/?r=2', '/?r=3']) assert.equal(receive({ target }).carrier.text, 'page')
})

test('a refresh asks as nobody in particular', () => {
  const { receive, respond, dispatched, pass, library } = deskScene()
  respond(receive(), 200, ['cache-control', 'max-age=1, stale-while-revalidate=60'], 'page')
  pass(2000)
  const stale = receive({
    fields: [
      'cookie',
      'a=1',
      'authorization',
      'Basic eDp5',
      'cache-control',
      'max-stale',
      'range',
      'bytes=0-0',
    ],
  })
  assert.equal(stale.carrier.did, 'serve')
  pass(1000)
  receive({ fields: ['cookie', 'a=1', 'pragma', 'x', 'if-none-match', '"1"', 'accept', 'text/html'] })
  assert.deepEqual((dispatched as { headers: string[] }[])[0]?.headers, [
    'Host',
    'example.org',
    'accept',
    'text/html',
    'X-Forwarded-Host',
    'example.org',
    'X-Forwarded-Proto',
    'http',
  ])
  assert.deepEqual(library.invalidated, [])
})

test('who is told of the disk after he has left is not served', () => {
  const { receive, disk, library } = deskScene()
  disk(() => true)
  const { exchange, carrier } = receive()
  assert.equal(carrier.did, '')
  exchange.clientGone()
  for (const tell of library.wanted.splice(0)) tell()
  assert.equal(carrier.did, '')
  const stays = receive()
  for (const tell of library.wanted.splice(0)) tell()
  assert.equal(stays.carrier.did, 'relay')
})

test('bypass passes what waited for somebody else’s answer, and asks nothing of it', () => {
  const { receive, respond, policy, house, put } = deskScene()
  const leader = receive()
  const follower = receive()
  policy({ ...house.policy, bypass: true })
  respond(leader, 500, [])
  assert.equal(follower.carrier.did, 'relay')
  assert.equal(follower.exchange.fill, undefined)
  assert.deepEqual(put(HOME), [])
})

test('a shed visitor gets the stored page; once posture knows, nobody waits for it', () => {
  const { receive, respond, pass, policy } = deskScene({ limit: 1 })
  respond(receive(), 200, ['cache-control', 'max-age=1'], 'page')
  pass(5000)
  receive({ target: '/slow' })
  const waiting = receive({ peer: '198.51.100.1' })
  pass(2000)
  assert.equal(waiting.carrier.text, 'page')
  policy(FLOODED)
  assert.equal(receive({ peer: '198.51.100.2' }).carrier.text, 'page', 'at once, when posture knows')
})

test('whose turn came in the waiting room has had it when a stored page is sent, and its pictures come in too', () => {
  const { receive, respond, pipeline } = deskScene()
  const letIn: string[] = []
  pipeline.entrance.admitted = ({ lane }) => void letIn.push(lane)
  const leader = receive()
  const [follower, stranger] = [receive(), receive()]
  follower.exchange.lane = 'waiting'
  letIn.length = 0
  respond(leader, 200, FRESH, 'page')
  assert.deepEqual([follower.carrier.text, stranger.carrier.text], ['page', 'page'])
  assert.deepEqual(letIn, ['waiting'])
})

test('who has changed a page is not served what was on its way before, nor is anybody after him', () => {
  const { receive, respond, pass, put } = deskScene()
  const leader = receive()
  respond(receive({ method: 'POST' }), 303, ['location', '/'])
  pass(1)
  const author = receive()
  assert.equal(author.carrier.did, 'relay')
  respond(leader, 200, FRESH, 'of yesterday')
  assert.deepEqual(put(HOME), [])
  assert.equal(receive().carrier.did, '', 'the author leads')
  respond(author, 200, FRESH, 'with his comment')
  assert.equal(receive().carrier.text, 'with his comment')
})

test('the same when it was changed through another thread', () => {
  const { receive, respond, pass, put, desk } = deskScene()
  const leader = receive()
  desk.invalidated([HOME])
  pass(1)
  assert.equal(receive().carrier.did, 'relay')
  respond(leader, 200, FRESH, 'of yesterday')
  assert.deepEqual(put(HOME), [])
})

test('an answer that comes after a younger one neither takes its place nor makes the page one not to wait for', () => {
  const { receive, respond, shelf, pass, library } = deskScene()
  const leader = receive()
  leader.exchange.fill!.answered(200, () => FRESH)
  leader.exchange.fill!.data(Buffer.from('older'))
  pass(10)
  const other = receive({ target: '/other' })
  respond(other, 200, FRESH, 'younger')
  shelf.put({ ...shelf.get('http://example.org/other')[0]!.response, key: HOME })
  leader.exchange.fill!.completed()
  finish(leader.exchange)
  assert.equal(receive().carrier.text, 'younger')
  assert.deepEqual(
    library.stored.map(({ key }) => key),
    ['http://example.org/other'],
  )
  pass(120_000)
  assert.deepEqual([receive().carrier.did, receive().carrier.did], ['relay', ''])
})

test('what visitors want is refreshed ahead, whichever thread it came from, as one of them asks for it', () => {
  const { receive, respond, pass, desk, put, dispatched, site } = deskScene()
  const odd = receive({ fields: ['x-odd', 'evil'] })
  respond(odd, 200, ['cache-control', 'max-age=60'], 'page')
  const [stored] = put(HOME)
  desk.invalidated([HOME])
  desk.kept({ ...stored!.response })
  pass(45_000)
  for (let n = 0; n < 3; n++) receive({ fields: ['cookie', 'a=1', 'accept', 'text/html'] })
  pass(5000)
  desk.warm(site, { isArmed: false, spareRatio: 1 })
  const [{ headers }] = dispatched as [{ headers: string[] }]
  assert.ok(headers.includes('text/html'))
  assert.ok(!headers.includes('x-odd') && !headers.includes('cookie'))
})

test('parts that are asked for become the whole, which is then asked for by what is missing', () => {
  const scene = deskScene()
  const part = (range: string, body: string) =>
    scene.respond(
      scene.receive({ fields: ['range', `bytes=${range}`] }),
      206,
      ['cache-control', 'max-age=60', 'etag', '"1"', 'content-range', `bytes ${range}/10`],
      body,
    )
  part('0-2', '012')
  part('2-5', '2345')
  const within = scene.receive({ fields: ['range', 'bytes=1-4'] })
  assert.equal(`${within.carrier.did} ${within.carrier.status} ${within.carrier.text}`, 'serve 206 1234')
  const whole = scene.receive()
  assert.deepEqual(whole.exchange.fill!.conditions, ['Range', 'bytes=6-', 'If-Range', '"1"'])
  // Who wants the same waits for it; who has something already, or wants a part, does not.
  const follower = scene.receive()
  assert.equal(follower.carrier.did, '')
  assert.equal(scene.receive({ fields: ['if-none-match', '"0"'] }).exchange.fill!.conditions, undefined)
  scene.respond(
    whole,
    206,
    ['cache-control', 'max-age=60', 'etag', '"1"', 'content-range', 'bytes 6-9/10'],
    '6789',
  )
  for (const { carrier } of [whole, follower, scene.receive()])
    assert.equal(`${carrier.did} ${carrier.status} ${carrier.text}`, 'serve 200 0123456789')
})

test('who waits, in line or for another’s answer, keeps no fields that were read for the store', () => {
  const scene = deskScene({ limit: 1 })
  const first = scene.receive({ target: '/a' })
  const releases: string[] = []
  const waiting = (target: string) => {
    const head = {
      method: 'GET',
      target,
      version: '1.1',
      host: 'example.org',
      fields: ['host', 'example.org'],
    } as const
    return scene.receiveHead({ ...head, release: () => releases.push(target) }, '192.0.2.7')
  }
  assert.equal(waiting('/a').carrier.did, '')
  assert.equal(waiting('/b').carrier.did, '')
  assert.deepEqual(releases, ['/a', '/b'])
  scene.respond(first, 200, ['cache-control', 'max-age=60'], 'page')
})

test('a part teaches nothing of parameters', () => {
  const scene = deskScene()
  scene.respond(
    scene.receive({ target: '/?a=1', fields: ['range', 'bytes=0-1'] }),
    206,
    ['cache-control', 'max-age=60', 'etag', '"1"', 'content-range', 'bytes 0-1/10'],
    '01',
  )
  assert.equal(scene.siteCache.parameters.report().paths, 0)
})
