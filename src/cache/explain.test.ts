import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { get, RULES, START_MS } from './cache.fixture.ts'
import { explain } from './explain.ts'
import { formatHttpDate } from './http-date.ts'

const TIMES = { requestedAtMs: START_MS, receivedAtMs: START_MS }
const about = (target: string, ...fields: string[]) =>
  explain(get(target), { status: 200, fields }, TIMES, RULES)

describe('what an operator is told of a page', () => {
  test('the verdict, and for how long', () => {
    const verdict = (target: string, ...fields: string[]) => {
      const { verdict, lifetimeS, standInS } = about(target, ...fields)
      return `${verdict} ${lifetimeS} ${standInS}`
    }
    assert.equal(verdict('/page', 'Cache-Control', 'max-age=60', 'Age', '10'), 'served 50 86400')
    assert.equal(verdict('/page', 'Cache-Control', 's-maxage=60'), 'served 60 0')
    assert.equal(verdict('/page', 'Cache-Control', 'no-cache', 'ETag', '"a"'), 'validated 0 0')
    assert.equal(verdict('/page', 'Cache-Control', 'max-age=0', 'ETag', '"a"'), 'validated 0 86400')
    assert.equal(verdict('/news'), 'emergency 0 86400')
    assert.equal(verdict('/page'), 'not-stored 0 0')
    assert.equal(verdict('/page', 'Cache-Control', 'no-store'), 'not-stored 0 0')
  })

  test('where the lifetime was read', () => {
    const reason = (...fields: string[]) => about('/page', ...fields).reasons[0]
    assert.equal(
      reason('Cache-Control', 'max-age=60'),
      'max-age in Cache-Control gives a lifetime of 60 seconds.',
    )
    assert.equal(
      reason('CDN-Cache-Control', 'max-age=1'),
      'max-age in CDN-Cache-Control gives a lifetime of 1 second.',
    )
    assert.equal(reason('Expires', formatHttpDate(START_MS + 5000)), 'Expires gives a lifetime of 5 seconds.')
    assert.equal(reason(), 'No field gives a lifetime.')
  })

  test('what to change, for everything that keeps a page from being served', () => {
    for (const [fields, word] of [
      [['Cache-Control', 'no-store'], /CDN-Cache-Control: max-age/],
      [['Cache-Control', 'private'], /public/],
      [[], /s-maxage=60/],
      [['Cache-Control', 'max-age=60', 'Set-Cookie', 'sid=0123456789abcdef'], /no-cache="Set-Cookie"/],
      [['Cache-Control', 'max-age=60', 'Set-Cookie', 'a=b'], /goes to everybody/],
      [['Cache-Control', 'max-age=60', 'Vary', '*'], /Vary/],
      [['Cache-Control', 'max-age=60', 'Vary', 'Cookie'], /each visitor/],
      [['Cache-Control', 'max-age=60', 'Vary', 'User-Agent'], /each browser/],
      [['Cache-Control', 'max-age=60', 'CDN-Cache-Control', 'max-age="60"'], /Structured Field/],
      [['Cache-Control', 'max-age=60', 'Date', formatHttpDate(START_MS - 600_000)], /clock/],
      [['Cache-Control', 'max-age=60, must-revalidate'], /must-revalidate/],
      [['Cache-Control', 'no-cache', 'ETag', '"a"'], /s-maxage=5/],
    ] as const) {
      assert.match(about('/page', ...fields).advice.join('\n'), word)
    }
  })

  test('a page that needs no change gets no advice', () => {
    assert.deepEqual(about('/page', 'Cache-Control', 'max-age=60', 'ETag', '"a"').advice, [])
  })
})
