/** What can be asked of a record. Each answer is bounded; all are synchronous, for a thread of their own. */
import { unpackSketch } from './buckets-table.ts'
import { holdsInForce } from './holds.ts'
import {
  DIMENSIONS,
  type Dimension,
  type Hold,
  LEVELS,
  type Level,
  type RecordedEvent,
  type Sample,
} from './recorded.ts'
import { sampleOf } from './samples-table.ts'
import { newestSegment } from './segments.ts'
import { SiteSums } from './site-sums.ts'
import { int, numbers, type Row, type Statements, text } from './statements.ts'

export const MOST_POINTS = 10_000
export const MOST_NAMES_ASKED = 1000
export const MOST_SAMPLES_ASKED = 5000
export const MOST_EVENTS_ASKED = 5000

export interface Span {
  readonly fromMs: number
  /** Exclusive. */
  readonly toMs: number
}

export type SeriesKey = 'all' | 'action' | 'lane' | 'reason'

export interface SeriesQuery extends Span {
  readonly site: string
  /** Length of the steps, seconds; rounded up to whole periods of what is kept of that time. */
  readonly stepS: number
  readonly by: SeriesKey
}

export interface SeriesPoint {
  readonly atMs: number
  /** '' for `all`. */
  readonly key: string
  readonly count: number
  readonly originMs: number
}

export interface Series {
  /** Length of the periods it was made of: no finer was kept of that time. */
  readonly level: Level
  readonly stepS: number
  readonly points: readonly SeriesPoint[]
  readonly isCut: boolean
}

export interface GaugePoint {
  readonly atMs: number
  readonly requests: number
  readonly bytes: number
  readonly queueDelayMs: number
  readonly queueDelayMaxMs: number
  readonly inFlight: number
  readonly limit: number
  readonly waiting: number
  readonly longLived: number
  /** Distinct subscribers, estimated within 1.6 %; a lower bound when `hasAllClients` is false. */
  readonly clients: number
  readonly hasAllClients: boolean
  readonly latency: readonly number[]
}

export interface Top {
  readonly level: Level
  readonly names: readonly {
    readonly name: string
    readonly count: number
    readonly originMs: number
    readonly bytes: number
  }[]
  /** All those that are not named. */
  readonly rest: { readonly count: number; readonly originMs: number; readonly bytes: number }
}

export interface SamplesQuery extends Span {
  readonly site?: string | undefined
  readonly action?: string | undefined
  readonly most?: number | undefined
}

export interface EventsQuery extends Span {
  readonly kind?: string | undefined
  readonly site?: string | undefined
  readonly most?: number | undefined
}

export interface RecordSummary {
  readonly segments: number
  readonly head: string
  readonly holds: readonly Hold[]
  readonly levels: readonly {
    readonly level: Level
    readonly periods: number
    readonly fromMs: number
    readonly toMs: number
  }[]
  readonly samples: number
  readonly events: number
  readonly removals: number
}

/** How each question is asked; the answer's type by its name. */
export interface Questions {
  readonly series: { ask: SeriesQuery; answer: Series }
  readonly gauges: { ask: Omit<SeriesQuery, 'by'>; answer: readonly GaugePoint[] }
  readonly top: {
    ask: Span & { readonly site: string; readonly dimension: Dimension; readonly most: number }
    answer: Top
  }
  readonly samples: { ask: SamplesQuery; answer: readonly Sample[] }
  readonly events: { ask: EventsQuery; answer: readonly RecordedEvent[] }
  readonly summary: { ask: { readonly nowMs: number }; answer: RecordSummary }
}

export const ANSWERS: {
  readonly [Name in keyof Questions]: (
    db: Statements,
    ask: Questions[Name]['ask'],
  ) => Questions[Name]['answer']
} = { series, gauges, top, samples, events, summary: summarise }

/** Words of a question become columns only through here. */
const COLUMNS = { action: 'action', lane: 'lane', reason: 'reason' } as const
const SITE_ID = '(SELECT id FROM sites WHERE name = ?)'
const seconds = (ms: number) => Math.floor(ms / 1000)

/** Of one site and level: a question about more is answered from longer periods. */
const MOST_PERIODS = 5000

/** The finest level that is worth reading for a span of this length. */
function finestFor(spanMs: number): Level {
  return LEVELS.find((level) => spanMs / (1000 * level) <= MOST_PERIODS) ?? 86_400
}

/** Of the finest level up that is worth it, the first that reaches as far back as the longer ones: older periods are summed up. */
function levelFor(db: Statements, site: string, span: Span, finest: (spanMs: number) => Level): Level {
  const kept = LEVELS.flatMap((level) => {
    const row = db.get(
      `SELECT min(at) AS first, max(at) AS last FROM buckets WHERE level = ? AND site = ${SITE_ID} AND at > ? AND at < ?`,
      level,
      site,
      seconds(span.fromMs) - level,
      seconds(span.toMs),
    )
    const first = row?.['first']
    return typeof first === 'number' ? [{ level, first, end: int(row?.['last']) + level }] : []
  })
  // What was asked about may be far longer than what there is.
  const first = Math.max(seconds(span.fromMs), Math.min(...kept.map((one) => one.first)))
  const end = Math.min(seconds(span.toMs), Math.max(...kept.map((one) => one.end)))
  const from = finest(1000 * (end - first))
  const worth = kept.filter(({ level }) => level >= from)
  const covering = worth.find(
    (one, i) =>
      one.first <= seconds(span.fromMs) ||
      worth.slice(i + 1).every((longer) => longer.first + longer.level > one.first),
  )
  return covering?.level ?? kept.at(-1)?.level ?? 10
}

/** The step that was asked for as whole periods. */
function stepOf(stepS: number, level: Level): number {
  // It becomes part of a statement: whatever came, a whole number goes in.
  return Number.isFinite(stepS) ? Math.max(1, Math.ceil(stepS / level)) * level : level
}

function bucketsIn(db: Statements, site: string, span: Span, level: Level): Row[] {
  return db.all(
    `SELECT * FROM buckets WHERE level = ? AND site = ${SITE_ID} AND at >= ? AND at < ? ORDER BY at, seq LIMIT ${10 * MOST_PERIODS}`,
    level,
    site,
    // A period that began before the span belongs to it with what is in it.
    seconds(span.fromMs) - level + 1,
    seconds(span.toMs - 1) + 1,
  )
}

function series(db: Statements, ask: SeriesQuery): Series {
  const level = levelFor(db, ask.site, ask, finestFor)
  const stepS = stepOf(ask.stepS, level)
  const key = Object.hasOwn(COLUMNS, ask.by) ? COLUMNS[ask.by as keyof typeof COLUMNS] : "''"
  const rows = db.all(
    `SELECT at / ${stepS} * ${stepS} AS step, ${key} AS key, sum(count) AS count, sum(origin_ms) AS origin_ms
      FROM buckets CROSS JOIN tallies ON bucket = seq
      WHERE level = ? AND site = ${SITE_ID} AND at >= ? AND at < ?
      GROUP BY step, key ORDER BY step, key LIMIT ${MOST_POINTS + 1}`,
    level,
    ask.site,
    seconds(ask.fromMs) - level + 1,
    seconds(ask.toMs - 1) + 1,
  )
  const points = rows.slice(0, MOST_POINTS).map((row) => ({
    atMs: int(row['step']) * 1000,
    key: text(row['key']),
    count: int(row['count']),
    originMs: int(row['origin_ms']),
  }))
  return { level, stepS, points, isCut: rows.length > MOST_POINTS }
}

function gauges(db: Statements, ask: Omit<SeriesQuery, 'by'>): GaugePoint[] {
  const level = levelFor(db, ask.site, ask, finestFor)
  const stepS = stepOf(ask.stepS, level)
  const points = new Map<number, { sums: SiteSums; requests: number }>()
  for (const row of bucketsIn(db, ask.site, ask, level)) {
    const at = Math.floor(int(row['at']) / stepS) * stepS
    let point = points.get(at)
    if (point === undefined) {
      if (points.size >= MOST_POINTS) break
      points.set(at, (point = { sums: new SiteSums(), requests: 0 }))
    }
    point.requests += int(row['requests'])
    addGaugeRow(point.sums, row)
  }
  return [...points].map(([at, { sums, requests }]) => ({
    atMs: at * 1000,
    requests,
    bytes: sums.bytes,
    queueDelayMs: sums.queueDelayMs,
    queueDelayMaxMs: sums.queueDelayMaxMs,
    ...sums.gauges,
    clients: Math.round(sums.clients.estimate()),
    hasAllClients: sums.hasAllClients,
    latency: sums.latency,
  }))
}

function addGaugeRow(sums: SiteSums, row: Row): void {
  sums.bytes += int(row['bytes'])
  sums.queueDelayMs = Math.max(sums.queueDelayMs, int(row['queue_delay_ms']))
  sums.queueDelayMaxMs = Math.max(sums.queueDelayMaxMs, int(row['queue_delay_max_ms']))
  sums.addGauges({
    inFlight: int(row['in_flight']),
    limit: int(row['flow_limit']),
    waiting: int(row['waiting']),
    longLived: int(row['long_lived']),
  })
  sums.clients.merge(unpackSketch(row['clients']))
  sums.hasAllClients &&= row['all_clients'] === 1
  const latency = numbers(row['latency'])
  for (let i = 0; i < sums.latency.length; i++) sums.latency[i]! += latency[i] ?? 0
}

/** Beyond this span, minutes will do, and so on: a name's rest is lost a little more with each level. */
const FINEST_SPANS: readonly (readonly [Level, number])[] = [
  [10, 7_200_000],
  [60, 172_800_000],
  [3600, 5_184_000_000],
]

function top(db: Statements, ask: Questions['top']['ask']): Top {
  const level = levelFor(
    db,
    ask.site,
    ask,
    (spanMs) => FINEST_SPANS.find(([, longest]) => spanMs <= longest)?.[0] ?? 86_400,
  )
  const rows = db.all(
    `SELECT name, sum(count) AS count, sum(origin_ms) AS origin_ms, sum(tops.bytes) AS bytes
      FROM buckets CROSS JOIN tops ON bucket = seq AND dimension = ?
      WHERE level = ? AND site = ${SITE_ID} AND at >= ? AND at < ?
      GROUP BY name ORDER BY count DESC, name`,
    DIMENSIONS.indexOf(ask.dimension),
    level,
    ask.site,
    seconds(ask.fromMs) - level + 1,
    seconds(ask.toMs - 1) + 1,
  )
  const most = Math.min(ask.most, MOST_NAMES_ASKED)
  const all = rows.map((row) => ({
    name: text(row['name']),
    count: int(row['count']),
    originMs: int(row['origin_ms']),
    bytes: int(row['bytes']),
  }))
  const names = all.filter(({ name }) => name !== '').slice(0, most)
  const rest = { count: 0, originMs: 0, bytes: 0 }
  const named = new Set(names)
  for (const sums of all)
    if (!named.has(sums)) {
      rest.count += sums.count
      rest.originMs += sums.originMs
      rest.bytes += sums.bytes
    }
  return { level, names, rest }
}

function samples(db: Statements, ask: SamplesQuery): Sample[] {
  const { fromMs, toMs, site, action } = ask
  return db
    .all(
      `SELECT samples.*, sites.name AS site_name FROM samples JOIN sites ON sites.id = site
        WHERE at_ms >= ?1 AND at_ms < ?2 AND (?3 IS NULL OR sites.name = ?3) AND (?4 IS NULL OR action = ?4)
        ORDER BY seq LIMIT ?5`,
      fromMs,
      toMs,
      site ?? null,
      action ?? null,
      Math.min(ask.most ?? 1000, MOST_SAMPLES_ASKED),
    )
    .map(sampleOf)
}

function events(db: Statements, ask: EventsQuery): RecordedEvent[] {
  const { fromMs, toMs, kind, site } = ask
  return db
    .all(
      `SELECT * FROM events WHERE at_ms >= ?1 AND at_ms < ?2 AND (?3 IS NULL OR kind = ?3)
        AND (?4 IS NULL OR site = ?4) ORDER BY seq LIMIT ?5`,
      fromMs,
      toMs,
      kind ?? null,
      site ?? null,
      Math.min(ask.most ?? 1000, MOST_EVENTS_ASKED),
    )
    .map((row) => ({
      atMs: int(row['at_ms']),
      kind: text(row['kind']) as RecordedEvent['kind'],
      site: text(row['site']),
      data: JSON.parse(text(row['data'])) as unknown,
    }))
}

export function summarise(db: Statements, { nowMs }: { readonly nowMs: number }): RecordSummary {
  const { number, hash } = newestSegment(db)
  return {
    segments: number,
    head: hash,
    holds: holdsInForce(db, nowMs),
    levels: LEVELS.map((level) => {
      const row = db.get(
        'SELECT count(*) AS periods, min(at) AS first, max(at) AS last FROM buckets WHERE level = ?',
        level,
      )
      const periods = int(row?.['periods'])
      return {
        level,
        periods,
        fromMs: int(row?.['first']) * 1000,
        toMs: periods === 0 ? 0 : (int(row?.['last']) + level) * 1000,
      }
    }),
    samples: db.number('SELECT count(*) FROM samples'),
    events: db.number('SELECT count(*) FROM events'),
    removals: db.number('SELECT count(*) FROM removals'),
  }
}
