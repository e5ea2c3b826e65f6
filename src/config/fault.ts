/** Something wrong in a configuration, said so that it can be mended without reading the source. */

export type Path = readonly (string | number)[]

export interface Fault {
  /** As in the file: `sites[2].origin`; '' for the whole file. */
  readonly path: string
  /** What is wrong: "expected …, got …". */
  readonly message: string
  /** '' when the value did not come from a file. */
  readonly file: string
  /** From 1; 0 when unknown. */
  readonly line: number
}

/** A configuration that may not start. `faults` has every one that was found. */
export class ConfigError extends Error {
  readonly code = 'DIGUE_CONFIG'
  readonly faults: readonly Fault[]

  constructor(faults: readonly Fault[]) {
    super(
      `${faults.length === 1 ? '1 fault' : `${faults.length} faults`} in the configuration\n${faults.map(formatFault).join('\n')}`,
    )
    this.faults = faults
  }
}

export function formatFault(fault: Fault): string {
  const where =
    fault.file === '' ? '' : fault.line === 0 ? ` (${fault.file})` : ` (${fault.file} line ${fault.line})`
  return `${fault.path === '' ? '' : `${fault.path}: `}${fault.message}${where}`
}

export function formatPath(path: Path): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else text += text === '' ? step : `.${step}`
  }
  return text
}

/** A value as a fault shows it: short, in one line, without control characters. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object' && value !== null) return 'a mapping'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}
