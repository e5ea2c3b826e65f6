/**
 * What goes when it is old, or when there is no room: whole leaves of sealed segments, each removal noted
 * in the segment that is open then, so that it is sealed in its turn.
 *
 * By age: each level of periods, samples beyond the first few, samples, and of samples what tells a
 * person. By room: the oldest of the finest, as long as the file is above its bound. Events, removals and the
 * chain itself always stay: they are small, and without them nothing else could be explained.
 *
 * A hold exempts every segment that touches its window, for all sites in it: a segment is an hour, and a
 * leaf of it can only go as a whole. One leaf goes per step, so that the writer does not stand still for long.
 */
import { removeBuckets } from './buckets-table.ts'
import { pragma } from './database.ts'
import { LEVEL_LEAVES } from './leaves.ts'
import { LEVELS, type Level, type RecordSettings } from './recorded.ts'
import { FIRST_SLOTS } from './samples-table.ts'
import { int, type Statements } from './statements.ts'

/** Samples beyond the first few of each ten seconds stay this long. */
const ALL_SAMPLES_MS = 3_600_000

export type RemovalReason = 'age' | 'room' | 'privacy'

export interface Removal {
  readonly leaf: string
  readonly segment: number
  readonly reason: RemovalReason
}

interface Rule {
  readonly leaf: string
  readonly reason: RemovalReason
  readonly afterMs: number
}

/** Leaves and their ages; the first that has something to remove is done first. */
function rulesOf(settings: RecordSettings): Rule[] {
  const { keepMs, samplesMs, addressesMs, addressesBecome } = settings
  const restMs = Math.min(ALL_SAMPLES_MS, samplesMs)
  const personal = addressesBecome === 'truncated' ? ['clients', 'marks'] : ['clients']
  const hide = (slots: string, untilMs: number): Rule[] =>
    // What goes with its row anyway needs no note of its own.
    addressesMs >= untilMs
      ? []
      : personal.map((leaf) => ({ leaf: `${leaf}.${slots}`, reason: 'privacy', afterMs: addressesMs }))
  return [
    ...hide('first', samplesMs),
    ...hide('rest', restMs),
    { leaf: 'samples.rest', reason: 'age', afterMs: restMs },
    { leaf: 'samples.first', reason: 'age', afterMs: samplesMs },
    ...LEVELS.map((level): Rule => ({ leaf: LEVEL_LEAVES[level], reason: 'age', afterMs: keepMs[level] })),
  ]
}

/** What goes first when there is no room. Hours and days stay: they are small, and roll-ups are made of them. */
const FINEST_FIRST = ['samples.rest', 'tens', 'samples.first', 'minutes'] as const
/** Minutes are made of tens, hours of minutes: what is younger is still needed. */
const NEEDED_MS: Readonly<Record<string, number>> = { tens: 600_000, minutes: 7_200_000 }

const NOT_HELD = `NOT EXISTS (SELECT 1 FROM holds WHERE ended_ms IS NULL AND expires_ms > ?2
  AND from_ms <= segments.sealed_ms AND to_ms >= segments.opened_ms)`
/** Segments whose seal names the leaf and of which it was not removed yet. */
const OLDEST_WITH = `SELECT number FROM segments WHERE sealed_ms < ?1 AND ${NOT_HELD}
  AND instr(leaves, '["' || ?3 || '",') > 0
  AND NOT EXISTS (SELECT 1 FROM removals WHERE removed_segment = number AND leaf = ?3)
  ORDER BY number LIMIT 1`

function oldestWith(db: Statements, leaf: string, beforeMs: number, nowMs: number): number | undefined {
  const row = db.get(OLDEST_WITH, beforeMs, nowMs, leaf)
  return row === undefined ? undefined : int(row['number'])
}

/** What ought to be removed next, if anything. */
export function nextRemoval(db: Statements, settings: RecordSettings, nowMs: number): Removal | undefined {
  for (const { leaf, reason, afterMs } of rulesOf(settings)) {
    const segment = oldestWith(db, leaf, nowMs - afterMs, nowMs)
    if (segment !== undefined) return { leaf, segment, reason }
  }
  if (usedBytes(db) <= settings.bytes) return undefined
  for (const leaf of FINEST_FIRST) {
    const segment = oldestWith(db, leaf, nowMs - (NEEDED_MS[leaf] ?? 0), nowMs)
    if (segment !== undefined) return { leaf, segment, reason: 'room' }
  }
  return undefined
}

/** Removes the rows, or the columns, that a leaf covers; the caller notes it. */
export function remove(db: Statements, { leaf, segment }: Removal): void {
  const slots = leaf.endsWith('.first') ? `< ${FIRST_SLOTS}` : `>= ${FIRST_SLOTS}`
  const where = `WHERE segment = ? AND slot ${slots}`
  if (leaf.startsWith('samples.')) db.run(`DELETE FROM samples ${where}`, segment)
  else if (leaf.startsWith('clients.'))
    db.run(`UPDATE samples SET client = NULL, query = NULL, referer = NULL ${where}`, segment)
  else if (leaf.startsWith('marks.')) db.run(`UPDATE samples SET mark = NULL ${where}`, segment)
  else removeBuckets(db, segment, levelOf(leaf))
}

function levelOf(leaf: string): Level {
  return LEVELS.find((level) => LEVEL_LEAVES[level] === leaf)!
}

/** Bytes of pages in use; those that are free are given back by and by. */
export function usedBytes(db: Statements): number {
  return (pragma(db.db, 'page_count') - pragma(db.db, 'freelist_count')) * pragma(db.db, 'page_size')
}
