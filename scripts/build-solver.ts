/**
 * Makes src/challenge/solver-bundle.ts from src/challenge/solver/: the script that pages carry, bundled and
 * minified. The result is committed, so that whoever runs or installs Digue needs no bundler; a
 * test holds that it is what this makes.
 *
 *     node -C source scripts/build-solver.ts [--check]
 */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { build } from 'esbuild'

const root = path.join(import.meta.dirname, '..')
const BUNDLE = path.join(root, 'src/challenge/solver-bundle.ts')

/** What the page's author has to know; it becomes the head of the bundle's file. */
const CONTRACT = `/**
 * The puzzle's solver as a page carries it. Made by scripts/build-solver.ts from solver/: do not edit.
 *
 * Inlined in a script element it defines one global and does nothing else until that is called:
 *
 *     const solving = digueSolve({
 *       mac,                                  // base64url, 16 bytes: the challenge's last field
 *       seed,                                 // base64url, 16 bytes: digueSolve.seed() makes a new one
 *       bits,                                 // of one part
 *       until: 16,                            // how many parts, the price
 *       from: 0,                              // optional: the first part, when some are known already
 *       onPart(index, nonce, doneParts) {},   // optional: once per part, in any order
 *       signal,                               // optional: an AbortSignal, the same as stop()
 *     })
 *     solving.raise(32)   // the price is higher now; may come when all parts are done, too
 *     solving.proof()     // { parts, nonces }: those found without a gap from \`from\` on, base64url
 *     solving.means()     // 'worker simd', 'worker wasm', 'worker js', 'page simd', … or 'starting'
 *     solving.stop()      // ends the workers; onPart is not called any more
 *
 * All parts are there when doneParts is until - from; proof().parts is then the same number, and
 * proof().nonces is what the proof request carries as \`nonces\` (after those known before, with \`from\`).
 * \`nonce\` is an unsigned 32-bit number, big-endian in the proof. Workers stay, idle, until stop().
 *
 * Up to four workers from one Blob URL; WebAssembly with SIMD, without, or JavaScript; in the page's own
 * thread, in slices of 20 ms, where workers are missing, forbidden or do not start within 5 s. It
 * never throws but for what is no base64url, and reports no failure, because JavaScript in the page
 * always works. Policies: \`worker-src blob:\` for workers, \`'wasm-unsafe-eval'\` for WebAssembly, neither
 * needed. Syntax of 2017; no eval, no network, no storage, no cookie, no DOM but document.hidden.
 */`

/** The bundle's text: one expression statement, safe in a script element. */
export async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [path.join(root, 'src/challenge/solver/entry.ts')],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2017',
    charset: 'ascii',
    legalComments: 'none',
  })
  return `(function digueSource(){${outputFiles[0]!.text.trim()}})();`
}

/** The text of src/challenge/solver-bundle.ts. */
export async function bundleFile(): Promise<string> {
  return `${CONTRACT}
// biome-ignore format: made by a script
export const SOLVER = ${JSON.stringify(await bundle())}
`
}

if (import.meta.main && process.argv.includes('--check')) {
  if (readFileSync(BUNDLE, 'utf8') !== (await bundleFile())) {
    console.error('src/challenge/solver-bundle.ts: not what scripts/build-solver.ts makes; run it')
    process.exitCode = 1
  }
} else if (import.meta.main) {
  writeFileSync(BUNDLE, await bundleFile())
  console.log(`${path.relative(root, BUNDLE)}: ${(await bundle()).length} bytes`)
}
