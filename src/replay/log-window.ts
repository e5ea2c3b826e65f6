/**
 * The last seconds of a log, so that lines a server wrote late still come in the order of time.
 *
 *     … accounted ┃ held: its seconds are judged already ┃ open: lines may still come in ┃ newest
 *                 ┗━━━━━━━━━━━━ HELD_S ━━━━━━━━━━━━━━━━━━╋━━━━━━━━━━ LATE_S ━━━━━━━━━━━━━┛
 *
 * A request is logged when it ends, often with the time at which it began; several servers differ by a little. So a
 * second is judged when LATE_S have passed, and its requests are accounted HELD_S later still: by then it is known
 * whether an incident had begun with it. Requests are columns of a fixed number of rows; a flood with more of
 * them than rows shortens the window, and that is counted.
 */
import { assert } from '#kit'
import {
  type LogAgent,
  type LogClient,
  type LogReferrer,
  type LogTarget,
  NO_AGENT,
  NO_CLIENT,
  NO_REFERRER,
  NO_TARGET,
} from './log-words.ts'

export const LATE_S = 10
export const HELD_S = 12
/** A power of two above LATE_S + HELD_S. */
export const RING_S = 32

/** 130,000 requests in the 22 s: their clients and targets may all be different, some 800 bytes each. */
const ROWS = 2 ** 17

export class LogWindow<Site> {
  readonly rows: number
  readonly atMs: Float64Array
  readonly durationMs: Float32Array
  readonly bytes: Float64Array
  readonly status: Int16Array
  readonly method: Uint8Array
  /** 0: not known, 1: none, 2: some. */
  readonly cookies: Uint8Array
  readonly site: Site[]
  readonly client: LogClient[]
  readonly target: LogTarget[]
  readonly agent: LogAgent[]
  readonly referrer: LogReferrer[]
  readonly #next: Int32Array
  readonly #heads = new Int32Array(RING_S).fill(-1)
  readonly #tails = new Int32Array(RING_S).fill(-1)
  #free = 0

  constructor(rows = ROWS) {
    this.rows = rows
    this.atMs = new Float64Array(rows)
    this.durationMs = new Float32Array(rows)
    this.bytes = new Float64Array(rows)
    this.status = new Int16Array(rows)
    this.method = new Uint8Array(rows)
    this.cookies = new Uint8Array(rows)
    this.site = new Array<Site>(rows)
    this.client = new Array<LogClient>(rows).fill(NO_CLIENT)
    this.target = new Array<LogTarget>(rows).fill(NO_TARGET)
    this.agent = new Array<LogAgent>(rows).fill(NO_AGENT)
    this.referrer = new Array<LogReferrer>(rows).fill(NO_REFERRER)
    this.#next = new Int32Array(rows)
    for (let i = 0; i < rows; i++) this.#next[i] = i + 1 < rows ? i + 1 : -1
  }

  get isFull(): boolean {
    return this.#free === -1
  }

  /** A row to fill in; it is in nobody's list until `put`. */
  take(): number {
    const row = this.#free
    assert(row !== -1, 'a row of a full window was taken')
    this.#free = this.#next[row]!
    this.#next[row] = -1
    return row
  }

  /** Appends a row to a second. */
  put(row: number, second: number): void {
    const slot = second & (RING_S - 1)
    const tail = this.#tails[slot]!
    if (tail === -1) this.#heads[slot] = row
    else this.#next[tail] = row
    this.#tails[slot] = row
  }

  /** First row of a second, -1 when it has none. */
  first(second: number): number {
    return this.#heads[second & (RING_S - 1)]!
  }

  /** The row after one, -1 after the last. */
  after(row: number): number {
    return this.#next[row]!
  }

  /** Gives the rows of a second back. */
  clear(second: number): void {
    const slot = second & (RING_S - 1)
    if (this.#heads[slot] === -1) return
    // What is not needed any more must not be kept alive by a row that nobody takes for long.
    for (let row = this.#heads[slot]!; row !== -1; row = this.#next[row]!) {
      this.client[row] = NO_CLIENT
      this.target[row] = NO_TARGET
      this.agent[row] = NO_AGENT
      this.referrer[row] = NO_REFERRER
    }
    this.#next[this.#tails[slot]!] = this.#free
    this.#free = this.#heads[slot]!
    this.#heads[slot] = this.#tails[slot] = -1
  }

  /** Gives one row back that was not put anywhere. */
  release(row: number): void {
    this.#next[row] = this.#free
    this.#free = row
  }
}
