/**
 * The report as one page: no script, nothing fetched, readable in the dark and on paper.
 *
 * Every text out of the log was written by strangers. It goes through `escape`, and the policy in the page's
 * head forbids everything that is not the page's own style, so that a fault here could not act either.
 */
import { createHash } from 'node:crypto'
import type { CalmFigures } from './calm-figures.ts'
import type { IncidentFigures, Named, ReplayReport, SiteFigures } from './report.ts'
import type { TimelineSteps } from './timeline.ts'
import { Clock, count, DAYS, percent, printable, rate, span, VERDICT_WORDS } from './words.ts'

const STYLE = `
:root{color-scheme:light dark;--ink:#1d1a17;--paper:#fdfcfa;--soft:#5c564f;--line:#d8d3cb;--water:#4a6b80;--people:#8a5a1c;--act:#a3241c}
@media(prefers-color-scheme:dark){:root{--ink:#ece7df;--paper:#161412;--soft:#a8a198;--line:#3a3631;--water:#8fb3c9;--people:#dba65c;--act:#ff8a7d}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2rem 1rem 4rem;max-width:66rem;font:1rem/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1,h2,h3{line-height:1.25;margin:2.5rem 0 .75rem}h1{margin-top:0;font-size:1.5rem}h2{font-size:1.5rem;border-top:2px solid var(--ink);padding-top:.75rem;overflow-wrap:anywhere}h3{font-size:1rem}
p,li{max-width:42rem}.soft{color:var(--soft)}.act{color:var(--act);font-weight:600}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;margin:0 0 1.5rem}
caption{text-align:left;font-weight:600;padding:.25rem 0}
th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
th{font-weight:400;color:var(--soft)}td.n,th.n{text-align:right;white-space:nowrap}
.grid{display:grid;gap:0 2.5rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr))}
figure{margin:0 0 1.5rem}svg{display:block;width:100%;height:auto}figcaption{color:var(--soft)}
.bar{fill:var(--water)}.axis{stroke:var(--line)}.label{fill:var(--soft);font:12px system-ui,sans-serif}
.mark{fill:none;stroke:var(--act);stroke-width:1.5}
.week td{width:3.5%;height:1.4rem;padding:0;border:1px solid var(--paper);text-align:center}
.scroll{overflow-x:auto}
@media print{body{max-width:none;padding:0;font-size:10pt}h2{break-before:page}h2:first-of-type{break-before:auto}table,figure{break-inside:avoid}}
`

export function reportHtml(report: ReplayReport): string {
  const clock = new Clock(report.timeZone)
  const { sites } = report
  const incidents = sites.reduce((sum, site) => sum + site.incidents.length, 0)
  const hash = createHash('sha256').update(STYLE).digest('base64')
  const from = Math.min(...sites.map((site) => site.firstAtMs))
  const to = Math.max(...sites.map((site) => site.lastAtMs))
  const summary =
    sites.length === 0
      ? 'No request in what was read.'
      : `${count(report.requests)} requests from ${clock.at(from)} to ${clock.at(to)}: ${incidents === 0 ? 'no incident' : incidents === 1 ? 'one incident' : `${incidents} incidents`}.`
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>Replay of an access log</title>
<style>${STYLE}</style>
<main>
<h1>What Digue would have seen</h1>
<p>${escaped(summary)}</p>
<p class="soft">Times are in ${escaped(report.timeZone)}. Made ${escaped(clock.at(report.madeAtMs))}. Personal data: this page names addresses.</p>
${filesTable(report)}
${sites.map((site) => siteSection(site, clock)).join('\n')}
<h2>What this cannot show</h2>
<ul>${report.limits.map((limit) => `<li>${escaped(limit, 400)}</li>`).join('')}</ul>
</main>
</html>
`
}

/** Text for an element or a quoted attribute. */
function escaped(text: string, most = 200): string {
  return printable(text, most).replace(/[&<>"'`]/g, (c) => `&#${c.charCodeAt(0)};`)
}

function filesTable(report: ReplayReport): string {
  const rows = report.files.map((file) => {
    const formats = Object.entries(file.formats)
      .filter(([, n]) => n > 0)
      .map(([name]) => name)
      .join(', ')
    const notes = [
      file.fault === undefined ? '' : `reading ended early: ${file.fault}`,
      file.wasSorted ? 'was put in order' : '',
      file.examples[0] === undefined ? '' : `line ${file.examples[0].number}: ${file.examples[0].text}`,
    ].filter((note) => note !== '')
    return `<tr><td>${escaped(file.path)}<td>${escaped(formats)}${number(count(file.lines))}${number(count(file.badLines))}<td>${escaped(notes.join('; '))}`
  })
  const notes = [
    report.late > 0
      ? `${count(report.late)} lines came more than 10 s late and were counted, not judged.`
      : '',
    report.stray > 0 ? `${count(report.stray)} lines alone in the future were left out.` : '',
    report.noAddress > 0 ? `${count(report.noAddress)} lines name no address as their client.` : '',
    report.outside > 0 ? `${count(report.outside)} requests were outside of what was asked for.` : '',
  ].filter((note) => note !== '')
  return `<div class="scroll"><table><caption>Read</caption><tr><th>file<th>format<th class="n">requests<th class="n">other lines<th>${rows.join('')}</table></div>${notes.map((note) => `<p>${escaped(note)}</p>`).join('')}`
}

function siteSection(site: SiteFigures, clock: Clock): string {
  const { calm } = site
  return `<h2>${escaped(site.name)}</h2>
${chart(site.timeline, clock, 'Requests a second over the whole log', site.incidents)}
${site.incidents.map((one, i) => incidentSection(one, i + 1, clock)).join('\n')}
${site.incidentsLeftOut > 0 ? `<p>and ${site.incidentsLeftOut} more incidents.</p>` : ''}
${site.troubles
  .map(
    (t) =>
      `<p>${escaped(clock.at(t.fromMs))}, for ${escaped(span((t.toMs - t.fromMs) / 1000))}: the site did badly with no more requests than usual (${escaped(percent(t.overloadedShare))} answered as overloaded). The fault was not a flood.</p>`,
  )
  .join('')}
<h3>Calm weather</h3>
<p>${count(calm.requests)} requests of ${escaped(about(calm.clients, calm.clientsError))} clients; ${rate(calm.medianPerSecond)} a second in half of the seconds, ${rate(calm.peakPerSecond)} in the fullest of a thousand${calm.meanMs === undefined ? '' : `, ${Math.round(calm.meanMs)} ms each`}. ${site.capacity === undefined ? 'Too little of it to judge by.' : `The origin is taken to do ${count(site.capacity)} requests a second${site.capacityIsGiven ? ', as given' : ''}.`}</p>
${weekTable(calm, clock)}
<div class="grid">
${top('Networks', calm.networks, false)}${countryTable(calm.countries)}${top('Agents', calm.agents, false)}${top('Paths', calm.routes, false)}${top('Other sites that link here', calm.referrers, false)}
</div>
${pagesTable(site)}`
}

function incidentSection(one: IncidentFigures, at: number, clock: Clock): string {
  const fact = (name: string, value: string) => `<tr><th>${name}<td>${escaped(value, 400)}`
  return `<h3>Incident ${at}: <span${one.looksLike === 'attack' ? ' class="act"' : ''}>${escaped(VERDICT_WORDS[one.looksLike])}</span></h3>
${chart(one.timeline, clock, 'Requests a second')}
<table>
${fact('Onset', `${clock.at(one.onsetMs)}${one.precisionS > 1 ? `, or up to ${one.precisionS} s earlier` : ', to the second'}`)}
${fact('End', `${clock.at(one.endMs)}, ${span(one.durationS)} later${one.waves > 1 ? `, in ${one.waves} waves` : ''}`)}
${fact('Size', `${count(one.requests)} requests, ${rate(one.meanPerSecond)} a second, at most ${count(one.peakPerSecond)} (usual: ${rate(one.calmPerSecond)})`)}
${fact('Clients', `${about(one.clients, one.clientsError)}; ${percent(one.knownClientsShare)} of them were here in calm weather`)}
${one.strainedAtMs === undefined ? '' : fact('Digue strained', `${Math.round((one.strainedAtMs - one.onsetMs) / 1000)} s after onset`)}
${one.floodedAtMs === undefined ? '' : fact('Digue flooded', `${Math.round((one.floodedAtMs - one.onsetMs) / 1000)} s after onset`)}
${fact('Storable', `${percent(one.storableShare)} of the requests asked for pages that could have been stored`)}
</table>
<div class="grid"><div>
<p><strong>What speaks for an attack</strong></p>${reasons(one, 'attack')}
</div><div>
<p><strong>What speaks for a crowd</strong></p>${reasons(one, 'flash crowd')}
</div></div>
${signatureTable(one)}
<div class="grid">
${top('Networks', one.networks, true)}${countryTable(one.countries)}${top('Paths', one.routes, true)}${top('Agents', one.agents, true)}${top('User agents as sent', one.agentTexts, false)}${top('Answers', one.statuses, false)}${top('Prefixes', one.prefixes, false)}${top('Other sites that link here', one.referrers, true)}${hammeringTable(one)}
</div>`
}

function reasons(one: IncidentFigures, side: 'attack' | 'flash crowd'): string {
  const list = one.reasons.filter((reason) => reason.for === side)
  if (list.length === 0) return '<p class="soft">nothing</p>'
  return `<ul>${list.map((reason) => `<li>${escaped(reason.text, 300)}`).join('')}</ul>`
}

function signatureTable(one: IncidentFigures): string {
  if (one.signatures.length === 0)
    return '<p>No signature: nothing that a log shows sets these clients apart.</p>'
  const rows = one.signatures.map(
    (s) =>
      `<tr><td>${escaped(s.id)}<td>${escaped(s.reason, 500)}${number(`${s.secondsAfterOnset} s`)}${number(percent(s.coveredShare))}${number(percent(s.visitors))}`,
  )
  return `<div class="scroll"><table><caption>Signatures</caption><tr><th>id<th>in words<th class="n">after onset<th class="n">of requests<th class="n">of calm clients${rows.join('')}</table></div>
<p>Together on ${escaped(percent(one.signedShare))} of the requests. Of ${count(one.knownLookedAt)} requests of clients known from calm weather ${escaped(percent(one.knownTouchedShare))} would have been touched.</p>`
}

function hammeringTable(one: IncidentFigures): string {
  if (one.hammering.length === 0) return ''
  const rows = one.hammering.map(
    (h) =>
      `<tr><td>${escaped(h.address)}<td>${h.asn === 0 ? '' : `AS${h.asn}`}${number(count(h.requests))}${number(rate(h.perSecond))}`,
  )
  return `<table><caption>Addresses that hammered</caption><tr><th>address<th>network<th class="n">requests<th class="n">a second${rows.join('')}</table>`
}

function pagesTable(site: SiteFigures): string {
  if (site.pages.length === 0) return ''
  const rows = site.pages.map(
    (page) =>
      `<tr><td>${escaped(page.path)}${number(count(page.requests))}${number(page.clients >= 200 ? '200 or more' : count(page.clients))}${number(percent(page.alikeShare))}`,
  )
  return `<h3>Pages that could have been stored</h3>
<p>${escaped(percent(site.storableShare))} of calm weather’s requests: GET without a query, answered with 200 or 304, asked for by ten clients or more. Cache-Control and Set-Cookie are in no log: <code>digue cache check</code> asks the site itself.</p>
<div class="scroll"><table><tr><th>page<th class="n">requests<th class="n">clients<th class="n">same size as before${rows.join('')}</table></div>`
}

function top(
  title: string,
  list: readonly (Named & { readonly operator?: string })[],
  withCalm: boolean,
): string {
  if (list.length === 0) return ''
  const calm = withCalm && list.some((one) => one.calmShare !== undefined)
  const rows = list.map(
    (one) =>
      `<tr><td>${escaped(one.operator ? `${one.name} ${one.operator}` : one.name || '(none)')}${number(count(one.requests))}${number(percent(one.share))}${calm ? number(one.calmShare === undefined ? '' : percent(one.calmShare)) : ''}`,
  )
  const others = 1 - list.reduce((sum, { share }) => sum + share, 0)
  if (others >= 0.02) rows.push(`<tr><td>all others<td>${number(percent(others))}${calm ? '<td>' : ''}`)
  return `<table><caption>${title}</caption><tr><th><th class="n">requests<th class="n">share${calm ? '<th class="n">usually' : ''}${rows.join('')}</table>`
}

function countryTable(
  list: readonly { readonly country: string; readonly share: number; readonly calmShare?: number }[],
): string {
  if (list.length === 0) return ''
  const calm = list.some((one) => one.calmShare !== undefined)
  const rows = list.map(
    (one) =>
      `<tr><td>${escaped(one.country, 3)}${number(percent(one.share))}${calm ? number(one.calmShare === undefined ? '' : percent(one.calmShare)) : ''}`,
  )
  return `<table><caption>Countries of the clients’ networks</caption><tr><th><th class="n">clients${calm ? '<th class="n">usually' : ''}${rows.join('')}</table>`
}

function number(text: string): string {
  return `<td class="n">${escaped(text)}`
}

function weekTable(calm: CalmFigures, clock: Clock): string {
  const most = Math.max(...calm.week.map((n) => n ?? 0))
  if (most === 0) return ''
  const rows = DAYS.map((day, d) => {
    const hours = calm.week.slice(d * 24, d * 24 + 24)
    return `<tr><th>${day}${hours.map((n) => `<td>${n === null ? '·' : rate(n)}`).join('')}`
  })
  const head = Array.from({ length: 24 }, (_, h) => `<th class="n">${h}`).join('')
  return `<div class="scroll"><table class="week"><caption>Requests a second by hour of the week (${escaped(clock.zone)})</caption><tr><th>${head}${rows.join('')}</table></div>`
}

const CHART_WIDTH = 960
const CHART_HEIGHT = 160

/** Bars from zero, the fullest and both ends labelled directly. */
function chart(
  steps: TimelineSteps,
  clock: Clock,
  title: string,
  incidents: readonly IncidentFigures[] = [],
): string {
  const { counts, stepS, fromMs } = steps
  const most = Math.max(0, ...counts)
  if (most === 0) return ''
  const width = CHART_WIDTH / counts.length
  const height = CHART_HEIGHT - 40
  const path = counts
    .map((n, i) => {
      if (n === 0) return ''
      const h = Math.max(1, (height * n) / most)
      return `M${(i * width).toFixed(1)} ${(20 + height).toFixed(1)}v-${h.toFixed(1)}h${Math.max(0.5, width - 0.3).toFixed(1)}v${h.toFixed(1)}z`
    })
    .join('')
  const endMs = fromMs + counts.length * stepS * 1000
  const marks = incidents
    .map((one) => {
      const x = ((one.onsetMs - fromMs) / (endMs - fromMs)) * CHART_WIDTH
      return `<path class="mark" d="M${x.toFixed(1)} 8v${height + 16}"><title>${escaped(clock.at(one.onsetMs))}</title></path>`
    })
    .join('')
  const label = `${title}: at most ${rate(most / stepS)} a second in ${span(stepS)}, from ${clock.at(fromMs)} to ${clock.at(endMs)}`
  return `<figure><svg viewBox="0 0 ${CHART_WIDTH} ${CHART_HEIGHT}" role="img" aria-label="${escaped(label)}"><text class="label" x="0" y="12">${escaped(rate(most / stepS))} a second</text><path class="bar" d="${path}"/>${marks}<path class="axis" d="M0 ${20 + height}h${CHART_WIDTH}"/><text class="label" x="0" y="${CHART_HEIGHT - 4}">${escaped(clock.at(fromMs))}</text><text class="label" x="${CHART_WIDTH}" y="${CHART_HEIGHT - 4}" text-anchor="end">${escaped(clock.at(endMs))}</text></svg><figcaption>${escaped(title)}; one bar is ${escaped(span(stepS))}${incidents.length > 0 ? '; a line marks an onset' : ''}.</figcaption></figure>`
}

function about(n: number, error: number): string {
  return error === 0 ? count(n) : `about ${count(n)} (± ${percent(2 * error)})`
}
