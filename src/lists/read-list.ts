/**
 * From a file's bytes to networks: what is published is as varied as its publishers.
 *
 *     plain   an address, network or range a line (FireHOL netsets, Tor's bulk exit list, Spamhaus' old DROP),
 *             with comments after # ; or //; ipset's `save`, nginx' and Apache's allow and deny lines, Tor's
 *             exit-addresses; lists of first and last address in two columns (DShield)
 *     csv     with or without a head; the column that is named like a network, else the first that holds one
 *     json    one document (cloud providers, Cloudflare, GitHub, arrays of texts), or one object a line
 *             (Spamhaus' DROP); texts in arrays, and under keys that are named like a network
 *
 * Strict about the whole, lenient about a line: a line that is no network is counted, but when more than one
 * in ten is none, the file is something else (an error page, a list of host names) and nothing of it is taken.
 * Half a list that looks whole is worse than yesterday's.
 */
import { gunzipSync } from 'node:zlib'
import type { PackedRanges } from '#networks'
import { Columns, HEAD, isOtherLine, NETWORK_KEY, plainNetwork } from './list-lines.ts'
import { parseRange, type Range, RangeWriter } from './range-writer.ts'

export type ListFormat = 'auto' | 'plain' | 'csv' | 'json'

export interface ReadRules {
  readonly format: ListFormat
  readonly keepsLocal: boolean
  readonly widensV6: boolean
}

export interface ReadList {
  readonly ranges: PackedRanges
  readonly networks: number
  /** Lines, or values, that should have been a network. */
  readonly wrong: number
  /** Up to three of them: "line 7: …". */
  readonly examples: readonly string[]
  /** Networks left out, as RangeWriter counts them. */
  readonly local: number
  readonly wide: number
}

/** Why nothing of a file is taken: "expected …, got …". */
export interface UnreadableList {
  readonly fault: string
}

export const MOST_BYTES = 64_000_000
export const MOST_NETWORKS = 500_000
/** Parsed as one value it takes many times its size: `[],[],…` some twentyfold. The largest known is 5 MB. */
const MOST_DOCUMENT_BYTES = 16_000_000
const LONGEST_LINE = 4096
const LONGEST_EXAMPLE = 60
const MOST_EXAMPLES = 3
const DEEPEST_JSON = 12
/** Below this many lines a single slip is more than one in ten. */
const FEW = 20
const MOST_WRONG_SHARE = 0.1
/** Never throws: what is in a file is its publisher's business. */
export function readList(bytes: Buffer, rules: ReadRules): ReadList | UnreadableList {
  const plain = unpack(bytes)
  if (!Buffer.isBuffer(plain)) return plain
  if (plain.includes(0)) return { fault: 'expected a text, got a file with zero bytes in it' }
  // Latin 1 makes a text of any bytes, at one byte a character; what matters is ASCII.
  const text = (
    plain.length >= 3 && plain[0] === 0xef && plain[1] === 0xbb && plain[2] === 0xbf
      ? plain.subarray(3)
      : plain
  ).toString('latin1')
  const head = text.slice(0, 512).trimStart()
  if (head.startsWith('<'))
    return { fault: `expected a list of networks, got a page (${shown(head.split('\n', 1)[0]!)})` }
  const reader = new Reader(rules)
  const format = rules.format === 'auto' ? formatOf(head) : rules.format
  const fault = format === 'json' ? reader.json(text) : reader.lines(text, format === 'csv')
  return fault === undefined ? reader.result() : { fault }
}

/** Gzip, as a file or as a body's coding; both at once happens. */
function unpack(bytes: Buffer): Buffer | UnreadableList {
  let plain = bytes
  for (let layer = 0; layer < 2 && plain.length > 2 && plain[0] === 0x1f && plain[1] === 0x8b; layer++) {
    try {
      plain = gunzipSync(plain, { maxOutputLength: MOST_BYTES })
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
        ? { fault: `expected at most ${MOST_BYTES / 1e6} MB unpacked, got more` }
        : { fault: 'expected a whole gzip file, got a damaged one' }
    }
  }
  if (plain.length <= MOST_BYTES) return plain
  return { fault: `expected at most ${MOST_BYTES / 1e6} MB, got ${Math.ceil(plain.length / 1e6)} MB` }
}

function formatOf(head: string): 'plain' | 'csv' | 'json' {
  if (head.startsWith('{') || head.startsWith('[')) return 'json'
  const line = head.split(/\r?\n/).find((text) => text.trim() !== '' && !/^\s*[#;]/.test(text)) ?? ''
  return line.includes(',') ? 'csv' : 'plain'
}

class Reader {
  readonly #writer: RangeWriter
  #wrong = 0
  /** Lines or values that were looked at. */
  #seen = 0
  readonly #examples: string[] = []
  /** A text in a list of JSON that is no network, and need not be one. */
  #strange: string | undefined

  constructor(rules: ReadRules) {
    this.#writer = new RangeWriter({ ...rules, most: MOST_NETWORKS })
  }

  lines(text: string, isCsv: boolean): string | undefined {
    const columns = isCsv ? new Columns() : undefined
    let number = 0
    for (let at = 0; at < text.length; ) {
      const end = text.indexOf('\n', at)
      const stop = end < 0 ? text.length : end
      number++
      if (stop - at > LONGEST_LINE) this.#refuse(`line ${number}`, text.slice(at, at + LONGEST_LINE))
      else {
        const line = text.slice(at, stop).trim()
        if (!isOtherLine(line))
          this.#take(
            `line ${number}`,
            line,
            columns === undefined ? plainNetwork(line) : columns.networkOf(line),
          )
      }
      if (this.#writer.isFull) break
      at = stop + 1
    }
    return this.#judge()
  }

  json(text: string): string | undefined {
    const firstEnd = text.indexOf('\n')
    // One object a line: the first line stands for itself, and something comes after it.
    if (
      firstEnd >= 0 &&
      firstEnd <= LONGEST_LINE &&
      parseJson(text.slice(0, firstEnd)) !== undefined &&
      text.slice(firstEnd).trim() !== ''
    ) {
      let number = 0
      for (let at = 0; at < text.length && !this.#writer.isFull; ) {
        const end = text.indexOf('\n', at)
        const stop = end < 0 ? text.length : end
        number++
        const line = text.slice(at, Math.min(stop, at + LONGEST_LINE)).trim()
        at = stop + 1
        if (line === '') continue
        const value = parseJson(line)
        if (value === undefined) this.#refuse(`line ${number}`, line)
        else this.#walk(value, '', 0)
      }
      return this.#judge()
    }
    if (text.length > MOST_DOCUMENT_BYTES)
      return `expected at most ${MOST_DOCUMENT_BYTES / 1e6} MB of JSON in one document, got ${Math.ceil(text.length / 1e6)} MB; one object a line may have more`
    const value = parseJson(text)
    if (value === undefined) return `expected JSON, got ${shown(text.trimStart())}`
    this.#walk(value, '', 0)
    return this.#judge()
  }

  result(): ReadList {
    const { taken, local, wide } = this.#writer
    return {
      ranges: this.#writer.ranges(),
      networks: taken,
      wrong: this.#wrong,
      examples: this.#examples,
      local,
      wide,
    }
  }

  #take(where: string, line: string, network: Range | typeof HEAD | undefined): void {
    if (network === HEAD) return
    if (network === undefined) this.#refuse(where, line)
    else {
      this.#seen++
      this.#writer.put(network)
    }
  }

  #refuse(where: string, text: string): void {
    this.#seen++
    this.#wrong++
    if (this.#examples.length < MOST_EXAMPLES) this.#examples.push(`${where}: ${shown(text)}`)
  }

  /** Values of arrays, and of keys that are named like a network; anything else is some other property. */
  #walk(value: unknown, key: string, depth: number): void {
    if (depth > DEEPEST_JSON || this.#writer.isFull) return
    if (typeof value === 'string') {
      const network = value.length <= LONGEST_LINE ? parseRange(value.trim()) : undefined
      if (network !== undefined) {
        this.#seen++
        this.#writer.put(network)
      } else if (key !== '') this.#refuse(key, value)
      else this.#strange ??= value
    } else if (Array.isArray(value)) {
      for (const entry of value) this.#walk(entry, key, depth + 1)
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, entry] of Object.entries(value)) {
        if (typeof entry !== 'string') this.#walk(entry, '', depth + 1)
        else if (NETWORK_KEY.test(name)) this.#walk(entry, name, depth + 1)
      }
    }
  }

  #judge(): string | undefined {
    if (this.#writer.isFull) return `expected at most ${MOST_NETWORKS} networks, got more`
    const found = this.#writer.taken + this.#writer.local + this.#writer.wide
    const tolerated = Math.max(this.#seen < FEW ? 1 : 0, this.#seen * MOST_WRONG_SHARE)
    if (this.#wrong > tolerated || (this.#wrong > 0 && found === 0))
      return `expected a list of networks, got ${this.#wrong} of ${this.#seen} entries that are none (${this.#examples[0] ?? ''})`
    if (found === 0 && this.#strange !== undefined)
      return `expected a list of networks, got JSON without any (${shown(this.#strange)})`
    return undefined
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** The text's beginning, fit for a log. */
function shown(text: string): string {
  const line = text.slice(0, LONGEST_EXAMPLE).replace(/[^\x20-\x7e]+/g, '?')
  return JSON.stringify(text.length > LONGEST_EXAMPLE ? `${line}…` : line)
}
