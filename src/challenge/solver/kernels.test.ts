import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { partInput } from '../puzzle.ts'
import { maskOf, type Search, swapped, wordsOf } from './blake2s.ts'
import type { WasmApi, WasmModule } from './browser.ts'
import { searchInJavaScript } from './kernel-javascript.ts'
import { searchInWasm, wasmModule } from './kernel-wasm.ts'

declare const WebAssembly: WasmApi & { Module: new (bytes: Uint8Array) => WasmModule }

const inWasm = (simd: boolean) => searchInWasm(WebAssembly, new WebAssembly.Module(wasmModule(simd)), simd)

const KERNELS: Readonly<Record<string, Search>> = {
  javascript: searchInJavaScript,
  wasm: inWasm(false),
  simd: inWasm(true),
}

const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 })
const word = fc.integer({ min: 0, max: 0xffffffff })

/** The same search by OpenSSL's BLAKE2s. */
function plainly(
  mac: Uint8Array,
  seed: Uint8Array,
  index: number,
  start: number,
  count: number,
  bits: number,
) {
  for (let i = 0; i < count; i++) {
    const digest = hash('blake2s256', partInput(mac, seed, index, swapped(start + i)), 'buffer')
    if (digest.readUInt32BE(0) < 2 ** (32 - bits)) return i
  }
  return -1
}

for (const [name, search] of Object.entries(KERNELS)) {
  describe(`search in ${name}`, () => {
    test('finds the first nonce that OpenSSL finds, or as well none', () => {
      fc.assert(
        fc.property(
          sixteen,
          sixteen,
          word,
          word,
          fc.integer({ min: 0, max: 9 }),
          (mac, seed, index, start, bits) => {
            const found = search(wordsOf(mac, seed, index), start, 256, maskOf(bits))
            assert.equal(found, plainly(mac, seed, index, start, 256, bits))
          },
        ),
        { numRuns: 100 },
      )
    })

    test('looks at no more nonces than it is told to', () => {
      const words = wordsOf(Buffer.alloc(16, 1), Buffer.alloc(16, 2), 3)
      const first = search(words, 0, 1 << 16, maskOf(10))
      assert.ok(first >= 8)
      assert.equal(search(words, 0, first & ~7, maskOf(10)), -1)
      assert.equal(search(words, 0, (first & ~7) + 8, maskOf(10)), first)
    })

    test('goes on over the end of the numbers', () => {
      const words = wordsOf(Buffer.alloc(16, 4), Buffer.alloc(16, 5), 6)
      const fromZero = search(words, 0, 1 << 12, maskOf(6))
      const before = search(words, -8, 8, maskOf(6))
      if (before < 0) assert.equal(search(words, 2 ** 32 - 8, 1 << 12, maskOf(6)), fromZero + 8)
      else assert.equal(search(words, 2 ** 32 - 8, 1 << 12, maskOf(6)), before)
    })
  })
}

describe('nonces', () => {
  test('are swapped back by swapping again', () => {
    fc.assert(fc.property(word, (value) => swapped(swapped(value)) === value))
    assert.equal(swapped(0x01020304), 0x04030201)
  })
})
