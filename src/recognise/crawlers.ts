/**
 * Search engines, known by the addresses they crawl from.
 *
 * A crawler solves no puzzle, and a site that is flooded for a week must not fall out of the index. So
 * it goes with those who paid. A User-Agent proves nothing; an address does, since whoever sends from
 * it receives the answer. The engines publish their networks (crawler-ranges.ts); who publishes only
 * host names is looked up in the DNS, where the operator wants that (src/edge/crawler-dns.ts), and
 * HOSTS below says which names are whose.
 *
 * A published list ages. An engine's new network is then missing, which costs the engine a 503 in
 * overload. A network given up is worse: its next owner would be taken for the engine. So lists end by
 * themselves, after half a year where the addresses are rented and after three years where they are
 * the engine's own.
 *
 * Nearly every client is none of them, so the first look is at the first octet (or 16 bits), read
 * from the text: 20 ns and no memory, where parsing and searching take 240. README.md has the figures.
 */
import { assert } from '#kit'
import { type Cidr, CidrSet, parseAddress, parseCidr } from '#networks'
import { PUBLISHED_RANGES } from './crawler-ranges.ts'

const DAY_S = 86_400
const RENTED_DAYS = 180
const OWN_DAYS = 3 * 365

/** Name of the engine that the operator's own networks belong to. */
export const LISTED_ENGINE = 'listed'

/** A shipped list, for the status: how old, and whether it still counts. */
export interface CrawlerList {
  readonly engine: string
  readonly asOf: string
  readonly networks: number
  readonly isExpired: boolean
}

export class Crawlers {
  /** What is shipped, and whether it still counts. */
  readonly lists: readonly CrawlerList[]
  readonly #engines: { readonly engine: string; readonly set: CidrSet }[] = []
  readonly #listed: CidrSet
  /** 1 where a shipped network has an address that begins so. */
  readonly #octets = new Uint8Array(256)
  readonly #groups = new Uint8Array(65_536)

  /**
   * `listed`: the operator's further networks. `nowS` decides which of the shipped lists are too old; a
   * process that runs for months makes its `Crawlers` anew now and then.
   */
  constructor(listed: CidrSet = CidrSet.EMPTY, nowS = 0) {
    this.#listed = listed
    this.lists = PUBLISHED_RANGES.map(({ engine, asOf, isRented, networks }) => {
      const texts = networks.trim().split(/\s+/)
      const days = isRented ? RENTED_DAYS : OWN_DAYS
      const isExpired = nowS >= Date.parse(asOf) / 1000 + days * DAY_S
      if (!isExpired) this.#add(engine, texts)
      return { engine, asOf, networks: texts.length, isExpired }
    })
  }

  #add(engine: string, texts: readonly string[]): void {
    const networks: Cidr[] = []
    for (const text of texts) {
      const network = parseCidr(text)
      assert(!('fault' in network), `a shipped network is none: ${text}`)
      networks.push(network)
      const width = network.address.version === 4 ? 8 : 16
      const first = network.address.words[0]! >>> (32 - width)
      // A network shorter than `width` bits begins in several ways.
      const count = 2 ** Math.max(0, width - network.bits)
      const begins = width === 8 ? this.#octets : this.#groups
      begins.fill(1, first, first + count)
    }
    this.#engines.push({ engine, set: new CidrSet(networks) })
  }

  /** Engine that crawls from the address, such as "google"; undefined for everybody else. */
  engineOf(addressText: string): string | undefined {
    const mayBeShipped = this.#mayBe(addressText)
    if (!mayBeShipped && this.#listed.size === 0) return undefined
    const address = parseAddress(addressText)
    if (address === undefined) return undefined
    if (mayBeShipped) for (const { engine, set } of this.#engines) if (set.has(address)) return engine
    return this.#listed.has(address) ? LISTED_ENGINE : undefined
  }

  /** False: the address begins like none of what is shipped. The text is canonical, as a client's is. */
  #mayBe(text: string): boolean {
    let octet = 0
    let group = 0
    const end = Math.min(text.length, 5)
    for (let i = 0; i < end; i++) {
      const c = text.charCodeAt(i)
      if (c === DOT) return this.#octets[octet & 255] === 1
      // "::" first: a v4 address written the long way, or nothing public.
      if (c === COLON) return i === 0 || this.#groups[group & 0xffff] === 1
      octet = octet * 10 + (c - 48)
      group = group * 16 + (c <= 57 ? c - 48 : (c | 32) - 87)
    }
    return true
  }
}

const DOT = 46
const COLON = 58

/** What an engine calls itself, and the host names that its crawlers' addresses have. */
interface EngineNames {
  readonly engine: string
  /** In lower case, somewhere in the User-Agent: a hint for whom to look up, proof of nothing. */
  readonly agents: readonly string[]
  readonly hosts: readonly HostRule[]
}

/** A name below `domain`; with `first`, exactly one label below it, which begins so. */
interface HostRule {
  readonly domain: string
  readonly first?: string
}

/**
 * As the engines document them. Google's fetchers that anybody can send somewhere are called
 * google-proxy-…google.com and …gae.googleusercontent.com: hence the first labels.
 */
const HOSTS: readonly EngineNames[] = [
  {
    engine: 'google',
    agents: ['googlebot', 'googleother', 'google-inspectiontool', 'adsbot-google', 'mediapartners-google'],
    hosts: [
      { domain: 'googlebot.com', first: 'crawl-' },
      { domain: 'geo.googlebot.com', first: 'geo-crawl-' },
      { domain: 'google.com', first: 'rate-limited-proxy-' },
    ],
  },
  {
    engine: 'bing',
    agents: ['bingbot', 'adidxbot', 'msnbot'],
    hosts: [{ domain: 'search.msn.com' }],
  },
  { engine: 'apple', agents: ['applebot'], hosts: [{ domain: 'applebot.apple.com' }] },
  {
    engine: 'yandex',
    agents: ['yandex'],
    hosts: [{ domain: 'yandex.ru' }, { domain: 'yandex.net' }, { domain: 'yandex.com' }],
  },
  {
    engine: 'baidu',
    agents: ['baiduspider'],
    hosts: [{ domain: 'crawl.baidu.com' }, { domain: 'crawl.baidu.jp' }],
  },
  { engine: 'qwant', agents: ['qwantbot', 'qwantify'], hosts: [{ domain: 'qwant.com', first: 'qwantbot-' }] },
  { engine: 'mojeek', agents: ['mojeekbot'], hosts: [{ domain: 'mojeek.com' }] },
]

const AGENTS = new RegExp(HOSTS.flatMap(({ agents }) => agents).join('|'), 'i')
/** Longer ones are cut: crawlers name themselves early. */
const MOST_AGENT_CHARS = 512

/** The User-Agent names an engine whose crawlers can be looked up. Anybody can write that. */
export function namesEngine(userAgent: string): boolean {
  return AGENTS.test(userAgent.length <= MOST_AGENT_CHARS ? userAgent : userAgent.slice(0, MOST_AGENT_CHARS))
}

/** Engine whose crawlers have host names like this one; undefined for any other name. Case does not matter. */
export function engineOfHost(hostName: string): string | undefined {
  // 253: the longest name (RFC 1035 §2.3.4). Anything but letters, digits and hyphens is somebody's trick.
  if (hostName.length > 253 || !/^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/i.test(hostName)) return undefined
  const name = hostName.toLowerCase()
  for (const { engine, hosts } of HOSTS) if (hosts.some((rule) => fits(name, rule))) return engine
  return undefined
}

function fits(name: string, { domain, first }: HostRule): boolean {
  // The dot: "notgooglebot.com" is not below "googlebot.com".
  if (!name.endsWith(`.${domain}`)) return false
  if (first === undefined) return true
  const below = name.slice(0, -domain.length - 1)
  return below.startsWith(first) && !below.includes('.')
}
