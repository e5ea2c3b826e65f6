/**
 * Reads access logs in JSON: Caddy's and Traefik's, and nginx's or anybody's whose members have usual names.
 *
 * A line is parsed whole by JSON.parse and its texts are written behind each other into bytes of their own, so
 * that they are spans like those of any other format: in UTF-8, as other logs have what is not ASCII.
 */
import { FIELD, type Field, type LogLine } from './log-line.ts'

type Json = Readonly<Record<string, unknown>>

export class JsonLines {
  /** No text in a line is longer than the line; eight of them, three bytes a character. */
  #scratch = Buffer.allocUnsafe(16_384)
  #used = 0

  read(data: Buffer, start: number, end: number, line: LogLine): boolean {
    // Before JSON.parse has to throw: most lines of other formats end here.
    if (data[start] !== 123 || data[end - 1] !== 125) return false
    let value: unknown
    try {
      value = JSON.parse(data.toString('utf8', start, end))
    } catch {
      return false
    }
    const top = value as Json
    if (this.#scratch.length < 4 * (end - start)) this.#scratch = Buffer.allocUnsafe(4 * (end - start))
    this.#used = 0
    line.begin(this.#scratch, 'none')
    if (isObject(top['request']) && 'uri' in top['request']) return this.#caddy(top, top['request'], line)
    if ('RequestPath' in top || 'ClientAddr' in top || 'ClientHost' in top) return this.#traefik(top, line)
    return this.#plain(top, line)
  }

  #caddy(top: Json, request: Json, line: LogLine): boolean {
    const atMs = instantOf(top['ts'])
    const client =
      textOf(request['client_ip']) || textOf(request['remote_ip']) || hostOf(textOf(request['remote_addr']))
    if (atMs === undefined || client === '') return false
    line.atMs = atMs
    line.status = statusOf(top['status'])
    line.bytes = numberOf(top['size'])
    line.durationMs = secondsOf(top['duration'])
    this.#put(line, FIELD.client, client)
    this.#put(line, FIELD.host, hostOf(textOf(request['host'])).toLowerCase())
    this.#put(line, FIELD.method, textOf(request['method']))
    this.#put(line, FIELD.target, textOf(request['uri']))
    this.#put(line, FIELD.version, textOf(request['proto']).replace(/^HTTP\//, ''))
    const headers = request['headers']
    if (isObject(headers)) {
      this.#put(line, FIELD.referer, firstOf(headers['Referer']))
      this.#put(line, FIELD.agent, firstOf(headers['User-Agent']))
      this.#put(line, FIELD.language, firstOf(headers['Accept-Language']))
      // Logged as REDACTED unless told otherwise: that it is there is all we want.
      line.hasCookies = 'Cookie' in headers
    }
    return true
  }

  #traefik(top: Json, line: LogLine): boolean {
    const atMs = instantOf(top['StartUTC'] ?? top['StartLocal'] ?? top['time'])
    const client = textOf(top['ClientHost']) || hostOf(textOf(top['ClientAddr']))
    if (atMs === undefined || client === '') return false
    line.atMs = atMs
    line.status = statusOf(top['DownstreamStatus'])
    line.bytes = numberOf(top['DownstreamContentSize'])
    // In nanoseconds.
    line.durationMs = typeof top['Duration'] === 'number' ? Math.max(0, top['Duration']) / 1e6 : -1
    this.#put(line, FIELD.client, client)
    this.#put(
      line,
      FIELD.host,
      hostOf(textOf(top['RequestHost']) || textOf(top['RequestAddr'])).toLowerCase(),
    )
    this.#put(line, FIELD.method, textOf(top['RequestMethod']))
    this.#put(line, FIELD.target, textOf(top['RequestPath']))
    this.#put(line, FIELD.version, textOf(top['RequestProtocol']).replace(/^HTTP\//, ''))
    this.#put(line, FIELD.referer, textOf(top['request_Referer']))
    this.#put(line, FIELD.agent, textOf(top['request_User-Agent']))
    this.#put(line, FIELD.language, textOf(top['request_Accept-Language']))
    if ('request_Cookie' in top) line.hasCookies = true
    return true
  }

  /** `log_format … escape=json`: the names of nginx's variables, which most people keep. */
  #plain(top: Json, line: LogLine): boolean {
    const pick = (...names: string[]) => textOf(top[names.find((name) => top[name] !== undefined) ?? ''])
    const atMs = instantOf(
      top['time_iso8601'] ?? top['msec'] ?? top['@timestamp'] ?? top['timestamp'] ?? top['time'] ?? top['ts'],
    )
    const client = pick('remote_addr', 'client_ip', 'remote_ip', 'client', 'clientip')
    if (atMs === undefined || client === '') return false
    const [method = '', target = '', version = ''] = pick('request').split(' ')
    line.atMs = atMs
    line.status = statusOf(top['status'])
    line.bytes = numberOf(top['body_bytes_sent'] ?? top['bytes_sent'] ?? top['bytes'])
    line.durationMs = secondsOf(top['request_time'])
    this.#put(line, FIELD.client, client)
    this.#put(line, FIELD.host, hostOf(pick('http_host', 'host', 'server_name', 'vhost')).toLowerCase())
    this.#put(line, FIELD.method, pick('request_method', 'method') || method)
    this.#put(line, FIELD.target, pick('request_uri', 'uri', 'path', 'url') || target)
    this.#put(line, FIELD.version, (pick('server_protocol', 'protocol') || version).replace(/^HTTP\//, ''))
    this.#put(line, FIELD.referer, pick('http_referer', 'referer', 'referrer'))
    this.#put(line, FIELD.agent, pick('http_user_agent', 'user_agent', 'agent'))
    this.#put(line, FIELD.language, pick('http_accept_language'))
    return true
  }

  #put(line: LogLine, field: Field, text: string): void {
    if (text === '' || text === '-') return
    const from = this.#used
    const room = this.#scratch.length - from
    // Every text comes out of the line, so this cannot happen; were it to, the text is left out.
    if (text.length * 3 > room && Buffer.byteLength(text) > room) return
    this.#used += this.#scratch.write(text, from, 'utf8')
    line.put(field, from, this.#used)
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function firstOf(value: unknown): string {
  return Array.isArray(value) ? textOf(value[0]) : textOf(value)
}

function numberOf(value: unknown): number {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value
  return typeof number === 'number' && number >= 0 && number < 1e16 ? Math.floor(number) : 0
}

function statusOf(value: unknown): number {
  const status = numberOf(value)
  return status >= 100 && status <= 999 ? status : 0
}

/** "203.0.113.7:443", "[2001:db8::1]:443" and "www.example.org:443" without their ports. */
function hostOf(text: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text)
  return bracketed?.[1] ?? text.replace(/^([^:]*):\d{1,5}$/, '$1')
}

const ISO = /^(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))? ?(Z|[+-]\d\d:?\d\d)?$/

/** Seconds since the epoch, or ISO 8601; without a zone it counts as UTC. */
function instantOf(value: unknown): number | undefined {
  if (typeof value === 'number') return instantOfEpoch(value)
  if (typeof value !== 'string') return undefined
  if (/^\d{9,11}(?:\.\d{1,9})?$/.test(value)) return instantOfEpoch(Number(value))
  const match = ISO.exec(value)
  if (match === null) return undefined
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
    return undefined
  const zone = match[8] ?? 'Z'
  const offset = zone === 'Z' ? 0 : Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))
  const utc = Date.UTC(
    year,
    month - 1,
    day,
    hour,
    minute,
    second,
    Number((match[7] ?? '0').padEnd(3, '0').slice(0, 3)),
  )
  return utc - (zone.startsWith('-') ? -offset : offset) * 60_000
}

/** Caddy can be told to write milliseconds or nanoseconds: told apart by their size, as of the years 2001 to 2286. */
function instantOfEpoch(value: number): number | undefined {
  if (value >= 1e9 && value < 1e10) return value * 1000
  if (value >= 1e12 && value < 1e13) return value
  if (value >= 1e18 && value < 1e19) return value / 1e6
  return undefined
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  µs: 1e-3,
  us: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

/** Milliseconds from seconds as number or text, or from Go's "1.5ms"; -1 when it says nothing. */
function secondsOf(value: unknown): number {
  if (typeof value === 'number') return value >= 0 && value < 1e9 ? value * 1000 : -1
  if (typeof value !== 'string') return -1
  const match = /^(\d{1,9}(?:\.\d{1,9})?)(ns|µs|us|ms|s|m|h)?$/.exec(value)
  return match === null ? -1 : Number(match[1]) * UNIT_MS[match[2] ?? 's']!
}
