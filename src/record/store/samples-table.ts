/** Samples of exchanges: the table samples. */
import type { Sample } from './recorded.ts'
import { int, type Row, type Statements, text, whole } from './statements.ts'

/** Of one site and action in ten seconds. */
export const SAMPLE_SLOTS = 20
/** Those that stay when samples are thinned. */
export const FIRST_SLOTS = 4

/** Longest texts, in UTF-16 units; what is longer is cut. */
const TEXT_BOUNDS = { word: 64, long: 512, site: 253 } as const

/** Cuts to the bound; half a surrogate pair, which UTF-8 cannot say, becomes U+FFFD. */
export const bounded = (value: string, kind: keyof typeof TEXT_BOUNDS): string =>
  value.slice(0, TEXT_BOUNDS[kind]).toWellFormed()

const INSERT = `INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

export function insertSample(
  db: Statements,
  place: { readonly seq: number; readonly segment: number; readonly slot: number; readonly site: number },
  sample: Sample,
): void {
  db.run(
    INSERT,
    place.seq,
    place.segment,
    place.slot,
    whole(sample.atMs),
    place.site,
    bounded(sample.ray, 'word'),
    sample.action,
    bounded(sample.reason, 'word'),
    bounded(sample.lane, 'word'),
    whole(sample.asn),
    bounded(sample.prefix, 'word'),
    bounded(sample.method, 'word'),
    bounded(sample.path, 'long'),
    bounded(sample.route, 'long'),
    bounded(sample.version, 'word'),
    bounded(sample.userAgent, 'long'),
    bounded(sample.ja4, 'word'),
    whole(sample.status),
    whole(sample.bytes),
    whole(sample.durationMs),
    whole(sample.originMs),
    bounded(sample.signature, 'word'),
    bounded(sample.rule, 'word'),
    bounded(sample.list, 'word'),
    whole(sample.weight),
    sample.mark,
    bounded(sample.client ?? '', 'word'),
    bounded(sample.query ?? '', 'long'),
    bounded(sample.referer ?? '', 'long'),
  )
}

export function sampleOf(row: Row): Sample {
  const kept = (name: string) => (row[name] === null ? undefined : text(row[name]))
  return {
    atMs: int(row['at_ms']),
    site: text(row['site_name']),
    ray: text(row['ray']),
    action: text(row['action']) as Sample['action'],
    reason: text(row['reason']),
    lane: text(row['lane']),
    asn: int(row['asn']),
    prefix: text(row['prefix']),
    method: text(row['method']),
    path: text(row['path']),
    route: text(row['route']),
    version: text(row['version']),
    userAgent: text(row['user_agent']),
    ja4: text(row['ja4']),
    status: int(row['status']),
    bytes: int(row['bytes']),
    durationMs: int(row['duration_ms']),
    originMs: int(row['origin_ms']),
    signature: text(row['signature']),
    rule: text(row['rule']),
    list: text(row['list']),
    weight: int(row['weight']),
    mark: text(row['mark']),
    client: kept('client'),
    query: kept('query'),
    referer: kept('referer'),
  }
}
