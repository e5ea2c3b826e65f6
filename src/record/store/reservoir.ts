/**
 * A bounded random sample of a stream whose items weigh differently.
 *
 * A-Res (Efraimidis, Spirakis 2006): each item draws u^(1/weight), the highest draws stay. Unlike the
 * plain reservoir it takes weights, which we need because in a flood each record stands for many
 * requests, and any first k of it by draw are themselves such a sample: older samples are thinned by
 * keeping the first few, without bias.
 */
export interface Drawn<T> {
  readonly draw: number
  readonly item: T
}

export class Reservoir<T> {
  readonly #room: number
  readonly #random: () => number
  #drawn: Drawn<T>[] = []

  constructor(room: number, random: () => number) {
    this.#room = room
    this.#random = random
  }

  /** A draw for an item of this weight. */
  draw(weight: number): number {
    return this.#random() ** (1 / Math.max(1, weight))
  }

  /** Whether an item with this draw would stay: asked before it is made. */
  wouldKeep(draw: number): boolean {
    return this.#drawn.length < this.#room || draw > this.#drawn.at(-1)!.draw
  }

  put(draw: number, item: T): void {
    if (!this.wouldKeep(draw)) return
    let at = this.#drawn.length
    while (at > 0 && this.#drawn[at - 1]!.draw < draw) at--
    this.#drawn.splice(at, 0, { draw, item })
    if (this.#drawn.length > this.#room) this.#drawn.pop()
  }

  /** Highest draw first. */
  get drawn(): readonly Drawn<T>[] {
    return this.#drawn
  }
}
