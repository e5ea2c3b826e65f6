export { type ClientHello, type HelloResult, LARGEST_HELLO_BYTES, parseClientHello } from './client-hello.ts'
export { type CrawlerList, Crawlers, engineOfHost, LISTED_ENGINE, namesEngine } from './crawlers.ts'
export {
  type HeaderToken,
  HeaderTokens,
  hashToken,
  LOGIN_CHECKS,
  type LoginCheck,
  LoginCookie,
  type LoginCookieOptions,
} from './credentials.ts'
export { ja4Of } from './ja4.ts'
export { KINDS, type Kind, kindOf } from './kind.ts'
export { DEFAULT_NEVER_CHALLENGED, NeverChallenged, neverChallengedFault } from './never-challenged.ts'
export { routeOf } from './route.ts'
export {
  EFFECTS,
  type Effect,
  type Signature,
  type SiteSignatures,
  type Term,
  UNFAMILIAR,
} from './signature.ts'
export { LONGEST_TRAIT, TRAITS, type TraitInfo, type TraitName, type Traits } from './traits.ts'
