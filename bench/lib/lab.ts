/**
 * Two network namespaces with one veth between them, for what loopback cannot show: packets that come from
 * addresses of others, and a firewall of one's own to try. Made and removed by whoever uses it; nothing leads
 * out of them.
 *
 *     client: 198.18.0.2, all of 198.19.0.0/16, all of 2001:db8:2::/48  ── veth ──  server: 198.18.0.1, 2001:db8:1::1
 *
 * Addresses of RFC 2544 (benchmarks) and RFC 3849 (documentation), which nobody has.
 */
import { execFileSync } from 'node:child_process'
import { LAB_INTERFACE } from '../load/lab-only.ts'
import { findProgram } from './processes.ts'

export const SERVER = { v4: '198.18.0.1', v6: '2001:db8:1::1' } as const
const CLIENT = { v4: '198.18.0.2', v6: '2001:db8:1::2' } as const

/** The n-th address of the client's: 65,536 of them. */
export const clientV4 = (n: number) => `198.19.${(n >> 8) & 255}.${n & 255}`
/** The n-th /64 of the client's. */
export const clientV6 = (n: number) => `2001:db8:2:${n.toString(16)}::7`

export interface Lab {
  /** The command, run where the server is, or the client. */
  readonly server: (command: readonly string[]) => string[]
  readonly client: (command: readonly string[]) => string[]
  /** Runs a command where the server is, to its end; what it printed. */
  runAtServer(command: readonly string[]): string
  /**
   * Has each side's packets received on a core of its own (receive packet steering), as on two machines; else the
   * sender's core does the receiver's work.
   */
  pin(cores: { readonly server: number; readonly client: number }): void
  close(): void
}

const open = new Set<() => void>()
process.on('exit', () => {
  for (const close of open) close()
})

/** A lab, or why there can be none here. */
export function makeLab(): Lab | string {
  const ip = findProgram('ip')
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  if (ip === undefined) return 'ip is not installed (apt install iproute2)'
  const names = { server: `digue-${process.pid}-s`, client: `digue-${process.pid}-c` }
  const run = (...args: string[]) =>
    execFileSync(ip, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      // A listing of a full set has a line for each three of its entries.
      maxBuffer: 64_000_000,
    })
  const write = (side: 'server' | 'client', path: string, value: string) => {
    execFileSync(ip, ['netns', 'exec', names[side], 'tee', path], {
      input: value,
      stdio: ['pipe', 'ignore', 'pipe'],
    })
  }
  const close = () => {
    open.delete(close)
    for (const name of Object.values(names)) {
      try {
        run('netns', 'delete', name)
      } catch {
        // Not made yet.
      }
    }
  }
  open.add(close)
  const [server, client] = [`${LAB_INTERFACE}0`, `${LAB_INTERFACE}1`]
  try {
    for (const name of Object.values(names)) run('netns', 'add', name)
    const at = (side: 'server' | 'client', ...args: string[]) => run('-n', names[side], ...args)
    run(
      'link',
      'add',
      server,
      'netns',
      names.server,
      'type',
      'veth',
      'peer',
      'name',
      client,
      'netns',
      names.client,
    )
    at('server', 'address', 'add', `${SERVER.v4}/24`, 'dev', server)
    at('client', 'address', 'add', `${CLIENT.v4}/24`, 'dev', client)
    // Without nodad an address is of no use for a second or two.
    at('server', 'address', 'add', `${SERVER.v6}/64`, 'dev', server, 'nodad')
    at('client', 'address', 'add', `${CLIENT.v6}/64`, 'dev', client, 'nodad')
    for (const side of ['server', 'client'] as const) at(side, 'link', 'set', 'lo', 'up')
    at('server', 'link', 'set', server, 'up')
    at('client', 'link', 'set', client, 'up')
    at('server', 'route', 'add', '198.19.0.0/16', 'via', CLIENT.v4)
    at('server', 'route', 'add', '2001:db8:2::/48', 'via', CLIENT.v6)
    at('client', 'route', 'add', 'local', '198.19.0.0/16', 'dev', 'lo')
    at('client', '-6', 'route', 'add', 'local', '2001:db8:2::/48', 'dev', 'lo')
    // A route makes version-4 addresses one's own; version 6 wants to be told so too.
    write('client', '/proc/sys/net/ipv6/ip_nonlocal_bind', '1')
  } catch (error) {
    close()
    const { stderr } = error as { stderr?: string }
    return `no network namespaces here: ${(stderr || (error as Error).message).trim()}`
  }
  const within = (name: string) => (command: readonly string[]) => [ip, 'netns', 'exec', name, ...command]
  return {
    server: within(names.server),
    client: within(names.client),
    runAtServer: (command) => run('netns', 'exec', names.server, ...command),
    pin: (cores) => {
      for (const [side, name] of [
        ['server', server],
        ['client', client],
      ] as const)
        write(side, `/sys/class/net/${name}/queues/rx-0/rps_cpus`, (1 << cores[side]).toString(16))
    },
    close,
  }
}
