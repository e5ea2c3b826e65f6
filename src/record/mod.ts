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
export {
  openForReading,
  openForWriting,
  RECORD_FILE,
  StoreError,
} from './store/database.ts'
export { addHold, endHold, type HoldWish, holdsInForce, LONGEST_REASON, MOST_HOLDS } from './store/holds.ts'
export type { RecorderReport, WeighedExchange } from './store/open-period.ts'
export {
  type EventsQuery,
  type GaugePoint,
  type RecordSummary,
  type SamplesQuery,
  type Series,
  type SeriesQuery,
  summarise,
  type Top,
} from './store/queries.ts'
export { RecordQueryError, RecordReader } from './store/record-reader.ts'
export {
  DIMENSIONS,
  type Dimension,
  EVENT_KINDS,
  type EventKind,
  type Hold,
  LEVELS,
  type Level,
  type RecordedEvent,
  type RecorderStatus,
  type RecordSettings,
  type Sample,
} from './store/recorded.ts'
export { type Recordable, Recorder, type RecorderOptions } from './store/recorder.ts'
export { Statements } from './store/statements.ts'
export { type SegmentFault, type Verification, type VerifyOptions, verify } from './store/verify.ts'
export { RecordWriter, type WriterNews, type WriterOptions } from './store/writer.ts'
