import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plainLine } from './plain-log.ts'

test('a line of the log is told in words, with what it adds', () => {
  const line = JSON.stringify({
    level: 'warn',
    time: '2026-01-02T03:04:05.000Z',
    code: 'operator',
    thread: 1,
    attack: 'on',
    msg: 'the operator decided',
  })
  assert.match(plainLine(`${line}\n`), /^\d\d:\d\d:05 warn: the operator decided {"attack":"on"}$/)
})

test('what comes from outside does not steer the terminal, and what is no JSON stays', () => {
  const line = JSON.stringify({ level: 'warn', time: 0, msg: '\u001b[2J' })
  assert.doesNotMatch(plainLine(line), /\u001b/u)
  assert.equal(plainLine('half a li\n'), 'half a li')
})
