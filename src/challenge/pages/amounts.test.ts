import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Amounts, type Range } from './amounts.ts'

describe('amounts', () => {
  const times: readonly (readonly [tag: string, range: Range, text: string])[] = [
    ['en', [20, 40], '20–40 seconds'],
    ['en', [22, 38], '20–40 seconds'],
    ['en', [0, 3], '1–3 seconds'],
    ['en', [0, 0], '1 second'],
    ['en', [5, 5], '5 seconds'],
    ['en', [60, 60], '60 seconds'],
    ['en', [80, 100], '1–2 minutes'],
    ['en', [200, 250], '3–5 minutes'],
    ['en', [3600, 9000], '1–3 hours'],
    ['en', [40, 20], '40 seconds'],
    ['fr', [20, 40], '20–40\u00a0secondes'],
    ['ru', [20, 40], '20–40 секунд'],
    ['ru', [3, 3], '3 секунды'],
    ['uk', [61, 119], '1–2 хвилини'],
    ['ar', [20, 40], '20–40 ثانية'],
    ['zh-Hans', [20, 40], '20-40秒钟'],
  ]
  for (const [tag, range, text] of times)
    test(`${tag}: ${range[0]} to ${range[1]} s is “${text}”`, () =>
      assert.equal(new Amounts(tag).time(range), text))

  test('counts keep two digits, rounded apart', () => {
    assert.equal(new Amounts('en').count([0, 7]), '0–7')
    assert.equal(new Amounts('en').count([99, 101]), '99–110')
    assert.equal(new Amounts('fr').count([12_345, 23_456]), '12\u202f000–24\u202f000')
    assert.equal(new Amounts('de').count([5000, 5000]), '5.000')
  })

  test('any two numbers make a text, and a range never turns round', () => {
    const amounts = new Amounts('en')
    fc.assert(
      fc.property(fc.double(), fc.double(), (a, b) => {
        for (const text of [amounts.count([a, b]), amounts.time([a, b])]) {
          const [low, high] = text.replace(/,/g, '').split('–').map(Number.parseFloat)
          assert.ok(low! >= 0 && (high === undefined || high > low!), text)
        }
      }),
    )
  })
})
