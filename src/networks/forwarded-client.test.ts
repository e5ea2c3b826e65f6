import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { CidrSet } from './cidr.ts'
import { AddressBook, identify } from './client-address.ts'
import { MOST_HOPS, resolveClient } from './forwarded-client.ts'
import { NetworkTable } from './network-table.ts'

const TRUSTED = CidrSet.parse(['10.0.0.0/8', '2001:db8:f::/48']).set
const BOOK = new AddressBook(NetworkTable.EMPTY)
const PROXY = identify('10.0.0.1')
const STRANGER = identify('198.51.100.9')

/** Client and verdict for fields that arrive from `peer`. */
function resolve(fields: string[], peer = PROXY): string {
  const { client, forwarding } = resolveClient(peer, fields, TRUSTED, BOOK)
  return `${client.text} ${forwarding}`
}

describe('resolveClient', () => {
  test('without forwarding fields the peer is the client', () => {
    assert.equal(resolve(['Host', 'example.org']), '10.0.0.1 direct')
  })

  test('reads from the right, through trusted proxies only', () => {
    const cases: [string, string][] = [
      ['192.0.2.7', '192.0.2.7 believed'],
      ['203.0.113.66, 192.0.2.7', '192.0.2.7 believed'],
      ['203.0.113.66, 192.0.2.7, 10.0.0.2,10.9.9.9', '192.0.2.7 believed'],
      ['192.0.2.7:51234', '192.0.2.7 believed'],
      ['2001:db8::7', '2001:db8::7 believed'],
      ['[2001:DB8::7]:443, 2001:db8:f::1', '2001:db8::7 believed'],
      ['::ffff:192.0.2.7', '192.0.2.7 believed'],
      [' , 192.0.2.7 ,, ', '192.0.2.7 believed'],
      ['10.0.0.3, 10.0.0.2', '10.0.0.3 believed'],
      ['', '10.0.0.1 believed'],
    ]
    for (const [value, expected] of cases) assert.equal(resolve(['X-Forwarded-For', value]), expected, value)
  })

  test('what is no address ends the walk at the hop that wrote it', () => {
    const cases: [string, string][] = [
      ['192.0.2.7, unknown', '10.0.0.1 malformed'],
      ['192.0.2.7, garbage, 10.0.0.2', '10.0.0.2 malformed'],
      ['192.0.2.7, 010.0.0.2', '10.0.0.1 malformed'],
      ['192.0.2.7, fe80::1%eth0', '10.0.0.1 malformed'],
      ['192.0.2.7, 10.0.0.2:99999999', '10.0.0.1 malformed'],
    ]
    for (const [value, expected] of cases) assert.equal(resolve(['x-forwarded-for', value]), expected, value)
  })

  test('several field lines are one list, the last line rightmost', () => {
    assert.equal(
      resolve(['X-Forwarded-For', '203.0.113.66', 'Via', '1.1 x', 'X-FORWARDED-FOR', '192.0.2.7']),
      '192.0.2.7 believed',
    )
  })

  test('reads Forwarded: quoted IPv6, ports, other parameters, any case', () => {
    const cases: [string, string][] = [
      ['for=192.0.2.7', '192.0.2.7 believed'],
      ['for=203.0.113.66, For="[2001:db8::7]:47011";proto=https;by=10.0.0.1', '2001:db8::7 believed'],
      ['for="192.0.2.7:80", for=10.0.0.2', '192.0.2.7 believed'],
      ['for="[2001:db8::7]:_x"', '2001:db8::7 believed'],
      ['for=192.0.2.7, for=_hidden', '10.0.0.1 malformed'],
      ['for=192.0.2.7, for=unknown', '10.0.0.1 malformed'],
      ['for=192.0.2.7, by=10.0.0.2', '10.0.0.1 malformed'],
      ['for=192.0.2.7, for="10.0.0.2', '10.0.0.1 malformed'],
      ['for=192.0.2.7;for=192.0.2.8', '10.0.0.1 malformed'],
      ['for="a, for=203.0.113.66", for=192.0.2.7', '192.0.2.7 believed'],
    ]
    for (const [value, expected] of cases) assert.equal(resolve(['Forwarded', value]), expected, value)
  })

  test('believes neither field when they disagree', () => {
    assert.equal(
      resolve(['X-Forwarded-For', '192.0.2.7', 'Forwarded', 'for=203.0.113.66']),
      '10.0.0.1 conflict',
    )
    assert.equal(
      resolve(['X-Forwarded-For', '192.0.2.7', 'Forwarded', 'for="192.0.2.7:80"']),
      '192.0.2.7 believed',
    )
  })

  test('a stranger’s fields change nothing', () => {
    for (const field of ['X-Forwarded-For', 'Forwarded']) {
      assert.equal(
        resolve([field, 'for=10.0.0.1', 'X-Forwarded-Proto', 'https'], STRANGER),
        '198.51.100.9 ignored',
      )
    }
    assert.equal(resolveClient(STRANGER, ['X-Forwarded-Proto', 'https'], TRUSTED, BOOK).secure, undefined)
  })

  test('the nearest trusted proxy says whether the client spoke HTTPS', () => {
    const secure = (...fields: string[]) => resolveClient(PROXY, fields, TRUSTED, BOOK).secure
    assert.equal(secure('X-Forwarded-Proto', 'https'), true)
    assert.equal(secure('X-Forwarded-Proto', 'https, http'), false)
    assert.equal(secure('X-Forwarded-For', '192.0.2.7', 'X-Forwarded-Proto', 'gopher'), undefined)
    assert.equal(secure('Forwarded', 'for=192.0.2.7;proto=https'), true)
    assert.equal(secure('X-Forwarded-For', '192.0.2.7'), undefined)
  })

  test('stops after as many hops as it may', () => {
    const hops = (n: number) => Array.from({ length: n }, (_, i) => `10.1.0.${i}`).join(', ')
    assert.match(resolve(['X-Forwarded-For', hops(MOST_HOPS)]), /believed/)
    assert.match(resolve(['X-Forwarded-For', hops(MOST_HOPS + 1)]), /malformed/)
    const forwarded = (n: number) => Array.from({ length: n }, (_, i) => `for=10.1.0.${i}`).join(', ')
    assert.match(resolve(['Forwarded', forwarded(MOST_HOPS)]), /believed/)
    assert.match(resolve(['Forwarded', forwarded(MOST_HOPS + 1)]), /malformed/)
  })

  test('whatever a client writes left of what the proxy appended, the answer is the same', () => {
    const written = fc.oneof(
      fc.string(),
      fc.ipV4(),
      fc.constantFrom('10.0.0.5', '"', 'unknown', '10.0.0.5, 10.0.0.6'),
    )
    fc.assert(
      fc.property(written, (text) =>
        assert.equal(resolve(['X-Forwarded-For', `${text}, 192.0.2.7`]), '192.0.2.7 believed'),
      ),
    )
  })

  test('no field value makes it throw, or name a client that is neither the peer nor written there', () => {
    const piece = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.string({ maxLength: 6 }),
      fc.constantFrom('for=', 'FOR="', '"', ',', ';', '[', ']', ':1', '\\', '10.0.0.7', 'proto=https'),
    )
    const value = fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(value, fc.constantFrom('Forwarded', 'X-Forwarded-For'), (text, name) => {
        const { client } = resolveClient(PROXY, [name, text], TRUSTED, BOOK)
        assert.ok(client.text === PROXY.text || client.version === 4 || text.includes(':'), text)
        assert.deepEqual(client, identify(client.text))
      }),
      { numRuns: 2000 },
    )
  })
})
