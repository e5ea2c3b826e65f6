/**
 * Prints the networks of a search engine's published list as src/recognise/crawler-ranges.ts wants
 * them: `node -C source scripts/crawler-ranges.ts bingbot.json`. Neighbours are joined, nothing is
 * added. There is no download here: whoever renews a list looks at what is new in it.
 */
import { readFileSync } from 'node:fs'
import { type Cidr, formatCidr, parseCidr } from '#networks'

const LINE_CHARS = 96

for (const file of process.argv.slice(2)) {
  const published = JSON.parse(readFileSync(file, 'utf8')) as {
    creationTime?: string
    prefixes: { ipv4Prefix?: string; ipv6Prefix?: string }[]
  }
  const networks = published.prefixes.map(({ ipv4Prefix, ipv6Prefix }) => {
    const cidr = parseCidr(ipv4Prefix ?? ipv6Prefix ?? '')
    if ('fault' in cidr) throw new Error(`${file}: ${cidr.fault}`)
    return cidr
  })
  console.log(`${file}: ${published.creationTime ?? 'no date'}, ${networks.length} networks`)
  for (const version of [4, 6] as const) print(joined(networks.filter((n) => n.address.version === version)))
}

/** The fewest networks with the same addresses. */
function joined(networks: readonly Cidr[]): string[] {
  const byName = new Map(networks.map((network) => [formatCidr(network), network]))
  // Halves become a whole until there are no more two halves. Lists are short.
  for (let changed = true; changed; ) {
    changed = false
    for (const [name, { address, bits }] of byName) {
      if (bits === 0) continue
      const word = (bits - 1) >> 5
      const bit = 1 << (31 - ((bits - 1) & 31))
      const other = address.words.map((value, i) => (i === word ? (value ^ bit) >>> 0 : value))
      const otherName = formatCidr({ address: { version: address.version, words: other }, bits })
      if (!byName.has(otherName)) continue
      const words = address.words.map((value, i) => (i === word ? (value & ~bit) >>> 0 : value))
      const whole: Cidr = { address: { version: address.version, words }, bits: bits - 1 }
      byName.delete(name)
      byName.delete(otherName)
      byName.set(formatCidr(whole), whole)
      changed = true
    }
  }
  return [...byName.values()]
    .sort((a, b) => compare(a.address.words, b.address.words) || a.bits - b.bits)
    .map((network) => formatCidr(network).replace(/\/(32|128)$/, ''))
}

function compare(a: readonly number[], b: readonly number[]): number {
  const i = a.findIndex((value, at) => value !== b[at])
  return i < 0 ? 0 : a[i]! - b[i]!
}

function print(names: readonly string[]): void {
  let line = ''
  for (const name of names) {
    if (line.length + name.length + 1 > LINE_CHARS) {
      console.log(`      ${line}`)
      line = ''
    }
    line += line === '' ? name : ` ${name}`
  }
  if (line !== '') console.log(`      ${line}`)
}
