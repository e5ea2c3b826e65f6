/** One line of a list that is no JSON. */
import { parseAddress } from '#networks'
import { parseRange, type Range } from './range-writer.ts'

/** The line that names the columns. */
export const HEAD = Symbol('head')

/** Names of columns, and of keys in JSON, that hold a network. */
export const NETWORK_KEY =
  /^((src|source|dst|dest|destination)_?)?(ip(v[46])?_?)?(ip|ips|addr|address|addresses|cidr|cidrs|prefix|prefixes|network|networks|net|subnet|range|value|address_?prefix(es)?)$/i
const FIRST_COLUMN = /^(ip_?|range_?)?(first|start|begin|from)(_?ip|_?address)?$/i
const LAST_COLUMN = /^(ip_?|range_?)?(last|end|to)(_?ip|_?address)?$/i
/** Words before the network in the files of ipset, nginx, Apache and Tor. */
const LEADING_WORDS =
  /^(?:add\s+\S{1,64}|deny(?:\s+from)?|allow(?:\s+from)?|require(?:\s+not)?\s+ip|ExitAddress)\s+/i
/** Lines of such files that hold none; ipset's `nomatch` is an exception from a network. */
const OTHER_LINE =
  /^(?:$|#|;|\/\/|(?:create|flush|destroy|ExitNode|Published|LastStatus)\s|COMMIT$|add\s.*\snomatch$)/
/** Lists of open proxies: "http://192.0.2.1:8080", "192.0.2.1:8080", "[2001:db8::1]:8080". */
const WITH_PORT = /^(?:[a-z0-9]{1,10}:\/\/)?(?:(\d{1,3}(?:\.\d{1,3}){3})|\[([0-9a-f:.]{2,45})\]):\d{1,5}\/?$/i

/** Empty, a comment, or a line of another program's file that holds no network. */
export function isOtherLine(line: string): boolean {
  return OTHER_LINE.test(line)
}

/** The network of a line; undefined when there is none. */
export function plainNetwork(line: string): Range | undefined {
  const comment = line.search(/[#;]/)
  const text = (comment < 0 ? line : line.slice(0, comment)).replace(LEADING_WORDS, '').trim()
  const whole = parseRange(text)
  if (whole !== undefined) return whole
  const [first = '', second = ''] = text.split(/[\s,]+/, 2)
  const end = parseAddress(second)
  // First and last address in two columns.
  if (end !== undefined && parseAddress(first) !== undefined) return parseRange(`${first}-${second}`)
  return parseRange(first) ?? withPort(first)
}

function withPort(text: string): Range | undefined {
  const match = WITH_PORT.exec(text)
  return match === null ? undefined : parseRange(match[1] ?? match[2]!)
}

/** Columns of a CSV, by the names in its first line, or else by what is in them. */
export class Columns {
  #delimiter: string | undefined
  #first = -1
  #last = -1

  networkOf(line: string): Range | typeof HEAD | undefined {
    const isBeginning = this.#delimiter === undefined
    this.#delimiter ??= delimiterOf(line)
    const fields = fieldsOf(line, this.#delimiter)
    if (isBeginning && !fields.some((field) => parseRange(field) !== undefined)) {
      this.#first = fields.findIndex((field) => NETWORK_KEY.test(field))
      if (this.#first < 0) {
        this.#first = fields.findIndex((field) => FIRST_COLUMN.test(field))
        this.#last = fields.findIndex((field) => LAST_COLUMN.test(field))
      }
      return HEAD
    }
    if (this.#first < 0) {
      for (const field of fields) {
        const network = parseRange(field) ?? withPort(field)
        if (network !== undefined) return network
      }
      return undefined
    }
    const first = fields[this.#first] ?? ''
    if (this.#last < 0) return parseRange(first) ?? withPort(first)
    return parseRange(`${first}-${fields[this.#last] ?? ''}`)
  }
}

/** RFC 4180 within a line: a delimiter between quotes is text. A field over several lines is not read. */
function fieldsOf(line: string, delimiter: string): string[] {
  if (!line.includes('"')) return line.split(delimiter).map((field) => field.trim())
  const fields: string[] = []
  let field = ''
  let isQuoted = false
  for (const character of line) {
    // A doubled quote opens and closes: only its text is lost, and no network has one.
    if (character === '"') isQuoted = !isQuoted
    else if (character === delimiter && !isQuoted) {
      fields.push(field.trim())
      field = ''
    } else field += character
  }
  fields.push(field.trim())
  return fields
}

function delimiterOf(line: string): string {
  const counts = [',', ';', '\t'].map((mark) => ({ mark, count: line.split(mark).length }))
  return counts.reduce((most, next) => (next.count > most.count ? next : most)).mark
}
