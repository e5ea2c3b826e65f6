/** Seals the open segment into the chain: the table segments. */
import { LEAVES, sealLeaf, segmentHash } from './leaves.ts'
import { int, type Row, type Statements, text } from './statements.ts'

/** A segment is sealed after this time, or when it has this many rows of its own. */
export const SEGMENT_MS = 3_600_000
export const SEGMENT_ROWS = 20_000

export interface SealedSegment {
  readonly number: number
  readonly hash: string
}

/** The newest; number 0 and hash '' before the first. */
export function newestSegment(db: Statements): SealedSegment {
  const row = db.get('SELECT number, hash FROM segments ORDER BY number DESC LIMIT 1')
  return { number: int(row?.['number']), hash: text(row?.['hash']) }
}

export interface OpenSegment {
  readonly number: number
  readonly openedMs: number
  readonly firstSeq: number
}

/** Sequence numbers go up over all tables, whatever the clock does; the next one. */
export function nextSequence(db: Statements): number {
  const tables = ['buckets', 'samples', 'events', 'removals'].map((table) => `SELECT max(seq) FROM ${table}`)
  const highest = ['SELECT max(last_seq) FROM segments', ...tables].map((sql) => db.number(sql))
  return Math.max(...highest) + 1
}

/** Seals all rows of the open segment, numbered up to `lastSeq`. */
export function seal(db: Statements, open: OpenSegment, lastSeq: number, nowMs: number): SealedSegment {
  const leaves = JSON.stringify(
    LEAVES.map((leaf) => sealLeaf(db, leaf, open.number)).filter(([, lines]) => lines > 0),
  )
  const previous = newestSegment(db).hash
  const { number, openedMs, firstSeq } = open
  const hash = segmentHash({ number, previous, openedMs, sealedMs: nowMs, firstSeq, lastSeq, leaves })
  db.run(
    'INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    number,
    previous,
    openedMs,
    nowMs,
    firstSeq,
    lastSeq,
    leaves,
    hash,
  )
  return { number, hash }
}

/** What the table says of a segment. */
export function headOf(row: Row): Parameters<typeof segmentHash>[0] {
  return {
    number: int(row['number']),
    previous: text(row['previous']),
    openedMs: int(row['opened_ms']),
    sealedMs: int(row['sealed_ms']),
    firstSeq: int(row['first_seq']),
    lastSeq: int(row['last_seq']),
    leaves: text(row['leaves']),
  }
}
