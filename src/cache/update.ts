/** What a 304, or the answer to a HEAD, says about what is stored (RFC 9111 §3.2, §4.3.4, §4.3.5). */
import { type FieldLines, fieldValue, type ResponseHead } from '#http'
import { policyOf, type Times } from './freshness.ts'
import { parseHttpDate } from './http-date.ts'
import { setsOwnCookie, storedFields } from './storable.ts'
import type { Stored } from './stored.ts'
import type { StoredResponse } from './stored-response.ts'
import { opaque } from './validator.ts'

/**
 * What was stored, brought up to date: to be used in its place. undefined when the answer is not about it,
 * and what is stored should be used no more.
 */
export function refresh(stored: Stored, response: ResponseHead, times: Times): StoredResponse | undefined {
  const isSame = response.status === 304 ? isConfirmed(stored, response) : isDescribed(stored, response)
  if (!isSame) return undefined
  const { requestedAtMs, receivedAtMs } = times
  return {
    ...stored.response,
    fields: merged(stored.response.fields, response.fields),
    requestedAtMs,
    receivedAtMs,
  }
}

/**
 * A 304 to the conditions that were made of this one. §4.3.4 would not let a 304 with another strong
 * validator update it. Where only the entity tag differs the origin contradicts itself (it has just matched
 * ours; Apache's mod_deflate did so for years), and ours stays; where it also names a later change, it means
 * something else.
 */
function isConfirmed({ validators }: Stored, { fields }: ResponseHead): boolean {
  const etag = fieldValue(fields, 'etag')
  if (etag === undefined || validators.etag === undefined || opaque(etag) === opaque(validators.etag))
    return true
  const modified = fieldValue(fields, 'last-modified')
  return modified === undefined || modified === validators.lastModified
}

/** The answer to a HEAD has the same validators and length, so it describes what is stored (§4.3.5). */
function isDescribed({ response, validators }: Stored, { status, fields }: ResponseHead): boolean {
  if (status !== response.status || fieldValue(fields, 'etag') !== validators.etag) return false
  const modified = fieldValue(fields, 'last-modified')
  const modifiedMs = modified === undefined ? undefined : parseHttpDate(modified, validators.dateMs)
  if (modifiedMs !== validators.lastModifiedMs) return false
  const length = fieldValue(fields, 'content-length')
  return length === undefined || Number(length) === response.body.byteLength
}

/** About the stored body, or what it is found by: an answer without a body has no say in it (§3.2). */
const KEPT: ReadonlySet<string> = new Set([
  'content-encoding',
  'content-range',
  'content-length',
  'content-md5',
  'content-digest',
  'repr-digest',
  'etag',
  'vary',
])

/** Field lines of what is stored, brought up to date (§3.2). */
export function merged(old: FieldLines, fresh: FieldLines): string[] {
  const lines = storedFields(fresh, policyOf(fresh).directives)
  // Age and Date are of one message; the old ones would make the new one old.
  const replaced = new Set(['age', 'date'])
  const added: string[] = []
  const setsCookie = setsOwnCookie(lines)
  for (let i = 0; i < lines.length; i += 2) {
    const lower = lines[i]!.toLowerCase()
    if (KEPT.has(lower) || (setsCookie && lower === 'set-cookie')) continue
    replaced.add(lower)
    added.push(lines[i]!, lines[i + 1]!)
  }
  const kept: string[] = []
  for (let i = 0; i < old.length; i += 2) {
    if (!replaced.has(old[i]!.toLowerCase())) kept.push(old[i]!, old[i + 1]!)
  }
  return [...kept, ...added]
}
