/**
 * The answer from a stored response: whole, "not modified", or a part (RFC 9111 §4.3.2, RFC 9110 §13, §14).
 *
 * The most frequent answer, whole and without conditions, needs none of this: `isPlain` says that a request
 * is for it, and the edge writes `stored.headIn(form)`, the Age and its own lines.
 */
import { randomUUID } from 'node:crypto'
import { type FieldLines, fieldList, fieldValue, type RequestHead, storeFieldsOf } from '#http'
import { type ByteRange, contentRange, rangesOf } from './range.ts'
import type { Stored } from './stored.ts'
import { ifRangeHolds, isNotModified } from './validator.ts'
import { codingsOf } from './vary.ts'

/** `fields` are complete but for what the connection needs; `body` is empty for HEAD and whatever has none. */
export interface Served {
  readonly status: number
  readonly fields: FieldLines
  readonly body: Uint8Array
}

/** The name of this cache in Cache-Status (RFC 9211). */
const CACHE_NAME = 'Digue'
const NOTHING = new Uint8Array(0)
/** Not to be guessed, so that no stored page can hold it. */
const BOUNDARY = `digue-${randomUUID()}`

/** Neither conditions nor ranges: the answer is the whole response. */
export function isPlain(request: RequestHead): boolean {
  if (request.method !== 'GET') return false
  const fields = storeFieldsOf(request)
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!
    switch (name.length) {
      // "range" and "if-none-match", "if-modified-since": no other name begins so and is as long.
      case 5:
        if ((name.charCodeAt(0) | 0x20) === 0x72 && name.toLowerCase() === 'range') return false
        break
      case 13:
      case 17:
        if ((name.charCodeAt(0) | 0x20) === 0x69 && (name.charCodeAt(1) | 0x20) === 0x66) return false
    }
  }
  return true
}

/** Answers `request` from `stored`. `status`: parameters of Cache-Status, such as "hit" or "fwd=stale; fwd-status=304". */
export function serve(
  stored: Stored,
  request: RequestHead,
  nowMs: number,
  how: { readonly status: string },
): Served {
  const fields = storeFieldsOf(request)
  const form = stored.formFor(codingsOf(fields))
  const own = ['Age', String(stored.ageS(nowMs)), 'Cache-Status', `${CACHE_NAME}; ${how.status}`]
  const { status } = stored.response
  if (status >= 200 && status < 300 && isNotModified(request, stored.validators)) {
    return {
      status: 304,
      fields: [...withoutNames(stored.fieldsIn(form), NOT_IN_304), ...own],
      body: NOTHING,
    }
  }
  const range =
    (status === 200 || status === 206) && request.method === 'GET' ? fieldValue(fields, 'range') : undefined
  if (range !== undefined && fieldList(fields, 'range') === range) {
    const part = servePart(stored, request, { range, own })
    if (part !== undefined) return part
  }
  const body = request.method === 'HEAD' || status === 204 ? NOTHING : stored.bodyIn(form)
  return { status, fields: [...stored.fieldsIn(form), ...own], body }
}

/** Says what the body is, and there is none (RFC 9110 §15.4.5). */
const NOT_IN_304: ReadonlySet<string> = new Set([
  'content-length',
  'content-type',
  'content-encoding',
  'content-language',
  'content-range',
  'content-md5',
  'content-digest',
  'repr-digest',
])
/** Stands in each part, or is made for it. */
const NOT_IN_206: ReadonlySet<string> = new Set([
  'content-length',
  'content-range',
  'content-md5',
  'content-digest',
])
const NOT_IN_MULTIPART: ReadonlySet<string> = new Set([...NOT_IN_206, 'content-type'])

/** 206 or 416; undefined when the whole is to be sent. Parts are of what the origin sent: a part of a compressed body serves nobody. */
function servePart(
  stored: Stored,
  request: RequestHead,
  { range, own }: { range: string; own: FieldLines },
): Served | undefined {
  const { body } = stored.response
  if (stored.part !== undefined) {
    const within = stored.within(range)
    return within && serveOne(stored, within, own)
  }
  const ifRange = fieldValue(storeFieldsOf(request), 'if-range')
  if (ifRange !== undefined && !ifRangeHolds(ifRange, stored.validators)) return undefined
  const ranges = rangesOf(range, body.byteLength)
  if (ranges === undefined) return undefined
  const length = body.byteLength
  if (ranges.length === 0) {
    const fields = ['Content-Range', `bytes */${length}`, 'Content-Length', '0', ...own]
    return { status: 416, fields, body: NOTHING }
  }
  if (ranges.length > 1) return serveParts(stored, ranges, own)
  return serveOne(stored, ranges[0]!, own)
}

function serveOne(stored: Stored, range: ByteRange, own: FieldLines): Served {
  const { from, to } = range
  const { body } = stored.response
  const { from: start, length } = stored.part ?? { from: 0, length: body.byteLength }
  const fields = [
    ...withoutNames(stored.fieldsIn('origin'), NOT_IN_206),
    'Content-Range',
    contentRange(range, length),
    'Content-Length',
    String(to - from),
    ...own,
  ]
  return { status: 206, fields, body: body.subarray(from - start, to - start) }
}

function serveParts(stored: Stored, ranges: readonly ByteRange[], own: FieldLines): Served {
  const { body, fields } = stored.response
  const type = fieldValue(fields, 'content-type')
  const chunks: Uint8Array[] = []
  for (const { from, to } of ranges) {
    const typeLine = type === undefined ? '' : `Content-Type: ${type}\r\n`
    const range = `Content-Range: bytes ${from}-${to - 1}/${body.byteLength}\r\n\r\n`
    chunks.push(Buffer.from(`\r\n--${BOUNDARY}\r\n${typeLine}${range}`, 'latin1'), body.subarray(from, to))
  }
  chunks.push(Buffer.from(`\r\n--${BOUNDARY}--\r\n`, 'latin1'))
  const parts = Buffer.concat(chunks)
  return {
    status: 206,
    fields: [
      ...withoutNames(stored.fieldsIn('origin'), NOT_IN_MULTIPART),
      'Content-Type',
      `multipart/byteranges; boundary=${BOUNDARY}`,
      'Content-Length',
      String(parts.byteLength),
      ...own,
    ],
    body: parts,
  }
}

function withoutNames(fields: FieldLines, names: ReadonlySet<string>): string[] {
  const kept: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    if (!names.has(fields[i]!.toLowerCase())) kept.push(fields[i]!, fields[i + 1]!)
  }
  return kept
}
