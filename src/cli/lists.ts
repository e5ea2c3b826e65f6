/** `digue lists`: what each list of networks holds, how far it acts and why, and the operator's word on it. */
import { sendCommand } from '#console'
import type { ListStatus } from '#lists'
import { findSocket, type Whereabouts } from './locate.ts'
import { formatRate, formatShare, formatSpan, plain, type Terminal, table } from './output.ts'

type Flags = Whereabouts & { readonly json?: boolean }

export async function lists(flags: Flags, terminal: Terminal): Promise<void> {
  const all = (await sendCommand(findSocket(flags), { command: 'lists' })) as ListStatus[]
  terminal.out(flags.json ? json(all) : listsText(all, Date.now()))
}

export async function refreshLists(
  name: string | undefined,
  flags: Flags,
  terminal: Terminal,
): Promise<void> {
  const looked = (await sendCommand(findSocket(flags), {
    command: 'refreshLists',
    ...(name === undefined ? {} : { name }),
  })) as ListStatus[]
  terminal.out(flags.json ? json(looked) : listsText(looked, Date.now()))
}

export async function releaseList(name: string, flags: Flags, terminal: Terminal): Promise<void> {
  const list = (await sendCommand(findSocket(flags), { command: 'releaseList', name })) as ListStatus
  terminal.out(flags.json ? json(list) : listsText([list], Date.now()))
}

const json = (value: unknown) => `${JSON.stringify(value, undefined, 2)}\n`

export function listsText(all: readonly ListStatus[], nowMs: number): string {
  if (all.length === 0) return 'No lists. `lists:` in the configuration adds some; docs/lists.md shows how.\n'
  const rows = [['list', 'then', 'state', 'networks', 'age', 'of the visitors', 'hits/min']]
  for (const list of all)
    rows.push([
      plain(list.name),
      list.effect ?? 'by decision',
      stateOf(list),
      String(list.networks),
      list.updatedAtMs === 0 ? '–' : formatSpan(nowMs - list.updatedAtMs),
      list.share === undefined ? '–' : formatShare(list.share),
      formatRate(list.hitsPerMinute),
    ])
  return [table(rows).trimEnd(), ...all.flatMap((list) => notesOf(list, nowMs))].join('\n').concat('\n')
}

function stateOf({ standing, isReleased, fault, isRefreshing }: ListStatus): string {
  const words: Readonly<Record<ListStatus['standing'], string>> = {
    loading: isRefreshing ? 'loading' : 'nothing yet',
    acting: isReleased ? 'acts (released)' : 'acts',
    weight: 'weighs only',
    held: 'HELD BACK',
    'left-out': 'LEFT OUT',
  }
  return fault === '' ? words[standing] : `${words[standing]}, failing`
}

/** What there is to know or to do beside the figures. */
function notesOf(list: ListStatus, nowMs: number): string[] {
  const name = plain(list.name)
  const notes: string[] = []
  if (list.standing === 'held')
    notes.push(
      `! ${name} would touch ${formatShare(list.share ?? 0)} of ${list.clients} clients seen in calm weather, and does nothing. If that is right: digue lists release ${name}`,
    )
  if (list.standing === 'weight')
    notes.push(
      `  ${name} weighs at most until 200 clients were seen in calm weather (${list.clients} so far). To let it act now: digue lists release ${name}`,
    )
  if (list.standing === 'left-out')
    notes.push(`! ${name} is left out: with it there would be more than 2,000,000 networks in all.`)
  if (list.waiting !== undefined)
    notes.push(
      `! ${name} has grown to ${list.waiting} networks; the old copy acts. If that is right: digue lists release ${name}`,
    )
  if (list.fault !== '')
    notes.push(`! ${name}: ${plain(list.fault)} (again in ${formatSpan(list.nextAtMs - nowMs)})`)
  if (list.wrong > 0)
    notes.push(
      `  ${name}: ${list.wrong} entries are no network${list.examples.length > 0 ? `, such as ${plain(list.examples.join('; '))}` : ''}`,
    )
  const leftOut = [
    [list.local, 'private or reserved'],
    [list.wide, 'wider than /6 (IPv6: /16)'],
    [list.leftOut, 'beyond what fits'],
    [list.ignored, 'about something else than an address'],
  ] as const
  const told = leftOut.filter(([count]) => count > 0).map(([count, why]) => `${count} ${why}`)
  if (told.length > 0) notes.push(`  ${name}: left out ${told.join(', ')}`)
  return notes
}
