/** Validators (RFC 9110 §8.8) and what is asked with them (§13). */
import { type FieldLines, fieldList, fieldValue, type RequestHead, storeFieldsOf } from '#http'
import { parseHttpDate } from './http-date.ts'

/** A conditional field with more is read as far as this. */
const MOST_TAGS = 128

/** An entity tag without "W/"; what is no tag by the grammar is compared as it stands. */
export function opaque(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag
}

export function isWeak(tag: string): boolean {
  return tag.startsWith('W/')
}

/** If-None-Match's comparison (§8.8.3.2): weak, any of the list, or "*" for whatever there is. */
export function noneMatchHolds(list: string, tag: string | undefined): boolean {
  if (list.trim() === '*') return true
  if (tag === undefined) return false
  const wanted = opaque(tag)
  // Tags hold commas now and then, so the list is not split at them.
  let count = 0
  for (let at = 0; at < list.length && count < MOST_TAGS; count++) {
    while (at < list.length && (list[at] === ',' || list[at] === ' ' || list[at] === '\t')) at++
    const start = at
    if (list.startsWith('W/"', at)) at += 2
    if (list[at] === '"') {
      const end = list.indexOf('"', at + 1)
      at = end === -1 ? list.length : end + 1
    } else {
      const end = list.indexOf(',', at)
      at = end === -1 ? list.length : end
    }
    if (start < at && opaque(list.slice(start, at).trim()) === wanted) return true
  }
  return false
}

/** What of a stored response conditions are compared with. */
export interface Validators {
  readonly etag: string | undefined
  /** As it was sent; undefined when it is no date. */
  readonly lastModified: string | undefined
  readonly lastModifiedMs: number | undefined
  /** When it was made. */
  readonly dateMs: number
}

export function validatorsOf(fields: FieldLines, dateMs: number): Validators {
  const lastModified = fieldValue(fields, 'last-modified')
  const lastModifiedMs = lastModified === undefined ? undefined : parseHttpDate(lastModified, dateMs)
  const etag = fieldValue(fields, 'etag')
  return {
    etag: etag === '' ? undefined : etag,
    lastModified: lastModifiedMs === undefined ? undefined : lastModified,
    lastModifiedMs,
    dateMs,
  }
}

/** Fields to ask the origin with whether it still holds (RFC 9111 §4.3.1). */
export function conditionsOf({ etag, lastModified }: Validators): FieldLines {
  const fields: string[] = []
  if (etag !== undefined) fields.push('If-None-Match', etag)
  if (lastModified !== undefined) fields.push('If-Modified-Since', lastModified)
  return fields
}

/**
 * The client has what is stored (RFC 9111 §4.3.2): the answer to its conditions is 304. If-Modified-Since
 * counts only without If-None-Match, and is held against Date where there is no Last-Modified.
 */
export function isNotModified(request: RequestHead, { etag, lastModifiedMs, dateMs }: Validators): boolean {
  const fields = storeFieldsOf(request)
  const noneMatch = fieldList(fields, 'if-none-match')
  if (noneMatch !== undefined) return noneMatchHolds(noneMatch, etag)
  const since = fieldValue(fields, 'if-modified-since')
  if (since === undefined) return false
  const sinceMs = parseHttpDate(since, dateMs)
  return sinceMs !== undefined && (lastModifiedMs ?? dateMs) <= sinceMs
}

/** If-Range holds (RFC 9110 §13.1.5): the strong comparison, or exactly the date of a Last-Modified that is strong. */
export function ifRangeHolds(value: string, { etag, lastModifiedMs, dateMs }: Validators): boolean {
  if (value.startsWith('"')) return value === etag
  const askedMs = parseHttpDate(value, dateMs)
  // A page may change twice within the second that Last-Modified can tell (§8.8.2.2).
  return askedMs !== undefined && askedMs === lastModifiedMs && dateMs - askedMs >= 1000
}
