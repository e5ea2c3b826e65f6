import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CALM_SAMPLES, MOST_SAMPLES, TraitSampler } from './trait-sampler.ts'

/** Mulberry32. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    let t = (state = (state + 0x6d2b79f5) | 0)
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Shows each client to the sampler; tells how many were read. */
function show(sampler: TraitSampler<string>, clients: Iterable<string>): number {
  let read = 0
  for (const client of clients) {
    if (!sampler.wants(client)) continue
    read++
    sampler.keep(client, client)
  }
  return read
}

function* requests(n: number, client: (i: number) => string): Generator<string> {
  for (let i = 0; i < n; i++) yield client(i)
}

test('under pressure a sample has each client at most once, and only so many', () => {
  const sampler = new TraitSampler<string>(seeded(1))
  sampler.isFull = true
  show(
    sampler,
    requests(10_000, (i) => `client ${i % 100}`),
  )
  assert.equal(sampler.drain().length, 100)
  show(
    sampler,
    requests(10_000, (i) => `client ${i}`),
  )
  const sample = sampler.drain()
  assert.equal(sample.length, MOST_SAMPLES)
  assert.equal(new Set(sample).size, MOST_SAMPLES)
  assert.deepEqual(sampler.drain(), [])
})

test('the loud are in a sample as often as the quiet', () => {
  const random = seeded(2)
  const sampler = new TraitSampler<string>(random)
  sampler.isFull = true
  let loud = 0
  let all = 0
  for (let period = 0; period < 40; period++) {
    // A thousand quiet clients ask once; a thousand loud ones nine times each.
    show(
      sampler,
      requests(10_000, (i) => (i % 10 === 0 ? `quiet ${i}` : `loud ${(i * 7) % 1000}`)),
    )
    const sample = sampler.drain()
    all += sample.length
    loud += sample.filter((client) => client.startsWith('loud')).length
  }
  // Distinct loud ones that show up are at most as many as the quiet ones.
  const distinct = new Set(requests(10_000, (i) => (i % 10 === 0 ? '' : `loud ${(i * 7) % 1000}`))).size - 1
  const expected = distinct / (distinct + 1000)
  assert.ok(Math.abs(loud / all - expected) < 0.03, `${loud / all}, expected ${expected}`)
})

test('a flood of new clients has few of them read', () => {
  const sampler = new TraitSampler<string>(seeded(3))
  sampler.isFull = true
  const read = show(
    sampler,
    requests(50_000, (i) => `client ${i}`),
  )
  assert.ok(read < MOST_SAMPLES * 8, `${read}`)
})

test('in calm weather few are looked at, whatever the traffic', () => {
  const sampler = new TraitSampler<string>(seeded(4))
  let read = 0
  for (let period = 0; period < 20; period++) {
    const before = read
    read += show(
      sampler,
      requests(5000, (i) => `client ${period} ${i}`),
    )
    assert.ok(sampler.drain().length <= CALM_SAMPLES)
    // The first period does not know yet how many come.
    if (period > 0) assert.ok(read - before <= 2 * CALM_SAMPLES, `${read - before} of 5000`)
  }
  assert.ok(read > 20 * 30, `${read}`)
})

test('a quiet site loses none of its few clients', () => {
  const sampler = new TraitSampler<string>(seeded(5))
  show(
    sampler,
    requests(5000, (i) => `client ${i}`),
  )
  sampler.drain()
  show(
    sampler,
    requests(5, () => 'x'),
  )
  sampler.drain()
  show(
    sampler,
    requests(5, (i) => `client ${i}`),
  )
  assert.equal(sampler.drain().length, 5)
})
