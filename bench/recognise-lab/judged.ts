/**
 * What Digue made of each request, read from its own log line by line and told apart by who sent it: the bench
 * knows the addresses, Digue does not.
 *
 * When a request came is told by when its line was written, less how long it took: late by up to the quarter second
 * between two reports of an edge, never early.
 */

/** Of one tenth of a second, of one kind of client. */
export interface Cell {
  /** Requests that got as far as having their handwriting looked at. */
  seen: number
  /** Those of them that fitted a signature. */
  marked: number
  /** Stopped before, as one who hammers on. */
  stopped: number
}

export interface Published {
  readonly id: string
  readonly reason: string
  /** Wall clock. */
  readonly atMs: number
}

interface Line {
  readonly time: string | number
  readonly msg?: string
  readonly code?: string
  readonly client?: string
  readonly reason?: string
  readonly durationMs?: number
  readonly target?: string
  readonly signature?: string
  readonly leftOut?: number
}

const STEP_MS = 100
/** Digue's own pages are answered before anybody's handwriting is looked at. */
const OWN_PATH = '/.well-known/digue/'

export class Judged {
  readonly #labels: ReadonlyMap<string, string>
  readonly #cells = new Map<string, Map<number, Cell>>()
  readonly published: Published[] = []
  /** Visitors' requests by the signature that they fitted. */
  readonly wrong = new Map<string, number>()
  /** Lines that Digue says it left out; anything above 0 makes the figures a sample. */
  leftOut = 0
  #rest = ''

  /** `labels`: what each address is. */
  constructor(labels: ReadonlyMap<string, string>) {
    this.#labels = labels
  }

  /** Some of Digue's output. */
  feed(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()!
    for (const line of lines) if (line.startsWith('{')) this.#line(line)
  }

  #line(text: string): void {
    let line: Line
    try {
      line = JSON.parse(text) as Line
    } catch {
      return
    }
    const timeMs = typeof line.time === 'number' ? line.time : Date.parse(line.time)
    if (line.code === 'signature' && line.signature)
      this.published.push({ id: line.signature, reason: line.msg ?? '', atMs: timeMs })
    if (line.leftOut) this.leftOut += line.leftOut
    if (line.msg !== 'request' || !line.client || line.target?.startsWith(OWN_PATH)) return
    const label = this.#labels.get(line.client) ?? 'unknown'
    const cell = this.#cell(label, Math.floor((timeMs - (line.durationMs ?? 0)) / STEP_MS))
    if (line.reason === 'hammering') {
      cell.stopped++
      return
    }
    cell.seen++
    if (!line.signature) return
    cell.marked++
    if (label !== 'attacker') this.wrong.set(line.signature, (this.wrong.get(line.signature) ?? 0) + 1)
  }

  #cell(label: string, step: number): Cell {
    let steps = this.#cells.get(label)
    if (steps === undefined) this.#cells.set(label, (steps = new Map()))
    let cell = steps.get(step)
    if (cell === undefined) steps.set(step, (cell = { seen: 0, marked: 0, stopped: 0 }))
    return cell
  }

  get labels(): string[] {
    return [...this.#cells.keys()]
  }

  /** Sum over [fromMs, untilMs), wall clock. */
  sum(label: string, fromMs: number, untilMs: number): Readonly<Cell> {
    const total: Cell = { seen: 0, marked: 0, stopped: 0 }
    const steps = this.#cells.get(label)
    for (let step = Math.floor(fromMs / STEP_MS); step * STEP_MS < untilMs; step++) {
      const cell = steps?.get(step)
      if (cell === undefined) continue
      total.seen += cell.seen
      total.marked += cell.marked
      total.stopped += cell.stopped
    }
    return total
  }

  /**
   * Seconds from `fromMs` until, of the label's requests of the last second, `share` fit a signature; undefined when that
   * does not come before `untilMs`. In the first second, of those since `fromMs`.
   */
  secondsUntil(label: string, fromMs: number, untilMs: number, share: number): number | undefined {
    for (let at = fromMs + STEP_MS; at <= untilMs; at += STEP_MS) {
      const { seen, marked } = this.sum(label, Math.max(fromMs, at - 1000), at)
      if (seen >= LEAST && marked >= share * seen) return (at - fromMs) / 1000
    }
    return undefined
  }
}

/** Of so few requests a share says nothing. */
const LEAST = 20
