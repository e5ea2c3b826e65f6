/**
 * The set of keys of a query, such as `page,q`: sorted, without their values, at most eight.
 *
 * Whoever puts a drawn key into each request (`?x83jd=1`, against caches) would make a value per request: keys
 * that look drawn are `{x}`, those of digits `{n}`, as in a route class.
 */
import { looksDrawn } from './random-text.ts'

const MOST_KEYS = 8
const LONGEST_KEY = 24
/** What is beyond is not looked at. */
const LONGEST_QUERY = 2048
const MOST_LOOKED_AT = 64

/** '' for a target without a query; `-` for an empty one. */
export function queryKeysOf(target: string): string {
  const start = target.indexOf('?') + 1
  if (start === 0) return ''
  const end = Math.min(target.length, start + LONGEST_QUERY)
  const keys: string[] = []
  let from = start
  let equals = -1
  let looked = 0
  for (let i = start; i <= end; i++) {
    const c = i < end ? target.charCodeAt(i) : 0x26
    if (c === 0x3d && equals === -1) equals = i
    if (c !== 0x26) continue
    const keyEnd = equals === -1 ? i : equals
    if (keyEnd > from) {
      const key = foldedKey(target, from, keyEnd)
      if (!keys.includes(key)) {
        if (keys.length === MOST_KEYS) {
          keys.push('…')
          break
        }
        keys.push(key)
      }
      if (++looked === MOST_LOOKED_AT) break
    }
    from = i + 1
    equals = -1
  }
  if (keys.length === 0) return '-'
  return keys.length === 1 ? keys[0]! : keys.sort().join(',')
}

function foldedKey(target: string, from: number, to: number): string {
  if (to - from > LONGEST_KEY * 3) return '{x}'
  let key = target.slice(from, to)
  // filter%5Bname%5D and rows[17] are what forms send for lists.
  if (key.includes('%5')) key = key.replace(/%5B/gi, '[').replace(/%5D/gi, ']')
  if (key.includes('[')) key = key.replace(/\[\d{1,6}\]/g, '[]')
  if (key.length > LONGEST_KEY) return '{x}'
  if (isDigits(key)) return '{n}'
  return isPlain(key) && !looksDrawn(key) ? key : '{x}'
}

function isDigits(key: string): boolean {
  for (let i = 0; i < key.length; i++) {
    const c = key.charCodeAt(i)
    if (c < 48 || c > 57) return false
  }
  return true
}

/** Letters, digits, and `$ - . : [ ] _`. */
function isPlain(key: string): boolean {
  for (let i = 0; i < key.length; i++) {
    const c = key.charCodeAt(i)
    const isWord = (c >= 48 && c <= 58) || (c >= 97 && c <= 122) || (c >= 65 && c <= 91)
    if (!isWord && c !== 0x24 && c !== 0x2d && c !== 0x2e && c !== 0x5d && c !== 0x5f) return false
  }
  return true
}
