/** What a site's configuration says of its entrance, compiled once per configuration and thread. */
import { readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { PART_BITS, type PageSettings, Pages, SOLVER } from '#challenge'
import type { PageConfig, SiteConfig } from '#config'
import { CidrSet } from '#networks'
import { Crawlers, DEFAULT_NEVER_CHALLENGED, HeaderTokens, LoginCookie, PathPatterns } from '#recognise'
import { VainWaits } from './vain-waits.ts'

export interface SiteEntrance {
  readonly asksPrice: boolean
  readonly knowsVisitors: boolean
  readonly bits: number
  readonly pages: Pages
  readonly neverChallenged: PathPatterns
  readonly tokens: HeaderTokens | undefined
  readonly login: LoginCookie | undefined
  readonly crawlers: Crawlers | undefined
  readonly asksDns: boolean
  readonly vain: VainWaits
  /** Origin milliseconds of a navigation in calm weather, a running mean. */
  readonly pageMs: { mean: number }
}

/** `typicalMs`: what any request takes in calm weather, until pages have been seen. */
export function siteEntrance(config: SiteConfig, typicalMs: number, nowS: number): SiteEntrance {
  const { challenge, page } = config
  return {
    asksPrice: challenge.price,
    knowsVisitors: challenge.known,
    bits: challenge.bits ?? PART_BITS,
    pages: new Pages(pageSettings(page), SOLVER),
    neverChallenged: new PathPatterns(challenge.neverChallenged ?? DEFAULT_NEVER_CHALLENGED),
    tokens: challenge.tokens.length > 0 ? new HeaderTokens(challenge.tokens) : undefined,
    login: challenge.loginCookie === undefined ? undefined : new LoginCookie(challenge.loginCookie),
    crawlers: challenge.crawlers ? crawlers(challenge.crawlerRanges, nowS) : undefined,
    asksDns: challenge.crawlerDns,
    vain: new VainWaits(),
    pageMs: { mean: typicalMs },
  }
}

let shipped: Crawlers | undefined

/** The shipped lists are one object for all sites: they take half a megabyte. */
function crawlers(listed: readonly string[], nowS: number): Crawlers {
  if (listed.length > 0) return new Crawlers(CidrSet.parse(listed).set, nowS)
  return (shipped ??= new Crawlers(CidrSet.EMPTY, nowS))
}

function pageSettings(page: PageConfig): PageSettings {
  const { logo, ...rest } = page
  const data = logo === undefined ? undefined : dataUri(logo)
  return data === undefined ? rest : { ...rest, logo: data }
}

/** The configuration was checked, but a file may go away afterwards: a page without a logo is a page. */
function dataUri(file: string): string | undefined {
  try {
    const type = extname(file).toLowerCase() === '.svg' ? 'image/svg+xml' : 'image/png'
    return `data:${type};base64,${readFileSync(file).toString('base64')}`
  } catch {
    return undefined
  }
}
