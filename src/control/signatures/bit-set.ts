/** Sets of small whole numbers as bits: mining is intersecting and counting them. */

export class BitSet {
  readonly words: Uint32Array

  constructor(size: number) {
    this.words = new Uint32Array((size + 31) >>> 5)
  }

  add(i: number): void {
    this.words[i >>> 5]! |= 1 << (i & 31)
  }

  has(i: number): boolean {
    return ((this.words[i >>> 5]! >>> (i & 31)) & 1) === 1
  }

  get count(): number {
    let total = 0
    for (let i = 0; i < this.words.length; i++) total += bitsIn(this.words[i]!)
    return total
  }

  /** What is in both; they must be of one size. */
  and(other: BitSet): BitSet {
    const both = new BitSet(this.words.length << 5)
    for (let i = 0; i < both.words.length; i++) both.words[i] = this.words[i]! & other.words[i]!
    return both
  }

  countAnd(other: BitSet): number {
    let total = 0
    for (let i = 0; i < this.words.length; i++) total += bitsIn(this.words[i]! & other.words[i]!)
    return total
  }

  /** How many of this are not in `other`. */
  countWithout(other: BitSet): number {
    let total = 0
    for (let i = 0; i < this.words.length; i++) total += bitsIn(this.words[i]! & ~other.words[i]!)
    return total
  }

  /** Puts all of `other` in. */
  addAll(other: BitSet): void {
    for (let i = 0; i < this.words.length; i++) this.words[i]! |= other.words[i]!
  }

  *[Symbol.iterator](): Generator<number> {
    for (let i = 0; i < this.words.length; i++)
      for (let word = this.words[i]!; word !== 0; word &= word - 1)
        yield (i << 5) + 31 - Math.clz32(word & -word)
  }
}

/** Hacker's Delight, figure 5-2. */
function bitsIn(word: number): number {
  let v = word
  v -= (v >>> 1) & 0x55555555
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333)
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
