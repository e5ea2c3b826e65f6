/**
 * Parts of a body (RFC 9110 §14.4, §15.3.7): what of a stored part serves a request (RFC 9111 §3.3), and when
 * parts make a larger one, or the whole (§3.4).
 *
 *   stored      0 ▓▓▓▓▓▓▓▓▓▓▓░░░░░░ length        a client asks for the whole: the origin is asked for the
 *   asked for              ▓▓▓▓▓▓                 rest, with If-Range, so that it sends all when it has changed
 *
 * Bytes come together only under one strong entity tag, which no two representations share. Dates never do:
 * a page may change twice in the second that they can tell.
 */
import { type FieldLines, fieldValue, type RequestHead, type ResponseHead } from '#http'
import type { CacheRules, Times } from './freshness.ts'
import { type ByteRange, contentRange, partOf } from './range.ts'
import { storability } from './storable.ts'
import { Stored } from './stored.ts'
import type { StoredResponse } from './stored-response.ts'
import { merged } from './update.ts'
import { isWeak } from './validator.ts'
import { withoutPart } from './vary.ts'

/** Of one variant, beside each other: whoever asks for a file in a thousand pieces must not push pages out of the store. */
const MOST_PARTS = 8
/**
 * Of the joined bytes, so many must be new. Whoever asks for a file byte by byte would otherwise have all of it copied,
 * and written to disk, for each byte.
 */
const LEAST_GROWTH = 1 / 8
/** Of the whole, so much must be there before the rest is asked for: its client waits until that has come. */
const LEAST_HELD = 1 / 2

/** What to ask the origin with for the rest of what `stored` is a part of; undefined when it is not to be completed. */
export function completionOf(stored: Stored, objectBytes: number): FieldLines | undefined {
  const gap = gapOf(stored)
  if (gap === undefined || stored.part!.length! > objectBytes) return undefined
  const held = stored.response.body.byteLength
  if (held < LEAST_HELD * stored.part!.length!) return undefined
  const range = gap.from === 0 ? `bytes=0-${gap.to - 1}` : `bytes=${gap.from}-`
  return ['Range', range, 'If-Range', stored.validators.etag!]
}

/** What a part lacks; undefined when that is not one piece, or cannot be put to it. */
function gapOf(stored: Stored): ByteRange | undefined {
  const { part } = stored
  if (part?.length === undefined || !isJoinable(stored)) return undefined
  if (part.from === 0 && part.to < part.length) return { from: part.to, to: part.length }
  return part.from > 0 && part.to === part.length ? { from: 0, to: part.from } : undefined
}

/** Its bytes are what Content-Range says, under a strong entity tag. */
function isJoinable({ part, validators: { etag }, response: { body } }: Stored): boolean {
  return part !== undefined && etag !== undefined && !isWeak(etag) && body.byteLength === part.to - part.from
}

/** The whole that a part and the answer to `completionOf` make, but for its body; undefined when they do not fit. */
export function completed(
  stored: Stored,
  request: RequestHead,
  response: ResponseHead,
  how: { readonly times: Times; readonly rules: CacheRules },
): Omit<StoredResponse, 'body'> | undefined {
  const gap = gapOf(stored)
  const range = fieldValue(response.fields, 'content-range')
  const rest = range === undefined ? undefined : partOf(range)
  if (response.status !== 206 || gap === undefined || rest === undefined) return undefined
  if (rest.from !== gap.from || rest.to !== gap.to || rest.length !== stored.part!.length) return undefined
  if (!isOfOne(stored, response.fields)) return undefined
  const whole = { status: 200, fields: wholeFields(stored.response.fields, response.fields) }
  const may = storability(request, whole, how.times, how.rules)
  if (!may.store || may.purpose !== 'reuse') return undefined
  const { purpose, vary, variant, fields } = may
  return { key: stored.response.key, purpose, vary, variant, status: 200, fields, ...how.times }
}

/** The whole body, of a part and the bytes that came for the rest; undefined when there are not as many as were announced. */
export function completedBody(stored: Stored, rest: readonly Uint8Array[]): Uint8Array | undefined {
  const gap = gapOf(stored)!
  const body = new Uint8Array(new SharedArrayBuffer(stored.part!.length!))
  let at = gap.from
  for (const bytes of rest) {
    if (at + bytes.byteLength > gap.to) return undefined
    body.set(bytes, at)
    at += bytes.byteLength
  }
  if (at !== gap.to) return undefined
  body.set(stored.response.body, stored.part!.from)
  return body
}

/** Both are of one representation. */
function isOfOne({ validators, response }: Stored, fields: FieldLines): boolean {
  const isSame = (name: string) => fieldValue(fields, name) === fieldValue(response.fields, name)
  return fieldValue(fields, 'etag') === validators.etag && isSame('content-encoding') && isSame('vary')
}

function wholeFields(old: FieldLines, fresh: FieldLines): string[] {
  const fields: string[] = []
  const lines = merged(old, fresh)
  for (let i = 0; i < lines.length; i += 2)
    if (lines[i]!.toLowerCase() !== 'content-range') fields.push(lines[i]!, lines[i + 1]!)
  return fields
}

/**
 * A part that came, as it is to be stored beside `variants`, all that is there under its key: in place of one that it
 * touches, joined with it and whatever that touches, and then perhaps the whole; else by itself.
 */
export function placed(
  variants: readonly Stored[],
  added: StoredResponse,
  rules: CacheRules,
): StoredResponse {
  const variant = withoutPart(added.variant)
  const others = variants.filter(
    (one) => one.part !== undefined && withoutPart(one.response.variant) === variant,
  )
  let stored = new Stored(added, rules)
  for (let i = 0; i < others.length; i++) {
    const other = others[i]!
    const response = join(other, stored, rules.objectBytes)
    if (response === undefined) continue
    if (response.status === 200) return { ...response, variant }
    stored = new Stored({ ...response, variant: other.response.variant }, rules)
    // It may touch now what it did not touch before.
    others.splice(i, 1)
    i = -1
  }
  if (stored.response !== added || others.length < MOST_PARTS) return stored.response
  return { ...added, variant: leastOf(others, stored).response.variant }
}

/** The one to go: of another representation, which is of yesterday; else the oldest. */
function leastOf(parts: readonly Stored[], { validators }: Stored): Stored {
  const isOther = (one: Stored) => Number(one.validators.etag !== validators.etag)
  return parts.reduce((least, one) => {
    const order = isOther(one) - isOther(least) || least.response.receivedAtMs - one.response.receivedAtMs
    return order > 0 ? one : least
  })
}

/** Both as one, with the younger one's fields; undefined when they do not touch, or are not to be joined. */
function join(old: Stored, fresh: Stored, objectBytes: number): StoredResponse | undefined {
  if (!isJoinable(old) || !isJoinable(fresh) || !isOfOne(old, fresh.response.fields)) return undefined
  const a = old.part!
  const b = fresh.part!
  if (a.length !== b.length || a.to < b.from || b.to < a.from) return undefined
  const from = Math.min(a.from, b.from)
  const to = Math.max(a.to, b.to)
  const bytes = to - from
  const isWhole = bytes === a.length
  const held = Math.max(a.to - a.from, b.to - b.from)
  if (bytes > objectBytes || (held < bytes && !isWhole && bytes - held < LEAST_GROWTH * bytes))
    return undefined
  const fields = wholeFields(old.response.fields, fresh.response.fields)
  return {
    ...fresh.response,
    status: isWhole ? 200 : 206,
    fields: isWhole ? fields : [...fields, 'Content-Range', contentRange({ from, to }, a.length)],
    body: joinedBody(old, fresh, { from, to }),
  }
}

function joinedBody(old: Stored, fresh: Stored, { from, to }: ByteRange): Uint8Array {
  for (const { part, response } of [old, fresh])
    if (part!.from === from && part!.to === to) return response.body
  const body = new Uint8Array(new SharedArrayBuffer(to - from))
  for (const { part, response } of [old, fresh]) body.set(response.body, part!.from - from)
  return body
}
