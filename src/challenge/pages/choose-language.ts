/**
 * Which of our languages a visitor reads: Accept-Language (RFC 9110 §12.5.4) by the look-up of RFC 4647 §3.4.
 *
 * Look-up and not filtering, because one page is wanted: each range, dearest first, is shortened from its
 * end ("de-AT-1996", "de-AT", "de") until a language of ours is called so. `*` says nothing that helps: a
 * language that was named is a better guess whatever its weight. One of weight 0 is not taken as a fallback either.
 *
 * Chinese is told by script, and most browsers name a region: Taiwan, Hong Kong and Macau read traditional
 * characters, everybody else simplified ones.
 *
 * The line is a stranger's: of a long one only the beginning counts, and nothing malformed is repaired, only left out.
 */
import { CATALOGUES } from './languages/all.ts'

const MOST_CHARACTERS = 512
const MOST_RANGES = 16

/** Every language by its lower-case tag, and what else it is called. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ...CATALOGUES.map((catalogue) => [catalogue.tag.toLowerCase(), catalogue.tag] as const),
  ['zh', 'zh-Hans'],
  ['zh-tw', 'zh-Hant'],
  ['zh-hk', 'zh-Hant'],
  ['zh-mo', 'zh-Hant'],
  ['cmn', 'zh-Hans'],
  ['cmn-hant', 'zh-Hant'],
  ['cmn-tw', 'zh-Hant'],
  ['yue', 'zh-Hant'],
  ['yue-hans', 'zh-Hans'],
])

/** A language range with its weight. */
const RANGE = /^[ \t]*([a-z]{1,8}(?:-[a-z0-9]{1,8}){0,7})[ \t]*(?:;[ \t]*q=([01](?:\.\d{0,3})?)[ \t]*)?$/i

/** The tag of the page's language; `fallback` where the visitor names none of ours. */
export function chooseLanguage(acceptLanguage: string | undefined, fallback = 'fr'): string {
  const otherwise = languageNamed(fallback) ?? CATALOGUES[0]!.tag
  if (acceptLanguage === undefined) return otherwise
  const parts = acceptLanguage.slice(0, MOST_CHARACTERS).split(',', MOST_RANGES)
  let best: string | undefined
  let bestWeight = 0
  let unwanted: Set<string> | undefined
  for (const part of parts) {
    const match = RANGE.exec(part)
    if (match === null) continue
    const weight = Math.min(1, Number(match[2] ?? 1))
    const language = languageNamed(match[1]!)
    if (language === undefined) continue
    if (weight === 0) (unwanted ??= new Set()).add(language)
    // Equal weights: the one that was named first.
    else if (weight > bestWeight) {
      best = language
      bestWeight = weight
    }
  }
  if (best !== undefined) return best
  if (unwanted?.has(otherwise)) return CATALOGUES.find(({ tag }) => !unwanted.has(tag))?.tag ?? otherwise
  return otherwise
}

/** The tag of our language that `range` means, shortening it as far as needed; undefined when there is none. */
export function languageNamed(range: string): string | undefined {
  let name = range.toLowerCase()
  while (name !== '') {
    const found = NAMES.get(name)
    if (found !== undefined) return found
    let end = name.lastIndexOf('-')
    // A single letter only announces the subtag behind it (RFC 4647 §3.4).
    if (end > 1 && name[end - 2] === '-') end -= 2
    name = end < 1 ? '' : name.slice(0, end)
  }
  return undefined
}
