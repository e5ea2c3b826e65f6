/** A rate over time in at most 240 steps: whenever there are more, two become one. */
const MOST = 240

export interface TimelineSteps {
  readonly fromMs: number
  readonly stepS: number
  /** Requests in each step. */
  readonly counts: readonly number[]
}

export class Timeline {
  #stepS: number
  #from = Number.NaN
  #counts: number[] = []

  constructor(stepS = 1) {
    this.#stepS = stepS
  }

  add(second: number, count: number): void {
    if (Number.isNaN(this.#from)) this.#from = second - (second % this.#stepS)
    // What comes late goes to where the picture begins.
    let at = Math.max(0, Math.floor((second - this.#from) / this.#stepS))
    while (at >= MOST) {
      this.#stepS *= 2
      const halved = new Array<number>(Math.ceil(this.#counts.length / 2)).fill(0)
      for (const [i, n] of this.#counts.entries()) halved[i >> 1]! += n
      this.#counts = halved
      at = Math.floor((second - this.#from) / this.#stepS)
    }
    while (this.#counts.length <= at) this.#counts.push(0)
    this.#counts[at]! += count
  }

  get steps(): TimelineSteps {
    return {
      fromMs: Number.isNaN(this.#from) ? 0 : this.#from * 1000,
      stepS: this.#stepS,
      counts: this.#counts,
    }
  }
}
