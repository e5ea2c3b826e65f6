import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { NONCE_BYTES } from './proof.ts'
import { MOST_PARTS } from './protocol.ts'
import { checkParts, PART_BITS, partInput, solve } from './puzzle.ts'

const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 })
/** Enough that a changed byte almost never fits by luck: 2^-12 per part, with seeds fixed below. */
const bits = 12

function leadingZeroBits(digest: Uint8Array): number {
  let zeros = 0
  for (const byte of digest) {
    zeros += Math.clz32(byte) - 24
    if (byte !== 0) break
  }
  return zeros
}

describe('puzzle', () => {
  test('what solve finds, check accepts, and a plain reading of the definition agrees', () => {
    fc.assert(
      fc.property(
        sixteen,
        sixteen,
        fc.integer({ min: 0, max: 10 }),
        fc.integer({ min: 1, max: 6 }),
        fc.nat(9),
        (mac, seed, bits, until, first) => {
          const nonces = Buffer.from(solve({ mac, seed, bits, until }))
          assert.equal(checkParts(mac, seed, nonces, bits, first), until)
          for (let i = 0; i < until; i++) {
            const input = partInput(mac, seed, i, nonces.readUInt32BE(NONCE_BYTES * i))
            assert.ok(leadingZeroBits(createHash('blake2s256').update(input).digest()) >= bits)
          }
        },
      ),
      { numRuns: 50 },
    )
  })

  test('check accepts exactly what the definition accepts', () => {
    fc.assert(
      fc.property(
        sixteen,
        sixteen,
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        fc.integer({ min: 0, max: 4 }),
        (mac, seed, nonces, bits) => {
          const digest = createHash('blake2s256')
            .update(Buffer.concat([mac, seed, Buffer.alloc(4), nonces]))
            .digest()
          assert.equal(
            checkParts(mac, seed, nonces, bits),
            leadingZeroBits(digest) >= bits ? 1 : 'wrong-part',
          )
        },
      ),
    )
  })

  test('parts solved later join those solved before', () => {
    const mac = Buffer.alloc(16, 1)
    const seed = Buffer.alloc(16, 2)
    const all = solve({ mac, seed, bits, until: 5 })
    const early = solve({ mac, seed, bits, until: 2 })
    const late = solve({ mac, seed, bits, from: 2, until: 5 })
    assert.deepEqual(Buffer.concat([early, late]), all)
  })

  test('any changed byte of mac, seed or nonces is refused', () => {
    const mac = Buffer.alloc(16, 3)
    const seed = Buffer.alloc(16, 4)
    const nonces = Buffer.from(solve({ mac, seed, bits, until: 2 }))
    for (const [name, bytes] of Object.entries({ mac, seed, nonces })) {
      for (let at = 0; at < bytes.length; at++) {
        bytes[at]! ^= 0x40
        assert.equal(checkParts(mac, seed, nonces, bits), 'wrong-part', `${name}[${at}]`)
        bytes[at]! ^= 0x40
      }
    }
    assert.equal(checkParts(mac, seed, nonces, bits), 2)
  })

  test('parts cannot change places', () => {
    const mac = Buffer.alloc(16, 5)
    const seed = Buffer.alloc(16, 6)
    const nonces = Buffer.from(solve({ mac, seed, bits, until: 2 }))
    nonces.swap64()
    nonces.swap32()
    assert.equal(checkParts(mac, seed, nonces, bits), 'wrong-part')
  })

  test('one wrong part is found from whichever part checking begins', () => {
    const mac = Buffer.alloc(16, 7)
    const seed = Buffer.alloc(16, 8)
    const nonces = Buffer.from(solve({ mac, seed, bits, until: 8 }))
    nonces[13]! ^= 1
    for (let first = 0; first < 20; first++)
      assert.equal(checkParts(mac, seed, nonces, bits, first), 'wrong-part')
  })

  test('no part, a piece of a part and too many parts are no proof', () => {
    const mac = Buffer.alloc(16)
    for (const bytes of [0, 1, 3, 5, 4 * MOST_PARTS + 1, 4 * MOST_PARTS + 4])
      assert.equal(checkParts(mac, mac, Buffer.alloc(bytes), 0), 'wrong-part', `${bytes} bytes`)
    assert.equal(checkParts(mac, mac, Buffer.alloc(4 * MOST_PARTS), 0), MOST_PARTS)
  })

  test('whatever is given, check answers and does not throw', () => {
    const bytes = fc.uint8Array({ maxLength: 80 })
    const number = fc.oneof(fc.integer(), fc.double())
    fc.assert(
      fc.property(bytes, bytes, bytes, number, number, (mac, seed, nonces, bits, first) => {
        const answer = checkParts(mac, seed, nonces, bits, first)
        assert.ok(answer === 'wrong-part' || answer === nonces.length / 4)
      }),
    )
  })

  test('a part of the usual size can be found', () => {
    const mac = Buffer.alloc(16, 9)
    const seed = Buffer.alloc(16, 10)
    const nonces = solve({ mac, seed, bits: PART_BITS, until: 1 })
    assert.equal(checkParts(mac, seed, nonces, PART_BITS), 1)
  })
})
