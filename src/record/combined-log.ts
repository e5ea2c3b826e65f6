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
import { readCombined } from './combined-log-line.ts'
import type { ExchangeRecord } from './exchange-record.ts'
import { FIELD, LogLine } from './log-line.ts'

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
export function parseCombined(text: string): LoggedRequest | undefined {
  const data = Buffer.from(text, 'latin1')
  const line = new LogLine()
  return readCombined(data, 0, data.length, line) ? loggedRequest(line) : undefined
}

/** A line's texts; undefined when its client is no address. */
export function loggedRequest(line: LogLine): LoggedRequest | undefined {
  const client = line.text(FIELD.client)
  if (parseAddress(client) === undefined) return undefined
  return {
    atMs: line.atMs,
    client,
    site: line.text(FIELD.host).toLowerCase(),
    method: line.text(FIELD.method),
    target: line.text(FIELD.target),
    version: line.text(FIELD.version),
    status: line.status,
    bytes: line.bytes,
    referer: line.text(FIELD.referer),
    userAgent: line.text(FIELD.agent),
  }
}
