/**
 * The page of one second, shown to those who come without a ticket while whole pages are too dear to hand out. Its
 * response's `Refresh` field leads on; the link is for browsers that do not follow it. At most 150 bytes, because a
 * flood gets one for each request.
 */
import { languageNamed } from './choose-language.ts'
import { CATALOGUES } from './languages/all.ts'

interface Moment {
  readonly navigation: string
  /** No link: it would ask anew and lose what was written. */
  readonly form: string
}

const pages = new Map(
  CATALOGUES.map(({ tag, direction, moment, resendHow }): [string, Moment] => {
    const dir = direction === 'rtl' ? ' dir=rtl' : ''
    const start = `<!doctype html><html lang=${tag}${dir}><title>${moment}</title><p>`
    return [tag, { navigation: `${start}<a href="">${moment}</a>`, form: `${start}${resendHow}` }]
  }),
)

/** `language` as in `Pages.render`; French when it is none of ours. `form`: for whoever sent one. */
export function momentPage(language: string, kind: 'navigation' | 'form' = 'navigation'): string {
  return (pages.get(language) ?? pages.get(languageNamed(language) ?? CATALOGUES[0]!.tag)!)[kind]
}
