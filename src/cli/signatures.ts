/** `digue signatures`: what floods share, what the operator says of it, and how it is taken elsewhere. */
import { sendCommand } from '#console'
import {
  type HeldBack,
  LEAST_CALM_CLIENTS,
  type PublishedSignature,
  SIGNATURE_EXPORTS,
  type SignatureChange,
  type SignatureWish,
  type SiteSignaturesStatus,
} from '#control'
import { findSocket, type Whereabouts } from './locate.ts'
import { CliError, EXIT, formatShare, formatSpan, plain, type Terminal, table } from './output.ts'

export interface SignatureFlags extends Whereabouts {
  readonly json?: boolean
  readonly site?: string
}

export async function listSignatures(flags: SignatureFlags, terminal: Terminal): Promise<void> {
  const sites = await ask(flags)
  terminal.out(flags.json ? `${JSON.stringify(sites, undefined, 2)}\n` : signaturesText(sites, Date.now()))
}

export async function changeSignature(
  wish: SignatureWish,
  flags: SignatureFlags,
  terminal: Terminal,
): Promise<void> {
  const changes = (await sendCommand(findSocket(flags), {
    command: 'changeSignature',
    wish: flags.site === undefined ? wish : { ...wish, site: flags.site },
  })) as SignatureChange[]
  if (flags.json) terminal.out(`${JSON.stringify(changes, undefined, 2)}\n`)
  else
    for (const change of changes)
      terminal.out(`${plain(change.site)}: ${changeText(wish, change, Date.now())}\n`)
}

export async function exportSignatures(
  flags: SignatureFlags & { readonly format: string },
  terminal: Terminal,
): Promise<void> {
  const format = SIGNATURE_EXPORTS.find(({ name }) => name === flags.format)!
  const sites = await ask(flags)
  let text: string
  try {
    text = format.render(sites, Date.now())
  } catch (error) {
    throw new CliError((error as Error).message, EXIT.usage, { cause: error })
  }
  terminal.out(text)
  if (sites.every(({ published }) => published.length === 0))
    terminal.error('digue: no signature is in force, so the export holds none\n')
}

async function ask(flags: SignatureFlags): Promise<SiteSignaturesStatus[]> {
  const sites = (await sendCommand(findSocket(flags), {
    command: 'signatures',
    ...(flags.site === undefined ? {} : { site: flags.site }),
  })) as SiteSignaturesStatus[]
  if (sites.length === 0 && flags.site !== undefined)
    throw new CliError(`there is no site ${flags.site}; \`digue status\` shows those there are`, EXIT.usage)
  return sites
}

export function signaturesText(sites: readonly SiteSignaturesStatus[], nowMs: number): string {
  const lines: string[] = []
  const quiet: string[] = []
  for (const site of sites) {
    const { published, heldBack, forbidden } = site
    if (published.length + heldBack.length + forbidden.length === 0) {
      quiet.push(site.site)
      if (sites.length > 1) continue
    }
    if (lines.length > 0) lines.push('')
    lines.push(
      `${plain(site.site)}: ${published.length === 0 ? 'no signature in force' : `${published.length} in force`}. ${calmText(site)}`,
    )
    if (published.length > 0) lines.push(...publishedText(published, nowMs))
    if (heldBack.length > 0) lines.push('', 'Held back:', ...heldBack.flatMap(heldBackLines))
    if (forbidden.length > 0)
      lines.push(
        '',
        'Forbidden by you:',
        ...forbidden.map(
          ({ id, note, atMs }) =>
            `  ${id}  ${formatSpan(nowMs - atMs)} ago${note === '' ? '' : `  ${plain(note)}`}`,
        ),
      )
  }
  if (sites.length > 1 && quiet.length > 0)
    lines.push(
      ...(lines.length > 0 ? [''] : []),
      `No signatures on ${quiet.length} ${quiet.length === 1 ? 'site' : 'sites'}.`,
    )
  return `${lines.join('\n')}\n`
}

function publishedText(published: readonly PublishedSignature[], nowMs: number): string[] {
  const rows = published.map(
    ({ id, effect, isPinned, expiresAtMs, support, baselineAtMost, requests, proven }) => [
      id,
      effect,
      formatShare(support),
      `< ${formatShare(Math.max(0.001, baselineAtMost))}`,
      String(requests),
      String(proven),
      `${formatSpan(expiresAtMs - nowMs)} left${isPinned ? ', pinned' : ''}`,
    ],
  )
  const [head, ...body] = table([['id', 'effect', 'now', 'calm', 'requests', 'of visitors', 'ends'], ...rows])
    .trimEnd()
    .split('\n')
  // Each with its reason below it: the figures alone say little.
  return [head!, ...body.flatMap((row, i) => [row, `  ${plain(published[i]!.reason)}`])]
}

function heldBackLines({ id, reason }: HeldBack): string[] {
  return [`  ${id}  ${plain(reason)}`]
}

function calmText({ isReady, calmClients, calmVectors }: SiteSignaturesStatus): string {
  return isReady
    ? `Calm weather is known by ${calmVectors} requests of ${calmClients} clients.`
    : `Too little calm weather is known yet (${calmClients} of ${LEAST_CALM_CLIENTS} clients): a flood cannot be told from visitors by it.`
}

function changeText(wish: SignatureWish, { signature, forbidden }: SignatureChange, nowMs: number): string {
  if (forbidden !== undefined) return `${wish.id} is forbidden until \`digue signatures release ${wish.id}\`.`
  if (signature === undefined)
    return `${wish.id} is neither pinned nor forbidden any more; if it was in force it ends in a minute, unless clients still show it.`
  const ends = formatSpan(signature.expiresAtMs - nowMs)
  return wish.change === 'pin'
    ? `${wish.id} stays in force for ${ends}; pin it again to renew that. Its effect is ${signature.effect}.`
    : `${wish.id}: the effect is ${signature.effect} now, for ${ends}.`
}
