/**
 * Of those of a network who asked to be let in of late, how many stood in line in vain.
 *
 * A running mean over some ten requests, which fades within seconds: what was in vain a while ago may be
 * worth trying again. 1,024 hashed networks; those that share a slot share its mean.
 */
import { hash32, randomHashKey } from '#kit'

const SLOTS = 1024
const WEIGHT = 0.1
const FADE_MS = 2000

export class VainWaits {
  readonly #key = randomHashKey()
  readonly #ratio = new Float32Array(SLOTS)
  readonly #atMs = new Float64Array(SLOTS)

  /** `inVain`: 1 for a wait in vain, 0 for one that was let in. */
  note(network: string, inVain: 0 | 1, nowMs: number): void {
    const slot = this.#slot(network)
    const ratio = this.#faded(slot, nowMs)
    this.#ratio[slot] = ratio + WEIGHT * (inVain - ratio)
    this.#atMs[slot] = nowMs
  }

  /** 0 to 1. */
  ratio(network: string, nowMs: number): number {
    return this.#faded(this.#slot(network), nowMs)
  }

  #faded(slot: number, nowMs: number): number {
    const ratio = this.#ratio[slot]!
    return ratio === 0 ? 0 : ratio * Math.exp((this.#atMs[slot]! - nowMs) / FADE_MS)
  }

  #slot(network: string): number {
    return hash32(network, this.#key) & (SLOTS - 1)
  }
}
