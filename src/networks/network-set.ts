/**
 * What lists of networks say of an address: an effect, and which list it is from.
 *
 * As in network-table.ts the set keeps borders instead of ranges: entry i says "from here on, this mark", and
 * a gap is a border with the mark 0. Where networks overlap, one mark is left when the set is built, so that a
 * look-up is one binary search whatever the number of lists:
 *
 *     allow beats everything; then the harder effect; then the list that is named first
 *
 * A mark is a number whose greatest is the winner, and "the greatest of all that cover it" may be taken pair by
 * pair, in any order. So sets are laid over each other in a tree, each time in linear time, and one list that
 * changed does not sort the others again (`layNetworkSets`).
 *
 *     header   magic, number of v4 borders, number of v6 borders     16 bytes
 *     index    first v4 border of each /16, from 4,096 borders on    256 kB
 *     v4       first address [n4]                                    4 bytes a border
 *     v6       first address [n6][4]                                 16 bytes a border
 *     marks    [n4 + n6]                                             2 bytes a border
 *
 * Rejected: the longest prefix wins, as in routing (a wide `refuse` would lose to a narrow `weight` inside it,
 * so that a second list could only ever weaken the first); a trie (a walk of up to 128 steps); cutting v6 at
 * /64 as the network table does (an `allow` for one machine would be one for all beside it).
 */
import { endianness } from 'node:os'
import { type Address, parseAddress } from './address.ts'

/** What was said of an address. */
export interface NetworkMark {
  /** Index into the effects, by hardness: 0 allow, 1 weight, 2 price, 3 wait, 4 refuse (`EFFECTS` of #recognise). */
  readonly effect: number
  /** The list's number, from 0. */
  readonly list: number
}

/**
 * First and last address of each range, one after the other: two words a range in `v4`, eight in `v6`, most
 * significant first. In any order; they may overlap. A range that ends before it begins is left out.
 */
export interface PackedRanges {
  readonly v4: Uint32Array
  readonly v6: Uint32Array
}

/** Networks that share a mark. */
export interface NetworkGroup extends NetworkMark {
  readonly ranges: PackedRanges
}

/** A set that takes part in another. */
export interface NetworkLayer {
  readonly memory: SharedArrayBuffer
  /** Number of the list that all its networks have from now on. */
  readonly list: number
  /** Harder effects are softened to this one. */
  readonly atMost?: number
}

export const MOST_LISTS = 64
const MOST_EFFECTS = 5
const ALLOW = 0

/** "DLST" read as a little-endian word. */
const MAGIC = 0x54534c44
const HEADER_WORDS = 4
const AT = { magic: 0, v4: 1, v6: 2 } as const
/** From here on most steps of a search would wait for memory: an index saves them. */
const INDEX_FROM = 4096
const INDEX_WORDS = 65_537
const WIDTH_V4 = 1
const WIDTH_V6 = 4

/** Borders of one version: `words` has `width` words each. */
interface Borders {
  readonly width: number
  readonly words: Uint32Array
  readonly marks: Uint16Array
}

interface Opened {
  /** Of each /16 the number of borders before it, and of the one after the last; empty for a small set. */
  readonly index: Uint32Array
  readonly v4: Uint32Array
  readonly v6: Uint32Array
  readonly marks: Uint16Array
}

const NOTHING: Opened = {
  index: new Uint32Array(),
  v4: new Uint32Array(),
  v6: new Uint32Array(),
  marks: new Uint16Array(),
}

export class NetworkSet {
  static readonly EMPTY: NetworkSet = new NetworkSet(undefined)

  readonly #index: Uint32Array
  readonly #v4: Uint32Array
  readonly #v6: Uint32Array
  readonly #marks: Uint16Array

  /** Over a memory that `buildNetworkSet` or `layNetworkSets` made, in this thread or another. */
  constructor(memory: SharedArrayBuffer | undefined) {
    const { index, v4, v6, marks } = memory === undefined ? NOTHING : open(memory)
    this.#index = index
    this.#v4 = v4
    this.#v6 = v6
    this.#marks = marks
  }

  get isEmpty(): boolean {
    return this.#marks.length === 0
  }

  /** Bytes of the borders. */
  get bytes(): number {
    return this.#v4.byteLength + this.#v6.byteLength + this.#marks.byteLength
  }

  /** Undefined when no list has the address, and for a text that is no address. */
  find(address: Address | string): NetworkMark | undefined {
    if (this.#marks.length === 0) return undefined
    const parsed = typeof address === 'string' ? parseAddress(address) : address
    if (parsed === undefined) return undefined
    const at = parsed.version === 4 ? this.#findV4(parsed.words[0]!) : this.#findV6(parsed.words)
    return at < 0 ? undefined : MARKS[this.#marks[at]!]
  }

  /** Index of the last border at or before the address; -1 when there is none. */
  #findV4(value: number): number {
    const first = this.#v4
    const index = this.#index
    let low = 0
    let high = first.length
    if (index.length > 0) {
      low = index[value >>> 16]!
      high = index[(value >>> 16) + 1]!
    }
    while (low < high) {
      const middle = (low + high) >>> 1
      if (first[middle]! <= value) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  #findV6(words: readonly number[]): number {
    const first = this.#v6
    let low = 0
    let high = first.length >>> 2
    while (low < high) {
      const middle = (low + high) >>> 1
      const at = middle << 2
      let difference = first[at]! - words[0]!
      if (difference === 0) difference = first[at + 1]! - words[1]!
      if (difference === 0) difference = first[at + 2]! - words[2]!
      if (difference === 0) difference = first[at + 3]! - words[3]!
      if (difference <= 0) low = middle + 1
      else high = middle
    }
    return low === 0 ? -1 : this.#v4.length + low - 1
  }
}

/** 0 is no mark. Allow is greatest, then the harder effect, then the list that is named first. */
function markOf(effect: number, list: number): number {
  const rank = effect === ALLOW ? MOST_EFFECTS : effect
  return rank * MOST_LISTS + (MOST_LISTS - 1 - list)
}

/** Every mark as what it means, so that a look-up makes no object. */
const MARKS: readonly (NetworkMark | undefined)[] = (() => {
  const all = new Array<NetworkMark | undefined>((MOST_EFFECTS + 1) * MOST_LISTS).fill(undefined)
  for (let effect = 0; effect < MOST_EFFECTS; effect++)
    for (let list = 0; list < MOST_LISTS; list++) all[markOf(effect, list)] = { effect, list }
  return all
})()

function open(memory: SharedArrayBuffer): Opened {
  const words = new Uint32Array(memory)
  if (words[AT.magic] !== MAGIC) throw new TypeError('expected the memory of a set of networks')
  const v4 = words[AT.v4]!
  const v6 = words[AT.v6]!
  const v4At = HEADER_WORDS + indexWords(v4)
  const marksAt = v4At + v4 + WIDTH_V6 * v6
  return {
    index: words.subarray(HEADER_WORDS, v4At),
    v4: words.subarray(v4At, v4At + v4),
    v6: words.subarray(v4At + v4, marksAt),
    marks: new Uint16Array(memory, marksAt * 4, v4 + v6),
  }
}

function indexWords(borders: number): number {
  return borders < INDEX_FROM ? 0 : INDEX_WORDS
}

/**
 * The memory of a set. Takes about a quarter of a second for half a million networks: not for a thread that serves.
 * Throws a RangeError for an effect or list that there is not.
 */
export function buildNetworkSet(groups: readonly NetworkGroup[]): SharedArrayBuffer {
  for (const { effect, list } of groups) {
    if (!Number.isInteger(effect) || effect < 0 || effect >= MOST_EFFECTS)
      throw new RangeError(`expected an effect from 0 to ${MOST_EFFECTS - 1}, got ${effect}`)
    checkList(list)
  }
  const v4 = groups.map(({ effect, list, ranges }) =>
    bordersOf(sortedV4(ranges.v4), WIDTH_V4, markOf(effect, list)),
  )
  const v6 = groups.map(({ effect, list, ranges }) =>
    bordersOf(sortedV6(ranges.v6), WIDTH_V6, markOf(effect, list)),
  )
  return pack(layAll(v4, WIDTH_V4), layAll(v6, WIDTH_V6))
}

/** Several sets as one, in time linear in their size. */
export function layNetworkSets(layers: readonly NetworkLayer[]): SharedArrayBuffer {
  const v4: Borders[] = []
  const v6: Borders[] = []
  for (const { memory, list, atMost = MOST_EFFECTS } of layers) {
    checkList(list)
    const set = open(memory)
    const marks = set.marks.map((mark) => {
      const said = MARKS[mark]
      if (said === undefined) return 0
      return markOf(said.effect === ALLOW ? ALLOW : Math.min(said.effect, atMost), list)
    })
    v4.push({ width: WIDTH_V4, words: set.v4, marks: marks.subarray(0, set.v4.length) })
    v6.push({ width: WIDTH_V6, words: set.v6, marks: marks.subarray(set.v4.length) })
  }
  return pack(layAll(v4, WIDTH_V4), layAll(v6, WIDTH_V6))
}

function checkList(list: number): void {
  if (!Number.isInteger(list) || list < 0 || list >= MOST_LISTS)
    throw new RangeError(`expected a list from 0 to ${MOST_LISTS - 1}, got ${list}`)
}

function pack(v4: Borders, v6: Borders): SharedArrayBuffer {
  const v4At = HEADER_WORDS + indexWords(v4.marks.length)
  const marksAt = v4At + v4.words.length + v6.words.length
  const marks = v4.marks.length + v6.marks.length
  const memory = new SharedArrayBuffer(marksAt * 4 + marks * 2 + (marks % 2) * 2)
  const words = new Uint32Array(memory)
  words[AT.magic] = MAGIC
  words[AT.v4] = v4.marks.length
  words[AT.v6] = v6.marks.length
  for (let slot = 0, border = 0; slot < v4At - HEADER_WORDS; slot++) {
    while (border < v4.words.length && v4.words[border]! < slot * 65_536) border++
    words[HEADER_WORDS + slot] = border
  }
  words.set(v4.words, v4At)
  words.set(v6.words, v4At + v4.words.length)
  const packed = new Uint16Array(memory, marksAt * 4, marks)
  packed.set(v4.marks)
  packed.set(v6.marks, v4.marks.length)
  return memory
}

/** Which half of a 64-bit word on this machine is the greater one. */
const UPPER = endianness() === 'LE' ? 1 : 0

/** Ranges by their first address. As 64-bit words the engine sorts them without asking for each pair. */
function sortedV4(ranges: Uint32Array): Uint32Array {
  const count = ranges.length >>> 1
  const keys = new BigUint64Array(count)
  const halves = new Uint32Array(keys.buffer)
  for (let i = 0; i < count; i++) {
    halves[2 * i + UPPER] = ranges[2 * i]!
    halves[2 * i + 1 - UPPER] = ranges[2 * i + 1]!
  }
  keys.sort()
  const sorted = new Uint32Array(2 * count)
  for (let i = 0; i < count; i++) {
    sorted[2 * i] = halves[2 * i + UPPER]!
    sorted[2 * i + 1] = halves[2 * i + 1 - UPPER]!
  }
  return sorted
}

function sortedV6(ranges: Uint32Array): Uint32Array {
  const count = Math.floor(ranges.length / (2 * WIDTH_V6))
  const order = new Uint32Array(count)
  for (let i = 0; i < count; i++) order[i] = i * 2 * WIDTH_V6
  order.sort((a, b) => compare(ranges, a, ranges, b, WIDTH_V6))
  const sorted = new Uint32Array(count * 2 * WIDTH_V6)
  for (let i = 0; i < count; i++)
    sorted.set(ranges.subarray(order[i]!, order[i]! + 2 * WIDTH_V6), i * 2 * WIDTH_V6)
  return sorted
}

/** Borders of ranges that come by their first address, those that overlap or touch joined. */
function bordersOf(ranges: Uint32Array, width: number, mark: number): Borders {
  const step = 2 * width
  const out = new BorderWriter(width, 2 * (ranges.length / step))
  /** Where the range that is still open ends, as an offset into `ranges`; -1 when none is. */
  let openEnd = -1
  const after = new Uint32Array(width)
  for (let at = 0; at < ranges.length; at += step) {
    if (compare(ranges, at, ranges, at + width, width) > 0) continue
    if (openEnd >= 0) {
      const hasNext = successor(ranges, openEnd, after)
      if (!hasNext || compare(ranges, at, after, 0, width) <= 0) {
        if (compare(ranges, at + width, ranges, openEnd, width) > 0) openEnd = at + width
        continue
      }
      out.put(after, 0, 0)
    }
    out.put(ranges, at, mark)
    openEnd = at + width
  }
  if (openEnd >= 0 && successor(ranges, openEnd, after)) out.put(after, 0, 0)
  return out.borders()
}

/** The address after the one at `at`; false when that is the last there is. */
function successor(words: Uint32Array, at: number, out: Uint32Array): boolean {
  for (let i = 0; i < out.length; i++) out[i] = words[at + i]!
  for (let i = out.length - 1; i >= 0; i--) {
    if (out[i]! < 0xffffffff) {
      out[i]! += 1
      return true
    }
    out[i] = 0
  }
  return false
}

/** All laid over each other; in a tree, so that each border is looked at log(n) times. */
function layAll(sets: readonly Borders[], width: number): Borders {
  let layers = sets.length === 0 ? [new BorderWriter(width, 0).borders()] : [...sets]
  // One alone may hold neighbours that became the same when they were softened.
  if (layers.length === 1) layers.push(new BorderWriter(width, 0).borders())
  while (layers.length > 1) {
    const next: Borders[] = []
    for (let i = 0; i + 1 < layers.length; i += 2) next.push(lay(layers[i]!, layers[i + 1]!))
    if (layers.length % 2 === 1) next.push(layers.at(-1)!)
    layers = next
  }
  return layers[0]!
}

function lay(a: Borders, b: Borders): Borders {
  const { width } = a
  const out = new BorderWriter(width, a.marks.length + b.marks.length)
  let atA = 0
  let atB = 0
  let markA = 0
  let markB = 0
  while (atA < a.marks.length || atB < b.marks.length) {
    const order =
      atA === a.marks.length
        ? 1
        : atB === b.marks.length
          ? -1
          : compare(a.words, atA * width, b.words, atB * width, width)
    const from = order <= 0 ? a : b
    const at = (order <= 0 ? atA : atB) * width
    if (order <= 0) markA = a.marks[atA++]!
    if (order >= 0) markB = b.marks[atB++]!
    out.put(from.words, at, Math.max(markA, markB))
  }
  return out.borders()
}

/** Takes borders in ascending order, and leaves out those that change nothing. */
class BorderWriter {
  readonly #width: number
  readonly #words: Uint32Array
  readonly #marks: Uint16Array
  #count = 0

  constructor(width: number, most: number) {
    this.#width = width
    this.#words = new Uint32Array(most * width)
    this.#marks = new Uint16Array(most)
  }

  put(words: Uint32Array, at: number, mark: number): void {
    const count = this.#count
    if (mark === (count === 0 ? 0 : this.#marks[count - 1]!)) return
    for (let i = 0; i < this.#width; i++) this.#words[count * this.#width + i] = words[at + i]!
    this.#marks[count] = mark
    this.#count++
  }

  borders(): Borders {
    return {
      width: this.#width,
      words: this.#words.subarray(0, this.#count * this.#width),
      marks: this.#marks.subarray(0, this.#count),
    }
  }
}

function compare(a: Uint32Array, atA: number, b: Uint32Array, atB: number, width: number): number {
  for (let i = 0; i < width; i++) {
    const difference = a[atA + i]! - b[atB + i]!
    if (difference !== 0) return difference
  }
  return 0
}
