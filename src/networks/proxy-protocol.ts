/**
 * PROXY protocol, versions 1 and 2: the line or block by which a load balancer says whose connection
 * it passes on. https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
 *
 *     v1   PROXY TCP4 192.0.2.7 198.51.100.1 51234 443\r\n                at most 107 bytes
 *     v2   12 bytes of signature, version|command, family|transport, length, addresses, TLVs
 *
 * Read only from peers the operator named: from anybody else it would be a claim. A peer on that
 * list must send it: what begins otherwise is `malformed`, never passed on as HTTP, because the
 * specification forbids guessing.
 */
import { type Address, formatAddress, fromBytes, parseAddress } from './address.ts'

export interface ProxyEndpoint {
  /** Canonical text. */
  readonly address: string
  readonly port: number
}

export type ProxyHeader =
  /** The header may be complete when more bytes have come; nothing has been found wrong. */
  | { readonly state: 'more' }
  | { readonly state: 'malformed'; readonly reason: string }
  /**
   * `length` bytes belong to the header. Without `source` the connection is the peer's own (LOCAL:
   * its health check) or of a kind that has no IP address (UNKNOWN, UNSPEC, UNIX).
   */
  | {
      readonly state: 'done'
      readonly length: number
      readonly source?: ProxyEndpoint
      readonly destination?: ProxyEndpoint
    }

const MORE: ProxyHeader = { state: 'more' }
const V1_LONGEST = 107
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
/** Addresses and TLVs. The specification's 65,535 would let each connection hold 64 kB before it has said who it is. */
export const V2_LONGEST = 4096
const TLV_CRC32C = 0x03

/** Reads a header from the start of all bytes received so far; call again with more while it says `more`. */
export function parseProxyHeader(bytes: Uint8Array): ProxyHeader {
  if (bytes.length === 0) return MORE
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (buffer[0] === 0x50) return parseV1(buffer)
  const compared = Math.min(buffer.length, V2_SIGNATURE.length)
  if (buffer.compare(V2_SIGNATURE, 0, compared, 0, compared) !== 0) return malformed('no PROXY header')
  return parseV2(buffer)
}

function malformed(reason: string): ProxyHeader {
  return { state: 'malformed', reason }
}

function parseV1(buffer: Buffer): ProxyHeader {
  const start = 'PROXY '
  const head = buffer.toString('latin1', 0, Math.min(buffer.length, V1_LONGEST))
  if (!head.startsWith(start.slice(0, head.length))) return malformed('no PROXY header')
  const end = head.indexOf('\r\n')
  if (end < 0) {
    if (head.includes('\n')) return malformed('v1 line ends in a bare LF')
    return buffer.length >= V1_LONGEST ? malformed(`v1 line is longer than ${V1_LONGEST} bytes`) : MORE
  }
  const length = end + 2
  const line = head.slice(0, end)
  // Whatever follows UNKNOWN is to be ignored.
  if (line === 'PROXY UNKNOWN' || line.startsWith('PROXY UNKNOWN ')) return { state: 'done', length }
  const match = /^PROXY TCP([46]) (\S+) (\S+) (\d{1,5}) (\d{1,5})$/.exec(line)
  if (match === null) return malformed('v1 line')
  const family = match[1] === '4' ? 4 : 6
  const source = endpoint(match[2]!, match[4]!, family)
  const destination = endpoint(match[3]!, match[5]!, family)
  if (source === undefined || destination === undefined) return malformed('v1 address or port')
  return { state: 'done', length, source, destination }
}

function endpoint(text: string, portText: string, family: 4 | 6): ProxyEndpoint | undefined {
  const address = parseAddress(text)
  const port = Number(portText)
  const written = text.includes(':') ? 6 : 4
  if (address === undefined || written !== family || port > 65_535 || portText !== String(port))
    return undefined
  return { address: formatAddress(address), port }
}

function parseV2(buffer: Buffer): ProxyHeader {
  if (buffer.length < 16) return MORE
  const command = buffer[12]!
  const kind = buffer[13]!
  const extra = buffer.readUInt16BE(14)
  if (command !== 0x20 && command !== 0x21) return malformed('v2 version or command')
  const family = kind >> 4
  const transport = kind & 15
  if (family > 3 || transport > 2) return malformed('v2 family or transport')
  if (extra > V2_LONGEST) return malformed(`v2 header is longer than ${V2_LONGEST} bytes`)
  const length = 16 + extra
  if (buffer.length < length) return MORE
  const addressBytes = family === 0 ? 0 : family === 1 ? 12 : family === 2 ? 36 : 216
  const isLocal = command === 0x20
  // A LOCAL header's addresses must be skipped, whatever they are, and so must those of UNSPEC.
  if (!isLocal && family !== 0) {
    if (extra < addressBytes) return malformed('v2 addresses are cut off')
    const fault = checkTlvs(buffer.subarray(0, length), 16 + addressBytes)
    if (fault !== undefined) return malformed(fault)
  }
  // Only a stream over IP says who the client of an HTTP connection is.
  if (isLocal || family === 0 || family === 3 || transport !== 1) return { state: 'done', length }
  const width = family === 1 ? 4 : 16
  const text = (at: number): string => formatAddress(addressAt(buffer, at, width))
  const ports = 16 + 2 * width
  return {
    state: 'done',
    length,
    source: { address: text(16), port: buffer.readUInt16BE(ports) },
    destination: { address: text(16 + width), port: buffer.readUInt16BE(ports + 2) },
  }
}

function addressAt(buffer: Buffer, at: number, width: number): Address {
  return fromBytes(buffer.subarray(at, at + width))
}

/** TLVs are skipped, but must fill the header exactly; a checksum, where there is one, must match. */
function checkTlvs(header: Buffer, start: number): string | undefined {
  let at = start
  while (at < header.length) {
    if (at + 3 > header.length) return 'v2 TLV is cut off'
    const length = header.readUInt16BE(at + 1)
    const value = at + 3
    if (value + length > header.length) return 'v2 TLV is cut off'
    if (header[at] === TLV_CRC32C) {
      if (length !== 4) return 'v2 checksum is not four bytes'
      const zeroed = Buffer.from(header)
      zeroed.fill(0, value, value + 4)
      if (crc32c(zeroed) !== header.readUInt32BE(value)) return 'v2 checksum does not match'
    }
    at = value + length
  }
  return undefined
}

/** Castagnoli's CRC-32, which zlib's is not. A few dozen bytes once per connection: no table needed. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0x82f63b78 & -(crc & 1))
  }
  return (crc ^ 0xffffffff) >>> 0
}
