export { type StoredResponse, storedBytes } from './stored-response.ts'
