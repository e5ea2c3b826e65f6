/**
 * Writes the record: one transaction each second, sealed every hour.
 *
 * Sums of the running ten seconds are in memory; each second, what was added to them goes into the journal
 * table, so that a process killed at any moment loses less than two seconds. When the period is over its
 * rows are written and the journal is emptied in the same transaction. WAL with synchronous=NORMAL survives
 * the death of the process at any point; a power cut may lose the transactions since the last
 * checkpoint, but never makes a half one of any. A seal is committed with synchronous=FULL, so that a hash
 * that was told to somebody is on the disk.
 *
 * When the disk fails, what comes is counted and let go, and once a minute it is tried again. Nothing here
 * throws to its caller. Time is passed in: wall clock `nowMs` for what is written, and a clock that is never
 * set, `steadyMs`, for intervals. A leap of the first against the second is noted as an event, and nothing
 * is removed for its age for an hour after one: a clock that is wrong for a minute must not empty the record.
 */
import type { DatabaseSync } from 'node:sqlite'
import { insertBucket } from './buckets-table.ts'
import { openForWriting, pragma, type StoreError, storeError } from './database.ts'
import { takeHoldNotes } from './holds.ts'
import { OpenPeriod, type RecorderReport } from './open-period.ts'
import type { EventKind, RecordedEvent, RecorderStatus, RecordSettings, StoreFault } from './recorded.ts'
import { type Removal, Retention, remove } from './retention.ts'
import { rollUp, setMeta } from './roll-up.ts'
import { insertSample } from './samples-table.ts'
import { newestSegment, nextSequence, type OpenSegment, SEGMENT_MS, SEGMENT_ROWS, seal } from './segments.ts'
import { SiteNumbers } from './sites-table.ts'
import { int, Statements, text } from './statements.ts'

const PERIOD_S = 10
const RETRY_MS = 60_000
const LEAP_MS = 60_000
const CALM_AFTER_LEAP_MS = 3_600_000
const REMOVE_EVERY_MS = 60_000
/** Removals per second: each is one leaf of one segment. */
const REMOVALS = 2
/** Pages given back per second, 4 kB each. */
const VACUUM_PAGES = 256
/** Waiting to be written, and written in a burst. */
const MOST_EVENTS = 1000
const LONGEST_DATA = 16_384

export interface WriterOptions {
  readonly file: string
  readonly settings: RecordSettings
  /** Secret for the keyed hash of addresses. */
  readonly markKey: Uint8Array
  readonly random?: () => number
  /** Tests give one whose disk is full. */
  readonly open?: (file: string) => DatabaseSync
  /** Called once when recording stops, once when it goes on, and at each seal. */
  readonly onNews?: (news: WriterNews) => void
}

export type WriterNews =
  | { readonly kind: 'failing'; readonly fault: StoreFault; readonly message: string }
  | { readonly kind: 'recording' }
  | { readonly kind: 'sealed'; readonly segment: number; readonly hash: string }

/** What the writer knows of itself; its thread adds the rest. */
export type WriterStatus = Omit<RecorderStatus, 'file' | 'writerCpuMs'>

/** All that is there only while the file is open. */
interface Store {
  readonly db: Statements
  readonly sites: SiteNumbers
  readonly retention: Retention
  segment: OpenSegment
  seq: number
  head: string
  bytes: number
}

export class RecordWriter {
  readonly #options: WriterOptions
  readonly #random: () => number
  #settings: RecordSettings
  #store: Store | undefined
  #fault: StoreError | undefined
  #isClosed = false
  #retryAtMs = Number.NEGATIVE_INFINITY
  #period: OpenPeriod | undefined
  #events: RecordedEvent[] = []
  #eventBudget = MOST_EVENTS
  /** Those of them that the running transaction has written. */
  #eventsWritten = 0
  #requestsLost = 0
  #eventsLost = 0
  /** Requests that the running transaction puts into the journal. */
  #uncommitted = 0
  /** Requests that were lost while the disk failed, told when it is over. */
  #lostFailing = 0
  #failingSinceMs = 0
  #clock: { wallMs: number; steadyMs: number } | undefined
  #leaptAtMs = Number.NEGATIVE_INFINITY
  #removeAtMs = Number.NEGATIVE_INFINITY
  #writtenAtMs = 0

  constructor(options: WriterOptions) {
    this.#options = options
    this.#settings = options.settings
    this.#random = options.random ?? Math.random
  }

  configure(settings: RecordSettings): void {
    this.#settings = settings
  }

  /** Adds a report to the running period. */
  take(report: RecorderReport, nowMs: number, steadyMs: number): void {
    const at = periodOf(nowMs)
    // First of all: what the journal holds of these ten seconds comes before what is new.
    if (this.#fault === undefined && this.#store === undefined) this.#open(nowMs, steadyMs)
    if (this.#period !== undefined && this.#period.at !== at) this.tick(nowMs, steadyMs)
    this.#period ??= new OpenPeriod(at, this.#options.markKey, this.#random)
    this.#period.take(report)
  }

  /** Adds an event. They are never removed, so there is one a second at most in the long run. */
  event(event: RecordedEvent): void {
    if (this.#events.length >= MOST_EVENTS || this.#eventBudget <= 0) {
      this.#eventsLost++
      return
    }
    this.#eventBudget--
    this.#events.push(event)
  }

  /** What found no room on the way here. */
  lost(requests: number, events: number): void {
    this.#requestsLost += requests
    this.#eventsLost += events
  }

  /** Once a second. */
  tick(nowMs: number, steadyMs: number): void {
    if (this.#isClosed) return
    this.#eventBudget = Math.min(MOST_EVENTS, this.#eventBudget + 1)
    this.#watchClock(nowMs, steadyMs)
    if (this.#store === undefined && steadyMs >= this.#retryAtMs) this.#open(nowMs, steadyMs)
    if (this.#store === undefined) {
      this.#letGo()
      return
    }
    this.#attempt(nowMs, steadyMs, (store) => {
      this.#writeSecond(store, nowMs)
      if (this.#period !== undefined && this.#period.at !== periodOf(nowMs))
        this.#closePeriod(store, this.#period)
      this.#removeOld(store, nowMs, steadyMs)
    })
    this.#sealWhenDue(nowMs, steadyMs)
  }

  /** Writes what there is and closes the file. The running period stays in the journal for whoever comes next. */
  close(nowMs: number, steadyMs: number): void {
    if (this.#isClosed) return
    if (this.#store !== undefined) this.#attempt(nowMs, steadyMs, (store) => this.#writeSecond(store, nowMs))
    this.#isClosed = true
    this.#closeStore()
  }

  status(): WriterStatus {
    const store = this.#store
    return {
      state: this.#isClosed
        ? 'closed'
        : store !== undefined
          ? 'recording'
          : this.#fault
            ? 'failing'
            : 'opening',
      fault: this.#fault?.message ?? '',
      bytes: store?.bytes ?? 0,
      requestsLost: this.#requestsLost + this.#lostFailing,
      eventsLost: this.#eventsLost,
      segments: store === undefined ? 0 : store.segment.number - 1,
      head: store?.head ?? '',
      writtenAtMs: this.#writtenAtMs,
    }
  }

  #open(nowMs: number, steadyMs: number): void {
    try {
      const db = new Statements((this.#options.open ?? openForWriting)(this.#options.file))
      try {
        this.#store = this.#continued(db, nowMs)
      } catch (error) {
        db.db.close()
        throw error
      }
    } catch (error) {
      this.#fail(storeError(this.#options.file, error), nowMs, steadyMs)
    }
  }

  /** Where the file left off. */
  #continued(db: Statements, nowMs: number): Store {
    const newest = newestSegment(db)
    const seq = nextSequence(db)
    const opened = db.number("SELECT value FROM meta WHERE key = 'opened'")
    const firstSeq = db.number('SELECT max(last_seq) FROM segments') + 1
    if (opened === 0) setMeta(db, 'opened', nowMs)
    // No fault of the disk: then it is what the journal holds that cannot be written, and it would fail for ever.
    if (this.#fault?.fault === 'other') db.run('DELETE FROM journal')
    this.#recoverJournal(db)
    return {
      db,
      sites: new SiteNumbers(db),
      retention: new Retention(db),
      segment: { number: newest.number + 1, openedMs: opened === 0 ? nowMs : opened, firstSeq },
      seq,
      head: newest.hash,
      bytes: fileBytes(db),
    }
  }

  /** What came meanwhile stays; it joins what the journal knows of its period. */
  #recoverJournal(db: Statements): void {
    const rows = db.all('SELECT at, data FROM journal ORDER BY id')
    if (rows.length === 0) return
    const period = new OpenPeriod(int(rows[0]!['at']), this.#options.markKey, this.#random)
    for (const row of rows) {
      try {
        period.recover(text(row['data']))
      } catch {
        // A second of figures is not worth refusing the rest of the record.
        this.#eventsLost++
      }
    }
    if (this.#period !== undefined) this.#requestsLost += this.#period.requests
    this.#period = period
  }

  #writeSecond(store: Store, nowMs: number): void {
    this.#uncommitted = this.#period?.requests ?? 0
    const delta = this.#period?.takeDelta() ?? ''
    if (delta !== '') store.db.run('INSERT INTO journal (at, data) VALUES (?, ?)', this.#period!.at, delta)
    for (const { change, hold } of takeHoldNotes(store.db, nowMs))
      this.event({ atMs: nowMs, kind: 'hold', site: hold.site, data: { change, ...hold } })
    for (const event of this.#events) writeEvent(store, event)
    this.#eventsWritten = this.#events.length
  }

  #closePeriod(store: Store, period: OpenPeriod): void {
    const place = (level: 10 | 60 | 3600 | 86_400, at: number, site: number) => ({
      seq: store.seq++,
      segment: store.segment.number,
      level,
      at,
      site,
    })
    for (const [name, sums] of period.sums)
      insertBucket(store.db, place(PERIOD_S, period.at, store.sites.of(name)), sums)
    for (const { slot, sample } of period.samples())
      insertSample(
        store.db,
        { seq: store.seq++, segment: store.segment.number, slot, site: store.sites.of(sample.site) },
        sample,
      )
    store.db.run('DELETE FROM journal')
    rollUp(store.db, ({ level, at, site, sums }) => insertBucket(store.db, place(level, at, site), sums))
    this.#requestsLost += period.lost
    this.#period = undefined
  }

  #removeOld(store: Store, nowMs: number, steadyMs: number): void {
    if (steadyMs < this.#removeAtMs || steadyMs - this.#leaptAtMs < CALM_AFTER_LEAP_MS) return
    let removal: Removal | undefined
    for (let i = 0; i < REMOVALS && (removal = store.retention.next(this.#settings, nowMs)); i++) {
      remove(store.db, removal)
      const { segment, leaf, reason } = removal
      store.db.run(
        'INSERT INTO removals VALUES (?, ?, ?, ?, ?, ?)',
        store.seq++,
        store.segment.number,
        nowMs,
        leaf,
        segment,
        reason,
      )
    }
    // As long as there is something to do, each second; else it is enough to look now and then.
    this.#removeAtMs = removal === undefined ? steadyMs + REMOVE_EVERY_MS : steadyMs
    // Freed pages are given back to the disk bit by bit; most are used again soon.
    if (pragma(store.db.db, 'freelist_count') > 4 * VACUUM_PAGES)
      for (const _ of store.db.iterate(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`));
  }

  #sealWhenDue(nowMs: number, steadyMs: number): void {
    const store = this.#store
    if (store === undefined) return
    const rows = store.seq - store.segment.firstSeq
    // A clock set back must not keep a segment open for ever: its age counts in either direction.
    const isDue = Math.abs(nowMs - store.segment.openedMs) >= SEGMENT_MS || rows >= SEGMENT_ROWS
    if (!isDue || rows === 0) return
    store.db.db.exec('PRAGMA synchronous = FULL')
    const sealed = this.#attempt(nowMs, steadyMs, () => {
      const { number, hash } = seal(store.db, store.segment, store.seq - 1, nowMs)
      setMeta(store.db, 'opened', nowMs)
      store.segment = { number: number + 1, openedMs: nowMs, firstSeq: store.seq }
      store.head = hash
    })
    if (!sealed) return
    store.db.db.exec('PRAGMA synchronous = NORMAL')
    this.#options.onNews?.({ kind: 'sealed', segment: store.segment.number - 1, hash: store.head })
  }

  /** Does it in a transaction; false, and the store closed, when it could not. */
  #attempt(nowMs: number, steadyMs: number, work: (store: Store) => void): boolean {
    const store = this.#store!
    try {
      store.db.db.exec('BEGIN IMMEDIATE')
      work(store)
      store.db.db.exec('COMMIT')
      this.#events.splice(0, this.#eventsWritten)
      this.#eventsWritten = 0
      this.#uncommitted = 0
      this.#writtenAtMs = nowMs
      store.bytes = fileBytes(store.db)
      // A full disk can be opened; only what was written tells that it can be written to.
      if (this.#fault !== undefined) this.#goOn(nowMs)
      return true
    } catch (error) {
      this.#fail(storeError(this.#options.file, error), nowMs, steadyMs)
      return false
    }
  }

  /** Whatever the transaction was, it is as if it had not been: memory is made anew from the file. */
  #fail(fault: StoreError, nowMs: number, steadyMs: number): void {
    const isNew = this.#fault === undefined
    this.#fault = fault
    this.#eventsWritten = 0
    this.#retryAtMs = steadyMs + RETRY_MS
    this.#closeStore()
    if (isNew) {
      this.#failingSinceMs = nowMs
      this.#options.onNews?.({ kind: 'failing', fault: fault.fault, message: fault.message })
    }
    this.#letGo()
  }

  /** Counts what there is no place for; what is in the journal will be found there. Events wait as long as there is room. */
  #letGo(): void {
    this.#lostFailing += this.#uncommitted + (this.#period?.requests ?? 0)
    this.#uncommitted = 0
    this.#period = undefined
  }

  #goOn(nowMs: number): void {
    const data = {
      change: 'recording',
      failedForMs: nowMs - this.#failingSinceMs,
      requestsLost: this.#lostFailing,
    }
    this.event({ atMs: nowMs, kind: 'recorder', site: '', data: { ...data, fault: this.#fault!.fault } })
    this.#requestsLost += this.#lostFailing
    this.#lostFailing = 0
    this.#fault = undefined
    this.#options.onNews?.({ kind: 'recording' })
  }

  #closeStore(): void {
    try {
      this.#store?.db.db.close()
    } catch {
      // There is nothing left to save.
    }
    this.#store = undefined
  }

  #watchClock(nowMs: number, steadyMs: number): void {
    const before = this.#clock
    this.#clock = { wallMs: nowMs, steadyMs }
    if (before === undefined) return
    const byMs = nowMs - before.wallMs - (steadyMs - before.steadyMs)
    if (Math.abs(byMs) < LEAP_MS) return
    this.#leaptAtMs = steadyMs
    this.event({ atMs: nowMs, kind: 'clock', site: '', data: { byMs: Math.round(byMs) } })
  }
}

function writeEvent(store: Store, { atMs, kind, site, data }: RecordedEvent): void {
  let json = JSON.stringify(data ?? null)
  if (json.length > LONGEST_DATA) json = JSON.stringify({ cut: json.slice(0, LONGEST_DATA / 2) })
  store.db.run(
    'INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)',
    store.seq++,
    store.segment.number,
    Math.round(atMs),
    kind satisfies EventKind,
    site.slice(0, 253).toWellFormed(),
    json,
  )
}

function periodOf(nowMs: number): number {
  return Math.floor(nowMs / (1000 * PERIOD_S)) * PERIOD_S
}

function fileBytes({ db }: Statements): number {
  return pragma(db, 'page_count') * pragma(db, 'page_size')
}
