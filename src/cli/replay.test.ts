import assert from 'node:assert/strict'
import { test } from 'node:test'
import { progressText } from './replay.ts'

const reader = (readBytes: number, sizeBytes: number | undefined, good: number) => ({
  readBytes,
  sizeBytes,
  good,
  bad: 0,
})

test('progress has the share, the lines, their rate and the time left, over all files together', () => {
  const text = progressText([reader(3_000_000, 4_000_000, 30_000), reader(0, 2_000_000, 0)], 10_000)
  assert.equal(text, `${'█'.repeat(12)}${'░'.repeat(12)}  50 %  30,000 lines, 3,000 a second, 10 s left`)
})

test('of a pipe nobody knows the end, and of a beginning nobody knows the rate', () => {
  assert.equal(
    progressText([reader(5_000_000, undefined, 40_000)], 20_000),
    '5.0 MB, 40,000 lines, 2,000 a second',
  )
  assert.doesNotMatch(progressText([reader(1, 1_000_000, 0)], 0), /left|Infinity|NaN/)
})
