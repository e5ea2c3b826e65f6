/**
 * A client that claims to be a browser, and does not behave as that browser always does.
 *
 * Only what the browser's makers document, and only for a User-Agent that is letter by letter theirs: browsers built
 * on their engines, and pages within apps, do as they please. No contradiction is a verdict: it is a
 * trait like others, and is held against nobody whom calm weather shows as well.
 *
 * What is looked at with care:
 * - Client hints and fetch metadata go to trustworthy origins only (https); over http nobody sends them.
 * - A site's Permissions-Policy takes client hints away from parts of its pages and from frames, so their lack
 *   counts in top-level navigations only. On Android, apps that rename their WebView send none: there, only one
 *   who sends no fetch metadata either.
 * - WebSocket handshakes have neither, and offer http/1.1 only in ALPN; a preflight (OPTIONS) has no hints.
 * - A proxy that inspects TLS (offices, virus scanners: 4 to 11 % of connections in Durumeric et al., "The
 *   Security Impact of HTTPS Interception", NDSS 2017) speaks its own TLS and HTTP/2 for a true browser.
 *   Those are common enough that calm weather knows them; the code is one of its own for that reason.
 * - Behind a trusted proxy, TLS, HTTP version and connection fields are that proxy's.
 * - People who choose another User-Agent (an extension, developer tools) do contradict themselves.
 */
import type { Agent } from './agent.ts'
import type { FieldScan } from './field-scan.ts'

/** Codes are in signatures, logs and rules: stable. In words, of clients in the plural. */
export const CONTRADICTIONS = {
  'impossible-agent': 'name a browser that never existed',
  'repeated-field': 'send a field twice that their browser sends once',
  'impossible-fetch-metadata': 'send fetch metadata with values that do not exist',
  'firefox-with-hints': 'claim to be Firefox and send client hints, which only Chromium does',
  'safari-with-hints': 'claim to be Safari and send client hints, which only Chromium does',
  'chrome-with-other-hints': 'claim another Chrome in User-Agent than in their client hints',
  'browser-over-http-1.0': 'claim to be a browser and speak HTTP/1.0',
  'chrome-without-hints': 'claim to be Chrome and send no client hints',
  'chrome-without-fetch-metadata': 'claim to be Chrome and send no fetch metadata',
  'firefox-without-fetch-metadata': 'claim to be Firefox and send no fetch metadata',
  'browser-without-accept': 'claim to be a browser and accept no media type',
  'browser-without-language': 'claim to be a browser and accept no language',
  'browser-without-encoding': 'claim to be a browser and accept no compression',
  'browser-without-upgrade-insecure':
    'claim to open pages with Chrome or Firefox and send no Upgrade-Insecure-Requests, which those always do',
  'browser-over-other-tls': "claim to be a browser and do not speak that browser's TLS",
  'browser-over-other-h2': "claim to be a browser and do not speak that browser's HTTP/2",
} as const
export type Contradiction = keyof typeof CONTRADICTIONS

/** What the fields do not say. */
export interface Circumstances {
  readonly method: string
  /** The client's connection is encrypted, whoever decrypts it. */
  readonly secure: boolean
  readonly httpVersion: '1.0' | '1.1' | '2'
  /** The direct peer is no proxy that the operator trusts. */
  readonly isDirect: boolean
  /** JA4, '' when not known. */
  readonly ja4: string
  /** `h2FingerprintOf`, '' when not known. */
  readonly h2: string
}

const FETCH_SITES: ReadonlySet<string> = new Set(['none', 'same-origin', 'same-site', 'cross-site'])

/** First versions that always do: client hints (89; 90 to be safe), fetch metadata (80, 90), TLS 1.3 with h2. */
const HINTS_SINCE = 90
const METADATA_SINCE = { chrome: 80, firefox: 90, safari: Number.POSITIVE_INFINITY, '': 0 } as const
const TLS13_SINCE = { chrome: 80, firefox: 80, safari: 15, '': 0 } as const
/**
 * Upgrade-Insecure-Requests with every page and every frame (W3C, Upgrade Insecure Requests §3.2.1; Firefox's own test
 * test_csp_upgrade_insecure_request_header.js). Safari leaves it out over https.
 */
const ASKS_FOR_SECURE_SINCE = { chrome: 60, firefox: 60, safari: Number.POSITIVE_INFINITY, '': 0 } as const
/** Order of the pseudo-header fields, where it has been the same for years; Safari's has changed. */
const PSEUDO_ORDER = { chrome: 'm,a,s,p', firefox: 'm,p,a,s', safari: '', '': '' } as const

/** The first contradiction that shows; '' for none. */
export function contradictionOf(agent: Agent, scan: FieldScan, at: Circumstances): Contradiction | '' {
  if (agent.isImpossible) return 'impossible-agent'
  const { engine, major } = agent
  if (engine === '') return ''
  if (scan.isRepeated) return 'repeated-field'
  if (scan.fetchSite !== undefined && !FETCH_SITES.has(scan.fetchSite)) return 'impossible-fetch-metadata'
  if (scan.hints !== undefined) {
    if (engine === 'firefox') return 'firefox-with-hints'
    if (engine === 'safari') return 'safari-with-hints'
    if (differs(agent, scan)) return 'chrome-with-other-hints'
  }
  const isUnproxied = at.isDirect && !scan.isForwarded
  if (isUnproxied && at.httpVersion === '1.0') return 'browser-over-http-1.0'
  if (scan.isUpgrade || at.method === 'OPTIONS') return ''
  if (scan.accept === undefined) return 'browser-without-accept'
  if (scan.accept.includes('text/html')) {
    const bare = at.secure ? missingInNavigation(agent, scan) : ''
    if (bare !== '') return bare
    if (scan.language === undefined) return 'browser-without-language'
    if (scan.encoding === undefined && isUnproxied) return 'browser-without-encoding'
    if (isPage(scan) && major >= ASKS_FOR_SECURE_SINCE[engine] && !scan.asksForSecure)
      return 'browser-without-upgrade-insecure'
  }
  if (!isUnproxied) return ''
  // t13d1516h2_…: version and first ALPN name.
  if (
    at.ja4 !== '' &&
    major >= TLS13_SINCE[engine] &&
    !(at.ja4.startsWith('13', 1) && at.ja4.startsWith('h2', 8))
  )
    return 'browser-over-other-tls'
  const order = PSEUDO_ORDER[engine]
  if (at.h2 !== '' && order !== '' && major >= TLS13_SINCE[engine] && !at.h2.endsWith(order))
    return 'browser-over-other-h2'
  return ''
}

/** A script may ask for text/html as well; what browsers accept for pages and frames it hardly copies. */
function isPage({ accept, fetchMode }: FieldScan): boolean {
  return accept!.includes('application/xml;q=0.9') && (fetchMode === undefined || fetchMode === 'navigate')
}

function missingInNavigation(agent: Agent, scan: FieldScan): Contradiction | '' {
  const { engine, major } = agent
  const hasMetadata = scan.fetchMode !== undefined || scan.fetchSite !== undefined
  if (engine === 'chrome' && major >= HINTS_SINCE && scan.hints === undefined) {
    if (agent.system === 'Android') return hasMetadata ? '' : 'chrome-without-fetch-metadata'
    // A page in a frame asks the outer page's policy.
    if (scan.fetchDest === undefined || scan.fetchDest === 'document') return 'chrome-without-hints'
  }
  if (hasMetadata || major < METADATA_SINCE[engine]) return ''
  return engine === 'chrome' ? 'chrome-without-fetch-metadata' : 'firefox-without-fetch-metadata'
}

const HINTED_SYSTEMS: Readonly<Record<string, string>> = { Windows: '"Windows"', macOS: '"macOS"' }

/** Client hints of another version or system than User-Agent says. "Desktop site" on Android calls itself Linux. */
function differs(agent: Agent, scan: FieldScan): boolean {
  const version = /"Chromium";\s{0,2}v="(\d{1,5})/.exec(scan.hints!.slice(0, 256))
  if (version !== null && Number(version[1]) !== agent.major) return true
  const expected = HINTED_SYSTEMS[agent.system]
  return expected !== undefined && !!scan.hintedPlatform && scan.hintedPlatform !== expected
}
