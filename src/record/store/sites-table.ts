/** Names of sites and their numbers: the table sites. */
import { int, type Statements } from './statements.ts'

export class SiteNumbers {
  readonly #db: Statements
  readonly #numbers = new Map<string, number>()

  constructor(db: Statements) {
    this.#db = db
  }

  /** The number of a site, made when it is new. Bounded by the configuration: no others are recorded. */
  of(name: string): number {
    let number = this.#numbers.get(name)
    if (number === undefined) {
      this.#db.run('INSERT INTO sites (name) VALUES (?) ON CONFLICT DO NOTHING', name)
      number = int(this.#db.get('SELECT id FROM sites WHERE name = ?', name)?.['id'])
      this.#numbers.set(name, number)
    }
    return number
  }

  /** What was inserted in a transaction that failed has no number. */
  forget(): void {
    this.#numbers.clear()
  }
}
