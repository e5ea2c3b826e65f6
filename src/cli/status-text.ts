/** `digue status` for people: are visitors served, what is shed and why, how is the origin. */
import type { SiteStatus, Status } from '#console'
import { formatRate, formatShare, formatSpan, plain, table } from './output.ts'

export function statusText(status: Status, nowMs: number): string {
  const { ports, threads } = status
  // The command socket is there first: it may be asked before any port is open.
  const serving =
    ports.length === 0
      ? 'starting, no port is open yet'
      : `${threads} edge ${threads === 1 ? 'thread' : 'threads'} on ${ports.length === 1 ? 'port' : 'ports'} ${ports.join(', ')}`
  const lines = [
    `Digue ${status.version}, process ${status.pid}, up ${formatSpan(nowMs - status.startedAtMs)}, ${serving}`,
  ]
  if (status.bypass) lines.push('BYPASS IS ON: everything passes. `digue bypass off` ends it.')
  if (status.attack !== 'auto')
    lines.push(`Attack mode is ${status.attack} by hand. \`digue attack auto\` gives it back to Digue.`)
  if (status.armed)
    lines.push(
      `Armed for ${plain(status.armed.name)} until ${new Date(status.armed.until).toISOString()}: stored pages are kept fresh, overload is believed sooner.`,
    )
  if (status.decisions > 0)
    lines.push(`${status.decisions} of your decisions in force (\`digue decisions list\`).`)
  for (const warning of status.warnings) lines.push(`! ${plain(warning)}`)
  lines.push('')
  const rows = [
    [
      'site',
      'posture',
      'served/s',
      'shed/s',
      'refused/s',
      'failed/s',
      'in flight',
      'waiting',
      'p50',
      'p99',
      'origin',
    ],
  ]
  for (const site of status.sites) rows.push(siteRow(site))
  lines.push(table(rows).trimEnd())
  if (status.sitesLeftOut > 0) lines.push(`and ${status.sitesLeftOut} quieter sites`)
  const notable = status.sites.filter((site) => site.posture !== 'calm' || status.sites.length === 1)
  if (notable.length > 0) lines.push('')
  for (const site of notable.slice(0, 10)) lines.push(`${plain(site.name)}: ${plain(site.why)}`)
  lines.push(...sourcesText(status.sites), ...signaturesText(status.sites))
  const reasons = whyText(status.sites)
  if (reasons !== '') lines.push('', reasons)
  lines.push(
    '',
    'Means of the last 10 s; p50 and p99 are upper bounds of the time to serve a relayed request.',
  )
  return `${lines.join('\n')}\n`
}

function siteRow(site: SiteStatus): string[] {
  const rate = (...actions: string[]) =>
    formatRate(actions.reduce((total, action) => total + (site.perSecond[action] ?? 0), 0))
  const down = site.origins.filter((origin) => !origin.healthy)
  return [
    plain(site.name),
    site.mode === 'observe' ? `${site.posture} (observe)` : site.posture,
    rate('relay', 'store', 'answer'),
    rate('shed'),
    rate('refuse', 'drop'),
    rate('fail'),
    `${site.inFlight} of ${Math.floor(site.limit)}`,
    String(site.waiting),
    bound(site.p50Ms),
    bound(site.p99Ms),
    down.length === 0 ? 'up' : `${down.length} of ${site.origins.length} down: ${plain(down[0]!.reason)}`,
  ]
}

function whyText(sites: readonly SiteStatus[]): string {
  const total = new Map<string, number>()
  for (const site of sites) {
    for (const [reason, rate] of Object.entries(site.reasonsPerSecond))
      total.set(reason, (total.get(reason) ?? 0) + rate)
  }
  if (total.size === 0) return ''
  const rows = [...total].sort((a, b) => b[1] - a[1]).slice(0, 10)
  return `Not served, and why:\n${table(rows.map(([reason, rate]) => [`${formatRate(rate)}/s`, plain(reason)])).trimEnd()}`
}

/** Where the requests of sites under load come from, beside where they come from in calm weather. */
function sourcesText(sites: readonly SiteStatus[]): string[] {
  const lines: string[] = []
  for (const site of sites) {
    if (site.posture === 'calm' || site.networks.length === 0) continue
    const networks = site.networks
      .slice(0, 5)
      .map(
        ({ asn, shareRatio, calmShareRatio }) =>
          `${asn === 0 ? 'unknown networks' : `AS${asn}`} ${formatShare(shareRatio)} (calm weather ${formatShare(calmShareRatio)})`,
      )
    lines.push(`  from ${networks.join(', ')}; relays, not authors`)
    if (lines.length === 10) break
  }
  return lines
}

/** The widest signature of each site that has one. */
function signaturesText(sites: readonly SiteStatus[]): string[] {
  return sites
    .filter(({ signatures }) => signatures.published.length > 0)
    .slice(0, 10)
    .map(({ name, signatures: { published } }) => {
      const [widest] = published
      const others = published.length === 1 ? '' : ` And ${published.length - 1} more.`
      return `${plain(name)}: ${plain(widest!.reason)}${others} (\`digue signatures\`)`
    })
}

function bound(ms: number | null | undefined): string {
  // JSON has no infinity: above the last bucket comes as null.
  if (ms === undefined) return '–'
  return ms === null || !Number.isFinite(ms) ? '> 30 s' : `${ms} ms`
}
