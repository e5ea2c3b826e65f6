import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CacheRules, type StoredResponse, storedBytes } from '#cache'
import { Shelf } from './shelf.ts'

const NOW_MS = Date.UTC(2026, 10, 24)
const RULES: CacheRules = { heuristicMs: 0, staleMs: 0, objectBytes: 1e6, isEmergencyPath: () => false }

function response(key: string, over: Partial<StoredResponse> = {}): StoredResponse {
  return {
    key,
    variant: '',
    vary: [],
    status: 200,
    fields: ['cache-control', 'max-age=60'],
    body: new Uint8Array(1000),
    requestedAtMs: NOW_MS,
    receivedAtMs: NOW_MS,
    purpose: 'reuse',
    ...over,
  }
}

function scene(memoryBytes = 1e6) {
  const counted: string[] = []
  let rules: CacheRules | undefined = RULES
  const shelf = new Shelf({ memoryBytes, rulesOf: () => rules, count: (counter) => counted.push(counter) })
  const actual = () => [...shelf.responses()].reduce((sum, each) => sum + storedBytes(each), 0)
  return { shelf, counted, actual, rules: (given: CacheRules | undefined) => (rules = given) }
}

test('a younger response takes the place of an older one, never the other way round', () => {
  const { shelf, actual } = scene()
  shelf.put(response('a'))
  const younger = response('a', { receivedAtMs: NOW_MS + 1, body: new Uint8Array(10) })
  assert.ok(shelf.put(younger) !== undefined)
  assert.equal(shelf.put(response('a'))?.response, younger)
  assert.deepEqual([...shelf.responses()], [younger])
  assert.equal(shelf.bytes, actual())
})

test('what may not be kept any more is not taken, whoever brings it', () => {
  const { shelf, rules } = scene()
  assert.equal(shelf.put(response('a', { fields: ['cache-control', 'private'] })), undefined)
  rules(undefined)
  assert.equal(shelf.put(response('a')), undefined)
  assert.equal(shelf.keys, 0)
})

test('variants that clients make up push each other out, not other pages', () => {
  const { shelf, counted, actual } = scene()
  shelf.put(response('other'))
  for (let n = 0; n < 100; n++) shelf.put(response('a', { variant: `v${n}`, vary: ['x'] }))
  assert.equal(shelf.get('a').length, 64)
  assert.equal(shelf.get('other').length, 1)
  assert.equal(counted.length, 36)
  assert.equal(shelf.bytes, actual())
})

test('without its library it stays within a quarter more than the library would keep', () => {
  const { shelf, counted, actual } = scene(100_000)
  for (let n = 0; n < 1000; n++) shelf.put(response(`page ${n}`))
  assert.ok(shelf.bytes <= 125_000)
  assert.equal(shelf.bytes, actual())
  assert.equal(counted[0], 'cache-shelf-full')
  assert.equal(shelf.get('page 999').length, 1)
})

test('bytes are those of what is there, however it went', () => {
  const { shelf, actual, rules } = scene()
  for (const key of ['a', 'b', 'c'])
    for (const variant of ['1', '2']) shelf.put(response(key, { variant, vary: ['x'] }))
  shelf.drop('a', '1')
  shelf.drop('a', 'never there')
  shelf.remove('b')
  shelf.remove('never there')
  assert.equal(shelf.bytes, actual())
  assert.deepEqual([shelf.keys, [...shelf.responses()].length], [2, 3])
  rules(undefined)
  shelf.configured()
  assert.deepEqual([shelf.keys, shelf.bytes], [0, 0])
})
