/**
 * Makes src/challenge/pages/script-bundle.ts from src/challenge/pages/script/, as build-solver.ts makes the
 * solver. The result is committed; a test holds that it is what this makes.
 *
 *     node -C source scripts/build-page-script.ts [--check]
 */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { build } from 'esbuild'

const root = path.join(import.meta.dirname, '..')
const BUNDLE = path.join(root, 'src/challenge/pages/script-bundle.ts')

const { outputFiles } = await build({
  entryPoints: [path.join(root, 'src/challenge/pages/script/entry.ts')],
  bundle: true,
  minify: true,
  write: false,
  format: 'iife',
  target: 'es2017',
  charset: 'ascii',
  legalComments: 'none',
})
const script = outputFiles[0]!.text.trim()
const text = `/** What a page runs, minified. Made by scripts/build-page-script.ts from script/: do not edit. */
// biome-ignore format: made by a script
export const PAGE_SCRIPT = ${JSON.stringify(script)}
`

if (!process.argv.includes('--check')) {
  writeFileSync(BUNDLE, text)
  console.log(`${path.relative(root, BUNDLE)}: ${script.length} bytes`)
} else if (readFileSync(BUNDLE, 'utf8') !== text) {
  console.error(`${path.relative(root, BUNDLE)}: not what scripts/build-page-script.ts makes; run it`)
  process.exitCode = 1
}
