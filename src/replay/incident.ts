/** One time in which a site got more than it can do: from onset to end, with all that is counted of it. */
import type { Posture } from '#control'
import type { Signature } from '#recognise'
import { ClientSample } from './client-sample.ts'
import { Shape } from './shape.ts'
import { Timeline } from './timeline.ts'

/** Pauses shorter than this do not end an incident: floods come in waves. */
export const PAUSE_S = 600
/** Seconds without too much that end a wave. */
export const WAVE_GAP_S = 10
/** Seconds that still belong to a wave after the last one that was too much. */
export const TAIL_S = 2
const MOST_WAVES = 256
const MOST_SIGNATURES = 64

interface Wave {
  readonly fromS: number
  /** The last second that was too much. */
  toS: number
}

/** A signature that was in force, and how much it covered while it was. */
export interface ReplayedSignature {
  signature: Signature
  readonly firstS: number
  /** Of those sampled. */
  requests: number
}

export class Incident {
  /** Seconds since the epoch. */
  readonly onsetS: number
  /** Seconds by which the beginning may lie earlier: the window saw no farther back. */
  readonly precisionS: number
  /** When enough seconds had been too much to be sure. */
  readonly detectedS: number
  strainedS: number | undefined
  floodedS: number | undefined
  /** Requests per second of the fullest second. */
  peak = 0
  peakS = 0
  /** Requests when it began: of the last calm seconds, by second. */
  readonly before: number
  readonly shape = new Shape({ withAddresses: true })
  readonly clients = new ClientSample()
  readonly timeline: Timeline
  readonly statuses = new Map<number, number>()
  readonly signatures = new Map<string, ReplayedSignature>()
  /** Of the requests looked at one by one; `known`: of clients that were here in calm weather. */
  readonly sampled = { requests: 0, known: 0, whileSigned: 0, signed: 0, knownWhileSigned: 0, knownSigned: 0 }
  /** Requests for pages that might have been stored. */
  forStorable = 0
  /** Requests of each of its first ten minutes' seconds. */
  readonly firstSeconds: number[] = []
  readonly #waves: Wave[] = []
  wavesLeftOut = 0
  signaturesLeftOut = 0

  constructor(start: {
    readonly onsetS: number
    readonly detectedS: number
    readonly precisionS: number
    readonly before: number
  }) {
    this.onsetS = start.onsetS
    this.detectedS = start.detectedS
    this.precisionS = start.precisionS
    this.before = start.before
    this.timeline = new Timeline()
    this.#waves.push({ fromS: start.onsetS, toS: start.detectedS })
  }

  get waves(): number {
    return this.#waves.length + this.wavesLeftOut
  }

  get waveFromS(): number {
    return this.#waves.at(-1)!.fromS
  }

  get lastS(): number {
    return this.#waves.at(-1)!.toS
  }

  /** Seconds of all waves. */
  get seconds(): number {
    return this.#waves.reduce((sum, { fromS, toS }) => sum + toS - fromS + 1, 0)
  }

  /** A second that is too much; a new wave when the last one is over. */
  extend(second: number, fromS: number): void {
    const wave = this.#waves.at(-1)!
    if (second <= wave.toS + WAVE_GAP_S) {
      if (second > wave.toS) wave.toS = second
    } else if (this.#waves.length < MOST_WAVES) this.#waves.push({ fromS, toS: second })
    else {
      this.wavesLeftOut++
      wave.toS = second
    }
  }

  /** Whether a second belongs to a wave. */
  covers(second: number): boolean {
    for (let i = this.#waves.length - 1; i >= 0; i--) {
      const { fromS, toS } = this.#waves[i]!
      if (second >= fromS) return second <= toS + TAIL_S
    }
    return false
  }

  sign(signature: Signature, second: number): void {
    const known = this.signatures.get(signature.id)
    if (known !== undefined) known.signature = signature
    else if (this.signatures.size < MOST_SIGNATURES)
      this.signatures.set(signature.id, { signature, firstS: second, requests: 0 })
    else this.signaturesLeftOut++
  }

  postured(posture: Posture, second: number): void {
    if (posture === 'strained') this.strainedS ??= second
    else if (posture === 'flooded') {
      this.strainedS ??= second
      this.floodedS ??= second
    }
  }
}
