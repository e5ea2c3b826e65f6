export type { Edge, EdgeEvent, EdgeOptions } from './edge.ts'
export { EdgeError, startEdge } from './threads.ts'
