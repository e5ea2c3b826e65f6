import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildNetworkSet, NetworkSet } from '#networks'
import { CalmSample, SETTLE_MS } from './calm-sample.ts'

const KEY = { k0: 1, k1: 2 }
const DAY_MS = 86_400_000
const address = (i: number) => `${20 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.1`

/** Everything from `first` to `last`, the first octets of addresses. */
const octets = (first: number, last: number) =>
  new NetworkSet(
    buildNetworkSet([
      {
        effect: 4,
        list: 0,
        ranges: { v4: Uint32Array.of(first * 2 ** 24, last * 2 ** 24 + 0xffffff), v6: new Uint32Array() },
      },
    ]),
  )

test('clients count once, however often they come, and five seconds late', () => {
  const sample = new CalmSample(KEY, 0)
  for (let i = 0; i < 1000; i++) sample.offer(['192.0.2.1', '2001:db8::/64'], 0)
  sample.settle(SETTLE_MS - 1)
  assert.equal(sample.size, 0)
  sample.settle(SETTLE_MS)
  assert.equal(sample.size, 2)
  assert.equal(sample.touchedBy(octets(192, 192)), 1)
})

test('what came just before a flood is not taken', () => {
  const sample = new CalmSample(KEY, 0)
  sample.offer(['192.0.2.1'], 0)
  sample.settle(SETTLE_MS)
  sample.offer(['192.0.2.2'], SETTLE_MS)
  sample.storm()
  sample.settle(3 * SETTLE_MS)
  assert.equal(sample.size, 1)
})

test('of more clients than it holds every one is as likely to be in it', () => {
  const most = 1000
  const sample = new CalmSample(KEY, 0, most)
  // A tenth of 100,000 clients, and those come last.
  for (let i = 0; i < 100_000; i += 100) {
    const clients = Array.from({ length: 100 }, (_, j) =>
      i < 90_000 ? address(i + j) : `99.1.${(i + j) & 255}.${((i + j) >> 8) & 255}`,
    )
    sample.offer(clients, i)
    sample.settle(i)
  }
  sample.settle(1_000_000)
  assert.equal(sample.size, most)
  const share = sample.touchedBy(octets(99, 99)) / most
  // Three standard deviations are 0.03; the key is fixed, so this is no luck.
  assert.ok(share > 0.07 && share < 0.13, `share ${share}`)
})

test('a day later only yesterday is left, and then nothing', () => {
  const sample = new CalmSample(KEY, 0)
  const come = (text: string, nowMs: number) => {
    sample.offer([text], nowMs)
    sample.settle(nowMs + SETTLE_MS)
  }
  come('192.0.2.1', 0)
  come('192.0.2.1', DAY_MS)
  come('192.0.2.2', DAY_MS + 1)
  assert.equal(sample.size, 2)
  come('192.0.2.3', 2 * DAY_MS + SETTLE_MS + 1)
  assert.equal(sample.size, 3)
  sample.settle(3 * DAY_MS + 3 * SETTLE_MS)
  assert.equal(sample.size, 1)
})

test('a crowd between two looks is bounded and counted', () => {
  const sample = new CalmSample(KEY, 0)
  for (let i = 0; i < 30; i++)
    sample.offer(
      Array.from({ length: 1000 }, (_, j) => address(1000 * i + j)),
      0,
    )
  assert.equal(sample.lost, 10_000)
  sample.settle(SETTLE_MS)
  assert.equal(sample.size, 4096)
})
