export { CHUNKED_MALFORMED, CHUNKED_MORE, ChunkedScanner, type ChunkSink } from './chunked.ts'
export {
  endToEndFields,
  equalsIgnoringCase,
  fieldList,
  fieldsNamed,
  fieldValue,
  isHopByHop,
  listHas,
  storeFieldsOf,
  upgradeProtocol,
  without,
} from './fields.ts'
export { isForwardingField } from './forwarded.ts'
export { FAULTS, type Fault, parseHost, parseLength, readRequest, readRequestH2 } from './framing.ts'
export type { FieldLines, HttpVersion, RequestHead, ResponseHead } from './message.ts'
export { PROBLEM_TYPE, type Problem, problemBody } from './problem.ts'
export { ELSEWHERE, FastRequestHead, INCOMPLETE, parseRequestHead } from './request-head.ts'
export {
  type BodyFraming,
  OriginHead,
  parseResponseHead,
  RESPONSE_FAULTS,
  type ResponseFault,
} from './response-head.ts'
export { isKeptFromSharedCaches } from './shared-caches.ts'
