/**
 * Reads HAProxy's HTTP log ("option httplog", its configuration manual section 8.2.3) from its bytes.
 *
 *     Feb  6 12:14:14 lb haproxy[14389]: 192.0.2.7:33317 [06/Feb/2026:12:14:14.655] http-in~ static/srv1
 *       10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {www.example.org|agent} {} "GET /index.html HTTP/1.1"
 *
 * Whatever syslog put before the client is passed over. The time is that of accepting, on the balancer's clock,
 * without a zone. Captured headers have no names in the log: what looks like a host, a user agent, a referrer or a
 * language is taken for it, from the first pair of braces.
 */
import { cutRequest, looksLikeAddress } from './combined-log-line.ts'
import { FIELD, type Field, type LogLine } from './log-line.ts'
import { clockAt, type LocalTimes } from './log-time.ts'

const SPACE = 32
const QUOTE = 34
const SLASH = 47
const COLON = 58
const PIPE = 124
const isDigit = (c: number | undefined) => c !== undefined && c >= 48 && c <= 57
/** Syslog's prefix and the client; then the time begins. */
const LONGEST_PREFIX = 512

export function readHaproxy(
  data: Buffer,
  start: number,
  end: number,
  line: LogLine,
  times: LocalTimes,
): boolean {
  if (end - start < 60) return false
  line.begin(data, 'hash')
  const open = openingOfTime(data, start, Math.min(end - 27, start + LONGEST_PREFIX))
  if (open < 0) return false
  const clock = clockAt(data, open + 1)
  const ms = threeDigits(data, open + 22)
  if (Number.isNaN(clock) || ms < 0) return false
  line.atMs = times.instant(clock) + ms
  if (!client(data, start, open - 1, line)) return false

  // frontend, backend/server, timers, status, bytes, two cookies, state, connections, queues
  if (data[open + 26] !== SPACE) return false
  let at = open + 27
  for (let word = 0; word < 10; word++) {
    const from = at
    while (at < end && data[at] !== SPACE) at++
    if (at === from || at >= end) return false
    if (word === 2 && !timers(data, from, at, line)) return false
    if (word === 3) {
      line.status = whole(data, from, at)
      // -1: closed before there was an answer.
      if (line.status < 100 || line.status > 999) line.status = 0
    }
    if (word === 4) line.bytes = Math.max(0, whole(data, data[from] === 43 ? from + 1 : from, at))
    at++
  }
  for (let braces = 0; data[at] === 123 && braces < 2; braces++) {
    const close = data.indexOf(125, at)
    if (close < 0 || close >= end) return false
    if (braces === 0) captured(data, at + 1, close, line)
    at = close + 2
  }
  if (data[at] !== QUOTE) return false
  // Quotes inside are written "#22"; a request that was cut off by syslog has none at its end.
  let close = at + 1
  while (close < end && data[close] !== QUOTE) close++
  cutRequest(data, at + 1, close, line)
  return true
}

/** Index of the bracket of "[06/Feb/2026:12:14:14.655] ". */
function openingOfTime(data: Uint8Array, start: number, last: number): number {
  for (let i = start; i < last; i++) {
    if (
      data[i] === 91 &&
      data[i + 3] === SLASH &&
      data[i + 21] === 46 &&
      data[i + 25] === 93 &&
      isDigit(data[i + 1])
    )
      return i
  }
  return -1
}

function threeDigits(data: Uint8Array, at: number): number {
  let value = 0
  for (let i = at; i < at + 3; i++) {
    if (!isDigit(data[i])) return -1
    value = value * 10 + data[i]! - 48
  }
  return value
}

/** "192.0.2.7:33317" or "2001:db8::7:33317", the word that ends at `end`. */
function client(data: Uint8Array, start: number, end: number, line: LogLine): boolean {
  let from = end
  while (from > start && data[from - 1] !== SPACE) from--
  let colon = end
  while (colon > from && isDigit(data[colon - 1])) colon--
  if (colon - 1 <= from || data[colon - 1] !== COLON || !looksLikeAddress(data, from, colon - 1)) return false
  line.put(FIELD.client, from, colon - 1)
  return true
}

/** TR/Tw/Tc/Tr/Ta: the last is the whole, with a "+" when it was logged early. */
function timers(data: Uint8Array, start: number, end: number, line: LogLine): boolean {
  let slashes = 0
  let from = start
  for (let i = start; i < end; i++) {
    if (data[i] !== SLASH) continue
    slashes++
    from = i + 1
  }
  if (slashes !== 4) return false
  line.durationMs = whole(data, data[from] === 43 ? from + 1 : from, end)
  return true
}

/** -1 for what is no whole number, or an unlikely one. */
function whole(data: Uint8Array, start: number, end: number): number {
  if (end === start || end - start > 15) return -1
  let value = 0
  for (let i = start; i < end; i++) {
    if (!isDigit(data[i])) return -1
    value = value * 10 + data[i]! - 48
  }
  return value
}

const LOOKS: readonly [Field, RegExp][] = [
  [FIELD.referer, /^https?:\/\//i],
  [FIELD.agent, /^(?:Mozilla\/|[A-Za-z][\w.-]*\/v?\d)/],
  [FIELD.language, /^(?:\*|[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)(?:;q=|,)/],
  [FIELD.host, /^[A-Za-z0-9](?:[A-Za-z0-9-]*\.)+[A-Za-z]{2,}(?::\d{1,5})?$/],
]

function captured(data: Buffer, start: number, end: number, line: LogLine): void {
  for (let from = start; from < end; ) {
    let to = from
    while (to < end && data[to] !== PIPE) to++
    if (to > from) {
      const text = data.toString('latin1', from, Math.min(to, from + 256))
      const [field] = LOOKS.find(([name, look]) => line.end(name) === 0 && look.test(text)) ?? []
      if (field !== undefined) line.put(field, from, to)
    }
    from = to + 1
  }
}
