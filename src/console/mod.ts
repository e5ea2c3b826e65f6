export { CommandError, sendCommand } from './client.ts'
export { type CommandSocket, openCommandSocket, SocketInUseError } from './command-socket.ts'
export type {
  CacheReport,
  CacheSiteStatus,
  CacheStatus,
  Commands,
  Diagnosis,
  SiteStatus,
  Status,
} from './commands.ts'
export { LiveFigures, type SiteFigures } from './live-figures.ts'
export { Metrics, type SiteGauges } from './metrics.ts'
export { type MetricsPort, openMetricsPort } from './metrics-port.ts'
export { type RuleStatus, RuleTotals } from './rule-totals.ts'
export { SampleDesk, type Samples } from './samples.ts'
