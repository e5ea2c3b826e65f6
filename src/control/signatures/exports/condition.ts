/**
 * A term as other proxies can test it: a field of the request and a regular expression, or that it is not there.
 *
 * What is exported never fits more requests than the signature does here, for those are somebody's visitors; fewer
 * is fine. So a family of agents becomes the exact forms that fold into it, and what needs a ClientHello, the
 * order of fields, a network's number or all of calm weather's values has no condition at all.
 *
 * Values come from attackers. In a pattern all but letters, digits and `/_-` of a value is `\xHH`, which PCRE reads
 * and which means nothing to any quoting on the way.
 */
import { LONGEST_TRAIT, type Signature, type Term, UNFAMILIAR } from '#recognise'

export type ConditionField = 'agent' | 'target' | 'method' | 'language' | 'referrer' | 'cookie' | 'tls' | 'h2'

export interface Condition {
  readonly field: ConditionField
  /** PCRE, anchored at both ends; undefined: the field is absent or empty. */
  readonly pattern: string | undefined
  readonly ignoreCase?: boolean
}

/** A signature with all its conditions, or why some other proxy cannot test it. */
export type Portable =
  | { readonly signature: Signature; readonly conditions: readonly Condition[] }
  | { readonly signature: Signature; readonly why: string }

const MOST_KEYS = 3
/** HAProxy's lines have 2,048 characters. */
const LONGEST_PATTERN = 1200

export function portable(signature: Signature): Portable {
  const conditions: Condition[] = []
  for (const term of signature.terms) {
    const condition = conditionOf(term)
    if (typeof condition === 'string') return { signature, why: condition }
    if (condition.pattern !== undefined && condition.pattern.length > LONGEST_PATTERN)
      return { signature, why: `the pattern for its ${term.trait} is too long for a line` }
    conditions.push(condition)
  }
  return { signature, conditions }
}

function conditionOf({ trait, value }: Term): Condition | string {
  if (value === UNFAMILIAR) return `it tells the ${trait} apart by all that calm weather showed`
  // Digue's own bound may have cut it: what it stands for is not known.
  if (value.length >= LONGEST_TRAIT) return `its ${trait} is too long`
  const absent = value === ''
  switch (trait) {
    case 'tls':
    case 'h2':
      return absent ? { field: trait, pattern: undefined } : `it needs the ${trait} fingerprint`
    case 'order':
      return 'it needs the order of the header fields'
    case 'contradiction':
      return 'it compares what a client claims with how it behaves'
    case 'network':
      return 'it needs the number of the client’s network'
    case 'clearance':
      return 'it asks what Digue knows of a client’s clearance'
    case 'agent':
      return absent ? { field: 'agent', pattern: undefined } : agent(value)
    case 'cookies':
      return value === 'none'
        ? { field: 'cookie', pattern: undefined }
        : 'it tells Digue’s own cookies from others'
    case 'method':
      return /^[A-Z]{1,16}$/.test(value) && value !== 'OTHER'
        ? { field: 'method', pattern: `^${value}$` }
        : 'it stands for all rare methods'
    case 'path':
      return path(value)
    case 'query':
      return query(value)
    case 'language':
      return absent ? { field: 'language', pattern: undefined } : language(value)
    case 'referrer':
      return absent ? { field: 'referrer', pattern: undefined } : referrer(value)
    default:
      return trait satisfies never
  }
}

/** `recognise/agent.ts` folds these forms, among others, into the family. */
function agent(value: string): Condition | string {
  const bot = /^bot:([\w.-]{1,31})$/.exec(value)
  if (bot !== null)
    return {
      field: 'agent',
      pattern: `^(?:Mozilla/5\\x2e0 \\x28compatible; )?${literal(bot[1]!)}(?:[/;\\x29 ].*)?$`,
    }
  const products = value.split(' ')
  if (
    products.some((product) => !/^[A-Za-z](?:[\w.-]|\{n\}){0,31}$/.test(product)) ||
    products[0] === 'Mozilla'
  )
    return 'its agent is a family of browsers, folded from their versions and systems'
  const pattern = products
    .map((product) => product.split('{n}').map(literal).join('[0-9]+'))
    .map((name) => `${name}(?:/[0-9][0-9.]*)?`)
    .join(' ')
  return { field: 'agent', pattern: `^${pattern}$` }
}

/** Of `recognise/route.ts`: only digits have a pattern of their own. */
function path(value: string): Condition | string {
  const hasQuery = value.endsWith('?')
  const template = hasQuery ? value.slice(0, -1) : value
  const segments = template.split('/').slice(1)
  if (
    !template.startsWith('/') ||
    segments.some((one) => one === '**' || (one !== '{n}' && one.includes('{')))
  )
    return 'its path holds a placeholder for identifiers of many kinds'
  const segment = (one: string) => (one === '{n}' ? '[0-9]{1,40}' : literal(one))
  const pattern = template === '/' ? '/' : `${segments.map((one) => `/${segment(one)}`).join('')}/?`
  return { field: 'target', pattern: `^${pattern}${hasQuery ? '\\x3f.*' : ''}$` }
}

function query(value: string): Condition | string {
  if (value === '') return { field: 'target', pattern: '^[^?]*$' }
  if (value === '-') return { field: 'target', pattern: '^[^?]*\\x3f$' }
  const keys = value.split(',')
  if (keys.length > MOST_KEYS || keys.some((key) => !/^[\w.$:-]+$/.test(key)))
    return 'its query keys are too many, or stand for keys that were drawn'
  const orders = permutations(keys).map((order) => order.map((key) => `${literal(key)}(?:=[^&]*)?`).join('&'))
  return { field: 'target', pattern: `^[^?]*\\x3f(?:${orders.join('|')})$` }
}

function language(value: string): Condition | string {
  const tags = value.split(',')
  if (tags.some((tag) => !/^[a-z0-9-]+$/.test(tag))) return 'its languages hold what is none'
  const pattern = tags.map((tag) => `${literal(tag)}(?:;q=[0-9.]*)?`).join(', ?')
  // Three tags at most are looked at.
  return {
    field: 'language',
    pattern: `^${pattern}${tags.length === 3 ? '(?:,.*)?' : ''}$`,
    ignoreCase: true,
  }
}

function referrer(value: string): Condition | string {
  if (value === 'self') return 'its referrer is the site’s own, which has several names'
  if (!/^[a-z0-9._-]+$/.test(value)) return 'its referrer stands for many hosts'
  return { field: 'referrer', pattern: `^https?://${literal(value)}(?:[:/?#].*)?$` }
}

/** A text as PCRE that fits exactly it, one byte for each character (fields are latin1). */
function literal(text: string): string {
  return text.replace(
    /[^A-Za-z0-9/_-]/g,
    (character) => `\\x${(character.charCodeAt(0) & 255).toString(16).padStart(2, '0')}`,
  )
}

function permutations(keys: readonly string[]): string[][] {
  if (keys.length <= 1) return [[...keys]]
  return keys.flatMap((key, i) =>
    permutations([...keys.slice(0, i), ...keys.slice(i + 1)]).map((rest) => [key, ...rest]),
  )
}

/** For a comment: printable ASCII on one line, whatever the value held. */
export function remark(text: string): string {
  return text.replace(/[^ -~]/g, (character) =>
    character === '…'
      ? '...'
      : character === '’'
        ? "'"
        : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** A site's name as part of a variable's name. */
export function identifier(site: string): string {
  return site.replace(/[^A-Za-z0-9]/g, '_')
}
