/**
 * An HTTP/2 client that misbehaves in one way, frame by frame, and counts how far it gets. After each
 * abusive step it sends a PING and waits for its answer, so the count is what the server had read
 * when it had enough, not what was still in a buffer.
 */
import { connect } from 'node:tls'
import { loopback } from './loopback-only.ts'

export type Abuse = 'rapid-reset' | 'continuation' | 'settings' | 'ping' | 'empty-data'

export interface AbuseResult {
  readonly abuse: Abuse
  /** Steps taken before the server closed the connection; the most allowed when it never did. */
  readonly steps: number
  readonly cutOff: boolean
  /** Error code of its GOAWAY, or how else it ended. */
  readonly how: string
}

const TYPE = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, continuation: 9 } as const

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** GET / (or POST /) over https for `host`: static table entries and one literal. */
function headerBlock(host: string, post = false): Buffer {
  return Buffer.concat([
    Buffer.from([post ? 0x83 : 0x82, 0x84, 0x87, 0x01, host.length]),
    Buffer.from(host, 'latin1'),
  ])
}

/** The frames of step n. */
function step(abuse: Abuse, n: number, host: string): Buffer {
  const stream = 2 * n + 1
  switch (abuse) {
    case 'rapid-reset':
      return Buffer.concat([
        frame(TYPE.headers, 5, stream, headerBlock(host)),
        frame(TYPE.reset, 0, stream, Buffer.from([0, 0, 0, 8])),
      ])
    case 'continuation':
      // One header block that never ends; PING may not come in between, so these go without.
      return n === 0
        ? frame(TYPE.headers, 1, 1, headerBlock(host))
        : frame(TYPE.continuation, 0, 1, Buffer.from([0, 1, 120 + (n % 3), 1, 121]))
    case 'settings':
      return frame(TYPE.settings, 0, 0, Buffer.from([0, 3, 0, 0, 0, 100]))
    case 'ping':
      return frame(TYPE.ping, 0, 0, Buffer.alloc(8, n & 255))
    case 'empty-data':
      return n === 0 ? frame(TYPE.headers, 4, 1, headerBlock(host, true)) : frame(TYPE.data, 0, 1)
    default:
      return abuse satisfies never
  }
}

export interface AbuseOptions {
  readonly port: number
  readonly host: string
  readonly most: number
  readonly localAddress?: string
}

export function abuse(kind: Abuse, options: AbuseOptions): Promise<AbuseResult> {
  return new Promise((resolve) => {
    const socket = connect({
      host: loopback('127.0.0.1'),
      port: options.port,
      // Spread: tls's own type leaves out what it hands on to net.
      ...{ localAddress: loopback(options.localAddress ?? '127.40.1.1') },
      servername: options.host,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
    })
    let steps = 0
    let bytes = Buffer.alloc(0)
    let how = 'closed'
    let ended = false
    const paced = kind !== 'continuation'
    const end = (cutOff: boolean) => {
      if (ended) return
      ended = true
      clearInterval(timer)
      clearTimeout(deadline)
      socket.destroy()
      resolve({ abuse: kind, steps, cutOff, how: cutOff ? how : 'never' })
    }
    const next = () => {
      if (ended) return
      if (steps >= options.most) return end(false)
      // The marker PING carries the step; a server may answer or close.
      const marker = Buffer.alloc(8)
      marker.writeUInt32BE(0xd16e0000 + (steps & 0xffff), 0)
      const frames = step(kind, steps++, options.host)
      socket.write(paced ? Buffer.concat([frames, frame(TYPE.ping, 0, 0, marker)]) : frames)
    }
    // Unpaced abuse goes a few frames per millisecond, slow enough that the count stays near.
    const timer = setInterval(() => {
      if (!paced && socket.writable && !socket.connecting && steps > 0) for (let i = 0; i < 4; i++) next()
    }, 1)
    const deadline = setTimeout(() => end(false), 60_000)
    socket.once('secureConnect', () => {
      if (socket.alpnProtocol !== 'h2') {
        how = 'no h2'
        return end(true)
      }
      socket.write(
        Buffer.concat([
          Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
          frame(TYPE.settings, 0, 0),
          frame(TYPE.settings, 1, 0),
        ]),
      )
      next()
    })
    socket.on('data', (data: Buffer) => {
      bytes = Buffer.concat([bytes, data])
      while (bytes.length >= 9) {
        const length = bytes.readUIntBE(0, 3)
        if (bytes.length < 9 + length) break
        const type = bytes[3]
        const flags = bytes[4]!
        const payload = bytes.subarray(9, 9 + length)
        bytes = bytes.subarray(9 + length)
        if (type === TYPE.goaway) {
          how = `GOAWAY ${payload.readUInt32BE(4)}`
          // No error: a polite end that leaves open streams alone; a cut all the same.
          return end(true)
        }
        const isMarker = type === TYPE.ping && (flags & 1) === 1 && payload.readUInt16BE(0) === 0xd16e
        if (isMarker && paced) next()
      }
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      how = error.code ?? 'error'
    })
    socket.on('close', () => end(true))
  })
}
