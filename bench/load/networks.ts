/**
 * The bench's Internet: which loopback address belongs to which make-believe network.
 *
 *   127.10–14.0.0/16    five access providers, where visitors live (Zipf: 44, 22, 15, 11, 9 %)
 *   127.40–51.0.0/16    twelve hosting networks
 *   127.56–255.0.0/16   two hundred networks with one open proxy here and there
 *
 * ASNs are private ones (RFC 6996). Visitors cluster as they do in life: a provider puts them in a
 * few of its /24s. Attackers inside a provider are spread over all of its /24s.
 */
import { below, type Random, seeded, shuffle } from './random.ts'

export interface Network {
  readonly cidr: string
  readonly asn: number
  readonly name: string
  readonly kind: 'provider' | 'hosting' | 'proxy'
  /** Second octet: the network is 127.<octet>.0.0/16. */
  readonly octet: number
}

const range = (count: number, first: number, firstAsn: number, kind: Network['kind']): Network[] =>
  Array.from({ length: count }, (_, i) => ({
    cidr: `127.${first + i}.0.0/16`,
    asn: firstAsn + i,
    name: `${kind}-${i + 1}`,
    kind,
    octet: first + i,
  }))

export const PROVIDERS: readonly Network[] = range(5, 10, 64512, 'provider')
export const HOSTING: readonly Network[] = range(12, 40, 64600, 'hosting')
export const PROXIES: readonly Network[] = range(200, 56, 65000, 'proxy')
export const NETWORKS: readonly Network[] = [...PROVIDERS, ...HOSTING, ...PROXIES]

const PREFIXES_PER_PROVIDER = 16

/** The networks file that Digue is given: one "cidr,asn,name" per line. */
export function networksCsv(): string {
  return `${NETWORKS.map((n) => `${n.cidr},${n.asn},${n.name}`).join('\n')}\n`
}

/** Cumulative Zipf shares (exponent 1) of `n` ranks. */
export function zipf(n: number): number[] {
  const weights = Array.from({ length: n }, (_, i) => 1 / (i + 1))
  const total = weights.reduce((a, b) => a + b, 0)
  let sum = 0
  return weights.map((w) => (sum += w / total))
}

const PROVIDER_SHARES = zipf(PROVIDERS.length)

function provider(random: Random): Network {
  const at = random()
  return PROVIDERS[PROVIDER_SHARES.findIndex((share) => at < share)] ?? PROVIDERS[0]!
}

/** `count` distinct addresses drawn by `draw`, in the order drawn. */
function distinct(count: number, taken: Set<string>, draw: () => string): string[] {
  const out: string[] = []
  while (out.length < count) {
    const address = draw()
    if (taken.has(address)) continue
    taken.add(address)
    out.push(address)
  }
  return out
}

const host = (random: Random) => 1 + below(random, 254)

/** Visitors' addresses; the same seed gives the same people, and asking for more keeps the first ones. */
export function visitorAddresses(count: number, seed: number): string[] {
  const random = seeded(seed)
  return distinct(count, new Set(), () => {
    const home = provider(random)
    return `127.${home.octet}.${below(random, PREFIXES_PER_PROVIDER) * 16 + 1}.${host(random)}`
  })
}

export type Source = 'hosting' | 'proxies' | 'providers'

/** Attackers' addresses; never one of `visitors`. */
export function attackerAddresses(
  source: Source,
  count: number,
  seed: number,
  visitors: readonly string[] = [],
): string[] {
  const random = seeded(seed ^ 0x5bd1e995)
  const homes: readonly Network[] = source === 'hosting' ? HOSTING : PROXIES
  let next = 0
  const drawn = distinct(count, new Set(visitors), () => {
    // Evenly over hosting and proxy networks, by subscribers over providers.
    const home = source === 'providers' ? provider(random) : homes[next++ % homes.length]!
    return `127.${home.octet}.${below(random, 255)}.${host(random)}`
  })
  return shuffle(random, drawn)
}

/** Name of the network an address belongs to, '' when none. */
export function networkOf(address: string): string {
  const octet = Number(address.split('.')[1])
  return NETWORKS.find((n) => n.octet === octet)?.name ?? ''
}

/** A past access log in combined format, as `--baseline-from` reads it: calm days of these visitors. */
export function accessLog(addresses: readonly string[], lines: number, endMs: number): string {
  const random = seeded(17)
  const month = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
  const two = (n: number) => String(n).padStart(2, '0')
  let out = ''
  for (let i = 0; i < lines; i++) {
    const at = new Date(endMs - (lines - i) * 1000)
    const stamp = `${two(at.getUTCDate())}/${month[at.getUTCMonth()]}/${at.getUTCFullYear()}:${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} +0000`
    const address = addresses[below(random, addresses.length)]
    out += `${address} - - [${stamp}] "GET /article/${below(random, 50)} HTTP/1.1" 200 2345 "-" "Mozilla/5.0"\n`
  }
  return out
}
