/** Opens a record: its pragmas, its version, and SQLite's errors in words that help. */
import { closeSync, mkdirSync, openSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { StoreFault } from './recorded.ts'
import { APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION } from './schema.ts'

export const RECORD_FILE = 'record.db'
/** Beyond it the journal is cut back at the next checkpoint. */
const WAL_BYTES = 8 * 1024 * 1024
/** An operator's command may meet a seal, which takes a second. */
const BUSY_MS = 5000

/** Why a record cannot be used; `fault` says what kind it is, the message what to do. */
export class StoreError extends Error {
  readonly code = 'DIGUE_RECORD'
  readonly fault: StoreFault

  constructor(fault: StoreFault, message: string, options?: ErrorOptions) {
    super(message, options)
    this.fault = fault
  }
}

/** Opens for writing, making folder and file when they are not there. Throws StoreError. */
export function openForWriting(file: string): DatabaseSync {
  return guarded(file, () => {
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
    // SQLite would make it readable for everybody; the files beside it take its mode.
    closeSync(openSync(file, 'a', 0o600))
    return prepared(new DatabaseSync(file, { timeout: BUSY_MS }), (db) => {
      // Only heeded before the first table is made.
      if (isEmpty(db)) db.exec('PRAGMA auto_vacuum = INCREMENTAL')
      checkKind(db, file)
      db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8000;
        PRAGMA journal_size_limit = ${WAL_BYTES}; PRAGMA temp_store = MEMORY`)
      migrate(db)
    })
  })
}

/** Opens for reading only. Throws StoreError, also when there is no file. */
export function openForReading(file: string): DatabaseSync {
  return guarded(file, () =>
    prepared(new DatabaseSync(file, { readOnly: true, timeout: BUSY_MS }), (db) => {
      if (isEmpty(db)) throw new StoreError('foreign', `${file}: there is no record in it`)
      checkKind(db, file)
    }),
  )
}

function prepared(db: DatabaseSync, prepare: (db: DatabaseSync) => void): DatabaseSync {
  try {
    prepare(db)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function isEmpty(db: DatabaseSync): boolean {
  return db.prepare('SELECT 1 FROM sqlite_master LIMIT 1').get() === undefined
}

export function pragma(db: DatabaseSync, name: string): number {
  return Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0] ?? 0)
}

function checkKind(db: DatabaseSync, file: string): void {
  const version = pragma(db, 'user_version')
  if (pragma(db, 'application_id') !== APPLICATION_ID && !isEmpty(db))
    throw new StoreError('foreign', `${file}: not a record of Digue; move it away and it is made anew`)
  if (version > SCHEMA_VERSION)
    throw new StoreError(
      'newer',
      `${file}: expected a record of version ${SCHEMA_VERSION} at most, got version ${version}; run the newer Digue that made it, or move the file away`,
    )
}

function migrate(db: DatabaseSync): void {
  db.exec('BEGIN IMMEDIATE')
  try {
    for (let version = pragma(db, 'user_version'); version < SCHEMA_VERSION; version++) {
      MIGRATIONS[version]!(db)
      db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${version + 1}`)
    }
    db.exec('COMMIT')
  } catch (error) {
    db.exec('ROLLBACK')
    throw error
  }
}

function guarded<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw storeError(file, error)
  }
}

/** https://sqlite.org/rescode.html, the low byte of the extended codes. */
const FAULTS: Readonly<Record<number, StoreFault>> = {
  3: 'forbidden',
  5: 'busy',
  6: 'busy',
  8: 'read-only',
  11: 'damaged',
  13: 'full',
  14: 'forbidden',
  26: 'foreign',
}
const ERRNO: Readonly<Record<string, StoreFault>> = {
  ENOSPC: 'full',
  EDQUOT: 'full',
  EROFS: 'read-only',
  EACCES: 'forbidden',
  EPERM: 'forbidden',
}
const ADVICE: Readonly<Record<StoreFault, string>> = {
  full: 'make room on that disk; recording goes on by itself',
  'read-only': 'its disk or the file can only be read; recording goes on by itself once it can be written',
  forbidden: 'this user may not open it: look who owns the file and its folder',
  damaged: 'move it away to be looked at (sqlite3 can often recover it) and it is made anew',
  foreign: 'not a record of Digue; move it away and it is made anew',
  newer: 'run the newer Digue that made it',
  busy: 'another program holds it; it is tried again',
  other: 'it is tried again',
}

/** What an error of SQLite or of the file system means for the record. */
export function storeError(file: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const { errcode, code, message } = error as { errcode?: number; code?: string; message?: string }
  const fault =
    (errcode !== undefined ? FAULTS[errcode & 255] : undefined) ?? ERRNO[code ?? ''] ?? ('other' as const)
  return new StoreError(fault, `${file}: ${message ?? String(error)}; ${ADVICE[fault]}`, { cause: error })
}
