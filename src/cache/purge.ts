/**
 * What an operator wants forgotten: a URL, all below a prefix, a host, a tag, everything.
 *
 * In doubt a purge takes more than was meant: one request too many to the origin is nothing beside a page that
 * was taken down and is still served. So the scheme never matters, a host without a port means all its
 * ports, every variant goes, and two spellings of one URL (RFC 3986 §6.2.2: "%7e", "%7E" and "~") are the same.
 */
import { type FieldLines, fieldList, parseHost } from '#http'
import type { StoredResponse } from './stored-response.ts'

/** Exactly one of `url`, `prefix`, `host` and `all`, or `tag`, which a host may narrow. */
export interface Purge {
  readonly host?: string
  /** With its query, exactly. */
  readonly url?: string
  /** The beginning of URLs, host included; it need not end at a slash. */
  readonly prefix?: string
  readonly tag?: string
  readonly all?: true
}

export const MOST_TAGS = 64
export const LONGEST_TAG = 128
const LONGEST_URL = 8192

/** The stored response is among what is to be forgotten. */
export function purges(what: Purge, response: StoredResponse): boolean {
  if (what.all === true) return true
  if (what.tag !== undefined && !tagsOf(response.fields).includes(what.tag)) return false
  if (what.host !== undefined && !isOfHost(hostOf(response.key), what.host)) return false
  if (what.url !== undefined || what.prefix !== undefined) {
    const named = (what.url ?? what.prefix)!
    if (!isOfHost(hostOf(response.key), hostOf(named))) return false
    const target = targetOf(response.key)
    const wanted = targetOf(named)
    return what.url !== undefined ? target === wanted : target.startsWith(wanted)
  }
  return what.tag !== undefined || what.host !== undefined
}

/**
 * Tags that the origin gave a response, each once: Surrogate-Key, separated by blanks, and
 * Cache-Tag, by commas. At most 64 of at most 128 characters; others do not count.
 */
export function tagsOf(fields: FieldLines): readonly string[] {
  const keys = fieldList(fields, 'surrogate-key')
  const list = fieldList(fields, 'cache-tag')
  if (keys === undefined && list === undefined) return NO_TAGS
  const tags = new Set<string>()
  // Several Surrogate-Key lines come joined by ", ".
  if (keys !== undefined) collect(tags, keys, /[\s,]+/)
  if (list !== undefined) collect(tags, list, /,/)
  return [...tags]
}

const NO_TAGS: readonly string[] = []

function collect(tags: Set<string>, list: string, separator: RegExp): void {
  for (const part of list.split(separator)) {
    const tag = part.trim()
    if (tag === '' || tag.length > LONGEST_TAG) continue
    if (tags.size === MOST_TAGS) return
    tags.add(tag)
  }
}

export interface PurgeFaults {
  readonly faults: readonly string[]
}

/** A purge from a command's options or a JSON body; all faults at once. */
export function parsePurge(given: Readonly<Record<string, unknown>>): Purge | PurgeFaults {
  const faults: string[] = []
  const named = Object.keys(given).filter((name) => given[name] !== undefined)
  for (const name of named)
    if (!NAMES.includes(name)) faults.push(`${name}: expected one of ${NAMES.join(', ')}`)
  const chosen = named.filter((name) => NAMES.includes(name))
  if (chosen.length === 0)
    faults.push('purge: expected a url, a prefix, a host, a tag, or all, got none of them')
  else if (chosen.length > 1 && !(chosen.length === 2 && chosen.includes('tag') && chosen.includes('host')))
    faults.push(`purge: expected one of them, or a tag with a host, got ${chosen.join(' and ')}`)
  const purge: { host?: string; url?: string; prefix?: string; tag?: string; all?: true } = {}
  for (const name of chosen) {
    const value = given[name]
    if (name === 'all') {
      if (value === true) purge.all = true
      else faults.push(`all: expected true, got ${shown(value)}`)
    } else if (name === 'tag') {
      if (typeof value === 'string' && isTag(value)) purge.tag = value
      else faults.push(`tag: expected 1 to ${LONGEST_TAG} characters without a comma, got ${shown(value)}`)
    } else if (name === 'host') {
      const host = typeof value === 'string' ? parsedHost(value) : undefined
      if (host !== undefined) purge.host = host
      else faults.push(`host: expected a name such as "www.example.org", got ${shown(value)}`)
    } else {
      const url = typeof value === 'string' ? parsedUrl(value) : undefined
      if (url !== undefined) purge[name as 'url' | 'prefix'] = url
      else faults.push(`${name}: expected host and path as in "www.example.org/news", got ${shown(value)}`)
    }
  }
  return faults.length > 0 ? { faults } : purge
}

const NAMES: readonly string[] = ['url', 'prefix', 'host', 'tag', 'all']

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}

function isTag(value: string): boolean {
  return value !== '' && value.length <= LONGEST_TAG && !value.includes(',') && value.trim() === value
}

function parsedHost(value: string): string | undefined {
  return parseHost(value) === undefined ? undefined : value.toLowerCase()
}

/** Host and target, what browsers add made plain: no scheme, no fragment, no letters beyond ASCII. */
function parsedUrl(value: string): string | undefined {
  if (value.length > LONGEST_URL) return undefined
  const fragment = value.indexOf('#')
  const whole = fragment === -1 ? value : value.slice(0, fragment)
  const bare = withoutScheme(whole)
  const host = parsedHost(hostOf(bare))
  // A path alone would be a page of every site that this Digue serves.
  if (host === undefined) return undefined
  const target = bare.slice(hostEnd(bare))
  // A lone surrogate has no UTF-8.
  if (/[\0-\x20\x7f]/.test(target) || !target.isWellFormed()) return undefined
  return host + (target === '' ? '/' : target.replace(/[^\0-\x7f]+/g, encodeURIComponent))
}

function withoutScheme(url: string): string {
  if (url.startsWith('//')) return url.slice(2)
  const match = /^https?:\/\//i.exec(url)
  return match === null ? url : url.slice(match[0].length)
}

/** Where the host field ends in a URL without scheme. */
function hostEnd(url: string): number {
  const at = url.search(/[/?]/)
  return at === -1 ? url.length : at
}

function hostOf(url: string): string {
  const bare = withoutScheme(url)
  return bare.slice(0, hostEnd(bare))
}

function targetOf(url: string): string {
  const bare = withoutScheme(url)
  const target = bare.slice(hostEnd(bare))
  return normal(target.startsWith('/') ? target : `/${target}`)
}

/** One spelling for what RFC 3986 §6.2.2 calls equivalent: unreserved characters plain, hexadecimal in capitals. */
function normal(target: string): string {
  if (!target.includes('%')) return target
  return target.replace(/%[0-9a-f]{2}/gi, (octet) => {
    const character = String.fromCharCode(Number.parseInt(octet.slice(1), 16))
    return /[\w.~-]/.test(character) ? character : octet.toUpperCase()
  })
}

/** `wanted` without a port means any. */
function isOfHost(host: string, wanted: string): boolean {
  const own = nameAndPort(host)
  const named = nameAndPort(wanted)
  return own.name === named.name && (named.port === undefined || own.port === named.port)
}

/** The ports of the schemes are none: "example.org:443" is "example.org". */
function nameAndPort(host: string): { readonly name: string; readonly port: string | undefined } {
  const port = /:(\d+)$/.exec(host)?.[1]
  return { name: parseHost(host) ?? host, port: port === '80' || port === '443' ? undefined : port }
}
