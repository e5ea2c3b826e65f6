/** Opens the table of networks: the operator's file, the bundled one, or none. Never stops a start. */
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { bordersOf } from './network-borders.ts'
import { type NamedRange, readNetworkCsv } from './network-csv.ts'
import { readNetworkMmdb } from './network-mmdb.ts'
import { NetworkTable } from './network-table.ts'

export interface OpenedNetworks {
  readonly table: NetworkTable
  readonly source: 'operator' | 'bundled' | 'none'
  /** For the operator's eyes: what could not be read, in full sentences. */
  readonly faults: readonly string[]
  /** What the ASNs are called. Read when first asked for; empty when it cannot be. */
  names(): Promise<ReadonlyMap<number, string>>
}

/** Made by scripts/pack-networks.ts; two folders up from here both in src/ and in dist/. */
const BUNDLED_TABLE = new URL('../../data/networks.bin', import.meta.url)
const BUNDLED_NAMES = new URL('../../data/network-names.tsv.gz', import.meta.url)

const NO_NAMES: ReadonlyMap<number, string> = new Map()

/** `file` is the operator's CSV or mmdb. When it cannot be used, the bundled table is, and a fault says so. */
export async function openNetworks(file?: string): Promise<OpenedNetworks> {
  if (file === undefined) return openBundled([])
  try {
    return await openOperators(file)
  } catch (error) {
    return openBundled([
      `networks: expected a CSV or mmdb of networks, got ${file} (${messageOf(error)}); the bundled table is used`,
    ])
  }
}

async function openOperators(file: string): Promise<OpenedNetworks> {
  const faults: string[] = []
  let ranges: readonly NamedRange[]
  if (file.toLowerCase().endsWith('.mmdb')) ranges = await readNetworkMmdb(file)
  else {
    const csv = await readNetworkCsv(file)
    ranges = csv.ranges
    faults.push(...csv.faults.map((fault) => `networks: ${file}: ${fault}`))
    if (csv.wrongLines > csv.faults.length)
      faults.push(`networks: ${file}: ${csv.wrongLines} wrong lines in all`)
  }
  if (ranges.length === 0) throw new Error('no network in it')
  const names = new Map<number, string>()
  for (const range of ranges) if (range.name !== '') names.set(range.asn, range.name)
  const table = NetworkTable.fromBorders(bordersOf(ranges), Date.now())
  return { table, source: 'operator', faults, names: async () => names }
}

async function openBundled(faults: readonly string[]): Promise<OpenedNetworks> {
  try {
    const table = NetworkTable.fromFile(await readFile(BUNDLED_TABLE))
    let names: Promise<ReadonlyMap<number, string>> | undefined
    return { table, source: 'bundled', faults, names: () => (names ??= readNames()) }
  } catch (error) {
    const fault = `networks: the bundled table cannot be used (${messageOf(error)}); going on without ASNs, by prefixes alone`
    return {
      table: NetworkTable.EMPTY,
      source: 'none',
      faults: [...faults, fault],
      names: async () => NO_NAMES,
    }
  }
}

async function readNames(): Promise<ReadonlyMap<number, string>> {
  try {
    const text = (await promisify(gunzip)(await readFile(BUNDLED_NAMES))).toString('utf8')
    const names = new Map<number, string>()
    for (const line of text.split('\n')) {
      const tab = line.indexOf('\t')
      if (tab > 0) names.set(Number(line.slice(0, tab)), line.slice(tab + 1))
    }
    return names
  } catch {
    // Names are for people to read; a number serves as well.
    return NO_NAMES
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
