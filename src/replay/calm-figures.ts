/** What the site is like in calm weather. */

import { METHODS } from './log-words.ts'
import type { Named } from './report.ts'
import type { SiteReplay } from './site-replay.ts'
import type { TopCounts } from './top-counts.ts'

export interface CalmFigures {
  readonly requests: number
  readonly clients: number
  readonly clientsError: number
  /** Of all seconds, those without requests too. */
  readonly medianPerSecond: number
  /** One second in a thousand had more. */
  readonly peakPerSecond: number
  readonly meanMs?: number
  readonly errorShare: number
  readonly refusedShare: number
  readonly assetShare: number
  readonly queryShare: number
  readonly referrerShare: number
  /** Mean requests per second, Monday 0 h to Sunday 23 h in the time zone; null where the log has no such hour. */
  readonly week: readonly (number | null)[]
  readonly networks: readonly (Named & { readonly asn: number; readonly operator: string })[]
  readonly countries: readonly { readonly country: string; readonly share: number }[]
  readonly agents: readonly Named[]
  readonly routes: readonly Named[]
  readonly methods: readonly Named[]
  /** Other sites; shares are of the requests that name one. */
  readonly referrers: readonly Named[]
}

export interface Names {
  operatorOf(asn: number): string
  countryOf(address: string): string
}

const TOP = 10

export function calmFigures(site: SiteReplay, names: Names): CalmFigures {
  const { calm, load, calmClients } = site
  return {
    requests: calm.requests,
    clients: calmClients.distinct,
    clientsError: calmClients.error,
    medianPerSecond: load.typical,
    peakPerSecond: load.calmPeak,
    ...(calm.timed > 0 ? { meanMs: calm.durationMs / calm.timed } : {}),
    errorShare: calm.share('failed'),
    refusedShare: calm.share('refused'),
    assetShare: calm.share('assets'),
    queryShare: calm.share('withQuery'),
    referrerShare: calm.share('withReferrer'),
    week: site.week.rates.map((rate) => rate ?? null),
    networks: networksOf(calm.asns, names, TOP),
    countries: countriesOf(site, names),
    agents: named(calm.agents, TOP),
    routes: named(calm.routes, TOP),
    methods: calm.methods
      .map((requests, i) => ({
        name: METHODS[i] || 'no request',
        requests,
        share: requests / Math.max(1, calm.requests),
      }))
      .filter(({ requests }) => requests > 0)
      .sort((a, b) => b.requests - a.requests),
    referrers: named(calm.referrers, TOP),
  }
}

export function named(counts: TopCounts<string>, count: number, calm?: TopCounts<string>): Named[] {
  return counts.top(count).map(({ key, count: requests }) => ({
    name: key,
    requests,
    share: requests / Math.max(1, counts.total),
    ...(calm !== undefined && calm.total > 0 ? { calmShare: calm.shareOf(key) } : {}),
  }))
}

export function networksOf(
  counts: TopCounts<number>,
  names: Names,
  count: number,
  calm?: TopCounts<number>,
): (Named & { asn: number; operator: string })[] {
  return counts.top(count).map(({ key: asn, count: requests }) => ({
    asn,
    operator: names.operatorOf(asn),
    name: asn === 0 ? 'unknown' : `AS${asn}`,
    requests,
    share: requests / Math.max(1, counts.total),
    ...(calm !== undefined && calm.total > 0 ? { calmShare: calm.shareOf(asn) } : {}),
  }))
}

/** By distinct clients, of the sample. */
export function countryShares(
  clients: readonly { readonly client: { readonly text: string } }[],
  names: Names,
): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { client } of clients) {
    const country = names.countryOf(client.text)
    if (country !== '') counts.set(country, (counts.get(country) ?? 0) + 1)
  }
  for (const [country, count] of counts) counts.set(country, count / clients.length)
  return new Map([...counts].sort((a, b) => b[1] - a[1]))
}

function countriesOf(site: SiteReplay, names: Names): { country: string; share: number }[] {
  return [...countryShares(site.calmClients.clients, names)]
    .slice(0, TOP)
    .map(([country, share]) => ({ country, share }))
}
