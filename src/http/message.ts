/** Message nouns shared by every room (RFC 9110 §6). */

/** Field lines in the order received: name, value, name, value, … (the shape of Node's rawHeaders). */
export type FieldLines = readonly string[]

export type HttpVersion = '1.0' | '1.1' | '2.0'

/** A request's head as received, after its framing was found unambiguous. */
export interface RequestHead {
  readonly method: string
  /** Request target in origin form ("/path?query"), or "*" for OPTIONS. */
  readonly target: string
  readonly version: HttpVersion
  /** Host without port, lower case. */
  readonly host: string
  readonly fields: FieldLines
  /** All of `fields` if any of them speaks for the client (forwarded.ts), else none. Absent: look yourself. */
  readonly forwardingFields?: FieldLines
  /** Those of `fields` that recognise's `kindOf` asks for in a GET or HEAD without a body. Absent: look yourself. */
  readonly kindFields?: FieldLines
  /** Those of `fields` that a cache looks at, but for what Vary may name besides (`storeFieldsOf`). Absent: look yourself. */
  readonly storeFields?: FieldLines
  /** It will wait: fields that were made when somebody asked for them are let go, and made again. */
  release?(): void
  /** False: `text` stands in none of the field lines that go on to an origin. Absent: look yourself. */
  mayHold?(text: string): boolean
}

export interface ResponseHead {
  readonly status: number
  readonly fields: FieldLines
}
