/**
 * Reads common, combined and vhost_combined lines (Apache, nginx, Traefik's CLF) from their bytes.
 *
 *     [www.example.org:443 ]203.0.113.7 - - [02/Jan/2026:15:04:05 +0000] "GET /a?b HTTP/1.1" 200 2326 "referer" "agent" …
 *
 * One walk over the bytes, no strings. What stands behind the user agent is up to the operator: a time is taken
 * from it only where it says what it is, `rt=0.123`, `request_time=0.123`, nginx's bare `0.123`, Traefik's `12ms`.
 */
import { FIELD, type LogLine } from './log-line.ts'
import { timeAt } from './log-time.ts'

const SPACE = 32
const QUOTE = 34
const DOT = 46
const COLON = 58
const BACKSLASH = 92
const LONGEST_METHOD = 32

const TOKEN = new Uint8Array(256)
for (const c of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
  TOKEN[c.charCodeAt(0)] = 1
const isDigit = (c: number | undefined) => c !== undefined && c >= 48 && c <= 57

/**
 * Fills `line` from data[start, end), which has no line end; false when it is in none of these formats. The client
 * is only known to look like an address.
 */
export function readCombined(data: Buffer, start: number, end: number, line: LogLine): boolean {
  // The shortest line there can be has more.
  if (end - start < 40) return false
  line.begin(data, 'backslash')
  let space = endOfWord(data, start, end)
  let from = start
  if (!looksLikeAddress(data, from, space)) {
    if (space === from) return false
    line.put(FIELD.host, from, withoutPort(data, from, space))
    from = space + 1
    space = endOfWord(data, from, end)
    if (!looksLikeAddress(data, from, space)) return false
  }
  // "203.0.113.7," begins a list of X-Forwarded-For.
  line.put(FIELD.client, from, data[space - 1] === 44 ? space - 1 : space)
  // Identity and user stand between; a user name may hold spaces and brackets but not this.
  let i = space
  while (i < end && !(data[i] === 91 && data[i + 3] === 47 && isDigit(data[i + 1]) && isDigit(data[i + 2])))
    i++
  if (end - i < 36 || data[i + 27] !== 93 || data[i + 28] !== SPACE || data[i + 29] !== QUOTE) return false
  line.atMs = timeAt(data, i + 1)
  if (Number.isNaN(line.atMs)) return false
  const requestEnd = endOfQuoted(data, i + 30, end)
  if (requestEnd < 0) return false
  cutRequest(data, i + 30, requestEnd, line)
  const rest = statusAndBytes(data, requestEnd + 1, end, line)
  if (rest < 0) return false
  if (rest >= end) return true
  if (data[rest] !== SPACE) return false
  if (data[rest + 1] !== QUOTE) return true
  const refererEnd = endOfQuoted(data, rest + 2, end)
  if (refererEnd < 0) return true
  line.putUnlessDash(FIELD.referer, rest + 2, refererEnd)
  if (data[refererEnd + 1] !== SPACE || data[refererEnd + 2] !== QUOTE) return true
  const agentEnd = endOfQuoted(data, refererEnd + 3, end)
  if (agentEnd < 0) return true
  line.putUnlessDash(FIELD.agent, refererEnd + 3, agentEnd)
  if (agentEnd + 1 < end) line.durationMs = durationIn(data, agentEnd + 1, end)
  return true
}

function endOfWord(data: Uint8Array, start: number, end: number): number {
  let i = start
  while (i < end && data[i] !== SPACE) i++
  return i
}

/** Without ":443"; of "[::1]:443" the brackets stay. */
function withoutPort(data: Uint8Array, start: number, end: number): number {
  let i = end
  while (i > start && isDigit(data[i - 1])) i--
  return i < end && end - i <= 5 && i - 1 > start && data[i - 1] === COLON ? i - 1 : end
}

/** Four groups of digits with dots, or hexadecimal digits with two colons or more; a comma may follow. */
export function looksLikeAddress(data: Uint8Array, start: number, endWithComma: number): boolean {
  const end = data[endWithComma - 1] === 44 ? endWithComma - 1 : endWithComma
  if (end - start < 2 || end - start > 45) return false
  let dots = 0
  let colons = 0
  let letters = 0
  for (let i = start; i < end; i++) {
    const c = data[i]!
    if (c === DOT) dots++
    else if (c === COLON) colons++
    else if ((c >= 97 && c <= 102) || (c >= 65 && c <= 70)) letters++
    else if (c < 48 || c > 57) return false
  }
  return colons === 0 ? dots === 3 && letters === 0 : colons >= 2
}

/** Index of the quote that ends a field begun before `at`; -1 when none does. */
export function endOfQuoted(data: Uint8Array, at: number, end: number): number {
  for (let i = at; i < end; i++) {
    const c = data[i]
    if (c === QUOTE) return i
    if (c === BACKSLASH) i++
  }
  return -1
}

/** Cut before escapes are undone: an escaped space is part of its word. Leaves all three absent when it is no request. */
export function cutRequest(data: Uint8Array, start: number, end: number, line: LogLine): void {
  let methodEnd = start
  while (methodEnd < end && TOKEN[data[methodEnd]!] === 1) methodEnd++
  if (methodEnd === start || methodEnd - start > LONGEST_METHOD || data[methodEnd] !== SPACE) return
  let targetEnd = end
  // " HTTP/1.1" or " HTTP/2"
  for (const length of [9, 7]) {
    const at = end - length
    if (at <= methodEnd + 1 || data[at] !== SPACE || !saysHttp(data, at + 1) || !isDigit(data[at + 6]))
      continue
    if (length === 9 && (data[at + 7] !== DOT || !isDigit(data[at + 8]))) continue
    targetEnd = at
    line.put(FIELD.version, at + 6, end)
    break
  }
  if (targetEnd === methodEnd + 1) return
  line.put(FIELD.method, start, methodEnd)
  line.put(FIELD.target, methodEnd + 1, targetEnd)
}

function saysHttp(data: Uint8Array, at: number): boolean {
  return (
    data[at] === 72 &&
    data[at + 1] === 84 &&
    data[at + 2] === 84 &&
    data[at + 3] === 80 &&
    data[at + 4] === 47
  )
}

/** " 200 2326": the index behind it, -1 when it is not there. */
function statusAndBytes(data: Uint8Array, at: number, end: number, line: LogLine): number {
  if (data[at] !== SPACE) return -1
  let i = at + 1
  if (data[i] === 45) i++
  else {
    for (const last = i + 3; i < last; i++) {
      if (i >= end || !isDigit(data[i])) return -1
      line.status = line.status * 10 + data[i]! - 48
    }
  }
  if (i >= end || data[i] !== SPACE) return -1
  i++
  if (data[i] === 45) return i + 1
  const first = i
  for (; i < end && isDigit(data[i]); i++) line.bytes = line.bytes * 10 + data[i]! - 48
  return i === first || i - first > 16 || (i < end && data[i] !== SPACE) ? -1 : i
}

const NAMED = [Buffer.from('rt='), Buffer.from('request_time=')]

/** Milliseconds, from what stands behind the user agent; -1 when nothing there says that it is a time. */
function durationIn(data: Uint8Array, start: number, end: number): number {
  for (let i = start; i < end; ) {
    while (i < end && data[i] === SPACE) i++
    if (data[i] === QUOTE) {
      const close = endOfQuoted(data, i + 1, end)
      if (close < 0) return -1
      i = close + 1
      continue
    }
    const wordEnd = endOfWord(data, i, end)
    const name = NAMED.find((n) => wordEnd - i > n.length && n.every((c, k) => data[i + k] === c))
    const value = durationOf(data, i + (name?.length ?? 0), wordEnd, name !== undefined)
    if (value >= 0) return value
    i = wordEnd
  }
  return -1
}

/** "0.123" in seconds with three digits (any number of them when it is `named`), "12ms"; -1 for anything else. */
function durationOf(data: Uint8Array, start: number, end: number, named: boolean): number {
  const isMs = end - start > 2 && data[end - 2] === 109 && data[end - 1] === 115
  const last = isMs ? end - 2 : end
  if (last - start > 12) return -1
  let value = 0
  let dot = -1
  for (let i = start; i < last; i++) {
    if (data[i] === DOT && dot < 0 && i > start) dot = i
    else if (isDigit(data[i])) value = value * 10 + data[i]! - 48
    else return -1
  }
  if (last === start) return -1
  const decimals = dot < 0 ? 0 : last - dot - 1
  if (isMs) return value / 10 ** decimals
  return named || decimals === 3 ? (value / 10 ** decimals) * 1000 : -1
}
