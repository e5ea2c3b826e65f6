/** Which pages there are, and what goes into one. */
import type { Range } from './amounts.ts'

export const PAGE_STATES = [
  /** Overload: the script pays; without one it is the waiting room. */
  'price',
  /** In line. */
  'wait',
  /** The same without coming again by itself. */
  'stopped',
  /** A form was sent: sealed in the page, sent again by the script or by a button. */
  'form',
  /** A form was sent that is too large for that: the script pays, the person sends it again. */
  'resend',
  /** The price could not be paid three times: in line, with people to turn to. */
  'help',
  /** A path that is never priced. */
  'busy',
  /** 502, 504: the origin does not answer. */
  'failed',
  /** 403: the operator's rule. */
  'refused',
  /** 429. */
  'hammering',
] as const
export type PageState = (typeof PAGE_STATES)[number]

/** There is a price, and a script to pay it. */
export const PAYING: ReadonlySet<PageState> = new Set(['price', 'form', 'resend'])
/** Somebody waits in line. */
export const WAITING: ReadonlySet<PageState> = new Set(['price', 'wait', 'stopped', 'help'])
/** The page comes again by itself, by the `Refresh` field of its response. */
export const RETURNING: ReadonlySet<PageState> = new Set(['price', 'wait', 'help', 'busy'])
/** A form in progress, which a link would lose. */
export const HOLDING: ReadonlySet<PageState> = new Set(['form', 'resend'])
/** The home page may be open when this one is not. */
export const LEADING_HOME: ReadonlySet<PageState> = new Set([
  'resend',
  'busy',
  'failed',
  'refused',
  'hammering',
])

/** What an operator adds to the pages' own words. */
export interface PageSettings {
  readonly name?: string | undefined
  /** A `data:` URI. */
  readonly logo?: string | undefined
  readonly phone?: string | undefined
  readonly mail?: string | undefined
  /** Another site that works meanwhile. */
  readonly link?: { readonly href: string; readonly text: string } | undefined
  /** One text in the fallback language, or one by language. */
  readonly notice?: string | Readonly<Record<string, string>> | undefined
  /** For those whose own is not among ours; "fr" when absent. */
  readonly language?: string | undefined
}

/** What is different with every request. */
export interface PageFacts {
  readonly ray: string
  readonly challenge?: string
  readonly bits?: number
  readonly price?: number
  readonly waitS?: Range
  readonly ahead?: Range
  /** Seconds of the `Refresh` field. */
  readonly pollS?: number
  /** What was asked for, as a path; with `digue=<ticket>` where no cookie came back yet. */
  readonly retryHref: string
  /** The same page without coming again by itself. */
  readonly stopHref?: string
  /** The form's content; base64url. */
  readonly sealed?: string
  /** Failed tries that the ticket knows of. */
  readonly tries?: number
}
