/**
 * Calm-weather shares over all sites, for what comes before a site is known: connections and TLS
 * handshakes. The mean of the sites' shares, each weighted by how many uses it was learned from.
 *
 * The heaviest of each site are kept from its last publication, twice as many in all as the table has
 * room for: eighty thousand subscribers of each of a hundred sites, sorted anew each minute, would
 * stop the brain for seconds.
 */
import { WeightTable } from '#admission'
import type { HashKey } from '#kit'

/** Pairs of a hash and a share, the weightiest first, as `Baseline.shares` gives them. */
export type Shares = readonly (readonly [hash: number, share: number])[]

export interface SiteShares {
  readonly uses: number
  readonly hashes: Int32Array
  readonly shares: Float32Array
}

/** Shares are published so often, and while much is learned sooner. */
export const PUBLISH_EVERY_MS = 60_000
export const PUBLISH_SOONEST_MS = 5000
const LEAST_PER_SITE = 256

export class OverallWeights {
  readonly table: WeightTable
  readonly #kept: number
  readonly #sites = new Map<string, SiteShares>()
  #isStale = false
  #publishedAtMs = Number.NEGATIVE_INFINITY
  #publishedUses = 0

  constructor(key: HashKey, slots: number) {
    this.table = WeightTable.create({ slots, key })
    this.#kept = Math.floor((slots * 4) / 3)
  }

  /** A site's shares are new; `siteCount` is how many sites have to find room here. */
  put(name: string, shares: Shares, uses: number, siteCount: number): void {
    const kept = shares.slice(0, Math.max(LEAST_PER_SITE, Math.floor(this.#kept / siteCount)))
    this.#sites.set(name, {
      uses,
      hashes: Int32Array.from(kept, ([hash]) => hash),
      shares: Float32Array.from(kept, ([, share]) => share),
    })
    this.#isStale = true
  }

  /** Forgets sites that are no more. */
  keepOnly(names: readonly string[]): void {
    for (const name of this.#sites.keys()) if (!names.includes(name)) this.#isStale = this.#sites.delete(name)
  }

  /** Puts what is new in force: once a minute, sooner while much is learned. */
  tick(nowMs: number): void {
    if (!this.#isStale) return
    let uses = 0
    for (const site of this.#sites.values()) uses += site.uses
    const sinceMs = nowMs - this.#publishedAtMs
    const isDue = sinceMs >= (uses > 1.25 * this.#publishedUses ? PUBLISH_SOONEST_MS : PUBLISH_EVERY_MS)
    // A clock that was set back must not delay it for as long.
    if (!isDue && sinceMs >= 0) return
    this.table.publish(meanShares([...this.#sites.values()]))
    this.#isStale = false
    this.#publishedAtMs = nowMs
    this.#publishedUses = uses
  }
}

/** The mean of several sites' shares, weighted by uses; the weightiest first. */
export function meanShares(sites: readonly SiteShares[]): [hash: number, share: number][] {
  const total = sites.reduce((sum, { uses }) => sum + uses, 0)
  const mean = new Map<number, number>()
  for (const { uses, hashes, shares } of sites)
    for (let i = 0; i < hashes.length; i++)
      mean.set(hashes[i]!, (mean.get(hashes[i]!) ?? 0) + (shares[i]! * uses) / total)
  return [...mean].sort((a, b) => b[1] - a[1])
}
