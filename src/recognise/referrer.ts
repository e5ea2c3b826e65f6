/** Where a client says it comes from: a host, no path. */
import { looksDrawn } from './random-text.ts'

const MOST_LABELS = 3
const LONGEST_HOST = 100

/** `self` for the site's own host, '' for none, `{x}` for what names no host. `host` is in lower case. */
export function referrerOf(text: string | undefined, host: string): string {
  if (text === undefined || text === '') return ''
  const scheme = text.indexOf('://')
  if (scheme <= 0 || scheme > 16) return '{x}'
  const start = scheme + 3
  const end = start + host.length
  if (host !== '' && text.startsWith(host, start)) {
    const next = end === text.length ? 0x2f : text.charCodeAt(end)
    if (next === 0x2f || next === 0x3a || next === 0x3f || next === 0x23) return 'self'
  }
  let stop = start
  while (stop < text.length && stop - start <= LONGEST_HOST) {
    const c = text.charCodeAt(stop)
    if (c === 0x2f || c === 0x3a || c === 0x3f || c === 0x23) break
    stop++
  }
  const name = text.slice(start, stop).toLowerCase()
  if (!/^[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?$/.test(name)) return '{x}'
  if (name === host) return 'self'
  const labels = name.split('.')
  // A host drawn for each request below a name that everybody may have.
  const kept =
    labels.length > MOST_LABELS && !/^[\d.]+$/.test(name) ? ['*', ...labels.slice(-MOST_LABELS)] : labels
  for (let i = 0; i < kept.length - 2; i++) if (kept[i] !== '*' && looksDrawn(kept[i]!)) kept[i] = '{x}'
  return kept.join('.')
}
