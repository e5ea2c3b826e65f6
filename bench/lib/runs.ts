/** Where raw results go: bench/runs/<date>-<machine>/, the machine named by its kind, never by its name. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'

export function machineKind(): string {
  let virtual = false
  try {
    virtual = /^flags\s*:.*\bhypervisor\b/m.test(readFileSync('/proc/cpuinfo', 'latin1'))
  } catch {}
  return `${cpus().length}-core-${virtual ? 'vm' : 'machine'}`
}

export function machine(): Record<string, string | number> {
  return {
    kind: machineKind(),
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? '',
    memoryBytes: totalmem(),
    system: process.platform,
    node: process.version,
  }
}

/** Writes one result file and returns its path. */
export function keep(name: string, results: unknown): string {
  const folder = join(
    import.meta.dirname,
    '../runs',
    `${new Date().toISOString().slice(0, 10)}-${machineKind()}`,
  )
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${name}.json`)
  writeFileSync(
    file,
    `${JSON.stringify({ at: new Date().toISOString(), machine: machine(), ...(results as object) }, undefined, 1)}\n`,
  )
  return file
}
