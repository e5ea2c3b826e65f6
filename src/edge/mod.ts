export type { Edge, EdgeEvent, EdgeOptions } from './edge.ts'
