import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Policy } from '#control'
import { SignatureLog } from './signature-log.ts'

function scene() {
  const lines: string[] = []
  let leftOut = 0
  const write = (about: object, message: string) => lines.push(`${JSON.stringify(about)} ${message}`)
  const log = new SignatureLog({ info: write, warn: write } as never, (count) => (leftOut += count))
  return { log, lines, leftOut: () => leftOut }
}

const inForce = (...ids: readonly string[]): Policy['signatures'] => ({
  'example.org': { signatures: ids.map((id) => ({ id, reason: `${id}.` })) as never, familiar: {} },
})

test('a signature is told once when it begins and once when it has ended', () => {
  const { log, lines } = scene()
  log.tell(undefined, 0)
  log.tell(inForce('a'), 250)
  log.tell(inForce('a', 'b'), 500)
  log.tell(inForce('b'), 750)
  assert.deepEqual(lines, [
    '{"code":"signature","site":"example.org","signature":"a"} a flood is recognised: a.',
    '{"code":"signature","site":"example.org","signature":"b"} a flood is recognised: b.',
    '{"code":"signature-ended","site":"example.org","signature":"a"} a signature has ended',
  ])
})

test('a flood that changes its handwriting all the time has a bounded number of lines, and the rest is counted', () => {
  const { log, lines, leftOut } = scene()
  const names = (turn: number) => Array.from({ length: 16 }, (_, i) => `${turn}-${i}`)
  for (let turn = 0; turn < 100; turn++) log.tell(inForce(...names(turn)), turn * 500)
  assert.equal(lines.length, 120)
  assert.equal(leftOut(), 99 * 32 + 16 - 120)
  log.tell(inForce('later'), 120_000)
  assert.ok(lines.some((line) => line.includes('later')))
})
