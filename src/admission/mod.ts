export {
  Baseline,
  type BaselineOptions,
  type BaselineState,
  LogBaseline,
  type LoggedUse,
} from './baseline.ts'
export {
  type Applicant,
  type Claim,
  type Gate,
  LANES,
  type Lane,
  type Outcome,
  SHED_REASONS,
  type ShedReason,
  type Verdict,
} from './claim.ts'
export {
  type Entry,
  FairQueue,
  type FairQueueOptions,
  LANE_SHARES,
  MARKED_WEIGHT,
  type Payer,
} from './fair-queue.ts'
export {
  GradientLimit,
  type GradientLimitOptions,
  type LimitState,
  type LimitWindow,
} from './gradient-limit.ts'
export { Hammering, type HammeringOptions, type HammeringState } from './hammering.ts'
export { type RouteCostRows, RouteCosts } from './route-costs.ts'
export { type CapacityMemory, type CapacityState, SharedCapacity } from './shared-capacity.ts'
export { type CalmUse, createGate, type GateOptions, type GateReport, SiteGate } from './site-gate.ts'
export { FLAT_WEIGHTS, type WeightMemory, type Weights, WeightTable } from './weights.ts'
