/** A site's calm-weather route costs over restarts and dead threads: the edges learn, this remembers. */
import type { RouteCostRows } from '#admission'
import { BoundedMap } from '#kit'

const MAX_ROUTES = 256
/** Longer than any route class is. */
const MAX_ROUTE_LENGTH = 512

export class KeptRoutes {
  readonly #routes = new BoundedMap<string, readonly [costMs: number, firstByteMs: number]>(MAX_ROUTES)

  /** Each thread learns by itself: a row moves what is kept half way. */
  take(rows: RouteCostRows): void {
    for (const [route, costMs, firstByteMs] of rows) {
      const kept = this.#routes.get(route) ?? [costMs, firstByteMs]
      this.#routes.set(route, [(kept[0] + costMs) / 2, (kept[1] + firstByteMs) / 2])
    }
  }

  rows(): RouteCostRows {
    return Array.from(this.#routes.entries(), ([route, [costMs, firstByteMs]]) => [
      route,
      Number(costMs.toPrecision(4)),
      Number(firstByteMs.toPrecision(4)),
    ])
  }

  /** What was kept in `state`; rows that are none are left out. */
  restore(state: unknown): void {
    if (Array.isArray(state)) this.take(state.filter(isRow))
  }
}

function isRow(row: unknown): row is RouteCostRows[number] {
  if (!Array.isArray(row)) return false
  const [route, ...times] = row as unknown[]
  const isTime = (ms: unknown) => typeof ms === 'number' && Number.isFinite(ms) && ms >= 0
  return (
    typeof route === 'string' && route.length <= MAX_ROUTE_LENGTH && times.length === 2 && times.every(isTime)
  )
}
