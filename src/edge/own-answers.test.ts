import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SHED_REASONS } from '#admission'
import type { Kind } from '#recognise'
import type { Answer } from './answers.ts'
import { failedAnswer, faultAnswer, refusedAnswer, shedAnswer } from './own-answers.ts'

const KINDS: readonly Kind[] = ['navigation', 'fetch', 'asset', 'upgrade', 'form']

const field = (answer: Answer, name: string): string | undefined => {
  const at = answer.fields.indexOf(name)
  return at === -1 ? undefined : answer.fields[at + 1]
}

const every: Answer[] = [
  ...SHED_REASONS.map((reason) => shedAnswer(reason, 5, 0.5)),
  ...KINDS.map((kind) => refusedAnswer(kind)),
  ...KINDS.flatMap((kind) => [
    failedAnswer(502, 'origin-refused', kind),
    failedAnswer(504, 'origin-timeout', kind),
  ]),
  ...[400, 404, 408, 413, 417, 421, 431].map((status) => faultAnswer(status, 'some-reason')),
]

test('no answer of our own may be stored, and all are small', () => {
  for (const answer of every) {
    assert.equal(field(answer, 'cache-control'), 'no-store')
    assert.ok(answer.body.length < 1000, `${answer.status}: ${answer.body.length} bytes`)
    assert.match(answer.close.toString('latin1'), /\r\nconnection: close\r\n\r\n/)
    assert.doesNotMatch(answer.keepAlive.toString('latin1').split('\r\n\r\n')[0]!, /connection/i)
    assert.match(
      answer.headKeepAlive.toString('latin1'),
      new RegExp(`content-length: ${answer.body.length}\r\n\r\n$`),
    )
  }
})

test('only people get pages: in French and in English, without a script, with nothing from elsewhere', () => {
  for (const answer of every) {
    const body = answer.body.toString()
    if (field(answer, 'content-type') === 'application/problem+json') {
      const problem = JSON.parse(body) as { status: number; reason: string; title: string }
      assert.equal(problem.status, answer.status)
      assert.notEqual(problem.reason, '')
      assert.notEqual(problem.title, '')
      continue
    }
    assert.match(body, /^<!doctype html><html lang=fr>/)
    assert.match(body, /<div lang=en>/)
    assert.doesNotMatch(body, /<script|src=|https?:/)
  }
})

test('clients are sent away for different times, never shorter than asked', () => {
  const seconds = new Set<number>()
  for (let i = 0; i < 100; i++) {
    const wait = Number(field(shedAnswer('over-share', 5, i / 100), 'retry-after'))
    assert.ok(wait >= 5)
    seconds.add(wait)
  }
  assert.ok(seconds.size > 1)
  assert.equal(field(shedAnswer('over-share', 10_000, 0), 'retry-after'), '60')
})

test('the same answer is built once', () => {
  assert.equal(shedAnswer('over-share', 5, 0), shedAnswer('over-share', 5, 0))
})
