import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Eviction } from './eviction.ts'

const KEY = { k0: 1, k1: 2 }
const HOT = 50
const PAGE = 4000

/** The plain list that it is measured against. */
class Lru {
  readonly maxBytes: number
  readonly #kept = new Map<string, number>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  has(id: string): boolean {
    return this.#kept.has(id)
  }

  used(id: string): void {
    const bytes = this.#kept.get(id)
    if (bytes === undefined) return
    this.#kept.delete(id)
    this.#kept.set(id, bytes)
  }

  add(id: string, bytes: number): void {
    this.#kept.set(id, bytes)
    this.#bytes += bytes
    for (const [oldest, size] of this.#kept) {
      if (this.#bytes <= this.maxBytes) break
      this.#kept.delete(oldest)
      this.#bytes -= size
    }
  }
}

interface Policy {
  has(id: string): boolean
  used(id: string): void
  add(id: string, bytes: number): void
}

/** A request to a cache: a hit, or it is stored. */
function request(policy: Policy, id: string, bytes: number): boolean {
  const hit = policy.has(id)
  if (hit) policy.used(id)
  else policy.add(id, bytes)
  return hit
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

function hotPagesAfterScan(policy: Policy): number {
  for (let round = 0; round < 20; round++)
    for (let page = 0; page < HOT; page++) request(policy, `hot ${page}`, PAGE)
  for (let i = 0; i < 100_000; i++) request(policy, `once ${i}`, PAGE)
  let left = 0
  for (let page = 0; page < HOT; page++) if (policy.has(`hot ${page}`)) left++
  return left
}

test('a scan of 100,000 keys evicts every hot page from a plain list and none from this', () => {
  assert.equal(hotPagesAfterScan(new Lru(1e6)), 0)
  assert.equal(hotPagesAfterScan(new Eviction(1e6, { key: KEY })), HOT)
})

test('hot pages come in although a scan filled the cache before them', () => {
  const eviction = new Eviction(1e6, { key: KEY })
  for (let i = 0; i < 1000; i++) request(eviction, `once ${i}`, PAGE)
  for (let round = 0; round < 20; round++)
    for (let page = 0; page < HOT; page++) {
      request(eviction, `hot ${page}`, PAGE)
      for (let i = 0; i < 10; i++) request(eviction, `once ${round} ${page} ${i}`, PAGE)
    }
  for (let page = 0; page < HOT; page++) assert.ok(eviction.has(`hot ${page}`), `hot ${page}`)
})

test('one huge object does not evict a hundred small ones that somebody reads, but cold ones', () => {
  const eviction = new Eviction(1e6, { key: KEY })
  for (let round = 0; round < 3; round++)
    for (let page = 0; page < 100; page++) request(eviction, `page ${page}`, 9500)
  for (let i = 0; i < 10; i++)
    assert.deepEqual(eviction.add('huge', 900_000), { admitted: false, evicted: [] })
  assert.equal(eviction.size, 100)
  const empty = new Eviction(1e6, { key: KEY })
  assert.deepEqual(empty.add('huge', 900_000), { admitted: true, evicted: [] })
  for (let i = 0; i < 5; i++) empty.used('wanted')
  assert.deepEqual(empty.add('wanted', 900_000), { admitted: true, evicted: ['huge'] })
})

test('what is larger than all the room is not kept and evicts nothing', () => {
  const eviction = new Eviction(1e6, { key: KEY })
  eviction.add('page', PAGE)
  for (let i = 0; i < 20; i++) assert.equal(eviction.add('monster', 1e6 + 1).admitted, false)
  assert.ok(eviction.has('page'))
})

test('a page that grows keeps its place while there is room, and its size is counted anew', () => {
  const eviction = new Eviction(1e6, { key: KEY })
  eviction.add('page', PAGE)
  assert.deepEqual(eviction.add('page', PAGE + 100), { admitted: true, evicted: [] })
  assert.equal(eviction.bytes, PAGE + 100)
  assert.deepEqual(eviction.add('page', 10), { admitted: true, evicted: [] })
  assert.equal(eviction.bytes, 10)
  assert.equal(eviction.add('page', 2e6).admitted, false)
  assert.equal(eviction.bytes, 0)
  assert.equal(eviction.size, 0)
})

test('on a Zipf trace with sizes from 1 to 50 kB it hits more often than a plain list', (t) => {
  const trace = numbers(20_240_826)
  const names = 20_000
  const cumulated = new Float64Array(names)
  let sum = 0
  for (let i = 0; i < names; i++) cumulated[i] = sum += 1 / (i + 1) ** 0.9
  const sizes = Array.from({ length: names }, () => Math.round(1000 * 50 ** trace()))
  const total = sizes.reduce((a, b) => a + b)
  const lru = new Lru(total / 20)
  const eviction = new Eviction(total / 20, { key: KEY })
  let lruHits = 0
  let hits = 0
  for (let i = 0; i < 200_000; i++) {
    const at = trace() * sum
    let low = 0
    for (let high = names - 1; low < high; ) {
      const middle = (low + high) >> 1
      if (cumulated[middle]! < at) low = middle + 1
      else high = middle
    }
    if (request(lru, `page ${low}`, sizes[low]!)) lruHits++
    if (request(eviction, `page ${low}`, sizes[low]!)) hits++
  }
  t.diagnostic(`hit ratio ${(hits / 200_000).toFixed(3)}, plain list ${(lruHits / 200_000).toFixed(3)}`)
  assert.ok(hits > 1.1 * lruHits, `${hits} against ${lruHits}`)
})

test('bytes never exceed the bound; who was added and not evicted is kept, each once', () => {
  const step = fc.record({
    does: fc.constantFrom('add', 'add', 'add', 'used', 'remove'),
    id: fc.nat(40).map(String),
    bytes: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 1500 })),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), fc.integer({ min: 1, max: 1200 }), (steps, maxBytes) => {
      const eviction = new Eviction(maxBytes, { key: KEY })
      const kept = new Map<string, number>()
      for (const { does, id, bytes } of steps) {
        if (does === 'used') eviction.used(id, bytes)
        else if (does === 'remove') {
          eviction.remove(id)
          kept.delete(id)
        } else {
          const { admitted, evicted } = eviction.add(id, bytes)
          kept.set(id, bytes)
          for (const gone of evicted) assert.ok(kept.delete(gone), `${gone} was not there`)
          if (!admitted) assert.ok(kept.delete(id), `${id} is not admitted and evicted`)
        }
        assert.ok(eviction.bytes <= maxBytes)
        assert.equal(eviction.size, kept.size)
        assert.equal(
          eviction.bytes,
          [...kept.values()].reduce((a, b) => a + b, 0),
        )
        for (const id of kept.keys()) assert.ok(eviction.has(id))
      }
    }),
  )
})
