/**
 * A bounded capacity in virtual time: k servers, each busy until some moment.
 *
 * A job that arrives takes the server that is free first; it starts at max(now, free) and that server
 * is busy until start + cost. Because the schedule is computed and not slept, timers that slip (the
 * origin shares a core with the load) delay answers by a millisecond but never change the capacity.
 * At most `room` jobs wait; the next is turned away at once, as a full listen queue does. A client
 * that leaves does not free its server: a real origin finds out only when it writes.
 */
export interface Job {
  readonly doneAtMs: number
  readonly costMs: number
}

export class Capacity {
  readonly servers: number
  readonly #freeAtMs: number[]
  readonly #room: number
  /** Start times of the jobs waiting, oldest first. */
  #starts: number[] = []
  #head = 0
  /** Multiplies every cost: 3 makes the origin three times slower. */
  factor = 1

  constructor(servers: number, room: number) {
    this.servers = servers
    this.#freeAtMs = new Array<number>(servers).fill(0)
    this.#room = room
  }

  waiting(nowMs: number): number {
    while (this.#head < this.#starts.length && this.#starts[this.#head]! <= nowMs) this.#head++
    if (this.#head > 1024) {
      this.#starts = this.#starts.slice(this.#head)
      this.#head = 0
    }
    return this.#starts.length - this.#head
  }

  /** When the job will be done, or undefined when the queue is full. */
  take(costMs: number, nowMs: number): Job | undefined {
    if (this.waiting(nowMs) >= this.#room) return undefined
    let first = 0
    for (let i = 1; i < this.#freeAtMs.length; i++) if (this.#freeAtMs[i]! < this.#freeAtMs[first]!) first = i
    const startMs = Math.max(nowMs, this.#freeAtMs[first]!)
    const cost = costMs * this.factor
    this.#freeAtMs[first] = startMs + cost
    if (startMs > nowMs) this.#starts.push(startMs)
    return { doneAtMs: startMs + cost, costMs: cost }
  }
}
