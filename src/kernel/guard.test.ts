import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Guard } from './guard.ts'

function refusal(guard: Guard, text: string): string | undefined {
  const judged = guard.judge(text)
  return typeof judged === 'string' ? judged : undefined
}

test('a version-6 client is silenced with its /64, a v4-mapped one as version 4', () => {
  const guard = new Guard([])
  assert.deepEqual(guard.judge('2001:db8:1:2:3:4:5:6'), { text: '2001:db8:1:2::', version: 6 })
  assert.deepEqual(guard.judge('::ffff:192.0.2.7'), { text: '192.0.2.7', version: 4 })
  assert.equal(guard.judge('192.0.2.7; flush ruleset'), 'not-an-address')
})

test('nobody is silenced who cannot be one client far away', () => {
  const guard = new Guard([])
  for (const text of [
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.169.254',
    '172.17.0.1',
    '192.168.1.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '64:ff9b::c000:207',
    '2001::1',
    'fd00::1',
    'fe80::1',
    'ff02::1',
  ])
    assert.equal(refusal(guard, text), 'reserved', text)
  for (const text of ['', 'localhost', '192.0.2.0/24', '0.0.0.0/0', '192.0.2.1 }', '1.2.3', '::/0'])
    assert.equal(refusal(guard, text), 'not-an-address', text)
  assert.equal(refusal(guard, '192.0.2.1'), undefined)
  assert.equal(refusal(guard, '2001:db8::1'), undefined)
})

test('the operator’s networks are never silenced, nor the /64 around one listed address', () => {
  const guard = new Guard(['192.0.2.0/24', '2001:db8:1:2::7', '2001:db8:f::/48'])
  assert.equal(refusal(guard, '192.0.2.200'), 'listed')
  assert.equal(refusal(guard, '2001:db8:1:2::9'), 'listed')
  assert.equal(refusal(guard, '2001:db8:f:3::9'), 'listed')
  assert.equal(refusal(guard, '2001:db8:1:3::9'), undefined)
})

test('the machine’s own addresses, its gateway and SSH sessions are never silenced', () => {
  const guard = new Guard([])
  guard.look({ addresses: ['198.51.100.7', '2001:db8:5:6::1', '2001:db8:7:8:9::1%eth0', ''] })
  assert.equal(refusal(guard, '198.51.100.7'), 'own')
  assert.equal(refusal(guard, '198.51.100.8'), undefined)
  assert.equal(refusal(guard, '2001:db8:5:6:ffff::'), 'own', 'neighbours in the same /64')
  guard.look({ addresses: [] })
  assert.equal(refusal(guard, '198.51.100.7'), undefined, 'an address that has gone is nobody’s any more')
})

test('no text that is not an address passes, and an entry is in the same network as its address', () => {
  const guard = new Guard([])
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6()), (text) => {
      const entry = guard.judge(text)
      if (typeof entry === 'string') return
      assert.match(entry.text, /^[0-9a-f.:]+$/)
      assert.deepEqual(guard.judge(entry.text), entry, 'an entry is itself allowed')
    }),
  )
})
