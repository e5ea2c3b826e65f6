/** The operator's decisions, ready to be asked once per request. Allow beats refuse. */
import type { Decision } from '#control'
import { CidrSet, type ClientAddress } from '#networks'

interface Side {
  readonly networks: CidrSet
  readonly asns: ReadonlySet<number>
  readonly paths: readonly string[]
  readonly hosts: ReadonlySet<string>
}

export class Decisions {
  static readonly NONE: Decisions = new Decisions([], 0)

  readonly #allow: Side
  readonly #refuse: Side
  readonly #isEmpty: boolean
  readonly #looksAtPaths: boolean
  /** Wall clock of the first expiry: make the decisions anew then. */
  readonly validUntilMs: number

  constructor(all: readonly Decision[], wallMs: number) {
    const live = all.filter((decision) => decision.expiresAtMs > wallMs)
    this.#allow = side(live.filter((decision) => decision.effect === 'allow'))
    this.#refuse = side(live.filter((decision) => decision.effect === 'refuse'))
    this.#isEmpty = live.length === 0
    this.#looksAtPaths = this.#allow.paths.length > 0 || this.#refuse.paths.length > 0
    this.validUntilMs = live.reduce(
      (first, decision) => Math.min(first, decision.expiresAtMs),
      Number.POSITIVE_INFINITY,
    )
  }

  /** The client is allowed, whatever it asks for. */
  allows(client: ClientAddress): boolean {
    return !this.#isEmpty && isOf(this.#allow, client)
  }

  effectOn(client: ClientAddress, host: string, target: string): 'allow' | 'refuse' | undefined {
    if (this.#isEmpty) return undefined
    const path = this.#looksAtPaths ? plainPath(target) : ''
    if (matches(this.#allow, client, host, path)) return 'allow'
    if (matches(this.#refuse, client, host, path)) return 'refuse'
    return undefined
  }
}

function side(decisions: readonly Decision[]): Side {
  return {
    networks: CidrSet.parse(decisions.flatMap((decision) => decision.cidr ?? [])).set,
    asns: new Set(decisions.flatMap((decision) => decision.asn ?? [])),
    // Read as the requests' are, so that both spell a path alike.
    paths: decisions.flatMap(({ path }) =>
      path === undefined ? [] : path.includes('?') ? path : plainPath(path),
    ),
    hosts: new Set(decisions.flatMap((decision) => decision.host ?? [])),
  }
}

function matches(side: Side, client: ClientAddress, host: string, path: string): boolean {
  return isOf(side, client) || side.hosts.has(host) || side.paths.some((prefix) => path.startsWith(prefix))
}

function isOf(side: Side, client: ClientAddress): boolean {
  return (client.asn !== 0 && side.asns.has(client.asn)) || side.networks.hasText(client.text)
}

/**
 * The path as the origin will likely read it: escapes decoded, dot segments, double slashes and path
 * parameters ("..;" is ".." to a servlet container) gone. What is no UTF-8 stays as it stands, and
 * does not keep the rest from being read.
 */
export function plainPath(target: string): string {
  const query = target.indexOf('?')
  const path = query === -1 ? target : target.slice(0, query)
  if (!/[%\\;]|\/[./]/.test(path)) return path
  const decoded = path.replace(/(?:%[0-9A-Fa-f]{2})+/g, decodeRun)
  const segments: string[] = []
  for (const parameterised of decoded.replaceAll('\\', '/').split('/')) {
    const segment = parameterised.replace(/;.*$/s, '')
    if (segment === '..') segments.pop()
    else if (segment !== '' && segment !== '.') segments.push(segment)
  }
  return `/${segments.join('/')}${decoded.endsWith('/') && segments.length > 0 ? '/' : ''}`
}

function decodeRun(run: string): string {
  try {
    return decodeURIComponent(run)
  } catch {
    return run.replace(/%[0-7][0-9A-Fa-f]/g, decodeURIComponent)
  }
}
