import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatHttpDate, parseHttpDate } from './http-date.ts'

const NOW_MS = Date.UTC(2026, 10, 24)
const at = Date.UTC(2050, 7, 18, 2, 1, 18)

describe('HTTP-date (RFC 9110 §5.6.7)', () => {
  for (const [text, ms] of [
    ['Thu, 18 Aug 2050 02:01:18 GMT', at],
    ['Thursday, 18-Aug-50 02:01:18 GMT', at],
    ['Thu Aug 18 02:01:18 2050', at],
    ['Mon Aug  8 02:01:18 2050', Date.UTC(2050, 7, 8, 2, 1, 18)],
    ['THU, 18 AUG 2050 02:01:18 gMT', at],
    ['Sun, 21 Nov 2286 04:46:39 GMT', Date.UTC(2286, 10, 21, 4, 46, 39)],
    ['Thu, 29 Feb 2024 00:00:00 GMT', Date.UTC(2024, 1, 29)],
    ['Sat, 31 Dec 2016 23:59:60 GMT', Date.UTC(2017, 0, 1)],
    // 50 years ahead is this century, 51 the last.
    ['Tuesday, 24-Nov-76 00:00:00 GMT', Date.UTC(2076, 10, 24)],
    ['Thursday, 24-Nov-77 00:00:00 GMT', Date.UTC(1977, 10, 24)],
  ] as const) {
    test(`reads ${text}`, () => assert.equal(parseHttpDate(text, NOW_MS), ms))
  }

  for (const text of [
    '',
    '0',
    '-1',
    'Thu, 18 Aug 2050 02:01:18 UTC',
    'Thu, 18 Aug 2050 02:01:18 AEST',
    'Thu, 18 Aug 2050 02:01:18 +0000',
    'Thu, 18 Aug 50 02:01:18 GMT',
    'Thu 18 Aug 2050 02:01:18 GMT',
    'Thu, 18  Aug  2050 02:01:18 GMT',
    'Thu, 18-Aug-2050 02:01:18 GMT',
    'Thu, 18 Aug 2050 02.01.18 GMT',
    'Thu, 18 Aug 2050 2:01:18 GMT',
    'Thu, 31 Feb 2050 02:01:18 GMT',
    'Thu, 00 Feb 2050 02:01:18 GMT',
    'Thu, 18 Aug 2050 24:01:18 GMT',
    'Thu, 18 Aug 0050 02:01:18 GMT',
    'Thu, 18 Aug 2050 02:01:18 GMT, Thu, 18 Aug 2050 02:01:18 GMT',
    'Thu Aug 18 02:01:18 2050 GMT',
    '2050-08-18T02:01:18Z',
  ]) {
    test(`no date: "${text}"`, () => assert.equal(parseHttpDate(text, NOW_MS), undefined))
  }

  test('what is written is read again, to the second', () => {
    fc.assert(
      fc.property(fc.integer({ min: -2_208_988_800, max: 253_402_300_799 }), (s) => {
        const text = formatHttpDate(1000 * s)
        assert.equal(parseHttpDate(text, NOW_MS), 1000 * s)
      }),
      { seed: 9110 },
    )
  })
})
