/**
 * Forward-confirmed reverse DNS: is this address a search engine's crawler?
 *
 * Some engines publish no networks, only host names (Yandex, Baidu), and published networks age. An
 * address has the name that whoever runs it gave it (PTR), so the name alone proves nothing; but who
 * owns "yandex.com" decides which addresses "5-255-253-25.spider.yandex.com" has (A, AAAA). Where the
 * two agree, the engine has spoken. So do Google, Bing, Apple, Yandex, Baidu, Qwant and Mojeek tell site
 * owners to check.
 *
 * No request waits for it. The first one of an unknown address goes on as a stranger's; when the answer
 * is there, the next one is known. A User-Agent decides only whether it is worth asking, for anybody can
 * claim to be an engine: so the askers are bounded, in pace, in how many are under way, and in how many
 * wait. A flood of claims fills the line and new crawlers are then not found out; those met in calm
 * weather are remembered for a day, apart from the refuted, which a flood can make forgotten.
 *
 * An outbound call: off unless the operator wants it. The resolver learns the addresses asked for, and
 * so does whoever runs their reverse zone, who may answer with anything, slowly, or never.
 */
import { Resolver } from 'node:dns/promises'
import { BoundedMap } from '#kit'
import { type Address, formatAddress, parseAddress } from '#networks'
import { engineOfHost, namesEngine } from '#recognise'

/** What of `node:dns/promises`' Resolver is used. PTR by name: `reverse()` would read /etc/hosts first. */
export interface NameLookups {
  resolvePtr(name: string): Promise<string[]>
  resolve4(name: string): Promise<string[]>
  resolve6(name: string): Promise<string[]>
}

/** The system's name servers, with an end to every question. */
export function systemLookups(): Resolver {
  return new Resolver({ timeout: 2000, tries: 2, maxTimeout: 4000 })
}

export interface CrawlerDnsOptions {
  readonly perSecond?: number
  readonly atOnce?: number
  readonly mostWaiting?: number
  readonly mostProven?: number
  readonly mostRefuted?: number
}

const PROVEN_MS = 24 * 3600_000
/** In its last quarter a proof is renewed, so that a flood cannot keep a crawler from being asked about again. */
const RENEW_MS = PROVEN_MS / 4
const REFUTED_MS = 3600_000
/** No answer is no answer: asked again sooner. */
const FAILED_MS = 5 * 60_000
/** A resolver that never settles must not keep its place. */
const GIVEN_UP_MS = 15_000
/** May be asked at once after a rest. */
const BURST = 4
/** An address with more names than this has something else in mind. */
const MOST_NAMES = 8
const MOST_FORWARD = 2

/** All since the start; for the metrics. */
export interface CrawlerDnsCounters {
  asked: number
  proven: number
  refuted: number
  /** The name servers gave no answer. */
  failed: number
  /** Not asked: too many waited. */
  crowdedOut: number
}

interface Proof {
  readonly engine: string
  readonly untilMs: number
}

interface Question {
  readonly address: Address
  readonly startedMs: number
}

export class CrawlerDns {
  readonly counters: CrawlerDnsCounters = { asked: 0, proven: 0, refuted: 0, failed: 0, crowdedOut: 0 }
  readonly #lookups: NameLookups
  readonly #perSecond: number
  readonly #atOnce: number
  readonly #mostWaiting: number
  readonly #proven: BoundedMap<string, Proof>
  /** Until when an address is not asked about again. */
  readonly #refuted: BoundedMap<string, number>
  /** First in, first asked. */
  readonly #waiting = new Set<string>()
  readonly #underWay = new Map<string, Question>()
  #allowance = BURST
  #nowMs = 0

  constructor(lookups: NameLookups, options: CrawlerDnsOptions = {}) {
    const { perSecond = 2, atOnce = 8, mostWaiting = 64, mostProven = 4096, mostRefuted = 16_384 } = options
    this.#lookups = lookups
    this.#perSecond = perSecond
    this.#atOnce = atOnce
    this.#mostWaiting = mostWaiting
    this.#proven = new BoundedMap(mostProven)
    this.#refuted = new BoundedMap(mostRefuted)
  }

  /** Addresses that are being asked about. */
  get underWay(): number {
    return this.#underWay.size
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * Engine whose crawler the address is, as far as is known now; if not, and the User-Agent names one, it
   * will be asked. Call it in calm weather too: what is known then counts in the flood.
   */
  engineOf(addressText: string, userAgent: string, nowMs: number): string | undefined {
    const proof = this.#proven.get(addressText)
    if (proof !== undefined && nowMs < proof.untilMs) {
      if (nowMs >= proof.untilMs - RENEW_MS) this.#want(addressText, nowMs)
      return proof.engine
    }
    // Cheapest first: nearly nobody claims to be an engine.
    if (namesEngine(userAgent)) this.#want(addressText, nowMs)
    return undefined
  }

  /** To be called about every second: asks those who wait. */
  tick(nowMs: number): void {
    for (const [text, question] of this.#underWay) {
      if (nowMs - question.startedMs >= GIVEN_UP_MS) this.#settle(text, question, 'failed')
    }
    this.#start(nowMs)
  }

  #want(text: string, nowMs: number): void {
    if (nowMs < (this.#refuted.get(text) ?? 0)) return
    if (this.#waiting.has(text) || this.#underWay.has(text)) return
    if (this.#waiting.size >= this.#mostWaiting) {
      this.counters.crowdedOut++
      return
    }
    this.#waiting.add(text)
    this.#start(nowMs)
  }

  #start(nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.#nowMs)
    this.#nowMs = Math.max(nowMs, this.#nowMs)
    this.#allowance = Math.min(BURST, this.#allowance + (elapsedMs * this.#perSecond) / 1000)
    for (const text of this.#waiting) {
      if (this.#allowance < 1 || this.#underWay.size >= this.#atOnce) return
      this.#waiting.delete(text)
      const address = parseAddress(text)
      if (address === undefined) continue
      this.#allowance--
      this.counters.asked++
      const question: Question = { address, startedMs: this.#nowMs }
      this.#underWay.set(text, question)
      confirmedEngine(this.#lookups, address).then(
        (engine) => this.#settle(text, question, engine),
        (error: unknown) => this.#settle(text, question, saysNo(error) ? undefined : 'failed'),
      )
    }
  }

  /** `answer`: the engine, undefined for nobody's, or that there was none. */
  #settle(text: string, question: Question, answer: string | undefined | 'failed'): void {
    // Given up before, and perhaps asked anew.
    if (this.#underWay.get(text) !== question) return
    this.#underWay.delete(text)
    const nowMs = this.#nowMs
    if (answer === 'failed') {
      this.counters.failed++
      // A proof stays what it is until it runs out.
      this.#refuted.set(text, nowMs + FAILED_MS)
    } else if (answer === undefined) {
      this.counters.refuted++
      this.#proven.delete(text)
      this.#refuted.set(text, nowMs + REFUTED_MS)
    } else {
      this.counters.proven++
      this.#refuted.delete(text)
      this.#proven.set(text, { engine: answer, untilMs: nowMs + PROVEN_MS })
    }
  }
}

/** Engine by the address's name and the name's addresses; undefined when they do not agree on one. */
async function confirmedEngine(lookups: NameLookups, address: Address): Promise<string | undefined> {
  const names = await lookups.resolvePtr(reverseName(address))
  const text = formatAddress(address)
  let forward = 0
  for (const name of names.slice(0, MOST_NAMES)) {
    const engine = engineOfHost(name)
    if (engine === undefined) continue
    if (++forward > MOST_FORWARD) return undefined
    const addresses = await (address.version === 4 ? lookups.resolve4(name) : lookups.resolve6(name))
    for (const found of addresses) {
      const parsed = parseAddress(found)
      if (parsed !== undefined && formatAddress(parsed) === text) return engine
    }
  }
  return undefined
}

/** "1.66.249.66.in-addr.arpa" (RFC 1035 §3.5), "….ip6.arpa" (RFC 3596 §2.5). */
export function reverseName(address: Address): string {
  if (address.version === 4) return `${formatAddress(address).split('.').reverse().join('.')}.in-addr.arpa`
  const digits = address.words.map((word) => word.toString(16).padStart(8, '0')).join('')
  return `${[...digits].reverse().join('.')}.ip6.arpa`
}

/** The name servers answered that there is no such name or record, or with what is no name at all. */
function saysNo(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return code === 'ENOTFOUND' || code === 'ENODATA' || code === 'EBADNAME'
}
