/**
 * Who is never silenced, whatever the main process says: a mistake there must not cost anybody the way
 * in to the machine.
 */
import { CidrSet, networkOf, parseAddress, parseCidr } from '#networks'
import { type Entry, entryOfAddress, V6_BITS } from './entry.ts'

/**
 * Not one client's own: this machine, its neighbours, and ranges in which many stand behind one address
 * or one /64 (RFC 6890 and the registries it began; RFC 6598, 4380, 6052, 7335).
 */
const RESERVED: readonly string[] = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  // Multicast, class E and broadcast.
  '224.0.0.0/3',
  // Unspecified, loopback, and what was once v4-compatible.
  '::/8',
  // NAT64, well known and local: a whole network of version-4 clients in one /64.
  '64:ff9b::/32',
  // Teredo: all clients of one server share its /64.
  '2001::/32',
  'fc00::/7',
  'fe80::/10',
  'ff00::/8',
]

export type Refusal = 'not-an-address' | 'reserved' | 'listed' | 'own'

/** What is this machine's, or leads to it, now. */
export interface Surroundings {
  /** Of its interfaces, its gateways and the far ends of its SSH sessions. */
  readonly addresses: readonly string[]
}

const reserved = CidrSet.parse(RESERVED).set

export class Guard {
  /** The operator's: `kernel.never`, trusted proxies. */
  readonly #listed: CidrSet
  #own: ReadonlySet<string> = new Set()

  /** Faulty texts in `listed` are a fault of the configuration, which has been checked: they are passed over here. */
  constructor(listed: readonly string[]) {
    this.#listed = new CidrSet(
      listed.flatMap((text) => {
        const cidr = parseCidr(text)
        if ('fault' in cidr) return []
        // An entry silences a whole /64, so one address of it that is listed protects all of it.
        return cidr.address.version === 6 && cidr.bits > V6_BITS ? [networkOf(cidr.address, V6_BITS)] : [cidr]
      }),
    )
  }

  look(now: Surroundings): void {
    this.#own = new Set(
      now.addresses.flatMap((text) => {
        const address = parseAddress(text)
        return address === undefined ? [] : [entryOfAddress(address).text]
      }),
    )
  }

  /** What may be silenced for `text`, or why nothing may. */
  judge(text: string): Entry | Refusal {
    const address = parseAddress(text)
    if (address === undefined) return 'not-an-address'
    if (reserved.has(address)) return 'reserved'
    if (this.#listed.has(address)) return 'listed'
    const entry = entryOfAddress(address)
    return this.#own.has(entry.text) ? 'own' : entry
  }
}
