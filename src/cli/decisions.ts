/** The operator's decisions: from flags to a wish, and the list as text. */
import type { Decision, DecisionWish } from '#control'
import { parseCidr } from '#networks'
import type { Whereabouts } from './locate.ts'
import { CliError, EXIT, formatSpan, plain, table } from './output.ts'

export interface WishFlags extends Whereabouts {
  readonly allow?: boolean
  readonly refuse?: boolean
  readonly cidr?: string
  readonly asn?: number
  readonly path?: string
  readonly host?: string
  readonly for: number
  readonly note?: string
}

export function wishOf(flags: WishFlags): DecisionWish {
  const usage = (message: string) => new CliError(message, EXIT.usage)
  if ((flags.allow === true) === (flags.refuse === true)) throw usage('expected either --allow or --refuse')
  const about = [flags.cidr, flags.asn, flags.path, flags.host].filter((flag) => flag !== undefined)
  if (about.length !== 1) throw usage('expected exactly one of --cidr, --asn, --path and --host')
  if (flags.cidr !== undefined) {
    const cidr = parseCidr(flags.cidr)
    if ('fault' in cidr) throw usage(`--cidr: ${cidr.fault}`)
  }
  if (flags.path !== undefined && !flags.path.startsWith('/'))
    throw usage('--path: expected a path prefix such as /search')
  return {
    effect: flags.allow === true ? 'allow' : 'refuse',
    forMs: flags.for,
    note: flags.note ?? '',
    ...(flags.cidr === undefined ? {} : { cidr: flags.cidr }),
    ...(flags.asn === undefined ? {} : { asn: flags.asn }),
    ...(flags.path === undefined ? {} : { path: flags.path }),
    ...(flags.host === undefined ? {} : { host: flags.host }),
  }
}

export function decisionsText(decisions: readonly Decision[], nowMs: number): string {
  if (decisions.length === 0) return 'No decisions. `digue decisions add --help` shows how to make one.\n'
  const rows = decisions.map((decision) => [
    decision.id,
    decision.effect,
    plain(aboutText(decision)),
    `${formatSpan(decision.expiresAtMs - nowMs)} left`,
    plain(decision.note),
  ])
  return table([['id', 'effect', 'about', 'ends', 'note'], ...rows])
}

function aboutText(decision: Decision): string {
  if (decision.cidr !== undefined) return decision.cidr
  if (decision.asn !== undefined) return `AS${decision.asn}`
  return decision.path !== undefined ? `path ${decision.path}` : `host ${decision.host ?? ''}`
}
