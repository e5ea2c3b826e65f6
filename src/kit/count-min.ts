/**
 * Count-min sketch with conservative update over two alternating windows: how often was this name
 * seen lately, in memory that does not depend on how many names there are.
 *
 * Cormode, Muthukrishnan 2005; conservative update: Estan, Varghese 2002. An estimate is never below
 * the true count; above it by more than e / width of the window's total only with probability
 * e^-depth. Conservative update raises only the smallest of a name's cells and makes heavy names
 * nearly exact. The estimate covers the running window and the one before it.
 */
import { type HashKey, hash32, randomHashKey } from './hash.ts'

const DEPTH = 4

export class CountMin {
  readonly width: number
  readonly windowMs: number
  readonly #key: HashKey
  #current: Uint32Array
  #previous: Uint32Array
  #windowStart = Number.NEGATIVE_INFINITY
  #total = 0

  /** `width` is rounded up to a power of two. */
  constructor(options: { readonly width: number; readonly windowMs: number; readonly key?: HashKey }) {
    this.width = 2 ** Math.ceil(Math.log2(options.width))
    this.windowMs = options.windowMs
    this.#key = options.key ?? randomHashKey()
    this.#current = new Uint32Array(this.width * DEPTH)
    this.#previous = new Uint32Array(this.width * DEPTH)
  }

  /** Additions in the running window. */
  get total(): number {
    return this.#total
  }

  /** Adds to a name's count and returns the new estimate. */
  add(name: string, by: number, nowMs: number): number {
    this.#turn(nowMs)
    this.#total += by
    const hash = hash32(name, this.#key)
    const cells = this.#current
    const least = this.#least(cells, hash) + by
    for (let row = 0; row < DEPTH; row++) {
      const at = this.#cell(hash, row)
      if (cells[at]! < least) cells[at] = least
    }
    return least + this.#least(this.#previous, hash)
  }

  estimate(name: string, nowMs: number): number {
    this.#turn(nowMs)
    const hash = hash32(name, this.#key)
    return this.#least(this.#current, hash) + this.#least(this.#previous, hash)
  }

  /** Rows take their places from one hash: a + row·b (Kirsch, Mitzenmacher 2006). */
  #cell(hash: number, row: number): number {
    const step = (Math.imul(hash, 0x9e3779b1) >>> 7) | 1
    return row * this.width + ((hash + row * step) & (this.width - 1))
  }

  #least(cells: Uint32Array, hash: number): number {
    let least = cells[this.#cell(hash, 0)]!
    for (let row = 1; row < DEPTH; row++) {
      const value = cells[this.#cell(hash, row)]!
      if (value < least) least = value
    }
    return least
  }

  #turn(nowMs: number): void {
    if (nowMs - this.#windowStart < this.windowMs) return
    if (nowMs - this.#windowStart < 2 * this.windowMs) {
      const spent = this.#previous
      this.#previous = this.#current
      this.#current = spent
      this.#windowStart += this.windowMs
    } else {
      this.#previous.fill(0)
      this.#windowStart = nowMs
    }
    this.#current.fill(0)
    this.#total = 0
  }
}
