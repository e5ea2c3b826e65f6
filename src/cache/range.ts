/** Range (RFC 9110 §14.2): which bytes of a body are asked for. */

/** `to` is exclusive. */
export interface ByteRange {
  readonly from: number
  readonly to: number
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
