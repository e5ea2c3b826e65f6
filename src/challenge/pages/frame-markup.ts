/** The markup that no request changes: one for each state and language of a site. */
import type { Catalogue } from './catalogue.ts'
import { languageNamed } from './choose-language.ts'
import { DRAWING } from './drawing.ts'
import { escapeMarkup, safeImage, safeLink } from './markup.ts'
import { HOLDING, PAYING, type PageSettings, type PageState } from './page-state.ts'
import { STYLE } from './style.ts'

/** From the beginning into the block with the facts of a request. */
export function headMarkup(state: PageState, settings: PageSettings, catalogue: Catalogue): string {
  const title = escapeMarkup(titleOf(state, catalogue))
  const name = escapeMarkup(settings.name ?? '')
  const logo = settings.logo === undefined ? undefined : safeImage(settings.logo)
  const image = logo === undefined ? '' : `<img src="${logo}" alt="">`
  return [
    `<!doctype html><html lang=${catalogue.tag} dir=${catalogue.direction}>`,
    '<meta charset=utf-8><meta name=viewport content="width=device-width,initial-scale=1">',
    `<title>${title}${name === '' ? '' : ` – ${name}`}</title>`,
    // An icon would be a second request.
    `<link rel=icon href="data:,"><style>${STYLE}</style>`,
    name === '' && image === '' ? '' : `<header>${image}<bdi>${name}</bdi></header>`,
    `<main>${DRAWING}<h1>${title}</h1>`,
    // What happened to a form is said all the time; what else there is gives way to the calculation.
    state === 'resend' ? paragraphs([catalogue.resend]) : '',
    payingMarkup(state, catalogue),
    state === 'resend' ? '<div>' : '<div id=line>',
    paragraphs([lineOf(state, catalogue)]),
  ].join('')
}

/** Below the facts: for whom it does not work, what the operator says, and how to reach him. */
export function belowMarkup(
  state: PageState,
  settings: PageSettings,
  texts: { readonly catalogue: Catalogue; readonly fallback: string },
): string {
  const { catalogue, fallback } = texts
  return [
    helpMarkup(state, catalogue),
    noticeMarkup(settings.notice, catalogue.tag, fallback),
    contactMarkup(settings, catalogue),
    '</main>',
  ].join('')
}

function paragraphs(lines: readonly string[]): string {
  return lines.map((line) => `<p>${escapeMarkup(line)}</p>`).join('')
}

function titleOf(state: PageState, { overload, failed, refused, hammering }: Catalogue): string {
  switch (state) {
    case 'failed':
      return failed
    case 'refused':
      return refused
    case 'hammering':
      return hammering
    default:
      return overload
  }
}

/** What the script shows in place of the line while it works, and where it says how far it is. */
function payingMarkup(state: PageState, catalogue: Catalogue): string {
  if (!PAYING.has(state)) return ''
  const [text, done] =
    state === 'form'
      ? [catalogue.formCalculating, catalogue.sending]
      : state === 'resend'
        ? [catalogue.resendCalculating, catalogue.resendNow]
        : [catalogue.calculating, catalogue.opening]
  return (
    `<div id=calc hidden><p>${escapeMarkup(text)}</p>` +
    `<progress id=bar max=1 value=0 aria-label="${escapeMarkup(catalogue.progress)}"></progress></div>` +
    `<p id=status role=status data-left="${escapeMarkup(catalogue.timeLeft)}" data-done="${escapeMarkup(done)}"></p>`
  )
}

function lineOf(state: PageState, catalogue: Catalogue): string {
  switch (state) {
    case 'price':
    case 'wait':
      return catalogue.inLine
    case 'stopped':
      return catalogue.stopped
    case 'form':
      return catalogue.form
    case 'resend':
      return catalogue.resendHow
    case 'help':
      return catalogue.help
    case 'busy':
      return catalogue.busy
    case 'failed':
      return catalogue.failedNext
    case 'refused':
      return catalogue.refusedNext
    case 'hammering':
      return catalogue.hammeringNext
    default:
      return state satisfies never
  }
}

/** That the calculation failed is known to the server, or to the script alone. */
function helpMarkup(state: PageState, { help, helpContact }: Catalogue): string {
  if (state === 'help') return paragraphs([helpContact])
  if (!PAYING.has(state)) return ''
  return `<div id=help hidden>${paragraphs(HOLDING.has(state) ? [helpContact] : [help, helpContact])}</div>`
}

function noticeMarkup(notice: PageSettings['notice'], tag: string, fallback: string): string {
  if (notice === undefined) return ''
  const texts = typeof notice === 'string' ? new Map([[fallback, notice]]) : byLanguage(notice)
  const language = [tag, fallback, ...texts.keys()].find((candidate) => texts.has(candidate))
  if (language === undefined) return ''
  return `<div class=say lang=${language} dir=auto>${escapeMarkup(texts.get(language)!)}</div>`
}

/** Texts by our tags; those in languages that are none of ours are left out. */
function byLanguage(notice: Readonly<Record<string, string>>): Map<string, string> {
  const texts = new Map<string, string>()
  for (const [name, text] of Object.entries(notice)) {
    const tag = languageNamed(name)
    if (tag !== undefined) texts.set(tag, text)
  }
  return texts
}

function contactMarkup({ phone, mail, link }: PageSettings, catalogue: Catalogue): string {
  const lines: string[] = []
  // Latin digits and letters are read from left to right in an Arabic sentence, too.
  if (phone !== undefined) {
    const anchor = anchorTo(`tel:${phone.replace(/[^+\d]/g, '')}`, phone, 'dir=ltr')
    lines.push(filled(catalogue.phone, '{phone}', anchor))
  }
  if (mail !== undefined) {
    const anchor = anchorTo(`mailto:${mail.split('@').map(encodeURIComponent).join('@')}`, mail, 'dir=ltr')
    lines.push(filled(catalogue.mail, '{mail}', anchor))
  }
  const href = link === undefined ? undefined : safeLink(link.href)
  if (href !== undefined) {
    const anchor = anchorTo(href, link!.text, 'dir=auto rel=noreferrer')
    lines.push(filled(catalogue.meanwhile, '{link}', anchor))
  }
  if (lines.length === 0) return ''
  return `<section><h2>${escapeMarkup(catalogue.contact)}</h2><ul><li>${lines.join('<li>')}</ul></section>`
}

function anchorTo(href: string, label: string, attributes: string): string {
  return `<a href="${escapeMarkup(href)}" ${attributes}>${escapeMarkup(label)}</a>`
}

/** A sentence of ours with markup in its slot. */
function filled(text: string, slot: string, markup: string): string {
  return escapeMarkup(text).replace(slot, () => markup)
}
