/**
 * Networks in CIDR form, and sets of them.
 *
 * A set is the sorted, merged list of its ranges in one typed array per version; membership is one
 * binary search. `net.BlockList` walks its rules one by one and takes a SocketAddress for each check.
 */
import { type Address, formatAddress, maskAddress, parseAddress } from './address.ts'

export interface Cidr {
  /** The network's first address. */
  readonly address: Address
  /** Prefix length: 0 to 32, or 0 to 128. */
  readonly bits: number
}

/** What is wrong with a text: "expected …, got …", to be shown beside its path. */
export interface CidrFault {
  readonly fault: string
}

/**
 * Reads "192.0.2.0/24", "2001:db8::/32", or a single address. Bits set after the prefix are a
 * fault, not repaired: in a list of whom to trust, 10.0.0.1/8 is more likely a slip than a wish.
 */
export function parseCidr(text: string): Cidr | CidrFault {
  const slash = text.indexOf('/')
  const addressText = slash < 0 ? text : text.slice(0, slash)
  const address = parseAddress(addressText)
  if (address === undefined)
    return wrong('an address or network such as "192.0.2.0/24" or "2001:db8::/32"', text)
  const width = address.version === 4 ? 32 : 128
  if (slash < 0) return { address, bits: width }
  const lengthText = text.slice(slash + 1)
  if (!/^(0|[1-9]\d{0,2})$/.test(lengthText)) return wrong(`a prefix length of 0 to ${width}`, text)
  let bits = Number(lengthText)
  // "::ffff:192.0.2.0/120" is 192.0.2.0/24 written the long way.
  if (address.version === 4 && addressText.includes(':')) {
    if (bits < 96) return wrong('a v4-mapped network of at least /96', text)
    bits -= 96
  }
  if (bits > width) return wrong(`a prefix length of 0 to ${width}`, text)
  const first = maskAddress(address, bits)
  if (first.words.some((value, i) => value !== address.words[i])) {
    return wrong(`a network without host bits (${formatCidr({ address: first, bits })}?)`, text)
  }
  return { address, bits }
}

function wrong(expected: string, text: string): CidrFault {
  return { fault: `expected ${expected}, got ${JSON.stringify(text.slice(0, 64))}` }
}

export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr.address)}/${cidr.bits}`
}

/** The network of `bits` bits that `address` is in. */
export function networkOf(address: Address, bits: number): Cidr {
  return { address: maskAddress(address, bits), bits }
}

export function contains(cidr: Cidr, address: Address): boolean {
  if (cidr.address.version !== address.version) return false
  const masked = maskAddress(address, cidr.bits)
  return masked.words.every((value, i) => value === cidr.address.words[i])
}

/** More than any list a person keeps; a file of millions belongs in a network table. */
const MOST_NETWORKS = 100_000

/** An immutable set of networks. */
export class CidrSet {
  static readonly EMPTY: CidrSet = new CidrSet([])

  /** Networks it was made from. */
  readonly size: number
  /** First and last word of each range, ascending and disjoint: first, last, first, last, … */
  readonly #v4: Uint32Array
  /** The same with four words each. */
  readonly #v6: Uint32Array

  constructor(networks: readonly Cidr[]) {
    this.size = networks.length
    this.#v4 = mergedRanges(networks, 4)
    this.#v6 = mergedRanges(networks, 6)
  }

  /** The set of all that could be read, and the faults of the others with their index in `texts`. */
  static parse(texts: readonly string[]): { set: CidrSet; faults: { index: number; fault: string }[] } {
    const networks: Cidr[] = []
    const faults: { index: number; fault: string }[] = []
    texts.forEach((text, index) => {
      if (index >= MOST_NETWORKS) return
      const cidr = parseCidr(text)
      if ('fault' in cidr) faults.push({ index, fault: cidr.fault })
      else networks.push(cidr)
    })
    if (texts.length > MOST_NETWORKS) {
      faults.push({
        index: MOST_NETWORKS,
        fault: `expected at most ${MOST_NETWORKS} networks, got ${texts.length}`,
      })
    }
    return { set: new CidrSet(networks), faults }
  }

  has(address: Address): boolean {
    return address.version === 4 ? inRanges(this.#v4, address.words, 1) : inRanges(this.#v6, address.words, 4)
  }

  /** False, too, for a text that is no address. */
  hasText(text: string): boolean {
    if (this.size === 0) return false
    const address = parseAddress(text)
    return address !== undefined && this.has(address)
  }
}

/** Binary search for the last range that begins at or before `words`. */
function inRanges(ranges: Uint32Array, words: readonly number[], width: number): boolean {
  let low = 0
  let high = ranges.length / (2 * width) - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    const at = middle * 2 * width
    if (compareAt(ranges, at, words) > 0) high = middle - 1
    else if (compareAt(ranges, at + width, words) >= 0) return true
    else low = middle + 1
  }
  return false
}

function compareAt(ranges: Uint32Array, at: number, words: readonly number[]): number {
  for (let i = 0; i < words.length; i++) {
    const difference = ranges[at + i]! - words[i]!
    if (difference !== 0) return difference
  }
  return 0
}

function mergedRanges(networks: readonly Cidr[], version: 4 | 6): Uint32Array {
  const sorted = networks
    .filter((cidr) => cidr.address.version === version)
    .map((cidr) => ({ first: cidr.address.words, last: lastWords(cidr) }))
    .sort((a, b) => compareWords(a.first, b.first))
  const merged: { first: readonly number[]; last: readonly number[] }[] = []
  for (const range of sorted) {
    const previous = merged.at(-1)
    // Two CIDR networks are nested or apart; neighbours need no joining for a search to be right.
    if (previous === undefined || compareWords(range.first, previous.last) > 0) merged.push(range)
    else if (compareWords(range.last, previous.last) > 0)
      merged[merged.length - 1] = { first: previous.first, last: range.last }
  }
  return Uint32Array.from(merged.flatMap((range) => [...range.first, ...range.last]))
}

/** The words of a network's last address. */
export function lastWords(cidr: Cidr): number[] {
  return cidr.address.words.map((value, i) => {
    const bits = cidr.bits - 32 * i
    if (bits >= 32) return value
    return bits <= 0 ? 0xffffffff : (value | (0xffffffff >>> bits)) >>> 0
  })
}

function compareWords(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) {
    const difference = a[i]! - b[i]!
    if (difference !== 0) return difference
  }
  return 0
}
