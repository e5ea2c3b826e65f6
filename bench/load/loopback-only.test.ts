import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BOUNDS, bounded, loopback, NotLoopbackError, PlanTooLargeError } from './loopback-only.ts'

test('addresses of 127.0.0.0/8 and ::1 pass', () => {
  for (const address of ['127.0.0.1', '127.255.255.254', '127.10.3.4', '::1']) {
    assert.equal(loopback(address), address)
  }
})

test('everything else is refused, names and look-alikes too', () => {
  const refused = [
    '192.0.2.1',
    '0.0.0.0',
    '128.0.0.1',
    '12.7.0.1',
    '::',
    '2001:db8::1',
    '::ffff:127.0.0.1',
    'localhost',
    '127.0.0.1.example.org',
    '127.1',
    '127.0.0.1 ',
    '0127.0.0.1',
    '127.0.0.256',
    '127.0.0.1/8',
    '',
    undefined,
    2130706433,
  ]
  for (const address of refused) assert.throws(() => loopback(address), NotLoopbackError, String(address))
})

test('no IPv4 address outside 127/8 ever passes', () => {
  const octet = fc.integer({ min: 0, max: 255 })
  fc.assert(
    fc.property(octet, octet, octet, octet, (a, b, c, d) => {
      const address = `${a}.${b}.${c}.${d}`
      if (a === 127) assert.equal(loopback(address), address)
      else assert.throws(() => loopback(address), NotLoopbackError)
    }),
  )
})

test('a plan beyond any bound is refused', () => {
  const small = { sources: 1, seconds: 1, perSecond: 1, connections: 1 }
  bounded(small)
  for (const name of Object.keys(BOUNDS) as (keyof typeof BOUNDS)[]) {
    assert.throws(() => bounded({ ...small, [name]: BOUNDS[name] + 1 }), PlanTooLargeError)
    assert.throws(() => bounded({ ...small, [name]: Number.NaN }), PlanTooLargeError)
  }
})
