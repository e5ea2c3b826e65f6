/** How commands end and what they print. */

/** Exit codes, the same for every command. */
export const EXIT = {
  ok: 0,
  /** It was understood and did not work. */
  failed: 1,
  /** The command line or the configuration is wrong. */
  usage: 2,
  /** No Digue runs where it was looked for. */
  notRunning: 3,
} as const

/** Ends the command with its message on stderr and `exit` as exit code. */
export class CliError extends Error {
  readonly code = 'DIGUE_CLI'
  readonly exit: number

  constructor(message: string, exit: number = EXIT.failed, options?: ErrorOptions) {
    super(message, options)
    this.exit = exit
  }
}

/** Where commands print: tests give their own. */
export interface Terminal {
  out(text: string): void
  error(text: string): void
}

export const processTerminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  error: (text) => void process.stderr.write(text),
}

/** Names and notes come from outside: nothing in them may steer the terminal. */
export function plain(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '�')
}

/** Columns aligned to the left; figures (a cell that begins with a digit) to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows)
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  return rows
    .map((row) =>
      row
        .map((cell, i) => (/^[\d–]/.test(cell) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
    .concat('\n')
}

/** How a finding is marked. `unknown`: it could not be looked at from here. */
export const MARKS = { good: 'ok  ', warn: 'WARN', bad: 'BAD ', unknown: '?   ' } as const

export function formatBytes(bytes: number): string {
  let size = bytes
  for (const unit of ['B', 'kB', 'MB']) {
    if (size < 1000) return `${size < 10 && unit !== 'B' ? size.toFixed(1) : Math.round(size)} ${unit}`
    size /= 1000
  }
  return `${size.toFixed(1)} GB`
}

export function formatShare(ratio: number): string {
  return `${ratio > 0 && ratio < 0.1 ? (100 * ratio).toFixed(1) : Math.round(100 * ratio)} %`
}

/** Per second, or whatever the text behind it says. */
export function formatRate(rate: number): string {
  return rate >= 10 || rate === 0 ? String(Math.round(rate)) : rate.toFixed(1)
}

export function formatSpan(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000))
  if (s < 120) return `${s} s`
  if (s < 7200) return `${Math.round(s / 60)} min`
  if (s < 172_800) return `${Math.round(s / 3600)} h`
  return `${Math.round(s / 86_400)} d`
}
