/**
 * Order and case of a request's field names as a short text, such as `1cf-6-a43f09c2d1e7`.
 *
 *   1   HTTP/1.x; 2: HTTP/2 (its names have no case)
 *   cf  c: client hints, f: fetch metadata, p: fields that proxies add, though no trusted proxy stands before
 *       us, x: four or more fields that nobody knows
 *   6   fields of the skeleton
 *   …   48 bits over their names, in order and as written
 *
 * Which fields: a text per client program is wanted, the same for its pages, images, scripts' requests, with a
 * cookie or without, in a reload, on a first visit and a later one. Chromium moves its `sec-*` fields
 * between a navigation and an image, adds `cache-control` to a reload and `priority` to what is urgent; a
 * site's scripts add fields of their own. So the order is that of the few which everybody sends always
 * (Host, Connection, User-Agent, Accept, Accept-Language, Accept-Encoding) or that hardly a browser sends
 * (Accept-Charset, Keep-Alive, Proxy-Connection, From), and of the others only counts that they are there,
 * as a letter. Rejected: all names (a value per page element); a set of all names without order (loses
 * what distinguishes libraries that copy a browser's fields). A flood that draws names gives one value, with x.
 *
 * The hash has no key: the same handwriting has the same text on every day and every machine. Who
 * makes his order collide with a visitor's could as well imitate it.
 */
import type { FieldScan } from './field-scan.ts'

const STRANGE = 4
const PLACES = 256

/** Texts by hash, for an order that comes again: a place each, newcomers take it. */
const keys = new Float64Array(PLACES * 2)
const texts: string[] = new Array(PLACES).fill('')

/** `isDirect`: the direct peer is the client, as far as known, and no proxy that the operator trusts. */
export function orderOf(scan: FieldScan, isH2: boolean, isDirect: boolean): string {
  const flags =
    (isH2 ? 1 : 0) |
    (scan.hints !== undefined ? 2 : 0) |
    (scan.fetchMode !== undefined ? 4 : 0) |
    (isDirect && scan.isForwarded ? 8 : 0) |
    (scan.strange >= STRANGE ? 16 : 0)
  const skeleton = Math.min(scan.skeleton, 99)
  const high = scan.orderHigh >>> 0
  const low = (scan.orderLow >>> 16) * 4096 + skeleton * 32 + flags
  const place = (high ^ scan.orderLow ^ flags) & (PLACES - 1)
  if (keys[place * 2] === high && keys[place * 2 + 1] === low && texts[place] !== '') return texts[place]!
  let letters = ''
  if (flags & 2) letters += 'c'
  if (flags & 4) letters += 'f'
  if (flags & 8) letters += 'p'
  if (flags & 16) letters += 'x'
  const hash = high.toString(16).padStart(8, '0') + (scan.orderLow >>> 16).toString(16).padStart(4, '0')
  const text = `${isH2 ? 2 : 1}${letters}-${skeleton}-${hash}`
  keys[place * 2] = high
  keys[place * 2 + 1] = low
  texts[place] = text
  return text
}
