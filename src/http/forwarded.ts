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
  if (!mayForward(name.charCodeAt(0), name.length)) return false
  const lower = name.toLowerCase().replaceAll('_', '-')
  return lower.startsWith('x-forwarded-') || BELIEVED.has(lower)
}

/** By the first letter of a name and its length: nearly every other field ends here. */
export function mayForward(firstByte: number, length: number): boolean {
  if (length < 9 || length > 32) return false
  const first = firstByte | 0x20
  // f, x, t, c.
  return first === 0x66 || first === 0x78 || first === 0x74 || first === 0x63
}
