/** Plain tables for terminals; the first column reads left, figures right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], left = 1): string {
  const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((row) => (row[i] ?? '').length)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i < left ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd()
  return [line(head), widths.map((w) => '─'.repeat(w)).join('  '), ...rows.map(line)].join('\n')
}

export const percent = (share: number, digits = 1) =>
  Number.isNaN(share) ? '–' : `${(100 * share).toFixed(digits)} %`
export const ms = (value: number) =>
  Number.isNaN(value) ? '–' : value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`
export const megabytes = (bytes: number) => (bytes === 0 ? '–' : `${Math.round(bytes / 1e6)} MB`)
export const thousands = (n: number) =>
  Math.round(n)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',')
