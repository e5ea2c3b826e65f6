/** The languages that a client accepts: the first three tags in its order, in lower case, without weights. */
import { TextCache } from './text-cache.ts'

const MOST_TAGS = 3
const LONGEST = 256
/** As browsers send them (BCP 47): "fr", "pt-br", "zh-hant-tw", "*". */
const TAG = /^(?:\*|[a-z]{2,3}(?:-[a-z0-9]{2,8}){0,3})$/

const languages = new TextCache(parse)

/** '' without the field; `{x}` for a tag that is none. */
export function languageOf(text: string | undefined): string {
  return text === undefined || text === '' ? '' : languages.get(text)
}

function parse(text: string): string {
  const tags: string[] = []
  for (const part of text.slice(0, LONGEST).toLowerCase().split(',', 16)) {
    const semicolon = part.indexOf(';')
    const tag = (semicolon === -1 ? part : part.slice(0, semicolon)).trim()
    if (tag === '') continue
    const value = TAG.test(tag) ? tag : '{x}'
    if (!tags.includes(value)) tags.push(value)
    if (tags.length === MOST_TAGS) break
  }
  return tags.join(',')
}
