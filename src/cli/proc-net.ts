/** The addresses this machine's TCP sockets listen on, from Linux's /proc/net/tcp and tcp6. */
import { readFileSync } from 'node:fs'

export interface ListeningAddress {
  readonly address: string
  readonly port: number
}

const LISTEN = '0A'

/** Undefined where there is no /proc. */
export function listeningAddresses(): ListeningAddress[] | undefined {
  const found: ListeningAddress[] = []
  let readable = false
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    try {
      found.push(...parseProcNet(readFileSync(file, 'latin1')))
      readable = true
    } catch {
      // No IPv6, or no /proc.
    }
  }
  return readable ? found : undefined
}

/** "0100007F:1F90" is 127.0.0.1:8080: the address as words in host byte order, here little-endian. */
export function parseProcNet(text: string): ListeningAddress[] {
  const found: ListeningAddress[] = []
  for (const line of text.split('\n').slice(1)) {
    const match = /^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) \S+ ([0-9A-F]{2}) /.exec(line)
    if (match === null || match[3] !== LISTEN) continue
    found.push({ address: addressText(match[1]!), port: Number.parseInt(match[2]!, 16) })
  }
  return found
}

function addressText(hex: string): string {
  const bytes: number[] = []
  for (let word = 0; word < hex.length; word += 8) {
    for (let byte = 6; byte >= 0; byte -= 2)
      bytes.push(Number.parseInt(hex.slice(word + byte, word + byte + 2), 16))
  }
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.every((byte) => byte === 0)) return '::'
  if (bytes.slice(0, 15).every((byte) => byte === 0) && bytes[15] === 1) return '::1'
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255
  if (mapped) return bytes.slice(12).join('.')
  const groups: string[] = []
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i]! << 8) | bytes[i + 1]!).toString(16))
  return groups.join(':')
}
