export { NO_HOST, Replay, type ReplayCounters, type ReplayOptions } from './replay.ts'
