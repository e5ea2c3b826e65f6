/** Collects networks for a set, by the rules that hold for every list. */
import { type Address, lastWords, maskAddress, type PackedRanges, parseAddress } from '#networks'
import { isLocalRangeV6, withoutLocalV4 } from './special-networks.ts'

export interface RangeRules {
  /** Takes private and loopback addresses as well: the operator's own word on his own house. */
  readonly keepsLocal: boolean
  /** v6 networks longer than /64 count as their /64, what one subscriber holds: he has its other addresses too. */
  readonly widensV6: boolean
  /** Networks that are taken; one more makes `isFull`. */
  readonly most: number
}

export interface Range {
  readonly first: Address
  readonly last: Address
}

/** A /6: no registry has given out more at once, and a list that names more has something else in mind. */
const WIDEST_V4 = 2 ** 26
/** A /16. */
const WIDEST_V6 = 2 ** 16
const BITS = /^(?:0|[1-9]\d{0,2})$/

/**
 * Reads an address, a network, or a range "first-last"; undefined for anything else. Bits set after the prefix
 * are cleared, as ipset and nft do: in lists of strangers they are common and mean the network.
 */
export function parseRange(text: string): Range | undefined {
  const dash = text.indexOf('-')
  if (dash > 0) {
    const first = parseAddress(text.slice(0, dash).trimEnd())
    const last = parseAddress(text.slice(dash + 1).trimStart())
    if (first === undefined || last === undefined || first.version !== last.version) return undefined
    return isAfter(first, last) ? undefined : { first, last }
  }
  const slash = text.indexOf('/')
  if (slash < 0) {
    const address = parseAddress(text)
    return address === undefined ? undefined : { first: address, last: address }
  }
  const address = parseAddress(text.slice(0, slash))
  const bitsText = text.slice(slash + 1)
  if (address === undefined || !BITS.test(bitsText)) return undefined
  let bits = Number(bitsText)
  // "::ffff:192.0.2.0/120" is 192.0.2.0/24 written the long way.
  if (address.version === 4 && text.includes(':')) bits -= 96
  if (bits < 0 || bits > (address.version === 4 ? 32 : 128)) return undefined
  const first = maskAddress(address, bits)
  return { first, last: { version: first.version, words: lastWords({ address: first, bits }) } }
}

function isAfter(a: Address, b: Address): boolean {
  for (const [i, word] of a.words.entries()) if (word !== b.words[i]) return word > b.words[i]!
  return false
}

export class RangeWriter {
  /** Networks that were taken, wholly or in part. */
  taken = 0
  /** Left out, or cut: private, loopback, multicast, reserved. */
  local = 0
  /** Left out: wider than /6, or than /16 of v6. */
  wide = 0
  /** There were more than may be. */
  isFull = false
  readonly #rules: RangeRules
  #v4 = new Uint32Array(2048)
  #v6 = new Uint32Array(512)
  #v4Length = 0
  #v6Length = 0

  constructor(rules: RangeRules) {
    this.#rules = rules
  }

  put({ first, last }: Range): void {
    if (first.version === 4) this.#takeV4(first.words[0]!, last.words[0]!)
    else this.#takeV6(first.words, last.words)
  }

  ranges(): PackedRanges {
    return { v4: this.#v4.slice(0, this.#v4Length), v6: this.#v6.slice(0, this.#v6Length) }
  }

  #takeV4(first: number, last: number): void {
    const before = this.#v4Length
    let isCut = false
    if (this.#rules.keepsLocal) this.#putV4(first, last)
    else isCut = withoutLocalV4(first, last, (from, to) => this.#putV4(from, to))
    if (this.#v4Length > before && last - first >= WIDEST_V4) {
      this.#v4Length = before
      this.wide++
      return
    }
    if (isCut) this.local++
    if (this.#v4Length > before) this.#count(before, this.#v6Length)
  }

  #takeV6(first: readonly number[], last: readonly number[]): void {
    const before = this.#v6Length
    if (!this.#rules.keepsLocal && isLocalRangeV6(first[0]!, last[0]!)) {
      this.local++
      return
    }
    if (last[0]! - first[0]! >= WIDEST_V6) {
      this.wide++
      return
    }
    const isWidened = this.#rules.widensV6
    this.#v6 = withRoom(this.#v6, before + 8)
    this.#v6.set(isWidened ? [first[0]!, first[1]!, 0, 0] : first, before)
    this.#v6.set(isWidened ? [last[0]!, last[1]!, 0xffffffff, 0xffffffff] : last, before + 4)
    this.#v6Length += 8
    this.#count(this.#v4Length, before)
  }

  #putV4(first: number, last: number): void {
    this.#v4 = withRoom(this.#v4, this.#v4Length + 2)
    this.#v4[this.#v4Length++] = first
    this.#v4[this.#v4Length++] = last
  }

  /** Counts what was just written, or takes it back when there is no more room. */
  #count(v4Before: number, v6Before: number): void {
    if (this.taken < this.#rules.most) this.taken++
    else {
      this.isFull = true
      this.#v4Length = v4Before
      this.#v6Length = v6Before
    }
  }
}

function withRoom(words: Uint32Array<ArrayBuffer>, length: number): Uint32Array<ArrayBuffer> {
  if (length <= words.length) return words
  const larger = new Uint32Array(2 * words.length)
  larger.set(words)
  return larger
}
