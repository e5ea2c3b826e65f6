/** May a shared cache store a response? Only the certain no is answered here (RFC 9111 §3). */
import { fieldList, fieldValue, listHas } from './fields.ts'
import type { FieldLines } from './message.ts'

/** Fields by which an origin tells caches in front of it something else than Cache-Control says. */
const TARGETED = ['cdn-cache-control', 'surrogate-control', 'cloudflare-cdn-cache-control'] as const

/**
 * True when Cache-Control forbids every shared cache to store the response (`no-store`, or `private`
 * without a list of fields), and no targeted field (RFC 9213) says otherwise.
 */
export function isKeptFromSharedCaches(fields: FieldLines): boolean {
  const control = fieldList(fields, 'cache-control')
  if (control === undefined || !(listHas(control, 'no-store') || listHas(control, 'private'))) return false
  return !TARGETED.some((name) => fieldValue(fields, name) !== undefined)
}
