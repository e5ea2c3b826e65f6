/** A list as `digue lists` and `digue doctor` are told of it. */
import type { ListStatus } from '#lists'

export const NOW_MS = Date.UTC(2026, 10, 24, 12)

export const status = (more: Partial<ListStatus> = {}): ListStatus => ({
  name: 'drop',
  source: 'url',
  from: 'https://lists.example.org/drop.txt',
  effect: 'refuse',
  standing: 'acting',
  networks: 1234,
  updatedAtMs: NOW_MS - 1_800_000,
  checkedAtMs: NOW_MS,
  nextAtMs: NOW_MS + 60_000,
  fault: '',
  wrong: 0,
  examples: [],
  local: 0,
  wide: 0,
  leftOut: 0,
  ignored: 0,
  share: 0.002,
  clients: 900,
  isReleased: false,
  waiting: undefined,
  hitsPerMinute: 12,
  isRefreshing: false,
  ...more,
})
