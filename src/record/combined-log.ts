/**
 * Access-log lines in Apache's combined format, written and read.
 *
 *     203.0.113.7 - - [02/Jan/2026:15:04:05 +0000] "GET /a?b HTTP/1.1" 200 2326 "referer" "user agent"
 *
 * A log is read by tools that trust its lines, and its quoted fields are whatever a stranger sent.
 * So everything but printable ASCII leaves as Apache writes it (`\"`, `\\`, `\n`, `\xhh`): a line
 * cannot be ended, forged or coloured by a request.
 */
import { parseAddress } from '#networks'
import type { ExchangeRecord } from './exchange-record.ts'

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
/** Characters of one quoted field; longer ones are cut, for a line's length must have a bound. */
const LONGEST_FIELD = 4096

/** One line with its end. Fields that are empty are written "-". */
export function formatCombined(record: ExchangeRecord): string {
  const request = `${quote(record.method)} ${quote(record.target)} HTTP/${quote(record.version)}`
  const client = /^[0-9A-Fa-f:.]+$/.test(record.client) ? record.client : '-'
  return `${client} - - [${formatTime(record.atMs)}] "${request}" ${record.status || '-'} ${record.bytes || '-'} "${quote(record.referer) || '-'}" "${quote(record.userAgent) || '-'}"\n`
}

function formatTime(atMs: number): string {
  const d = new Date(atMs)
  const time = `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`
  return `${two(d.getUTCDate())}/${MONTHS[d.getUTCMonth()]}/${d.getUTCFullYear()}:${time} +0000`
}

function two(n: number): string {
  return n < 10 ? `0${n}` : String(n)
}

function quote(text: string): string {
  const kept = text.length > LONGEST_FIELD ? text.slice(0, LONGEST_FIELD) : text
  // Nearly every field is plain; only the others pay for a copy.
  return /[^ !#-[\]-~]/.test(kept) ? kept.replace(/[^ !#-[\]-~]/g, escapeOne) : kept
}

/** Characters above U+00FF cannot come off the wire; should one be here, its UTF-8 bytes are written. */
function escapeOne(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`
  if (character === '\n') return '\\n'
  if (character === '\r') return '\\r'
  if (character === '\t') return '\\t'
  const code = character.charCodeAt(0)
  if (code < 256) return `\\x${code.toString(16).padStart(2, '0')}`
  return Array.from(Buffer.from(character), (byte) => `\\x${byte.toString(16)}`).join('')
}

/** What an access log tells of one request. Absent fields are ''. */
export interface LoggedRequest {
  readonly atMs: number
  /** As written in the log; always an address. */
  readonly client: string
  /** From logs that begin with the virtual host (Debian's vhost_combined), without its port. */
  readonly site: string
  /** '' when the server could not read the request: it logged "-" or raw bytes. */
  readonly method: string
  readonly target: string
  readonly version: string
  readonly status: number
  readonly bytes: number
  readonly referer: string
  readonly userAgent: string
}

/** A line in common, combined or vhost_combined format without its end; undefined when it is none of them. */
export function parseCombined(line: string): LoggedRequest | undefined {
  let space = line.indexOf(' ')
  if (space < 0) return undefined
  let client = line.slice(0, space)
  let site = ''
  if (parseAddress(client) === undefined) {
    const next = line.indexOf(' ', space + 1)
    site = client.replace(/:\d{1,5}$/, '').toLowerCase()
    client = line.slice(space + 1, Math.max(next, space + 1))
    space = next
    if (parseAddress(client) === undefined) return undefined
  }
  // Identity and user stand between; a user name may hold spaces and brackets but not this.
  const bracket = /\[\d\d\/[A-Z]/.exec(line.slice(space))
  if (bracket === null) return undefined
  const open = space + bracket.index
  const atMs = parseTime(line, open + 1)
  if (atMs === undefined || line.slice(open + 27, open + 30) !== '] "') return undefined
  const requestEnd = endOfQuoted(line, open + 30)
  if (requestEnd < 0) return undefined
  const request = line.slice(open + 30, requestEnd)
  const numbers = /^ (\d{3}|-) (\d{1,16}|-)(?= |$)/.exec(line.slice(requestEnd + 1, requestEnd + 64))
  if (numbers === null) return undefined
  const rest = requestEnd + 1 + numbers[0].length
  const referer = quotedAt(line, rest)
  const userAgent = referer === undefined ? undefined : quotedAt(line, referer.end)
  const { method, target, version } = splitRequest(request)
  return {
    atMs,
    client,
    site,
    method,
    target,
    version,
    status: numberOr0(numbers[1]!),
    bytes: numberOr0(numbers[2]!),
    referer: referer?.text ?? '',
    userAgent: userAgent?.text ?? '',
  }
}

function numberOr0(text: string): number {
  return text === '-' ? 0 : Number(text)
}

/** "02/Jan/2026:15:04:05 +0100" at `at`. */
function parseTime(line: string, at: number): number | undefined {
  const match = /^(\d\d)\/([A-Z][a-z]{2})\/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$/.exec(
    line.slice(at, at + 26),
  )
  if (match === null) return undefined
  const [day, hour, minute, second] = [match[1], match[4], match[5], match[6]].map(Number) as [
    number,
    number,
    number,
    number,
  ]
  const month = MONTHS.indexOf(match[2]!)
  if (month < 0 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return undefined
  const offsetMs = (Number(match[8]) * 60 + Number(match[9])) * 60_000
  const utc = Date.UTC(Number(match[3]), month, day, hour, minute, second)
  return match[7] === '+' ? utc - offsetMs : utc + offsetMs
}

/** Index of the quote that ends a field begun before `at`; -1 when none does. */
function endOfQuoted(line: string, at: number): number {
  for (let i = at; i < line.length; i++) {
    const c = line.charCodeAt(i)
    if (c === 92) i++
    else if (c === 34) return i
  }
  return -1
}

function quotedAt(line: string, at: number): { text: string; end: number } | undefined {
  if (line.charCodeAt(at) !== 32 || line.charCodeAt(at + 1) !== 34) return undefined
  const close = endOfQuoted(line, at + 2)
  if (close < 0) return undefined
  const raw = line.slice(at + 2, close)
  return { text: raw === '-' ? '' : undoEscapes(raw), end: close + 1 }
}

/** Split before escapes are undone: an escaped space is part of its word. */
function splitRequest(raw: string): { method: string; target: string; version: string } {
  const match = /^([A-Za-z!#$%&'*+\-.^_`|~0-9]{1,32}) (.*?)(?: HTTP\/(\d(?:\.\d)?))?$/.exec(raw)
  if (match === null || match[2] === '') return { method: '', target: '', version: '' }
  return { method: match[1]!, target: undoEscapes(match[2]!), version: match[3] ?? '' }
}

/** Undoes Apache's and nginx's escapes; a backslash before anything else stands for what follows it. */
function undoEscapes(text: string): string {
  if (!text.includes('\\')) return text
  return text.replace(
    /\\(?:x([0-9A-Fa-f]{2})|(.))/g,
    (_, hex: string | undefined, plain: string | undefined) => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
      return plain === 'n' ? '\n' : plain === 'r' ? '\r' : plain === 't' ? '\t' : plain!
    },
  )
}
