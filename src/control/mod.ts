export { Brain, type BrainOptions, type BrainState } from './brain.ts'
export type { DangerousDate } from './calendar.ts'
export { type DecisionWish, MAX_DECISIONS, TooManyDecisionsError } from './decision-list.ts'
export { type Master, readMaster } from './key-file.ts'
export {
  type CalmShare,
  type Decision,
  type EdgeReport,
  LATENCY_BUCKETS_MS,
  POSTURES,
  type Policy,
  type Posture,
  type RuleTally,
  type SignatureTally,
  type SiteReport,
  type TraitSample,
} from './policy.ts'
export { PostureMachine, type TickFigures } from './posture.ts'
export { LEAST_CALM_CLIENTS } from './signatures/baseline-view.ts'
export { SIGNATURE_EXPORTS, type SignatureExport } from './signatures/exports/formats.ts'
export {
  type Forbidden,
  type HeldBack,
  type PublishedSignature,
  SignatureBook,
  type SignatureChange,
  type SignaturesStatus,
  type SignaturesSummary,
  type SignatureWish,
  SignatureWishError,
  type SiteSignaturesStatus,
} from './signatures/signature-book.ts'
export { type CalmSample, TraitBaseline, type TraitBaselineState } from './signatures/trait-baseline.ts'
export { StateFile } from './state-file.ts'
export type { BrainStatus, SiteStatus, SourceNetwork } from './status.ts'
export type { MinuteFigures, SiteTotals, Total } from './totals.ts'
