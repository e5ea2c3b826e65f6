/**
 * Paths that an operator names: those for which nobody is asked for a calculation, those of which an emergency copy
 * is kept. A pattern is one of four, each without regard to the case of letters:
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
 * What a pattern grants must not reach further than the origin's own reading of the path. A refusal reads
 * through every disguise (edge/decisions.ts); here a path in disguise (dot segments, escaped slashes
 * and dots, backslashes, ";" parameters) matches nothing, since "/search/..;/robots.txt" is the
 * search to one origin and robots.txt to the next. No browser and no crawler sends such a path.
 *
 * No regular expression is made of a pattern: look-ups in sets, and a few comparisons of beginnings.
 */

/** What is wrong with a pattern: "expected …, got …", to be shown beside its path. Undefined: nothing is. */
export function pathPatternFault(pattern: string): string | undefined {
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

/** A set of patterns. */
export class PathPatterns {
  /** By length and letter behind the first slash: a look-up by text would have to copy the text. */
  readonly #exact = new Map<number, string[]>()
  /** By the letter behind the first slash. */
  readonly #beginnings: string[][] = Array.from({ length: LETTERS }, () => [])
  readonly #endings: string[] = []

  /** Patterns with a fault, and those that no plain path can match, are left out. */
  constructor(patterns: readonly string[]) {
    for (const pattern of patterns) {
      if (pathPatternFault(pattern) !== undefined) continue
      const star = pattern.indexOf('*')
      const path = plain(pattern.replace('*', ''))
      if (path === undefined) continue
      if (star === -1) this.#addExact(path)
      else if (star === 0) this.#endings.push(path)
      else {
        this.#beginnings[letterAt(path, 1, path.length)]!.push(path)
        if (path.endsWith('/')) this.#addExact(path)
      }
    }
  }

  #addExact(path: string): void {
    const name = path.slice(0, nameEnd(path, 0, path.length))
    const key = name.length * LETTERS + letterAt(name, 1, name.length)
    const alike = this.#exact.get(key)
    if (alike === undefined) this.#exact.set(key, [name])
    else alike.push(name)
  }

  /** `target` is a request target with or without query. */
  has(target: string): boolean {
    const read = readPath(target)
    if (read >= 0) return this.#hasPath(target, read)
    const path = plain(target)
    return path !== undefined && this.#hasPath(path, path.length)
  }

  #hasPath(path: string, end: number): boolean {
    if (this.#matches(path, 0, end)) return true
    const start = languageEnd(path, end)
    return start > 0 && this.#matches(path, start, end)
  }

  #matches(path: string, start: number, end: number): boolean {
    const letter = letterAt(path, start + 1, end)
    for (const part of this.#beginnings[letter]!) if (holds(path, start, end, part)) return true
    for (const part of this.#endings) if (holds(path, end - part.length, end, part)) return true
    const nameLength = nameEnd(path, start, end) - start
    const alike = this.#exact.get(nameLength * LETTERS + letter)
    if (alike !== undefined) for (const name of alike) if (holds(path, start, end, name)) return true
    return false
  }
}

const SLASH = 47
/** ASCII, and one for all others. */
const LETTERS = 129

/** `part` stands in `path` at `at` and before `end`. `startsWith` and `endsWith` are slower calls. */
function holds(path: string, at: number, end: number, part: string): boolean {
  if (at < 0 || end - at < part.length) return false
  for (let i = 0; i < part.length; i++) if (path.charCodeAt(at + i) !== part.charCodeAt(i)) return false
  return true
}

function letterAt(path: string, at: number, end: number): number {
  const c = at < end ? path.charCodeAt(at) : 128
  return c < 128 ? c : 128
}

/** End of the path in a target that can be looked at as it stands, as nearly all can; -1: it must be read first. */
function readPath(target: string): number {
  let last = 0
  for (let i = 0; i < target.length; i++) {
    const c = target.charCodeAt(i)
    if (c === 63 || c === 35) return i
    // Capitals, "%", ";", "\", what is no visible ASCII, and a slash before a dot or a slash.
    if ((c >= 65 && c <= 90) || c === 37 || c === 59 || c === 92 || c > 126 || c < 33) return -1
    if (last === SLASH && (c === SLASH || c === 46)) return -1
    last = c
  }
  return target.length
}

/** Path in lower case, escapes decoded, slashes joined; undefined where two readers may disagree about it. */
function plain(target: string): string | undefined {
  return unfolded(target.split(/[?#]/, 1)[0]!)
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

const PAGE_ENDINGS: readonly string[] = ['.html', '.htm', '.php', '.aspx', '.jsp']

/** Where the name of a page ends: before a slash at the end, or an ending such as ".html". */
function nameEnd(path: string, start: number, end: number): number {
  if (end > start + 1 && path.charCodeAt(end - 1) === SLASH) return end - 1
  for (let dot = end - 4; dot >= end - 5 && dot > start + 1; dot--) {
    if (path.charCodeAt(dot) === 46) return PAGE_ENDINGS.includes(path.slice(dot, end)) ? dot : end
  }
  return end
}

/** Where "/fr" or "/pt-br" in front of a path ends; 0 without one. */
function languageEnd(path: string, end: number): number {
  let i = 1
  while (i < end && isLetter(path.charCodeAt(i))) i++
  if (i < 3 || i > 4) return 0
  const c = path.charCodeAt(i)
  if (c === 45 || c === 95) {
    const region = ++i
    while (i < end && isLetter(path.charCodeAt(i))) i++
    if (i < region + 2 || i > region + 4) return 0
  }
  return i < end && path.charCodeAt(i) === SLASH ? i : 0
}

function isLetter(c: number): boolean {
  return c >= 97 && c <= 122
}
