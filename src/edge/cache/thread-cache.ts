/** An edge thread's cache put together: shelf, line to the library, desk. */
import type { MessagePort } from 'node:worker_threads'
import { type CacheRules, Flights, Parameters, Warming } from '#cache'
import type { CacheConfig } from '#config'
import { parseHost } from '#http'
import type { EdgeHouse, SiteRuntime } from '../house.ts'
import { SumDeltas } from '../sum-deltas.ts'
import { CacheDesk, type CacheHost, type SiteCache } from './cache-desk.ts'
import { cacheRulesOf } from './cache-rules.ts'
import { KeySummary } from './key-summary.ts'
import { LibraryPort } from './library-port.ts'
import type { Sight } from './library-protocol.ts'
import { Shelf } from './shelf.ts'

/** Of an origin with nothing else to do. */
const WARMED_PER_SECOND = 5

/** What was learned of parameters is told to the library so often, by one thread: a restart may come at any time. */
const LEARNED_MS = 60_000

/** What the main side gives a thread for it. */
export interface CacheStart {
  readonly port: MessagePort
  /** Of the keys on disk. */
  readonly summary: SharedArrayBuffer
  readonly flights: SharedArrayBuffer
  readonly memoryBytes: number
  /** The library has begun. */
  readonly isAwake: boolean
}

export class ThreadCache {
  readonly desk: CacheDesk
  readonly #library: LibraryPort
  readonly #sums = new SumDeltas('cache-')
  readonly #house: EdgeHouse
  readonly #sites = new WeakMap<SiteRuntime, { readonly config: CacheConfig; readonly cache: SiteCache }>()
  readonly #timer: NodeJS.Timeout | undefined

  /** `wake`: has the library begin, when it has not. */
  constructor(start: CacheStart, thread: number, house: EdgeHouse, host: CacheHost, wake: () => void) {
    this.#house = house
    const count = (counter: string) => house.count(counter)
    const shelf = new Shelf({
      memoryBytes: start.memoryBytes,
      rulesOf: (key) => this.#rulesOf(key),
      count,
    })
    const summary = new KeySummary(start.summary)
    const handlers = {
      kept: (response) => this.desk.kept(response),
      dropped: (ids) => this.desk.dropped(ids),
      invalidated: (keys) => this.desk.invalidated(keys),
      purged: (what) => this.desk.purged(what),
      found: (key, responses) => this.desk.found(key, responses),
      landed: (key) => this.desk.landedElsewhere(key),
      seen: (sight) => this.#learn(sight),
      learned: ({ site, snapshot }) => this.#restore(site, snapshot),
      shelf: () => shelf.responses(),
    } satisfies ConstructorParameters<typeof LibraryPort>[1]
    this.#library = new LibraryPort(start.port, handlers, start.isAwake ? undefined : wake)
    this.desk = new CacheDesk({
      host,
      shelf,
      library: this.#library,
      flights: new Flights(start.flights, thread),
      mayBeOnDisk: (key) => summary.mayBeOnDisk(key),
      siteOf: (site) => this.#siteOf(site),
      count,
      nowMs: () => Date.now(),
      monotonicMs: () => performance.now(),
    })
    if (thread === 0) this.#timer = setInterval(() => this.#tellLearned(), LEARNED_MS)
  }

  /** The library was started again. */
  replacePort(port: MessagePort): void {
    this.#library.replace(port)
  }

  /** Of the line to the library, since they were last taken. */
  takeCounters(): Record<string, number> {
    return this.#sums.take({ ...this.#library.counters })
  }

  close(): void {
    if (this.#timer !== undefined) this.#tellLearned()
    clearInterval(this.#timer)
    this.#library.close()
  }

  #learn({ site, target, digest, status, atMs, variant }: Sight): void {
    const runtime = this.#house.sites.get(site)
    if (runtime !== undefined) this.#siteOf(runtime).parameters.learn(target, digest, status, atMs, variant)
  }

  #restore(site: string, snapshot: string): void {
    const runtime = this.#house.sites.get(site)
    if (runtime !== undefined) this.#siteOf(runtime).parameters.restore(parsed(snapshot))
  }

  #tellLearned(): void {
    for (const site of this.#house.sites.values()) {
      const snapshot = this.#sites.get(site)?.cache.parameters.toJSON()
      if (snapshot !== undefined && snapshot.paths.length > 0)
        this.#library.learned({ site: site.name, snapshot: JSON.stringify(snapshot) })
    }
  }

  /** A reload makes new rules; what was learned stays, for the reload may be in the middle of a flood. */
  #siteOf(site: SiteRuntime): SiteCache {
    const config = site.config.cache
    const known = this.#sites.get(site)
    if (known?.config === config) return known.cache
    const parameters = new Parameters({ known: config.parameters })
    if (known !== undefined) parameters.restore(known.cache.parameters.toJSON())
    const warming = known?.cache.warming ?? new Warming({ mostPerSecond: WARMED_PER_SECOND })
    const cache = { rules: cacheRulesOf(config), parameters, warming }
    this.#sites.set(site, { config, cache })
    return cache
  }

  /** A key begins with its scheme and host (`cacheKey`). */
  #rulesOf(key: string): CacheRules | undefined {
    const from = key.indexOf('://') + 3
    const host = parseHost(key.slice(from, key.indexOf('/', from)))
    const site = host === undefined ? undefined : this.#house.findSite(host)
    return site?.config.cache.enabled === true ? this.#siteOf(site).rules : undefined
  }
}

/** From disk, where anything may have happened to it. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
