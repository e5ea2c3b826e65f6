/** Makes the report of a replay that has ended. */
import { calmFigures, countryShares, type Names, named, networksOf } from './calm-figures.ts'
import { type Incident, TAIL_S } from './incident.ts'
import type { Replay } from './replay.ts'
import type { FileFigures, IncidentFigures, ReplayReport, SiteFigures } from './report.ts'
import type { SiteReplay } from './site-replay.ts'
import { verdictOf } from './verdict.ts'

export interface ReportOptions {
  readonly files: readonly FileFigures[]
  readonly madeAtMs: number
  readonly timeZone: string
  readonly networks: 'operator' | 'bundled' | 'none'
  readonly names: Names
  readonly capacity?: number
  /** Sites for which a learned baseline was given. */
  readonly hasBaseline: boolean
}

const TOP = 10
/** Live, an address that is refused a hundred times in five seconds hammers. */
const HAMMERING_PER_S = 5
const LEAST_HAMMERING = 100
/** One client may be most of a quiet site. */
const LEAST_OF_PROXY = 1000

export function reportOf(replay: Replay, options: ReportOptions): ReplayReport {
  const sites = [...replay.sites.values()]
    .filter((site) => site.requests > 0)
    .sort((a, b) => b.incidents.length - a.incidents.length || b.requests - a.requests)
  const { requests, outside, noAddress, late, stray, hurried } = replay.counters
  return {
    format: 'digue-replay',
    version: 1,
    madeAtMs: options.madeAtMs,
    timeZone: options.timeZone,
    files: options.files,
    requests,
    outside,
    noAddress,
    late,
    stray,
    hurried,
    hostsLeftOut: replay.hostsLeftOut,
    networks: options.networks,
    sites: sites.map((site) => siteFigures(site, options)),
    limits: limitsOf(replay, sites, options),
  }
}

function siteFigures(site: SiteReplay, options: ReportOptions): SiteFigures {
  const { load } = site
  const pages = site.pages.candidates(20)
  const all = site.pages.candidates(Number.POSITIVE_INFINITY)
  return {
    name: site.name,
    requests: site.requests,
    firstAtMs: site.firstAtMs,
    lastAtMs: site.lastAtMs,
    ...(Number.isFinite(load.capacity) ? { capacity: load.capacity } : {}),
    capacityIsGiven: options.capacity !== undefined,
    calm: calmFigures(site, options.names),
    incidents: site.incidents.map((incident) => incidentFigures(incident, site, options.names)),
    incidentsLeftOut: site.incidentsLeftOut,
    burstSeconds: site.burstSeconds,
    troubles: site.troubles.map(({ fromS, toS, seconds, requests, overloaded }) => ({
      fromMs: fromS * 1000,
      toMs: (toS + 1) * 1000,
      seconds,
      requests,
      overloadedShare: overloaded / Math.max(1, requests),
    })),
    pages,
    storableShare: all.reduce((sum, page) => sum + page.requests, 0) / Math.max(1, site.calm.requests),
    timeline: site.timeline.steps,
  }
}

function incidentFigures(incident: Incident, site: SiteReplay, names: Names): IncidentFigures {
  const { shape, sampled } = incident
  const { calm } = site
  const { clients } = incident.clients
  const seconds = incident.seconds
  const calmCountries = countryShares(site.calmClients.clients, names)
  const { verdict, reasons } = verdictOf(incident, calm)
  const statuses = [...incident.statuses].sort((a, b) => b[1] - a[1]).slice(0, TOP)
  return {
    onsetMs: incident.onsetS * 1000,
    precisionS: incident.precisionS,
    endMs: (incident.lastS + 1) * 1000,
    durationS: incident.lastS + 1 - incident.onsetS,
    waves: incident.waves,
    requests: shape.requests,
    bytes: shape.bytes,
    peakPerSecond: incident.peak,
    peakAtMs: incident.peakS * 1000,
    meanPerSecond: shape.requests / Math.max(1, seconds + incident.waves * TAIL_S),
    calmPerSecond: incident.before,
    clients: incident.clients.distinct,
    clientsError: incident.clients.error,
    knownClientsShare: clients.filter((one) => one.wasKnown).length / Math.max(1, clients.length),
    ...(incident.strainedS !== undefined ? { strainedAtMs: incident.strainedS * 1000 } : {}),
    ...(incident.floodedS !== undefined ? { floodedAtMs: incident.floodedS * 1000 } : {}),
    networks: networksOf(shape.asns, names, TOP, calm.asns),
    prefixes: named(shape.prefixes!, TOP),
    countries: [...countryShares(clients, names)].slice(0, TOP).map(([country, share]) => ({
      country,
      share,
      ...(calm.requests > 0 ? { calmShare: calmCountries.get(country) ?? 0 } : {}),
    })),
    routes: named(shape.routes, TOP, calm.routes),
    agents: named(shape.agents, TOP, calm.agents),
    agentTexts: named(shape.agentTexts!, 5),
    referrers: named(shape.referrers, 5, calm.referrers),
    statuses: statuses.map(([status, requests]) => ({
      name: status === 0 ? 'no answer' : String(status),
      requests,
      share: requests / Math.max(1, shape.requests),
    })),
    hammering: hammering(incident, seconds),
    signatures: [...incident.signatures.values()]
      .map(({ signature, firstS, requests }) => ({
        id: signature.id,
        terms: signature.terms,
        reason: signature.reason,
        firstAtMs: firstS * 1000,
        secondsAfterOnset: Math.max(0, firstS - incident.onsetS),
        support: signature.support,
        baseline: signature.baseline,
        lift: signature.lift,
        visitors: signature.visitors,
        coveredShare: requests / Math.max(1, sampled.whileSigned),
      }))
      .sort((a, b) => b.coveredShare - a.coveredShare),
    signaturesLeftOut: incident.signaturesLeftOut,
    signedShare: sampled.signed / Math.max(1, sampled.whileSigned),
    knownTouchedShare: sampled.knownSigned / Math.max(1, sampled.knownWhileSigned),
    knownLookedAt: sampled.knownWhileSigned,
    storableShare: incident.forStorable / Math.max(1, shape.requests),
    looksLike: verdict,
    reasons,
    timeline: incident.timeline.steps,
    lacking: Math.max(shape.asns.lacking, shape.routes.lacking, shape.addresses!.lacking),
  }
}

function hammering(incident: Incident, seconds: number) {
  const least = Math.max(LEAST_HAMMERING, HAMMERING_PER_S * Math.min(60, seconds))
  return incident.shape
    .addresses!.top(20)
    .filter(({ count }) => count >= least)
    .map(({ key, count }) => ({
      address: key.text,
      asn: key.asn,
      requests: count,
      perSecond: count / seconds,
    }))
}

function limitsOf(replay: Replay, sites: readonly SiteReplay[], options: ReportOptions): string[] {
  const limits = [
    'A log shows no TLS, no order of header fields, no HTTP/2 settings and hardly ever cookies: live, Digue has seven more traits to tell a flood by.',
    'Nobody waits in a log: that a site had too much to do is a model of its capacity, not a measurement.',
    'Source networks are relays of the requests, not their authors.',
  ]
  for (const site of sites) {
    const { requests } = site.calm
    const proxy = site.calmClients.clients.find((one) => 2 * one.requests > requests)
    if (proxy !== undefined && requests >= LEAST_OF_PROXY)
      limits.push(
        `${site.name}: more than half of the requests come from ${proxy.client.text}. If that is a balancer or a CDN, log the address of the client that it passes on: nothing that is said of clients and networks is right otherwise.`,
      )
  }
  if (!options.hasBaseline) {
    for (const site of sites) {
      const first = site.incidents[0]
      if (first !== undefined && first.onsetS - site.firstAtMs / 1000 < 600)
        limits.push(
          `${site.name}: its first incident begins less than ten minutes into the log, so there is little calm weather to compare with. Give an older log, or --baseline.`,
        )
    }
    if (sites.some((site) => site.load.calmSeconds < 60))
      limits.push(
        'With less than a minute of calm weather nothing is judged: give an older log, or --baseline.',
      )
  }
  if (options.networks === 'none') limits.push('Without network data nothing is said of networks.')
  if (replay.counters.hurried > 0)
    limits.push(
      `In ${replay.counters.hurried} seconds there were more requests than the window holds: lines that came later than others of their second were counted, not judged.`,
    )
  return limits
}
