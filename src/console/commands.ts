/**
 * What an operator can ask of a running Digue. The command socket carries these as JSON; whoever
 * starts the socket gives the functions.
 */
import { isIP } from 'node:net'
import type { Purge } from '#cache'
import type {
  SiteStatus as BrainSiteStatus,
  Decision,
  DecisionWish,
  Policy,
  SignatureChange,
  SignatureWish,
  SiteSignaturesStatus,
} from '#control'
import type { LibraryReport } from '#edge'
import type { KernelStatus } from '#kernel'
import type { ListStatus } from '#lists'
import type { SiteFigures } from './live-figures.ts'
import type { RuleStatus } from './rule-totals.ts'
import type { Samples } from './samples.ts'

/** What the brain says of a site, with the figures of the last ten seconds. */
export interface SiteStatus
  extends BrainSiteStatus,
    Pick<SiteFigures, 'perSecond' | 'reasonsPerSecond' | 'lanesPerSecond' | 'p50Ms' | 'p99Ms'> {
  readonly hosts: readonly string[]
  readonly mode: string
}

export interface Status {
  readonly version: string
  readonly pid: number
  readonly startedAtMs: number
  readonly threads: number
  readonly ports: readonly number[]
  readonly attack: Policy['attack']
  readonly bypass: boolean
  /** The dangerous date that is near. */
  readonly armed?: Policy['armed'] | undefined
  readonly decisions: number
  readonly sites: readonly SiteStatus[]
  /** Sites beyond the first hundred, which are the busiest, are only counted. */
  readonly sitesLeftOut: number
  readonly recordsLost: number
  readonly warnings: readonly string[]
}

/** What the library of stored responses says of itself. */
export type CacheReport = LibraryReport

/** Stored pages, and what they took from the origins in the last ten seconds. */
export interface CacheStatus {
  /** Undefined: nothing is stored on any site. */
  readonly library: CacheReport | undefined
  /** Most that may be stored. */
  readonly memoryBytes: number
  readonly diskBytes: number
  readonly sites: readonly CacheSiteStatus[]
  /** Sites beyond the first hundred, which are the busiest, are only counted. */
  readonly sitesLeftOut: number
}

export interface CacheSiteStatus {
  readonly name: string
  /** False: nothing of it is stored, by `cache.enabled` or `mode: observe`. */
  readonly stores: boolean
  /** Served from the store, and by the origin. */
  readonly fromStore: SiteFigures['fromStorePerSecond']
  readonly fromOrigin: number
}

export interface Commands {
  status(): Status
  attack(mode: Policy['attack']): void
  bypass(on: boolean): void
  decisions(): readonly Decision[]
  addDecision(wish: DecisionWish): Decision
  /** False when there is none. */
  deleteDecision(id: string): boolean
  /** Of the site named, or of all; empty when there is no such site. */
  signatures(site?: string): readonly SiteSignaturesStatus[]
  /** Throws what is wrong with the wish. */
  changeSignature(wish: SignatureWish): readonly SignatureChange[]
  cache(): Promise<CacheStatus>
  /** Forgets stored responses; how many. Throws what is wrong with `what`. */
  purge(what: Readonly<Record<string, unknown>>): Promise<number>
  /** Whom the kernel drops, or why it drops nobody. */
  kernel(): Promise<KernelStatus>
  lists(): Promise<readonly ListStatus[]>
  /** Looks at one list, or at all, now. Rejects when there is no such list. */
  refreshLists(name?: string): Promise<readonly ListStatus[]>
  /** Lets a list act that was held back. Rejects when it was not. */
  releaseList(name: string): Promise<ListStatus>
  /** The operator's rules and how often each decided. */
  rules(): readonly RuleStatus[]
  /** Requests since the serial number `after`, with what they looked like; without it sampling only begins. */
  samples(after: number | undefined): Samples
  /** The address that sends most of the recent requests with forwarding fields nobody trusts, if one does. */
  diagnosis(): Diagnosis
}

export interface Diagnosis {
  /** A peer that sends most requests with forwarding fields and is not a trusted proxy; '' when none. */
  readonly untrustedForwarder: string
  readonly openDescriptors: number
  readonly connectionBudget: number | 'auto'
  readonly listen: readonly { readonly address: string; readonly port: number; readonly tls: boolean }[]
  readonly threads: number
}

/** One request on the socket. */
export type Request =
  | { readonly command: 'status' | 'decisions' | 'diagnosis' | 'cache' | 'kernel' | 'rules' | 'lists' }
  | { readonly command: 'refreshLists'; readonly name?: string }
  | { readonly command: 'releaseList'; readonly name: string }
  | { readonly command: 'samples'; readonly after?: number }
  | { readonly command: 'attack'; readonly mode: Policy['attack'] }
  | { readonly command: 'bypass'; readonly on: boolean }
  | { readonly command: 'addDecision'; readonly wish: DecisionWish }
  | { readonly command: 'deleteDecision'; readonly id: string }
  | { readonly command: 'signatures'; readonly site?: string }
  | { readonly command: 'changeSignature'; readonly wish: SignatureWish }
  | { readonly command: 'purge'; readonly what: Purge }

export type Response =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly error: string }

/** A year: a decision must end by itself while somebody remembers why it was made. */
export const LONGEST_DECISION_MS = 366 * 86_400_000

/** Runs one request that came as a line of JSON. Never throws: whoever may open the socket may send nonsense. */
export async function answer(line: string, commands: Commands): Promise<Response> {
  let request: Partial<Record<string, unknown>>
  try {
    const parsed: unknown = JSON.parse(line)
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
      return fail('expected a JSON object')
    request = parsed as Partial<Record<string, unknown>>
  } catch {
    return fail('expected one line of JSON')
  }
  try {
    switch (request['command']) {
      case 'status':
        return { ok: true, result: commands.status() }
      case 'decisions':
        return { ok: true, result: commands.decisions() }
      case 'diagnosis':
        return { ok: true, result: commands.diagnosis() }
      case 'rules':
        return { ok: true, result: commands.rules() }
      case 'samples': {
        const after = request['after']
        if (after !== undefined && !Number.isSafeInteger(after))
          return fail('after: expected a serial number')
        return { ok: true, result: commands.samples(after as number | undefined) }
      }
      case 'attack': {
        const mode = request['mode']
        if (mode !== 'on' && mode !== 'off' && mode !== 'auto')
          return fail('mode: expected "on", "off" or "auto"')
        commands.attack(mode)
        return { ok: true, result: { attack: mode } }
      }
      case 'bypass': {
        const on = request['on']
        if (typeof on !== 'boolean') return fail('on: expected true or false')
        commands.bypass(on)
        return { ok: true, result: { bypass: on } }
      }
      case 'addDecision': {
        const wish = readWish(request['wish'])
        return typeof wish === 'string' ? fail(wish) : { ok: true, result: commands.addDecision(wish) }
      }
      case 'deleteDecision': {
        const id = request['id']
        if (typeof id !== 'string') return fail('id: expected a text')
        return commands.deleteDecision(id)
          ? { ok: true, result: { deleted: id } }
          : fail(`there is no decision ${id.slice(0, 40)}; \`digue decisions list\` shows those there are`)
      }
      case 'signatures': {
        const site = request['site']
        if (site !== undefined && typeof site !== 'string') return fail('site: expected a host name')
        return { ok: true, result: commands.signatures(site) }
      }
      case 'changeSignature': {
        const wish = readSignatureWish(request['wish'])
        return typeof wish === 'string' ? fail(wish) : { ok: true, result: commands.changeSignature(wish) }
      }
      case 'cache':
        return { ok: true, result: await commands.cache() }
      case 'kernel':
        return { ok: true, result: await commands.kernel() }
      case 'lists':
        return { ok: true, result: await commands.lists() }
      case 'refreshLists': {
        const name = request['name']
        if (name !== undefined && typeof name !== 'string') return fail('name: expected the name of a list')
        return { ok: true, result: await commands.refreshLists(name) }
      }
      case 'releaseList': {
        const name = request['name']
        if (typeof name !== 'string') return fail('name: expected the name of a list')
        return { ok: true, result: await commands.releaseList(name) }
      }
      case 'purge': {
        const what = request['what']
        if (typeof what !== 'object' || what === null || Array.isArray(what))
          return fail('what: expected an object such as {"url":"www.example.org/news"}')
        return { ok: true, result: { removed: await commands.purge(what as Record<string, unknown>) } }
      }
      default:
        return fail(
          'command: expected status, attack, bypass, decisions, addDecision, deleteDecision, signatures, changeSignature, cache, purge, kernel, rules, lists, refreshLists, releaseList, samples or diagnosis',
        )
    }
  } catch (error) {
    return fail((error as Error).message)
  }
}

function fail(error: string): Response {
  return { ok: false, error }
}

/** The wish, or what is wrong with it. */
function readWish(value: unknown): DecisionWish | string {
  if (typeof value !== 'object' || value === null) return 'wish: expected an object'
  const { effect, cidr, asn, path, host, note, forMs } = value as Partial<Record<string, unknown>>
  if (effect !== 'allow' && effect !== 'refuse') return 'effect: expected "allow" or "refuse"'
  const about = [cidr, asn, path, host].filter((field) => field !== undefined)
  if (about.length !== 1) return 'expected exactly one of cidr, asn, path and host'
  if (typeof forMs !== 'number' || !(forMs >= 1000) || forMs > LONGEST_DECISION_MS)
    return 'for: expected a duration from 1s to 366d'
  if (note !== undefined && (typeof note !== 'string' || note.length > 500))
    return 'note: expected a text of at most 500 characters'
  const common = { effect, forMs, note: note ?? '' } as const
  if (cidr !== undefined) {
    if (typeof cidr !== 'string' || cidr.length > 64 || isIP(cidr.split('/')[0] ?? '') === 0)
      return 'cidr: expected a network such as "192.0.2.0/24"'
    return { ...common, cidr }
  }
  if (asn !== undefined) {
    if (typeof asn !== 'number' || !Number.isInteger(asn) || asn < 1 || asn > 4_294_967_295)
      return 'asn: expected a whole number from 1 to 4294967295'
    return { ...common, asn }
  }
  if (path !== undefined) {
    if (typeof path !== 'string' || !path.startsWith('/') || path.length > 1024)
      return 'path: expected a path prefix such as "/search"'
    return { ...common, path }
  }
  if (typeof host !== 'string' || host.length === 0 || host.length > 253) return 'host: expected a host name'
  return { ...common, host: host.toLowerCase() }
}

/** The wish, or what is wrong with it. */
function readSignatureWish(value: unknown): SignatureWish | string {
  if (typeof value !== 'object' || value === null) return 'wish: expected an object'
  const { change, id, site, note, effect } = value as Partial<Record<string, unknown>>
  if (typeof id !== 'string' || !/^s[0-9a-f]{10}$/.test(id))
    return 'id: expected one as shown by `digue signatures`, such as s3f2a91c07b'
  if (site !== undefined && typeof site !== 'string') return 'site: expected a host name'
  const common = { id, ...(site === undefined ? {} : { site }) }
  switch (change) {
    case 'pin':
    case 'release':
      return { ...common, change }
    case 'forbid':
      if (note !== undefined && (typeof note !== 'string' || note.length > 500))
        return 'note: expected a text of at most 500 characters'
      return { ...common, change, note: note ?? '' }
    case 'effect':
      if (effect !== 'weight' && effect !== 'price' && effect !== 'wait' && effect !== 'refuse')
        return 'effect: expected "weight", "price", "wait" or "refuse"'
      return { ...common, change, effect }
    default:
      return 'change: expected "pin", "forbid", "effect" or "release"'
  }
}
