import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Baseline } from '#admission'
import { meanShares, OverallWeights, type SiteShares } from './overall-weights.ts'

const key = { k0: 1, k1: 2 }

function site(uses: number, shares: readonly (readonly [number, number])[]): SiteShares {
  return {
    uses,
    hashes: Int32Array.from(shares, ([hash]) => hash),
    shares: Float32Array.from(shares, ([, share]) => share),
  }
}

/** A site whose calm weather comes from one network, from each of `subscribers` alike. */
function learned(asn: number, subscribers: number, uses: number): Baseline {
  const baseline = new Baseline({ key })
  for (let i = 0; i < uses; i++) {
    const subscriber = `s${asn}.${i % subscribers}`
    baseline.learn([{ asn, prefix: `p${asn}`, subscriber, originMs: 10 }], i)
  }
  return baseline
}

test('a site counts by the uses it was learned from, and the weightiest come first', () => {
  const small = site(100, [
    [1, 0.5],
    [2, 0.5],
  ])
  const large = site(300, [
    [2, 0.8],
    [-3, 0.2],
  ])
  const mean = meanShares([small, large])
  assert.deepEqual(
    mean.map(([hash]) => hash),
    [2, -3, 1],
  )
  for (const [i, share] of [0.725, 0.15, 0.125].entries()) assert.ok(Math.abs(mean[i]![1] - share) < 1e-6)
  assert.deepEqual(meanShares([]), [])
})

test('a mean is never above the greatest share, nor below the least where all sites know it', () => {
  const sites = fc.array(
    fc.tuple(fc.integer({ min: 1, max: 1e6 }), fc.float({ min: 0, max: 1, noNaN: true })),
    {
      minLength: 1,
      maxLength: 9,
    },
  )
  fc.assert(
    fc.property(sites, (list) => {
      const [[, mean]] = meanShares(list.map(([uses, share]) => site(uses, [[7, share]]))) as [
        [number, number],
      ]
      const shares = list.map(([, share]) => share)
      assert.ok(mean <= Math.max(...shares) + 1e-6 && mean >= Math.min(...shares) - 1e-6)
    }),
  )
})

test('the table knows the networks of all sites, and forgets a site that is no more', () => {
  const overall = new OverallWeights(key, 4096)
  overall.put('a', learned(1, 40, 300).shares(), 300, 2)
  overall.put('b', learned(2, 40, 100).shares(), 100, 2)
  overall.tick(0)
  assert.ok(Math.abs(overall.table.asn(1) - 0.75) < 1e-6)
  assert.ok(Math.abs(overall.table.asn(2) - 0.25) < 1e-6)
  assert.ok(overall.table.subscriber('s2.3') > 0)
  overall.keepOnly(['b'])
  overall.tick(1000)
  assert.ok(overall.table.asn(1) > 0, 'not each tick')
  overall.tick(60_000)
  assert.equal(overall.table.asn(1), 0)
  assert.equal(overall.table.asn(2), 1)
})

test('with many sites each keeps its heaviest, and the table its bound', () => {
  const overall = new OverallWeights(key, 4096)
  for (let i = 0; i < 100; i++) overall.put(`site ${i}`, learned(i, 400, 800).shares(), 800, 100)
  overall.tick(0)
  for (let i = 0; i < 100; i++) assert.ok(overall.table.asn(i) > 0, `network ${i}`)
  assert.ok(overall.table.leftOut > 0)
})
