/**
 * What runs when the bundle is loaded, in the page or in a worker: one text serves both, so that the
 * kernels are in the page once. `scripts/build-solver.ts` wraps it into `(function digueSource() {…})()`,
 * and that function's own text is what workers are made of.
 *
 * `self`, because browsers of 2018 have no `globalThis`.
 */
import type { Browser } from './browser.ts'
import { newSeed, type SolveOptions, type Solving, solve } from './solve.ts'
import { runWorker, type WorkerScope } from './worker.ts'

/** The page's one global; docs in `solver-bundle.ts`. */
export interface DigueSolve {
  (options: SolveOptions): Solving
  /** A new seed: 16 random bytes in base64url. */
  seed(): string
}

declare const digueSource: () => void
declare const self: Partial<Browser> & WorkerScope & { digueSolve?: DigueSolve }

if (self.document) {
  const browser = self as Browser
  const clock = { nowMs: Date.now, later: setTimeout }
  self.digueSolve = Object.assign(
    (options: SolveOptions) => solve(browser, clock, `(${digueSource})()`, options),
    { seed: () => newSeed(browser) },
  )
} else runWorker(self)
