/** Range and Content-Range (RFC 9110 §14.2, §14.4): which bytes of a body are asked for, and which came. */

/** `to` is exclusive. */
export interface ByteRange {
  readonly from: number
  readonly to: number
}

/** What Content-Range says: these bytes, of `length` in all; undefined: not known. */
export interface Part extends ByteRange {
  readonly length: number | undefined
}

/** More parts cost more than the body they are parts of. */
const MOST_RANGES = 16
const MOST_CHARACTERS = 512

/**
 * The satisfiable ranges in order, an empty list when none is; undefined when the field is to be ignored:
 * another unit, malformed, or ranges that are together more than the whole (§14.2 allows that).
 */
export function rangesOf(value: string, length: number): readonly ByteRange[] | undefined {
  if (length === 0 || value.length > MOST_CHARACTERS || !/^bytes=/i.test(value)) return undefined
  const ranges: ByteRange[] = []
  const specs = value.slice('bytes='.length).split(',')
  let total = 0
  let count = 0
  for (const spec of specs) {
    const text = spec.replace(/^[ \t]+|[ \t]+$/g, '')
    // Empty members of a list are nothing (§5.6.1).
    if (text === '') continue
    const parts = /^(\d{0,15})-(\d{0,15})$/.exec(text)
    if (parts === null || ++count > MOST_RANGES) return undefined
    const [, first, last] = parts
    let from: number
    let to = length
    if (first === '') {
      if (last === '') return undefined
      from = Math.max(0, length - Number(last))
    } else {
      from = Number(first)
      if (last !== '') {
        if (Number(last) < from) return undefined
        to = Math.min(length, Number(last) + 1)
      }
    }
    if (from >= to) continue
    total += to - from
    ranges.push({ from, to })
  }
  if (count === 0 || total > length) return undefined
  return ranges
}

/** Of one part; undefined for what is no valid Content-Range of bytes. */
export function partOf(contentRange: string): Part | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(contentRange)
  if (match === null) return undefined
  const from = Number(match[1])
  const to = Number(match[2]) + 1
  const length = match[3] === '*' ? undefined : Number(match[3])
  return from >= to || (length !== undefined && to > length) ? undefined : { from, to, length }
}

export function contentRange({ from, to }: ByteRange, length: number | undefined): string {
  return `bytes ${from}-${to - 1}/${length ?? '*'}`
}

/**
 * The bytes of a stored part that answer Range; undefined when some of them are not in it, or several ranges are asked
 * for. Origins send less than they say now and then: then it is what there is (RFC 9110 §14.2 lets a server send less
 * than was asked for), as long as it is something.
 */
export function rangeWithin(part: Part, heldBytes: number, range: string): ByteRange | undefined {
  const asked = askedFor(range, part.length)
  if (asked === undefined || asked.from < part.from || asked.to > part.to) return undefined
  const to = Math.min(asked.to, part.from + heldBytes)
  return asked.from < to ? { from: asked.from, to } : undefined
}

function askedFor(range: string, length: number | undefined): ByteRange | undefined {
  if (length !== undefined) {
    const ranges = rangesOf(range, length)
    return ranges?.length === 1 ? ranges[0] : undefined
  }
  const match = /^bytes=(\d{1,15})-(\d{1,15})$/i.exec(range)
  return match === null ? undefined : { from: Number(match[1]), to: Number(match[2]) + 1 }
}
