/** Durations and sizes as people write them: "500ms", "10s", "5m", "24h", "7d"; "64kB", "5MB", "1GB". */

const DURATION_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const SIZE_BYTES: Record<string, number> = {
  B: 1,
  kB: 1000,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1 << 20,
  GiB: 1 << 30,
}

function parseQuantity(text: string, units: Record<string, number>): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,6})?) ?([A-Za-z]{1,3})$/.exec(text)
  const unit = match?.[2] === undefined ? undefined : units[match[2]]
  return unit === undefined ? undefined : Math.round(Number(match![1]) * unit)
}

/** Milliseconds, or undefined when `text` is not a duration with its unit. */
export function parseDuration(text: string): number | undefined {
  return parseQuantity(text, DURATION_MS)
}

/** Bytes, or undefined when `text` is not a size with its unit. */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, SIZE_BYTES)
}
