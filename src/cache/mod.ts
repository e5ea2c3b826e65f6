export { type Added, Eviction } from './eviction.ts'
export { Flights } from './flights.ts'
export { LONGEST_TAG, MOST_TAGS, type Purge, type PurgeFaults, parsePurge, purges, tagsOf } from './purge.ts'
export { type StoredResponse, storedBytes } from './stored-response.ts'
