/** Options of a bench: `--name value` and `--flag`, with `--help` made from the same table. */
import { parseArgs } from 'node:util'
import { BenchError } from './processes.ts'

export interface Option {
  readonly help: string
  /** Absent for flags. */
  readonly value?: string
  readonly many?: boolean
}

export interface Parsed {
  flag(name: string): boolean
  text(name: string): string | undefined
  list(name: string): string[]
  number(name: string, fallback: number): number
}

export function options(usage: string, table: Readonly<Record<string, Option>>): Parsed {
  const all: Record<string, Option> = { ...table, help: { help: 'Show this.' } }
  const spec = Object.fromEntries(
    Object.entries(all).map(([name, o]) => [
      name,
      { type: o.value ? ('string' as const) : ('boolean' as const), multiple: o.many ?? false },
    ]),
  )
  let values: Record<string, unknown>
  try {
    values = parseArgs({ options: spec }).values
  } catch (error) {
    throw new BenchError('BENCH_OPTION', `${(error as Error).message}\nTry --help.`)
  }
  if (values['help']) {
    const lines = Object.entries(all).map(
      ([name, o]) => `  --${`${name}${o.value ? ` ${o.value}` : ''}`.padEnd(24)} ${o.help}`,
    )
    process.stdout.write(`${usage.trim()}\n\nOptions\n${lines.join('\n')}\n`)
    process.exit(0)
  }
  return {
    flag: (name) => values[name] === true,
    text: (name) => values[name] as string | undefined,
    list: (name) => ((values[name] as string[] | undefined) ?? []).flatMap((item) => item.split(',')),
    number: (name, fallback) => {
      const text = values[name] as string | undefined
      if (text === undefined) return fallback
      const value = Number(text)
      if (!(value > 0))
        throw new BenchError('BENCH_OPTION', `--${name}: expected a number above 0, got "${text}"`)
      return value
    },
  }
}

/** Runs a bench; a fault is told in one line, and its exit code says so. */
export async function main(bench: () => Promise<void>): Promise<void> {
  try {
    await bench()
    process.exit(0)
  } catch (error) {
    process.stderr.write(
      `\n${error instanceof BenchError ? error.message : ((error as Error).stack ?? String(error))}\n`,
    )
    process.exit(1)
  }
}
