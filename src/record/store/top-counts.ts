/**
 * Sums by name, of which the heaviest are kept and the rest is one sum: a bounded table.
 *
 * When it is full the lighter half goes into the rest, so that a stranger who invents names early
 * cannot keep a heavy one out that comes later (as lossy counting does: Manku, Motwani 2002). A name's
 * sum may then lack what it had before it was put away, at most the heaviest that was.
 */
export interface Sums {
  count: number
  originMs: number
  bytes: number
}

export type SumsRow = readonly [name: string, count: number, originMs: number, bytes: number]

const ROOM = 8192
const LONGEST_NAME = 256

export class TopCounts {
  readonly #room: number
  readonly #names = new Map<string, Sums>()
  readonly rest: Sums = { count: 0, originMs: 0, bytes: 0 }

  constructor(room = ROOM) {
    this.#room = room
  }

  get size(): number {
    return this.#names.size
  }

  /** The name '' is the rest. */
  add(name: string, count: number, originMs: number, bytes: number): void {
    const sums = name === '' ? this.rest : this.#sumsOf(name.slice(0, LONGEST_NAME))
    sums.count += count
    sums.originMs += originMs
    sums.bytes += bytes
  }

  merge(rows: readonly SumsRow[]): void {
    for (const [name, count, originMs, bytes] of rows) this.add(name, count, originMs, bytes)
  }

  /** The heaviest by count, at most `most`, and the sum of all others under '' when there are any. */
  rows(most = this.#room): SumsRow[] {
    const byCount = [...this.#names].sort(([a, x], [b, y]) => y.count - x.count || (a < b ? -1 : 1))
    const rest = { ...this.rest }
    for (const [, sums] of byCount.slice(most)) addTo(rest, sums)
    const rows = byCount.slice(0, most).map(([name, sums]) => rowOf(name, sums))
    if (rest.count > 0) rows.push(rowOf('', rest))
    return rows
  }

  #sumsOf(name: string): Sums {
    let sums = this.#names.get(name)
    if (sums === undefined) {
      if (this.#names.size >= this.#room) this.#putAway()
      sums = { count: 0, originMs: 0, bytes: 0 }
      this.#names.set(name, sums)
    }
    return sums
  }

  #putAway(): void {
    const byCount = [...this.#names].sort(([, a], [, b]) => b.count - a.count)
    for (const [name, sums] of byCount.slice(this.#room >> 1)) {
      addTo(this.rest, sums)
      this.#names.delete(name)
    }
  }
}

function addTo(sum: Sums, sums: Sums): void {
  sum.count += sums.count
  sum.originMs += sums.originMs
  sum.bytes += sums.bytes
}

const rowOf = (name: string, { count, originMs, bytes }: Sums): SumsRow => [name, count, originMs, bytes]
