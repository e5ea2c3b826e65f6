/**
 * Addresses that nobody on the internet has (IANA's special-purpose registries, RFC 6890 and its updates).
 *
 * Two questions, two answers. Whom may a list name? Nobody who can only be on this machine or in this house:
 * FireHOL's lists hold 10.0.0.0/8 for routers at a network's edge, and a Digue behind a forgotten proxy would
 * refuse everybody. From where may a list be fetched? Only from what is public beyond doubt, so that whoever
 * rules over a list's name cannot make Digue ask the cloud's metadata service, or the router.
 */
import { type Address, CidrSet } from '#networks'

/** Never in a list that came from outside, and cut out of wider networks. In ascending order, apart. */
const LOCAL_V4: readonly (readonly [first: number, last: number])[] = [
  [0x00000000, 0x00ffffff],
  [0x0a000000, 0x0affffff],
  // 100.64.0.0/10, between a carrier and its customers (RFC 6598).
  [0x64400000, 0x647fffff],
  [0x7f000000, 0x7fffffff],
  [0xa9fe0000, 0xa9feffff],
  [0xac100000, 0xac1fffff],
  [0xc0a80000, 0xc0a8ffff],
  // Multicast and reserved.
  [0xe0000000, 0xffffffff],
]

/** Of v6 only 2000::/3 is given out (RFC 4291 §2.4). */
const FIRST_GLOBAL_V6 = 0x20000000
const LAST_GLOBAL_V6 = 0x3fffffff

const NOT_PUBLIC = CidrSet.parse([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
  // Of 2000::/3: protocol assignments with Teredo and ORCHID, documentation, 6to4, which has a v4 address inside.
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
]).set

/** Whether a list may be fetched from there. */
export function isPublicAddress(address: Address): boolean {
  if (address.version === 4) return !NOT_PUBLIC.has(address)
  // 64:ff9b::/96: how a machine with v6 only reaches the v4 address at its end (RFC 6052).
  const [w0, w1, w2, w3] = address.words
  if (w0 === 0x64ff9b && w1 === 0 && w2 === 0) return !NOT_PUBLIC.has({ version: 4, words: [w3!] })
  return !isLocalRangeV6(w0!, w0!) && !NOT_PUBLIC.has(address)
}

/** Puts what of the range is not local into `put`; true when something was cut away. */
export function withoutLocalV4(
  first: number,
  last: number,
  put: (first: number, last: number) => void,
): boolean {
  let from = first
  let isCut = false
  for (const [localFirst, localLast] of LOCAL_V4) {
    if (localLast < from) continue
    if (localFirst > last) break
    isCut = true
    if (localFirst > from) put(from, localFirst - 1)
    if (localLast >= last) return true
    from = localLast + 1
  }
  put(from, last)
  return isCut
}

/** Whether nothing of a v6 range is given out, by the first words of its ends. */
export function isLocalRangeV6(firstWord: number, lastWord: number): boolean {
  return lastWord < FIRST_GLOBAL_V6 || firstWord > LAST_GLOBAL_V6
}
