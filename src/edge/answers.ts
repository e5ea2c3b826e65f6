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

export function buildAnswer(status: number, fields: readonly string[], body: string | Buffer = ''): Answer {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`
  head += `content-length: ${bytes.length}\r\n`
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
