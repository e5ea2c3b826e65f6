/**
 * Makes data/networks.bin, data/network-names.tsv.gz and data/NOTICE from the npm package
 * @ip-location-db/asn. With --if-stale it does nothing when they are newer than that package.
 */
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { bordersOf, type NamedRange, NetworkTable, readNetworkCsv } from '#networks'

const root = path.join(import.meta.dirname, '..')
const data = path.join(root, 'data')
const manifest = findSource()
const source = path.dirname(manifest)
const version = (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
const mark = `@ip-location-db/asn ${version}`

if (process.argv.includes('--if-stale') && isCurrent()) process.exit(0)

const ranges: NamedRange[] = []
for (const file of ['asn-ipv4.csv', 'asn-ipv6.csv']) {
  const csv = await readNetworkCsv(path.join(source, file))
  if (csv.wrongLines > 0 || csv.ranges.length < 10_000) {
    throw new Error(
      `${file}: ${csv.ranges.length} ranges, ${csv.wrongLines} wrong lines: ${csv.faults.join('; ')}`,
    )
  }
  for (const range of csv.ranges) if (isPublic(range.asn)) ranges.push(range)
}
const table = NetworkTable.fromBorders(bordersOf(ranges), sourceDateMs(version))
const names = new Map<number, string>()
for (const range of ranges)
  if (!names.has(range.asn)) names.set(range.asn, range.name.replace(/[\t\r\n]/g, ' '))
const lines = [...names].sort((a, b) => a[0] - b[0]).map(([asn, name]) => `${asn}\t${name}\n`)

mkdirSync(data, { recursive: true })
write('networks.bin', table.toFile())
write('network-names.tsv.gz', gzipSync(lines.join(''), { level: 9 }))
write('NOTICE', notice())
console.log(
  `data/networks.bin: ${table.size} entries of ${ranges.length} ranges, ${table.buffer.byteLength} bytes; ${names.size} names`,
)

/** A production install has no source, and needs none: the package brings the packed files. */
function findSource(): string {
  try {
    return createRequire(import.meta.url).resolve('@ip-location-db/asn/package.json')
  } catch (error) {
    if (!process.argv.includes('--if-stale')) throw error
    console.log('data/networks.bin is not made: @ip-location-db/asn is not installed')
    process.exit(0)
  }
}

/** Reserved and private numbers (RFC 7607, 6793, 5398, 6996, 7300) name nobody on the internet. */
function isPublic(asn: number): boolean {
  return asn !== 0 && asn !== 23_456 && !(asn >= 64_496 && asn <= 131_071) && asn < 4_200_000_000
}

/** Versions end in the date: 2.3.2026061719 is 17 June 2026, 19 h. */
function sourceDateMs(text: string): number {
  const match = /\.(\d{4})(\d\d)(\d\d)(\d\d)?$/.exec(text)
  if (match === null) return 0
  return Date.UTC(Number(match[1]), Number(match[2]) - 1, Number(match[3]), Number(match[4] ?? 0))
}

function notice(): string {
  const licence = (file: string) => readFileSync(path.join(source, file), 'utf8').trim()
  return `Data shipped with Digue
=======================

networks.bin and network-names.tsv.gz say which autonomous system an address
belongs to. They are a compact form of the npm package
${mark} (https://github.com/sapics/ip-location-db), which merges

  RouteViews   https://www.routeviews.org/
  DB-IP        https://db-ip.com/ (IP Geolocation by DB-IP)
  NRO          https://www.nro.net/ (delegated files of the five registries)

under the Creative Commons Attribution 4.0 International License
(https://creativecommons.org/licenses/by/4.0/).

Changed by Digue: ranges became borders, IPv6 is cut at /64, entries with
reserved numbers are left out. As the source says of its own changes:

${licence('MODIFICATIONS')}

RouteViews
----------
${licence('ROUTEVIEWS-LICENSE')}

DB-IP
-----
${licence('DBIP-LICENSE')}

NRO
---
${licence('NRO_LICENSE')}
`
}

function isCurrent(): boolean {
  try {
    return (
      readFileSync(path.join(data, 'NOTICE'), 'utf8').includes(mark) &&
      statSync(path.join(data, 'networks.bin')).size > 0 &&
      statSync(path.join(data, 'network-names.tsv.gz')).size > 0
    )
  } catch {
    return false
  }
}

/** Whole or not at all: Digue may be starting beside this. */
function write(name: string, content: string | Uint8Array): void {
  const temporary = path.join(data, `.${name}.${process.pid}`)
  writeFileSync(temporary, content)
  renameSync(temporary, path.join(data, name))
}
