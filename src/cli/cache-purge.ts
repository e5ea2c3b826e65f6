/** `digue cache purge`: stored pages are forgotten, in memory and on disk. */
import { type Purge, parsePurge } from '#cache'
import { sendCommand } from '#console'
import { findSocket, type Whereabouts } from './locate.ts'
import { CliError, EXIT, type Terminal } from './output.ts'

export interface PurgeFlags extends Whereabouts {
  readonly all?: boolean
  readonly host?: string
  readonly url?: string
  readonly prefix?: string
  readonly tag?: string
  readonly json?: boolean
}

export async function purge(flags: PurgeFlags, terminal: Terminal): Promise<void> {
  const what = purgeOf(flags)
  const result = (await sendCommand(findSocket(flags), { command: 'purge', what })) as { removed: number }
  if (flags.json) terminal.out(`${JSON.stringify(result, undefined, 2)}\n`)
  else terminal.out(purgeText(what, result.removed))
}

export function purgeOf({ all, host, url, prefix, tag }: PurgeFlags): Purge {
  const what = parsePurge({ all, host, url, prefix, tag })
  if (!('faults' in what)) return what
  throw new CliError(what.faults.map(asFlag).join('\n'), EXIT.usage)
}

/** The fault names a member of a purge; on the command line that is an option. */
function asFlag(fault: string): string {
  return fault.replace(/^(all|host|url|prefix|tag):/, '--$1:').replace(/^purge: expected/, 'expected')
}

function purgeText(what: Purge, removed: number): string {
  if (removed === 1) return '1 stored page is forgotten.\n'
  if (removed > 1) return `${removed} stored pages are forgotten, variants counted.\n`
  // Somebody who takes down a page must know whether it was hit.
  const more =
    what.url === undefined
      ? ''
      : ' A URL means exactly that one, with its query; --prefix takes everything that begins so.'
  return `Nothing of that was stored.${more}\n`
}
