/**
 * The route class of a request: its method and path template, such as "GET /article/{n}".
 *
 * Origin time is measured and shared out per route class, so a class must gather requests that cost
 * alike, and a stranger must not be able to make classes at will. Segments that look like
 * identifiers become placeholders: all digits `{n}`, uuids and long hexadecimal `{hex}`, a long slug
 * with a number at one end `{slug}`, anything too long or not plain text `{x}`. At most eight segments
 * count; deeper ones become `**`.
 *
 * The query is dropped but for its presence ("?"): names of parameters are as free to invent as their
 * values, and a random name per request would make a class per request. That there is a query at
 * all tells a search from a start page, which is most of what the names would say.
 *
 * Templates are not enough of a bound ("/wp-admin/x", "/xa", "/xb", …): whoever keeps something by
 * route class must bound that himself, as `RouteCosts` does.
 */
const MOST_SEGMENTS = 8
const LONGEST_SEGMENT = 48
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'CONNECT', 'QUERY'])

/** Route class of a request target in origin form, "*" or anything else a client sent. */
export function routeOf(method: string, target: string): string {
  // HEAD costs the origin what GET costs, or less.
  const verb = method === 'HEAD' ? 'GET' : METHODS.has(method) ? method : 'OTHER'
  return `${verb} ${pathTemplate(target)}`
}

function pathTemplate(target: string): string {
  if (target === '/') return '/'
  if (target.charCodeAt(0) !== 47) return target === '*' ? '*' : '{x}'
  const length = target.length
  let template = ''
  /** All before it is in `template`: segments that stay as they are are copied in one piece. */
  let copied = 0
  let segments = 0
  let start = 1
  for (let i = 1; ; i++) {
    const c = i < length ? target.charCodeAt(i) : 63
    const ends = c === 63 || c === 35
    if (!ends && c !== 47) continue
    if (i === start) {
      // "/a", "//a" and "/a/" are different resources to some origins, and cost alike: one class.
      template += target.slice(copied, start - 1)
      copied = i
    } else if (++segments > MOST_SEGMENTS) {
      template += `${target.slice(copied, start - 1)}/**`
      return target.indexOf('?', start) >= 0 ? `${template}?` : template
    } else {
      const placeholder = placeholderFor(target, start, i)
      if (placeholder !== '') {
        template += target.slice(copied, start) + placeholder
        copied = i
      }
    }
    if (ends) {
      if (copied < i) template += target.slice(copied, i)
      if (template === '') template = '/'
      return i < length && c === 63 ? `${template}?` : template
    }
    start = i + 1
  }
}

const DIGIT = 1
const HEX = 2
const LETTER = 4
const DASH = 8
const PLAIN = 16
/** What a byte of a segment may be part of; 0 for what makes a segment opaque ("%", non-ASCII, …). */
const CLASS = new Uint8Array(128)
for (let c = 48; c <= 57; c++) CLASS[c] = DIGIT
for (let c = 97; c <= 122; c++) CLASS[c] = c <= 102 ? HEX : LETTER
for (let c = 65; c <= 90; c++) CLASS[c] = c <= 70 ? HEX : LETTER
CLASS[45] = DASH
CLASS[95] = DASH
for (const c of '.~!$&()*+,;=:@') CLASS[c.charCodeAt(0)] = PLAIN

/** What stands for a segment that looks like an identifier; '' for one that stays as it is. */
function placeholderFor(target: string, start: number, end: number): string {
  const length = end - start
  if (length > LONGEST_SEGMENT) return '{x}'
  let seen = 0
  let digits = 0
  let dashes = 0
  for (let i = start; i < end; i++) {
    const c = target.charCodeAt(i)
    const kind = c < 128 ? CLASS[c]! : 0
    if (kind === 0) return '{x}'
    seen |= kind
    if (kind === DIGIT) digits++
    else if (kind === DASH) dashes++
  }
  if (seen === DIGIT) return '{n}'
  if ((seen & (LETTER | PLAIN)) === 0) {
    if (length === 36 && dashes === 4) return '{hex}'
    // Digits and dashes: a date, a phone number, a range.
    if ((seen & HEX) === 0) return digits > 0 ? '{n}' : ''
    if (dashes === 0 && length >= 16) return '{hex}'
    // "cafe", "face", "deadbeef": words too; only with digits among them an identifier.
    if (dashes === 0 && digits > 0 && length >= 8) return '{hex}'
  }
  // "the-minister-answers-18422", "18422-the-minister-answers", "a-very-long-headline-of-many-words"
  if (dashes > 0 && length >= 8) {
    if (dashes >= 4) return '{slug}'
    if (digits >= 3 && (isDigit(target, start) || isDigit(target, end - 1))) return '{slug}'
  }
  // "IMG_20240812.jpg", "x83jd92kd02": mostly digits, or many of them.
  return digits >= 5 ? '{x}' : ''
}

function isDigit(target: string, at: number): boolean {
  const c = target.charCodeAt(at)
  return c >= 48 && c <= 57
}
