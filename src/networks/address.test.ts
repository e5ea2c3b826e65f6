import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatAddress, fromBytes, maskAddress, parseAddress } from './address.ts'

const bytes4 = fc.uint8Array({ minLength: 4, maxLength: 4 })
const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 })
/** Addresses, near misses, and whatever else is spelled with the same letters. */
const nearly = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.ipV4Extended(),
  fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEFg:.%/ '), maxLength: 48 }),
  fc
    .array(fc.constantFrom('0', '00', '1', '255', '256', '1.2.3.4', 'ffff', 'fffff', ':', '::', '.', '%1'), {
      maxLength: 16,
    })
    .map((parts) => parts.join('')),
  fc.array(fc.constantFrom('0', '1', 'ab', 'ffff', ''), { maxLength: 10 }).map((groups) => groups.join(':')),
  fc.string(),
)

describe('parseAddress', () => {
  test('accepts what net.isIP accepts, less zone ids, and nothing else', () => {
    fc.assert(
      fc.property(nearly, (text) => {
        assert.equal(parseAddress(text) !== undefined, isIP(text) !== 0 && !text.includes('%'), text)
      }),
      { numRuns: 5000 },
    )
  })

  test('refuses spellings that other readers take for another address', () => {
    for (const text of [
      '010.0.0.1',
      '0x7f.0.0.1',
      '127.1',
      '2130706433',
      '1.2.3.4.',
      ' 1.2.3.4',
      '1.2.3.4\n',
      '::1%lo',
      '[::1]',
      '1::2::3',
      ':::',
      '12345::',
    ]) {
      assert.equal(parseAddress(text), undefined, text)
    }
  })

  test('reads a v4-mapped address as version 4, and nothing near it', () => {
    assert.deepEqual(parseAddress('::ffff:192.0.2.1'), { version: 4, words: [0xc0000201] })
    assert.deepEqual(parseAddress('::FFFF:c000:201'), parseAddress('192.0.2.1'))
    assert.equal(parseAddress('::192.0.2.1')?.version, 6)
    assert.equal(parseAddress('64:ff9b::192.0.2.1')?.version, 6)
  })
})

describe('formatAddress', () => {
  test('writes the examples of RFC 5952', () => {
    const cases: [string, string][] = [
      ['2001:0db8::0001', '2001:db8::1'],
      ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
      ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
      ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
      ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
      ['2001:DB8::AAAA', '2001:db8::aaaa'],
      ['0:0:0:0:0:0:0:0', '::'],
      ['0:0:0:0:0:0:0:1', '::1'],
      ['1:0:0:0:0:0:0:0', '1::'],
      ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ]
    for (const [text, canonical] of cases) assert.equal(formatAddress(parseAddress(text)!), canonical)
  })

  test('is undone by parseAddress, and gives each address one text', () => {
    fc.assert(
      fc.property(fc.oneof(bytes4, bytes16), (bytes) => {
        const address = fromBytes(bytes)
        const text = formatAddress(address)
        assert.deepEqual(parseAddress(text), address)
        assert.equal(isIP(text), address.version)
      }),
    )
  })

  test('agrees with the URL parser, which writes RFC 5952 too', () => {
    fc.assert(
      fc.property(bytes16, fc.nat(0xffff), (bytes, mask) => {
        // Random addresses hardly have zeros: clear some groups.
        for (let i = 0; i < 8; i++) if (mask & (1 << i)) bytes.fill(0, 2 * i, 2 * i + 2)
        const address = fromBytes(bytes)
        if (address.version === 6)
          assert.equal(`[${formatAddress(address)}]`, new URL(`http://[${formatAddress(address)}]`).hostname)
      }),
    )
  })
})

test('maskAddress keeps the first bits and clears the rest', () => {
  fc.assert(
    fc.property(bytes16, fc.nat(128), (bytes, bits) => {
      bytes[0] = 0x20
      const masked = maskAddress(fromBytes(bytes), bits)
      const expected = bytes.map((byte, i) =>
        bits >= 8 * (i + 1) ? byte : bits <= 8 * i ? 0 : byte & (0xff00 >> (bits - 8 * i)),
      )
      assert.deepEqual(masked.words, wordsOf(expected))
    }),
  )
})

function wordsOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer)
  return [0, 4, 8, 12].map((at) => view.getUint32(at))
}
