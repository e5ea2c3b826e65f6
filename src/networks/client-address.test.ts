import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { AddressBook, identify, UNSPECIFIED } from './client-address.ts'
import { bordersOf } from './network-borders.ts'
import { type NamedRange, parseNetworkLine } from './network-csv.ts'
import { NetworkTable } from './network-table.ts'

const TABLE = NetworkTable.fromBorders(
  bordersOf(
    ['192.0.2.0/24,64500', '2001:db8::/32,64501'].map((line) => parseNetworkLine(line) as NamedRange),
  ),
  0,
)

describe('identify', () => {
  test('names a v4 client by address and /24', () => {
    assert.deepEqual(identify('192.0.2.77', TABLE), {
      text: '192.0.2.77',
      version: 4,
      prefix: '192.0.2.0/24',
      subscriber: '192.0.2.77',
      asn: 64500,
    })
  })

  test('names a v6 client by /64 and /48', () => {
    assert.deepEqual(identify('2001:DB8:1:2:3:4:5:6', TABLE), {
      text: '2001:db8:1:2:3:4:5:6',
      version: 6,
      prefix: '2001:db8:1::/48',
      subscriber: '2001:db8:1:2::/64',
      asn: 64501,
    })
  })

  test('gives the same client whether it came by a v4 or a dual-stack socket', () => {
    assert.deepEqual(identify('::ffff:192.0.2.77', TABLE), identify('192.0.2.77', TABLE))
  })

  test('cuts the zone a socket appends to a link-local peer', () => {
    assert.equal(identify('fe80::1%eth0', TABLE).text, 'fe80::1')
  })

  test('has a place for peers without an address, and never fails', () => {
    for (const text of [undefined, '', '@', '/run/x.sock']) assert.equal(identify(text, TABLE), UNSPECIFIED)
    assert.deepEqual(identify('::', TABLE), UNSPECIFIED)
    fc.assert(fc.property(fc.string(), (text) => assert.ok(identify(text, TABLE).text.length > 0)))
  })
})

test('an address book answers as identify does, and remembers no more than it may', () => {
  const book = new AddressBook(TABLE, 4)
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) =>
      assert.deepEqual(book.identify(text), identify(text, TABLE)),
    ),
  )
  assert.equal(book.identify('192.0.2.1'), book.identify('192.0.2.1'))
})
