/**
 * The page of one second, shown to those who come without a ticket while whole pages are too dear to hand out. Its
 * response's `Refresh` field leads on; the link is for browsers that do not follow it. At most 150 bytes, because a
 * flood gets one for each request.
 */
import { languageNamed } from './choose-language.ts'
import { CATALOGUES } from './languages/all.ts'

const pages = new Map(
  CATALOGUES.map(({ tag, direction, moment }) => {
    const dir = direction === 'rtl' ? ' dir=rtl' : ''
    return [tag, `<!doctype html><html lang=${tag}${dir}><title>${moment}</title><p><a href="">${moment}</a>`]
  }),
)

/** `language` as in `Pages.render`; French when it is none of ours. */
export function momentPage(language: string): string {
  return pages.get(language) ?? pages.get(languageNamed(language) ?? CATALOGUES[0]!.tag)!
}
