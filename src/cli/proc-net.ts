/** The addresses this machine's TCP sockets listen on, from Linux's /proc/net/tcp and tcp6. */
import { readFileSync } from 'node:fs'
import { addressOfProc } from '#networks'

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

/** "0100007F:1F90" is 127.0.0.1:8080. */
export function parseProcNet(text: string): ListeningAddress[] {
  const found: ListeningAddress[] = []
  for (const line of text.split('\n').slice(1)) {
    const match = /^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) \S+ ([0-9A-F]{2}) /.exec(line)
    if (match === null || match[3] !== LISTEN) continue
    found.push({ address: addressOfProc(match[1]!), port: Number.parseInt(match[2]!, 16) })
  }
  return found
}
