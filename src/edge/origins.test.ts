import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configSchema } from '#config'
import { type OriginEvent, Origins } from './origins.ts'

function scene(count: number) {
  const origins = Array.from({ length: count }, (_, i) => `http://192.0.2.${i + 1}`)
  const site = configSchema.parse({ sites: [{ hosts: ['*'], origins }] }).sites[0]!
  const clock = { nowMs: 0 }
  const events: OriginEvent[] = []
  const set = new Origins(site, { now: () => clock.nowMs, onChange: (event) => events.push(event) })
  const fail = (url: string, times: number) => {
    for (let done = 0; done < times; ) {
      const origin = set.pick()
      if (origin.url === url) {
        set.failed(origin, 'origin-refused')
        done++
      } else set.returned(origin)
    }
  }
  return { set, clock, events, fail }
}

test('the origin with the fewest exchanges in flight is picked', () => {
  const { set } = scene(3)
  const counts = new Map<string, number>()
  for (let i = 0; i < 30; i++) {
    const { url } = set.pick()
    counts.set(url, (counts.get(url) ?? 0) + 1)
  }
  assert.deepEqual([...counts.values()], [10, 10, 10])
})

test('an origin rests after three failures in a row, longer each time, and is then tried again', () => {
  const { set, clock, events, fail } = scene(2)
  fail('http://192.0.2.1', 2)
  assert.deepEqual(events, [])
  fail('http://192.0.2.1', 1)
  assert.deepEqual(events, [{ url: 'http://192.0.2.1', healthy: false, reason: 'origin-refused' }])
  for (let i = 0; i < 4; i++) assert.equal(set.pick().url, 'http://192.0.2.2')
  clock.nowMs = 1000
  fail('http://192.0.2.1', 1)
  clock.nowMs = 2999
  assert.equal(set.states[0]?.healthy, false)
  clock.nowMs = 3000
  assert.equal(set.states[0]?.healthy, true)
  const tried = set.pick()
  assert.equal(tried.url, 'http://192.0.2.1')
  set.succeeded(tried)
  assert.deepEqual(events.at(-1), { url: 'http://192.0.2.1', healthy: true, reason: '' })
})

test('when all rest, the one whose rest ends first is tried all the same', () => {
  const { set, clock, fail } = scene(2)
  fail('http://192.0.2.1', 3)
  clock.nowMs = 10
  fail('http://192.0.2.2', 3)
  assert.equal(set.pick().url, 'http://192.0.2.1')
})

test('an answer between two failures makes them none', () => {
  const { set, events } = scene(1)
  for (let i = 0; i < 10; i++) {
    set.failed(set.pick(), 'origin-closed')
    set.failed(set.pick(), 'origin-closed')
    set.succeeded(set.pick())
  }
  assert.deepEqual(events, [])
})

test('another origin is picked than the one that just refused, if there is one', () => {
  const two = scene(2)
  const first = two.set.pick()
  for (let i = 0; i < 5; i++) assert.notEqual(two.set.pick(first).url, first.url)
  const one = scene(1)
  const only = one.set.pick()
  assert.equal(one.set.pick(only), only)
})

test('addresses of origins are understood: ports, IPv6, Unix sockets', () => {
  const site = configSchema.parse({
    sites: [
      { hosts: ['*'], origins: ['http://[2001:db8::1]:8080', 'https://example.org/', 'unix:/run/site.sock'] },
    ],
  }).sites[0]!
  const set = new Origins(site)
  const found = [set.pick(), set.pick(), set.pick()].map(({ secure, hostname, port, socketPath }) => ({
    secure,
    hostname,
    port,
    socketPath,
  }))
  for (const expected of [
    { secure: false, hostname: '2001:db8::1', port: 8080, socketPath: '' },
    { secure: true, hostname: 'example.org', port: 443, socketPath: '' },
    { secure: false, hostname: 'localhost', port: 0, socketPath: '/run/site.sock' },
  ]) {
    assert.ok(found.some((origin) => JSON.stringify(origin) === JSON.stringify(expected)))
  }
})

test('an exchange that outlives a reload may report an origin of the set before', () => {
  const before = scene(1)
  const after = scene(1)
  const origin = before.set.pick()
  after.set.succeeded(origin)
  after.set.failed(origin, 'origin-closed')
  after.set.returned(origin)
  assert.deepEqual(after.events, [])
  assert.equal(after.set.states[0]!.healthy, true)
})
