export type { Edge, EdgeEvent, EdgeOptions } from './edge.ts'
export { EdgeError, startEdge } from './threads.ts'
export { selfSigned } from './listen/self-signed.ts'
