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

/** Minutes are made of tens, hours of minutes, days of hours: what is younger is still needed, whatever is wished. */
const NEEDED_MS: Readonly<Record<string, number>> = {
  tens: 600_000,
  minutes: 7_200_000,
  hours: 172_800_000,
}

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
    ...LEVELS.map((level): Rule => {
      const leaf = LEVEL_LEAVES[level]
      return { leaf, reason: 'age', afterMs: Math.max(keepMs[level], NEEDED_MS[leaf] ?? 0) }
    }),
  ]
}

/** What goes first when there is no room. Hours and days stay: they are small, and roll-ups are made of them. */
const FINEST_FIRST = ['samples.rest', 'tens', 'samples.first', 'minutes'] as const
/** Old enough, has the leaf, and no note says that it went. Numbered values: the same four in both questions. */
const CANDIDATES = `FROM segments WHERE number > ?1 AND sealed_ms < ?2 AND instr(leaves, '["' || ?3 || '",') > 0
  AND NOT EXISTS (SELECT 1 FROM removals WHERE removed_segment = number AND leaf = ?3)`
const OLDEST = `SELECT number ${CANDIDATES} ORDER BY number LIMIT 1`
const OLDEST_FREE = `SELECT number ${CANDIDATES} AND NOT EXISTS (SELECT 1 FROM holds
    WHERE ended_ms IS NULL AND expires_ms > ?4 AND from_ms <= segments.sealed_ms AND to_ms >= segments.opened_ms)
  ORDER BY number LIMIT 1`

export class Retention {
  readonly #db: Statements
  /** Up to here every segment that had the leaf has lost it: a year of segments need not be read each time. */
  readonly #gone = new Map<string, number>()

  constructor(db: Statements) {
    this.#db = db
  }

  /** What ought to be removed next, if anything. */
  next(settings: RecordSettings, nowMs: number): Removal | undefined {
    for (const { leaf, reason, afterMs } of rulesOf(settings)) {
      const segment = this.#oldest(leaf, nowMs - afterMs, nowMs)
      if (segment !== undefined) return { leaf, segment, reason }
    }
    if (usedBytes(this.#db) <= settings.bytes) return undefined
    for (const leaf of FINEST_FIRST) {
      const segment = this.#oldest(leaf, nowMs - (NEEDED_MS[leaf] ?? 0), nowMs)
      if (segment !== undefined) return { leaf, segment, reason: 'room' }
    }
    return undefined
  }

  #oldest(leaf: string, beforeMs: number, nowMs: number): number | undefined {
    const gone = this.#gone.get(leaf) ?? 0
    const oldest = this.#db.get(OLDEST, gone, beforeMs, leaf)
    if (oldest === undefined) return undefined
    this.#gone.set(leaf, int(oldest['number']) - 1)
    const free = this.#db.get(OLDEST_FREE, gone, beforeMs, leaf, nowMs)
    return free === undefined ? undefined : int(free['number'])
  }
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
