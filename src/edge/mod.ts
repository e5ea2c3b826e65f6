export type { Edge, EdgeEvent, EdgeOptions } from './edge.ts'
export { selfSigned } from './listen/self-signed.ts'
export { EdgeError, startEdge } from './threads.ts'
