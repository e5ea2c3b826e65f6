export { reportHtml } from './html.ts'
export {
  beginsLearned,
  LARGEST_LEARNED,
  LEARNED_TRAITS,
  type Learned,
  LearnedError,
  type LearnedSite,
  Learner,
  parseLearned,
} from './learned.ts'
export type { LogClient } from './log-words.ts'
export { NO_HOST, Replay, type ReplayCounters, type ReplayOptions } from './replay.ts'
export type { FileFigures, IncidentFigures, ReplayReport, SiteFigures } from './report.ts'
export { type ReportOptions, reportOf } from './report-of.ts'
export type { OnCalm } from './site-replay.ts'
export { reportText } from './text.ts'
