/** The markup that every request has of its own: estimate, countdown, links on. Short: it is not compressed. */
import { takeParameter } from '../cookies.ts'
import { PARAMETER, REPLAY_PATH } from '../protocol.ts'
import type { Amounts } from './amounts.ts'
import type { Catalogue } from './catalogue.ts'
import { CATALOGUES } from './languages/all.ts'
import { escapeMarkup, safeTarget } from './markup.ts'
import {
  HOLDING,
  LEADING_HOME,
  PAYING,
  type PageFacts,
  type PageState,
  RETURNING,
  WAITING,
} from './page-state.ts'
import { MOST_COUNTED_S } from './style.ts'

/** A longer query is not repeated for every language: the page has no switch then. */
const MOST_QUERY = 400

/** From the end of `headMarkup` to the beginning of `belowMarkup`. */
export function factsMarkup(
  state: PageState,
  texts: { readonly catalogue: Catalogue; readonly amounts: Amounts },
  facts: PageFacts,
): string {
  const { catalogue, amounts } = texts
  const isReturning = RETURNING.has(state) && facts.pollS !== undefined
  let markup = ''
  if (WAITING.has(state) && facts.ahead !== undefined && facts.ahead[1] > 0)
    markup += amount(catalogue.ahead, amounts.count(facts.ahead))
  if ((WAITING.has(state) || HOLDING.has(state)) && facts.waitS !== undefined)
    markup += amount(catalogue.estimate, amounts.time(facts.waitS))
  if (isReturning) markup += countdown(catalogue.looksAgain, facts.pollS)
  if (isReturning && WAITING.has(state)) markup += `<p>${escapeMarkup(catalogue.reloading)}</p>`
  return `${markup}</div>${onward(state, catalogue, facts, isReturning)}`
}

/** What leads on. The script finds it by its id, and what it needs to know in its data. */
function onward(state: PageState, catalogue: Catalogue, facts: PageFacts, isReturning: boolean): string {
  const data = PAYING.has(state) ? dataOf(facts) : ''
  const home = LEADING_HOME.has(state) ? ` <a href="/">${escapeMarkup(catalogue.home)}</a>` : ''
  if (state === 'form')
    return (
      `<form id=go method=post action="${REPLAY_PATH}"${data}>` +
      `<input type=hidden name=sealed value="${escapeMarkup(facts.sealed ?? '')}">` +
      `<button>${escapeMarkup(catalogue.send)}</button></form>`
    )
  if (state === 'resend') return `<p id=go class=act${data}>${home}</p>`
  const label = isReturning ? catalogue.ifNothing : catalogue.again
  const stop =
    isReturning && facts.stopHref !== undefined
      ? ` <a href="${escapeMarkup(safeTarget(facts.stopHref))}">${escapeMarkup(catalogue.stop)}</a>`
      : ''
  const href = escapeMarkup(safeTarget(facts.retryHref))
  return `<p class=act><a id=go href="${href}"${data}>${escapeMarkup(label)}</a>${stop}${home}</p>`
}

function dataOf({ challenge, bits, price, pollS, tries }: PageFacts): string {
  if (challenge === undefined) return ''
  const numbers = Object.entries({ bits, price, poll: pollS, tries })
  const filled = numbers.map(([name, value]) => (value === undefined ? '' : ` data-${name}=${Number(value)}`))
  return ` data-challenge="${escapeMarkup(challenge)}"${filled.join('')}`
}

function amount(text: string, value: string): string {
  return `<p>${escapeMarkup(text).replace('{range}', () => `<b>${value}</b>`)}</p>`
}

/** See style.ts. The number for those who cannot see, or want no motion, is where it was when the page came. */
function countdown(text: string, pollS: number | undefined): string {
  const seconds = Math.max(0, Math.floor(Number(pollS) || 0))
  const count =
    seconds > MOST_COUNTED_S
      ? String(seconds)
      : `<span class=r>${seconds}</span><span class=n aria-hidden=true data-n="${stripFrom(seconds)}"></span>`
  // Number and unit stay on one line.
  const [before, after] = escapeMarkup(text).split('{seconds}') as [string, string]
  return `<p>${before}<span class=k>${count}${after}</span></p>`
}

const strips: string[] = []

/** The numbers down to 0, which stays for some seconds: the answer to what comes then may take that long. */
function stripFrom(seconds: number): string {
  return (strips[seconds] ??= [...Array.from({ length: seconds }, (_, i) => seconds - i), 0, 0, 0, 0, 0].join(
    '\n',
  ))
}

/** What the query of a link to another language holds beside it. */
export interface LanguageQuery {
  readonly before: string
  readonly after: string
}

export const NO_QUERY: LanguageQuery = { before: '', after: '' }

/** NO_QUERY for most pages; undefined when the page cannot have a switch. */
export function languageQuery(state: PageState, retryHref: string): LanguageQuery | undefined {
  if (HOLDING.has(state)) return undefined
  const href = safeTarget(retryHref)
  const taken = takeParameter(href)
  const target = taken?.target ?? href
  const mark = target.indexOf('?')
  const stopped = state === 'stopped' ? 's.' : ''
  if (mark === -1 && taken === undefined && stopped === '') return NO_QUERY
  // What an earlier choice of language or a stop put before the token.
  const token = (taken?.token ?? '').replace(/^(s\.)?(l\.[A-Za-z-]{2,10}(\.|$))?/, '')
  const before = `${mark === -1 ? '' : `${target.slice(mark + 1)}&`}${PARAMETER}=${stopped}`
  const after = token === '' ? '' : `.${token}`
  if (before.length + after.length > MOST_QUERY) return undefined
  return { before: escapeMarkup(before), after: escapeMarkup(after) }
}

export function languageLinks({ tag, languages }: Catalogue, query: LanguageQuery): string {
  const before = query.before === '' ? `${PARAMETER}=` : query.before
  let links = ''
  for (const { tag: other, name } of CATALOGUES)
    if (other !== tag)
      links += `<li><a href="?${before}l.${other}${query.after}" lang=${other} hreflang=${other}>${name}</a>`
  return `<nav aria-label="${escapeMarkup(languages)}"><ul>${links}</ul></nav>`
}
