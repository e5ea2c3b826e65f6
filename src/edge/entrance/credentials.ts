/**
 * What a client shows that it got from Digue before: a clearance, a known visitor's token, a ticket of
 * the waiting room; in cookies, or in the URL where cookies are off. The origin sees none of them.
 */
import {
  type Clearance,
  isKnown,
  type KeyRing,
  type KnownToken,
  mayHoldOurs,
  readClearance,
  readCookies,
  readKnown,
  readTicket,
  type Standing,
  type Ticket,
  type TokenFault,
  takeParameter,
  withoutOurs,
} from '#challenge'
import { equalsIgnoringCase, type FieldLines, type RequestHead } from '#http'

export interface Credentials {
  clearance: Clearance | undefined
  known: KnownToken | undefined
  ticket: Ticket | undefined
  /** Language chosen on a page, '' when none was. */
  readonly language: string
  /** The page is not to ask again by itself. */
  readonly stopped: boolean
  /** One of them came in the URL: cookies may be off. */
  readonly inTarget: boolean
  /** A cookie of ours came back: cookies work. */
  readonly hasCookies: boolean
  /** Why one of them was not believed; undefined when all were. */
  fault: TokenFault | undefined
  /** Where its holder stands in the waiting line; known once it was asked for. */
  standing: Standing | undefined
  /** Who pays for the request in place of its address: the token that brought it into its lane. */
  account: string | undefined
  /** What is spent is kept with the account until then, s since the epoch; 0: it is not metered. */
  meteredUntilS: number
}

/** Of a client that showed nothing. */
export function stranger(): Credentials {
  return {
    clearance: undefined,
    known: undefined,
    ticket: undefined,
    language: '',
    stopped: false,
    inTarget: false,
    hasCookies: false,
    fault: undefined,
    standing: undefined,
    account: undefined,
    meteredUntilS: 0,
  }
}

/** The request without what is Digue's own in it, and what that was. */
export interface Shown {
  readonly head: RequestHead
  readonly credentials: Credentials
}

/** Undefined for a request that shows nothing, which is nearly every one. */
export function readShown(head: RequestHead, keys: KeyRing, site: string, nowS: number): Shown | undefined {
  const ours = head.mayHold?.(COOKIE_START) === false ? -1 : firstWithOurs(head.fields)
  const taken = takeParameter(head.target)
  if (ours === -1 && taken === undefined) return undefined
  const read = new Reader(keys, site, nowS)
  const cleaned = ours === -1 ? head.fields : read.fields(head.fields, ours)
  if (taken !== undefined) read.parameter(taken.token)
  return {
    head: {
      method: head.method,
      target: taken?.target ?? head.target,
      version: head.version,
      host: head.host,
      fields: cleaned,
    },
    credentials: read.credentials,
  }
}

/** What all cookies of ours begin with. */
const COOKIE_START = 'digue_'

/** Index of the first Cookie line that may hold one of ours; -1 without one. */
function firstWithOurs(fields: FieldLines): number {
  for (let i = 0; i < fields.length; i += 2)
    if (equalsIgnoringCase(fields[i]!, 'cookie') && mayHoldOurs(fields[i + 1]!)) return i
  return -1
}

class Reader {
  readonly #keys: KeyRing
  readonly #site: string
  readonly #nowS: number
  #clearance: Clearance | undefined
  #known: KnownToken | undefined
  #ticket: Ticket | undefined
  #language = ''
  #stopped = false
  #inTarget = false
  #hasCookies = false
  #fault: TokenFault | undefined

  constructor(keys: KeyRing, site: string, nowS: number) {
    this.#keys = keys
    this.#site = site
    this.#nowS = nowS
  }

  get credentials(): Credentials {
    return {
      ...stranger(),
      clearance: this.#clearance,
      known: this.#known,
      ticket: this.#ticket,
      language: this.#language,
      stopped: this.#stopped,
      inTarget: this.#inTarget,
      hasCookies: this.#hasCookies,
      fault: this.#fault,
    }
  }

  /** Reads our cookies in all Cookie lines from `first` on; the fields without them. */
  fields(fields: FieldLines, first: number): FieldLines {
    const cleaned = fields.slice(0, first)
    for (let i = first; i < fields.length; i += 2) {
      const name = fields[i]!
      const value = fields[i + 1]!
      if (!equalsIgnoringCase(name, 'cookie') || !mayHoldOurs(value)) {
        cleaned.push(name, value)
        continue
      }
      const found = readCookies(value)
      // A parent domain may have planted one of the two: the first that we signed counts.
      for (const text of found.clearance) this.#clearance ??= this.#believed(readClearance, text)
      for (const text of found.known) this.#known ??= this.#believed(readKnown, text)
      for (const text of found.ticket) this.#ticket ??= this.#believed(readTicket, text)
      const rest = withoutOurs(value)
      if (rest !== undefined) cleaned.push(name, rest)
    }
    this.#hasCookies =
      this.#clearance !== undefined || this.#known !== undefined || this.#ticket !== undefined
    return cleaned
  }

  /** `[s.][l.<language>.]<token>`: a token is a ticket or a clearance, or missing behind a language. */
  parameter(text: string): void {
    let rest = text
    if (rest.startsWith('s.')) {
      this.#stopped = true
      rest = rest.slice(2)
    }
    const language = /^l\.([A-Za-z-]{2,10})(\.|$)/.exec(rest)
    if (language !== null) {
      this.#language = language[1]!
      rest = rest.slice(language[0].length)
    }
    if (rest === '') return
    this.#inTarget = true
    const faultBefore = this.#fault
    const ticket = this.#believed(readTicket, rest)
    if (ticket !== undefined) {
      // The one in the URL is as old as the page; the cookie's may be newer.
      this.#ticket ??= ticket
      return
    }
    this.#fault = faultBefore
    this.#clearance ??= this.#believed(readClearance, rest)
  }

  #believed<T extends object>(
    read: (keys: KeyRing, site: string, text: string, nowS: number) => T | TokenFault,
    text: string,
  ): T | undefined {
    const token = read(this.#keys, this.#site, text, this.#nowS)
    if (typeof token !== 'string') return token
    this.#fault ??= token
    return undefined
  }
}

/** A known visitor's token that opens the known lane now. */
export function opensKnown(credentials: Credentials, nowS: number): boolean {
  return credentials.known !== undefined && isKnown(credentials.known, nowS)
}
