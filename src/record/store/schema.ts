/** The tables, and how a file of an older version becomes one of this. FORMAT.md says what each column means. */
import type { DatabaseSync } from 'node:sqlite'

/** "Digu": tells our files from others. */
export const APPLICATION_ID = 0x44696775
export const SCHEMA_VERSION = 1

const TABLES = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE sites (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE journal (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, data TEXT NOT NULL);
  CREATE TABLE segments (
    number INTEGER PRIMARY KEY,
    previous TEXT NOT NULL,
    opened_ms INTEGER NOT NULL,
    sealed_ms INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    leaves TEXT NOT NULL,
    hash TEXT NOT NULL
  );
  CREATE TABLE buckets (
    seq INTEGER PRIMARY KEY,
    segment INTEGER NOT NULL,
    level INTEGER NOT NULL,
    at INTEGER NOT NULL,
    site INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    queue_delay_ms INTEGER NOT NULL,
    queue_delay_max_ms INTEGER NOT NULL,
    in_flight INTEGER NOT NULL,
    flow_limit INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    long_lived INTEGER NOT NULL,
    latency TEXT NOT NULL,
    clients BLOB NOT NULL,
    all_clients INTEGER NOT NULL,
    lost INTEGER NOT NULL
  );
  CREATE INDEX buckets_segment ON buckets (segment, level);
  CREATE INDEX buckets_time ON buckets (level, site, at);
  CREATE TABLE tallies (
    bucket INTEGER NOT NULL,
    lane TEXT NOT NULL,
    action TEXT NOT NULL,
    reason TEXT NOT NULL,
    count INTEGER NOT NULL,
    origin_ms INTEGER NOT NULL,
    PRIMARY KEY (bucket, lane, action, reason)
  ) WITHOUT ROWID;
  CREATE TABLE tops (
    bucket INTEGER NOT NULL,
    dimension INTEGER NOT NULL,
    name TEXT NOT NULL,
    count INTEGER NOT NULL,
    origin_ms INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (bucket, dimension, name)
  ) WITHOUT ROWID;
  CREATE TABLE samples (
    seq INTEGER PRIMARY KEY,
    segment INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    site INTEGER NOT NULL,
    ray TEXT NOT NULL,
    action TEXT NOT NULL,
    reason TEXT NOT NULL,
    lane TEXT NOT NULL,
    asn INTEGER NOT NULL,
    prefix TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    route TEXT NOT NULL,
    version TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    ja4 TEXT NOT NULL,
    status INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    origin_ms INTEGER NOT NULL,
    signature TEXT NOT NULL,
    rule TEXT NOT NULL,
    list TEXT NOT NULL,
    weight INTEGER NOT NULL,
    mark TEXT,
    client TEXT,
    query TEXT,
    referer TEXT
  );
  CREATE INDEX samples_segment ON samples (segment, slot);
  CREATE INDEX samples_time ON samples (site, at_ms);
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    segment INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    site TEXT NOT NULL,
    data TEXT NOT NULL
  );
  CREATE INDEX events_segment ON events (segment);
  CREATE INDEX events_time ON events (at_ms);
  CREATE TABLE removals (
    seq INTEGER PRIMARY KEY,
    segment INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    leaf TEXT NOT NULL,
    removed_segment INTEGER NOT NULL,
    reason TEXT NOT NULL
  );
  CREATE INDEX removals_segment ON removals (segment);
  CREATE INDEX removals_of ON removals (removed_segment);
  CREATE TABLE holds (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    site TEXT NOT NULL,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    made_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    noted TEXT NOT NULL DEFAULT ''
  );
`

/**
 * What makes version n + 1 of version n, in order; each runs in the transaction that raises the version. A step may
 * add tables and columns, and never changes what a sealed leaf says, or every segment before it would look altered.
 */
export const MIGRATIONS: readonly ((db: DatabaseSync) => void)[] = [(db) => db.exec(TABLES)]
