/**
 * Networks from an operator's mmdb (GeoLite2-ASN, ipinfo, ip-location-db): walked once into ranges,
 * so that look-ups go to the same shared table whatever the source.
 *
 * The reader answers "what is the record of this address, and how long is its prefix"; stepping from
 * each prefix to the next visits every network. A full table takes seconds, so the walk lets others
 * run in between.
 */
import { readFile } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import type { AsnResponse } from 'maxmind'
import { type Address, formatAddress } from './address.ts'
import { networkOf } from './cidr.ts'
import { addressOfUpper64 } from './network-borders.ts'
import type { NamedRange } from './network-csv.ts'

const STEPS_PER_TURN = 5000
/** Eight times today's internet. */
const MOST_STEPS = 8_000_000

/** Throws what the reader throws when the file is no mmdb. */
export async function readNetworkMmdb(path: string): Promise<NamedRange[]> {
  const file = await readFile(path)
  // Loaded only here: edge threads come through this room's door too, and never need it.
  const { Reader } = await import('maxmind')
  const reader = new Reader<AsnResponse>(file)
  const ranges: NamedRange[] = []
  let steps = 0
  // A tree has one leaf more than nodes, of 6 bytes at least; a walk that finds more is going round in a damaged one.
  const most = Math.min(MOST_STEPS, file.length / 6 + 1000)
  const rest = async () => {
    if (++steps > most) throw new Error(`expected at most ${most} networks`)
    if (steps % STEPS_PER_TURN === 0) await setImmediate()
  }
  const recordAt = (address: Address): { record: unknown; bits: number } => {
    const [record, bits] = reader.getWithPrefixLength(formatAddress(address))
    return { record, bits }
  }

  for (let value = 0; value < 2 ** 32; ) {
    const address: Address = { version: 4, words: [value] }
    const { record, bits } = recordAt(address)
    const length = Math.max(0, Math.min(32, bits))
    const first = networkOf(address, length).address
    const last = first.words[0]! + 2 ** (32 - length) - 1
    const named = nameAndAsn(record)
    if (named !== undefined) ranges.push({ first: address, last: { version: 4, words: [last] }, ...named })
    value = Math.max(last, value) + 1
    await rest()
  }
  if (reader.metadata.ipVersion !== 6) return ranges

  // Global unicast only: elsewhere such trees hold aliases of the v4 part. So do Teredo and 6to4.
  const end = 0x4000n << 48n
  for (let upper = 0x2000n << 48n; upper < end; ) {
    if (upper >> 32n === 0x20010000n) upper = 0x20010001n << 32n
    if (upper >> 48n === 0x2002n) upper = 0x2003n << 48n
    const address = addressOfUpper64(upper)
    const { record, bits } = recordAt(address)
    const length = Math.max(3, Math.min(64, bits))
    const size = 1n << BigInt(64 - length)
    const last = (upper & ~(size - 1n)) + size - 1n
    const named = nameAndAsn(record)
    if (named !== undefined) ranges.push({ first: address, last: addressOfUpper64(last), ...named })
    upper = last + 1n
    await rest()
  }
  return ranges
}

/** The two layouts in use: MaxMind's own, and ipinfo's "AS64496" with a name beside it. */
function nameAndAsn(record: unknown): { asn: number; name: string } | undefined {
  if (typeof record !== 'object' || record === null) return undefined
  const fields = record as Record<string, unknown>
  const number = fields['autonomous_system_number'] ?? fields['asn']
  const name = fields['autonomous_system_organization'] ?? fields['as_name'] ?? fields['name']
  const asn =
    typeof number === 'number'
      ? number
      : Number(/^(?:AS)?(\d{1,10})$/i.exec(String(number))?.[1] ?? Number.NaN)
  if (!(asn > 0 && asn <= 0xffffffff)) return undefined
  return { asn, name: typeof name === 'string' ? name : '' }
}
