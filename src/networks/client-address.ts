/** From an address's text to what the rest of Digue knows a client by. */
import { BoundedMap } from '#kit'
import { type Address, formatAddress, parseAddress } from './address.ts'
import { formatCidr, networkOf } from './cidr.ts'
import { NetworkTable } from './network-table.ts'

/** Who asks, as far as an address can say. */
export interface ClientAddress {
  /** Canonical text: "203.0.113.7", "2001:db8::1" (RFC 5952). */
  readonly text: string
  readonly version: 4 | 6
  /** The /24 (v4) or /48 (v6) it belongs to, in CIDR form. */
  readonly prefix: string
  /** What one subscriber holds: the v4 address itself, or the v6 /64 in CIDR form. */
  readonly subscriber: string
  /** Autonomous system number; 0 when no network data knows the address. */
  readonly asn: number
}

/** Nobody's address: a Unix socket's peer, or a peer gone before it was asked for. All share one place in the queue. */
export const UNSPECIFIED: ClientAddress = {
  text: '::',
  version: 6,
  prefix: '::/48',
  subscriber: '::/64',
  asn: 0,
}

/**
 * Never fails: a text that is no address gives UNSPECIFIED. A zone id, which sockets append to
 * link-local peers (fe80::1%eth0), is cut off; fields from clients never reach this with one.
 */
export function identify(text: string | undefined, table: NetworkTable = NetworkTable.EMPTY): ClientAddress {
  if (text === undefined) return UNSPECIFIED
  const zone = text.indexOf('%')
  const address = parseAddress(zone < 0 ? text : text.slice(0, zone))
  return address === undefined ? UNSPECIFIED : describe(address, table)
}

export function describe(address: Address, table: NetworkTable): ClientAddress {
  const text = formatAddress(address)
  const asn = table.asnOf(address)
  if (address.version === 4) {
    return { text, version: 4, prefix: `${text.slice(0, text.lastIndexOf('.'))}.0/24`, subscriber: text, asn }
  }
  const prefix = formatCidr(networkOf(address, 48))
  const subscriber = formatCidr(networkOf(address, 64))
  return { text, version: 6, prefix, subscriber, asn }
}

/** One thread's memory of recent addresses: most connections come from an address just seen. */
export class AddressBook {
  readonly table: NetworkTable
  readonly #known: BoundedMap<string, ClientAddress>

  constructor(table: NetworkTable, capacity = 16_384) {
    this.table = table
    this.#known = new BoundedMap(capacity)
  }

  /** As the function of the same name. */
  identify(text: string | undefined): ClientAddress {
    if (text === undefined) return UNSPECIFIED
    const known = this.#known.get(text)
    if (known !== undefined) return known
    const client = identify(text, this.table)
    this.#known.set(text, client)
    return client
  }
}
