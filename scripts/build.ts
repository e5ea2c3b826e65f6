/**
 * Makes dist/ (JavaScript with declarations) and data/, which is what `npm pack` ships: Node does
 * not strip types under node_modules.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const root = path.join(import.meta.dirname, '..')
const dist = path.join(root, 'dist')
const bin = (name: string) => path.join(root, 'node_modules', '.bin', name)

rmSync(dist, { recursive: true, force: true })
run(bin('tsc'), '-p', 'tsconfig.build.json')
const files = globSync('**/*.js', { cwd: dist })
for (const file of files) pointToJavaScript(path.join(dist, file))
const main = path.join(dist, 'cli', 'main.js')
if (!readFileSync(main, 'utf8').startsWith('#!'))
  throw new Error('src/cli/main.ts: expected a #! line, for npx')
chmodSync(main, 0o755)
run(process.execPath, '-C', 'source', 'scripts/pack-networks.ts', '--if-stale')
console.log(`dist/: ${files.length} modules`)

/** What went wrong is on the terminal already. */
function run(command: string, ...args: string[]): void {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(1)
}

/**
 * The compiler rewrites import specifiers but not `new URL('./thread.ts', import.meta.url)`, by which
 * worker threads are started. What points outside src/ (the demo in bench/) is not in the package.
 */
function pointToJavaScript(file: string): void {
  const before = readFileSync(file, 'utf8')
  const after = before.replace(
    /(new URL\(\s*['"])(\.[^'"]+)\.ts(['"]\s*,\s*import\.meta\.url)/g,
    (whole, open: string, target: string, close: string) =>
      existsSync(path.join(path.dirname(file), `${target}.js`)) ? `${open}${target}.js${close}` : whole,
  )
  if (after !== before) writeFileSync(file, after)
}
