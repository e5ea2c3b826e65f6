/** The addresses that this machine and its operator live by: interfaces, gateways, SSH sessions. Linux. */
import { open, readFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { addressOfProc, parseAddress } from '#networks'
import type { Surroundings } from './guard.ts'

/** With more sockets than these, sessions beyond are not seen: in a flood the file has no end. */
const MOST_SOCKET_BYTES = 8_000_000
const SSH_PORT = 22
const ESTABLISHED = '01'

/** What cannot be read is left out: every part of it is one more precaution. */
export async function lookAround(environment: NodeJS.ProcessEnv = process.env): Promise<Surroundings> {
  const [route4, route6, tcp4, tcp6] = await Promise.all(
    ['route', 'ipv6_route', 'tcp', 'tcp6'].map((name) => readStart(`/proc/net/${name}`)),
  )
  const { peer, port } = sshConnection(environment['SSH_CONNECTION'])
  const ports = new Set([SSH_PORT, ...(port === undefined ? [] : [port])])
  return {
    addresses: [
      ...ownAddresses(),
      ...gateways4(route4!),
      ...gateways6(route6!),
      ...peersOf(`${tcp4}\n${tcp6}`, ports),
      ...(peer === undefined ? [] : [peer]),
    ],
  }
}

function ownAddresses(): string[] {
  try {
    return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address))
  } catch {
    return []
  }
}

async function readStart(path: string): Promise<string> {
  try {
    // Files of /proc have no size to go by.
    const file = await open(path)
    try {
      const chunks: Buffer[] = []
      let bytes = 0
      for await (const chunk of file.createReadStream({ autoClose: false, highWaterMark: 1 << 17 })) {
        chunks.push(chunk as Buffer)
        bytes += (chunk as Buffer).length
        if (bytes >= MOST_SOCKET_BYTES) break
      }
      return Buffer.concat(chunks).toString('latin1')
    } finally {
      await file.close()
    }
  } catch {
    return ''
  }
}

/** "192.0.2.7 52114 198.51.100.1 2222": client and its port, server and its port. */
export function sshConnection(text: string | undefined): { peer?: string; port?: number } {
  const [peer, , , port] = (text ?? '').split(' ')
  if (peer === undefined || parseAddress(peer) === undefined) return {}
  return /^\d{1,5}$/.test(port ?? '') ? { peer, port: Number(port) } : { peer }
}

/** /proc/net/route: interface, destination, gateway, …, each a word in host byte order. */
export function gateways4(text: string): string[] {
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t')[2] ?? '')
    .filter((hex) => /^[0-9A-F]{8}$/.test(hex) && hex !== '00000000')
    .map(addressOfProc)
}

/** /proc/net/ipv6_route: destination, its length, source, its length, next hop, …, in network byte order. */
export function gateways6(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.split(/\s+/)[4] ?? '')
    .filter((hex) => /^[0-9a-f]{32}$/.test(hex) && !/^0+$/.test(hex))
    .map((hex) => hex.match(/.{4}/g)!.join(':'))
}

/** Far ends of established connections to one of `ports`, from /proc/net/tcp and tcp6. */
export function peersOf(text: string, ports: ReadonlySet<number>): string[] {
  const found: string[] = []
  const line = /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]{8}|[0-9A-F]{32}):[0-9A-F]{4} ([0-9A-F]{2}) /gm
  for (const [, localPort, remote, state] of text.matchAll(line)) {
    if (state === ESTABLISHED && ports.has(Number.parseInt(localPort!, 16)))
      found.push(addressOfProc(remote!))
  }
  return found
}

/** Whether this process may change the kernel's tables: bit 12 of its effective capabilities, capability.h. */
export async function mayAdministerNetwork(): Promise<boolean> {
  const CAP_NET_ADMIN = 12n
  try {
    const status = await readFile('/proc/self/status', 'latin1')
    const mask = /^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1]
    return mask !== undefined && ((BigInt(`0x${mask}`) >> CAP_NET_ADMIN) & 1n) === 1n
  } catch {
    return false
  }
}
