/** What was added to running sums since they were last looked at, by name behind a prefix; those that stood still are left out. */
export class SumDeltas {
  readonly #prefix: string
  #before: Record<string, number> = {}

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  take(sums: Readonly<Record<string, number>>): Record<string, number> {
    const since: Record<string, number> = {}
    for (const [name, sum] of Object.entries(sums)) {
      const by = sum - (this.#before[name] ?? 0)
      if (by > 0) since[`${this.#prefix}${name}`] = by
    }
    this.#before = { ...sums }
    return since
  }
}
