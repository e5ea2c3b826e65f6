/**
 * A targeted cache control field (RFC 9213): a Dictionary of Structured Fields (RFC 9651 §4.2), read to
 * the letter. A field that cannot be parsed is ignored as a whole (§2.1), which leaves Cache-Control in
 * force: so it matters that nothing invalid gets through here.
 */
import { type Directives, MOST_SECONDS, noDirectives, setDirective } from './cache-control.ts'

type Bare =
  | { readonly kind: 'integer' | 'decimal' | 'date'; readonly number: number }
  | { readonly kind: 'string' | 'token' | 'bytes'; readonly text: string }
  | { readonly kind: 'boolean'; readonly truth: boolean }
  | { readonly kind: 'inner-list' }

const MOST_CHARACTERS = 8192
const NUMBERS: ReadonlySet<string> = new Set([
  'max-age',
  's-maxage',
  'stale-while-revalidate',
  'stale-if-error',
])
const FIELD_LISTS: ReadonlySet<string> = new Set(['no-cache', 'private'])
const FLAGS: ReadonlySet<string> = new Set([
  'no-store',
  'public',
  'must-revalidate',
  'proxy-revalidate',
  'must-understand',
  'no-transform',
  'immutable',
])

/** Directives of all lines joined by commas; undefined when the field is to be ignored: invalid, or empty. */
export function parseTargeted(list: string): Directives | undefined {
  if (list.length > MOST_CHARACTERS) return undefined
  const members = new Dictionary(list).read()
  if (members === undefined || members.size === 0) return undefined
  const found = noDirectives()
  for (const [name, value] of members) {
    if (NUMBERS.has(name)) {
      if (value.kind !== 'integer' || value.number < 0) return undefined
      setDirective(found, name, String(Math.min(value.number, MOST_SECONDS)))
    } else if (FLAGS.has(name) || FIELD_LISTS.has(name)) {
      if (value.kind === 'boolean') {
        if (value.truth) setDirective(found, name, undefined)
      } else if (FIELD_LISTS.has(name) && value.kind === 'string') setDirective(found, name, value.text)
      else return undefined
    }
  }
  return found
}

/** A reader of one dictionary, from left to right without going back. */
class Dictionary {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text.replace(/^ +| +$/g, '')
  }

  /** undefined when the text is no dictionary. Of a key given twice the last value counts. */
  read(): Map<string, Bare> | undefined {
    const members = new Map<string, Bare>()
    while (this.#at < this.#text.length) {
      const key = this.#take(/[a-z*][a-z0-9_.*-]*/y)
      if (key === undefined) return undefined
      let value: Bare | undefined = { kind: 'boolean', truth: true }
      if (this.#next('=')) value = this.#next('(') ? this.#innerList() : this.#bare()
      if (value === undefined || !this.#parameters()) return undefined
      members.set(key, value)
      this.#take(/[ \t]*/y)
      if (this.#at === this.#text.length) return members
      if (!this.#next(',')) return undefined
      this.#take(/[ \t]*/y)
      // A comma at the end.
      if (this.#at === this.#text.length) return undefined
    }
    return members
  }

  #innerList(): Bare | undefined {
    for (;;) {
      const blanks = this.#take(/ */y)!
      if (this.#next(')')) return { kind: 'inner-list' }
      const isFirst = this.#text[this.#at - blanks.length - 1] === '('
      if ((!isFirst && blanks === '') || this.#bare() === undefined || !this.#parameters()) return undefined
    }
  }

  #parameters(): boolean {
    while (this.#next(';')) {
      this.#take(/ */y)
      if (this.#take(/[a-z*][a-z0-9_.*-]*/y) === undefined) return false
      if (this.#next('=') && this.#bare() === undefined) return false
    }
    return true
  }

  #bare(): Bare | undefined {
    const number = this.#take(/-?\d+(?:\.\d+)?/y)
    if (number !== undefined) return numberOf(number)
    const string = this.#take(/"(?:[ !#-[\]-~]|\\["\\])*"/y)
    if (string !== undefined) return { kind: 'string', text: string.slice(1, -1).replaceAll(/\\(.)/g, '$1') }
    const token = this.#take(/[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*/y)
    if (token !== undefined) return { kind: 'token', text: token }
    const bytes = this.#take(/:[A-Za-z0-9+/=]*:/y)
    if (bytes !== undefined) return { kind: 'bytes', text: bytes }
    const boolean = this.#take(/\?[01]/y)
    if (boolean !== undefined) return { kind: 'boolean', truth: boolean === '?1' }
    const date = this.#take(/@-?\d{1,15}(?![\d.])/y)
    if (date !== undefined) return { kind: 'date', number: Number(date.slice(1)) }
    const display = this.#take(/%"(?:[ !#$&-~]|%[0-9a-f]{2})*"/y)
    return display === undefined ? undefined : { kind: 'string', text: display.slice(2, -1) }
  }

  #next(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)
    if (found === null) return undefined
    this.#at += found[0].length
    return found[0]
  }
}

function numberOf(text: string): Bare | undefined {
  const [whole, fraction] = text.replace('-', '').split('.')
  if (fraction === undefined) {
    return whole!.length > 15 ? undefined : { kind: 'integer', number: Number(text) }
  }
  if (whole!.length > 12 || fraction.length > 3) return undefined
  return { kind: 'decimal', number: Number(text) }
}
