/**
 * One line of an access log while it is looked at: numbers, and where in the bytes its texts are.
 *
 * Logs have tens of millions of lines, and most of their texts were seen a moment before. So a parser makes no
 * strings: it notes spans, and whoever has not met these bytes yet asks for their text. One LogLine is used again
 * for every line of a file; its spans hold until the next line is parsed.
 */

/** Texts of a line. `request` is never a span: parsers cut it into method, target and version. */
export const FIELD = {
  client: 0,
  host: 1,
  method: 2,
  target: 3,
  version: 4,
  referer: 5,
  agent: 6,
  language: 7,
} as const
export type Field = (typeof FIELD)[keyof typeof FIELD]
const FIELDS = 8

/** How bytes that would break a line were written: `\x22` and `\"` (Apache, nginx), `#22` (HAProxy), or not at all. */
export type Escapes = 'backslash' | 'hash' | 'none'

export class LogLine {
  data: Buffer = Buffer.alloc(0)
  /** Milliseconds since the epoch. */
  atMs = 0
  /** 0 when none was sent. */
  status = 0
  bytes = 0
  /** From request to last byte; -1 when the log does not say. */
  durationMs = -1
  /** Whether the request brought cookies; undefined when the log does not say. */
  hasCookies: boolean | undefined = undefined
  escapes: Escapes = 'backslash'
  readonly #spans = new Int32Array(2 * FIELDS)

  /** Forgets the line before. */
  begin(data: Buffer, escapes: Escapes): void {
    this.data = data
    this.escapes = escapes
    this.status = 0
    this.bytes = 0
    this.durationMs = -1
    this.hasCookies = undefined
    this.#spans.fill(0)
  }

  put(field: Field, start: number, end: number): void {
    this.#spans[2 * field] = start
    this.#spans[2 * field + 1] = end
  }

  /** As `put`, but "-" is an absent field. */
  putUnlessDash(field: Field, start: number, end: number): void {
    if (end - start === 1 && this.data[start] === 45) return
    this.put(field, start, end)
  }

  start(field: Field): number {
    return this.#spans[2 * field]!
  }

  end(field: Field): number {
    return this.#spans[2 * field + 1]!
  }

  /** The field as one character per byte, escapes undone; '' when absent. */
  text(field: Field): string {
    const start = this.start(field)
    const raw = this.data.toString('latin1', start, this.end(field))
    if (this.escapes === 'backslash') return undoBackslashes(raw)
    return this.escapes === 'hash' ? undoHashes(raw) : raw
  }
}

/** Undoes Apache's and nginx's escapes; a backslash before anything else stands for what follows it. */
function undoBackslashes(text: string): string {
  if (!text.includes('\\')) return text
  return text.replace(
    /\\(?:x([0-9A-Fa-f]{2})|(.))/g,
    (_, hex: string | undefined, plain: string | undefined) => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
      return plain === 'n' ? '\n' : plain === 'r' ? '\r' : plain === 't' ? '\t' : plain!
    },
  )
}

/** HAProxy writes what is not plain as "#" and two digits (its configuration manual, section 8.6). */
function undoHashes(text: string): string {
  if (!text.includes('#')) return text
  return text.replace(/#([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
