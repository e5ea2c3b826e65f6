/**
 * How long proving work takes, without doing it.
 *
 * A part is found after a geometric number of hashes, so with the many thousands of the real difficulty
 * its time is exponential, and that of n parts is their sum: Erlang(n). The generators wait that long at the
 * device's rate and then really solve the parts at the reduced difficulty that the bench's Digue runs
 * with: the server checks real proofs, and one core of load can play sixty-four cores of solvers.
 */
import type { DeviceName } from './plan.ts'
import { exponential, type Random } from './random.ts'

/** Mean milliseconds of one part on one thread; undefined where no script runs. */
export const MS_PER_PART: Readonly<Record<DeviceName, number | undefined>> = {
  desktop: 15,
  // A tenth of the hash rate.
  phone: 150,
  'no-script': undefined,
}

/**
 * The same of one core that runs the fastest native code there is, with AVX-512 (docs/decisions/puzzle.md:
 * 148 to 167 million hashes per second for 262,144 of a part). With AVX2, as on most servers that can be
 * rented, a core does a third of that.
 */
export const NATIVE_MS_PER_PART = 1.7

/** The one part of the static baseline (`peers/static-challenge.ts`), as a multiple of the above. */
export const STATIC_PART = 44 / 15
/** 65,536 hashes of SHA-256 at the 92 to 137 million per second of the same core. */
export const STATIC_NATIVE_MS = 0.57

/** Milliseconds that `parts` parts take one who needs `msPerPart` for one in the mean. */
export function effortMs(random: Random, parts: number, msPerPart: number): number {
  let sum = 0
  for (let i = 0; i < parts; i++) sum += exponential(random, 1 / msPerPart)
  return sum
}
