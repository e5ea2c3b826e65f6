/** What a request is for, as far as its own fields say. They can lie: a hint for the form of an answer. */
import type { FieldLines } from '#http'

export const KINDS = ['navigation', 'fetch', 'asset', 'upgrade', 'form'] as const
/**
 * `navigation`: a page a person looks at; `form`: a navigation that sends data; `asset`: a part of a
 * page; `upgrade`: WebSocket and the like; `fetch`: everything else, scripts and API clients.
 */
export type Kind = (typeof KINDS)[number]

/** One pass over the fields, case-insensitive names, first occurrence counts. */
export function kindOf(method: string, fields: FieldLines): Kind {
  let mode = ''
  let dest = ''
  let accept = ''
  let upgrade = false
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i]!
    // By length first: most fields are none of these.
    switch (name.length) {
      case 6:
        if (accept === '' && name.toLowerCase() === 'accept') accept = fields[i + 1]!
        break
      case 7:
        if (name.toLowerCase() === 'upgrade') upgrade = true
        break
      case 9:
        if (name.toLowerCase() === ':protocol') upgrade = true
        break
      case 14:
        if (name.toLowerCase() === 'sec-fetch-mode') mode ||= fields[i + 1]!
        else if (name.toLowerCase() === 'sec-fetch-dest') dest ||= fields[i + 1]!
        break
    }
  }
  if (upgrade) return 'upgrade'
  const reads = method === 'GET' || method === 'HEAD'
  if (mode !== '') {
    if (mode === 'navigate') return reads ? 'navigation' : 'form'
    if (mode === 'websocket') return 'upgrade'
    return reads && dest !== '' && dest !== 'empty' ? 'asset' : 'fetch'
  }
  // Old browsers and text browsers send no Sec-Fetch: they name text/html when they navigate.
  if (accept.includes('text/html')) return reads ? 'navigation' : 'form'
  if (!reads) return 'fetch'
  return accept.startsWith('image/') || accept.startsWith('text/css') || accept.startsWith('font/')
    ? 'asset'
    : 'fetch'
}
