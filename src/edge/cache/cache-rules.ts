import type { CacheRules } from '#cache'
import type { CacheConfig } from '#config'
import { PathPatterns } from '#recognise'

/** The operator's settings of a site as the rules want them. */
export function cacheRulesOf({ heuristic, staleFor, objectBytes, emergency }: CacheConfig): CacheRules {
  const everywhere = emergency.includes('/*')
  const paths = new PathPatterns(emergency)
  return {
    heuristicMs: heuristic,
    staleMs: staleFor,
    objectBytes,
    isEmergencyPath: (target) => everywhere || paths.has(target),
  }
}
