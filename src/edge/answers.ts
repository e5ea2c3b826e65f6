/** Complete answers that Digue gives itself, built once so that a flood costs a write each. */
import { STATUS_CODES } from 'node:http'

export interface Answer {
  readonly status: number
  /** Fields without framing and Connection: name, value, … in lower case (HTTP/2 takes them as they are). */
  readonly fields: readonly string[]
  readonly body: Buffer
  /** HTTP/1.1 bytes that keep the connection open. */
  readonly keepAlive: Buffer
  /** HTTP/1.1 bytes that say the connection closes. */
  readonly close: Buffer
  /** The two above for HEAD: no body. */
  readonly headKeepAlive: Buffer
  readonly headClose: Buffer
}

/**
 * An answer for one request, such as a page with its own facts: nothing is kept, and only the form that
 * is sent is made.
 */
export function freshAnswer(status: number, fields: readonly string[], body: Buffer): Answer {
  return new FreshAnswer(status, fields, body)
}

class FreshAnswer implements Answer {
  readonly status: number
  readonly fields: readonly string[]
  readonly body: Buffer

  constructor(status: number, fields: readonly string[], body: Buffer) {
    this.status = status
    this.fields = fields
    this.body = body
  }

  get keepAlive(): Buffer {
    return this.#bytes('\r\n', this.body)
  }

  get close(): Buffer {
    return this.#bytes('connection: close\r\n\r\n', this.body)
  }

  get headKeepAlive(): Buffer {
    return this.#bytes('\r\n', NO_BODY)
  }

  get headClose(): Buffer {
    return this.#bytes('connection: close\r\n\r\n', NO_BODY)
  }

  #bytes(end: string, body: Buffer): Buffer {
    const head = framedHead(this.status, this.fields, this.body.length) + end
    const bytes = Buffer.allocUnsafe(head.length + body.length)
    bytes.write(head, 0, 'latin1')
    body.copy(bytes, head.length)
    return bytes
  }
}

const NO_BODY = Buffer.alloc(0)

/** Status line and field lines of an HTTP/1.1 response, without the empty line. */
export function headText(status: number, fields: readonly string[]): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${fieldText(fields)}`
}

export function fieldText(fields: readonly string[]): string {
  let text = ''
  for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`
  return text
}

function framedHead(status: number, fields: readonly string[], length: number): string {
  return `${headText(status, fields)}content-length: ${length}\r\n`
}

export function buildAnswer(status: number, fields: readonly string[], body: string | Buffer = ''): Answer {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const head = framedHead(status, fields, bytes.length)
  const open = Buffer.from(`${head}\r\n`, 'latin1')
  const shut = Buffer.from(`${head}connection: close\r\n\r\n`, 'latin1')
  return {
    status,
    fields,
    body: bytes,
    keepAlive: Buffer.concat([open, bytes]),
    close: Buffer.concat([shut, bytes]),
    headKeepAlive: open,
    headClose: shut,
  }
}
