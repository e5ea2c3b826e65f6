/**
 * What a stranger wrote, made harmless before it stands in a page: text, attribute values, and targets
 * that become links.
 *
 * A target is the path of the request and so the site's own, until a browser reads it: `//evil.example/`
 * and `/\evil.example/` are other hosts to it, tabs and line breaks are dropped from URLs (so that `/<tab>/evil…`
 * is the first again), and bytes above 0x7F would be written in another encoding than they came in.
 */

/** Text for an element or for an attribute in double quotes. */
export function escapeMarkup(text: string): string {
  return /[&<>"']/.test(text) ? text.replace(/[&<>"']/g, (found) => ENTITIES[found]!) : text
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
}

/** A link to `target` that stays on this site whatever it holds; `/` when it is no path. */
export function safeTarget(target: string): string {
  if (target.charCodeAt(0) !== 0x2f) return '/'
  const clean = /[^\x21-\x7e]|[\\"#<>`{}]/.test(target)
    ? target.replace(/[^\x21-\x7e]|[\\"#<>`{}]/gu, percentEncoded)
    : target
  // "/.//evil" is the path "//evil" of this host (WHATWG URL, the same in RFC 3986 §5.2.4).
  return clean.charCodeAt(1) === 0x2f ? `/.${clean}` : clean
}

/** Message heads hold octets: one character each, below 256. */
function percentEncoded(character: string): string {
  const code = character.codePointAt(0)!
  if (code < 256) return `%${code.toString(16).toUpperCase().padStart(2, '0')}`
  // A lone surrogate has no encoding.
  return code >= 0xd800 && code <= 0xdfff ? '%EF%BF%BD' : encodeURIComponent(character)
}

/** `http:` and `https:` only: the operator's link is checked with the configuration, and once more here. */
export function safeLink(href: string): string | undefined {
  return /^https?:\/\/[^\s"'<>\\]+$/i.test(href) ? href : undefined
}

/** A `data:` URI of an image, and nothing else that could stand in `src`. */
export function safeImage(uri: string): string | undefined {
  return /^data:image\/(svg\+xml|png|jpeg|webp|gif)[;,][\x21\x23-\x26\x28-\x3b\x3d\x3f-\x7e]+$/.test(uri)
    ? uri
    : undefined
}
