/**
 * The baseline for solver farms: a challenge of static difficulty before everything, as Anubis is one.
 *
 *   no pass      a page whose script solves one part; price and difficulty never change
 *   a proof      a signed cookie, good for a week, on every page, from every address
 *   a pass       straight to the origin, whose own queue does the rest
 *
 * The difficulty that is played is 16 leading zero bits of SHA-256: 65,536 hashes. That is 44 ms at
 * the 1.5 million hashes per second of a library in a browser and 0.57 ms on one core with AVX-512
 * (docs/decisions/puzzle.md). As before Digue, generators wait that long and then solve a small puzzle of the bench; the
 * page, the proof and its answers have the shape of Digue's, so that visitors and farms meet the same
 * thing. It runs in a process of its own on Digue's core (`static-challenge-main.ts`).
 */
import { join } from 'node:path'
import { Child, listening } from '../lib/processes.ts'
import type { Peer } from './peer.ts'

export const staticChallenge: Peer = {
  name: 'static-challenge',
  variants: [{ label: '', settings: {} }],
  needs: {},
  async start(place) {
    const main = join(import.meta.dirname, 'static-challenge-main.ts')
    const child = new Child(
      'static-challenge',
      [process.execPath, '-C', 'source', main, String(place.port), String(place.originPort)],
      { core: place.core },
    )
    await listening(child, place.port)
    return { port: place.port, tlsPort: 0, pids: () => child.pids(), stop: () => child.stop() }
  },
}
