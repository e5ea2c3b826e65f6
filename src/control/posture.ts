/**
 * How a site is doing, with hysteresis.
 *
 *   calm ──queue delay > 20 ms for two ticks──▶ strained ──a tenth shed for two ticks──▶ flooded
 *   strained, flooded ──queue delay < 5 ms──▶ recovering ──10 s of it──▶ calm
 *   recovering ──queue delay > 20 ms for two ticks──▶ strained
 *
 * A tick is 250 ms. Queue delay is CoDel's idea of overload: load that passes without a lasting queue
 * is not one, however many requests there are. A shed request counts as the longest wait.
 */
import type { Posture } from './policy.ts'

export interface TickFigures {
  /** Mean wait of what was decided in the tick. */
  readonly queueDelayMs: number
  /** Requests, and those of them shed for want of capacity. */
  readonly requests: number
  readonly shed: number
}

export const OVERLOAD_DELAY_MS = 20
/** The same when a flood is to be expected. */
const ARMED_DELAY_MS = 10
export const CALM_DELAY_MS = 5
const ONSET_TICKS = 2
const END_TICKS = 40
const FLOODED_SHED_SHARE = 0.1

export class PostureMachine {
  posture: Posture = 'calm'
  #over = 0
  #shedding = 0
  #below = 0

  /** Takes a tick's figures; true when the posture changed. `isArmed`: a flood is to be expected. */
  tick(figures: TickFigures, isArmed = false): boolean {
    const before = this.posture
    const most = isArmed ? ARMED_DELAY_MS : OVERLOAD_DELAY_MS
    this.#over = figures.queueDelayMs > most ? this.#over + 1 : 0
    this.#shedding = figures.shed > figures.requests * FLOODED_SHED_SHARE ? this.#shedding + 1 : 0
    this.#below = figures.queueDelayMs < CALM_DELAY_MS ? this.#below + 1 : 0
    switch (this.posture) {
      case 'calm':
        if (this.#over >= ONSET_TICKS) this.posture = this.#shedding >= ONSET_TICKS ? 'flooded' : 'strained'
        break
      case 'strained':
        if (this.#shedding >= ONSET_TICKS) this.posture = 'flooded'
        else if (this.#below >= ONSET_TICKS) this.posture = 'recovering'
        break
      case 'flooded':
        if (this.#below >= ONSET_TICKS) this.posture = 'recovering'
        break
      case 'recovering':
        if (this.#over >= ONSET_TICKS) this.posture = this.#shedding >= ONSET_TICKS ? 'flooded' : 'strained'
        else if (this.#below >= END_TICKS) this.posture = 'calm'
        break
      default:
        this.posture satisfies never
    }
    return this.posture !== before
  }
}
