export { type Applicant, type Claim, type Gate, LANES, type Lane, type Outcome, SHED_REASONS, type ShedReason, type Verdict } from './claim.ts'
