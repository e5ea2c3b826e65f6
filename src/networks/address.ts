/**
 * IP addresses as text and as 32-bit words.
 *
 * Own code, because this runs once per connection and once per forwarding field, and because the
 * text comes from strangers: `ipaddr.js` also reads "0x7f.1", "010.0.0.1" and zone ids, which would
 * give one client many names, and `net.SocketAddress` formats but does not say which network an
 * address is in. `docs/decisions/dependencies.md` has the comparison. What is accepted is exactly what
 * `net.isIP` accepts, less zone ids; a property test holds the two together.
 */

/** An address as unsigned 32-bit words, most significant first: one for version 4, four for version 6. */
export interface Address {
  readonly version: 4 | 6
  readonly words: readonly number[]
}

const LONGEST = '0000:0000:0000:0000:0000:ffff:255.255.255.255'.length
const DOT = 46
const COLON = 58

/**
 * Undefined when `text` is not an address. A v4-mapped address (::ffff:192.0.2.1) comes back as
 * version 4: a dual-stack socket and a v4 socket must agree on who asks.
 */
export function parseAddress(text: string): Address | undefined {
  const length = text.length
  if (length < 2 || length > LONGEST) return undefined
  for (let i = 0; i < length; i++) {
    const c = text.charCodeAt(i)
    if (c === COLON) return parseV6(text)
    if (c === DOT) break
  }
  const value = parseV4(text, 0)
  return value < 0 ? undefined : { version: 4, words: [value] }
}

/** Dotted decimal from `start` to the end of `text`; -1 when it is anything else. */
function parseV4(text: string, start: number): number {
  const length = text.length
  let value = 0
  let octet = 0
  let digits = 0
  let dots = 0
  for (let i = start; i < length; i++) {
    const c = text.charCodeAt(i)
    if (c === DOT) {
      if (digits === 0 || ++dots > 3) return -1
      value = value * 256 + octet
      octet = 0
      digits = 0
    } else {
      const digit = c - 48
      // A leading zero is octal to some readers and decimal to others: refused.
      if (digit < 0 || digit > 9 || (digits > 0 && octet === 0)) return -1
      octet = octet * 10 + digit
      digits++
      if (octet > 255) return -1
    }
  }
  return dots === 3 && digits > 0 ? value * 256 + octet : -1
}

function parseV6(text: string): Address | undefined {
  const length = text.length
  const groups = [0, 0, 0, 0, 0, 0, 0, 0]
  let count = 0
  /** Index of the group at which "::" stands, -1 without one. */
  let gap = -1
  let i = 0
  if (text.charCodeAt(0) === COLON) {
    if (text.charCodeAt(1) !== COLON) return undefined
    gap = 0
    i = 2
  }
  while (i < length) {
    if (count === 8) return undefined
    const start = i
    let group = 0
    let c = 0
    for (; i < length; i++) {
      c = text.charCodeAt(i)
      const digit = hexDigit(c)
      if (digit < 0) break
      group = group * 16 + digit
      if (i - start === 4) return undefined
    }
    if (i < length && c === DOT) {
      if (count > 6) return undefined
      const tail = parseV4(text, start)
      if (tail < 0) return undefined
      groups[count++] = tail >>> 16
      groups[count++] = tail & 0xffff
      break
    }
    if (i === start) return undefined
    groups[count++] = group
    if (i === length) break
    if (c !== COLON) return undefined
    i++
    if (i === length) return undefined
    if (text.charCodeAt(i) === COLON) {
      if (gap >= 0) return undefined
      gap = count
      i++
    }
  }
  if (gap >= 0) {
    // "::" stands for at least one group; what follows it moves to the end.
    if (count === 8) return undefined
    const after = count - gap
    for (let k = 0; k < after; k++) {
      groups[7 - k] = groups[count - 1 - k]!
      groups[count - 1 - k] = 0
    }
  } else if (count !== 8) return undefined
  const words = [word(groups, 0), word(groups, 2), word(groups, 4), word(groups, 6)] as const
  return fromWords(words)
}

function word(groups: readonly number[], at: number): number {
  return groups[at]! * 0x10000 + groups[at + 1]!
}

function hexDigit(c: number): number {
  if (c >= 48 && c <= 57) return c - 48
  const lower = c | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

/** Four words as an address: version 4 when they are v4-mapped (::ffff:0:0/96). */
export function fromWords(words: readonly [number, number, number, number]): Address {
  if (words[0] === 0 && words[1] === 0 && words[2] === 0xffff) return { version: 4, words: [words[3]] }
  return { version: 6, words }
}

/** 4 or 16 bytes in network order. */
export function fromBytes(bytes: Uint8Array): Address {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length === 4) return { version: 4, words: [view.getUint32(0)] }
  return fromWords([view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)])
}

/** Canonical text: dotted decimal, or RFC 5952 (lower case, the first longest run of zeros as "::"). */
export function formatAddress(address: Address): string {
  return address.version === 4 ? formatV4(address.words[0]!) : formatV6(address.words)
}

function formatV4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`
}

function formatV6(words: readonly number[]): string {
  let gapAt = -1
  let gapLength = 1
  for (let i = 0, run = 0; i < 8; i++) {
    run = groupOf(words, i) === 0 ? run + 1 : 0
    if (run > gapLength) {
      gapLength = run
      gapAt = i - run + 1
    }
  }
  let text = ''
  for (let i = 0; i < 8; i++) {
    if (i === gapAt) {
      text += '::'
      i += gapLength - 1
      continue
    }
    if (text !== '' && text.charCodeAt(text.length - 1) !== COLON) text += ':'
    text += groupOf(words, i).toString(16)
  }
  return text
}

function groupOf(words: readonly number[], i: number): number {
  const pair = words[i >> 1]!
  return i & 1 ? pair & 0xffff : pair >>> 16
}

/** The address with all bits after the first `bits` cleared. */
export function maskAddress(address: Address, bits: number): Address {
  return { version: address.version, words: address.words.map((value, i) => maskWord(value, bits - 32 * i)) }
}

function maskWord(value: number, bits: number): number {
  if (bits >= 32) return value
  return bits <= 0 ? 0 : (value & (-1 << (32 - bits))) >>> 0
}
