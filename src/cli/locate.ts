/** Where a running Digue is found, and where one without a configuration file keeps its state. */
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Config, formatFault, readConfigFile } from '#config'
import { CliError, EXIT } from './output.ts'

export interface Whereabouts {
  readonly config?: string
  readonly state?: string
  readonly socket?: string
}

/** systemd's StateDirectory, else the user's own place for state. */
export function defaultStateFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const given = environment['STATE_DIRECTORY']?.split(':')[0]
  if (given !== undefined && given !== '') return given
  const base = environment['XDG_STATE_HOME']
  return join(base?.startsWith('/') ? base : join(homedir(), '.local', 'state'), 'digue')
}

const USUAL_CONFIGS = ['digue.yaml', '/etc/digue/digue.yaml']

/** The configuration file to use when none is named: ./digue.yaml, then /etc/digue/digue.yaml. */
export function usualConfig(): string | undefined {
  return USUAL_CONFIGS.find((file) => existsSync(file))
}

/** The command socket: as told, by the configuration, or where `run --origin` puts it. */
export function findSocket(where: Whereabouts): string {
  if (where.socket !== undefined) return resolve(where.socket)
  if (where.state !== undefined) return resolve(where.state, 'digue.sock')
  const file = where.config ?? usualConfig()
  if (file !== undefined) {
    const fallback = join(defaultStateFolder(), 'digue.sock')
    const result = readConfigFile(file, { selfSigned: true })
    if (result.ok)
      return where.config === undefined && !existsSync(result.config.admin.socket) && existsSync(fallback)
        ? fallback
        : result.config.admin.socket
    throw new CliError(
      `${file} has faults, so it does not tell where Digue runs; mend it or give --socket:\n${result.faults.map((fault) => `  ${formatFault(fault)}`).join('\n')}`,
      EXIT.usage,
    )
  }
  return join(defaultStateFolder(), 'digue.sock')
}

/** The configuration, or its faults as a CliError. */
export function loadConfig(file: string, options: { selfSigned: boolean }): Config {
  const result = readConfigFile(file, options)
  if (result.ok) return result.config
  throw new CliError(faultList(result.faults), EXIT.usage)
}

export function faultList(
  faults: Parameters<typeof formatFault>[0][] | readonly Parameters<typeof formatFault>[0][],
): string {
  const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`
  return `${count} in the configuration:\n${faults.map((fault) => `  ${formatFault(fault)}`).join('\n')}`
}
