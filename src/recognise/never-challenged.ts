/**
 * Paths for which nobody is asked for a calculation: what machines must read (robots.txt, feeds,
 * sitemaps, health checks) and what people have a right to reach (the accessibility statement, the
 * legal notice, emergency pages). Who asks for them still waits in line like everybody else.
 *
 * A pattern is one of four, each without regard to the case of letters:
 *
 *     /robots.txt     this path
 *     /emergency/*    this path and all below it
 *     /sitemap*       all paths that begin so
 *     *.rss           all paths that end so
 *
 * A path is looked at without its query, without a slash at its end, with escapes decoded and doubled
 * slashes joined. For a pattern of the first kind, "/impressum.html", "/impressum.php" and a language
 * in front ("/de/impressum", "/fr-CH/mentions-legales") are the same page; languages count for the
 * others too. Accents count: "/accessibilité" and "/accessibilite" are two patterns.
 *
 * An exemption must not reach further than the origin's own reading of the path. A refusal reads
 * through every disguise (edge/decisions.ts); here a path in disguise (dot segments, escaped slashes
 * and dots, backslashes, ";" parameters) is exempt from nothing, since "/search/..;/robots.txt" is the
 * search to one origin and robots.txt to the next. No browser and no crawler sends such a path.
 *
 * No regular expression is made of a pattern: look-ups in sets, and a few comparisons of beginnings.
 */

export const DEFAULT_NEVER_CHALLENGED: readonly string[] = [
  // For machines.
  '/robots.txt',
  '/.well-known/*',
  '/humans.txt',
  '/security.txt',
  '/ads.txt',
  '/app-ads.txt',
  // Feeds.
  '*.rss',
  '*.atom',
  '/feed',
  '/feed/*',
  '/feeds/*',
  '/feed.xml',
  '/feeds.xml',
  '/feed.json',
  '/rss',
  '/rss/*',
  '/rss.xml',
  '/atom',
  '/atom.xml',
  '/index.xml',
  '/index.rdf',
  '/flux',
  '/flux-rss',
  // Sitemaps.
  '/sitemap*',
  '/wp-sitemap*',
  '*-sitemap.xml',
  '/plan-du-site',
  '/plan-site',
  '/mapa-del-sitio',
  '/mapa-web',
  // Health checks.
  '/health',
  '/health/*',
  '/healthz',
  '/health-check',
  '/healthcheck',
  '/livez',
  '/readyz',
  '/live',
  '/ready',
  '/alive',
  '/ping',
  '/up',
  '/status',
  '/heartbeat',
  '/__heartbeat__',
  '/__lbheartbeat__',
  '/_health',
  '/-/health',
  '/-/healthy',
  '/-/ready',
  '/api/health',
  '/actuator/health',
  '/actuator/health/*',
  // The accessibility statement.
  '/accessibilite*',
  '/accessibilité*',
  '/declaration-accessibilite*',
  '/declaration-d-accessibilite*',
  '/declaration-daccessibilite*',
  '/declaration-de-conformite-rgaa',
  '/schema-pluriannuel*',
  '/accessibility*',
  '/barrierefreiheit*',
  '/erklaerung-zur-barrierefreiheit',
  '/erklärung-zur-barrierefreiheit',
  '/erklaerung-barrierefreiheit',
  '/accesibilidad*',
  '/declaracion-de-accesibilidad',
  '/declaracion-accesibilidad',
  '/declaración-de-accesibilidad',
  // Who is responsible, and for whose data.
  '/mentions-legales',
  '/mentions-légales',
  '/mentions',
  '/informations-legales',
  '/infos-legales',
  '/donnees-personnelles',
  '/politique-de-confidentialite',
  '/legal',
  '/legal-notice',
  '/legal-notices',
  '/imprint',
  '/privacy',
  '/privacy-policy',
  '/impressum',
  '/datenschutz',
  '/datenschutzerklaerung',
  '/datenschutzerklärung',
  '/aviso-legal',
  '/informacion-legal',
  '/politica-de-privacidad',
  // Emergencies.
  '/urgence',
  '/urgence/*',
  '/urgences',
  '/urgences/*',
  '/numeros-urgence',
  '/numeros-d-urgence',
  '/alerte',
  '/alertes',
  '/emergency',
  '/emergency/*',
  '/emergencies',
  '/emergency-contacts',
  '/emergency-numbers',
  '/alert',
  '/alerts',
  '/notfall',
  '/notfall/*',
  '/notfaelle',
  '/notruf',
  '/notrufnummern',
  '/emergencia',
  '/emergencia/*',
  '/emergencias',
  '/emergencias/*',
  '/alerta',
  '/alertas',
]

/** What is wrong with a pattern: "expected …, got …", to be shown beside its path. Undefined: nothing is. */
export function neverChallengedFault(pattern: string): string | undefined {
  const star = pattern.indexOf('*')
  const isWhole =
    star === -1 || (star === pattern.lastIndexOf('*') && (star === 0 || star === pattern.length - 1))
  const startsWell = pattern.startsWith('/') || star === 0
  // "*" and "/*" would be every path: `price: false` says that better.
  if (isWhole && startsWell && !/[?#\s]/.test(pattern) && (star === -1 || pattern.length > 2))
    return undefined
  const got = JSON.stringify(pattern.slice(0, 64))
  return `expected a path such as "/robots.txt", "/emergency/*", "/sitemap*" or "*.rss", got ${got}`
}

export class NeverChallenged {
  readonly #exact = new Set<string>()
  readonly #beginnings: string[] = []
  readonly #endings: string[] = []

  /** Patterns with a fault, and those that no plain path can match, are left out. */
  constructor(patterns: readonly string[]) {
    for (const pattern of patterns) {
      if (neverChallengedFault(pattern) !== undefined) continue
      const star = pattern.indexOf('*')
      const path = plain(pattern.replace('*', ''))
      if (path === undefined) continue
      if (star === -1) this.#exact.add(withoutPageEnding(withoutSlash(path)))
      else if (star === 0) this.#endings.push(path)
      else {
        this.#beginnings.push(path)
        if (path.endsWith('/')) this.#exact.add(withoutSlash(path))
      }
    }
  }

  /** `target` is a request target with or without query. */
  has(target: string): boolean {
    const path = plain(target)
    if (path === undefined) return false
    if (this.#matches(path)) return true
    const end = languageEnd(path)
    return end > 0 && this.#matches(path.slice(end))
  }

  #matches(path: string): boolean {
    for (const beginning of this.#beginnings) if (path.startsWith(beginning)) return true
    for (const ending of this.#endings) if (path.endsWith(ending)) return true
    return this.#exact.has(withoutPageEnding(withoutSlash(path)))
  }
}

const SLASH = 47

/** Path in lower case, escapes decoded, slashes joined; undefined where two readers may disagree about it. */
function plain(target: string): string | undefined {
  let isPlain = true
  let end = 0
  for (; end < target.length; end++) {
    const c = target.charCodeAt(end)
    if (c === 63 || c === 35) break
    // "%", ";", "\", beyond ASCII, or a slash before a dot or a slash: to be looked at.
    if (c === 37 || c === 59 || c === 92 || c > 126 || c < 33) isPlain = false
    else if (c === SLASH && end + 1 < target.length) {
      const next = target.charCodeAt(end + 1)
      if (next === SLASH || next === 46) isPlain = false
    }
  }
  const path = end === target.length ? target : target.slice(0, end)
  return isPlain ? path.toLowerCase() : unfolded(path)
}

function unfolded(path: string): string | undefined {
  // Escaped: controls, space, "#", "%", ".", "/", ";", "?", "\".
  if (path.includes('%') && /%(?:[01]|2[0-35EF]|3[BF]|5C|7F)/i.test(path)) return undefined
  let decoded: string
  try {
    decoded = decodeURIComponent(path)
  } catch {
    return undefined
  }
  // Dot segments, parameters, backslashes, controls.
  if (/[\\;\x00-\x20\x7f]|\/\.{1,2}(?:\/|$)/.test(decoded)) return undefined
  return decoded
    .normalize('NFC')
    .toLowerCase()
    .replace(/\/{2,}/g, '/')
}

function withoutSlash(path: string): string {
  return path.length > 1 && path.charCodeAt(path.length - 1) === SLASH ? path.slice(0, -1) : path
}

const PAGE_ENDINGS: readonly string[] = ['.html', '.htm', '.php', '.aspx', '.jsp']

function withoutPageEnding(path: string): string {
  const dot = path.lastIndexOf('.')
  if (dot < path.length - 5 || dot < 2) return path
  for (const ending of PAGE_ENDINGS) if (path.endsWith(ending)) return path.slice(0, dot)
  return path
}

/** Where "/fr" or "/pt-br" in front of a path ends; 0 without one. */
function languageEnd(path: string): number {
  const end = path.indexOf('/', 1)
  if (end < 3 || end > 8) return 0
  for (let i = 1; i < end; i++) {
    const c = path.charCodeAt(i)
    const isLetter = c >= 97 && c <= 122
    if (!isLetter && !((c === 45 || c === 95) && (i === 3 || i === 4))) return 0
  }
  // "/feeds/x": five letters without a "-" are no language.
  const c = path.charCodeAt(3)
  return end <= 4 || c === 45 || c === 95 || path.charCodeAt(4) === 45 || path.charCodeAt(4) === 95 ? end : 0
}
