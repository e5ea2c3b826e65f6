/**
 * HyperLogLog: how many distinct names were there, in 4 kB whatever their number.
 *
 * Flajolet, Fusy, Gandouet, Meunier 2007; estimated as Ertl does ("New cardinality estimation algorithms
 * for HyperLogLog sketches", 2017, algorithm 6), which needs no switch between ranges and no table of
 * corrections. The standard error is 1.04 / √4096 = 1.6 %: two of three estimates are within it, 19 of 20
 * within 3.3 %. The hash has 32 bits, so that ten million names lose 0.1 % to collisions.
 *
 * Sketches under the same key merge without loss: the minutes' sketch is the maximum of its parts. The
 * key is secret, or a stranger could choose addresses that fill registers, and look populous for little.
 */
import { assert } from './assert.ts'
import { type HashKey, hash32 } from './hash.ts'

const INDEX_BITS = 12
const REGISTERS = 1 << INDEX_BITS
/** Bits of the hash that are left for the rank. */
const RANK_BITS = 32 - INDEX_BITS
const ALPHA = 1 / (2 * Math.LN2)

export class HyperLogLog {
  /** Of an estimate, as a ratio. */
  static readonly STANDARD_ERROR = 1.04 / Math.sqrt(REGISTERS)
  static readonly REGISTERS = REGISTERS
  /** One byte each: 0 for none, else the highest rank seen (1 to 21). */
  readonly registers: Uint8Array

  constructor(registers: Uint8Array = new Uint8Array(REGISTERS)) {
    assert(registers.length === REGISTERS, 'a sketch has 4096 registers')
    this.registers = registers
  }

  add(name: string, key: HashKey): void {
    this.addHash(hash32(name, key))
  }

  /** The same for who has the `hash32` already. */
  addHash(hash: number): void {
    const index = hash >>> RANK_BITS
    // Leading zeros of what is left, moved to the top of the word.
    const rank = Math.min(Math.clz32(hash << INDEX_BITS), RANK_BITS) + 1
    if (rank > this.registers[index]!) this.registers[index] = rank
  }

  /** Becomes the sketch of both. */
  merge(other: HyperLogLog): void {
    const mine = this.registers
    const theirs = other.registers
    for (let i = 0; i < REGISTERS; i++) if (theirs[i]! > mine[i]!) mine[i] = theirs[i]!
  }

  estimate(): number {
    const counts = new Uint32Array(RANK_BITS + 2)
    // Registers from a damaged file may hold anything.
    for (const rank of this.registers) counts[Math.min(rank, RANK_BITS + 1)]!++
    let z = REGISTERS * tau(1 - counts[RANK_BITS + 1]! / REGISTERS)
    for (let rank = RANK_BITS; rank >= 1; rank--) z = 0.5 * (z + counts[rank]!)
    z += REGISTERS * sigma(counts[0]! / REGISTERS)
    return (ALPHA * REGISTERS * REGISTERS) / z
  }

  get isEmpty(): boolean {
    return this.registers.every((rank) => rank === 0)
  }
}

/** x + Σ x^(2^k)·2^(k−1): corrects for registers that are still empty. */
function sigma(x: number): number {
  if (x === 1) return Number.POSITIVE_INFINITY
  let power = x
  let factor = 1
  let sum = x
  for (let before = -1; before !== sum; ) {
    before = sum
    power *= power
    sum += power * factor
    factor += factor
  }
  return sum
}

/** Corrects for registers that cannot rise further. */
function tau(x: number): number {
  if (x === 0 || x === 1) return 0
  let root = x
  let factor = 1
  let sum = 1 - x
  for (let before = -1; before !== sum; ) {
    before = sum
    root = Math.sqrt(root)
    factor *= 0.5
    sum -= (1 - root) ** 2 * factor
  }
  return sum / 3
}
