/**
 * The pages that visitors see. Everything that is the same for all visitors of a site is put together and
 * deflated once for each state and language; a request fills in its facts.
 *
 *   head, style, name, heading, what happens next │ FACTS: estimate, countdown, links on
 *   │ notice, contact, languages │ RAY │ script
 *
 * One text serves those with and without script: it is the waiting room, and where the state asks for
 * a price a script puts the calculation in its place. Without script, `Refresh` and links do everything.
 *
 * The other languages are links to the same path with `digue=l.<tag>` in the query. As they name a query only, they
 * are short, and where the target has none they are deflated once with the rest. Rejected: all languages in
 * one page (12 kB); a form to an address of our own (a redirect more, and one that must be kept from
 * leading elsewhere). A page that holds a form has no such links: whoever followed one would lose the form.
 */
import { createHash } from 'node:crypto'
import { assert } from '#kit'
import { Amounts } from './amounts.ts'
import type { Catalogue } from './catalogue.ts'
import { languageNamed } from './choose-language.ts'
import { factsMarkup, languageLinks, languageQuery, NO_QUERY } from './facts-markup.ts'
import { belowMarkup, headMarkup } from './frame-markup.ts'
import { CATALOGUES } from './languages/all.ts'
import { escapeMarkup } from './markup.ts'
import { PAYING, type PageFacts, type PageSettings, type PageState } from './page-state.ts'
import { PAGE_SCRIPT } from './script-bundle.ts'
import { joinGzip, joinPlain, type Part, type Segment, segment } from './segments.ts'
import { STYLE } from './style.ts'

/** A page stays below 20 kB: a logo for which there is no room beside script and texts is left out. */
const MOST_FRAME_BYTES = 18_500

export interface RenderedPage {
  /** Names in lower case and values; nothing about caching, waiting or encoding, which is the edge's. */
  readonly fields: readonly string[]
  readonly plain: Buffer
  readonly gzip: () => Buffer
}

/** Everything of a state and language that no request changes. */
interface Frame {
  readonly fields: readonly string[]
  readonly catalogue: Catalogue
  readonly amounts: Amounts
  readonly head: Segment
  /** From the facts to the reference number: with links to other languages that need no query … */
  readonly middle: Segment
  /** … and in two, for those that do. */
  readonly below: Segment
  readonly reference: Segment
  readonly foot: Segment
}

export class Pages {
  readonly #settings: PageSettings
  readonly #fallback: string
  readonly #script: string
  readonly #policy: { readonly paying: string; readonly plain: string }
  readonly #frames = new Map<PageState, Map<string, Frame>>()
  readonly #amounts = new Map<string, Amounts>()

  /** `solverScript` defines the global `digueSolve`. */
  constructor(settings: PageSettings, solverScript: string) {
    this.#settings = settings
    this.#fallback = languageNamed(settings.language ?? '') ?? CATALOGUES[0]!.tag
    this.#script = solverScript + PAGE_SCRIPT
    assert(!/<\/script|<!--/i.test(this.#script), 'page script: expected no "</script" and no "<!--" in it')
    const rest = `style-src ${hashSource(STYLE)}; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`
    const script = `script-src ${hashSource(this.#script)} 'wasm-unsafe-eval' blob:; worker-src blob:; connect-src 'self'`
    this.#policy = {
      paying: `default-src 'none'; ${script}; ${rest}`,
      plain: `default-src 'none'; ${rest}`,
    }
  }

  /** `language`: one of `chooseLanguage`, or a visitor's choice; the fallback when it is none of ours. */
  render(state: PageState, language: string, facts: PageFacts): RenderedPage {
    const frame = this.#frame(state, language)
    const own = factsMarkup(state, frame, facts)
    const query = languageQuery(state, facts.retryHref)
    const ray = escapeMarkup(facts.ray)
    if (query === NO_QUERY)
      return new Rendered(frame.fields, [frame.head, own, frame.middle, ray, frame.foot])
    const links = query === undefined ? '' : languageLinks(frame.catalogue, query)
    return new Rendered(frame.fields, [frame.head, own, frame.below, links, frame.reference, ray, frame.foot])
  }

  #frame(state: PageState, language: string): Frame {
    let frames = this.#frames.get(state)
    if (frames === undefined) this.#frames.set(state, (frames = new Map()))
    const found = frames.get(language)
    if (found !== undefined) return found
    // Kept by our tags only: a stranger may have made up the language.
    const tag = languageNamed(language) ?? this.#fallback
    let frame = frames.get(tag)
    if (frame === undefined) frames.set(tag, (frame = this.#build(state, tag)))
    return frame
  }

  #build(state: PageState, tag: string): Frame {
    const catalogue = CATALOGUES.find((candidate) => candidate.tag === tag)!
    const amounts = this.#amounts.get(tag) ?? new Amounts(tag)
    this.#amounts.set(tag, amounts)
    const below = belowMarkup(state, this.#settings, { catalogue, fallback: this.#fallback })
    const [label, afterRay] = escapeMarkup(catalogue.reference).split('{ray}') as [string, string]
    const reference = `<footer>${label}<bdi>`
    const isPaying = PAYING.has(state)
    const foot = `</bdi>${afterRay}</footer>${isPaying ? `<script>${this.#script}</script>` : ''}`
    const middle = below + languageLinks(catalogue, NO_QUERY) + reference
    let head = headMarkup(state, this.#settings, catalogue)
    if (Buffer.byteLength(head + middle + foot) > MOST_FRAME_BYTES)
      head = headMarkup(state, { ...this.#settings, logo: undefined }, catalogue)
    return {
      catalogue,
      amounts,
      fields: [
        'content-type',
        'text/html; charset=utf-8',
        'content-language',
        tag,
        'vary',
        'accept-encoding, accept-language',
        'content-security-policy',
        isPaying ? this.#policy.paying : this.#policy.plain,
        // A token in the address is nobody else's business.
        'referrer-policy',
        'same-origin',
        'x-content-type-options',
        'nosniff',
      ],
      head: segment(head),
      middle: segment(middle),
      below: segment(below),
      reference: segment(reference),
      foot: segment(foot),
    }
  }
}

class Rendered implements RenderedPage {
  readonly fields: readonly string[]
  readonly #parts: readonly Part[]

  constructor(fields: readonly string[], parts: readonly Part[]) {
    this.fields = fields
    this.#parts = parts
  }

  get plain(): Buffer {
    return joinPlain(this.#parts)
  }

  readonly gzip = (): Buffer => joinGzip(this.#parts)
}

/** For the very bytes of an inline element. */
function hashSource(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`
}
