/** Periods and their sums: the tables buckets, tallies and tops. */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { HyperLogLog } from '#kit'
import { DIMENSIONS, type Level } from './recorded.ts'
import { type DimensionRows, SiteSums, type SiteSumsRows } from './site-sums.ts'
import { int, numbers, type Row, type Statements, text, whole } from './statements.ts'
import type { SumsRow } from './top-counts.ts'

/** Names kept of each dimension, in the order of DIMENSIONS; the rest is one sum under ''. */
export const MOST_NAMES = [200, 100, 100] as const

export interface BucketPlace {
  readonly seq: number
  readonly segment: number
  readonly level: Level
  /** Begin of the period, seconds since the epoch. */
  readonly at: number
  readonly site: number
}

const INSERT_BUCKET = `INSERT INTO buckets (seq, segment, level, at, site, requests, bytes, queue_delay_ms,
  queue_delay_max_ms, in_flight, flow_limit, waiting, long_lived, latency, clients, all_clients, lost)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

export function insertBucket(db: Statements, place: BucketPlace, sums: SiteSums): void {
  const { inFlight, limit, waiting, longLived } = sums.gauges
  db.run(
    INSERT_BUCKET,
    place.seq,
    place.segment,
    place.level,
    place.at,
    place.site,
    whole(sums.requests),
    whole(sums.bytes),
    whole(sums.queueDelayMs),
    whole(sums.queueDelayMaxMs),
    whole(inFlight),
    whole(limit),
    whole(waiting),
    whole(longLived),
    JSON.stringify(sums.latency.map(whole)),
    packSketch(sums.clients),
    sums.hasAllClients ? 1 : 0,
    whole(sums.lost),
  )
  for (const { lane, action, reason, count, originMs } of sums.tallies)
    db.run(
      'INSERT INTO tallies VALUES (?, ?, ?, ?, ?, ?)',
      place.seq,
      lane,
      action,
      reason,
      whole(count),
      whole(originMs),
    )
  for (const [i, dimension] of DIMENSIONS.entries())
    for (const [name, count, originMs, bytes] of sums.tops[dimension].rows(MOST_NAMES[i]!))
      db.run(
        'INSERT INTO tops VALUES (?, ?, ?, ?, ?, ?)',
        place.seq,
        i,
        name,
        whole(count),
        whole(originMs),
        whole(bytes),
      )
}

/** What a period's rows say, to be merged into a longer one. */
export function readBucket(db: Statements, bucket: Row): SiteSumsRows {
  const seq = int(bucket['seq'])
  const sketch = new SiteSums(unpackSketch(bucket['clients'])).rows()
  return {
    tallies: db.all('SELECT * FROM tallies WHERE bucket = ?', seq).map((row) => ({
      lane: text(row['lane']),
      action: text(row['action']),
      reason: text(row['reason']),
      count: int(row['count']),
      originMs: int(row['origin_ms']),
    })),
    tops: readTops(db, seq),
    latency: numbers(bucket['latency']),
    bytes: int(bucket['bytes']),
    queueDelayMs: int(bucket['queue_delay_ms']),
    queueDelayMaxMs: int(bucket['queue_delay_max_ms']),
    gauges: {
      inFlight: int(bucket['in_flight']),
      limit: int(bucket['flow_limit']),
      waiting: int(bucket['waiting']),
      longLived: int(bucket['long_lived']),
    },
    clients: sketch.clients,
    hasAllClients: bucket['all_clients'] === 1,
    recordsLost: int(bucket['lost']),
  }
}

function readTops(db: Statements, seq: number): DimensionRows {
  const rows: SumsRow[][] = DIMENSIONS.map(() => [])
  for (const row of db.all('SELECT * FROM tops WHERE bucket = ?', seq))
    rows[int(row['dimension'])]?.push([
      text(row['name']),
      int(row['count']),
      int(row['origin_ms']),
      int(row['bytes']),
    ])
  return { network: rows[0]!, path: rows[1]!, signature: rows[2]! }
}

/** Registers are mostly alike: a third of their 4 kB in a flood, some bytes in calm weather. */
export function packSketch(sketch: HyperLogLog): Uint8Array {
  return deflateRawSync(sketch.registers, { level: 3 })
}

/** A sketch that cannot be read counts nobody: the verification tells of it, a roll-up must go on. */
export function unpackSketch(packed: unknown): HyperLogLog {
  if (!(packed instanceof Uint8Array)) return new HyperLogLog()
  try {
    return new HyperLogLog(inflateRawSync(packed, { maxOutputLength: HyperLogLog.REGISTERS }))
  } catch {
    return new HyperLogLog()
  }
}

/** Removes the periods of one level that lie in one segment. */
export function removeBuckets(db: Statements, segment: number, level: Level): void {
  for (const table of ['tallies', 'tops'])
    db.run(
      `DELETE FROM ${table} WHERE bucket IN (SELECT seq FROM buckets WHERE segment = ? AND level = ?)`,
      segment,
      level,
    )
  db.run('DELETE FROM buckets WHERE segment = ? AND level = ?', segment, level)
}
