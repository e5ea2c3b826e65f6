export { type CalmShare, type Decision, type EdgeReport, LATENCY_BUCKETS_MS, type Policy, POSTURES, type Posture, type SiteReport } from './policy.ts'
