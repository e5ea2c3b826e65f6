/** `digue cache status`: what is stored, and how much of the visitors' asking it answers. */
import { type CacheReport, type CacheSiteStatus, type CacheStatus, sendCommand } from '#console'
import { findSocket, type Whereabouts } from './locate.ts'
import { formatBytes, formatRate, formatShare, plain, type Terminal, table } from './output.ts'

export async function cacheStatus(
  flags: Whereabouts & { readonly json?: boolean },
  terminal: Terminal,
): Promise<void> {
  const status = (await sendCommand(findSocket(flags), { command: 'cache' })) as CacheStatus
  terminal.out(flags.json ? `${JSON.stringify(status, undefined, 2)}\n` : cacheStatusText(status))
}

export function cacheStatusText({ library, sites, ...rest }: CacheStatus): string {
  if (library === undefined)
    return 'Nothing is stored: every site has `cache.enabled: false`, or storing has not begun yet.\n'
  const { disk } = library
  const places = [
    ['', 'pages', 'bytes', 'of at most'],
    ['memory', String(library.responses), formatBytes(library.memoryBytes), formatBytes(rest.memoryBytes)],
  ]
  if (disk !== undefined)
    places.push(['disk', String(disk.responses), formatBytes(disk.bytes), formatBytes(rest.diskBytes)])
  const lines = [table(places).trimEnd()]
  if (disk === undefined) lines.push('Nothing is kept on disk, so a restart forgets all.')
  lines.push(...troubles(library), '')
  const rows = [['site', 'from the store', 'fresh/s', 'stale/s', 'emergency/s', 'from the origin/s']]
  for (const site of sites) rows.push(siteRow(site))
  lines.push(table(rows).trimEnd())
  if (rest.sitesLeftOut > 0) lines.push(`and ${rest.sitesLeftOut} quieter sites`)
  lines.push(
    '',
    'Means of the last 10 s. Stale: beyond its lifetime, since the origin is full or down. Emergency: the last good copy of a page without a lifetime.',
  )
  return `${lines.join('\n')}\n`
}

function siteRow({ name, stores, fromStore, fromOrigin }: CacheSiteStatus): string[] {
  const { fresh, stale, emergency } = fromStore
  const stored = fresh + stale + emergency
  const share = stored + fromOrigin === 0 ? '–' : formatShare(stored / (stored + fromOrigin))
  return [
    plain(name),
    stores ? share : 'not stored',
    formatRate(fresh),
    formatRate(stale),
    formatRate(emergency),
    formatRate(fromOrigin),
  ]
}

/** Bounds that were hit, and what to do about each. */
function troubles({ evicted, notAdmitted, disk }: CacheReport): string[] {
  const lines: string[] = []
  if (evicted + notAdmitted > 0)
    lines.push(
      `Memory was too small for ${evicted + notAdmitted} pages since the start; if the origin feels it, raise cache.memory.`,
    )
  if (disk === undefined) return lines
  if (disk.evicted > 0)
    lines.push(
      `The disk's room was too small for ${disk.evicted} pages; if the origin feels it, raise cache.disk.`,
    )
  if (disk.failures > 0)
    lines.push(
      `! The disk refused ${disk.failures} reads or writes: look at its space and permissions, and at the log (cache-disk).`,
    )
  if (disk.faults > 0)
    lines.push(
      `! ${disk.faults} pages on disk were not as they had been written, and were dropped: the disk may be failing.`,
    )
  return lines
}
