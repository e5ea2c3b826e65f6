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
export { type Entry, FairQueue, type FairQueueOptions, LANE_SHARES, type Payer } from './fair-queue.ts'
export { Hammering, type HammeringOptions, type HammeringState } from './hammering.ts'
export { FLAT_WEIGHTS, type WeightMemory, type Weights, WeightTable } from './weights.ts'
