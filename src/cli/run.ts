/** `digue run`: from flags or a file to a serving process. */
import { resolve } from 'node:path'
import { type Config, type ReadResult, readConfigFile, readConfigValue } from '#config'
import { defaultStateFolder, faultList, usualConfig } from './locate.ts'
import { parseOldLog } from './old-log.ts'
import { CliError, EXIT, type Terminal } from './output.ts'
import { serve } from './serve.ts'

export interface RunFlags {
  readonly config?: string
  readonly origin?: readonly string[]
  readonly listen?: readonly string[]
  readonly port?: number
  readonly state?: string
  readonly baselineFrom?: readonly string[]
  readonly selfSigned?: boolean
  readonly observe?: boolean
}

export async function run(flags: RunFlags, terminal: Terminal): Promise<void> {
  const read = configReader(flags)
  const config = accept(read())
  await serve(config, {
    terminal,
    // What SIGHUP reads again; flags alone do not change.
    read,
    selfSigned: flags.selfSigned === true,
    ...(flags.baselineFrom === undefined ? {} : { baselineFrom: flags.baselineFrom.map(parseOldLog) }),
  })
}

function accept(result: ReadResult): Config {
  if (result.ok) return result.config
  throw new CliError(faultList(result.faults), EXIT.usage)
}

/** Reads the configuration anew each time it is called. */
export function configReader(flags: RunFlags): () => ReadResult {
  const usage = (message: string) => new CliError(message, EXIT.usage)
  const options = { selfSigned: flags.selfSigned === true }
  if (flags.origin !== undefined) {
    if (flags.config !== undefined) throw usage('expected either --config or --origin, got both')
    if (flags.listen !== undefined && flags.port !== undefined)
      throw usage('expected either --listen or --port, got both')
    const value = flagsValue(flags)
    return () => readConfigValue(value, options)
  }
  for (const name of ['listen', 'port', 'state'] as const) {
    if (flags[name] !== undefined)
      throw usage(`--${name} goes with --origin; with a configuration file, give it there`)
  }
  const file = flags.config ?? usualConfig()
  if (file === undefined)
    throw usage(
      'give --origin http://host:port, or --config digue.yaml (neither ./digue.yaml nor /etc/digue/digue.yaml is there)',
    )
  const path = resolve(file)
  return () => {
    const result = readConfigFile(path, options)
    return result.ok && flags.observe === true ? { ok: true, config: observing(result.config) } : result
  }
}

function flagsValue(flags: RunFlags): object {
  const port = flags.port ?? 8080
  const listen = flags.listen ?? [
    `:${port}`,
    ...(flags.selfSigned === true && port > 0 ? [`:${port + 1} tls`] : []),
  ]
  return {
    state: resolve(flags.state ?? defaultStateFolder()),
    listen,
    sites: [{ hosts: ['*'], origins: flags.origin, ...(flags.observe === true ? { mode: 'observe' } : {}) }],
  }
}

function observing(config: Config): Config {
  return { ...config, sites: config.sites.map((site) => ({ ...site, mode: 'observe' })) }
}
