/**
 * Reads HTTP/1.1 responses off a connection, one after another, at the price of a few string
 * operations per head. Knows Content-Length, chunked and read-until-close: all that the bench's
 * servers send. Not a validating parser: the bench trusts its servers to speak HTTP, and a broken
 * answer simply never becomes a served page.
 */
export interface ResponseSink {
  /** A response is complete. `body` is '' unless the reader keeps bodies. */
  response(status: number, head: string, body: string): void
}

const STATE = { head: 0, length: 1, chunkSize: 2, chunk: 3, trailer: 4, untilClose: 5 } as const

export class ResponseReader {
  readonly #sink: ResponseSink
  readonly #keepBody: boolean
  #state: number = STATE.head
  #text = ''
  #left = 0
  #status = 0
  #head = ''
  #body: string[] = []
  /** The request outstanding is HEAD: its answer has no body. */
  headOnly = false
  /** Set once the server has said that it closes. */
  closing = false
  /** Of the response at hand, head and content: what framing adds is not counted. */
  bytes = 0

  constructor(sink: ResponseSink, keepBody: boolean) {
    this.#sink = sink
    this.#keepBody = keepBody
  }

  feed(bytes: Buffer, length: number): void {
    let at = 0
    while (at < length) {
      switch (this.#state) {
        case STATE.length:
        case STATE.chunk: {
          const take = Math.min(this.#left, length - at)
          if (this.#keepBody) this.#body.push(bytes.toString('latin1', at, at + take))
          at += take
          this.bytes += take
          this.#left -= take
          if (this.#left > 0) return
          if (this.#state === STATE.length) this.#finish()
          else {
            this.#state = STATE.chunkSize
            this.#text = ''
          }
          break
        }
        case STATE.untilClose:
          if (this.#keepBody) this.#body.push(bytes.toString('latin1', at, length))
          this.bytes += length - at
          return
        default: {
          const end = this.#state === STATE.head ? '\r\n\r\n' : '\n'
          const before = this.#text.length
          this.#text += bytes.toString('latin1', at, length)
          const found = this.#text.indexOf(end, Math.max(0, before - 3))
          if (found === -1) return
          const after = found + end.length
          at += after - before
          const text = this.#text.slice(0, found)
          this.#text = ''
          this.#line(text)
        }
      }
    }
  }

  /** The server closed its side: ends a response that is read until close. */
  end(): void {
    if (this.#state === STATE.untilClose) this.#finish()
  }

  #line(text: string): void {
    switch (this.#state) {
      case STATE.head:
        this.#startBody(text)
        return
      case STATE.chunkSize:
        // The CRLF that ends a chunk arrives here as an empty line.
        if (text.trim() === '') return
        this.#left = Number.parseInt(text, 16)
        this.#state = this.#left > 0 ? STATE.chunk : STATE.trailer
        return
      default:
        if (text.trim() === '') this.#finish()
    }
  }

  #startBody(head: string): void {
    this.#status = Number(head.slice(9, 12))
    this.bytes += head.length + 4
    this.#head = head
    if (this.#status < 200) {
      this.#state = STATE.head
      return
    }
    if (/\r\nconnection: *close/i.test(head) || head.startsWith('HTTP/1.0')) this.closing = true
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)
    if (this.headOnly || this.#status === 204 || this.#status === 304) this.#finish()
    else if (length) {
      this.#left = Number(length[1])
      this.#state = STATE.length
      if (this.#left === 0) this.#finish()
    } else if (/\r\ntransfer-encoding: *chunked/i.test(head)) this.#state = STATE.chunkSize
    else {
      this.#state = STATE.untilClose
      this.closing = true
    }
  }

  #finish(): void {
    const body = this.#body.length === 1 ? this.#body[0]! : this.#body.join('')
    this.#body = []
    this.#state = STATE.head
    this.#text = ''
    this.#sink.response(this.#status, this.#head, body)
    this.bytes = 0
  }
}
