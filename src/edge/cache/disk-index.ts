/**
 * The index of what is on disk: one row for each stored response, in SQLite.
 *
 * Bodies lie in files named by their SHA-256 (body-files.ts); rows that have the same body share it,
 * and `files` counts for how many it is. Each row carries a SHA-256 over what it says, so that
 * an altered index is a miss as an altered body is: SQLite notices broken pages, not changed values.
 *
 * `heat` says what was asked for most, lately: log2 of a sum in which each use counts 2^(its day).
 * Uses of today weigh twice those of yesterday, and no row needs touching as time goes by (forward
 * decay, Cormode, Shkapenyuk, Srivastava, Xu 2009).
 *
 * All calls are synchronous and throw SQLite's errors; `isCorrupt` tells which of them mean that the
 * index cannot be used any more.
 */
import { createHash } from 'node:crypto'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { type Purge, purges, type StoredResponse, tagsOf } from '#cache'
import { type FieldLines, parseHost } from '#http'
import type { KeySummary } from './key-summary.ts'
import { type Learned, responseId, type Use } from './library-protocol.ts'

/** Bodies take whole blocks on disk. */
const BLOCK_BYTES = 4096
/** What a row takes beside its strings: columns, five indexes. */
const ROW_BYTES = 600
const DAY_MS = 86_400_000
/** Of one key: nobody needs more, and a lookup reads them all. */
const MOST_VARIANTS = 64
const SCHEMA_VERSION = 2
/** Of all sites together, the newest; and for how long it counts, since sites change. */
const MOST_LEARNED_CHARACTERS = 16_777_216
const LEARNED_DAYS = 30

/** A body file. */
export interface FileName {
  readonly hash: Uint8Array
  /** Its length. */
  readonly bytes: number
}

/** A stored response without its bodies. */
export interface IndexedResponse {
  readonly id: number
  readonly head: Omit<StoredResponse, 'body' | 'encodings'>
  readonly body: FileName
  readonly br: FileName | undefined
  readonly gzip: FileName | undefined
  /** Over all of the above but `id`. */
  readonly digest: Uint8Array
}

export type NewRow = Omit<IndexedResponse, 'id' | 'digest'>

type Value = string | number | null | Uint8Array
type Row = Record<string, Value>

const SCHEMA = `
  CREATE TABLE responses (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, variant TEXT NOT NULL, host TEXT NOT NULL,
    vary TEXT NOT NULL, status INTEGER NOT NULL, fields TEXT NOT NULL, requested_ms INTEGER NOT NULL,
    received_ms INTEGER NOT NULL, purpose TEXT NOT NULL, body BLOB NOT NULL, body_bytes INTEGER NOT NULL,
    br BLOB, br_bytes INTEGER, gzip BLOB, gzip_bytes INTEGER, digest BLOB NOT NULL,
    row_bytes INTEGER NOT NULL, used_ms INTEGER NOT NULL, heat REAL NOT NULL, UNIQUE (key, variant));
  CREATE INDEX responses_host ON responses (host);
  CREATE INDEX responses_used ON responses (used_ms, row_bytes);
  CREATE INDEX responses_heat ON responses (heat);
  CREATE TABLE tags (tag TEXT NOT NULL, response INTEGER NOT NULL, PRIMARY KEY (tag, response)) WITHOUT ROWID;
  CREATE INDEX tags_response ON tags (response);
  CREATE TABLE files (hash BLOB PRIMARY KEY, bytes INTEGER NOT NULL, refs INTEGER NOT NULL,
    is_bad INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
  CREATE TABLE learned (site TEXT PRIMARY KEY, snapshot TEXT NOT NULL, at_ms INTEGER NOT NULL, digest BLOB NOT NULL);
  CREATE INDEX files_unused ON files (hash) WHERE refs <= 0;
  PRAGMA user_version = ${SCHEMA_VERSION};
`

/** SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_ERROR (a table is gone), SQLITE_MISMATCH, SQLITE_SCHEMA. */
const CORRUPT: ReadonlySet<number> = new Set([1, 11, 17, 20, 26])

/** The index is no index (any more): it must be begun anew. */
export function isCorrupt(error: unknown): boolean {
  const code = (error as { errcode?: unknown } | null)?.errcode
  return typeof code === 'number' && CORRUPT.has(code & 0xff)
}

export class DiskIndex {
  readonly #db: DatabaseSync
  readonly #summary: KeySummary
  readonly #statements = new Map<string, StatementSync>()
  /** What the running transaction changes in the summary. */
  #changes: { readonly key: string; readonly isThere: boolean }[] = []
  #rows = 0
  #bytes = 0

  /** Reads all keys, 0.5 s for 200,000. Throws when the file is locked, broken, or cannot be written. */
  constructor(file: string, summary: KeySummary) {
    this.#db = new DatabaseSync(file)
    this.#summary = summary
    try {
      // One process at a time: two would delete each other's files. Without fsync at each commit (WAL):
      // a power cut may cost the last responses.
      this.#db.exec('PRAGMA locking_mode = EXCLUSIVE')
      this.#db.exec('PRAGMA journal_mode = WAL')
      this.#db.exec('PRAGMA synchronous = NORMAL')
      this.#db.exec('PRAGMA cache_size = -8000')
      this.#db.exec('BEGIN IMMEDIATE')
      const { user_version: version } = this.#get('PRAGMA user_version')!
      // Of another version of Digue, or somebody else's file.
      if (version !== SCHEMA_VERSION) {
        this.#dropTables()
        this.#db.exec(SCHEMA)
      }
      this.#db.exec('COMMIT')
      this.#statements.clear()
      this.#count()
    } catch (error) {
      this.#db.close()
      throw error
    }
  }

  get rows(): number {
    return this.#rows
  }

  /** What files and rows take. Files that no row needs count until `forget`. */
  get bytes(): number {
    return this.#bytes
  }

  /** What a row and those of its files that are not there yet would add to `bytes`. */
  bytesOf(row: NewRow): number {
    let bytes = rowBytes(row)
    for (const file of filesOf(row)) if (!this.hasFile(file.hash)) bytes += onDisk(file.bytes)
    return bytes
  }

  /** A whole file with this content is there, as far as is known. */
  hasFile(hash: Uint8Array): boolean {
    return this.#get('SELECT 1 FROM files WHERE hash = ? AND is_bad = 0', hash) !== undefined
  }

  /** Sets a row; its files are there. What was there before under its key and variant goes, but not its heat. */
  put(row: NewRow, nowMs: number): void {
    const { head } = row
    this.#transaction(() => {
      const before = this.#get(
        'SELECT id, heat FROM responses WHERE key = ? AND variant = ?',
        head.key,
        head.variant,
      )
      if (before !== undefined) this.#remove(before.id as number)
      for (const file of filesOf(row)) this.#refer(file, 1)
      const days = nowMs / DAY_MS
      const bytes = rowBytes(row)
      const { lastInsertRowid: id } = this.#statement(
        `INSERT INTO responses (key, variant, host, vary, status, fields, requested_ms, received_ms, purpose, body,
         body_bytes, br, br_bytes, gzip, gzip_bytes, digest, row_bytes, used_ms, heat)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ).run(
        head.key,
        head.variant,
        hostOfUrl(head.key),
        JSON.stringify(head.vary),
        head.status,
        JSON.stringify(head.fields),
        head.requestedAtMs,
        head.receivedAtMs,
        head.purpose,
        row.body.hash,
        row.body.bytes,
        row.br?.hash ?? null,
        row.br?.bytes ?? null,
        row.gzip?.hash ?? null,
        row.gzip?.bytes ?? null,
        digestOf(row),
        bytes,
        nowMs,
        Math.max(days, (before?.heat as number | undefined) ?? days),
      )
      for (const tag of tagsOf(head.fields)) this.#run('INSERT OR IGNORE INTO tags VALUES (?, ?)', tag, id)
      this.#bytes += bytes
      this.#rows++
      this.#changes.push({ key: head.key, isThere: true })
    })
  }

  /** A file was written that no row needs (any more). */
  addUnused(file: FileName): void {
    this.#refer(file, 0)
  }

  /** The variants under `key`, last used first. `damaged`: rows that were not what they should be, and are gone. */
  find(key: string): { readonly found: IndexedResponse[]; readonly damaged: number } {
    const rows = this.#all(
      `SELECT * FROM responses WHERE key = ? ORDER BY used_ms DESC LIMIT ${MOST_VARIANTS}`,
      key,
    )
    const { found, damaged } = this.#checked(rows)
    // A damaged tree may lead to the row of another key.
    const right = found.filter(({ head }) => head.key === key)
    return { found: right, damaged: damaged + found.length - right.length }
  }

  /** Rows of what was asked for most lately. */
  hottest(most: number): number[] {
    return this.#all('SELECT id FROM responses ORDER BY heat DESC LIMIT ?', most).map(
      ({ id }) => id as number,
    )
  }

  /** One row, as `find` gives several. */
  row(id: number): { readonly found: IndexedResponse[]; readonly damaged: number } {
    return this.#checked(this.#all('SELECT * FROM responses WHERE id = ?', id))
  }

  /** The row is still what was read from it. */
  has(row: IndexedResponse): boolean {
    return this.#get('SELECT 1 FROM responses WHERE id = ? AND digest = ?', row.id, row.digest) !== undefined
  }

  remove(id: number): void {
    this.#transaction(() => this.#remove(id))
  }

  /** Files of a row that were missing or not what they should be: written anew when somebody needs them again. */
  markBad(hash: Uint8Array): void {
    this.#run('UPDATE files SET is_bad = 1 WHERE hash = ?', hash)
  }

  /** Removes up to `most` rows, longest unused first, of those last used before `beforeMs`; returns how many. */
  removeOldest(most: number, beforeMs = Number.MAX_SAFE_INTEGER): number {
    const rows = this.#all(
      'SELECT id FROM responses WHERE used_ms < ? ORDER BY used_ms LIMIT ?',
      beforeMs,
      most,
    )
    return this.#removeAll(rows.map(({ id }) => id as number))
  }

  /** All variants under a key. */
  removeKey(key: string): number {
    return this.#removeAll(
      this.#all('SELECT id FROM responses WHERE key = ?', key).map(({ id }) => id as number),
    )
  }

  /**
   * Removes what is to be forgotten among the next `most` rows after `afterId`; says which. `next` is where
   * to go on; undefined at the end.
   */
  purge(what: Purge, afterId: number, most: number): { readonly removed: string[]; readonly next?: number } {
    const named = what.url ?? what.prefix ?? what.host
    const columns = 'SELECT id, key, variant, fields FROM responses'
    const rows =
      what.tag !== undefined
        ? this.#all(
            `${columns} WHERE id IN (SELECT response FROM tags WHERE tag = ? AND response > ?) ORDER BY id LIMIT ?`,
            what.tag,
            afterId,
            most,
          )
        : named !== undefined
          ? this.#all(
              `${columns} WHERE host = ? AND id > ? ORDER BY id LIMIT ?`,
              hostOfUrl(named),
              afterId,
              most,
            )
          : this.#all(`${columns} WHERE id > ? ORDER BY id LIMIT ?`, afterId, most)
    const condemned = rows.filter((row) => purges(what, outlineOf(row)))
    this.#removeAll(condemned.map(({ id }) => id as number))
    const removed = condemned.map(({ key, variant }) => responseId(String(key), String(variant)))
    return rows.length < most ? { removed } : { removed, next: rows.at(-1)!.id as number }
  }

  /** Responses that served. Those that are not on disk do not matter. */
  touch(uses: readonly Use[], nowMs: number): void {
    const days = nowMs / DAY_MS
    this.#transaction(() => {
      for (const [id, times] of uses) {
        const end = id.indexOf('\n')
        this.#run(
          'UPDATE responses SET used_ms = ?, heat = ? + log2(? + pow(2, heat - ?)) WHERE key = ? AND variant = ?',
          nowMs,
          days,
          times,
          days,
          id.slice(0, end),
          id.slice(end + 1),
        )
      }
    })
  }

  /** Files that no row needs. */
  unused(most: number): FileName[] {
    return this.#all('SELECT hash, bytes FROM files WHERE refs <= 0 LIMIT ?', most).map((row) => ({
      hash: row.hash as Uint8Array,
      bytes: row.bytes as number,
    }))
  }

  /** A file that no row needs is gone. */
  forget(hash: Uint8Array): void {
    const file = this.#get('DELETE FROM files WHERE hash = ? AND refs <= 0 RETURNING bytes', hash)
    if (file !== undefined) this.#bytes -= onDisk(file.bytes as number)
  }

  /** A file of this name is needed, or will be removed by `unused`. */
  knows(hash: Uint8Array): boolean {
    return this.#get('SELECT 1 FROM files WHERE hash = ?', hash) !== undefined
  }

  /** In place of what was known of the site before. */
  learn(learned: Learned, nowMs: number): void {
    const { site, snapshot } = learned
    this.#transaction(() => {
      this.#run(
        'INSERT OR REPLACE INTO learned VALUES (?, ?, ?, ?)',
        site,
        snapshot,
        nowMs,
        digestOfLearned(learned, nowMs),
      )
      this.#run(
        `DELETE FROM learned WHERE at_ms < ? OR site IN (SELECT site FROM
         (SELECT site, sum(length(snapshot)) OVER (ORDER BY at_ms DESC, site) AS total FROM learned) WHERE total > ?)`,
        nowMs - LEARNED_DAYS * DAY_MS,
        MOST_LEARNED_CHARACTERS,
      )
    })
  }

  /** What was learned of all sites; an altered row is none. */
  learned(nowMs: number): Learned[] {
    const rows = this.#all('SELECT * FROM learned WHERE at_ms >= ?', nowMs - LEARNED_DAYS * DAY_MS)
    return rows.flatMap(({ site, snapshot, at_ms: atMs, digest }) => {
      const learned = { site: String(site), snapshot: String(snapshot) }
      const isWhole =
        digest instanceof Uint8Array && Buffer.compare(digest, digestOfLearned(learned, Number(atMs))) === 0
      return isWhole ? [learned] : []
    })
  }

  close(): void {
    this.#statements.clear()
    this.#db.close()
  }

  #count(): void {
    this.#rows = 0
    this.#summary.reset()
    for (const { key } of this.#statement('SELECT key FROM responses').iterate() as Iterable<Row>) {
      this.#summary.add(String(key))
      this.#rows++
    }
    this.#summary.complete()
    const files = this.#get(
      `SELECT ifnull(sum((bytes + ${BLOCK_BYTES - 1}) / ${BLOCK_BYTES} * ${BLOCK_BYTES}), 0) AS bytes FROM files`,
    )!
    const rows = this.#get('SELECT ifnull(sum(row_bytes), 0) AS bytes FROM responses')!
    this.#bytes = Number(files.bytes) + Number(rows.bytes)
  }

  #dropTables(): void {
    const tables = this.#all(
      "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'",
    )
    for (const { name } of tables)
      this.#db.exec(`DROP TABLE IF EXISTS "${String(name).replaceAll('"', '""')}"`)
  }

  #removeAll(ids: readonly number[]): number {
    if (ids.length > 0)
      this.#transaction(() => {
        for (const id of ids) this.#remove(id)
      })
    return ids.length
  }

  #remove(id: number): void {
    const row = this.#get(
      `DELETE FROM responses WHERE id = ?
       RETURNING key, row_bytes, body, body_bytes, br, br_bytes, gzip, gzip_bytes`,
      id,
    )
    if (row === undefined) return
    this.#run('DELETE FROM tags WHERE response = ?', id)
    for (const name of ['body', 'br', 'gzip'])
      if (row[name] !== null)
        this.#refer({ hash: row[name] as Uint8Array, bytes: row[`${name}_bytes`] as number }, -1)
    this.#changes.push({ key: String(row.key), isThere: false })
    this.#bytes -= Number(row.row_bytes)
    this.#rows--
  }

  /** `by` more rows need a file; one that was just written is whole. */
  #refer({ hash, bytes }: FileName, by: -1 | 0 | 1): void {
    if (bytes === 0) return
    if (by < 0) this.#run('UPDATE files SET refs = refs - 1 WHERE hash = ?', hash)
    else if (this.knows(hash))
      this.#run('UPDATE files SET refs = refs + ?, is_bad = 0 WHERE hash = ?', by, hash)
    else {
      this.#run('INSERT INTO files (hash, bytes, refs) VALUES (?, ?, ?)', hash, bytes, by)
      this.#bytes += onDisk(bytes)
    }
  }

  #checked(rows: readonly Row[]): { readonly found: IndexedResponse[]; readonly damaged: number } {
    const found: IndexedResponse[] = []
    let damaged = 0
    for (const row of rows) {
      const read = readRow(row)
      if (read !== undefined) found.push(read)
      else {
        damaged++
        this.remove(row.id as number)
      }
    }
    return { found, damaged }
  }

  #transaction(task: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE')
    const before = { rows: this.#rows, bytes: this.#bytes }
    this.#changes = []
    try {
      task()
      this.#db.exec('COMMIT')
      for (const { key, isThere } of this.#changes)
        if (isThere) this.#summary.add(key)
        else this.#summary.remove(key)
    } catch (error) {
      this.#rows = before.rows
      this.#bytes = before.bytes
      // After some errors SQLite has rolled back already.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) this.#statements.set(sql, (statement = this.#db.prepare(sql)))
    return statement
  }

  #run(sql: string, ...values: (Value | bigint)[]): void {
    this.#statement(sql).run(...values)
  }

  #get(sql: string, ...values: Value[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined
  }

  #all(sql: string, ...values: Value[]): Row[] {
    return this.#statement(sql).all(...values) as Row[]
  }
}

function rowBytes({ head }: NewRow): number {
  // The key stands in the row and in the index over keys.
  let bytes = ROW_BYTES + 2 * (head.key.length + head.variant.length)
  for (const part of head.fields) bytes += part.length + 4
  return bytes
}

function onDisk(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES
}

function filesOf(row: NewRow): FileName[] {
  return [row.body, row.br, row.gzip].filter((file) => file !== undefined)
}

/** The name of the host that a URL or a primary key names, in lower case, without its port. */
function hostOfUrl(url: string): string {
  const bare = url.replace(/^(https?:)?\/\//i, '')
  const end = bare.search(/[/?]/)
  const host = end === -1 ? bare : bare.slice(0, end)
  return (parseHost(host) ?? host).toLowerCase()
}

function digestOf({ head, body, br, gzip }: NewRow): Uint8Array {
  const named = (file: FileName | undefined) =>
    file === undefined ? null : [Buffer.from(file.hash).toString('hex'), file.bytes]
  const said = [
    head.key,
    head.variant,
    head.vary,
    head.status,
    head.fields,
    head.requestedAtMs,
    head.receivedAtMs,
    head.purpose,
    named(body),
    named(br),
    named(gzip),
  ]
  return createHash('sha256').update(JSON.stringify(said)).digest()
}

function digestOfLearned({ site, snapshot }: Learned, atMs: number): Uint8Array {
  return createHash('sha256')
    .update(JSON.stringify([site, snapshot, atMs]))
    .digest()
}

/** Undefined when the row is not what was written. */
function readRow(row: Row): IndexedResponse | undefined {
  try {
    const file = (name: string): FileName | undefined =>
      row[name] === null
        ? undefined
        : { hash: row[name] as Uint8Array, bytes: row[`${name}_bytes`] as number }
    const head = {
      key: row.key as string,
      variant: row.variant as string,
      vary: JSON.parse(row.vary as string) as readonly string[],
      status: row.status as number,
      fields: JSON.parse(row.fields as string) as FieldLines,
      requestedAtMs: row.requested_ms as number,
      receivedAtMs: row.received_ms as number,
      purpose: row.purpose as StoredResponse['purpose'],
    }
    const read = { head, body: file('body')!, br: file('br'), gzip: file('gzip') }
    const digest = digestOf(read)
    // What hashes to the same was written by us, so it has the right types too.
    if (!(row.digest instanceof Uint8Array) || Buffer.compare(digest, row.digest) !== 0) return undefined
    return { id: row.id as number, ...read, digest }
  } catch {
    return undefined
  }
}

/** As much of a row as a purge looks at; fields that cannot be read are none. */
function outlineOf(row: Row): StoredResponse {
  let fields: FieldLines = []
  try {
    fields = JSON.parse(String(row.fields)) as FieldLines
  } catch {
    // An altered row: found when it is read.
  }
  return {
    key: String(row.key),
    variant: String(row.variant),
    vary: [],
    status: 200,
    fields,
    body: new Uint8Array(),
    requestedAtMs: 0,
    receivedAtMs: 0,
    purpose: 'reuse',
  }
}
