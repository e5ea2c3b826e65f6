/**
 * Real proofs at the reduced difficulty that the bench's Digue runs with: the one place of the bench
 * that knows the puzzle. A part costs a few microseconds, so that visitors and solver farms fit on
 * one core with everything else; how long it would take in life is `effort.ts`.
 */
import { solve } from '#challenge'
import type { Offer } from './offer.ts'
import { below, type Random } from './random.ts'

/** `challenge.bits` of the bench's Digue: 16 hashes per part in the mean. */
export const BENCH_BITS = 4
/** Nobody solves the real thing here: a wrongly set up server shows at once, not as a slow generator. */
const MOST_BITS = 10

/** Parts that a proof may have. */
export const MOST_PARTS = 256
export const CHALLENGE_TARGET = '/.well-known/digue/challenge'
const PROOF_TARGET = '/.well-known/digue/proof'

export class RealDifficultyError extends Error {
  readonly code = 'BENCH_REAL_DIFFICULTY'
}

/** A proof that can grow: parts solved under one seed. */
export class Proof {
  readonly challenge: string
  readonly #bits: number
  readonly #seed: Buffer
  readonly #mac: Buffer
  #nonces: Buffer = Buffer.alloc(0)

  constructor(offer: Offer, random: Random) {
    if (offer.bits > MOST_BITS) {
      throw new RealDifficultyError(
        `the server asks for parts of ${offer.bits} bits; start it with challenge.bits ${BENCH_BITS}`,
      )
    }
    this.challenge = offer.challenge
    this.#bits = offer.bits
    this.#seed = randomSeed(random)
    this.#mac = Buffer.from(offer.challenge.slice(offer.challenge.lastIndexOf('.') + 1), 'base64url')
  }

  get parts(): number {
    return this.#nonces.length / 4
  }

  solve(parts: number): void {
    const more = solve({
      mac: this.#mac,
      seed: this.#seed,
      from: this.parts,
      until: parts,
      bits: this.#bits,
    })
    this.#nonces = Buffer.concat([this.#nonces, more])
  }

  target(): string {
    return proofTarget(this.challenge, this.#seed, this.#nonces)
  }
}

/** A proof of nothing: random nonces, which cost their sender nothing. */
export function junkTarget(challenge: string, parts: number, random: Random): string {
  const nonces = Buffer.alloc(4 * parts)
  for (let at = 0; at < nonces.length; at += 4) nonces.writeUInt32BE(below(random, 2 ** 32), at)
  return proofTarget(challenge, randomSeed(random), nonces)
}

/** A challenge like a real one, with a MAC that nobody made. */
export function forgedChallenge(like: string, random: Random): string {
  return `${like.slice(0, like.lastIndexOf('.') + 1)}${randomSeed(random).toString('base64url')}`
}

function proofTarget(challenge: string, seed: Buffer, nonces: Buffer): string {
  return `${PROOF_TARGET}?challenge=${encodeURIComponent(challenge)}&seed=${seed.toString('base64url')}&nonces=${nonces.toString('base64url')}`
}

function randomSeed(random: Random): Buffer {
  const seed = Buffer.alloc(16)
  for (let at = 0; at < 16; at += 4) seed.writeUInt32BE(below(random, 2 ** 32), at)
  return seed
}
