import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { describe, test } from 'node:test'
import { SOLVER } from './solver-bundle.ts'

const root = path.join(import.meta.dirname, '../..')

describe('solver bundle', () => {
  test('the committed bundle is what the script makes', () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      ['-C', 'source', 'scripts/build-solver.ts', '--check'],
      { cwd: root, encoding: 'utf8' },
    )
    assert.equal(status, 0, stderr)
  })

  test('it leaves room for the page around it', () => {
    assert.ok(SOLVER.length < 8000, `${SOLVER.length} bytes`)
  })

  test('it is plain ASCII that no script element ends in', () => {
    assert.match(SOLVER, /^[\x20-\x7e]*$/)
    assert.doesNotMatch(SOLVER, /<\/script|<script|<!--/i)
  })

  test('it has no syntax and no global that a browser of 2018 lacks', () => {
    assert.doesNotMatch(SOLVER, /\?\.[^\d]|\?\?|BigInt|\d+n\b|globalThis|\*\*=?|\beval\b|\bFunction\(/)
  })
})
