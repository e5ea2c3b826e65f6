/**
 * How often a name was asked for lately, in half a byte per counter.
 *
 * TinyLFU (Einziger, Friedman, Manes: "TinyLFU: A Highly Efficient Cache Admission Policy", 2017): a
 * count-min sketch of 4-bit counters that only compares. A *doorkeeper*, a Bloom filter, takes a
 * name's first sighting, so that a million names asked for once leave the counters alone. After a sample of
 * ten times the width all counters are halved and the doorkeeper is emptied: what was popular
 * yesterday fades. Conservative update (Estan, Varghese 2002): only the smallest cells rise.
 *
 * kit's CountMin counts in 32 bits over windows of time; here eight counters share a word, and the past fades
 * with requests instead of seconds: a quiet night forgets nothing.
 *
 * The hash is keyed: whoever could aim at a page's cells would make his own look as popular.
 */
import { type HashKey, hash32 } from '#kit'

const ROWS = 4
/** What four bits hold. */
const MOST = 15
const SAMPLE_PER_COUNTER = 10
/** Ten times as many names as counters pass between two halvings; then 7 % of new names seem known. */
const DOOR_BITS_PER_COUNTER = 64
/** Below it a flood of names would age the counters too fast; 160 kB in all. */
const LEAST_WIDTH = 16_384

export class Frequency {
  /** Additions after which everything is halved. */
  readonly sample: number
  readonly #key: HashKey
  readonly #mask: number
  /** Eight counters to a word, row after row. */
  readonly #counters: Uint32Array
  readonly #door: Uint32Array
  readonly #doorMask: number
  #additions = 0

  /** `names`: about how many are kept at once; rounded up to a power of two. */
  constructor(names: number, key: HashKey) {
    const width = 2 ** Math.ceil(Math.log2(Math.max(LEAST_WIDTH, names)))
    this.sample = width * SAMPLE_PER_COUNTER
    this.#key = key
    this.#mask = width - 1
    this.#counters = new Uint32Array((width * ROWS) / 8)
    this.#door = new Uint32Array((width * DOOR_BITS_PER_COUNTER) / 32)
    this.#doorMask = width * DOOR_BITS_PER_COUNTER - 1
  }

  /** What the other methods ask for; keep it with what you keep. */
  hash(name: string): number {
    return hash32(name, this.#key)
  }

  add(hash: number, times = 1): void {
    let by = Math.min(times, MOST)
    if (by >= 1 && !this.#passesDoor(hash)) by--
    if (by >= 1) {
      const least = this.#least(hash)
      const raised = Math.min(MOST, least + by)
      for (let row = 0; row < ROWS; row++) this.#raise(this.#cell(hash, row), raised)
      // A counter at its end ages nobody: hits on one page would soon have halved all others to nothing.
      this.#additions += raised - least
    }
    if (this.#additions >= this.sample) this.#halve()
  }

  /** 0 to 16; never below the true count since the last halving, up to 16. */
  of(hash: number): number {
    return this.#least(hash) + (this.#isAtDoor(hash) ? 1 : 0)
  }

  /** Rows take their places from one hash: a + row·b (Kirsch, Mitzenmacher 2006). */
  #cell(hash: number, row: number): number {
    const step = (Math.imul(hash, 0x9e3779b1) >>> 7) | 1
    return row * (this.#mask + 1) + ((hash + row * step) & this.#mask)
  }

  #least(hash: number): number {
    let least = MOST
    for (let row = 0; row < ROWS; row++) {
      const cell = this.#cell(hash, row)
      const count = (this.#counters[cell >>> 3]! >>> ((cell & 7) << 2)) & MOST
      if (count < least) least = count
    }
    return least
  }

  #raise(cell: number, to: number): void {
    const shift = (cell & 7) << 2
    const word = this.#counters[cell >>> 3]!
    if (((word >>> shift) & MOST) < to) this.#counters[cell >>> 3] = (word & ~(MOST << shift)) | (to << shift)
  }

  #doorBit(hash: number, which: number): number {
    return Math.imul(hash ^ (hash >>> 15), which === 0 ? 0x85ebca6b : 0xc2b2ae35) >>> 5
  }

  #isAtDoor(hash: number): boolean {
    for (let which = 0; which < 2; which++) {
      const bit = this.#doorBit(hash, which) & this.#doorMask
      if ((this.#door[bit >>> 5]! & (1 << (bit & 31))) === 0) return false
    }
    return true
  }

  /** False, and remembered, at the first time since the last halving. */
  #passesDoor(hash: number): boolean {
    if (this.#isAtDoor(hash)) return true
    for (let which = 0; which < 2; which++) {
      const bit = this.#doorBit(hash, which) & this.#doorMask
      this.#door[bit >>> 5]! |= 1 << (bit & 31)
    }
    this.#additions++
    return false
  }

  #halve(): void {
    const counters = this.#counters
    for (let i = 0; i < counters.length; i++) counters[i] = (counters[i]! >>> 1) & 0x77777777
    this.#door.fill(0)
    this.#additions >>>= 1
  }
}
