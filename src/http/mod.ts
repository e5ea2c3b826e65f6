export type { FieldLines, HttpVersion, RequestHead, ResponseHead } from './message.ts'
