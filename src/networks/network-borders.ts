/**
 * Ranges to borders: overlapping "first to last belongs to this ASN" becomes the table's "from here on".
 *
 * Where ranges overlap the one that begins later wins, and of two with the same beginning the
 * shorter: for nested networks, as all routing tables are, that is the most specific. One sweep over
 * the sorted ranges with a stack of those still open.
 */
import { type Address, fromWords } from './address.ts'
import type { Borders } from './network-table.ts'

export interface NetworkRange {
  readonly first: Address
  readonly last: Address
  readonly asn: number
}

interface Span<N> {
  readonly first: N
  readonly last: N
  readonly asn: number
}

/** v6 ranges are widened to whole /64s. Ranges whose ends differ in version, or are reversed, are left out. */
export function bordersOf(ranges: Iterable<NetworkRange>): Borders {
  const v4: Span<number>[] = []
  const v6: Span<bigint>[] = []
  for (const { first, last, asn } of ranges) {
    if (first.version !== last.version) continue
    if (first.version === 4) {
      if (first.words[0]! <= last.words[0]!) v4.push({ first: first.words[0]!, last: last.words[0]!, asn })
    } else {
      const span = { first: upper64(first), last: upper64(last), asn }
      if (span.first <= span.last) v6.push(span)
    }
  }
  const borders4 = sweep(v4, (n) => n + 1, 0xffffffff)
  const borders6 = sweep(v6, (n) => n + 1n, 0xffffffffffffffffn)
  return {
    v4: { first: Uint32Array.from(borders4.first), asn: Uint32Array.from(borders4.asn) },
    v6: {
      high: Uint32Array.from(borders6.first, (n) => Number(n >> 32n)),
      low: Uint32Array.from(borders6.first, (n) => Number(n & 0xffffffffn)),
      asn: Uint32Array.from(borders6.asn),
    },
  }
}

function upper64(address: Address): bigint {
  return (BigInt(address.words[0]!) << 32n) | BigInt(address.words[1]!)
}

/** The address of a /64's number; the inverse of what v6 borders store. */
export function addressOfUpper64(upper: bigint): Address {
  return fromWords([Number(upper >> 32n), Number(upper & 0xffffffffn), 0, 0])
}

function sweep<N extends number | bigint>(
  spans: Span<N>[],
  after: (n: N) => N,
  greatest: N,
): { first: N[]; asn: number[] } {
  spans.sort((a, b) =>
    a.first < b.first ? -1 : a.first > b.first ? 1 : a.last > b.last ? -1 : a.last < b.last ? 1 : 0,
  )
  const first: N[] = []
  const asn: number[] = []
  const emit = (at: N, value: number) => {
    if (first.length > 0 && first[first.length - 1] === at) {
      first.pop()
      asn.pop()
    }
    if ((asn.at(-1) ?? 0) === value) return
    first.push(at)
    asn.push(value)
  }
  const open: Span<N>[] = []
  /** Ends every open range whose last address lies before `limit`. */
  const closeBefore = (limit: N | undefined) => {
    for (
      let top = open.at(-1);
      top !== undefined && (limit === undefined || top.last < limit);
      top = open.at(-1)
    ) {
      open.pop()
      if (top.last === greatest) continue
      const next = after(top.last)
      while (open.length > 0 && open.at(-1)!.last < next) open.pop()
      emit(next, open.at(-1)?.asn ?? 0)
    }
  }
  for (const span of spans) {
    closeBefore(span.first)
    open.push(span)
    emit(span.first, span.asn)
  }
  closeBefore(undefined)
  return { first, asn }
}
