/** A record on a virtual clock, with traffic made by rule. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExchangeRecord } from '../exchange-record.ts'
import { openForReading } from './database.ts'
import type { RecorderReport, SiteDelta, WeighedExchange } from './open-period.ts'
import { ANSWERS } from './queries.ts'
import type { RecordSettings } from './recorded.ts'
import { Statements } from './statements.ts'
import { verify } from './verify.ts'
import { RecordWriter, type WriterNews, type WriterOptions } from './writer.ts'

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS
/** A full hour. */
export const BEGIN_MS = Date.UTC(2026, 5, 1, 12)

export const SETTINGS: RecordSettings = {
  bytes: 1e9,
  keepMs: { 10: 12 * HOUR_MS, 60: 14 * DAY_MS, 3600: 400 * DAY_MS, 86400: 4000 * DAY_MS },
  samplesMs: 30 * DAY_MS,
  addressesMs: 7 * DAY_MS,
  addressesBecome: 'hashed',
}

export function exchangeOf(values: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return {
    atMs: BEGIN_MS,
    ray: 'r-1',
    site: 'a.example.org',
    client: '192.0.2.7',
    asn: 64_500,
    method: 'GET',
    target: '/article/7?q=secret',
    version: '1.1',
    userAgent: 'curl/8',
    referer: 'https://example.org/from?who=me',
    action: 'relay',
    reason: '',
    lane: 'unproven',
    ja4: 't13d1516h2_8daaf6152771_02713d6af862',
    status: 200,
    bytes: 1000,
    durationMs: 12,
    originMs: 10,
    ...values,
  }
}

export interface ReportWish {
  readonly site?: string
  readonly atMs?: number
  readonly count?: number
  readonly originMs?: number
  readonly action?: string
  readonly reason?: string
  readonly exchanges?: readonly WeighedExchange[]
  readonly clients?: readonly number[]
  readonly figures?: Partial<SiteDelta>
}

export function reportOf(wish: ReportWish = {}): RecorderReport {
  const { site = 'a.example.org', count = 1, originMs = 10 * count, action = 'relay', reason = '' } = wish
  return {
    sites: {
      [site]: {
        tallies: [{ lane: 'unproven', action, reason, count, originMs }],
        queueDelayMs: 3,
        queueDelayMaxMs: 9,
        waiting: 2,
        longLived: 1,
        latency: [0, 0, count],
        gauges: { inFlight: 5, limit: 20, waiting: 2, longLived: 1 },
        clients: new Uint32Array(wish.clients ?? []),
        hasAllClients: true,
        ...wish.figures,
      },
    },
    exchanges: wish.exchanges ?? [
      { record: exchangeOf({ site, atMs: wish.atMs ?? BEGIN_MS }), route: 'GET /article/{n}', weight: count },
    ],
  }
}

/** A seeded generator of numbers from 0 to 1: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

export class TestRecord implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'digue-record-'))
  readonly file: string
  readonly news: WriterNews[] = []
  readonly #options: Partial<WriterOptions>
  writer: RecordWriter
  nowMs = BEGIN_MS
  steadyMs = 0

  constructor(options: Partial<WriterOptions> = {}) {
    this.#options = options
    this.file = options.file ?? join(this.folder, 'record.db')
    this.writer = this.reopened()
  }

  reopened(options: Partial<WriterOptions> = {}): RecordWriter {
    this.writer = new RecordWriter({
      file: this.file,
      settings: SETTINGS,
      markKey: new Uint8Array(32).fill(7),
      random: seeded(6),
      onNews: (news) => this.news.push(news),
      ...this.#options,
      ...options,
    })
    return this.writer
  }

  /** One second goes by; what is given comes in it. */
  second(...reports: RecorderReport[]): void {
    for (const report of reports) this.writer.take(report, this.nowMs, this.steadyMs)
    this.pass(1000)
    this.writer.tick(this.nowMs, this.steadyMs)
  }

  pass(ms: number): void {
    this.nowMs += ms
    this.steadyMs += ms
  }

  /** Time goes by with something in every so many seconds. */
  run(
    ms: number,
    report: () => RecorderReport = () => reportOf({ atMs: this.nowMs }),
    everyMs = 10_000,
  ): void {
    for (let passed = 0; passed < ms; passed += everyMs) {
      this.writer.take(report(), this.nowMs, this.steadyMs)
      this.pass(everyMs)
      this.writer.tick(this.nowMs, this.steadyMs)
    }
  }

  /** Another connection, for reading what is committed. */
  read<T>(ask: (db: Statements) => T): T {
    const db = openForReading(this.file)
    try {
      return ask(new Statements(db))
    } finally {
      db.close()
    }
  }

  verify(head?: string) {
    return this.read((db) => verify(db, head === undefined ? {} : { head }))
  }

  requests(site = 'a.example.org', level = 10): number {
    return this.read((db) =>
      db.number(
        'SELECT sum(requests) FROM buckets JOIN sites ON sites.id = site WHERE level = ? AND name = ?',
        level,
        site,
      ),
    )
  }

  answer = ANSWERS;

  [Symbol.dispose](): void {
    this.writer.close(this.nowMs, this.steadyMs)
    rmSync(this.folder, { recursive: true, force: true })
  }
}
