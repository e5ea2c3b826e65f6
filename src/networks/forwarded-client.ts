/**
 * Whom a request comes from when proxies stand in front: X-Forwarded-For and Forwarded (RFC 7239)
 * read from the right, through proxies the operator trusts, and no further.
 *
 * Every hop appends the peer it saw. The rightmost entry was written by our own peer, the one
 * before by whoever that peer names, and so on: each is as good as the hop that wrote it. So the
 * walk goes left only while the address reached so far is a trusted proxy; the first that is not is
 * the client. What a client writes itself stands left of that and is never read. Anything that is
 * not an address ("unknown", "_hidden", garbage) ends the walk at the hop that wrote it.
 *
 * Should both fields be there and name different clients, one was written by a client and passed on
 * by a proxy that only maintains the other. Which one cannot be known, so neither is believed and
 * the request counts as the proxy's own.
 */
import type { FieldLines } from '#http'
import { parseAddress } from './address.ts'
import type { CidrSet } from './cidr.ts'
import type { AddressBook, ClientAddress } from './client-address.ts'
import { forwardedNodes, nodeAddress } from './forwarded-nodes.ts'

/** More proxies in a row than this is a loop or a lie. */
export const MOST_HOPS = 32

export interface Resolved {
  readonly client: ClientAddress
  /**
   * `direct`: no forwarding fields. `believed`: from trusted proxies, used. `ignored`: from a
   * stranger, not used. `malformed`: a trusted proxy sent what is no address, or too many; the
   * last hop that could be read is the client. `conflict`: the two fields disagree.
   */
  readonly forwarding: 'direct' | 'believed' | 'ignored' | 'malformed' | 'conflict'
  /** Whether the client spoke HTTPS, as the nearest trusted proxy says; undefined when none says. */
  readonly secure: boolean | undefined
}

/** `peer` is the direct peer of the connection, or whom its PROXY protocol header named. */
export function resolveClient(
  peer: ClientAddress,
  fields: FieldLines,
  trusted: CidrSet,
  book: AddressBook,
): Resolved {
  let listed: string | undefined
  let forwarded: string | undefined
  let proto: string | undefined
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!
    // Three lengths spare nearly every field a lower-case copy.
    if (name.length === 15 && name.toLowerCase() === 'x-forwarded-for')
      listed = append(listed, fields[i + 1]!)
    else if (name.length === 9 && name.toLowerCase() === 'forwarded')
      forwarded = append(forwarded, fields[i + 1]!)
    else if (name.length === 17 && name.toLowerCase() === 'x-forwarded-proto')
      proto = append(proto, fields[i + 1]!)
  }
  if (listed === undefined && forwarded === undefined) {
    const secure = proto !== undefined && trusted.hasText(peer.text) ? isHttps(proto) : undefined
    return { client: peer, forwarding: 'direct', secure }
  }
  if (!trusted.hasText(peer.text)) return { client: peer, forwarding: 'ignored', secure: undefined }

  const nodes = forwarded === undefined ? undefined : forwardedNodes(forwarded, MOST_HOPS)
  const secure = proto === undefined ? isHttps(nodes?.proto) : isHttps(proto)
  const byList = listed === undefined ? undefined : walk(peer, listEntries(listed), trusted, book)
  const byNodes = nodes === undefined ? undefined : walk(peer, nodes.addresses, trusted, book)
  if (byList !== undefined && byNodes !== undefined && byList.client.text !== byNodes.client.text) {
    return { client: peer, forwarding: 'conflict', secure }
  }
  const found = (byList ?? byNodes)!
  return { client: found.client, forwarding: found.clean ? 'believed' : 'malformed', secure }
}

function append(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before},${value}`
}

/** The rightmost value: the nearest proxy's. */
function isHttps(proto: string | undefined): boolean | undefined {
  if (proto === undefined) return undefined
  const last = proto
    .slice(proto.lastIndexOf(',') + 1)
    .trim()
    .toLowerCase()
  return last === 'https' || last === 'wss' ? true : last === 'http' || last === 'ws' ? false : undefined
}

/** Entries of X-Forwarded-For from the right, as address texts; undefined for what is none. */
function* listEntries(value: string): Generator<string | undefined> {
  let end = value.length
  while (end >= 0) {
    const comma = end === 0 ? -1 : value.lastIndexOf(',', end - 1)
    const entry = value.slice(comma + 1, end).trim()
    // An empty element is allowed in a list and means nothing (RFC 9110 §5.6.1).
    if (entry !== '') yield nodeAddress(entry)
    end = comma
  }
}

function walk(
  peer: ClientAddress,
  fromRight: Iterable<string | undefined>,
  trusted: CidrSet,
  book: AddressBook,
): { client: ClientAddress; clean: boolean } {
  let client = peer
  let hops = 0
  for (const text of fromRight) {
    const address = text === undefined ? undefined : parseAddress(text)
    if (text === undefined || address === undefined || ++hops > MOST_HOPS) return { client, clean: false }
    client = book.identify(text)
    if (!trusted.has(address)) return { client, clean: true }
  }
  // Trusted to the end: a proxy asked on its own account, a health check for instance.
  return { client, clean: true }
}
