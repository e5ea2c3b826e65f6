export { type AccessLogOptions, type AccessLogSummary, readAccessLog } from './access-log-reader.ts'
export { formatCombined, type LoggedRequest, loggedRequest, parseCombined } from './combined-log.ts'
export {
  ACTIONS,
  type Action,
  type ExchangeRecord,
  LATENCY_BUCKETS_MS,
  type RequestLook,
} from './exchange-record.ts'
export { FIELD, type Field, LogLine } from './log-line.ts'
export { type MergeOptions, mergeLogs } from './log-merge.ts'
export { type BadLine, LOG_FORMATS, type LogFormat, LogReader, type LogReaderOptions } from './log-reader.ts'
export { looksSorted, type SortedLog, sortLog } from './log-sort.ts'
export { PackedLogError } from './log-source.ts'
export { LocalTimes } from './log-time.ts'
