/** `digue kernel-helper` and `digue kernel status`: the process that alone may tell the kernel whom to drop. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { extname, join } from 'node:path'
import type { Duplex } from 'node:stream'
import { type Config, readConfigFile } from '#config'
import { sendCommand } from '#console'
import { type KernelStatus, startHelper, type TableSettings } from '#kernel'
import { faultList, findSocket, usualConfig, type Whereabouts } from './locate.ts'
import { CliError, EXIT, formatBytes, plain, type Terminal, table } from './output.ts'

export interface HelperFlags {
  readonly config?: string
  readonly socket?: string
  /** Started by Digue itself: the connection is descriptor 3, the settings come on 4. */
  readonly child?: boolean
}

const CONNECTION_FD = 3
const SETTINGS_FD = 4

/** What the helper goes by. It reads the configuration itself, so that nobody can talk it into more. */
export function tableSettings(config: Config, ports?: readonly number[]): TableSettings {
  const { kernel, listen, trustedProxies } = config
  const listening = ports ?? listen.map(({ port }) => port)
  const chosen = kernel.ports.length > 0 ? kernel.ports : listening.filter((port) => port > 0)
  return {
    mode: kernel.mode === 'set-only' ? 'set-only' : 'own',
    table: kernel.table,
    maxEntries: kernel.maxEntries,
    ports: [...new Set(chosen)],
    // What stands before Digue sends everybody's requests.
    never: [...kernel.never, ...trustedProxies, ...listen.flatMap(({ proxyProtocol }) => proxyProtocol)],
  }
}

/** Runs until it is told to end (SIGTERM), or its parent goes. */
export async function kernelHelper(flags: HelperFlags, terminal: Terminal): Promise<void> {
  if (flags.child === true) {
    const settings = JSON.parse(readFileSync(SETTINGS_FD, 'utf8')) as TableSettings
    const helper = await startHelper({ settings, onEvent: () => {} })
    const stream = new Socket({ fd: CONNECTION_FD, readable: true, writable: true })
    helper.serve(stream)
    await Promise.race([new Promise((resolve) => stream.once('close', resolve)), ended()])
    await helper.close()
    return
  }
  const file = flags.config ?? usualConfig()
  if (file === undefined)
    throw new CliError(
      'give --config digue.yaml (neither ./digue.yaml nor /etc/digue/digue.yaml is there)',
      EXIT.usage,
    )
  const result = readConfigFile(file, { selfSigned: true, withoutFiles: true })
  if (!result.ok) throw new CliError(faultList(result.faults), EXIT.usage)
  const { config } = result
  const settings = tableSettings(config)
  if (settings.ports.length === 0)
    throw new CliError('kernel.ports: expected a port, got none (and `listen` has none either)', EXIT.usage)
  const socket = flags.socket ?? config.kernel.socket
  const helper = await startHelper({
    settings,
    onEvent: ({ level, message }) => terminal.error(`${level}: ${plain(message)}\n`),
  })
  try {
    await helper.listen(socket)
  } catch (error) {
    await helper.close()
    throw new CliError(`kernel.socket: ${(error as Error).message}`, EXIT.failed, { cause: error })
  }
  terminal.error(`info: listening on ${socket}; TCP ports ${settings.ports.join(', ')} are guarded\n`)
  await ended()
  await helper.close()
}

function ended(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => resolve())
  })
}

/**
 * A helper as a child of this process: for a Digue that runs as root. In a session of its own, so that Ctrl+C ends
 * it by its connection, after Digue has drained.
 */
export function spawnHelper(settings: TableSettings): Duplex {
  const ending = extname(import.meta.filename)
  const main = join(import.meta.dirname, `main${ending}`)
  const from = ending === '.ts' ? ['-C', 'source'] : []
  const child = spawn(process.execPath, [...from, main, 'kernel-helper', '--child'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    detached: true,
  })
  child.unref()
  const [connection, given] = [child.stdio[CONNECTION_FD] as Socket, child.stdio[SETTINGS_FD] as Socket]
  child.on('error', (error) => connection.destroy(error))
  given.on('error', () => {})
  given.end(JSON.stringify(settings))
  return connection
}

export async function kernelStatus(
  flags: Whereabouts & { readonly json?: boolean },
  terminal: Terminal,
): Promise<void> {
  const status = (await sendCommand(findSocket(flags), { command: 'kernel' })) as KernelStatus
  terminal.out(flags.json ? `${JSON.stringify(status, undefined, 2)}\n` : kernelStatusText(status))
}

const STATES: Readonly<Record<KernelStatus['state'], string>> = {
  off: 'Off: Digue drops by itself, at accept.',
  ready: 'Ready: nobody is dropped by the kernel now.',
  active: 'Active: the kernel drops those that went on after they had been dropped.',
  unavailable: 'Not available: Digue drops by itself, at accept.',
}

export function kernelStatusText(status: KernelStatus): string {
  const lines = [STATES[status.state]]
  if (status.reason !== '') lines.push(plain(status.reason))
  const { table: kernel } = status
  if (kernel !== undefined) {
    const { v4, v6, most } = kernel.entries
    const refused = Object.values(kernel.refused).reduce((sum, count) => sum + count, 0)
    lines.push(
      '',
      table([
        ['table', `${kernel.table}${kernel.owned ? ', which ends with the helper' : ''}`],
        ['TCP ports', kernel.mode === 'own' ? kernel.ports.join(' ') : 'by your own rules'],
        ['IPv4 addresses', String(v4)],
        ['IPv6 /64s', String(v6)],
        ['at most', String(most)],
        ...(kernel.mode === 'own'
          ? [
              ['dropped packets', String(kernel.packets)],
              ['dropped bytes', formatBytes(kernel.bytes)],
            ]
          : []),
        ['never dropped', `${refused} times asked for`],
        ['no room', `${kernel.full} times`],
        ['made again', `${kernel.remade} times`],
      ]).trimEnd(),
    )
  }
  if (status.ignored > 0) lines.push(`${status.ignored} were left to Digue since the start.`)
  return `${lines.join('\n')}\n`
}
