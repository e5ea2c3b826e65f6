/**
 * The names that an expression may use, and their values for one request.
 *
 * All of them are getters: a rule that looks at the path alone costs neither a header look-up nor a query parsed.
 * What is absent is '' (as a trait that is not there is), so that no look-up can fail. Every text has a bound:
 * what a client sends may be as long as a head.
 */
import { fieldList } from '#http'
import { type Address, parseAddress } from '#networks'
import { TRAITS } from '#recognise'
import type { RuleInput } from './rule.ts'

/** Characters of one text that rules see. */
export const LONGEST_TEXT = 8192
/** Names of fields, or of parameters, that rules see. */
export const MOST_NAMES = 100

/** Thrown by a look at what the source of the request does not show. */
export class UnknownFact extends Error {}

export const VARIABLES = {
  method: 'string',
  path: 'string',
  query: 'map<string, string>',
  host: 'string',
  scheme: 'string',
  version: 'string',
  headers: 'map<string, string>',
  posture: 'string',
  client: 'Client',
  traits: 'Traits',
} as const
export type VariableName = keyof typeof VARIABLES

/** Members of `client`. */
export const CLIENT_FIELDS = { address: 'string', network: 'string', asn: 'int' } as const

export class Facts {
  readonly input: RuleInput
  /** A bound was hit: something of the request was not seen. */
  wasCut = false
  #path: string | undefined
  #query: TextMap | undefined
  #headers: TextMap | undefined
  #client: ClientFacts | undefined
  #traits: TraitFacts | undefined

  constructor(input: RuleInput) {
    this.input = input
  }

  get method(): string {
    this.know('method')
    return this.input.head.method
  }

  /** Without the query, normalised: percent-encoded letters, digits and "-._~" as themselves, no dot segments. */
  get path(): string {
    this.know('path')
    return (this.#path ??= this.cut(pathOf(this.input.head.target)))
  }

  get query(): TextMap {
    this.know('query')
    return (this.#query ??= new Parameters(this))
  }

  get host(): string {
    this.know('host')
    return this.input.head.host
  }

  get scheme(): string {
    this.know('scheme')
    return this.input.isSecure ? 'https' : 'http'
  }

  get version(): string {
    this.know('version')
    return this.input.head.version
  }

  get headers(): TextMap {
    return (this.#headers ??= new Headers(this))
  }

  get posture(): string {
    this.know('posture')
    return this.input.posture
  }

  get client(): ClientFacts {
    return (this.#client ??= new ClientFacts(this))
  }

  get traits(): TraitFacts {
    return (this.#traits ??= new TraitFacts(this))
  }

  know(fact: string): void {
    if (this.input.unknown?.(fact)) throw new UnknownFact(fact)
  }

  cut(text: string): string {
    if (text.length <= LONGEST_TEXT) return text
    this.wasCut = true
    return text.slice(0, LONGEST_TEXT)
  }
}

export class ClientFacts {
  readonly #facts: Facts
  #parsed: Address | undefined

  constructor(facts: Facts) {
    this.#facts = facts
  }

  get address(): string {
    this.#facts.know('client.address')
    return this.#facts.input.client.text
  }

  get network(): string {
    this.#facts.know('client.address')
    return this.#facts.input.client.prefix
  }

  get asn(): bigint {
    this.#facts.know('client.asn')
    return BigInt(this.#facts.input.client.asn)
  }

  /** Undefined for nobody's address. */
  get parsed(): Address | undefined {
    return (this.#parsed ??= parseAddress(this.address))
  }
}

/** Has a getter for each trait, defined below. */
export class TraitFacts {
  readonly #facts: Facts
  #values: readonly string[] | undefined

  constructor(facts: Facts) {
    this.#facts = facts
  }

  at(index: number): string {
    this.#facts.know(TRAIT_FACTS[index]!)
    return (this.#values ??= this.#facts.input.traits)[index] ?? ''
  }
}

const TRAIT_FACTS = TRAITS.map(({ name }) => `traits.${name}`)
for (const [index, { name }] of TRAITS.entries()) {
  Object.defineProperty(TraitFacts.prototype, name, {
    get(this: TraitFacts) {
      return this.at(index)
    },
  })
}

/** Names and texts; filled only when somebody asks which names there are. */
abstract class TextMap extends Map<string, string> {
  #isFilled = false

  /** '' for what is not there: a look-up never fails. */
  override get(name: string): string {
    return (this.#isFilled ? super.get(name) : this.find(name)) ?? ''
  }

  override keys(): MapIterator<string> {
    this.#fillOnce()
    return super.keys()
  }

  override get size(): number {
    this.#fillOnce()
    return super.size
  }

  #fillOnce(): void {
    if (this.#isFilled) return
    this.fill()
    this.#isFilled = true
  }

  protected abstract find(name: string): string | undefined
  protected abstract fill(): void
}
/** By names in lower case; lines of one name are joined by ", " (RFC 9110 §5.3). */
class Headers extends TextMap {
  readonly #facts: Facts

  constructor(facts: Facts) {
    super()
    this.#facts = facts
  }

  override get(name: string): string {
    const lower = name.toLowerCase()
    this.#facts.know(`headers.${lower}`)
    return super.get(lower)
  }

  protected override find(lower: string): string | undefined {
    const value = fieldList(this.#facts.input.head.fields, lower)
    return value === undefined ? undefined : this.#facts.cut(value)
  }

  protected override fill(): void {
    this.#facts.know('headers')
    const { fields } = this.#facts.input.head
    for (let i = 0; i < fields.length; i += 2) {
      const lower = fields[i]!.toLowerCase()
      if (this.has(lower)) continue
      // Not `this.size`, which fills.
      if (i >= 2 * MOST_NAMES) {
        this.#facts.wasCut = true
        return
      }
      this.set(lower, this.find(lower) ?? '')
    }
  }
}

/** The first value of each name, "+" and percent-encoding undone; what is no UTF-8 stays as it was sent. */
class Parameters extends TextMap {
  readonly #facts: Facts
  #pairs: readonly string[] | undefined

  constructor(facts: Facts) {
    super()
    this.#facts = facts
  }

  protected override find(name: string): string | undefined {
    for (const pair of this.#split()) {
      const equals = pair.indexOf('=')
      if (decoded(equals < 0 ? pair : pair.slice(0, equals)) === name)
        return equals < 0 ? '' : decoded(pair.slice(equals + 1))
    }
    return undefined
  }

  protected override fill(): void {
    for (const pair of this.#split()) {
      const equals = pair.indexOf('=')
      const name = decoded(equals < 0 ? pair : pair.slice(0, equals))
      if (!this.has(name)) this.set(name, equals < 0 ? '' : decoded(pair.slice(equals + 1)))
    }
  }

  #split(): readonly string[] {
    if (this.#pairs !== undefined) return this.#pairs
    const { target } = this.#facts.input.head
    const mark = target.indexOf('?')
    if (mark < 0) return (this.#pairs = [])
    // One more than are kept tells whether there were more.
    const pairs = this.#facts.cut(target.slice(mark + 1)).split('&', MOST_NAMES + 1)
    if (pairs.length > MOST_NAMES) {
      this.#facts.wasCut = true
      pairs.length = MOST_NAMES
    }
    return (this.#pairs = pairs.filter((pair) => pair !== ''))
  }
}

// The language tells a map by its constructor.
for (const kind of [Headers, Parameters])
  Object.defineProperty(kind.prototype, 'constructor', { value: Map, enumerable: false })

function decoded(text: string): string {
  if (!/[+%]/.test(text)) return text
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}

/**
 * The path as an origin is likely to read it: else "/static/../search" would have what is allowed to "/static/",
 * and "/se%61rch" would not be "/search". An encoded slash stays what it is (RFC 3986 §2.2).
 */
function pathOf(target: string): string {
  const end = target.search(/[?#]/)
  let path = end < 0 ? target : target.slice(0, end)
  if (path.includes('%'))
    path = path.replace(/%([2-7][0-9A-Fa-f])/g, (encoded, hex: string) => {
      const character = String.fromCharCode(Number.parseInt(hex, 16))
      return /[A-Za-z0-9._~-]/.test(character) ? character : encoded
    })
  return /\/(\/|\.{1,2}(\/|$))/.test(path) ? withoutDots(path) : path
}

/** RFC 3986 §5.2.4, and several slashes as one, as most servers read them. */
function withoutDots(path: string): string {
  const kept: string[] = []
  const segments = path.split('/')
  const last = segments.at(-1)
  for (const segment of segments) {
    if (segment === '..') kept.pop()
    else if (segment !== '' && segment !== '.') kept.push(segment)
  }
  const isFolder = kept.length > 0 && (last === '' || last === '.' || last === '..')
  return `/${kept.join('/')}${isFolder ? '/' : ''}`
}
