/** What the lists are told of the edges' reports: who comes in calm weather, and what they decided. */
import type { EdgeReport, Policy } from '#control'

/** Subscribers that a site served in calm weather; none while the operator overrides what is calm. */
export function calmSubscribers(report: EdgeReport, policy: Policy): string[] {
  if (policy.attack !== 'auto' || policy.bypass) return []
  const subscribers: string[] = []
  for (const [name, site] of Object.entries(report.sites)) {
    if ((policy.postures[name] ?? 'calm') !== 'calm') continue
    for (const { subscriber } of site.calm) subscribers.push(subscriber)
  }
  return subscribers
}

/** Requests by the list that spoke of them: as many as the records say, and their share of the records that were lost. */
export function listHits(report: EdgeReport): Record<string, number> {
  const hits = new Map<string, number>()
  const { records, recordsLost } = report
  const each = records.length === 0 ? 0 : (records.length + recordsLost) / records.length
  for (const { list } of records)
    if (list !== undefined && list !== '') hits.set(list, (hits.get(list) ?? 0) + each)
  return Object.fromEntries(hits)
}
