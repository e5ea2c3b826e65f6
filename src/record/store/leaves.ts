/**
 * What a segment seals, in pieces that can be removed one by one.
 *
 * A segment is the rows written in an hour. Its hash covers the hashes of its leaves, and a leaf is all
 * rows (or some columns of all rows) that are ever removed together: so fine rows may go after a day and
 * addresses after a month, and what is left can still be verified, because the hash of what went stays.
 * One hash over everything would make the first lawful removal look like tampering; a hash per row
 * would take as much room as the rows.
 *
 * The text of a leaf is one line for each row: a JSON array as SQLite's json_array() writes it, UTF-8, ended
 * by "\n". So sqlite3 and sha256sum can verify it, without a line of ours. All columns are whole numbers and
 * texts, since two programs may write the same real number differently.
 */
import { createHash } from 'node:crypto'
import { LEVELS, type Level } from './recorded.ts'
import { FIRST_SLOTS } from './samples-table.ts'
import type { Statements } from './statements.ts'

export interface Leaf {
  readonly name: string
  /** Each takes the segment's number and gives rows with one column, `line`. */
  readonly queries: readonly string[]
}

/** Name, number of lines and SHA-256 of a leaf, as the segment's `leaves` has it. */
export type LeafSeal = readonly [name: string, lines: number, sha256: string]

const SITE = '(SELECT name FROM sites WHERE id = site)'

const levelLeaf = (name: string, level: Level): Leaf => ({
  name,
  queries: [
    `SELECT json_array('bucket', seq, level, at, ${SITE}, requests, bytes, queue_delay_ms, queue_delay_max_ms,
      in_flight, flow_limit, waiting, long_lived, latency, lower(hex(clients)), all_clients, lost) AS line
      FROM buckets WHERE segment = ? AND level = ${level} ORDER BY seq`,
    `SELECT json_array('tally', bucket, lane, action, reason, count, origin_ms) AS line
      FROM buckets CROSS JOIN tallies ON bucket = seq WHERE segment = ? AND level = ${level}
      ORDER BY bucket, lane, action, reason`,
    `SELECT json_array('top', bucket, dimension, name, count, origin_ms, tops.bytes) AS line
      FROM buckets CROSS JOIN tops ON bucket = seq WHERE segment = ? AND level = ${level}
      ORDER BY bucket, dimension, name`,
  ],
})

const sampleLeaf = (name: string, slots: string): Leaf => ({
  name,
  queries: [
    `SELECT json_array('sample', seq, slot, at_ms, ${SITE}, ray, action, reason, lane, asn, prefix, method, path,
      route, version, user_agent, ja4, status, bytes, duration_ms, origin_ms, signature, rule, list, weight) AS line
      FROM samples WHERE segment = ? AND slot ${slots} ORDER BY seq`,
  ],
})

/** Columns that go before their row does, of the samples that stay longest and of the others. */
const columnLeaf = (name: string, columns: string, isThere: string, slots: string): Leaf => ({
  name,
  queries: [
    `SELECT json_array('${name.slice(0, name.indexOf('.'))}', seq, ${columns}) AS line
      FROM samples WHERE segment = ? AND slot ${slots} AND ${isThere} IS NOT NULL ORDER BY seq`,
  ],
})

const FIRST = `< ${FIRST_SLOTS}`
const REST = `>= ${FIRST_SLOTS}`
export const LEVEL_LEAVES: Readonly<Record<Level, string>> = {
  10: 'tens',
  60: 'minutes',
  3600: 'hours',
  86400: 'days',
}

export const LEAVES: readonly Leaf[] = [
  ...LEVELS.map((level) => levelLeaf(LEVEL_LEAVES[level], level)),
  sampleLeaf('samples.first', FIRST),
  sampleLeaf('samples.rest', REST),
  columnLeaf('clients.first', 'client, query, referer', 'client', FIRST),
  columnLeaf('clients.rest', 'client, query, referer', 'client', REST),
  columnLeaf('marks.first', 'mark', 'mark', FIRST),
  columnLeaf('marks.rest', 'mark', 'mark', REST),
  {
    name: 'events',
    queries: [
      `SELECT json_array('event', seq, at_ms, kind, site, data) AS line FROM events WHERE segment = ? ORDER BY seq`,
    ],
  },
  {
    name: 'removals',
    queries: [
      `SELECT json_array('removal', seq, at_ms, leaf, removed_segment, reason) AS line
        FROM removals WHERE segment = ? ORDER BY seq`,
    ],
  },
]

export function sealLeaf(db: Statements, leaf: Leaf, segment: number): LeafSeal {
  const hash = createHash('sha256')
  let lines = 0
  let batch = ''
  for (const query of leaf.queries)
    for (const { line } of db.iterate(query, segment)) {
      lines++
      batch += `${String(line)}\n`
      if (batch.length < 65_536) continue
      hash.update(batch)
      batch = ''
    }
  return [leaf.name, lines, hash.update(batch).digest('hex')]
}

/** Fields of a segment that its hash covers, in this order. */
export interface SegmentHead {
  readonly number: number
  readonly previous: string
  readonly openedMs: number
  readonly sealedMs: number
  readonly firstSeq: number
  readonly lastSeq: number
  /** JSON of LeafSeal[], as stored. */
  readonly leaves: string
}

/** SHA-256 of a JSON array, which begins with the words that tell what is hashed. */
export function segmentHash(head: SegmentHead): string {
  const { number, previous, openedMs, sealedMs, firstSeq, lastSeq, leaves } = head
  return createHash('sha256')
    .update(
      JSON.stringify(['digue-segment-1', number, previous, openedMs, sealedMs, firstSeq, lastSeq, leaves]),
    )
    .digest('hex')
}
