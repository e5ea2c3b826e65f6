/**
 * What `npm test` runs: types, lint, unit, scenarios, the package. Goes on after a failing section,
 * so that one run shows everything; the last line sums it up.
 */
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { missingPrograms, provide } from './debian.ts'
import type { Totals } from './totals-reporter.ts'

const root = path.join(import.meta.dirname, '..')
const scratch = mkdtempSync(path.join(tmpdir(), 'digue-test-'))
const sum: Totals = { passed: 0, failed: 0, skipped: [] }
const failedSections: string[] = []
/** A test that waits for what never comes fails; no test of ours takes a tenth of it. */
const TEST_TIMEOUT = '--test-timeout=300000'

title('needs')
const missing = provide(missingPrograms(root), console.log)
console.log(missing.length === 0 ? 'everything the tests need is here' : `not here: ${missing.join(', ')}`)
check('networks', process.execPath, ['-C', 'source', 'scripts/pack-networks.ts', '--if-stale'], false)

check('types', path.join(root, 'node_modules/.bin/tsc'), ['--noEmit'])
check('lint', path.join(root, 'node_modules/.bin/biome'), ['check', '.'])
suite('unit', ['src/**/*.test.ts', 'bench/**/*.test.ts', 'scripts/**/*.test.ts', 'test/rooms.test.ts'])
// Scenarios load the machine: few at a time, or they would time each other out.
suite('scenarios', ['test/scenarios/**/*.test.ts', 'test/regressions/**/*.test.ts'], '--test-concurrency=2')
suite('package', ['test/package.test.ts'])

rmSync(scratch, { recursive: true, force: true })
title('summary')
for (const name of sum.skipped) console.log(`skipped: ${name}`)
for (const name of failedSections) console.log(`failed: ${name}`)
console.log(
  `${sum.passed} passed, ${sum.failed} failed${sum.skipped.length > 0 ? `, ${sum.skipped.length} skipped` : ''}`,
)
process.exitCode = sum.failed === 0 ? 0 : 1

function title(name: string): void {
  console.log(`\n── ${name} ${'─'.repeat(Math.max(0, 60 - name.length))}`)
}

/** One command that succeeds or fails as a whole; counts as one test. */
function check(name: string, command: string, args: readonly string[], isTitled = true): void {
  if (isTitled) title(name)
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status === 0) {
    sum.passed++
    return
  }
  sum.failed++
  failedSections.push(name)
}

function suite(name: string, patterns: readonly string[], ...options: string[]): void {
  title(name)
  if (globSync(patterns as string[], { cwd: root }).length === 0) {
    console.log('no tests')
    sum.skipped.push(`${name}: no tests`)
    return
  }
  const report = path.join(scratch, `${name}.json`)
  const reporters = [
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${path.join(import.meta.dirname, 'totals-reporter.ts')}`,
    `--test-reporter-destination=${report}`,
  ]
  const { status } = spawnSync(
    process.execPath,
    ['-C', 'source', '--test', TEST_TIMEOUT, ...options, ...reporters, ...patterns],
    { cwd: root, stdio: 'inherit' },
  )
  const totals = readTotals(report)
  sum.passed += totals.passed
  // A run that fails without a failing test (a crash, a file that does not load) still failed.
  sum.failed += totals.failed === 0 && status !== 0 ? 1 : totals.failed
  sum.skipped.push(...totals.skipped)
  if (status !== 0) failedSections.push(name)
}

function readTotals(file: string): Totals {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Totals
  } catch {
    return { passed: 0, failed: 0, skipped: [] }
  }
}
