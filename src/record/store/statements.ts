/** Prepared statements of one connection, each prepared once. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'

export type Row = Readonly<Record<string, unknown>>

export class Statements {
  readonly db: DatabaseSync
  readonly #prepared = new Map<string, StatementSync>()

  constructor(db: DatabaseSync) {
    this.db = db
  }

  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...values).changes)
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#prepare(sql).get(...values)
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepare(sql).all(...values)
  }

  iterate(sql: string, ...values: SQLInputValue[]): IterableIterator<Row> {
    return this.#prepare(sql).iterate(...values)
  }

  /** The first column of the first row as a number; 0 for none and for NULL. */
  number(sql: string, ...values: SQLInputValue[]): number {
    return Number(Object.values(this.get(sql, ...values) ?? {})[0] ?? 0)
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#prepared.get(sql)
    if (statement === undefined) this.#prepared.set(sql, (statement = this.db.prepare(sql)))
    return statement
  }
}

export const text = (value: unknown): string => (typeof value === 'string' ? value : '')
export const int = (value: unknown): number => Number(value ?? 0)
/** A JSON list of numbers; an empty one for what is none, so that one damaged row does not stop all that come after. */
export function numbers(value: unknown): number[] {
  try {
    const list: unknown = JSON.parse(text(value))
    return Array.isArray(list) ? list.map(Number) : []
  } catch {
    return []
  }
}
/** SQLite keeps what is not a number as NULL, and the columns do not allow it. */
export const whole = (value: number): number => (Number.isFinite(value) ? Math.round(value) : 0)
