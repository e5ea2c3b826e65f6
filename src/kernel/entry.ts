/**
 * What stands in a kernel set: one version-4 address, or the /64 that a version-6 address is in.
 *
 * A version-6 client has a /64 of its own at least (RFC 7934, BCP 177), so a single address of it
 * would be changed with the next packet.
 */
import {
  type Address,
  type Cidr,
  contains,
  formatAddress,
  maskAddress,
  parseAddress,
  parseCidr,
} from '#networks'

export const V6_BITS = 64

export interface Entry {
  /** Canonical text of the address, or of the first address of the /64. */
  readonly text: string
  readonly version: 4 | 6
}

export function entryOfAddress(address: Address): Entry {
  return address.version === 4
    ? { text: formatAddress(address), version: 4 }
    : { text: formatAddress(maskAddress(address, V6_BITS)), version: 6 }
}

/** Those of the texts that are networks. */
export function cidrsOf(networks: readonly string[]): Cidr[] {
  return networks.map(parseCidr).filter((cidr): cidr is Cidr => !('fault' in cidr))
}

/** Whether the entry of that text is meant by one of the networks. */
export function isEntryIn(text: string, cidrs: readonly Cidr[]): boolean {
  const address = parseAddress(text)!
  return cidrs.some((cidr) =>
    // An address in a /64 that is silenced stands for all of it.
    cidr.address.version === 6 && cidr.bits > V6_BITS
      ? entryOfAddress(cidr.address).text === text
      : contains(cidr, address),
  )
}
