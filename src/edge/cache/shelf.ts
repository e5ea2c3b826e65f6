/**
 * What an edge thread can serve at once: its view of what the library keeps in memory. The bodies lie in
 * memory that all threads share; what is this thread's own is the look-up and what was parsed for it.
 *
 * The library bounds it. Should the library be gone, the shelf goes on by itself, up to a quarter more than
 * the library would keep, first in first out.
 */
import { type CacheRules, type Purge, purges, Stored, type StoredResponse, storedBytes } from '#cache'

/** The library's messages are under way for a while. */
const BEYOND_LIBRARY = 1.25
/** Of one page: an origin may vary it by what clients make up. */
const MOST_VARIANTS = 64

export interface ShelfOptions {
  /** What the library keeps in memory. */
  readonly memoryBytes: number
  /** Rules of the site that a key belongs to; undefined when there is none any more, or it keeps nothing. */
  readonly rulesOf: (key: string) => CacheRules | undefined
  readonly count: (counter: string) => void
}

const NONE: readonly Stored[] = []

export class Shelf {
  readonly #options: ShelfOptions
  /** Variants by primary key, in the order in which keys came. */
  readonly #byKey = new Map<string, Stored[]>()
  #bytes = 0

  constructor(options: ShelfOptions) {
    this.#options = options
  }

  get bytes(): number {
    return this.#bytes
  }

  get keys(): number {
    return this.#byKey.size
  }

  *responses(): Iterable<StoredResponse> {
    for (const variants of this.#byKey.values()) for (const { response } of variants) yield response
  }

  /** All variants under a key. */
  get(key: string): readonly Stored[] {
    return this.#byKey.get(key) ?? NONE
  }

  /**
   * In place of an older one of the same key and variant. What serves from now on: it, or a younger one that was
   * there; undefined when it may not be stored any more.
   */
  put(response: StoredResponse): Stored | undefined {
    const rules = this.#options.rulesOf(response.key)
    if (rules === undefined) return undefined
    const variants = this.#byKey.get(response.key)
    const at = variants?.findIndex(({ response: { variant } }) => variant === response.variant) ?? -1
    if (at >= 0 && variants![at]!.response.receivedAtMs > response.receivedAtMs) return variants![at]
    const stored = new Stored(response, rules)
    if (!stored.isStorable) return undefined
    if (variants === undefined) this.#byKey.set(response.key, [stored])
    else if (at >= 0) {
      this.#bytes -= storedBytes(variants[at]!.response)
      variants[at] = stored
    } else {
      if (variants.length >= MOST_VARIANTS) {
        this.#options.count('cache-variants-full')
        this.#bytes -= storedBytes(variants.shift()!.response)
      }
      variants.push(stored)
    }
    this.#bytes += storedBytes(response)
    this.#keepWithin()
    return stored
  }

  drop(key: string, variant: string): void {
    const variants = this.#byKey.get(key)
    const at = variants?.findIndex(({ response }) => response.variant === variant) ?? -1
    if (at < 0) return
    this.#bytes -= storedBytes(variants![at]!.response)
    variants!.splice(at, 1)
    if (variants!.length === 0) this.#byKey.delete(key)
  }

  /** With all its variants. */
  remove(key: string): void {
    for (const { response } of this.get(key)) this.#bytes -= storedBytes(response)
    this.#byKey.delete(key)
  }

  purge(what: Purge): void {
    for (const variants of [...this.#byKey.values()])
      for (const { response } of [...variants])
        if (purges(what, response)) this.drop(response.key, response.variant)
  }

  /** The rules may have changed. */
  configured(): void {
    const all = [...this.responses()]
    this.#byKey.clear()
    this.#bytes = 0
    for (const response of all) this.put(response)
  }

  #keepWithin(): void {
    for (const key of this.#byKey.keys()) {
      if (this.#bytes <= this.#options.memoryBytes * BEYOND_LIBRARY) return
      this.#options.count('cache-shelf-full')
      this.remove(key)
    }
  }
}
