/**
 * Networks from CSV: "first,last,asn,name" or "cidr,asn,name", the name optional, fields quoted as
 * in RFC 4180 where needed. Wrong lines are counted and the first few shown; the rest is used.
 */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { parseAddress } from './address.ts'
import { lastWords, parseCidr } from './cidr.ts'
import type { NetworkRange } from './network-borders.ts'

export interface NamedRange extends NetworkRange {
  /** What the ASN is called; '' when the file does not say. */
  readonly name: string
}

export interface CsvNetworks {
  readonly ranges: NamedRange[]
  readonly wrongLines: number
  /** The first few, as "line 7: expected …". */
  readonly faults: string[]
}

/** Eight times today's internet. */
const MOST_RANGES = 4_000_000
const LONGEST_LINE = 4096
const MOST_FAULTS = 5

export async function readNetworkCsv(path: string): Promise<CsvNetworks> {
  const ranges: NamedRange[] = []
  const faults: string[] = []
  let wrongLines = 0
  let lineNumber = 0
  const input = createReadStream(path, { encoding: 'utf8' })
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
  for await (const line of lines) {
    lineNumber++
    if (line === '' || line.startsWith('#')) continue
    const range = parseNetworkLine(line)
    if (typeof range === 'string') {
      // A first line that does not parse is the header.
      if (lineNumber === 1) continue
      wrongLines++
      if (faults.length < MOST_FAULTS) faults.push(`line ${lineNumber}: ${range}`)
    } else if (ranges.length === MOST_RANGES) {
      faults.push(`line ${lineNumber}: expected at most ${MOST_RANGES} ranges; the rest is left out`)
      break
    } else ranges.push(range)
  }
  input.destroy()
  return { ranges, wrongLines, faults }
}

/** The range of one line, or what is wrong with it. */
export function parseNetworkLine(line: string): NamedRange | string {
  if (line.length > LONGEST_LINE) return `expected at most ${LONGEST_LINE} characters, got ${line.length}`
  const fields = splitCsv(line)
  if (fields === undefined) return 'a quoted field does not end'
  const text = fields[0]!
  if (text.includes('/')) {
    const cidr = parseCidr(text)
    if ('fault' in cidr) return cidr.fault
    const asn = parseAsn(fields[1])
    if (asn === undefined) return `expected an ASN, got ${JSON.stringify(fields[1]?.slice(0, 64) ?? '')}`
    return {
      first: cidr.address,
      last: { version: cidr.address.version, words: lastWords(cidr) },
      asn,
      name: fields[2] ?? '',
    }
  }
  const first = parseAddress(text)
  const last = parseAddress(fields[1] ?? '')
  if (first === undefined) return `expected an address or network, got ${JSON.stringify(text.slice(0, 64))}`
  if (last === undefined || last.version !== first.version) {
    return `expected the last address of the range, got ${JSON.stringify(fields[1]?.slice(0, 64) ?? '')}`
  }
  const isReversed = last.words.findIndex((word, i) => word !== first.words[i])
  if (isReversed >= 0 && last.words[isReversed]! < first.words[isReversed]!)
    return 'the last address is before the first'
  const asn = parseAsn(fields[2])
  if (asn === undefined) return `expected an ASN, got ${JSON.stringify(fields[2]?.slice(0, 64) ?? '')}`
  return { first, last, asn, name: fields[3] ?? '' }
}

function parseAsn(text: string | undefined): number | undefined {
  const match = /^(?:AS)?(\d{1,10})$/i.exec(text ?? '')
  const asn = Number(match?.[1] ?? Number.NaN)
  return asn <= 0xffffffff ? asn : undefined
}

function splitCsv(line: string): string[] | undefined {
  const fields: string[] = []
  let at = 0
  for (;;) {
    while (line[at] === ' ') at++
    if (line[at] === '"') {
      let value = ''
      for (at++; ; at++) {
        const close = line.indexOf('"', at)
        if (close < 0) return undefined
        value += line.slice(at, close)
        at = close + 1
        if (line[at] !== '"') break
        value += '"'
      }
      fields.push(value)
      while (line[at] === ' ') at++
    } else {
      const comma = line.indexOf(',', at)
      const end = comma < 0 ? line.length : comma
      fields.push(line.slice(at, end).trim())
      at = end
    }
    if (at >= line.length) return fields
    if (line[at] !== ',') return undefined
    at++
    if (at === line.length) {
      fields.push('')
      return fields
    }
  }
}
