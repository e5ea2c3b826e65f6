export { type Agent, agentOf, type Engine } from './agent.ts'
export { type ClientHello, type HelloResult, LARGEST_HELLO_BYTES, parseClientHello } from './client-hello.ts'
export { CONTRADICTIONS, type Contradiction } from './contradiction.ts'
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
export { type LogTraitInput, logTraitsOf, type TraitInput, traitsOf } from './extract.ts'
export { type H2Settings, h2FingerprintOf } from './h2-fingerprint.ts'
export { ja4Of } from './ja4.ts'
export { KINDS, type Kind, kindOf } from './kind.ts'
export { DEFAULT_NEVER_CHALLENGED } from './never-challenged.ts'
export { PathPatterns, pathPatternFault } from './path-patterns.ts'
export { routeOf } from './route.ts'
export {
  EFFECTS,
  type Effect,
  type Signature,
  type SiteSignatures,
  type Term,
  UNFAMILIAR,
} from './signature.ts'
export { describeTerm, SignatureMatcher, signatureId } from './signature-match.ts'
export { LOG_TRAITS, LONGEST_TRAIT, TRAITS, type TraitInfo, type TraitName, type Traits } from './traits.ts'
