export { type Added, Eviction } from './eviction.ts'
export { type StoredResponse, storedBytes } from './stored-response.ts'
