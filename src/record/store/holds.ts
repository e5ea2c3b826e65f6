/** Exemptions from removal: the table holds. Whoever may write the file makes them; the recorder notes each in the chain. */
import type { Hold } from './recorded.ts'
import { int, type Row, type Statements, text } from './statements.ts'

export const LONGEST_REASON = 500
export const MOST_HOLDS = 1000

export type HoldWish = Omit<Hold, 'id' | 'madeAtMs'>

export function addHold(db: Statements, wish: HoldWish, nowMs: number): Hold {
  db.run(
    'INSERT INTO holds (site, from_ms, to_ms, reason, made_ms, expires_ms) VALUES (?, ?, ?, ?, ?, ?)',
    wish.site,
    wish.fromMs,
    wish.toMs,
    wish.reason.slice(0, LONGEST_REASON).toWellFormed(),
    nowMs,
    wish.expiresAtMs,
  )
  return { ...wish, id: db.number('SELECT last_insert_rowid()'), madeAtMs: nowMs }
}

/** False when there is no such hold in force. */
export function endHold(db: Statements, id: number, nowMs: number): boolean {
  return db.run(`UPDATE holds SET ended_ms = ? WHERE id = ? AND ${IN_FORCE}`, nowMs, id, nowMs) > 0
}

const IN_FORCE = 'ended_ms IS NULL AND expires_ms > ?'

export function holdsInForce(db: Statements, nowMs: number): Hold[] {
  return db.all(`SELECT * FROM holds WHERE ${IN_FORCE} ORDER BY id`, nowMs).map(holdOf)
}

export interface HoldNote {
  readonly change: 'made' | 'ended' | 'expired'
  readonly hold: Hold
}

/** What has happened to holds since it was last asked; each is told once. */
export function takeHoldNotes(db: Statements, nowMs: number): HoldNote[] {
  const notes: HoldNote[] = []
  for (const row of db.all(
    `SELECT * FROM holds WHERE noted = '' OR (noted = 'made' AND NOT (${IN_FORCE})) ORDER BY id`,
    nowMs,
  )) {
    const hold = holdOf(row)
    if (row['noted'] === '') notes.push({ change: 'made', hold })
    const isOver = row['ended_ms'] !== null || hold.expiresAtMs <= nowMs
    if (isOver) notes.push({ change: row['ended_ms'] === null ? 'expired' : 'ended', hold })
    db.run('UPDATE holds SET noted = ? WHERE id = ?', isOver ? 'over' : 'made', hold.id)
  }
  return notes
}

function holdOf(row: Row): Hold {
  return {
    id: int(row['id']),
    site: text(row['site']),
    fromMs: int(row['from_ms']),
    toMs: int(row['to_ms']),
    reason: text(row['reason']),
    madeAtMs: int(row['made_ms']),
    expiresAtMs: int(row['expires_ms']),
  }
}
