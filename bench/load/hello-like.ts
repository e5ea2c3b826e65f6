/**
 * A ClientHello as another program writes it: what was recorded of the program, with a key share of one's own.
 *
 * Ciphers, extensions, their order and contents stay, so that JA4 is that program's. Changed is what makes a
 * handshake possible for a client that knows X25519 only: groups and key shares. JA4 looks at neither.
 */
import { randomBytes } from 'node:crypto'

const SERVER_NAME = 0
const GROUPS = 10
const ALPN = 16
const PADDING = 21
const KEY_SHARE = 51
const X25519 = 0x001d

export const u16 = (n: number): Buffer => Buffer.from([n >> 8, n & 255])

export function vector16(...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([u16(body.length), body])
}

/** `record`: a TLS record that holds the whole hello. The result is the handshake message, without a record. */
export function helloLike(record: Buffer, host: string, share: Uint8Array): Buffer {
  const name = Buffer.from(host, 'latin1')
  return rewrite(record, (type, data) => {
    if (type === SERVER_NAME) return vector16(Buffer.from([0]), vector16(name))
    if (type === GROUPS) return vector16(u16(X25519))
    if (type === KEY_SHARE) return vector16(u16(X25519), vector16(share))
    return data
  })
}

/**
 * The record of a program's hello as the same program writes it when it offers other protocols, or none, or asks
 * by address and so without a name.
 */
export function withAlpn(record: Buffer, protocols: readonly string[], hasName = true): Buffer {
  const message = rewrite(record, (type, data) => {
    if (type === SERVER_NAME) return hasName ? data : undefined
    if (type !== ALPN) return data
    if (protocols.length === 0) return undefined
    return vector16(
      ...protocols.map((name) => Buffer.from(`${String.fromCharCode(name.length)}${name}`, 'latin1')),
    )
  })
  return Buffer.concat([Buffer.from([22, 3, 1]), u16(message.length), message])
}

/** Extensions go through `of`; one that it has nothing for is left out. */
function rewrite(record: Buffer, of: (type: number, data: Buffer) => Buffer | undefined): Buffer {
  // Of the message: type 1, length 3, version 2, random 32.
  const message = record.subarray(5)
  const session = message[38]!
  let at = 39 + session
  const ciphers = message.subarray(at, at + 2 + message.readUInt16BE(at))
  at += ciphers.length
  const compression = message.subarray(at, at + 1 + message[at]!)
  at += compression.length
  const end = at + 2 + message.readUInt16BE(at)
  const extensions: Buffer[] = []
  for (at += 2; at + 4 <= end; ) {
    const type = message.readUInt16BE(at)
    const data = message.subarray(at + 4, at + 4 + message.readUInt16BE(at + 2))
    at += 4 + data.length
    // It fills up to a length that has changed.
    const written = type === PADDING ? data : of(type, data)
    if (written !== undefined) extensions.push(Buffer.concat([u16(type), vector16(written)]))
  }
  const body = Buffer.concat([
    message.subarray(4, 6),
    randomBytes(32),
    Buffer.from([session]),
    randomBytes(session),
    ciphers,
    compression,
    vector16(...extensions),
  ])
  return Buffer.concat([Buffer.from([1, 0]), u16(body.length), body])
}
