/** What the record's benches and its victims are fed. */
import type { ExchangeRecord, RecorderReport, RecordSettings } from '#record'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
export const BEGIN_MS = Date.UTC(2026, 5, 1, 12)
export const ADDRESS_KEY = new Uint8Array(32).fill(7)
export const SITE = 'www.example.org'
export const REQUESTS_PER_SECOND = 7

/** As the configuration has them by default. */
export const SETTINGS: RecordSettings = {
  bytes: 1e9,
  keepMs: { 10: 12 * HOUR_MS, 60: 14 * DAY_MS, 3600: 400 * DAY_MS, 86400: 3650 * DAY_MS },
  samplesMs: 30 * DAY_MS,
  addressesMs: 30 * DAY_MS,
  addressesBecome: 'hashed',
}

const AGENTS = [
  'curl/8.5.0',
  'python-requests/2.31',
  'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101',
]

export function exchangeOf(i: number, values: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return {
    atMs: BEGIN_MS,
    ray: `1f2e3d4c0-${i.toString(36)}`,
    site: SITE,
    client: `198.51.${(i >> 8) & 255}.${i & 255}`,
    asn: 64_496 + (i % 700),
    method: 'GET',
    target: `/search/${i % 300}?q=${i}&page=${i % 7}`,
    version: '1.1',
    userAgent: AGENTS[i % 3]!,
    referer: '',
    action: 'shed',
    reason: 'queue-full',
    lane: 'unproven',
    ja4: 't13d1516h2_8daaf6152771_02713d6af862',
    status: 503,
    bytes: 640,
    durationMs: 1,
    originMs: 0,
    ...values,
  }
}

/** One second of the victims' traffic. */
export function reportOf(serial: number): RecorderReport {
  return {
    sites: {
      [SITE]: {
        tallies: [
          { lane: 'unproven', action: 'shed', reason: 'queue-full', count: REQUESTS_PER_SECOND, originMs: 0 },
        ],
        queueDelayMs: 2,
        queueDelayMaxMs: 5,
        waiting: 1,
        longLived: 0,
        latency: [0, REQUESTS_PER_SECOND],
        gauges: { inFlight: 1, limit: 20, waiting: 1, longLived: 0 },
        clients: new Uint32Array([Math.imul(serial, 0x9e3779b1) >>> 0]),
        hasAllClients: true,
      },
    },
    exchanges: [
      { record: exchangeOf(serial), route: `GET /search/{n}?`, weight: REQUESTS_PER_SECOND },
      {
        record: exchangeOf(serial + 1, { action: 'refuse', status: 403 }),
        route: `GET /x${serial}`,
        weight: 1,
      },
    ],
  }
}
