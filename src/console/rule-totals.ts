/** How often each of the operator's rules decided: since the start, and in the last minute. */
import type { RuleTally } from '#control'
import type { Effect } from '#recognise'

export interface RuleStatus {
  readonly site: string
  readonly name: string
  readonly when: string
  readonly effect: Effect
  readonly until: string | null
  readonly note: string
  /** That it decided, since the start and in the last whole minute. */
  readonly requests: number
  readonly lastMinute: number
  /** It could not be evaluated, and so did not fit: a fault of Digue. */
  readonly failed: number
}

/** What is asked of a configuration. */
export interface SiteRules {
  readonly hosts: readonly string[]
  readonly rules: readonly {
    readonly name: string
    readonly when: string
    readonly then: Effect
    readonly until?: string | undefined
    readonly note?: string | undefined
  }[]
}

interface Total {
  requests: number
  failed: number
  minute: number
  lastMinute: number
}

const MINUTE_MS = 60_000

/** Bounded by the configuration: what no rule of it is called is dropped at `keepOnly`. */
export class RuleTotals {
  readonly #sites = new Map<string, Map<string, Total>>()
  #minuteEndsMs = 0

  take(site: string, tallies: readonly RuleTally[], nowMs: number): void {
    this.#turn(nowMs)
    let totals = this.#sites.get(site)
    if (totals === undefined) this.#sites.set(site, (totals = new Map()))
    for (const { name, fitted, failed } of tallies) {
      let total = totals.get(name)
      if (total === undefined)
        totals.set(name, (total = { requests: 0, failed: 0, minute: 0, lastMinute: 0 }))
      total.requests += fitted
      total.minute += fitted
      total.failed += failed
    }
  }

  keepOnly(sites: readonly SiteRules[]): void {
    const named = new Map(
      sites.map(({ hosts, rules }) => [hosts[0]!, new Set(rules.map(({ name }) => name))]),
    )
    for (const [site, totals] of this.#sites) {
      const names = named.get(site)
      if (names === undefined) this.#sites.delete(site)
      else for (const name of totals.keys()) if (!names.has(name)) totals.delete(name)
    }
  }

  status(sites: readonly SiteRules[], nowMs: number): RuleStatus[] {
    this.#turn(nowMs)
    return sites.flatMap(({ hosts, rules }) =>
      rules.map(({ name, when, then: effect, until, note }) => {
        const total = this.#sites.get(hosts[0]!)?.get(name)
        return {
          site: hosts[0]!,
          name,
          when,
          effect,
          until: until ?? null,
          note: note ?? '',
          requests: total?.requests ?? 0,
          lastMinute: total?.lastMinute ?? 0,
          failed: total?.failed ?? 0,
        }
      }),
    )
  }

  #turn(nowMs: number): void {
    if (nowMs < this.#minuteEndsMs) return
    // After a silence of more than a minute nothing is the last one's.
    const isNext = nowMs < this.#minuteEndsMs + MINUTE_MS
    this.#minuteEndsMs = nowMs + MINUTE_MS
    for (const totals of this.#sites.values())
      for (const total of totals.values()) {
        total.lastMinute = isNext ? total.minute : 0
        total.minute = 0
      }
  }
}
