/**
 * The other guard of the generator, for load that cannot go over loopback: it may leave for a lab's addresses from
 * a lab's namespace only (lib/lab.ts), from which nothing leads out.
 *
 * What is looked at is what the kernel would do with the packets, not what anybody says: this process is not where
 * its parent is, each interface is one of a lab's, and each route stays within addresses
 * that nobody has (RFC 2544, RFC 3849). So no flag, plan or file can aim it elsewhere.
 */
import { readFileSync, readlinkSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { NotLoopbackError } from './loopback-only.ts'

/** Names of a lab's interfaces begin so. */
export const LAB_INTERFACE = 'digue-lab'

export interface NetworkHere {
  /** The namespace of this process is that of its parent, or nobody knows: then no lab was made for it. */
  readonly isParents: boolean
  readonly interfaces: readonly string[]
  /** /proc/net/route and /proc/net/ipv6_route. */
  readonly routes4: string
  readonly routes6: string
}

/** `address`, when it is a lab's and this is a lab; throws NotLoopbackError for anything else. */
export function lab(address: unknown, here: () => NetworkHere = lookHere): string {
  if (typeof address === 'string' && isLabAddress(address) && isLab(here())) return address
  throw new NotLoopbackError(
    `target and sources: expected an address of 198.18.0.0/15 or 2001:db8::/32 in a namespace of lib/lab.ts, got ${JSON.stringify(address)}`,
  )
}

function isLabAddress(address: string): boolean {
  return (isIPv4(address) && /^198\.1[89]\./.test(address)) || /^2001:db8:[0-9a-f:]{1,32}$/.test(address)
}

function isLab({ isParents, interfaces, routes4, routes6 }: NetworkHere): boolean {
  if (isParents) return false
  if (!interfaces.every((name) => name === 'lo' || name.startsWith(LAB_INTERFACE))) return false
  // Destinations: words in host byte order (198.18.0.0/15 ends in 12C6 or 13C6), and in network byte order.
  const to4 = routes4.split('\n').slice(1).filter(Boolean)
  const to6 = routes6.split('\n').filter(Boolean)
  return (
    to4.every((line) => /^[0-9A-F]{4}1[23]C6$/.test(line.split('\t')[1] ?? '')) &&
    to6.every((line) => line.endsWith(' lo') || /^(20010db8|fe80|ff00)/.test(line))
  )
}

function lookHere(): NetworkHere {
  const read = (name: string) => readFileSync(`/proc/self/net/${name}`, 'latin1')
  try {
    return {
      isParents: readlinkSync('/proc/self/ns/net') === readlinkSync(`/proc/${process.ppid}/ns/net`),
      interfaces: Object.keys(networkInterfaces()),
      routes4: read('route'),
      routes6: read('ipv6_route'),
    }
  } catch {
    return { isParents: true, interfaces: [], routes4: '', routes6: '' }
  }
}
