export { type AccessLogOptions, type AccessLogSummary, readAccessLog } from './access-log-reader.ts'
export { formatCombined, type LoggedRequest, parseCombined } from './combined-log.ts'
export { ACTIONS, type Action, type ExchangeRecord, LATENCY_BUCKETS_MS } from './exchange-record.ts'
