/** Which fields speak for the client: strangers' must not pass. What is sent instead is the edge's business. */

const BELIEVED: ReadonlySet<string> = new Set([
  'forwarded',
  'forwarded-for',
  'x-forwarded',
  'x-real-ip',
  'client-ip',
  'x-client-ip',
  'x-remote-ip',
  'x-remote-addr',
  'x-originating-ip',
  'x-cluster-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'fastly-client-ip',
  // Another path than the one that decisions and limits have judged, to those who believe them.
  'x-original-url',
  'x-rewrite-url',
])

/**
 * `name` tells an origin who asks, or how. CGI and WSGI read "X_Forwarded_For" as the same variable
 * as "X-Forwarded-For", so "_" counts as "-".
 */
export function isForwardingField(name: string): boolean {
  if (name.length < 9 || name.length > 32) return false
  const first = name.charCodeAt(0) | 0x20
  // f, x, t, c: nearly every other field ends here.
  if (first !== 0x66 && first !== 0x78 && first !== 0x74 && first !== 0x63) return false
  const lower = name.toLowerCase().replaceAll('_', '-')
  return lower.startsWith('x-forwarded-') || BELIEVED.has(lower)
}
