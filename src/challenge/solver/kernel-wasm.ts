/**
 * The search in WebAssembly: this file writes the module, byte by byte, in the browser.
 *
 * Why written and not compiled: a kernel is the same dozen instructions over and over, so what writes
 * it is short. It needs no compiler, no blob that a reader would have to trust, and the same text makes
 * two kernels: with 128-bit SIMD, and one for browsers of 2017 to 2021, which have WebAssembly without.
 *
 *     s(start, count, mask) -> how far behind start, or -1        m: its memory, the schedule
 *
 * Two findings shaped it (docs/decisions/puzzle.md). A hash is one long chain of dependent instructions, and a
 * processor that could do four at a time spends most of it waiting for the last one: so with SIMD two groups
 * of four hashes alternate, instruction by instruction, which is a third faster although their
 * state does not fit into the registers. And a visitor's whole bid takes a fraction of a second, of which
 * compiling is a part: so the rounds are a loop over a schedule in memory (the message's words in the order
 * in which the rounds want them) instead of ten rounds written out, four times the code.
 *
 * The first round is done once per call but for one of its eight quarter rounds (G), the only one that sees the
 * nonce. Whoever writes a native solver saves the same.
 *
 * Instruction codes: WebAssembly Core Specification 2.0, section 5.4.
 */
import { firstState, type Search, SIGMA } from './blake2s.ts'
import type { WasmApi, WasmModule } from './browser.ts'

/** How hashes lie in a local, and how many locals stand for one word of the state. */
interface Shape {
  readonly lanes: 1 | 4
  readonly groups: 1 | 2
  readonly type: number
  readonly splat: readonly number[]
  /** With alignment; the offset follows. */
  readonly load: readonly number[]
  readonly store: readonly number[]
  readonly add: readonly number[]
  readonly xor: readonly number[]
  readonly and: readonly number[]
  /** One bit per lane: are they the same there? */
  readonly same: readonly number[]
  rotateRight(bits: number): readonly number[]
}

const I32 = 0x7f
const V128 = 0x7b

// Locals: three parameters, three integers, and the rest as wide as the shape.
const START = 0
const COUNT = 1
const MASK = 2
const AT = 3
const HIT = 4
const ROUND = 5 // address of the round's words
const WIDE_MASK = 6
const WANTED = 7
const T = 8
const BY_8 = 9 // which byte comes from where
const BY_16 = 10
const NONCE = 11 // one per group
const SAVED = 13 // sixteen
const STATE = 29 // sixteen per group

const get = (local: number) => [0x20, local]
const set = (local: number) => [0x21, local]
const tee = (local: number) => [0x22, local]

const SCALAR: Shape = {
  lanes: 1,
  groups: 1,
  type: I32,
  splat: [],
  load: [0x28, 2],
  store: [0x36, 2],
  add: [0x6a],
  xor: [0x73],
  and: [0x71],
  same: [0x46],
  rotateRight: (bits) => [0x41, bits, 0x78],
}

const SIMD: Shape = {
  lanes: 4,
  groups: 2,
  type: V128,
  splat: [0xfd, 0x11],
  load: [0xfd, 0, 4],
  store: [0xfd, 11, 4],
  add: [0xfd, 0xae, 1],
  xor: [0xfd, 0x51],
  and: [0xfd, 0x4e],
  same: [0xfd, 0x37, 0xfd, 0xa4, 1],
  // By whole bytes it is a permutation of bytes: one or two instructions, where shifts are three.
  rotateRight: (bits) =>
    bits % 8
      ? [...tee(T), 0x41, bits, 0xfd, 0xad, 1, ...get(T), 0x41, 32 - bits, 0xfd, 0xab, 1, 0xfd, 0x50]
      : [...get(bits === 8 ? BY_8 : BY_16), 0xfd, 0x0e],
}

/** Which state words the eight quarter rounds work on: four columns, four diagonals. */
const QUARTERS = ['048c', '159d', '26ae', '37bf', '05af', '16bc', '278d', '349e']

/** LEB128, unsigned. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)]
}

/** `i32.const`, always in five bytes. */
function constant(value: number): number[] {
  const bytes = [0x41]
  for (let shift = 0; shift < 28; shift += 7) bytes.push(((value >> shift) & 127) | 128)
  bytes.push((value >> 28) & 127)
  return bytes
}

/** Independent quarter rounds of all groups, step by step in turns; their words lie from ROUND on. */
function quarterRounds(code: number[], shape: Shape, groups: number, which: string): void {
  for (let step = 0; step < 8; step++) {
    for (const k of which) {
      for (let group = 0; group < groups; group++) {
        const local = (letter: number) => STATE + 16 * group + Number.parseInt(QUARTERS[+k]![letter]!, 16)
        // a += b + word; d = (d ^ a) >>> 16; c += d; b = (b ^ c) >>> 12; and again with 8 and 7.
        const target = local([0, 3, 2, 1][step & 3]!)
        code.push(...get(target), ...get(local([1, 0, 3, 2][step & 3]!)))
        if (step & 1) code.push(...shape.xor, ...shape.rotateRight([16, 12, 8, 7][step >> 1]!))
        else code.push(...shape.add)
        if (!(step & 3)) {
          const place = 160 * group + 2 * +k + (step >> 2)
          code.push(...get(ROUND), ...shape.load, ...unsigned(4 * shape.lanes * place), ...shape.add)
        }
        code.push(...set(target))
      }
    }
  }
}

function body(shape: Shape): number[] {
  const { lanes, groups, splat } = shape
  const width = 4 * lanes
  const code: number[] = []
  const add = (...parts: readonly (readonly number[])[]) => {
    for (const part of parts) code.push(...part)
  }
  add(get(START), splat)
  if (lanes > 1) {
    add([0xfd, 0x0c, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0], shape.add)
    add([0xfd, 0x0c, 1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12], set(BY_8))
    add([0xfd, 0x0c, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13], set(BY_16))
  }
  add(set(NONCE), get(MASK), splat, tee(WIDE_MASK))
  const state = firstState()
  add(constant(state[0]!), splat, shape.and, set(WANTED))
  for (let i = 0; i < 16; i++) add(constant(state[i]!), splat, set(STATE + i))
  quarterRounds(code, shape, 1, '0123')
  quarterRounds(code, shape, 1, '567')
  for (let i = 0; i < 16; i++) add(get(STATE + i), set(SAVED + i))

  add([0x03, 0x40]) // loop over nonces
  for (let group = 0; group < groups; group++) {
    if (group) add(get(NONCE), [0x41, lanes], splat, shape.add, set(NONCE + 1))
    for (let k = 0; k < 160; k++) {
      if (SIGMA[k] === 9) add([0x41, 0], get(NONCE + group), shape.store, unsigned(width * (160 * group + k)))
    }
    for (let i = 0; i < 16; i++) add(get(SAVED + i), set(STATE + 16 * group + i))
  }
  add([0x41, 0], set(ROUND))
  quarterRounds(code, shape, groups, '4')
  add([0x03, 0x40]) // loop over rounds
  add(get(ROUND), constant(16 * width), [0x6a], set(ROUND))
  quarterRounds(code, shape, groups, '0123')
  quarterRounds(code, shape, groups, '4567')
  add(get(ROUND), constant(144 * width), [0x49, 0x0d, 0, 0x0b]) // again while below the last round
  for (let group = 0; group < groups; group++) {
    // The digest's first word is first state ^ v0 ^ v8.
    add(get(STATE + 16 * group), get(STATE + 16 * group + 8), shape.xor)
    add(get(WIDE_MASK), shape.and, get(WANTED), shape.same, tee(HIT), [0x04, 0x40]) // if
    add(get(AT), get(HIT), [0x68, 0x6a, 0x0f, 0x0b]) // return at + ctz(hit)
    add(get(AT), [0x41, lanes, 0x6a], set(AT))
  }
  add(get(NONCE + groups - 1), [0x41, lanes], splat, shape.add, set(NONCE))
  add(get(AT), get(COUNT), [0x49, 0x0d, 0, 0x0b]) // again while at < count
  add([0x41, 0x7f, 0x0b]) // -1
  return [2, 3, I32, STATE + 16 * groups - WIDE_MASK, shape.type, ...code]
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content]
}

/** The module's bytes. */
export function wasmModule(simd: boolean): Uint8Array<ArrayBuffer> {
  const code = body(simd ? SIMD : SCALAR)
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 3, I32, I32, I32, 1, I32]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, 1]),
    ...section(7, [2, 1, 0x73, 0, 0, 1, 0x6d, 2, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ])
}

/** One `Search` on a module that was made for `simd` or not; not for two at a time. */
export function searchInWasm(wasm: WasmApi, module: WasmModule, simd: boolean): Search {
  const { s, m } = new wasm.Instance(module).exports
  const { lanes, groups } = simd ? SIMD : SCALAR
  const schedule = new Int32Array(m.buffer)
  return (words, start, count, mask) => {
    for (let i = 0; i < 160 * groups * lanes; i++) {
      const word = SIGMA[((i / lanes) | 0) % 160]!
      if (word < 9) schedule[i] = words[word]!
    }
    return s(start, count, mask)
  }
}
