/** The report for a terminal of 80 columns. */
import type { CalmFigures } from './calm-figures.ts'
import type { IncidentFigures, Named, ReplayReport, SiteFigures } from './report.ts'
import { Clock, count, DAYS, percent, printable, rate, span, VERDICT_WORDS } from './words.ts'

const WIDTH = 80
/** What the lists leave out is shown from so much on. */
const LEAST_OTHERS = 0.02
const SHADES = ' ▁▂▃▄▅▆▇█'

export function reportText(report: ReplayReport): string {
  const clock = new Clock(report.timeZone)
  const lines: string[] = []
  const { sites } = report
  const incidents = sites.reduce((sum, site) => sum + site.incidents.length, 0)
  if (report.requests === 0) lines.push('No request in what was read.')
  else {
    const from = Math.min(...sites.map((site) => site.firstAtMs))
    const to = Math.max(...sites.map((site) => site.lastAtMs))
    lines.push(
      ...wrap(
        `${count(report.requests)} requests from ${clock.at(from)} to ${clock.at(to)} (${clock.zone}), ${sites.length === 1 ? 'one site' : `${sites.length} sites`}: ${incidents === 0 ? 'no incident' : incidents === 1 ? 'one incident' : `${incidents} incidents`}.`,
      ),
    )
  }
  lines.push(...readingNotes(report), '')
  for (const site of sites) lines.push(...siteText(site, clock))
  lines.push('WHAT THIS CANNOT SHOW', ...report.limits.flatMap((limit) => wrap(printable(limit, 400), '- ')))
  return `${lines.join('\n')}\n`
}

function readingNotes(report: ReplayReport): string[] {
  const notes: string[] = []
  for (const file of report.files) {
    const name = printable(file.path)
    if (file.fault !== undefined)
      notes.push(`${name}: reading ended early (${printable(file.fault)}); what came before is used.`)
    if (file.badLines > 0) {
      const first = file.examples[0]
      notes.push(
        `${name}: ${count(file.badLines)} of ${count(file.badLines + file.lines)} lines are in no known format${file.tooLong > 0 ? `, ${count(file.tooLong)} of them longer than 64 kB` : ''}${first === undefined ? '.' : `; line ${first.number}: ${printable(first.text, 60)}`}`,
      )
    }
    if (file.wasSorted) notes.push(`${name}: its lines were in no order and have been sorted.`)
  }
  if (report.late > 0)
    notes.push(
      `${count(report.late)} lines came more than 10 s late: they are counted, but their seconds were judged without them.${report.late > 0.01 * report.requests ? ' With --sort the logs are put in order first.' : ''}`,
    )
  if (report.stray > 0) notes.push(`${count(report.stray)} lines alone in the future were left out.`)
  if (report.noAddress > 0)
    notes.push(`${count(report.noAddress)} lines name no address as their client and were left out.`)
  if (report.outside > 0) notes.push(`${count(report.outside)} requests were outside of what was asked for.`)
  if (report.hostsLeftOut > 0) notes.push('More hosts than are kept apart: the rest is "(other hosts)".')
  return notes.flatMap((note) => wrap(note))
}

function siteText(site: SiteFigures, clock: Clock): string[] {
  const lines = [rule(printable(site.name, 70))]
  lines.push(...calmText(site.calm, site, clock))
  for (const [i, incident] of site.incidents.entries())
    lines.push('', ...incidentText(incident, i + 1, site, clock))
  if (site.incidentsLeftOut > 0) lines.push(`and ${site.incidentsLeftOut} more incidents.`)
  if (site.burstSeconds > 0)
    lines.push(
      '',
      ...wrap(
        `${span(site.burstSeconds)} in all were bursts of less than five seconds in ten: no incidents.`,
      ),
    )
  for (const trouble of site.troubles)
    lines.push(
      ...wrap(
        `${clock.at(trouble.fromMs)}, for ${span((trouble.toMs - trouble.fromMs) / 1000)}: the site did badly with no more requests than usual (${percent(trouble.overloadedShare)} answered as overloaded). The fault was not a flood.`,
      ),
    )
  lines.push('', ...pagesText(site), '')
  return lines
}

function calmText(calm: CalmFigures, site: SiteFigures, clock: Clock): string[] {
  const lines = ['CALM WEATHER']
  if (calm.requests === 0) return [...lines, '  none in this log']
  lines.push(
    ...wrap(
      `${count(calm.requests)} requests of ${about(calm.clients, calm.clientsError)} clients; ${rate(calm.medianPerSecond)} a second in half of the seconds, ${rate(calm.peakPerSecond)} in the fullest of a thousand${calm.meanMs === undefined ? '' : `, ${Math.round(calm.meanMs)} ms each`}. ${percent(calm.errorShare)} failed.`,
      '  ',
    ),
  )
  if (site.capacity !== undefined)
    lines.push(
      ...wrap(
        site.capacityIsGiven
          ? `The origin is taken to do ${count(site.capacity)} requests a second, as given.`
          : `The origin is taken to do ${count(site.capacity)} requests a second (four times the fullest, at least 50); --capacity says otherwise.`,
        '  ',
      ),
    )
  else lines.push('  Too little of it to judge by.')
  lines.push(...weekText(calm, clock))
  lines.push(...topText('networks', calm.networks, (n) => networkName(n), false))
  lines.push(...sharesText('countries', calm.countries))
  lines.push(...topText('agents', calm.agents, (n) => n.name, false))
  lines.push(...topText('paths', calm.routes, (n) => n.name, false))
  return lines
}

/** One character per hour: how full it is, of the fullest. */
function weekText(calm: CalmFigures, clock: Clock): string[] {
  const most = Math.max(...calm.week.map((n) => n ?? 0))
  if (most === 0) return []
  const lines = [`  requests a second by hour (${clock.zone}); the fullest hour has ${rate(most)}`]
  for (let day = 0; day < 7; day++) {
    const hours = calm.week.slice(day * 24, day * 24 + 24)
    if (hours.every((n) => n === null)) continue
    const cells = hours.map((n) =>
      n === null ? '·' : SHADES[n === 0 ? 0 : Math.max(1, Math.round((8 * n) / most))],
    )
    lines.push(`    ${DAYS[day]}  0h ${cells.join('')} 24h`)
  }
  return lines
}

function incidentText(one: IncidentFigures, number: number, site: SiteFigures, clock: Clock): string[] {
  const lines = [`INCIDENT ${number}   ${VERDICT_WORDS[one.looksLike]}`]
  const row = (name: string, text: string) =>
    lines.push(...wrap(printable(text, 400), `  ${name.padEnd(10)}`))
  row(
    'onset',
    `${clock.at(one.onsetMs)}${one.precisionS > 1 ? `, or up to ${one.precisionS} s earlier` : ' (to the second)'}`,
  )
  row(
    'end',
    `${clock.at(one.endMs)}, ${span(one.durationS)} later${one.waves > 1 ? `, in ${one.waves} waves` : ''}`,
  )
  row(
    'size',
    `${count(one.requests)} requests, ${rate(one.meanPerSecond)} a second, at most ${count(one.peakPerSecond)} (usual: ${rate(one.calmPerSecond)})`,
  )
  row(
    'clients',
    `${about(one.clients, one.clientsError)}; ${percent(one.knownClientsShare)} of them were here in calm weather`,
  )
  row('digue', digueWould(one))
  lines.push(`  ${'rate'.padEnd(10)}${spark(one.timeline.counts, 64)}`)
  lines.push(`  ${''.padEnd(10)}one mark is ${span(markSeconds(one))}`)
  lines.push(...topText('networks', one.networks.slice(0, 5), (n) => networkName(n), true))
  lines.push(...sharesText('countries', one.countries.slice(0, 6)))
  lines.push(...topText('paths', one.routes.slice(0, 5), (n) => n.name, true))
  lines.push(...topText('agents', one.agents.slice(0, 5), (n) => n.name, true))
  lines.push(...topText('answers', one.statuses.slice(0, 5), (n) => n.name, false))
  if (one.hammering.length > 0) {
    lines.push('  addresses that hammered')
    for (const { address, asn, requests, perSecond } of one.hammering.slice(0, 5))
      lines.push(
        `    ${address.padEnd(40)} ${asn === 0 ? '' : `AS${asn}`.padEnd(12)}${count(requests).padStart(10)}  ${rate(perSecond)}/s`,
      )
    if (one.hammering.length > 5) lines.push(`    and ${one.hammering.length - 5} more`)
  }
  if (one.signatures.length === 0)
    lines.push(...wrap('none: nothing that a log shows sets these clients apart', '  signatures '))
  else {
    lines.push('  signatures')
    for (const signature of one.signatures.slice(0, 5)) {
      lines.push(
        ...wrap(
          `${signature.id}, ${signature.secondsAfterOnset} s after onset, on ${percent(signature.coveredShare)} of the requests: ${printable(signature.reason, 400)}`,
          '    ',
        ),
      )
    }
    if (one.signatures.length > 5) lines.push(`    and ${one.signatures.length - 5} more`)
    lines.push(
      ...wrap(
        `Together on ${percent(one.signedShare)} of the requests; of ${count(one.knownLookedAt)} requests looked at of clients known from calm weather, ${percent(one.knownTouchedShare)} would have been touched.`,
        '    ',
      ),
    )
  }
  lines.push('  why')
  for (const reason of one.reasons)
    lines.push(
      ...wrap(printable(reason.text, 300), reason.for === 'attack' ? '    attack: ' : '    crowd:  '),
    )
  if (one.reasons.length === 0)
    lines.push(
      site.calm.requests < 500
        ? '    too little calm weather to compare with'
        : '    nothing speaks for either',
    )
  return lines
}

function digueWould(one: IncidentFigures): string {
  const parts: string[] = []
  const after = (atMs: number) => `${Math.max(0, Math.round((atMs - one.onsetMs) / 1000))} s after onset`
  if (one.strainedAtMs !== undefined) parts.push(`strained ${after(one.strainedAtMs)}`)
  if (one.floodedAtMs !== undefined) parts.push(`flooded ${after(one.floodedAtMs)}`)
  const first = one.signatures.reduce<number | undefined>(
    (least, s) => (least === undefined || s.secondsAfterOnset < least ? s.secondsAfterOnset : least),
    undefined,
  )
  if (first !== undefined) parts.push(`first signature ${first} s after onset`)
  parts.push(`${percent(one.storableShare)} of the requests for pages that could have been stored`)
  return parts.join(', ')
}

function pagesText(site: SiteFigures): string[] {
  if (site.pages.length === 0)
    return wrap('No page was asked for often enough, by enough clients, to be worth storing.')
  const lines = ['PAGES THAT COULD HAVE BEEN STORED']
  lines.push(
    ...wrap(
      `${percent(site.storableShare)} of calm weather's requests: GET without a query, answered with 200 or 304, asked for by ten clients or more. Cache-Control and Set-Cookie are in no log: \`digue cache check\` asks the site itself.`,
      '  ',
    ),
  )
  for (const page of site.pages.slice(0, 10))
    lines.push(
      `    ${count(page.requests).padStart(10)}  ${printable(page.path, 48).padEnd(48)} ${page.alikeShare >= 0.9 ? 'same size' : page.alikeShare < 0.5 ? 'sizes differ' : ''}`.trimEnd(),
    )
  if (site.pages.length > 10) lines.push(`    and more`)
  return lines
}

function networkName(network: Named & { readonly operator?: string }): string {
  return network.operator ? `${network.name} ${network.operator}` : network.name
}

function topText<N extends Named>(
  title: string,
  list: readonly N[],
  nameOf: (one: N) => string,
  withCalm: boolean,
): string[] {
  const rows = list.map((one, i) => {
    const head = `  ${(i === 0 ? title : '').padEnd(10)}`
    const share = percent(one.share).padStart(7)
    const calm = withCalm && one.calmShare !== undefined ? `  usually ${percent(one.calmShare)}` : ''
    const room = WIDTH - head.length - share.length - 2 - (withCalm ? 17 : 0)
    return `${head}${printable(nameOf(one), room).padEnd(room)} ${share}${calm}`.trimEnd()
  })
  const others = 1 - list.reduce((sum, { share }) => sum + share, 0)
  if (list.length === 0 || others < LEAST_OTHERS) return rows
  const room = WIDTH - 12 - 7 - 2 - (withCalm ? 17 : 0)
  return [...rows, `${''.padEnd(12)}${'all others'.padEnd(room)} ${percent(others).padStart(7)}`]
}

function sharesText(
  title: string,
  list: readonly { readonly country: string; readonly share: number; readonly calmShare?: number }[],
): string[] {
  if (list.length === 0) return []
  const text = list
    .map(
      ({ country, share, calmShare }) =>
        `${printable(country, 3)} ${percent(share)}${calmShare === undefined ? '' : ` (usually ${percent(calmShare)})`}`,
    )
    .join(', ')
  return wrap(text, `  ${title.padEnd(10)}`)
}

function about(n: number, error: number): string {
  return error === 0 ? count(n) : `about ${count(n)} (± ${percent(2 * error)})`
}

const MARKS = 64

function markSeconds(one: IncidentFigures): number {
  return one.timeline.stepS * Math.max(1, Math.ceil(one.timeline.counts.length / MARKS))
}

function spark(counts: readonly number[], most: number): string {
  const each = Math.max(1, Math.ceil(counts.length / most))
  const sums: number[] = []
  for (let i = 0; i < counts.length; i += each)
    sums.push(counts.slice(i, i + each).reduce((a, b) => a + b, 0))
  const peak = Math.max(1, ...sums)
  return sums.map((n) => SHADES[n === 0 ? 0 : Math.max(1, Math.round((8 * n) / peak))]).join('')
}

function rule(name: string): string {
  return `── ${name} ${'─'.repeat(Math.max(2, WIDTH - 4 - [...name].length))}`
}

/** Words in lines of 80 columns; those after the first stand under its text. */
function wrap(text: string, head = ''): string[] {
  const indent = ' '.repeat(head.length)
  const lines: string[] = []
  let line = head
  let isEmpty = true
  // The space within a number does not break.
  for (const word of text.split(' ')) {
    if (!isEmpty && line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = indent
      isEmpty = true
    }
    line += isEmpty ? word : ` ${word}`
    isEmpty = false
  }
  lines.push(line)
  return lines
}
