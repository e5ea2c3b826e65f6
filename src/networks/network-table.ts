/**
 * Which autonomous system announces an address: the question asked once per connection.
 *
 * The internet's table has some 400,000 IPv4 and 100,000 IPv6 ranges. Instead of ranges the table
 * keeps borders: entry i says "from here on, this ASN", and a gap is a border with ASN 0. That is
 * two words per entry instead of three and one array to search instead of two.
 *
 *     header   magic, format, counts, source date, checksum     32 bytes
 *     v4       first address [n4]     ASN [n4]                  8 bytes an entry
 *     v6       first address, upper 32 bits [n6]   next 32 bits [n6]   ASN [n6]   12 bytes an entry
 *
 * v6 is cut at /64, what one subscriber holds. All in 32-bit words over one SharedArrayBuffer, so
 * that every edge thread reads the same 6 MB; the file on disk is the same bytes, little-endian.
 * Rejected: mmdb (a tree walk of up to 128 steps and a decoded object per look-up, one copy per
 * thread), and an index of the first 16 bits (256 kB more for a look-up that is far below a
 * microsecond already). A million random addresses against the bundled table: 2 million IPv4
 * look-ups per second on one core, from a cold start, while other work ran beside it.
 */
import { endianness } from 'node:os'
import { crc32 } from 'node:zlib'
import type { Address } from './address.ts'

/** "DIGUENET" read as two little-endian words. */
const MAGIC = [0x55474944, 0x54454e45] as const
const FORMAT = 1
const HEADER_WORDS = 8

/** The words of a table's header. */
const AT = { format: 2, v4: 3, v6: 4, sourceDate: 5, checksum: 6 } as const

/** Borders, ascending; what a table is made from. */
export interface Borders {
  readonly v4: { readonly first: Uint32Array; readonly asn: Uint32Array }
  readonly v6: { readonly high: Uint32Array; readonly low: Uint32Array; readonly asn: Uint32Array }
}

/** A file that is not a table of networks, or a damaged one. Digue runs on without it. */
export class NetworkTableError extends Error {
  readonly code = 'DIGUE_NETWORK_TABLE'
}

export class NetworkTable {
  static readonly EMPTY: NetworkTable = NetworkTable.fromBorders(
    {
      v4: { first: new Uint32Array(), asn: new Uint32Array() },
      v6: { high: new Uint32Array(), low: new Uint32Array(), asn: new Uint32Array() },
    },
    0,
  )

  /** Give this to another thread and make its table with `new NetworkTable(buffer)`. */
  readonly buffer: SharedArrayBuffer
  /** When the data were gathered, milliseconds since the epoch; 0 when unknown. */
  readonly sourceDateMs: number
  readonly #v4First: Uint32Array
  readonly #v4Asn: Uint32Array
  readonly #v6High: Uint32Array
  readonly #v6Low: Uint32Array
  readonly #v6Asn: Uint32Array

  /** Trusts the buffer: `fromFile` is the way in for bytes from outside. */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer
    const words = new Uint32Array(buffer)
    const v4 = words[AT.v4]!
    const v6 = words[AT.v6]!
    this.sourceDateMs = words[AT.sourceDate]! * 1000
    let at = HEADER_WORDS
    const take = (count: number) => words.subarray(at, (at += count))
    this.#v4First = take(v4)
    this.#v4Asn = take(v4)
    this.#v6High = take(v6)
    this.#v6Low = take(v6)
    this.#v6Asn = take(v6)
  }

  /** Entries of both versions. */
  get size(): number {
    return this.#v4First.length + this.#v6High.length
  }

  static fromBorders(borders: Borders, sourceDateMs: number): NetworkTable {
    const { v4, v6 } = borders
    const length = HEADER_WORDS + 2 * v4.first.length + 3 * v6.high.length
    const words = new Uint32Array(new SharedArrayBuffer(length * 4))
    words.set(MAGIC)
    words[AT.format] = FORMAT
    words[AT.v4] = v4.first.length
    words[AT.v6] = v6.high.length
    words[AT.sourceDate] = Math.floor(sourceDateMs / 1000)
    let at = HEADER_WORDS
    for (const column of [v4.first, v4.asn, v6.high, v6.low, v6.asn]) {
      words.set(column, at)
      at += column.length
    }
    words[AT.checksum] = checksum(words)
    return new NetworkTable(words.buffer as SharedArrayBuffer)
  }

  /** The bytes of a `networks.bin`. Throws NetworkTableError when they are not one, whole and in order. */
  static fromFile(bytes: Uint8Array): NetworkTable {
    if (bytes.length < HEADER_WORDS * 4 || bytes.length % 4 !== 0)
      throw new NetworkTableError(`expected a table of networks, got ${bytes.length} bytes`)
    const buffer = new SharedArrayBuffer(bytes.length)
    new Uint8Array(buffer).set(bytes)
    const words = new Uint32Array(buffer)
    if (endianness() === 'BE') Buffer.from(buffer).swap32()
    if (words[0] !== MAGIC[0] || words[1] !== MAGIC[1])
      throw new NetworkTableError('expected a table of networks, got a file of another kind')
    if (words[AT.format] !== FORMAT)
      throw new NetworkTableError(`expected format ${FORMAT}, got ${words[AT.format]}`)
    const length = HEADER_WORDS + 2 * words[AT.v4]! + 3 * words[AT.v6]!
    if (words.length !== length)
      throw new NetworkTableError(`expected ${length * 4} bytes, got ${bytes.length}: cut off?`)
    if (words[AT.checksum] !== checksum(words))
      throw new NetworkTableError('checksum does not match: the file is damaged')
    const table = new NetworkTable(buffer)
    if (!table.#isAscending()) throw new NetworkTableError('entries are not in ascending order')
    return table
  }

  toFile(): Uint8Array {
    const bytes = Buffer.from(new Uint8Array(this.buffer))
    return endianness() === 'BE' ? bytes.swap32() : bytes
  }

  /** The ASN of the network `address` is in; 0 when the table does not know. */
  asnOf(address: Address): number {
    return address.version === 4
      ? this.#findV4(address.words[0]!)
      : this.#findV6(address.words[0]!, address.words[1]!)
  }

  #findV4(value: number): number {
    const first = this.#v4First
    let low = 0
    let high = first.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (first[middle]! <= value) low = middle + 1
      else high = middle
    }
    return low === 0 ? 0 : this.#v4Asn[low - 1]!
  }

  #findV6(upper: number, next: number): number {
    const highs = this.#v6High
    const lows = this.#v6Low
    let low = 0
    let high = highs.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const difference = highs[middle]! - upper
      if (difference < 0 || (difference === 0 && lows[middle]! <= next)) low = middle + 1
      else high = middle
    }
    return low === 0 ? 0 : this.#v6Asn[low - 1]!
  }

  #isAscending(): boolean {
    const first = this.#v4First
    for (let i = 1; i < first.length; i++) if (first[i]! <= first[i - 1]!) return false
    const high = this.#v6High
    const low = this.#v6Low
    for (let i = 1; i < high.length; i++) {
      if (high[i]! < high[i - 1]! || (high[i] === high[i - 1] && low[i]! <= low[i - 1]!)) return false
    }
    return true
  }
}

/** CRC-32 of the file's bytes, its own word left out. */
function checksum(words: Uint32Array): number {
  if (endianness() === 'BE') return checksumOf(Buffer.from(new Uint8Array(words.buffer.slice(0))).swap32())
  return checksumOf(Buffer.from(words.buffer))
}

function checksumOf(bytes: Buffer): number {
  const at = AT.checksum * 4
  return crc32(bytes.subarray(at + 4), crc32(bytes.subarray(0, at)))
}
