/**
 * The search in plain JavaScript, for browsers that have no WebAssembly or may not run it.
 *
 * A round is written out, the ten of them are a loop over a schedule: the message's words in the order in
 * which the rounds want them, of which only the nonce's ten places change from hash to hash. Sixteen local
 * numbers stay in registers and on the stack; nothing is allocated. That is six times as fast as a
 * library's compression function, which returns an object per quarter of a round
 * (docs/decisions/puzzle.md); on the phones that need this file it is what decides.
 */
import { firstState, SIGMA } from './blake2s.ts'

const m = new Int32Array(160)

/** One `Search`; not for two at a time. */
export function searchInJavaScript(words: Int32Array, start: number, count: number, mask: number): number {
  const places: number[] = []
  for (let k = 0; k < 160; k++) {
    const word = SIGMA[k]!
    m[k] = word < 9 ? words[word]! : 0
    if (word === 9) places.push(k)
  }
  const state = firstState()
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < 10; k++) m[places[k]!] = start + i
    let v0 = state[0]! | 0
    let v1 = state[1]! | 0
    let v2 = state[2]! | 0
    let v3 = state[3]! | 0
    let v4 = state[4]! | 0
    let v5 = state[5]! | 0
    let v6 = state[6]! | 0
    let v7 = state[7]! | 0
    let v8 = state[8]! | 0
    let v9 = state[9]! | 0
    let v10 = state[10]! | 0
    let v11 = state[11]! | 0
    let v12 = state[12]! | 0
    let v13 = state[13]! | 0
    let v14 = state[14]! | 0
    let v15 = state[15]! | 0
    for (let p = 0; p < 160; p += 16) {
      v0 = (v0 + v4 + m[p + 0]!) | 0
      v12 ^= v0
      v12 = (v12 << 16) | (v12 >>> 16)
      v8 = (v8 + v12) | 0
      v4 ^= v8
      v4 = (v4 << 20) | (v4 >>> 12)
      v0 = (v0 + v4 + m[p + 1]!) | 0
      v12 ^= v0
      v12 = (v12 << 24) | (v12 >>> 8)
      v8 = (v8 + v12) | 0
      v4 ^= v8
      v4 = (v4 << 25) | (v4 >>> 7)

      v1 = (v1 + v5 + m[p + 2]!) | 0
      v13 ^= v1
      v13 = (v13 << 16) | (v13 >>> 16)
      v9 = (v9 + v13) | 0
      v5 ^= v9
      v5 = (v5 << 20) | (v5 >>> 12)
      v1 = (v1 + v5 + m[p + 3]!) | 0
      v13 ^= v1
      v13 = (v13 << 24) | (v13 >>> 8)
      v9 = (v9 + v13) | 0
      v5 ^= v9
      v5 = (v5 << 25) | (v5 >>> 7)

      v2 = (v2 + v6 + m[p + 4]!) | 0
      v14 ^= v2
      v14 = (v14 << 16) | (v14 >>> 16)
      v10 = (v10 + v14) | 0
      v6 ^= v10
      v6 = (v6 << 20) | (v6 >>> 12)
      v2 = (v2 + v6 + m[p + 5]!) | 0
      v14 ^= v2
      v14 = (v14 << 24) | (v14 >>> 8)
      v10 = (v10 + v14) | 0
      v6 ^= v10
      v6 = (v6 << 25) | (v6 >>> 7)

      v3 = (v3 + v7 + m[p + 6]!) | 0
      v15 ^= v3
      v15 = (v15 << 16) | (v15 >>> 16)
      v11 = (v11 + v15) | 0
      v7 ^= v11
      v7 = (v7 << 20) | (v7 >>> 12)
      v3 = (v3 + v7 + m[p + 7]!) | 0
      v15 ^= v3
      v15 = (v15 << 24) | (v15 >>> 8)
      v11 = (v11 + v15) | 0
      v7 ^= v11
      v7 = (v7 << 25) | (v7 >>> 7)

      v0 = (v0 + v5 + m[p + 8]!) | 0
      v15 ^= v0
      v15 = (v15 << 16) | (v15 >>> 16)
      v10 = (v10 + v15) | 0
      v5 ^= v10
      v5 = (v5 << 20) | (v5 >>> 12)
      v0 = (v0 + v5 + m[p + 9]!) | 0
      v15 ^= v0
      v15 = (v15 << 24) | (v15 >>> 8)
      v10 = (v10 + v15) | 0
      v5 ^= v10
      v5 = (v5 << 25) | (v5 >>> 7)

      v1 = (v1 + v6 + m[p + 10]!) | 0
      v12 ^= v1
      v12 = (v12 << 16) | (v12 >>> 16)
      v11 = (v11 + v12) | 0
      v6 ^= v11
      v6 = (v6 << 20) | (v6 >>> 12)
      v1 = (v1 + v6 + m[p + 11]!) | 0
      v12 ^= v1
      v12 = (v12 << 24) | (v12 >>> 8)
      v11 = (v11 + v12) | 0
      v6 ^= v11
      v6 = (v6 << 25) | (v6 >>> 7)

      v2 = (v2 + v7 + m[p + 12]!) | 0
      v13 ^= v2
      v13 = (v13 << 16) | (v13 >>> 16)
      v8 = (v8 + v13) | 0
      v7 ^= v8
      v7 = (v7 << 20) | (v7 >>> 12)
      v2 = (v2 + v7 + m[p + 13]!) | 0
      v13 ^= v2
      v13 = (v13 << 24) | (v13 >>> 8)
      v8 = (v8 + v13) | 0
      v7 ^= v8
      v7 = (v7 << 25) | (v7 >>> 7)

      v3 = (v3 + v4 + m[p + 14]!) | 0
      v14 ^= v3
      v14 = (v14 << 16) | (v14 >>> 16)
      v9 = (v9 + v14) | 0
      v4 ^= v9
      v4 = (v4 << 20) | (v4 >>> 12)
      v3 = (v3 + v4 + m[p + 15]!) | 0
      v14 ^= v3
      v14 = (v14 << 24) | (v14 >>> 8)
      v9 = (v9 + v14) | 0
      v4 ^= v9
      v4 = (v4 << 25) | (v4 >>> 7)
    }
    if (((state[0]! ^ v0 ^ v8) & mask) === 0) return i
  }
  return -1
}
