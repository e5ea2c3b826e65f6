/**
 * Tens become minutes, minutes hours, hours days.
 *
 * Periods are taken in the order in which they were written, not by their time: a run of them with the same
 * longer period becomes one row of that period once another one follows. So a clock that is set back gives two
 * rows for one hour, each with what was counted in its turn, and never changes a row that is sealed.
 * How far each level has been read is kept beside the rows, in the same transaction.
 */
import { readBucket } from './buckets-table.ts'
import { LEVELS, type Level } from './recorded.ts'
import { SiteSums } from './site-sums.ts'
import { int, type Row, type Statements } from './statements.ts'

export interface RolledUp {
  readonly level: Level
  /** Begin of the longer period, seconds. */
  readonly at: number
  readonly site: number
  readonly sums: SiteSums
}

/** Read at a time: 1,000 sites make 6,000 rows a minute. */
const MOST_ROWS = 10_000

/** The longer periods that are complete, from the shortest up; `write` is told of each and makes its row. */
export function rollUp(db: Statements, write: (period: RolledUp) => void): void {
  // Hours can only be complete when a minute has just been.
  for (const [i, finer] of LEVELS.slice(0, -1).entries())
    if (!rollUpLevel(db, finer, LEVELS[i + 1]!, write)) return
}

/** Whether anything was complete. */
function rollUpLevel(db: Statements, finer: Level, level: Level, write: (period: RolledUp) => void): boolean {
  const mark = `rolled.${level}`
  const after = db.number('SELECT value FROM meta WHERE key = ?', mark)
  const rows = db.all(
    // By sequence: an index of the level would give all of them first.
    'SELECT * FROM buckets NOT INDEXED WHERE level = ? AND seq > ? ORDER BY seq LIMIT ?',
    finer,
    after,
    MOST_ROWS,
  )
  const periodOf = (row: Row) => Math.floor(int(row['at']) / level) * level
  const last = rows.at(-1)
  if (last === undefined) return false
  // The newest run may still go on; a flood of rows in one period is taken in parts.
  const isCut = rows.length === MOST_ROWS
  let end = rows.length
  while (end > 0 && periodOf(rows[end - 1]!) === periodOf(last)) end--
  const complete = rows.slice(0, end === 0 && isCut ? rows.length : end)
  for (const run of runsOf(complete, periodOf)) {
    const bySite = new Map<number, SiteSums>()
    for (const row of run) {
      const site = int(row['site'])
      let sums = bySite.get(site)
      if (sums === undefined) bySite.set(site, (sums = new SiteSums()))
      sums.merge(readBucket(db, row))
    }
    for (const [site, sums] of bySite) write({ level, at: periodOf(run[0]!), site, sums })
    setMeta(db, mark, int(run.at(-1)!['seq']))
  }
  return complete.length > 0
}

function runsOf(rows: readonly Row[], periodOf: (row: Row) => number): Row[][] {
  const runs: Row[][] = []
  for (const row of rows) {
    const run = runs.at(-1)
    if (run !== undefined && periodOf(run[0]!) === periodOf(row)) run.push(row)
    else runs.push([row])
  }
  return runs
}

export function setMeta(db: Statements, key: string, value: number): void {
  db.run('INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value', key, value)
}
