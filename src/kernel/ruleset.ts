/**
 * The table as nft reads it (nft(8)). Everything that ends up in a command is made here, from numbers
 * and from addresses that have been parsed and written anew: no text of anybody's own.
 *
 *     table inet digue {
 *       set drop4 { type ipv4_addr; flags timeout; }     one address each
 *       set drop6 { type ipv6_addr; flags timeout; }     the first address of a /64 each
 *       set ports { type inet_service; }
 *       chain early {                                    before connection tracking (-200) and raw (-300)
 *         type filter hook prerouting priority -310; policy accept;
 *         ip saddr @drop4 tcp dport @ports counter name dropped4 drop
 *         ip6 saddr & ffff:ffff:ffff:ffff:: @drop6 tcp dport @ports counter name dropped6 drop
 *       }
 *     }
 *
 * Only packets to the ports that Digue listens on: whoever is silenced by mistake still reaches SSH.
 * Hash sets, not intervals: docs/decisions/kernel.md has the measurement.
 */
import type { Standing } from './ledger.ts'

/** Our own table in `auto` mode. */
export const TABLE = 'digue'
/** Before raw (-300), so before connection tracking, and after whoever is earlier still. */
const PRIORITY = -310
/** Never a source of a packet (RFC 919): it stands in the set to show that nobody has emptied it. */
const MARK = '255.255.255.255'

export interface TableShape {
  readonly table: string
  readonly maxEntries: number
  /** Undefined: `set-only`, no chain and no counters; somebody else's rules use the sets. */
  readonly ports: readonly number[] | undefined
}

/** Fails when there is none. */
export function removeTable({ table }: TableShape): string {
  return `delete table inet ${table}\n`
}

/**
 * `owned`: it ends with the process that made it, however that ends, and nobody else can change it (Linux 5.12,
 * nftables 1.0.0). Older ones have tables that stay.
 */
export function makeTable({ table }: TableShape, options: { owned: boolean }): string {
  return `add table inet ${table}${options.owned ? ' { flags owner; }' : ''}\n`
}

/** What belongs into an empty table: sets, and unless the rules are the operator's, counters and chain. */
export function fillTable(shape: TableShape): string {
  const { table, ports } = shape
  const at = `inet ${table}`
  const sets = `${makeSets(shape)}${mark(shape)}`
  if (ports === undefined) return sets
  return `${sets}add set ${at} ports { type inet_service; }
add element ${at} ports { ${ports.join(', ')} }
add counter ${at} dropped4
add counter ${at} dropped6
add chain ${at} early { type filter hook prerouting priority ${PRIORITY}; policy accept; }
add rule ${at} early ip saddr @drop4 tcp dport @ports counter name dropped4 drop
add rule ${at} early ip6 saddr & ffff:ffff:ffff:ffff:: @drop6 tcp dport @ports counter name dropped6 drop
`
}

function makeSets({ table, maxEntries }: TableShape): string {
  // Entries that have ended count until the kernel sweeps them out.
  const size = 2 * maxEntries + 2
  return `add set inet ${table} drop4 { type ipv4_addr; flags timeout; size ${size}; }
add set inet ${table} drop6 { type ipv6_addr; flags timeout; size ${size}; }
`
}

export function emptySets({ table }: TableShape): string {
  return `flush set inet ${table} drop4\nflush set inet ${table} drop6\n`
}

export function mark({ table }: TableShape): string {
  return `add element inet ${table} drop4 { ${MARK} }\n`
}

/** Fails when somebody has taken the table, the set or what is in it away; changes nothing. */
export function proveMark(shape: TableShape): string {
  return `delete element inet ${shape.table} drop4 { ${MARK} }\n${mark(shape)}`
}

/** Counts since the last call: unlike a listing, it does not make nft read all sets first. */
export function takeCounts({ table }: TableShape): string {
  return `reset counters table inet ${table}\n`
}

export interface DropCount {
  readonly packets: number
  readonly bytes: number
}

/** Reads the answers to `takeCounts`; their sum. */
export function readCounts(text: string): DropCount {
  let packets = 0
  let bytes = 0
  for (const match of text.matchAll(/packets (\d{1,15}) bytes (\d{1,15})/g)) {
    packets += Number(match[1])
    bytes += Number(match[2])
  }
  return { packets, bytes }
}

/** Elements of one command: the parser holds a whole command in memory. */
const PER_COMMAND = 10_000

export function addElements({ table }: TableShape, entries: Iterable<Standing>, nowMs: number): string {
  const elements: Record<4 | 6, string[]> = { 4: [], 6: [] }
  for (const { text, version, endsAtMs } of entries) {
    const seconds = Math.ceil((endsAtMs - nowMs) / 1000)
    if (seconds > 0) elements[version].push(`${text} timeout ${seconds}s`)
  }
  let commands = ''
  for (const version of [4, 6] as const) {
    for (let i = 0; i < elements[version].length; i += PER_COMMAND)
      commands += `add element inet ${table} drop${version} { ${elements[version].slice(i, i + PER_COMMAND).join(', ')} }\n`
  }
  return commands
}
